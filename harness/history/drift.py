"""
Drift: a level that moves a little with every run.

Sources: H. B. Mann, Econometrica 13 (1945); M. G. Kendall, "Rank Correlation Methods" (1948); P. K. Sen, Journal
of the American Statistical Association 63 (1968).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.columns import Floats

NORMAL_975 = 1.959963984540054
"""Quantile of the normal law that 97.5 % lie below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """
    A monotone trend through a stretch of a series.

    Args:
        slope: by run, the median of the slopes between all pairs.
        intercept: value of the line at the stretch's first point.
        low: lower bound of the slope at 95 %.
        high: upper bound.
        p_value: two-sided, of Mann and Kendall's test.
    """

    slope: float
    intercept: float
    low: float
    high: float
    p_value: float

    def line(self, n: int, *, first: int = 0) -> Floats:
        """Return the values of the line at n points, the first of them so many after the stretch's own first."""
        return self.intercept + self.slope * np.arange(first, first + n, dtype=np.float64)


def fit_drift(values: Floats) -> Drift:
    """Fit one line; see `fit_drifts`."""
    return fit_drifts([values])[0]


def fit_drifts(parts: Sequence[Floats]) -> tuple[Drift, ...]:
    """
    Fit lines of one common slope that outliers do not turn, and test whether there is a trend at all.

    Args:
        parts: stretches that lie on levels of their own, at least one of them with 2 values or more, finite, in
            order. All slopes are held at once: 16 MB for a part of 2,000 values.

    Returns:
        One line a part, all with the same slope, bounds and p-value.
    """
    pairs = [np.triu_indices(len(part), k=1) for part in parts]
    differences = [part[later] - part[earlier] for part, (earlier, later) in zip(parts, pairs, strict=True)]
    slopes = np.concatenate(
        [gaps / (later - earlier) for gaps, (earlier, later) in zip(differences, pairs, strict=True)]
    )
    slope = float(np.median(slopes))
    signs = sum(float(np.sign(gaps).sum()) for gaps in differences)
    deviation = math.sqrt(sum(_variance(part) for part in parts))
    z = 0.0 if signs == 0 or deviation == 0 else (abs(signs) - 1) / deviation
    margin = round(NORMAL_975 * deviation)
    low, high = max(0, (len(slopes) - margin) // 2), min(len(slopes) - 1, (len(slopes) + margin) // 2)
    ordered = np.partition(slopes, [low, high])
    return tuple(
        Drift(
            slope=slope,
            intercept=float(np.median(part - slope * np.arange(len(part)))),
            low=float(ordered[low]),
            high=float(ordered[high]),
            p_value=math.erfc(z / math.sqrt(2)),
        )
        for part in parts
    )


def _variance(values: Floats) -> float:
    """Return the variance of Kendall's sum of signs under no trend, ties allowed for."""
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
