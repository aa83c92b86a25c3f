"""
What a line costs to read back, ours beside what one would take instead.

60 MB of request log are made first, in six files as rotation leaves them. Each contestant reads all of it in a
process of its own and answers the same question: how many requests, how many of them failed, and their p95.
A package that is not installed is named and left out: ``pip install pandas polars``.

    python -m benchmarks.logs.reading_peers [--rounds 5] [--store]
"""

import argparse
import importlib.metadata
import importlib.util
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from benchmarks.logs.read_back import BYTES, make, request_line
from benchmarks.results import Comparison, Row, environment, now_utc, row_of, show
from monitoring.histogram import nearest_rank
from monitoring.loganalysis import analyse_logs
from monitoring.logs.files import rotated_files
from monitoring.logs.reader import LogReading, LogRow

Answer = tuple[int, int, float | None]
"""Requests, failed ones, and the p95 of their durations [ms]; None where the contestant tells more than asked."""
BASELINE = "json.loads, line by line"
REPORT = "monitoring: the report's analysis"
PACKAGES = ("pandas", "polars")
FAILED_FROM = 400


def _answer(requests: Iterable[tuple[int, float]]) -> Answer:
    statuses, durations_ms = zip(*requests, strict=True)
    ordered = sorted(durations_ms)
    return (
        len(statuses),
        sum(status >= FAILED_FROM for status in statuses),
        ordered[nearest_rank(0.95, len(ordered)) - 1],
    )


def _ours(path: Path) -> Answer:
    rows = (row for rows in LogReading(path, LogRow) for row in rows)
    return _answer((row.status, row.duration_ms or 0.0) for row in rows if row.status is not None)


def _report(path: Path) -> Answer:
    found = analyse_logs(path, path.with_name("nothing.log"))
    return found.requests, 0, None


def _json(path: Path) -> Answer:
    def requests() -> Iterable[tuple[int, float]]:
        for file in [*rotated_files(path), path]:
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    fields = json.loads(line)
                    yield fields["status"], fields["duration_ms"]

    return _answer(requests())


def _pandas(path: Path) -> Answer:
    pandas = import_module("pandas")
    frame = pandas.concat(pandas.read_json(file, lines=True) for file in [*rotated_files(path), path])
    p95_ms = float(frame["duration_ms"].quantile(0.95, interpolation="nearest"))
    return len(frame), int((frame["status"] >= FAILED_FROM).sum()), p95_ms


def _polars(path: Path) -> Answer:
    polars = import_module("polars")
    fields = {"status": polars.Int64, "duration_ms": polars.Float64}
    frame = polars.concat(polars.read_ndjson(file, schema=fields) for file in [*rotated_files(path), path])
    p95_ms = float(frame["duration_ms"].quantile(0.95, interpolation="nearest"))
    return len(frame), int((frame["status"] >= FAILED_FROM).sum()), p95_ms


CONTESTANTS: dict[str, Callable[[Path], Answer]] = {
    "monitoring: the rows": _ours,
    REPORT: _report,
    BASELINE: _json,
    "pandas": _pandas,
    "polars": _polars,
}


def work(contestant: str, path: Path) -> None:
    """Be the process of one contestant: read, and print the answer and what it cost after the imports."""
    if contestant in PACKAGES:
        import_module(contestant)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    answer = CONTESTANTS[contestant](path)
    cpu_s, wall_s = time.process_time() - begin_cpu_s, time.perf_counter() - begin_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    print(json.dumps({"answer": answer, "cpu_s": cpu_s, "wall_s": wall_s, "peak_mb": peak_kib * 1024 / 1e6}))


def one_round(contestant: str, path: Path) -> dict[str, float]:
    """Run one contestant once; its answer has to be that of the others."""
    command = [sys.executable, "-m", "benchmarks.logs.reading_peers", "--work", contestant, "--path", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(done.stdout)
    requests, failed, p95_ms = found.pop("answer")
    return {**found, "requests": requests, "failed": failed, "p95_ms": p95_ms}


def agree(rounds: dict[str, list[dict[str, float]]]) -> None:
    """
    See that all read the same.

    Raises:
        AssertionError: a contestant counted something else.
    """
    expected = rounds[BASELINE][0]
    for name, found in rounds.items():
        keys = ("requests",) if name == REPORT else ("requests", "failed")
        for one in found:
            if any(one[key] != expected[key] for key in keys):
                raise AssertionError(f"{name} read {one}, and {BASELINE} {expected}")


def comparison(rounds: dict[str, list[dict[str, float]]], count: int) -> Comparison:
    """Return the result for `benchmarks.plots`."""
    return Comparison(
        name="log_reading",
        title=f"reading {BYTES / 1e6:.0f} MB of request log, six files",
        quantity="CPU of a line",
        unit="µs",
        baseline=BASELINE,
        smaller_is_better=True,
        rounds=count,
        rows=[_row(name, rounds.get(name)) for name in CONTESTANTS],
        command=f"python -m benchmarks.logs.reading_peers --rounds {count} --store",
        measured_utc=now_utc(),
        environment=environment(**{name: importlib.metadata.version(name) for name in PACKAGES if name in rounds}),
    )


def _row(name: str, found: list[dict[str, float]] | None) -> Row:
    if found is None:
        return Row(name=name, value=None, note="not installed here")
    cpu_us = [one["cpu_s"] / one["requests"] * 1e6 for one in found]
    memory_mb = statistics.median(one["peak_mb"] for one in found)
    note = f"{memory_mb:.0f} MB of memory more than before"
    return row_of(name, cpu_us, ours=name.startswith("monitoring"), note=note)


def _installed(contestant: str) -> bool:
    return contestant not in PACKAGES or importlib.util.find_spec(contestant) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant (default: %(default)s)")
    parser.add_argument("--store", action="store_true", help="keep the result in benchmarks/results")
    parser.add_argument("--work", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.path)
        return
    folder = Path(tempfile.mkdtemp(prefix="reading-peers-"))
    try:
        path = folder / "master-backend.log"
        make(path, request_line)
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS if _installed(name)}
        for _ in range(options.rounds):
            for name, found in rounds.items():
                found.append(one_round(name, path))
    finally:
        shutil.rmtree(folder)
    agree(rounds)
    show(comparison(rounds, options.rounds), keep=options.store)


if __name__ == "__main__":
    main()
