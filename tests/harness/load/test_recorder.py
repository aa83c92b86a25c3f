"""The writer of samples: what it promises a reader after an orderly end, a kill and a full disk."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.recorder import LineWriter
from harness.model import SCHEMA_VERSION, GeneratorTick, Sample, SampleHeader, ServerTiming
from harness.rundir import read_samples, read_ticks

HEADER = SampleHeader(
    schema_version=SCHEMA_VERSION,
    origin_utc="2026-11-23T08:00:00.000000+00:00",
    host="http://127.0.0.1:8000",
    scenario="agent-polling",
    agents=2,
    interval_s=10.0,
    seed=1,
    phase_model="uniform",
)


def sample(number: int = 0, **changed: object) -> Sample:
    values = {
        "agent": f"agent-{number:04d}",
        "name": "/api/deployments/pending/{agent_id}",
        "method": "GET",
        "intended_start_s": number * 0.2,
        "start_s": number * 0.2 + 0.0001,
        "end_s": number * 0.2 + 0.004,
        "status": 200,
        "error": None,
        "bytes_in": 2,
        "new_connection": False,
        "request_id": f"r-{number}",
        "server": ServerTiming(handler_s=0.003, database_s=0.001, pool_wait_s=0.0),
    }
    return Sample(**(values | changed))


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    """Header and samples come back as they were, the unknown as None."""
    samples = [sample(1), sample(2, status=None, error="timeout", new_connection=None, server=None)]
    writer = LineWriter(tmp_path / "samples.jsonl")
    for record in (HEADER, *samples):
        writer.append(record)
    writer.close()
    stored = read_samples(tmp_path / "samples.jsonl")
    assert HEADER == stored.header
    assert tuple(samples) == stored.samples
    assert stored.torn_lines == 0


finite = st.floats(min_value=0, max_value=1e6)


@settings(max_examples=40)
@given(
    st.lists(
        st.builds(
            Sample,
            agent=st.text(max_size=20),
            name=st.text(max_size=20),
            method=st.sampled_from(["GET", "POST"]),
            intended_start_s=finite,
            start_s=finite,
            end_s=finite,
            status=st.none() | st.integers(min_value=100, max_value=599),
            error=st.none() | st.text(max_size=20),
            bytes_in=st.integers(min_value=0, max_value=2**40),
            new_connection=st.none() | st.booleans(),
            request_id=st.none() | st.text(max_size=20),
            server=st.none() | st.builds(ServerTiming, handler_s=finite, database_s=st.none() | finite),
        ).map(lambda s: replace(s, start_s=min(s.start_s, s.end_s), end_s=max(s.start_s, s.end_s)))
    )
)
def test_any_sample_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, samples: list[Sample]
) -> None:
    """Newlines and quotes in an id do not break a line in two."""
    path = tmp_path_factory.mktemp("round-trip") / "samples.jsonl"
    writer = LineWriter(path)
    for record in (HEADER, *samples):
        writer.append(record)
    writer.close()
    assert tuple(samples) == read_samples(path).samples


def test_a_flush_shows_the_lines_to_a_reader(tmp_path: Path) -> None:
    """Whoever follows the file sees whole lines after each flush, and nothing before the first."""
    writer = LineWriter(tmp_path / "samples.jsonl")
    writer.append(HEADER)
    assert writer.path.read_bytes() == b""
    writer.flush()
    writer.append(sample(1))
    assert read_samples(writer.path).samples == ()
    writer.flush()
    assert (sample(1),) == read_samples(writer.path).samples
    writer.close()


def test_a_full_buffer_is_written_without_a_flush(tmp_path: Path) -> None:
    """Memory stays bounded when polls come faster than the timer."""
    writer = LineWriter(tmp_path / "samples.jsonl")
    writer.append(HEADER)
    for number in range(3000):
        writer.append(sample(number))
    assert len(read_samples(writer.path).samples) > 1000
    writer.close()
    assert len(read_samples(writer.path).samples) == 3000


def test_the_ticks_of_the_generator_use_the_same_writer(tmp_path: Path) -> None:
    ticks = tuple(GeneratorTick(t_s=float(t), cpu_ratio=0.1, loop_lag_s=0.0, rss_bytes=10**7) for t in range(3))
    writer = LineWriter(tmp_path / "generator.jsonl")
    for tick in ticks:
        writer.append(tick)
    writer.close()
    assert ticks == read_ticks(tmp_path / "generator.jsonl")


def test_leaves_no_empty_file_behind(tmp_path: Path) -> None:
    """A run that ended before its origin has no samples file."""
    writer = LineWriter(tmp_path / "samples.jsonl")
    writer.close()
    writer.close()
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_added_after_the_end(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "samples.jsonl")
    writer.append(HEADER)
    writer.close()
    writer.append(sample(1))
    writer.flush()
    assert read_samples(writer.path).samples == ()


def test_never_writes_into_an_existing_file(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("precious")
    with pytest.raises(HarnessError) as caught:
        LineWriter(path)
    assert str(caught.value) == (
        f"file '{path}': can't be written: File exists; try another folder with --out, or free space"
    )
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "samples.jsonl"
    with pytest.raises(HarnessError, match=r"samples\.jsonl': can't be written: No such file or directory"):
        LineWriter(path)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fitted is kept to the last whole line, the fault is told, and later samples are let go."""
    real_write, room = os.write, 4000
    path = tmp_path / "samples.jsonl"

    def write(handle: int, data: memoryview) -> int:
        if not os.path.samestat(os.fstat(handle), path.stat()):
            return real_write(handle, data)
        left = room - path.stat().st_size
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_write(handle, data[:left])

    writer = LineWriter(path)
    monkeypatch.setattr(os, "write", write)
    for record in (HEADER, *(sample(n) for n in range(5))):
        writer.append(record)
    writer.flush()
    assert writer.fault is None
    for number in range(5, 100):
        writer.append(sample(number))
    writer.flush()
    assert str(writer.fault) == (
        f"file '{path}': can't be written: No space left on device; try another folder with --out, or free space"
    )
    size = path.stat().st_size
    writer.append(sample(100))
    writer.close()
    stored = read_samples(path)
    assert stored.torn_lines == 0
    assert tuple(sample(n) for n in range(len(stored.samples))) == stored.samples
    assert 5 < len(stored.samples) < 20
    assert size == path.stat().st_size <= room


def test_a_killed_writer_leaves_what_it_had_flushed(tmp_path: Path) -> None:
    """Kill -9 takes only the lines since the last flush."""
    code = """
        import os, signal, sys
        from pathlib import Path
        from tests.harness.load.test_recorder import HEADER, sample
        from harness.load.recorder import LineWriter
        writer = LineWriter(Path(sys.argv[1]))
        writer.append(HEADER)
        for number in range(500):
            writer.append(sample(number))
        writer.flush()
        writer.append(sample(500))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "samples.jsonl"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
        check=False,
    )
    assert -signal.SIGKILL == done.returncode
    stored = read_samples(path)
    assert 500 == len(stored.samples)
    assert stored.torn_lines == 0
