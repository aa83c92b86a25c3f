"""
Bounds that hold however often one looks: what may end a run before its time.

A bound at 95 % confidence that is looked at again and again until it says what one waits for is wrong far more
often than in 5 % of the runs. These are not: the chance that one of them is *ever* wrong, over all looks from the
first poll to the last, is at most 1 − confidence.

For an allowed share p₀ the e-value of n polls with k exceedances is the likelihood of the data averaged over the
shares on the other side of p₀, divided by their likelihood under p₀. While the share is p₀ or on its own side of
it, the e-value is a supermartingale that starts at 1, so it ever reaches 1 / α with a chance of at most α.

Source: J. Ville, "Étude critique de la notion de collectif" (1939), for the inequality; H. Robbins, "Statistical
methods related to the law of the iterated logarithm", Annals of Mathematical Statistics 41 (1970), for mixtures;
S. R. Howard, A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
identification", Bernoulli 28 (2022), for quantiles judged by beta-binomial mixtures.
"""

import math

from harness.judge.intervals import beta_cdf

_ZERO_WEIGHT = 0.5
"""
First parameter of the mixture below p₀: more weight near 0 than an even one, because most runs see few
exceedances. With none at all p99 passes after 358 polls then, instead of after 417.
"""

_MOST_WEIGHT = 1e5
"""Largest second parameter: beyond it the gamma function has too few digits left."""


def always_within(exceedances: float, n: float, *, allowed_ratio: float, confidence: float) -> bool:
    """
    Tell whether the data show, however often one looks, that at most the allowed share exceeds.

    Args:
        exceedances: k, 0 ≤ k ≤ n; real when n is an effective number.
        n: polls, ≥ 0.
        allowed_ratio: share that may exceed, 0 < p₀ < 1.
        confidence: 0.5..1, both ends excluded.
    """
    return log_e_value(exceedances, n, allowed_ratio=allowed_ratio, above=False) >= -math.log1p(-confidence)


def always_beyond(exceedances: float, n: float, *, allowed_ratio: float, confidence: float) -> bool:
    """Tell whether the data show, however often one looks, that more than the allowed share exceeds."""
    return log_e_value(exceedances, n, allowed_ratio=allowed_ratio, above=True) >= -math.log1p(-confidence)


def log_e_value(exceedances: float, n: float, *, allowed_ratio: float, above: bool) -> float:
    """
    Return the logarithm of the evidence that the share of exceedances lies beyond the allowed one.

    Args:
        exceedances: k, 0 ≤ k ≤ n.
        n: polls, ≥ 0; none are no evidence, 0.
        allowed_ratio: p₀, 0 < p₀ < 1.
        above: whether the evidence is for a larger share; False for a smaller one.

    Returns:
        The natural logarithm of the e-value; −∞ where it is too small to tell.
    """
    p, k = allowed_ratio, exceedances
    # The second parameter puts the weight where shares of the order of p₀ lie, on either side.
    b = min(max(1.0, 1 / p), _MOST_WEIGHT)
    if above:
        a = 1.0
        log_before = b * math.log1p(-p)
        after = beta_cdf(1 - p, b + n - k, a + k)
    else:
        a = _ZERO_WEIGHT
        log_before = math.log(beta_cdf(p, a, b))
        after = beta_cdf(p, a + k, b + n - k)
    if after <= 0:
        return -math.inf
    weights = _log_beta(a + k, b + n - k) - _log_beta(a, b) + math.log(after) - log_before
    return weights - k * math.log(p) - (n - k) * math.log1p(-p)


def always_lower(exceedances: float, n: float, *, confidence: float) -> float:
    """Bound the share of exceedances from below, however often one looks; 0 where nothing is known."""
    if n <= 0 or exceedances <= 0:
        return 0.0
    low, high = 0.0, min(exceedances / n, 1 - 1e-12)
    for _ in range(40):
        middle = (low + high) / 2
        if middle <= 0:
            return 0.0
        if always_beyond(exceedances, n, allowed_ratio=middle, confidence=confidence):
            low = middle
        else:
            high = middle
    return low


def always_upper(exceedances: float, n: float, *, confidence: float) -> float:
    """Bound the share of exceedances from above, however often one looks; 1 where nothing is known."""
    if n <= 0 or exceedances >= n:
        return 1.0
    low, high = exceedances / n, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if middle >= 1:
            return 1.0
        if always_within(exceedances, n, allowed_ratio=middle, confidence=confidence):
            high = middle
        else:
            low = middle
    return high


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
