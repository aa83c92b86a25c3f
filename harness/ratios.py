"""
The median of paired ratios, its interval, and a gate on it: for timings on machines that others use as well. Pure.

Two things are timed in one round, one right after the other, so that whatever else the machine does in that moment
falls on both. Only the ratio within a round is used.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model import Finding, Gate, Interval, Status

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class MedianRatio:
    """
    A ratio over several rounds.

    Args:
        value: median over the rounds.
        interval: confidence interval of the median; open on both sides with fewer than six rounds.
        rounds: how many there were.
    """

    value: float
    interval: Interval
    rounds: int


def median_ratio(ratios: Sequence[float]) -> MedianRatio:
    """
    Sum up the ratios of several rounds.

    Args:
        ratios: one a round, in any order, > 0.

    Raises:
        ValueError: no ratio, or one that is not above 0.

    Source: the interval of a median from order statistics, David & Nagaraja, Order Statistics (2003), section 7.1.
    """
    if not ratios or min(ratios) <= 0:
        raise ValueError("ratios: need one or more, each above 0")
    ordered = sorted(ratios)
    return MedianRatio(value=statistics.median(ordered), interval=_median_interval(ordered), rounds=len(ordered))


def judge_ratio(ratio: MedianRatio, gate: Gate, *, subject: str, remedies: Mapping[Status, str | None]) -> Finding:
    """
    Judge a ratio: PASS when all of its interval is within the limit, FAIL when all of it is beyond.

    Args:
        ratio: over the rounds.
        gate: its limit is the largest ratio that is allowed.
        subject: what was divided by what, for the reason.
        remedies: for each status that has one.
    """
    low, high = ratio.interval.low, ratio.interval.high
    status = Status.INCONCLUSIVE
    if high is not None and high <= gate.limit:
        status = Status.PASS
    elif low is not None and low > gate.limit:
        status = Status.FAIL
    spread = "unbounded" if low is None or high is None else f"{low:.3g} to {high:.3g}"
    return Finding(
        gate=gate,
        status=status,
        measured=ratio.value,
        interval=ratio.interval,
        n=ratio.rounds,
        effective_n=float(ratio.rounds),
        exceedances=None,
        reason=f"{subject}: {ratio.value:.3g} times, interval {spread}, limit {gate.limit:g}",
        remedy=remedies.get(status),
    )


def _median_interval(ordered: Sequence[float]) -> Interval:
    """Return the narrowest symmetric interval of order statistics that holds the median often enough."""
    n = len(ordered)
    # P(fewer than k of n values lie below the median), summed up from both ends.
    outside = 0.0
    cut = 0
    for k in range(n // 2):
        outside += 2 * math.comb(n, k) * 0.5**n
        if outside > 1 - CONFIDENCE:
            break
        cut = k + 1
    if cut == 0:
        return Interval(low=None, high=None)
    return Interval(low=ordered[cut - 1], high=ordered[n - cut])
