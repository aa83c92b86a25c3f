"""
Is something growing? Drift of a series told from noise: leaks of memory and connections, slow decay of times.

The test is Mann and Kendall's, which asks only how often a later value is the larger one: a single burst does not
move it, and it needs no straight line. How fast is Theil and Sen's slope, the median over all pairs. Neighbours
that resemble each other make any such test see drift in noise, so its variance is widened by the series' own
autocorrelation, after Hamed and Rao, and after Yue and Wang.

Sources: Mann, "Nonparametric tests against trend", 1945; Kendall, "Rank correlation methods", 1975; Theil, "A
rank-invariant method of linear and polynomial regression analysis", 1950; Sen, "Estimates of the regression
coefficient based on Kendall's tau", 1968 (the slope's interval too); Hamed and Rao, "A modified Mann-Kendall trend
test for autocorrelated data", 1998; Yue and Wang, "The Mann-Kendall test modified by effective sample size", 2004.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEAST_POINTS = 10
"""Fewer points make no drift, however they lie."""

MOST_POINTS = 1000
"""Longer series are thinned: the test compares every pair."""

ALPHA = 0.001
"""Chance of calling noise a drift. A soak watches several series, and nobody looks again."""

CONFIDENCE = 0.95
"""
Of each end of the interval for the change by itself, as of the gates. Simulated over 120 slices: 0.95 to 0.96
where slices know nothing of each other, 0.92 to 0.94 where each remembers 0.5 to 0.8 of the one before.
"""

_SPANS = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    What became of a series.

    Args:
        n: how many points were compared.
        slope_per_s: Theil and Sen's slope, in the series' unit a second; None below `LEAST_POINTS`.
        p: chance that noise of this kind looks so, two-sided; None below `LEAST_POINTS`.
        change: slope × length, in the series' unit; None below `LEAST_POINTS`.
        change_low, change_high: ends of the interval of `change`, each right in `CONFIDENCE` of cases; None below
            `LEAST_POINTS`.
        median: of the series; None below `LEAST_POINTS`.
        change_ratio: the change relative to the median; None where that is 0, or nothing was compared.
        drifts: whether it surely goes somewhere, and by enough to matter.
    """

    n: int
    slope_per_s: float | None
    p: float | None
    change: float | None
    change_low: float | None
    change_high: float | None
    median: float | None
    change_ratio: float | None
    drifts: bool


def drift_of(times_s: Sequence[float], values: Sequence[float], *, least_ratio: float) -> Drift:
    """
    Judge a series.

    Args:
        times_s: rising.
        values: of the same length, finite.
        least_ratio: smallest change over the run that matters, relative to the series' median [> 0].

    Returns:
        The drift; for a series too short, one that says nothing.
    """
    times, series = _thinned(np.asarray(times_s, np.float64), np.asarray(values, np.float64))
    n = len(series)
    if n < LEAST_POINTS:
        return Drift(
            n=n,
            slope_per_s=None,
            p=None,
            change=None,
            change_low=None,
            change_high=None,
            median=None,
            change_ratio=None,
            drifts=False,
        )
    slopes_per_s = _pair_slopes(times, series)
    slope_per_s = float(np.median(slopes_per_s))
    variance = _score_variance(times, series, slope_per_s)
    p = _two_sided_p(series, variance)
    low_per_s, high_per_s = _slope_interval(slopes_per_s, variance)
    length_s = float(times[-1] - times[0])
    change = slope_per_s * length_s
    # A line climbs by hardly more than its points span; a quarter more allows for noise at their ends. It tells
    # where the interval can't: what stands still but for a step or two has steep slopes between neighbours.
    most = _SPANS * float(np.ptp(series))
    median = float(np.median(series))
    change_ratio = change / abs(median) if median else None
    matters = change != 0.0 if change_ratio is None else abs(change_ratio) >= least_ratio
    return Drift(
        n=n,
        slope_per_s=slope_per_s,
        p=p,
        change=change,
        change_low=max(low_per_s * length_s, -most),
        change_high=min(high_per_s * length_s, most),
        median=median,
        change_ratio=change_ratio,
        drifts=p < ALPHA and matters,
    )


def theil_sen(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """
    Return the median of the slopes between all pairs.

    Args:
        times_s: rising, n ≥ 2.
        values: of the same length.
    """
    return float(np.median(_pair_slopes(times_s, values)))


def mann_kendall(times_s: NDArray[np.float64], values: NDArray[np.float64], slope_per_s: float) -> float:
    """
    Return the two-sided p of "no monotone trend", its variance widened for autocorrelation.

    Args:
        times_s: rising, n ≥ 4.
        values: of the same length.
        slope_per_s: of the series; the autocorrelation is that of what remains without it.
    """
    return _two_sided_p(values, _score_variance(times_s, values, slope_per_s))


def _pair_slopes(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    later, earlier = np.tril_indices(len(values), -1)
    slopes: NDArray[np.float64] = (values[later] - values[earlier]) / (times_s[later] - times_s[earlier])
    return slopes


def _score_variance(times_s: NDArray[np.float64], values: NDArray[np.float64], slope_per_s: float) -> float:
    """Return the variance of Kendall's score, ties and autocorrelation allowed for."""
    n = len(values)
    _, ties = np.unique(values, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18.0
    return variance * _widening(values - slope_per_s * times_s, values)


def _two_sided_p(values: NDArray[np.float64], variance: float) -> float:
    later, earlier = np.tril_indices(len(values), -1)
    score = float(np.sign(values[later] - values[earlier]).sum())
    if score == 0 or variance <= 0:
        return 1.0
    # One step towards zero: the score moves in steps of two, the normal distribution does not.
    z = (abs(score) - 1.0) / math.sqrt(variance)
    return 2.0 * NormalDist().cdf(-z)


def _slope_interval(slopes_per_s: NDArray[np.float64], variance: float) -> tuple[float, float]:
    """Return the slopes between which the true one lies (Sen, 1968); each end holds in `CONFIDENCE` of cases."""
    ordered = np.sort(slopes_per_s)
    count = len(ordered)
    width = NormalDist().inv_cdf(CONFIDENCE) * math.sqrt(max(0.0, variance))
    low, high = math.floor((count - width) / 2) - 1, math.ceil((count + width) / 2)
    return float(ordered[max(0, low)]), float(ordered[min(count - 1, high)])


def _widening(rest: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """
    Return by how much autocorrelation widens the score's variance, ≥ 1.

    The larger of two: from all lags that are surely not 0 (Hamed and Rao, eq. 11), and from the first one as of a
    process that remembers one step (Yue and Wang, eq. 8), which sees long memory in short series better.
    """
    n = len(rest)
    rest = rest - rest.mean()
    # A straight line leaves nothing but the rounding of its own values.
    if float(np.abs(rest).max()) <= 1e-9 * max(1e-300, float(np.abs(values).max())):
        return 1.0
    ranks = np.argsort(np.argsort(rest)).astype(np.float64)
    ranks -= ranks.mean()
    power = float(ranks @ ranks)
    sure = NormalDist().inv_cdf(0.975) / math.sqrt(n)
    # Long lags rest on few pairs each; together they would drown what the short ones say.
    r = [float(ranks[:-lag] @ ranks[lag:]) / power for lag in range(1, n // 4 + 1)]
    total = sum(
        (n - lag) * (n - lag - 1) * (n - lag - 2) * r[lag - 1]
        for lag in range(1, len(r) + 1)
        if abs(r[lag - 1]) > sure
    )
    # Estimated from n values it comes out too low by about (1 + 3 r) / n (Kendall, 1954).
    first = min(0.99, r[0] + (1.0 + 3.0 * r[0]) / n) if r[0] > sure else 0.0
    return max(1.0, 1.0 + 2.0 / (n * (n - 1) * (n - 2)) * total, (1.0 + first) / (1.0 - first))


def _thinned(
    times_s: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Replace neighbours by their medians, so that no more than `MOST_POINTS` are left."""
    step = -(-len(values) // MOST_POINTS)
    if step <= 1:
        return times_s, values
    whole = len(values) // step * step
    return (
        np.median(times_s[:whole].reshape(-1, step), axis=1),
        np.median(values[:whole].reshape(-1, step), axis=1),
    )
