"""
Each index of the specification at 1,000 deployments and a thousandfold: is it used, and what is it worth?

    pytest benchmarks/indexes [--benchmark-json=indexes.json]
    INDEX_BENCHMARK_SIZES=1000,100000,1000000 pytest benchmarks/indexes

The statements are captured from the service itself, which is asked through its own endpoints. Plans are judged by
the harness's audit and growth by its gate, over rounds that take turns between the sizes. A measurement is one
statement, through the driver alone; how long it may take stands in `benchmarks/gates.toml`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import GROWTHS
from benchmarks.indexes.paths import HOT_PATHS, HotPath, Sent, capture
from benchmarks.indexes.scratch import PENDING_EACH, Scratch, Sender, make_scratch, sender, sqlite_url
from harness.errors import HarnessError
from harness.indexes.growth import fit_growth, growth_gate, judge_growth
from harness.model import IndexEvidence, Status
from harness.postgres import ephemeral_postgres

SIZES = tuple(int(size) for size in os.environ.get("INDEX_BENCHMARK_SIZES", "1000,100000").split(","))
SMALLEST_JUDGED = 10_000
"""Below this a healthy PostgreSQL may pass over any index of ours."""
ROUNDS = 101
PER_ROUND = 50

# Seeding a million rows on a busy machine takes longer than a test may.
pytestmark = pytest.mark.timeout(1200)

each_path = pytest.mark.parametrize("path", HOT_PATHS, ids=lambda path: path.name)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def scratches(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[int, Scratch]]:
    """A scratch master of every size, on each database."""
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("index benchmarks were NOT run: --benchmark-disable")
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


@each_path
@pytest.mark.parametrize("size", SIZES)
def test_with_index(
    benchmark: BenchmarkFixture, scratches: dict[int, Scratch], path: HotPath, size: int, tmp_path: Path
) -> None:
    """Every statement of a hot path is served by its index."""
    scratch = scratches[size]
    sent = capture(path, scratch, tmp_path)
    evidence = plans(scratch, path, sent)
    with sender(scratch, sent) as sending:
        describe(benchmark, scratch, sending, path, evidence)
        benchmark.pedantic(sending.send_one, rounds=1000, warmup_rounds=50)  # type: ignore[no-untyped-call]  # not typed by its authors
    for one in evidence:
        assert one.served is True or (one.served is None and size < SMALLEST_JUDGED), one


@each_path
@pytest.mark.parametrize("size", SIZES)
def test_without_index(
    benchmark: BenchmarkFixture, scratches: dict[int, Scratch], path: HotPath, size: int, tmp_path: Path
) -> None:
    """What an index is worth: the same without it, and the audit names what is missing."""
    scratch = scratches[size]
    sent = capture(path, scratch, tmp_path)
    with scratch.without(path.index):
        evidence = plans(scratch, path, sent)
        with sender(scratch, sent[: len(evidence)]) as sending:
            describe(benchmark, scratch, sending, path, evidence)
            benchmark.pedantic(sending.send_one, rounds=20)  # type: ignore[no-untyped-call]  # as above
    missing = (False, f"there is no index {path.index.name}")
    assert [missing] * len(evidence) == [(one.served, one.note) for one in evidence]


@each_path
def test_time_stays_flat(
    request: pytest.FixtureRequest, scratches: dict[int, Scratch], path: HotPath, tmp_path: Path
) -> None:
    """A much larger table costs next to nothing more: judged by the gate, over rounds that take turns."""
    with ExitStack() as stack:
        senders = [
            stack.enter_context(sender(scratch, capture(path, scratch, tmp_path / str(size))))
            for size, scratch in scratches.items()
        ]
        rounds = [[one.mean_s(PER_ROUND) for one in senders] for _ in range(ROUNDS)]
    growth = fit_growth(SIZES, rounds)
    finding = judge_growth(growth, growth_gate(path.index.name))
    request.config.stash.setdefault(GROWTHS, []).append(
        {
            "path": path.name,
            "index": path.index.name,
            "database": scratches[SIZES[0]].database,
            "sizes": SIZES,
            "status": finding.status.value,
            "ratio": growth.ratio,
            "interval": [growth.interval.low, growth.interval.high],
            "exponent": growth.exponent,
            "rounds": growth.rounds,
            "limit": finding.gate.limit,
        }
    )
    print(f"\n{finding.status.value}: {path.name}: {finding.reason}")
    assert Status.FAIL is not finding.status, finding


def plans(scratch: Scratch, path: HotPath, sent: tuple[Sent, ...]) -> list[IndexEvidence]:
    """Explain each different statement once, in the order of their first sending."""
    return [scratch.evidence(text, path.index) for text in dict.fromkeys(one.statement for one in sent)]


def describe(
    benchmark: BenchmarkFixture, scratch: Scratch, sending: Sender, path: HotPath, evidence: list[IndexEvidence]
) -> None:
    """Put beside the figures what they are of: a stored figure without it can't be read."""
    benchmark.group = f"{path.name} {scratch.database}"
    benchmark.extra_info.update(
        database=scratch.database,
        version=scratch.version,
        deployments=scratch.deployments,
        index=path.index.name,
        rows=sending.rows,
        pending_each=PENDING_EACH,
        plans=[one.plan for one in evidence],
        statements=[one.statement for one in evidence],
    )
