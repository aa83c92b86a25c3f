"""From stored samples to a stored result."""

import datetime
from pathlib import Path

from harness.conclude import conclude_again, draw
from harness.model import PENDING_ROUTE, SCHEMA_VERSION, Sample, SampleHeader
from harness.rundir import RunDirectory, encode, read_result

SHARED = "http://127.0.0.1:8000/api/agents has 3 agents for 50 users: several users poll with the same id"


def stored_run(folder: Path, **header: object) -> RunDirectory:
    """Write what plain Locust leaves of one poll."""
    values = {
        "schema_version": SCHEMA_VERSION,
        "origin_utc": datetime.datetime(2026, 11, 23, 8, tzinfo=datetime.UTC).isoformat(),
        "host": "http://127.0.0.1:8000",
        "scenario": "agent-polling",
        "agents": 50,
        "interval_s": 10.0,
        "seed": 1,
        "phase_model": "uniform",
    }
    sample = Sample(
        agent="node-0",
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=0.1,
        start_s=0.1,
        end_s=0.2,
        status=200,
        error=None,
        bytes_in=2,
        new_connection=True,
        request_id=None,
    )
    directory = RunDirectory(folder)
    lines = (encode(SampleHeader(**(values | header))), encode(sample))
    directory.samples.write_bytes(b"".join(line + b"\n" for line in lines))
    return directory


def test_what_the_fleet_warned_of_stands_in_the_result(tmp_path: Path) -> None:
    """A fleet of fifty users with three ids is told where the verdict is told, and not in locust.log alone."""
    directory = stored_run(tmp_path, warnings=(SHARED,))
    conclusion = conclude_again(tmp_path)
    assert SHARED == conclusion.result.warnings[0]
    assert SHARED == read_result(directory).warnings[0]
    assert None is draw(conclusion, directory)
    assert f"{SHARED}." in directory.report.read_text(encoding="utf-8")


def test_samples_of_before_there_were_warnings_are_read(tmp_path: Path) -> None:
    directory = stored_run(tmp_path)
    directory.samples.write_bytes(directory.samples.read_bytes().replace(b',"warnings":[]', b""))
    assert 1 == len(conclude_again(tmp_path).result.warnings)
