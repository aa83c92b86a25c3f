"""
pytest-benchmark's JSON as records: what ``--benchmark-json FILE`` and ``--benchmark-save`` leave.

Only the first holds the raw durations (``stats.data``); saved files have them with ``--benchmark-save-data``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.columns import Floats
from harness.errors import HarnessError, explain

_NO_COMMIT = "unversioned"
"""What pytest-benchmark writes outside of a repository."""

_MAKE_ONE = "pytest --benchmark-json FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """
    One benchmark of a file.

    Args:
        name: of the test function, with its parameters.
        fullname: with the path of the test file before it.
        durations_s: one value a round, in the order of time [s]; None where the file holds no raw data.
        iterations: calls that each value is the mean of, ≥ 1.
    """

    name: str
    fullname: str
    durations_s: Floats | None
    iterations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkFile:
    """
    One run of pytest-benchmark.

    Args:
        path: of the file.
        at_utc: when it was written, ISO 8601; None when it doesn't say.
        machine: processor and Python, as text.
        commit: git commit; None when it doesn't say.
        dirty: whether tracked files differed from it; None when it doesn't say.
        benchmarks: in file order.
    """

    path: Path
    at_utc: str | None
    machine: str
    commit: str | None
    dirty: bool | None
    benchmarks: tuple[Benchmark, ...]


def read_benchmark_file(path: Path) -> BenchmarkFile:
    """
    Read a file of pytest-benchmark's.

    Args:
        path: of the JSON.

    Raises:
        HarnessError: no file, no JSON, or not pytest-benchmark's: which of them, and where.
    """
    content = _json_of(path)
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        got = f"the keys {', '.join(sorted(content)[:5]) or 'none'}" if isinstance(content, dict) else "no object"
        fault = "not pytest-benchmark's JSON"
        raise _fault(path, fault, got=got, need="an object with a list of 'benchmarks'", remedy=_MAKE_ONE)
    benchmarks = tuple(_benchmark(path, i, item) for i, item in enumerate(content["benchmarks"]))
    commit, machine = _table(content.get("commit_info")), _table(content.get("machine_info"))
    cpu = machine.get("cpu")
    brand = cpu.get("brand_raw") if isinstance(cpu, dict) else cpu
    python = machine.get("python_version")
    return BenchmarkFile(
        path=path,
        at_utc=_text(content.get("datetime")),
        machine=f"{_text(brand) or 'unknown processor'}, Python {_text(python) or 'unknown'}",
        commit=None if commit.get("id") == _NO_COMMIT else _text(commit.get("id")),
        dirty=commit["dirty"] if isinstance(commit.get("dirty"), bool) else None,
        benchmarks=benchmarks,
    )


def _json_of(path: Path) -> Any:
    try:
        if path.exists() and not path.is_file():
            raise _fault(path, "not a file", need="the JSON itself")
        stored = path.read_bytes()
    except OSError as fault:
        raise _fault(path, f"can't be read: {fault.strerror or fault}") from fault
    except ValueError as fault:
        raise _fault(path, f"can't be read: {fault}") from fault
    if not stored.strip():
        raise _fault(path, "empty", need="pytest-benchmark's JSON", remedy=_MAKE_ONE)
    try:
        # Not msgspec: pytest-benchmark writes NaN as such, and what holds it is to be named below.
        return json.loads(stored)
    except RecursionError as fault:
        raise _fault(path, "not JSON that anybody wrote: nested too deeply") from fault
    except ValueError as fault:
        raise _fault(path, f"not JSON, or cut off: {fault}", remedy=_MAKE_ONE) from fault


def _benchmark(path: Path, number: int, item: Any) -> Benchmark:
    entry = _table(item)
    name, fullname = _text(entry.get("name")), _text(entry.get("fullname"))
    stats = entry.get("stats")
    if name is None or not isinstance(stats, dict):
        raise _fault(path, f"benchmark {number + 1} is none", need="an object with 'name' and 'stats'")
    iterations = stats.get("iterations", 1)
    if isinstance(iterations, bool) or not isinstance(iterations, int) or iterations < 1:
        raise _fault(path, f"benchmark '{name}': iterations is no count", got=repr(iterations)[:40])
    return Benchmark(
        name=name,
        fullname=fullname or name,
        durations_s=_durations(path, name, stats.get("data")),
        iterations=iterations,
    )


def _durations(path: Path, name: str, data: Any) -> Floats | None:
    if data is None:
        return None
    if not isinstance(data, list):
        raise _fault(path, f"benchmark '{name}': stats.data is no list", got=type(data).__name__)
    for value in data:
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise _fault(path, f"benchmark '{name}': a value is no duration", got=repr(value)[:40], need="seconds")
    try:
        return np.array(data, dtype=np.float64)
    except OverflowError as fault:
        raise _fault(path, f"benchmark '{name}': a value is no duration: {fault}") from fault


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _fault(
    path: Path, fault: str, *, got: object = None, need: str | None = None, remedy: str | None = None
) -> HarnessError:
    return HarnessError(explain("benchmark file", str(path), fault=fault, got=got, need=need, remedy=remedy))
