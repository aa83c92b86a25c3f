"""What a run leaves on disk can be read back: whole, torn, newer, or not at all."""

import errno
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.model import PENDING_ROUTE, Result, Sample, SampleHeader, ServerFigures, ServerTiming
from harness.rundir import atomic_path, decode, encode, read_header, read_samples, read_ticks, write_atomically
from monitoring.histogram import Histogram
from tests.harness.results import fleet, result_of

HEADER = SampleHeader(
    schema_version=1,
    origin_utc="2026-11-23T08:30:00.000000Z",
    host="http://127.0.0.1:8000",
    scenario="agent-polling",
    agents=50,
    interval_s=10.0,
    seed=1,
    phase_model="uniform",
)

finite = st.floats(min_value=0, max_value=1e6, allow_nan=False)
timings = st.builds(ServerTiming, handler_s=finite, database_s=st.none() | finite, pool_wait_s=st.none() | finite)
samples = st.builds(
    Sample,
    agent=st.text(max_size=20),
    name=st.just(PENDING_ROUTE),
    method=st.just("GET"),
    intended_start_s=finite,
    start_s=finite,
    end_s=finite,
    status=st.none() | st.integers(100, 599),
    error=st.none() | st.sampled_from(["timeout", "http-500"]),
    bytes_in=st.integers(0, 10**9),
    new_connection=st.none() | st.booleans(),
    request_id=st.none() | st.text(max_size=40),
    server=st.none() | timings,
)


def sample(agent: str = "agent-0001") -> Sample:
    return Sample(
        agent=agent,
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=1.0,
        start_s=1.25,
        end_s=2.0,
        status=200,
        error=None,
        bytes_in=2,
        new_connection=None,
        request_id=None,
    )


@given(samples)
def test_a_sample_survives_its_file(original: Sample) -> None:
    line = encode(original)
    assert b"\n" not in line
    assert original == decode(line, Sample, path=Path("samples.jsonl"))


def test_times_are_derived_from_the_three_instants() -> None:
    assert (1.0, 0.75, 0.25) == (sample().response_time_s, sample().service_time_s, sample().start_lag_s)


def test_server_figures_keep_their_histograms() -> None:
    figures = ServerFigures(
        window_s=60.0,
        requests=300,
        errors=0,
        handler=Histogram.of([0.001, 0.002, 0.5]),
        query=Histogram(),
        pool_wait=None,
        pool_size=15,
        pool_peak=3,
    )
    assert figures == decode(encode(figures), ServerFigures, path=Path("x"))
    assert 0.2 == figures.pool_use_ratio


def test_an_endless_quantile_is_read_back_as_endless() -> None:
    """Failures are infinitely slow, and infinite is not unknown: JSON's null would make it so."""
    result = result_of(fleet(failing_ratio=1.0))
    stored = encode(result)
    assert b'"p99":"inf"' in stored
    assert math.inf == decode(stored, Result, path=Path("result.json")).summary.response_time.p99
    assert result == decode(stored, Result, path=Path("result.json"))


def test_a_killed_writer_costs_its_last_line_only(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    whole = encode(HEADER) + b"\n" + encode(sample("a")) + b"\n" + encode(sample("b")) + b"\n"
    path.write_bytes(whole + encode(sample("c"))[:40])
    stored = read_samples(path)
    assert (HEADER, ["a", "b"], 1) == (stored.header, [s.agent for s in stored.samples], stored.torn_lines)


def test_a_file_with_a_header_only_has_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(encode(HEADER) + b"\n")
    assert ((), 0, HEADER) == (read_samples(path).samples, read_samples(path).torn_lines, read_header(path))


@pytest.mark.parametrize("change", [{"end_s": 1e308}, {"intended_start_s": -5.0}, {"start_s": 3.0}])
def test_a_sample_of_impossible_times_is_left_out_and_counted(tmp_path: Path, change: dict[str, float]) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(encode(HEADER) + b"\n" + encode(sample()) + b"\n" + encode(replace(sample(), **change)))
    assert (1, 1) == (len(read_samples(path).samples), read_samples(path).torn_lines)


def test_a_header_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(encode(replace(HEADER, agents=99_999_999_999)) + b"\n")
    with pytest.raises(HarnessError, match="its header makes no sense, got 99999999999 agents every 10 s"):
        read_samples(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"not json\n", b'{"agents": 50}\n'])
def test_a_file_without_a_header_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"file '.*samples\.jsonl': not a SampleHeader record"):
        read_samples(path)


def test_a_newer_schema_is_refused_by_name(tmp_path: Path) -> None:
    stored = encode(HEADER).replace(b'"schema_version":1', b'"schema_version":2')
    with pytest.raises(HarnessError) as refusal:
        decode(stored, SampleHeader, path=Path("samples.jsonl"))
    expected = (
        "file 'samples.jsonl': written by a newer version of the harness, got schema 2, need 1 or less; "
        "try a newer harness"
    )
    assert expected == str(refusal.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"file '.*none\.jsonl': can't be read: No such file or directory"):
        read_samples(tmp_path / "none.jsonl")
    assert () == read_ticks(tmp_path / "none.jsonl")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_atomically(path, b"old")

    def half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"ne")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HarnessError) as refusal:
        half()
    expected = (
        f"file '{path}': can't be written: No space left on device; try another folder with --out, or free space"
    )
    assert expected == str(refusal.value)
    assert (b"old", [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "kept" / "result.json")
    write_atomically(link, b"{}")
    assert (True, b"{}") == (link.is_symlink(), (tmp_path / "kept" / "result.json").read_bytes())


def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path) -> None:
    """A rename would take the place of a device as well; a pipe stands in for it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "folder").mkdir()
    for path, fault in ((pipe, "is no regular file"), (tmp_path / "folder", "is a folder")):
        with pytest.raises(HarnessError) as refusal:
            write_atomically(path, b"{}")
        assert f"file '{path}': {fault}, need a path that is free, or a file" == str(refusal.value)
    assert pipe.is_fifo()


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"can't be written: No such file or directory"):
        write_atomically(tmp_path / "none" / "result.json", b"{}")
