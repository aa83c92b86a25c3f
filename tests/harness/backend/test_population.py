"""The made-up rows: repeatable, in order, and of the shape that is promised, for every size and seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.backend import population as module
from harness.backend.population import MAX_PENDING, SEED_INSTANT, Population, agent_id, deployment_blocks

Row = tuple[object, ...]

SIZES = st.builds(
    Population,
    agents=st.integers(1, 60),
    first_deployment=st.sampled_from([1, 5001]),
    deployments=st.integers(0, 3000),
    seed=st.integers(0, 2**40),
    instant=st.sampled_from([SEED_INSTANT, datetime(2031, 7, 1, 12, 30, 0, 1, tzinfo=UTC)]),
)


def rows(population: Population) -> list[Row]:
    return [
        row
        for block in deployment_blocks(population)
        for row in zip(
            block.id,
            block.agent_id,
            block.artifact,
            block.version,
            block.status,
            block.created_by,
            block.created_us.tolist(),
            block.updated_us.tolist(),
            strict=True,
        )
    ]


def usual(deployments: int, *, seed: int = 1, agents: int = 50) -> Population:
    return Population(agents=agents, first_deployment=1, deployments=deployments, seed=seed, instant=SEED_INSTANT)


@given(SIZES)
@settings(max_examples=60, deadline=None)
def test_the_promises_hold_for_every_size(population: Population) -> None:
    found = rows(population)
    assert population.deployments == len(found)
    first = population.first_deployment
    assert list(range(first, first + population.deployments)) == [row[0] for row in found]
    fleet = {agent_id(number) for number in range(1, population.agents + 1)}
    assert {row[1] for row in found} <= fleet
    created, updated = [row[6] for row in found], [row[7] for row in found]
    assert sorted(created) == created
    end_us = (population.instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    begin_us = end_us - 90 * 86_400 * 1_000_000
    assert all(begin_us <= at <= changed <= end_us for at, changed in zip(created, updated, strict=True))
    pending = Counter(row[1] for row in found if row[4] == "pending")
    assert all(count <= MAX_PENDING for count in pending.values())
    assert all(row[6] == row[7] for row in found if row[4] == "pending")


@given(SIZES)
@settings(max_examples=30, deadline=None)
def test_an_agents_open_deployments_are_its_newest(population: Population) -> None:
    """First what is done, then at most one in progress, then what is pending."""
    order = {"in_progress": 1, "pending": 2}
    states: dict[object, list[int]] = {}
    for row in rows(population):
        states.setdefault(row[1], []).append(order.get(str(row[4]), 0))
    for of_one in states.values():
        assert sorted(of_one) == of_one
        assert of_one.count(1) <= 1


def test_the_same_arguments_give_the_same_rows_and_another_seed_others() -> None:
    first, again, other = rows(usual(500)), rows(usual(500)), rows(usual(500, seed=2))
    assert first == again
    assert first != other


def test_rows_never_change_from_version_to_version() -> None:
    """A seed in an old report has to mean the same database today."""
    found = rows(usual(100_000))
    start_us = 1_759_449_600_000_000  # 2025-10-03, ninety days before the instant
    assert [
        (1, "agent-0001", "log-shipper", "2.0.6", "succeeded", "release-train", start_us + 64_509_929),
        (2, "agent-0034", "message-bus", "2.0.6", "succeeded", "ci", start_us + 94_752_242),
    ] == [row[:7] for row in found[:2]]
    assert {"succeeded": 92_976, "failed": 4_473, "cancelled": 2_450, "pending": 85, "in_progress": 16} == Counter(
        row[4] for row in found
    )


def test_the_size_of_a_block_changes_nothing() -> None:
    whole = rows(usual(1000))
    before, module._BLOCK_ROWS = module._BLOCK_ROWS, 77
    try:
        assert whole == rows(usual(1000))
    finally:
        module._BLOCK_ROWS = before


def test_few_agents_get_most_and_every_agent_something() -> None:
    per_agent = Counter(row[1] for row in rows(usual(100_000)))
    ordered = sorted(per_agent.values(), reverse=True)
    assert 50 == len(ordered)
    # The shares of k^-0.75 over fifty agents: the busiest five have 37 %, the idlest ten 8 %.
    assert 0.36 < sum(ordered[:5]) / 100_000 < 0.38
    assert 0.07 < sum(ordered[-10:]) / 100_000 < 0.09


def test_the_pending_ones_do_not_grow_with_the_table() -> None:
    """So that two table sizes compare: the polled query returns the same number of rows from either."""
    counts = [Counter(row[1] for row in rows(usual(size)) if row[4] == "pending") for size in (10_000, 50_000)]
    assert counts[0] == counts[1]


def test_no_deployments_and_one() -> None:
    assert [] == rows(usual(0))
    assert 1 == len(rows(usual(1, agents=1)))
