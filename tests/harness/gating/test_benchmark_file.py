"""Reading pytest-benchmark's JSON: whole, broken, and somebody else's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.gating.benchmark_file import read_benchmark_file
from tests.harness.gating.files import entry, without_data, write


def test_a_file_becomes_records(tmp_path: Path) -> None:
    path = write(tmp_path / "new.json", entry(data=[0.1, 0.2]), without_data(entry("test_other", iterations=7)))
    file = read_benchmark_file(path)
    assert ("2026-11-23T08:30:00+00:00", "40afc17", False) == (file.at_utc, file.commit, file.dirty)
    assert "Example CPU, Python 3.11.7" == file.machine
    first, second = file.benchmarks
    assert ("test_poll", "benchmarks/test_it.py::test_poll", 1) == (first.name, first.fullname, first.iterations)
    assert first.durations_s is not None
    assert [0.1, 0.2] == first.durations_s.tolist()
    assert (None, 7) == (second.durations_s, second.iterations)


def test_what_a_file_does_not_say_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "new.json", machine_info=[], commit_info={"id": "unversioned"}, datetime=3)
    file = read_benchmark_file(path)
    assert (None, None, None, "unknown processor, Python unknown", ()) == (
        file.at_utc,
        file.commit,
        file.dirty,
        file.machine,
        file.benchmarks,
    )


def test_a_file_that_pytest_benchmark_wrote_is_read(tmp_path: Path) -> None:
    """The shape is the tool's own, so its present version has the last word."""
    (tmp_path / "test_one.py").write_text(
        "def test_one(benchmark):\n    benchmark.pedantic(len, ('',), rounds=70)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--benchmark-json", "new.json"]
    # In a worker of a parallel test run the plugin would think itself in one too, and measure nothing.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60, env=own)
    (benchmark,) = read_benchmark_file(tmp_path / "new.json").benchmarks
    assert ("test_one", "test_one.py::test_one", 1) == (benchmark.name, benchmark.fullname, benchmark.iterations)
    assert benchmark.durations_s is not None
    assert 70 == len(benchmark.durations_s)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "empty, need pytest-benchmark's JSON; try pytest --benchmark-json FILE"),
        (b" \n", "empty, need pytest-benchmark's JSON"),
        (b'{"benchmarks": [{"na', "not JSON, or cut off: Unterminated string"),
        (b"\xff\xfe\x00", "not JSON, or cut off: "),
        (b"[" * 100_000, "not JSON that anybody wrote: nested too deeply"),
        (b"[]", "not pytest-benchmark's JSON, got no object, need an object with a list of 'benchmarks'"),
        (b'{"root_group": {}, "metrics": {}}', "not pytest-benchmark's JSON, got the keys metrics, root_group"),
        (b'{"benchmarks": {}}', "not pytest-benchmark's JSON, got the keys benchmarks"),
        (b'{"benchmarks": [3]}', "benchmark 1 is none, need an object with 'name' and 'stats'"),
        (b'{"benchmarks": [{"name": "a"}]}', "benchmark 1 is none"),
        (b'{"benchmarks": [{"name": "a", "stats": {"iterations": 0}}]}', "benchmark 'a': iterations is no count"),
        (
            b'{"benchmarks": [{"name": "a", "stats": {"data": "x"}}]}',
            "benchmark 'a': stats.data is no list, got str",
        ),
        (b'{"benchmarks": [{"name": "a", "stats": {"data": [1, "x"]}}]}', "benchmark 'a': a value is no duration"),
        (
            b'{"benchmarks": [{"name": "a", "stats": {"data": [-1]}}]}',
            "a value is no duration, got -1, need seconds",
        ),
        (b'{"benchmarks": [{"name": "a", "stats": {"data": [1' + b"0" * 400 + b"]}}]}", "a value is no duration"),
    ],
)
def test_what_is_no_such_file_is_said_in_one_line(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "new.json"
    path.write_bytes(content)
    with pytest.raises(HarnessError) as refusal:
        read_benchmark_file(path)
    assert str(refusal.value).startswith(f"benchmark file '{path}': ")
    assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nowhere.json", "can't be read: No such file or directory"),
        (".", "not a file, need the JSON itself"),
        ("pipe", "not a file, need the JSON itself"),
        ("a\x00b", "can't be read: "),
    ],
)
def test_what_can_not_be_read_is_said(tmp_path: Path, name: str, text: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HarnessError) as refusal:
        read_benchmark_file(tmp_path / name)
    assert text in str(refusal.value)
