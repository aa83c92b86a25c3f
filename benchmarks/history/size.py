"""
How long a large history takes: ``python -m benchmarks.history.size [RUNS] [FOLDER]``.

Writes RUNS records (default 100,000), twenty figures and six distributions each, into FOLDER (default: a temporary
one), then reads them back: without an index, with it, as a list and as series. Needs some 10 kB of disk a record.
CPU seconds stand beside the wall's: on a shared machine only these compare.
"""

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.environment import describe_environment
from harness.history import index
from harness.history.folder import FolderHistory
from harness.history.records import encode_record, new_id, utc_text
from harness.history.series import SeriesFilter, read_series
from harness.history.store import newest_records
from harness.history_model import HISTORY_SCHEMA_VERSION, Distribution, HistoryRecord, Metric
from harness.model import PENDING_ROUTE, Interval, Status
from monitoring.histogram import Histogram

NAMES = ("response_time", "service_time", "start_lag", "handler_time", "query_time", "pool_wait")


def records(count: int) -> Iterator[HistoryRecord]:
    """Yield lifelike records, one an hour."""
    rng = random.Random(1)
    shapes = [Histogram.of(rng.lognormvariate(-5, 0.4) for _ in range(300)) for _ in range(20)]
    start = datetime(2014, 1, 1, tzinfo=UTC)
    for number in range(count):
        at = start + timedelta(hours=number)
        quantiles = tuple(
            Metric(
                subject=PENDING_ROUTE,
                metric=name,
                quantile=q,
                value=rng.lognormvariate(-5, 0.1),
                unit="s",
                n=300,
                interval=Interval(low=0.001, high=0.1),
                limit=0.2,
            )
            for name in NAMES
            for q in (0.5, 0.95, 0.99)
        )
        ratios = tuple(
            Metric(subject=PENDING_ROUTE, metric=name, quantile=None, value=0.0, unit="ratio", n=300)
            for name in ("error_ratio", "missed_ratio")
        )
        yield HistoryRecord(
            schema_version=HISTORY_SCHEMA_VERSION,
            id=new_id(at, str(number).encode()),
            at_utc=utc_text(at),
            source="harness",
            commit=f"{number:040x}",
            commit_utc=utc_text(at),
            branch="main",
            environment_key="5c1d7ab2",
            environment={"cpu": "x", "cores": "2", "python": "CPython 3.11"},
            scenario="agent-polling",
            scenario_digest="9b2e41c0ffee",
            status=Status.PASS,
            metrics=quantiles + ratios,
            distributions=tuple(
                Distribution(
                    subject=PENDING_ROUTE,
                    metric=name,
                    unit="s",
                    n=300,
                    failures=0,
                    tau=1.0,
                    histogram=shapes[number % 20],
                )
                for name in NAMES
            ),
        )


def fill(folder: Path, count: int) -> int:
    """Write the files as a clone of a repository would, unsynced; return the bytes of one."""
    size = 0
    for record in records(count):
        place = folder / "runs" / record.at_utc[:7]
        place.mkdir(parents=True, exist_ok=True)
        content = encode_record(record)
        (place / f"{record.id}.json").write_bytes(content)
        size = len(content)
    return size


def timed(what: str, work: Callable[[], object]) -> None:
    """Print what some work took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    outcome = work()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = f"{what:44} {wall_s:8.2f} s  {cpu_s:8.2f} s CPU  peak {peak_mb:6.0f} MB  {outcome}"
    print(told, flush=True)


def measure(folder: Path, count: int) -> None:
    """Fill a folder unless it is full already, and read it in each way."""
    history = FolderHistory(folder)
    if not (folder / "runs").is_dir():
        timed(f"write {count:,} files", lambda: f"{fill(folder, count)} bytes each")
    index.forget(folder)
    timed("first look: read every file, make the index", lambda: newest_records(history, 20).total)
    timed("list the newest 20", lambda: newest_records(history, 20).total)
    wanted = SeriesFilter(metrics=("response_time",))
    timed("series of p50, p95 and p99", lambda: points(history, wanted))
    timed("all twenty series", lambda: points(history, SeriesFilter()))
    with closing(index._opened(folder)) as connection:
        (size,) = connection.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
    print(f"index: {size / 1e6:.0f} MB")


def points(history: FolderHistory, wanted: SeriesFilter) -> str:
    series = read_series(history, wanted=wanted).series
    return f"{len(series)} series, {sum(len(one.points) for one in series):,} points"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    environment = describe_environment()
    print(f"{environment.cpu}, {environment.cores} cores, {environment.python}, {environment.platform}")
    if len(sys.argv) > 2:
        measure(Path(sys.argv[2]), count)
        return
    with tempfile.TemporaryDirectory(prefix="harness-history-") as folder:
        measure(Path(folder), count)


if __name__ == "__main__":
    main()
