"""
The specification's targets: the polled endpoint in its own process and over a real uvicorn, its query, a report.

    pytest benchmarks/performance [--benchmark-json=targets.json]

Nothing is asserted on a timing here. Every raw time goes into the JSON file, and `harness gate --benchmark-json`
judges it by `benchmarks/gates.toml`; `make benchmark` does both.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from benchmarks.performance.agents import in_process, over_the_network
from benchmarks.reports.day import END_S, write_logs, write_store
from harness.backend.app import create_app
from harness.backend.config import BackendConfig
from harness.backend.operations import pending_deployments
from harness.backend.seed import seed
from harness.errors import HarnessError
from harness.postgres import ephemeral_postgres
from harness.target import EmbeddedOptions, embedded_target
from monitoring.report import Places, make_report
from monitoring.reports.forms import as_json
from monitoring.reports.records import Window
from monitoring.units import utc

DEPLOYMENTS = 100_000
LOG_MEGABYTES = 60.0
HOURS = 24.0

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(autouse=True)
def asked_for(request: pytest.FixtureRequest) -> None:
    """Skip, loudly, when benchmarks are only collected."""
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("performance benchmarks were NOT run: --benchmark-disable")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def master_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a seeded database, on each kind."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('master') / 'master.db'}"
        else:
            try:
                url = stack.enter_context(ephemeral_postgres()).create_database("master")
            except HarnessError as fault:
                pytest.skip(f"PostgreSQL benchmarks were NOT run: {fault}")
        seed(url, deployments=DEPLOYMENTS)
        yield url


def test_pending_in_process(benchmark: BenchmarkFixture, master_url: str, tmp_path: Path) -> None:
    """A poll from the application's first line to its last, monitoring and all its logs included."""
    app = create_app(BackendConfig(database_url=master_url, log_dir=tmp_path / "logs"))
    with in_process(app) as poll:
        measure(benchmark, poll, master_url)


def test_pending_over_uvicorn(benchmark: BenchmarkFixture, master_url: str, tmp_path: Path) -> None:
    """A poll as one of fifty agents sees it: network, uvicorn, application, database."""
    options = EmbeddedOptions(
        database_url=master_url, delay_s=0.0, error_ratio=0.0, logs=tmp_path / "logs", log=tmp_path / "target.log"
    )
    with embedded_target(options) as target, over_the_network(target.record.url) as poll:
        measure(benchmark, poll, master_url)


def test_pending_query(benchmark: BenchmarkFixture, master_url: str) -> None:
    """The polled query through SQLAlchemy, on one connection."""
    engine = create_engine(master_url, poolclass=NullPool)
    with engine.connect() as connection:
        measure(benchmark, lambda: pending_deployments(connection, "agent-0007"), master_url)


def test_report(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """A day's report from the store and 60 MB of logs, in a process that has started."""
    write_logs(tmp_path, LOG_MEGABYTES)
    store = tmp_path / "master-backend.metrics.sqlite"
    write_store(store, HOURS)
    until = utc(END_S)
    window = Window(since=until - timedelta(hours=HOURS), until=until)
    places = Places(service="master-backend", logs=tmp_path, store=store)
    benchmark.group = "report"
    benchmark.extra_info.update(log_megabytes=LOG_MEGABYTES, hours=HOURS)
    benchmark.pedantic(  # type: ignore[no-untyped-call]  # not typed by its authors
        lambda: as_json(make_report(places, window, generated=until)), rounds=9, warmup_rounds=1
    )


def measure(benchmark: BenchmarkFixture, poll: object, url: str) -> None:
    """Time a thousand polls, one by one, so that the file holds each."""
    database = url.partition(":")[0].partition("+")[0]
    benchmark.group = database
    benchmark.extra_info.update(database=database, deployments=DEPLOYMENTS)
    benchmark.pedantic(poll, rounds=1000, warmup_rounds=100)  # type: ignore[no-untyped-call]  # as above
