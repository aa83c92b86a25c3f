"""The search finds a planted capacity, whatever the runs throw at it."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.capacity.search import Bracket, Next, Plan, Try, bracket, next_try, outcomes
from harness.model import Status

PLAN = Plan(start=100, most=20_000)


def search(plan: Plan, verdict: Callable[[int], Status]) -> tuple[list[Try], Next]:
    """Search a target whose verdict on a fleet is given."""
    tries: list[Try] = []
    while (wanted := next_try(tries, plan)).agents is not None:
        tries.append(Try(agents=wanted.agents, status=verdict(wanted.agents)))
    return tries, wanted


@given(st.integers(1, 19_999), st.integers(1, 5000))
def test_a_planted_capacity_is_bracketed(capacity: int, start: int) -> None:
    """Between the largest fleet that holds and the smallest that breaks lies the truth, within the precision."""
    tries, end = search(
        Plan(start=start, most=20_000, most_steps=60),
        lambda agents: Status.PASS if agents <= capacity else Status.FAIL,
    )
    span = bracket(tries)
    assert span.holds is not None
    assert span.breaks is not None
    assert span.holds <= capacity < span.breaks
    assert span.breaks <= max(span.holds * 1.1, span.holds + 1)
    assert "the bracket is narrow enough" == end.why


@given(st.integers(1, 19_999), st.integers(0, 10_000))
def test_noise_ends_the_search_and_moves_no_end_for_free(capacity: int, seed: int) -> None:
    """One verdict in five tells nothing, one in twenty is wrong: the search ends, and its ends are in order."""
    dice = random.Random(seed)

    def verdict(agents: int) -> Status:
        drawn = dice.random()
        if drawn < 0.2:
            return Status.INCONCLUSIVE
        holds = (agents <= capacity) ^ (drawn > 0.95)
        return Status.PASS if holds else Status.FAIL

    tries, _ = search(PLAN, verdict)
    span = bracket(tries)
    assert len(tries) <= PLAN.most_steps
    if span.holds is not None and span.breaks is not None:
        assert span.holds < span.breaks


def test_a_fail_counts_when_it_is_confirmed() -> None:
    """One hiccup does not end the ramp: a fleet that fails once and holds once is left open."""
    first = [Try(agents=100, status=Status.PASS), Try(agents=200, status=Status.FAIL)]
    again = next_try(first, PLAN)
    assert (200, "once more, to be sure that it breaks") == (again.agents, again.why)
    held = [*first, Try(agents=200, status=Status.PASS)]
    assert Status.INCONCLUSIVE is outcomes(held)[200]
    assert Next(agents=400, patience=1.0, why="ramp") == next_try(held, PLAN)
    broke = [*first, Try(agents=200, status=Status.FAIL)]
    assert Bracket(holds=100, breaks=200, generator_limit=None) == bracket(broke)
    assert 141 == next_try(broke, PLAN).agents


def test_what_could_not_be_told_gets_twice_the_time_once() -> None:
    once = [Try(agents=100, status=Status.INCONCLUSIVE)]
    again = next_try(once, PLAN)
    assert (100, 2.0) == (again.agents, again.patience)
    assert 200 == next_try([*once, Try(agents=100, status=Status.INCONCLUSIVE)], PLAN).agents


def test_a_late_generator_bounds_the_search_and_not_the_target() -> None:
    tries, _ = search(PLAN, lambda agents: Status.PASS if agents < 900 else Status.INVALID)
    span = bracket(tries)
    assert span.breaks is None
    assert span.holds is not None
    assert span.generator_limit is not None
    assert span.holds < 900 <= span.generator_limit <= span.holds * 1.1


def test_a_target_that_serves_nobody() -> None:
    tries, end = search(PLAN, lambda _: Status.FAIL)
    assert Bracket(holds=None, breaks=1, generator_limit=None) == bracket(tries)
    assert (None, "not even one agent is served within the limits") == (end.agents, end.why)


def test_a_target_that_serves_everybody() -> None:
    tries, end = search(Plan(start=100, most=1000), lambda _: Status.PASS)
    assert [100, 200, 400, 800, 1000] == [one.agents for one in tries]
    assert "the largest fleet allowed, 1,000 agents, is reached" == end.why


def test_runs_are_counted() -> None:
    tries, end = search(Plan(start=1, most=20_000, most_steps=3), lambda _: Status.PASS)
    assert (3, "3 runs were made, which is all that was allowed") == (len(tries), end.why)


@pytest.mark.parametrize("low", [1, 2, 10, 999])
def test_a_fleet_that_holds_above_one_that_breaks_does_not_count(low: int) -> None:
    tries = [Try(agents=low, status=Status.PASS), Try(agents=low + 10, status=Status.PASS)]
    tries += [Try(agents=low + 5, status=Status.FAIL)] * 2
    assert Bracket(holds=low, breaks=low + 5, generator_limit=None) == bracket(tries)


def test_no_tries() -> None:
    assert Bracket(holds=None, breaks=None, generator_limit=None) == bracket([])
    assert {} == outcomes([])
