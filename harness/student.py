"""
Student's t distribution, without scipy at run time.

Source: M. Abramowitz, I. A. Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4: for whole degrees
of freedom the distribution function is a finite sum.
"""

import math
from functools import lru_cache

_MOST_DEGREES = 1000
"""From here on the normal law is within 0.1 % of the quantile, and the sum gets long."""


def t_cdf(t: float, degrees: int) -> float:
    """
    Return the probability of a value of at most `t`.

    Args:
        t: any finite number.
        degrees: of freedom, ≥ 1; above a thousand a thousand are taken.
    """
    if degrees < 1:
        raise ValueError(f"degrees: out of range, got {degrees}, need 1 or more")
    return 0.5 + math.copysign(_between(abs(t), min(degrees, _MOST_DEGREES)) / 2, t)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, degrees: int) -> float:
    """
    Return the t that is not exceeded with this probability.

    Args:
        probability: 0..1, both ends excluded.
        degrees: of freedom, as in `t_cdf`.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability: out of range, got {probability}, need 0 < p < 1")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while t_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, degrees) < probability else (low, middle)
        if middle in {low, high} and high - low <= math.ulp(high):
            break
    return (low + high) / 2


def _between(t: float, degrees: int) -> float:
    """Return the probability of a value between −t and t, for t ≥ 0."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine_squared = degrees / (degrees + t * t)
    term = total = 1.0 if degrees > 1 else 0.0
    # The terms of both sums: cos² by (2i − 1)/2i for even degrees, by 2i/(2i + 1) for odd ones.
    odd = degrees % 2
    for i in range(1, (degrees - odd) // 2):
        term *= cosine_squared * (2 * i - 1 + odd) / (2 * i + odd)
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * math.cos(angle) * total)
    return math.sin(angle) * total
