"""
What each of SQLite's settings is worth to the master.

    python -m benchmarks.backend.pragmas

For each set of settings: a database of 100,000 deployments in a temporary folder, then two seconds of polls by one
reader alone, two seconds of progress reports by one writer alone, and two seconds of both, each in a process of
its own. Times are of the operation as the service does it, SQLAlchemy included.
"""

import multiprocessing
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, select, update

from harness.backend.models import Deployment
from harness.backend.operations import pending_deployments, report_progress
from harness.backend.seed import seed
from harness.backend.states import DeploymentStatus
from harness.units import format_duration
from monitoring.histogram import nearest_rank

AGENTS = 50
SECONDS = 2.0

SETTINGS: dict[str, dict[str, str]] = {
    "SQLite's own": {"journal_mode": "DELETE"},
    "WAL": {"journal_mode": "WAL"},
    "WAL, synchronous=NORMAL": {"journal_mode": "WAL", "synchronous": "NORMAL"},
    "… and foreign_keys": {"journal_mode": "WAL", "synchronous": "NORMAL", "foreign_keys": "ON"},
    "… and mmap_size=256 MiB": {"journal_mode": "WAL", "synchronous": "NORMAL", "mmap_size": str(1 << 28)},
    "… and cache_size=16 MiB": {"journal_mode": "WAL", "synchronous": "NORMAL", "cache_size": "-16384"},
}


def engine_with(url: str, pragmas: dict[str, str]) -> Engine:
    """Return an engine whose connections have these settings."""
    engine = create_engine(url, connect_args={"timeout": 5.0}, isolation_level="AUTOCOMMIT")

    def apply(connection: sqlite3.Connection, _record: object) -> None:
        for name, value in pragmas.items():
            connection.execute(f"PRAGMA {name}={value}")

    event.listen(engine, "connect", apply)
    return engine


def read(engine: Engine, seconds: float) -> list[float]:
    """Poll for some seconds; return the times taken [s]."""
    times: list[float] = []
    end_s = time.perf_counter() + seconds
    while (start_s := time.perf_counter()) < end_s:
        with engine.connect() as connection:
            pending_deployments(connection, f"agent-{len(times) % AGENTS + 1:04d}")
        times.append(time.perf_counter() - start_s)
    return times


def write(engine: Engine, seconds: float, stop: Event | None = None) -> list[float]:
    """Report the start of one deployment after the other for some seconds; return the times taken [s]."""
    writing = engine.execution_options(isolation_level="SERIALIZABLE")
    with writing.begin() as connection:
        ids = list(connection.execute(select(Deployment.id).limit(20_000)).scalars())
        connection.execute(
            update(Deployment).where(Deployment.id <= max(ids)).values(status=DeploymentStatus.PENDING)
        )
    times: list[float] = []
    end_s = time.perf_counter() + seconds
    for number in ids:
        if (start_s := time.perf_counter()) >= end_s or (stop is not None and stop.is_set()):
            break
        with writing.begin() as connection:
            report_progress(
                connection,
                number,
                status=DeploymentStatus.IN_PROGRESS,
                reported_by="agent",
                message=None,
                now=datetime.now(UTC),
            )
        times.append(time.perf_counter() - start_s)
    return times


def _write_beside(url: str, pragmas: dict[str, str], started: Event, stop: Event) -> None:
    engine = engine_with(url, pragmas)
    write(engine, 0.0)
    started.set()
    write(engine, 10 * SECONDS, stop)


def describe(times: list[float]) -> str:
    """Return median and 99th percentile."""
    ordered = sorted(times)
    p50, p99 = (ordered[nearest_rank(q, len(ordered)) - 1] for q in (0.5, 0.99))
    return f"{format_duration(p50)} / {format_duration(p99)}"


def main() -> None:
    """Measure and print."""
    header = ("settings", "poll p50 / p99", "report p50 / p99", "poll beside reports p50 / p99")
    sys.stdout.write(f"| {' | '.join(header)} |\n|{'---|' * len(header)}\n")
    for name, pragmas in SETTINGS.items():
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{Path(folder) / 'master.db'}"
            seed(url, agents=AGENTS)
            engine = engine_with(url, pragmas)
            alone = describe(read(engine, SECONDS))
            reports = describe(write(engine, SECONDS))
            spawn = multiprocessing.get_context("spawn")
            started, stop = spawn.Event(), spawn.Event()
            writer = spawn.Process(target=_write_beside, args=(url, pragmas, started, stop))
            writer.start()
            started.wait(30)
            beside = describe(read(engine, SECONDS))
            stop.set()
            writer.join()
            engine.dispose()
        sys.stdout.write(f"| {name} | {alone} | {reports} | {beside} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
