"""
Which fleet to try next, and what the tries so far say: a coarse ramp, then bisection by verdicts. Pure.

A fleet holds when its run's verdict is PASS and breaks when it is FAIL twice: one hiccup of a shared machine must
not end a search. What is neither (too few polls, two tries that disagree, a late generator) says nothing, and the
search goes on around it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model import Status

MOST_TRIES = 2
"""Runs of one fleet: a second one confirms a FAIL, or is given twice the time where the first could not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How to search.

    Args:
        start: first fleet, ≥ 1.
        most: largest fleet that is tried.
        precision_ratio: the bracket is narrow enough when its upper end is above its lower by no more than this.
        most_steps: runs at most.
        growth: from one fleet of the ramp to the next, > 1.
    """

    start: int
    most: int
    precision_ratio: float = 0.10
    most_steps: int = 20
    growth: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """
    One run of the search.

    Args:
        agents: size of the fleet.
        status: its verdict.
    """

    agents: int
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """
    What to do next.

    Args:
        agents: fleet to try; None when the search is over.
        patience: how much longer than usual the run should be; 1 for as usual.
        why: in a few words, for progress, or why it is over.
    """

    agents: int | None
    patience: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """
    What the tries say.

    Args:
        holds: the largest fleet that held, below every fleet that broke; None for none.
        breaks: the smallest fleet that broke; None for none.
        generator_limit: the smallest fleet above `holds` that the generator could not judge; None for none.
    """

    holds: int | None
    breaks: int | None
    generator_limit: int | None


def outcomes(tries: Sequence[Try]) -> dict[int, Status]:
    """
    Return what each fleet that was tried came to.

    A FAIL alone is INCONCLUSIVE until it is confirmed; of two different verdicts that tell, neither does.
    """
    by_fleet: dict[int, list[Status]] = {}
    for one in tries:
        by_fleet.setdefault(one.agents, []).append(one.status)
    return {agents: _outcome(statuses) for agents, statuses in by_fleet.items()}


def bracket(tries: Sequence[Try]) -> Bracket:
    """Return the bracket around the capacity."""
    found = outcomes(tries)
    breaks = min((agents for agents, status in found.items() if status is Status.FAIL), default=None)
    holding = (
        agents for agents, status in found.items() if status is Status.PASS and (breaks is None or agents < breaks)
    )
    holds = max(holding, default=None)
    limits = (
        agents
        for agents, status in found.items()
        if status is Status.INVALID and agents > (holds or 0) and (breaks is None or agents < breaks)
    )
    return Bracket(holds=holds, breaks=breaks, generator_limit=min(limits, default=None))


def next_try(tries: Sequence[Try], plan: Plan) -> Next:
    """
    Say what to do next.

    Args:
        tries: the runs so far, in their order.
        plan: how to search.
    """
    if len(tries) >= plan.most_steps:
        return Next(
            agents=None, patience=1.0, why=f"{plan.most_steps} runs were made, which is all that was allowed"
        )
    again = _again(tries)
    if again is not None:
        return again
    found, span = outcomes(tries), bracket(tries)
    if span.breaks is None and span.generator_limit is None:
        return _ramp_up(found, plan)
    if span.holds is None:
        return _ramp_down(found)
    return _narrow(found, span, plan)


def _outcome(statuses: Sequence[Status]) -> Status:
    told = {status for status in statuses if status in {Status.PASS, Status.FAIL}}
    if told == {Status.PASS}:
        return Status.PASS
    if told == {Status.FAIL}:
        return Status.FAIL if statuses.count(Status.FAIL) >= MOST_TRIES else Status.INCONCLUSIVE
    return Status.INVALID if not told and Status.INVALID in statuses else Status.INCONCLUSIVE


def _again(tries: Sequence[Try]) -> Next | None:
    """Return the second try that the last fleet needs, if it does."""
    if not tries:
        return None
    last = tries[-1]
    made = sum(one.agents == last.agents for one in tries)
    if made >= MOST_TRIES or last.status is Status.PASS:
        return None
    if last.status is Status.FAIL:
        return Next(agents=last.agents, patience=1.0, why="once more, to be sure that it breaks")
    return Next(agents=last.agents, patience=2.0, why="once more and for longer: it could not be told")


def _ramp_up(found: Mapping[int, Status], plan: Plan) -> Next:
    if not found:
        return Next(agents=min(plan.start, plan.most), patience=1.0, why="first fleet")
    largest = max(found)
    if largest >= plan.most:
        return Next(agents=None, patience=1.0, why=f"the largest fleet allowed, {plan.most:,} agents, is reached")
    grown = max(largest + 1, round(largest * plan.growth))
    return Next(agents=min(grown, plan.most), patience=1.0, why="ramp")


def _ramp_down(found: Mapping[int, Status]) -> Next:
    smallest = min(found)
    if smallest == 1:
        return Next(agents=None, patience=1.0, why="not even one agent is served within the limits")
    return Next(agents=max(1, smallest // 2), patience=1.0, why="smaller, until a fleet holds")


def _narrow(found: Mapping[int, Status], span: Bracket, plan: Plan) -> Next:
    """Bisect between what holds and what breaks, on a logarithmic scale, around what could not be told."""
    low = span.holds or 1
    high = span.breaks if span.breaks is not None else span.generator_limit or low
    if high <= low * (1 + plan.precision_ratio) or high - low <= 1:
        return Next(agents=None, patience=1.0, why="the bracket is narrow enough")
    marks = sorted({low, high, *(agents for agents in found if low < agents < high)})
    gaps = [
        (math.log(above / below), middle)
        for below, above in itertools.pairwise(marks)
        if above - below > 1
        and above > below * (1 + plan.precision_ratio)
        and (middle := _middle(below, above)) not in found
    ]
    if not gaps:
        return Next(agents=None, patience=1.0, why="the fleets in between could not be told")
    return Next(agents=max(gaps)[1], patience=1.0, why="bisection")


def _middle(low: int, high: int) -> int:
    return min(high - 1, max(low + 1, round(math.sqrt(low * high))))
