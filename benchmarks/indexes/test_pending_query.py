"""
The pending query at 1,000, 100,000 and 1,000,000 deployments, with and without its composite index.

    pytest benchmarks/indexes --benchmark-enable [--benchmark-json=indexes.json]
    INDEX_BENCHMARK_SIZES=1000,100000 pytest benchmarks/indexes --benchmark-enable

Every agent has the same three deployments pending at every size. A measurement is one poll for each of the fifty
agents (five without the index), through the driver alone. Plans are judged by the harness's audit and growth by
its gate, over rounds that take turns between the sizes; no single timing is asserted.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.indexes.scratch import FLEET, PENDING_EACH, Poller, Scratch, make_scratch, poller, sqlite_url
from harness.errors import HarnessError
from harness.indexes.catalog import PENDING_INDEX
from harness.indexes.growth import fit_growth, growth_gate, judge_growth
from harness.model import Status
from harness.postgres import ephemeral_postgres

SIZES = tuple(int(size) for size in os.environ.get("INDEX_BENCHMARK_SIZES", "1000,100000,1000000").split(","))
ROUNDS = 101
FEW_AGENTS = 5

# Seeding a million rows on a busy machine takes longer than a test may.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def scratches(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, Scratch]]:
    """A scratch master of every size, on each database."""
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("index benchmarks were NOT run: they seed a million rows; add --benchmark-enable")
    with ExitStack() as stack:
        if request.param == "sqlite":
            folder: Path = tmp_path_factory.mktemp("indexes")
            yield {size: make_scratch(sqlite_url(folder, size), size) for size in SIZES}
            return
        try:
            server = stack.enter_context(ephemeral_postgres())
        except HarnessError as fault:
            pytest.skip(f"PostgreSQL benchmarks were NOT run: {fault}")
        yield {size: make_scratch(server.create_database(f"scratch_{size}"), size) for size in SIZES}


@pytest.mark.parametrize("size", SIZES)
def test_with_index(benchmark: BenchmarkFixture, scratches: dict[int, Scratch], size: int) -> None:
    """What a poll's query costs, and that the composite index serves it."""
    evidence = scratches[size].evidence()
    with poller(scratches[size]) as polling:
        describe(benchmark, scratches[size], polling, evidence.plan, agents=FLEET)
        benchmark.pedantic(polling.poll_all, rounds=30, warmup_rounds=2)  # type: ignore[no-untyped-call]  # not typed by its authors
    # On PostgreSQL a table of a few pages says nothing of an index; the larger ones must.
    assert evidence.served is True or (evidence.served is None and size <= 1000), evidence


@pytest.mark.parametrize("size", SIZES)
def test_without_index(benchmark: BenchmarkFixture, scratches: dict[int, Scratch], size: int) -> None:
    """What the index is worth: the same without it, and the audit names what is missing."""
    scratches[size].drop_index()
    try:
        evidence = scratches[size].evidence()
        with poller(scratches[size]) as polling:
            describe(benchmark, scratches[size], polling, evidence.plan, agents=FEW_AGENTS)
            benchmark.pedantic(polling.poll_some, args=(FEW_AGENTS,), rounds=5)  # type: ignore[no-untyped-call]  # as above
    finally:
        scratches[size].restore_index()
    assert (False, f"there is no index {PENDING_INDEX.name}") == (evidence.served, evidence.note)


def test_time_stays_flat(scratches: dict[int, Scratch]) -> None:
    """A thousandfold table costs a poll next to nothing more: judged by the gate, over rounds that take turns."""
    with ExitStack() as stack:
        pollers = [stack.enter_context(poller(scratches[size])) for size in SIZES]
        for one in pollers:
            one.poll_all()
        rounds = [[one.mean_s() for one in pollers] for _ in range(ROUNDS)]
    finding = judge_growth(fit_growth(SIZES, rounds), growth_gate(PENDING_INDEX.name))
    print(f"\n{finding.status.value}: {finding.reason}")
    assert Status.FAIL is not finding.status, finding


def describe(benchmark: BenchmarkFixture, scratch: Scratch, polling: Poller, plan: str, *, agents: int) -> None:
    """Put beside the figures what they are of: a stored figure without it can't be read."""
    benchmark.group = scratch.url.partition(":")[0].partition("+")[0]
    benchmark.extra_info.update(
        deployments=scratch.deployments,
        polls_per_round=agents,
        rows_per_poll=polling.rows / FLEET,
        pending_each=PENDING_EACH,
        plan=plan,
    )
