"""The rounds of an A/B job: their order, their looks, when to stop. Knows nothing of how a leg is measured."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.comparison.figures import Key, figure_of, value_of
from harness.errors import HarnessError, UsageError, explain
from harness.history.series_names import matches, without_match
from harness.history_model import Comparison, HistoryRecord
from harness.judge.compare_pairs import compare_pairs, looks
from harness.judge.compare_rule import Figure
from harness.judge.gates import overall
from harness.model import Status

_MOST_FAULTS = 3
"""So many rounds in a row that could not be measured, and the job is given up."""


class Which(StrEnum):
    """One of the two sides."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    How to compare.

    Args:
        least_rounds: before the first look, ≥ 4.
        most_rounds: at all, ≥ `least_rounds`.
        limit_ratio: largest change for the worse, from A to B, that is allowed.
        confidence: of PASS and of FAIL each, over all looks.
        metrics: patterns with ``*`` for the metrics that decide.
        seed: of the order within the rounds.
    """

    least_rounds: int
    most_rounds: int
    limit_ratio: float
    confidence: float
    metrics: tuple[str, ...]
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """
    One round: a leg of each side, shortly after one another.

    Args:
        number: from 1.
        first: which side went first.
        a: what A's leg measured; None when it could not be measured.
        b: what B's leg measured.
        fault: why the round does not count; None when it does.
    """

    number: int
    first: Which
    a: HistoryRecord | None
    b: HistoryRecord | None
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """
    All rounds, and what they come to.

    Args:
        rounds: in order, those that do not count included.
        comparisons: one a figure, A being the baseline.
        status: the worst of them; INCONCLUSIVE when nothing was compared.
        stopped: why there were no more rounds.
    """

    rounds: tuple[Round, ...]
    comparisons: tuple[Comparison, ...]
    status: Status
    stopped: str


Leg = Callable[[Which, int], HistoryRecord]
"""
Measures one leg: the side, the round's number. Raises `HarnessError` when it can't, `KeyboardInterrupt` when the
user asked to stop.
"""


def run_rounds(plan: Plan, leg: Leg, tell: Callable[[str], None]) -> Measured:
    """
    Measure round by round, until every figure is clear or the rounds are used up.

    Args:
        plan: how.
        leg: measures one leg.
        tell: gets a sentence before each round.

    Raises:
        UsageError: a pattern of metrics fits none that the first round measured.
        HarnessError: the first round, or three in a row, could not be measured; the last one's fault.
    """
    order = orders(plan.seed, plan.most_rounds)
    at = looks(plan.least_rounds, plan.most_rounds)
    rounds: list[Round] = []
    faults = 0
    comparisons: tuple[Comparison, ...] = ()
    stopped = f"all {plan.most_rounds} rounds were used"
    for number, first in enumerate(order, start=1):
        tell(_announced(number, first, plan, comparisons))
        try:
            measured = _measure(number, first, leg)
        except KeyboardInterrupt:
            stopped = f"interrupted in round {number}"
            break
        except HarnessError as fault:
            faults += 1
            # Before anything was measured, nothing speaks for a passing fault.
            if faults == _MOST_FAULTS or not rounds:
                raise
            measured = Round(number=number, first=first, a=None, b=None, fault=str(fault))
        else:
            faults = 0
            if not rounds:
                _check_metrics(measured, plan)
        rounds.append(measured)
        if number in at:
            comparisons = compare_rounds(rounds, plan)
            if comparisons and all(c.status is not Status.INCONCLUSIVE for c in comparisons):
                stopped = f"every figure was clear after {number} rounds"
                break
    comparisons = compare_rounds(rounds, plan)
    return Measured(
        rounds=tuple(rounds),
        comparisons=comparisons,
        status=overall([comparison.status for comparison in comparisons]),
        stopped=stopped,
    )


def orders(seed: int, rounds: int) -> tuple[Which, ...]:
    """
    Return which side goes first in each round: by chance, and as often A as B in every two rounds.

    A machine that warms up or slows down over the job then favours neither.
    """
    rng = random.Random(seed)  # noqa: S311  # an order, not a secret
    found: list[Which] = []
    while len(found) < rounds:
        pair = [Which.A, Which.B]
        rng.shuffle(pair)
        found += pair
    return tuple(found[:rounds])


def compare_rounds(rounds: Sequence[Round], plan: Plan) -> tuple[Comparison, ...]:
    """Compare each figure that both sides told, over the rounds that count."""
    whole = [(r.a, r.b) for r in rounds if r.fault is None and r.a is not None and r.b is not None]
    n_looks = len(looks(plan.least_rounds, plan.most_rounds))
    return tuple(
        compare_pairs(
            [(value_of(a, key), value_of(b, key)) for a, b in whole],
            figure=figure,
            limit_ratio=plan.limit_ratio,
            confidence=plan.confidence,
            n_looks=n_looks,
        )
        for key, figure in _figures([a for a, _ in whole], plan.metrics).items()
    )


def _check_metrics(measured: Round, plan: Plan) -> None:
    told = (record.metrics for record in (measured.a, measured.b) if record is not None)
    names = {metric.metric for metrics in told for metric in metrics}
    for pattern, why in without_match(plan.metrics, names).items():
        raise UsageError(explain("metric", pattern, fault=why))


def _figures(records: Sequence[HistoryRecord], wanted: Sequence[str]) -> Mapping[Key, Figure]:
    return {
        (metric.subject, metric.metric, metric.quantile): figure_of(metric)
        for record in records
        for metric in record.metrics
        if matches(metric.metric, wanted)
    }


def _measure(number: int, first: Which, leg: Leg) -> Round:
    second = Which.B if first is Which.A else Which.A
    legs = {which: leg(which, number) for which in (first, second)}
    faults = [
        f"the load generator was at fault in {which.upper()}'s leg"
        for which in Which
        if legs[which].status is Status.INVALID
    ]
    return Round(number=number, first=first, a=legs[Which.A], b=legs[Which.B], fault=faults[0] if faults else None)


def _announced(number: int, first: Which, plan: Plan, comparisons: Sequence[Comparison]) -> str:
    open_ones = sum(c.status is Status.INCONCLUSIVE for c in comparisons)
    so_far = f"; {open_ones} of {len(comparisons)} figures still open" if comparisons else ""
    then = Which.B if first is Which.A else Which.A
    of = f"{plan.least_rounds} to {plan.most_rounds}"
    return f"round {number} of {of}: {first.upper()}, then {then.upper()}{so_far}"
