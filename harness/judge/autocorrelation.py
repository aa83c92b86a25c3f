"""
How much n polls are worth when neighbours in time resemble each other.

A slow spell makes many polls slow at once, so they are fewer independent observations than they seem. The
integrated autocorrelation time τ says by how much: n polls are worth n / τ.

Source: A. D. Sokal, "Monte Carlo Methods in Statistical Mechanics: Foundations and New Algorithms" (1996),
section 3; N. Madras, A. D. Sokal, "The pivot algorithm", Journal of Statistical Physics 50 (1988), appendix C.
"""

import math

import numpy as np

from harness.columns import Bools, Floats
from harness.judge.quantiles import quantile

_WINDOW_FACTOR = 5.0
"""Sokal's c: the sum over lags ends at the first lag of at least c τ."""

_SIGNIFICANT = 3.0
"""
Standard errors by which τ has to exceed 1 to count. Among independent polls the largest of the three estimates of
`bulk_time` does so in 1 % of runs of 300; without the threshold two of three such runs would lose polls to noise.
"""

_BULK_QUANTILES = (0.50, 0.75, 0.90)


def integrated_time(exceeds: Bools) -> float:
    """
    Estimate τ of a series of yes and no.

    Args:
        exceeds: shape (n,), in the order of time.

    Returns:
        τ ≥ 1, in polls. Exactly 1 for a constant series, and where the estimate exceeds 1 by no more than
        chance gives independent polls.

    Source: Sokal (1996), equations 3.16 to 3.19. Under independence the standard error of the estimate with
    window W is √(2 (2 W + 1) / n).
    """
    n = len(exceeds)
    deviation = exceeds - np.mean(exceeds) if n else np.zeros(0)
    # Zeros behind the series keep its end from being correlated with its beginning.
    size = 1 << max(1, 2 * n - 1).bit_length()
    spectrum = np.fft.rfft(deviation, size)
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[:n]
    if n < 2 or covariance[0] <= 1e-9:
        return 1.0
    times = 2.0 * np.cumsum(covariance / covariance[0]) - 1.0
    wide_enough = np.flatnonzero(np.arange(n) >= _WINDOW_FACTOR * times)
    window = int(wide_enough[0]) if len(wide_enough) else n - 1
    time = float(times[window])
    standard_error = math.sqrt(2 * (2 * window + 1) / n)
    return time if time - 1.0 > _SIGNIFICANT * standard_error else 1.0


def bulk_time(values: Floats) -> float:
    """
    Estimate τ of the bulk of a distribution: the largest over the indicators of reaching p50, p75 and p90.

    Where few or no polls reach the limit itself, the bulk is all that can tell whether polls hang together.

    Args:
        values: shape (n,), in the order of time; infinite for a failure.

    Returns:
        τ ≥ 1; 1 for an empty series.
    """
    if len(values) == 0:
        return 1.0
    return max(integrated_time(values >= quantile(values, q)) for q in _BULK_QUANTILES)
