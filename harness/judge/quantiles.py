"""Quantiles by nearest rank, and how far the data pin them down without assuming any distribution."""

from collections.abc import Callable, Sequence

import numpy as np

from harness.columns import Floats
from harness.judge.always import always_beyond, always_within
from harness.judge.intervals import shows_beyond, shows_within
from harness.model import Interval, Quantiles
from monitoring.histogram import nearest_rank


def quantile(values: Floats, q: float) -> float:
    """
    Return the nearest-rank quantile: a value that was observed, never one in between.

    Args:
        values: shape (n,), n ≥ 1, in any order; infinite for a failure.
        q: in (0, 1].

    Raises:
        ValueError: no values, or `q` outside (0, 1].
    """
    return quantiles(values, (q,))[0]


def quantiles(values: Floats, qs: Sequence[float]) -> tuple[float, ...]:
    """
    Return several quantiles, each as `quantile` does, in little more time than one.

    Args:
        values: shape (n,), n ≥ 1, in any order; infinite for a failure.
        qs: each in (0, 1], at least one.

    Raises:
        ValueError: no values, or one of `qs` outside (0, 1].
    """
    for q in qs:
        if not 0.0 < q <= 1.0:
            raise ValueError(f"quantile: out of range, got {q}, need 0 < q <= 1")
    if len(values) == 0:
        raise ValueError("quantile: of no values")
    ranks = [nearest_rank(q, len(values)) - 1 for q in qs]
    ordered = np.partition(values, sorted(set(ranks)))
    return tuple(float(ordered[rank]) for rank in ranks)


def quantiles_of(values: Floats) -> Quantiles:
    """
    Return a distribution in a few numbers.

    Args:
        values: shape (n,), in any order [s]; infinite for a failure.

    Returns:
        Nearest-rank quantiles over all values; the mean over the finite ones. All None for no values.
    """
    if len(values) == 0:
        return Quantiles(n=0, mean=None, p50=None, p95=None, p99=None, max=None)
    finite = values[np.isfinite(values)]
    p50, p95, p99, largest = quantiles(values, (0.50, 0.95, 0.99, 1.0))
    return Quantiles(
        n=len(values),
        mean=float(finite.mean()) if len(finite) else None,
        p50=p50,
        p95=p95,
        p99=p99,
        max=largest,
    )


def quantile_interval(
    values: Floats,
    q: float,
    *,
    confidence: float,
    tau: float = 1.0,
    failing_confidence: float | None = None,
    always_valid: bool = False,
) -> Interval:
    """
    Bound a quantile of the distribution behind the values by two of the values.

    The upper end is the smallest value v for which "at most 1 − q lie above v" is shown, the lower end the largest
    for which "more than 1 − q reach v" is. So a gate ``quantile < limit`` passes exactly when the upper end is
    below its limit, and fails exactly when the lower end is not.

    Args:
        values: shape (n,), in any order; infinite for a failure.
        q: in (0, 1).
        confidence: of each end by itself, 0.5..1.
        tau: integrated autocorrelation time of the values, ≥ 1.
        failing_confidence: of the lower end; None for the same.
        always_valid: whether the ends have to hold however often one looks.

    Returns:
        The ends; None where the values are too few to bound it, or only failures would.

    Source: W. J. Conover, "Practical Nonparametric Statistics" (1999), section 3.2, with the binomial law written
    as Clopper–Pearson bounds so that an effective number of values can stand in for n.
    """
    n = len(values)
    allowed = round(1 - q, 12)

    show_within, show_beyond = (always_within, always_beyond) if always_valid else (shows_within, shows_beyond)

    def within(rank: int) -> bool:
        return show_within((n - rank) / tau, n / tau, allowed_ratio=allowed, confidence=confidence)

    def beyond(rank: int) -> bool:
        sure = failing_confidence or confidence
        return show_beyond((n - rank + 1) / tau, n / tau, allowed_ratio=allowed, confidence=sure)

    high_rank = _first_true(within, 1, n)
    not_beyond = _first_true(lambda rank: not beyond(rank), 1, n)
    low_rank = (n if not_beyond is None else not_beyond - 1) or None
    ranks = sorted({rank - 1 for rank in (low_rank, high_rank) if rank is not None})
    if not ranks:
        return Interval(low=None, high=None)
    ordered = np.partition(values, ranks)
    low = None if low_rank is None else float(ordered[low_rank - 1])
    high = None if high_rank is None else float(ordered[high_rank - 1])
    return Interval(low=low, high=None if high == np.inf else high)


def _first_true(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the least number in low..high for which a condition holds that, once true, stays true."""
    if high < low or not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return high
