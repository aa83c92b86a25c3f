"""
How much n polls are worth when neighbours in time resemble each other.

A slow spell makes many polls slow at once, so they are fewer independent observations than they seem. The
integrated autocorrelation time τ says by how much: n polls are worth n / τ.

Source: A. D. Sokal, "Monte Carlo Methods in Statistical Mechanics: Foundations and New Algorithms" (1996),
section 3; N. Madras, A. D. Sokal, "The pivot algorithm", Journal of Statistical Physics 50 (1988), appendix C.
The constants were chosen by the simulations of ``python -m benchmarks.judge``; docs/verdicts.md has the tables.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.columns import Bools, Floats
from harness.judge.quantiles import quantiles

BULK_QUANTILES = (0.50, 0.75, 0.90)
"""Where the bulk of a distribution is looked at."""

NEAR_LIMIT = 1 / 5
"""
Levels of the bulk below this share of the way from the fastest polls to a limit are left out of its τ. That
answers of 3 ms come in spells and so do answers of 8 ms says nothing of how answers of 500 ms come, and nor does
that answers of 221 ms and 225 ms do; at a fifth of the way and above it does.
"""

EDGE_QUANTILE = 0.01
"""Where the fastest polls end; the slowest begin at the other end. A few odd polls move neither."""

_RESOLUTION_DIGITS = 9
"""Decimals of a second that tell polls apart. Stored are microseconds, and differences of them differ by less."""

_WINDOW_FACTOR = 5.0
"""Sokal's c: the sum over lags ends at the first lag of at least c τ."""

_SIGNIFICANT = 3.6
"""
Standard errors that a sum of autocorrelations has to reach before τ counts at all. Independent polls reach it in
about 1 of 100 runs; without the threshold two of three independent runs would lose polls to the noise of τ.
"""


_DIRECT_LAGS = 32
"""Lags that are worth taking one by one: the window of independent polls closes after five or six."""

_FIRST_LAGS = 4096
"""Lags that are looked at first: nearly always enough, and half the work of looking at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """
    How the polls that reach one level of a distribution hang together.

    Args:
        quantile: which level, 0..1.
        value: the quantile itself, in the unit of the values; infinite where failures reach down to it.
        time: τ of reaching it, ≥ 1.
        low: where the fastest polls end, in the same unit.
        high: where the slowest begin.
    """

    quantile: float
    value: float
    time: float
    low: float = 0.0
    high: float = math.inf


def integrated_time(exceeds: Bools) -> float:
    """
    Estimate τ of a series of yes and no.

    Args:
        exceeds: shape (n,), in the order of time.

    Returns:
        τ ≥ 1, in polls. Exactly 1 for a constant series, and where the autocorrelations are no larger than chance
        makes them in a series of independent polls.

    Source: Sokal (1996), equations 3.16 to 3.19. Under independence each autocorrelation has the standard error
    1 / √n (M. S. Bartlett, 1946), so the sum of the first m has √(m / n).
    """
    n = len(exceeds)
    if n < 2 or exceeds.all() or not exceeds.any():
        return 1.0
    sums = _sums_in_window(exceeds, min(n - 1, max(_FIRST_LAGS, n // 32)))
    # Every shorter sum is looked at too: a short memory stands out at the first lags and drowns in all of them.
    standard_errors = np.sqrt(np.arange(1, len(sums) + 1) / n)
    if not (sums > _SIGNIFICANT * standard_errors).any():
        return 1.0
    return max(1.0, 1.0 + 2.0 * float(sums[-1]))


def bulk_levels(values: Floats) -> tuple[Level, ...]:
    """
    Estimate τ at the levels of the bulk of a distribution.

    Where few or no polls reach a limit, the bulk is all that can tell whether polls hang together.

    Args:
        values: shape (n,), in the order of time; infinite for a failure.

    Returns:
        One entry for each of `BULK_QUANTILES`; none for no values.
    """
    if len(values) == 0:
        return ()
    told = np.round(values, _RESOLUTION_DIGITS)
    low, high, *bulk = quantiles(told, (EDGE_QUANTILE, 1 - EDGE_QUANTILE, *BULK_QUANTILES))
    return tuple(
        Level(quantile=q, value=value, time=integrated_time(told >= value), low=low, high=high)
        for q, value in zip(BULK_QUANTILES, bulk, strict=True)
    )


def time_at_limit(at_limit: float, levels: Iterable[Level], *, limit: float) -> float:
    """
    Return the τ that a gate is judged with.

    Args:
        at_limit: τ of the indicator of reaching the limit itself.
        levels: τ of the bulk.
        limit: the limit, in the unit of the levels' values.

    Returns:
        The largest τ over the limit itself and those levels that are not far from it (`NEAR_LIMIT`).
    """
    return max([at_limit, *(level.time for level in levels if _is_near(level, limit))])


def _is_near(level: Level, limit: float) -> bool:
    """Tell whether a level lies near a limit, measured by how far the limit is from the other end of the polls."""
    if limit > level.low:
        return level.value - level.low >= NEAR_LIMIT * (limit - level.low)
    # Nearly all polls reach the limit: what lies between the slowest of them says as little of it.
    return math.isinf(level.high) or level.high - level.value >= NEAR_LIMIT * (level.high - limit)


def _sums_in_window(exceeds: Bools, most_lags: int) -> Floats:
    """Return the sums of the first 1, 2 … W autocorrelations, W being Sokal's window, or the last lag there is."""
    n = len(exceeds)
    first = _first_sums(exceeds, min(_DIRECT_LAGS, n - 1))
    closed = _window_end(first)
    if closed is not None:
        return first[:closed]
    # Zeros behind the series keep its end from being correlated with its beginning.
    size = 1 << (n + most_lags - 1).bit_length()
    spectrum = np.fft.rfft(exceeds - np.mean(exceeds), size)
    covariance = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size)[: most_lags + 1]
    sums = np.asarray(np.cumsum(covariance[1:] / covariance[0]), dtype=np.float64)
    closed = _window_end(sums)
    if closed is not None:
        return sums[:closed]
    return sums if most_lags == n - 1 else _sums_in_window(exceeds, n - 1)


def _first_sums(exceeds: Bools, lags: int) -> Floats:
    """
    Return the sums of the first autocorrelations, one lag after the other: enough where memory is short.

    Of yes and no a product is a count, which is exact and takes a hundredth of a transform's time.
    """
    n, total = len(exceeds), int(np.count_nonzero(exceeds))
    mean = total / n
    sums = np.empty(lags)
    for lag in range(1, lags + 1):
        both = int(np.count_nonzero(exceeds[lag:] & exceeds[:-lag]))
        later = total - int(np.count_nonzero(exceeds[:lag]))
        earlier = total - int(np.count_nonzero(exceeds[n - lag :]))
        sums[lag - 1] = both - mean * (later + earlier) + (n - lag) * mean**2
    return np.cumsum(sums / (total * (1 - mean)))


def _window_end(sums: Floats) -> int | None:
    """Return how many lags Sokal's window holds; None where it reaches beyond these."""
    lags = np.arange(1, len(sums) + 1)
    wide_enough = np.flatnonzero(lags >= _WINDOW_FACTOR * (1.0 + 2.0 * sums))
    return int(wide_enough[0]) + 1 if len(wide_enough) else None
