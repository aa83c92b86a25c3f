"""
Drift: a level that moves a little with every run.

Sources: H. B. Mann, Econometrica 13 (1945); M. G. Kendall, "Rank Correlation Methods" (1948); P. K. Sen, Journal
of the American Statistical Association 63 (1968).
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.columns import Floats


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
    """
    Fit a line that outliers do not turn, and test whether there is a trend at all.

    Args:
        values: n ≥ 3 finite ones, in order. n (n − 1) / 2 slopes are held at once: 16 MB for 2,000 values.
    """
    n = len(values)
    rows, columns = np.triu_indices(n, k=1)
    differences = values[columns] - values[rows]
    slopes = differences / (columns - rows)
    slope = float(np.median(slopes))
    signs = float(np.sign(differences).sum())
    deviation = math.sqrt(_variance(values))
    z = 0.0 if signs == 0 or deviation == 0 else (abs(signs) - 1) / deviation
    margin = round(1.959963984540054 * deviation)
    middle = len(slopes)
    low, high = max(0, (middle - margin) // 2), min(middle - 1, (middle + margin) // 2)
    ordered = np.partition(slopes, [low, high])
    return Drift(
        slope=slope,
        intercept=float(np.median(values - slope * np.arange(n))),
        low=float(ordered[low]),
        high=float(ordered[high]),
        p_value=math.erfc(z / math.sqrt(2)),
    )


def _variance(values: Floats) -> float:
    """Return the variance of Kendall's sum of signs under no trend, ties allowed for."""
    n = len(values)
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float(n * (n - 1) * (2 * n + 5) - (ties * (ties - 1) * (2 * ties + 5)).sum()) / 18
