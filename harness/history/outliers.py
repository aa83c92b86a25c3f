"""
Robust scale, winsorising and outliers: one wild run must neither make a change point nor hide one.

Source: R. A. Maronna, R. D. Martin, V. J. Yohai, "Robust Statistics" (2006), section 2.5, for the normalised
median absolute deviation.
"""

import numpy as np

from harness.columns import Floats

MAD_TO_SIGMA = 1.482602218505602
"""Standard deviation of a normal law by its median absolute deviation: 1 / Φ⁻¹(3/4)."""

_MEAN_TO_SIGMA = 1.2533141373155001
"""Standard deviation of a normal law by its mean absolute deviation: √(π/2)."""

FAR_SIGMA = 4.0
"""Beyond so many robust standard deviations a point is far out: 1 of 16,000 normal ones."""


def robust_scale(deviations: Floats) -> float:
    """
    Estimate a standard deviation from deviations about a centre.

    Args:
        deviations: any number of them, signed or not.

    Returns:
        From the median absolute deviation; where more than half of them are 0, from the mean one, so that steps
        between constant levels keep a scale. 0 when all are 0, or for none.
    """
    if len(deviations) == 0:
        return 0.0
    absolute = np.abs(deviations)
    return MAD_TO_SIGMA * float(np.median(absolute)) or _MEAN_TO_SIGMA * float(np.mean(absolute))


def winsorise(values: Floats) -> Floats:
    """
    Standardise robustly and pull what is far out in to `FAR_SIGMA`.

    Args:
        values: n finite ones.

    Returns:
        (values − median) / scale, within ±`FAR_SIGMA`; all 0 for values that are all equal.
    """
    centred = values - np.median(values)
    scale = robust_scale(centred)
    # Below this the "spread" is the rounding of equal numbers.
    if scale <= 1e-12 * float(np.max(np.abs(values))):
        return np.zeros_like(values)
    return np.clip(centred / scale, -FAR_SIGMA, FAR_SIGMA)


def far_out(residuals: Floats) -> tuple[int, ...]:
    """
    Find the points that lie far from their own segment.

    Args:
        residuals: deviation of each point from the level (or line) of its segment.

    Returns:
        Indices of those beyond `FAR_SIGMA` robust standard deviations.
    """
    scale = robust_scale(residuals)
    if scale == 0:
        return ()
    return tuple(int(i) for i in np.flatnonzero(np.abs(residuals) > FAR_SIGMA * scale))
