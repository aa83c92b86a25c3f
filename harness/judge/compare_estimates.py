"""
How far two groups of runs lie apart, and how surely: the arithmetic under `harness.judge.compare`.

Sources: prediction interval of a normal law, G. J. Hahn, "Factors for calculating two-sided prediction
intervals", Journal of the American Statistical Association 64 (1969). Ratio of two means: E. C. Fieller, Journal
of the Royal Statistical Society B 16 (1954). Control: prediction from a regression line, N. R. Draper, H. Smith,
"Applied Regression Analysis" (1998), section 1.4.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.judge.intervals import lower_bound
from harness.student import t_quantile

_POWER = 0.8

_MOST_EVENTS = 10_000
"""More than so many tell no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """
    What a comparison of two groups comes to, on the scale it is done on.

    Args:
        shift: new level − old level.
        error: its standard error.
        spread: standard deviation of a single run.
        degrees: of freedom of `spread`.
        moved: how far the control moved the expectation.
    """

    shift: float
    error: float
    spread: float
    degrees: int
    moved: float = 0.0


@lru_cache(maxsize=256)
def detectable_errors(degrees: int, confidence: float, power: float = _POWER) -> float:
    """
    Return how many standard errors wide a change has to be to be seen with a given power.

    Args:
        degrees: of freedom of the standard error, ≥ 1.
        confidence: of the one-sided test.
        power: chance to see it.

    Returns:
        The non-centrality δ at which Student's t exceeds its quantile with probability `power`. The non-central
        law is the normal one averaged over the chi law of the error (Abramowitz, Stegun, 26.7.9).
    """
    critical = t_quantile(confidence, degrees)
    # The chi law's density over s, the estimated error by the true one, on a grid that holds all but 1e-9 of it.
    half_width = 7 / math.sqrt(2 * degrees)
    steps = [max(1e-6, 1 - half_width) + i * (2 * half_width + 0.5) / 400 for i in range(401)]
    logs = [(degrees - 1) * math.log(s) - degrees * s * s / 2 for s in steps]
    weights = [math.exp(value - max(logs)) for value in logs]
    total = math.fsum(weights)

    def reached(delta: float) -> float:
        return (
            math.fsum(w * _normal_cdf(delta - critical * s) for w, s in zip(weights, steps, strict=True)) / total
        )

    low, high = 0.0, 1.0
    while reached(high) < power:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) < power else (low, middle)
    return (low + high) / 2


def plain(old: Sequence[float], new: Sequence[float]) -> Estimate:
    """
    Compare two groups by their means, the spread of both pooled.

    Args:
        old: values of the baseline's runs; together with `new` three or more.
        new: values of the contenders, one or more.
    """
    n_old, n_new = len(old), len(new)
    old_mean, new_mean = math.fsum(old) / n_old, math.fsum(new) / n_new
    squares = math.fsum((v - old_mean) ** 2 for v in old) + math.fsum((v - new_mean) ** 2 for v in new)
    degrees = n_old + n_new - 2
    spread = math.sqrt(squares / degrees)
    return Estimate(
        shift=new_mean - old_mean,
        error=spread * math.sqrt(1 / n_old + 1 / n_new),
        spread=spread,
        degrees=degrees,
    )


def controlled(
    old: Sequence[float], new: Sequence[float], old_control: Sequence[float], new_control: Sequence[float]
) -> Estimate:
    """
    Compare with what a control lets expect: a line through the baseline, and its error where the control is now.

    Args:
        old: values of the baseline's runs, three or more.
        new: values of the contenders, one or more.
        old_control: the control in each run of the baseline.
        new_control: the control with each contender.
    """
    x_old, x_new = old_control, new_control
    n_old, n_new = len(old), len(new)
    x_mean, y_mean = math.fsum(x_old) / n_old, math.fsum(old) / n_old
    x_now, y_now = math.fsum(x_new) / n_new, math.fsum(new) / n_new
    width = math.fsum((x - x_mean) ** 2 for x in x_old)
    if width <= 1e-24 * n_old:
        # A control that never moved tells nothing.
        return plain(old, new)
    slope = math.fsum((x - x_mean) * (y - y_mean) for x, y in zip(x_old, old, strict=True)) / width
    squares = math.fsum((y - y_mean - slope * (x - x_mean)) ** 2 for x, y in zip(x_old, old, strict=True))
    if squares <= 1e-24 * n_old:
        # Nor does one that is the figure itself in other words: beside it there is no error to measure with.
        return plain(old, new)
    spread = math.sqrt(squares / (n_old - 2))
    moved = slope * (x_now - x_mean)
    return Estimate(
        shift=y_now - y_mean - moved,
        error=spread * math.sqrt(1 / n_old + 1 / n_new + (x_now - x_mean) ** 2 / width),
        spread=spread,
        degrees=n_old - 2,
        moved=moved,
    )


def ratio_bounds(
    old: Sequence[float], new: Sequence[float], *, margins: tuple[float, float, float], confidence: float
) -> tuple[float | None, float | None]:
    """
    Bound new / old − 1 for two means of values that may be 0.

    Args:
        old: values of the baseline, one or more.
        new: values of the contender, one or more.
        margins: t² times the variance of the old mean, the covariance of both, the variance of the new mean.
        confidence: of each end.

    Returns:
        The ratios at which the t-test of new − ratio · old turns, so that one outside is one that it rejects. None
        for an end that the data don't bound: where the old mean may as well be 0, no ratio is too large, and those
        are too small that would leave the new mean near 0 too.
    """
    old_mean, new_mean = math.fsum(old) / len(old), math.fsum(new) / len(new)
    first = old_mean * old_mean - margins[0]
    middle = old_mean * new_mean - margins[1]
    last = new_mean * new_mean - margins[2]
    least = min(*old, *new)
    root = math.sqrt(max(0.0, middle * middle - first * last))
    low = high = None
    if first > 0 and old_mean > 0:
        low, high = (middle - root) / first - 1, (middle + root) / first - 1
    elif least >= 0 and last > 0 and middle + root > 0:
        low = last / (middle + root) - 1
    if low is not None and least >= 0 and (high is None or min(old) == 0):
        low = min(low, _least_by_counts(old, new, confidence))
    return low, high


def _least_by_counts(old: Sequence[float], new: Sequence[float], confidence: float) -> float:
    """
    Return the least new / old − 1 if the values come from few events, as one error in three hundred polls does.

    Their law is too skewed for Student's t: one error, where one of thirty runs had one, would be beyond any
    limit. The smallest value is taken for one event, which is too careful where it was several. The contender's
    events among all are then binomial.
    """
    sums = math.fsum(old), math.fsum(new)
    event = max(min(value for value in (*old, *new) if value > 0), math.fsum(sums) / _MOST_EVENTS)
    of_old, of_new = (total / event for total in sums)
    share = lower_bound(of_new, of_old + of_new, confidence=confidence)
    return share / (1 - share) * len(old) / len(new) - 1


def _normal_cdf(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2
