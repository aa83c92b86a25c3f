"""
Exact binomial bounds: what k exceedances among n polls say about the share that exceeds.

All bounds are one-sided Clopper–Pearson bounds at the given confidence. Counts may be real numbers, because n
correlated polls are worth fewer independent ones; the beta form of the bounds takes them as they are.

Source: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26 (1934). In beta form: L. D. Brown, T. T. Cai, A. DasGupta, "Interval estimation for a
binomial proportion", Statistical Science 16 (2001), section 4.2.1.
"""

import math
from collections.abc import Callable
from typing import Protocol

_TINY = 1e-300
_MOST_TERMS = 100_000
_MOST_POLLS = 10_000_000
"""Beyond this many polls (23 days of fifty agents at 10 s) no run is worth proposing."""


class Shows(Protocol):
    """Tells whether counts show something of the share that exceeds: `shows_within`, `shows_beyond`."""

    def __call__(self, exceedances: float, n: float, /, *, allowed_ratio: float, confidence: float) -> bool:
        """See `shows_within`."""
        ...


def upper_bound(exceedances: float, n: float, *, confidence: float) -> float:
    """
    Bound the share of exceedances from above.

    Args:
        exceedances: k, 0 ≤ k ≤ n; real when n is an effective number.
        n: polls, ≥ 0; 0 knows nothing and gives 1.
        confidence: 0.5..1, both ends excluded.

    Returns:
        The least p that the data exclude nothing below, 0..1.
    """
    _check(exceedances, n, confidence)
    if n == 0 or exceedances >= n:
        return 1.0
    return _beta_quantile(confidence, exceedances + 1, n - exceedances)


def lower_bound(exceedances: float, n: float, *, confidence: float) -> float:
    """Bound the share of exceedances from below; arguments as in `upper_bound`, n = 0 gives 0."""
    _check(exceedances, n, confidence)
    if exceedances == 0:
        return 0.0
    return _beta_quantile(1 - confidence, exceedances, n - exceedances + 1)


def shows_within(exceedances: float, n: float, *, allowed_ratio: float, confidence: float) -> bool:
    """
    Tell whether the data show that at most the allowed share exceeds: `upper_bound` ≤ `allowed_ratio`.

    Args:
        exceedances: k, 0 ≤ k ≤ n.
        n: polls, ≥ 0; none show nothing.
        allowed_ratio: share that may exceed, 0..1.
        confidence: 0.5..1, both ends excluded.
    """
    _check(exceedances, n, confidence)
    if n == 0 or exceedances >= n:
        return False
    return beta_cdf(allowed_ratio, exceedances + 1, n - exceedances) >= confidence


def shows_beyond(exceedances: float, n: float, *, allowed_ratio: float, confidence: float) -> bool:
    """Tell whether the data show that more than the allowed share exceeds: `lower_bound` > `allowed_ratio`."""
    _check(exceedances, n, confidence)
    if exceedances == 0:
        return False
    return beta_cdf(allowed_ratio, exceedances, n - exceedances + 1) < 1 - confidence


def smallest_n(
    exceedances: int, *, allowed_ratio: float, confidence: float, within: Shows | None = None
) -> int | None:
    """
    Return how many independent polls pass with this many exceedances among them.

    Args:
        exceedances: k ≥ 0.
        allowed_ratio: share that may exceed, 0..1.
        confidence: 0.5..1, both ends excluded.
        within: what shows that a share is kept; None is `shows_within`.

    Returns:
        The smallest n for which `within` holds; None when it takes more than ten million.
    """
    shows: Shows = within or shows_within

    def enough(n: int) -> bool:
        return shows(exceedances, n, allowed_ratio=allowed_ratio, confidence=confidence)

    return _first(enough, above=exceedances)


def polls_to_settle(
    exceedances: int,
    n: int,
    *,
    allowed_ratio: float,
    confidence: float,
    tau: float = 1.0,
    within: Shows | None = None,
    beyond: Shows | None = None,
) -> int | None:
    """
    Return how many further polls would settle an open gate if the share of exceedances stayed as it is.

    Args:
        exceedances: k, 0 ≤ k ≤ n.
        n: polls so far, ≥ 0.
        allowed_ratio: share that may exceed, 0..1.
        confidence: 0.5..1, both ends excluded.
        tau: integrated autocorrelation time of the polls, ≥ 1.
        within: what shows that a share is kept; None is `shows_within`.
        beyond: what shows that it is not; None is `shows_beyond`.

    Returns:
        0 when it is settled already; None when the share lies so near the allowed one that ten million polls
        would not do.
    """
    ratio = exceedances / n if n else 0.0
    shows: Shows = (within or shows_within) if ratio < allowed_ratio else (beyond or shows_beyond)

    def settled(total: int) -> bool:
        worth = total / tau
        return shows(ratio * worth, worth, allowed_ratio=allowed_ratio, confidence=confidence)

    total = n if settled(n) else _first(settled, above=n)
    return None if total is None else total - n


def beta_cdf(x: float, a: float, b: float) -> float:
    """
    Return the regularised incomplete beta function I_x(a, b).

    Args:
        x: any number; outside 0..1 the answer is 0 or 1.
        a: > 0.
        b: > 0.

    Source: the continued fraction 26.5.8 of M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions",
    evaluated by W. J. Lentz' method, Applied Optics 15 (1976).
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # The fraction converges fast on one side of the mean only; the other side is its mirror image.
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_front) * _continued_fraction(x, a, b) / a


def _continued_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / _nonzero(1.0 + even * d)
        c = _nonzero(1.0 + even / c)
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / _nonzero(1.0 + odd * d)
        c = _nonzero(1.0 + odd / c)
        step = c * d
        value *= step
        if abs(step - 1.0) < 1e-15:
            return value
    raise ArithmeticError(f"beta_cdf: no convergence at x={x}, a={a}, b={b}")


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _beta_quantile(probability: float, a: float, b: float) -> float:
    # Bisection to the last bit: 60 evaluations, and nothing that could diverge.
    low, high = 0.0, 1.0
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if beta_cdf(middle, a, b) < probability:
            low = middle
        else:
            high = middle
        if high - low < 1e-16 + 1e-14 * high:
            return (low + high) / 2


def _first(holds: Callable[[int], bool], *, above: int) -> int | None:
    """Return the least whole number > `above` for which a monotone condition holds; None beyond the most."""
    low, high = above, above + 1
    while not holds(high):
        if high >= _MOST_POLLS:
            return None
        low, high = high, min(2 * high, _MOST_POLLS)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def _check(exceedances: float, n: float, confidence: float) -> None:
    if not 0 <= exceedances <= n:
        raise ValueError(f"exceedances: out of range, got {exceedances}, need 0 <= k <= n = {n}")
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence: out of range, got {confidence}, need 0.5 <= confidence < 1")
