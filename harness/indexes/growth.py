"""
How a query's time grows with its table: a power law fitted to interleaved rounds, and a gate on it. Pure.

In each round the query is timed once at every size, so that whatever else the machine does in that moment falls on
all sizes alike; only what the round's own times say of each other is used.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from harness.model import Direction, Finding, Gate, Interval, Status
from harness.ratios import CONFIDENCE, MedianRatio, judge_ratio, median_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """
    What a query's time does while its table grows.

    Args:
        exponent: b of time = a · size^b, the median over the rounds: 0 is flat, 1 a full scan.
        ratio: time at the largest size over time at the smallest, the median over the rounds.
        interval: confidence interval of `ratio`; open upwards with fewer than six rounds, downwards too.
        rounds: how many there were.
    """

    exponent: float
    ratio: float
    interval: Interval
    rounds: int


def fit_growth(sizes: Sequence[int], rounds: Sequence[Sequence[float]]) -> Growth:
    """
    Fit the growth.

    Args:
        sizes: rows of the tables, ascending, at least two.
        rounds: of each round the time at each size [s], > 0; at least one round.

    Raises:
        ValueError: too few sizes or rounds, a round of another length, or a time that is not above 0.
    """
    if len(sizes) < 2 or list(sizes) != sorted(set(sizes)) or sizes[0] < 1:
        raise ValueError(f"sizes: need two or more, ascending, got {list(sizes)}")
    if not rounds or any(len(one) != len(sizes) or min(one) <= 0 for one in rounds):
        raise ValueError("rounds: need one or more, each with a time above 0 for every size")
    ratio = median_ratio([one[-1] / one[0] for one in rounds])
    logarithms = [math.log(size) for size in sizes]
    slopes = [
        statistics.linear_regression(logarithms, [math.log(time_s) for time_s in one]).slope for one in rounds
    ]
    return Growth(
        exponent=statistics.median(slopes),
        ratio=ratio.value,
        interval=ratio.interval,
        rounds=ratio.rounds,
    )


def growth_gate(index: str, *, limit: float = 1.5) -> Gate:
    """
    Return the gate that a query's time stays flat.

    Args:
        index: that serves the query.
        limit: time at the largest size over time at the smallest, at most.
    """
    return Gate(
        name="growth",
        metric="query_time_growth",
        subject=index,
        limit=limit,
        unit="ratio",
        direction=Direction.BELOW,
        quantile=0.5,
        confidence=CONFIDENCE,
    )


def judge_growth(growth: Growth, gate: Gate) -> Finding:
    """
    Judge a growth: PASS when all of its interval is within the limit, FAIL when all of it is beyond.

    Args:
        growth: of the query.
        gate: from `growth_gate`.
    """
    return judge_ratio(
        MedianRatio(value=growth.ratio, interval=growth.interval, rounds=growth.rounds),
        gate,
        subject="largest over smallest table",
        remedies={
            Status.FAIL: f"the query's plan: is {gate.subject} there, and entered?",
            Status.INCONCLUSIVE: "more rounds, or a quieter machine",
        },
    )
