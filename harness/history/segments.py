"""
Cut a series into stretches of one level each, or of one drift.

::

    best split (permutation) ─▶ relocate by least absolute deviations ─▶ the same on both sides
                              ─▶ a line instead of several steps, where it fits better

Source of the range in which a change point lies: Y.-C. Yao, "Approximating the distribution of the maximum
likelihood estimate of the change-point", Annals of Statistics 15 (1987).
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.columns import Floats
from harness.history.drift import Drift, fit_drift, fit_drifts
from harness.history.outliers import FAR_SIGMA, robust_scale
from harness.history.permutation import SplitTest, split_test

LEAST_SEGMENT = 5
"""Points that a level needs; only the newest one may have fewer."""

LEAST_NEWEST = 2
"""Points of a new level at the end of the series: a single one can't be told from an outlier."""

MEDIAN_TO_MEAN = 1.2533141373155001
"""Standard error of a median by that of a mean, for normal values: √(π/2)."""

_LEAST_SHIFT_ERRORS = 2.5
"""A shift has to be so many of its own standard errors wide, the spread taken on each side for itself."""

_RANGE_EXCESS = 7.35
"""Excess of twice the log likelihood that 95 % of the locations of a change stay below: (1 − e^(−x/2))² = 0.95."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """
    A stretch of one level, or of one drift.

    Args:
        start: index of its first point.
        end: index after its last one.
        drift: the line; None for a level.
        drift_p_value: of the test that found a change in it; 1 for a level.
    """

    start: int
    end: int
    drift: Drift | None = None
    drift_p_value: float = 1.0

    def fitted(self, values: Floats) -> Floats:
        """Return the level or line at each of its points; `values` are those of the whole series."""
        own = values[self.start : self.end]
        return np.full(len(own), float(np.median(own))) if self.drift is None else self.drift.line(len(own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """
    Where one leaf ends and the next begins.

    Args:
        index: of the first point after it.
        p_value: of the test that found it.
    """

    index: int
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Leaves in order, and the cuts between them: one fewer."""

    leaves: tuple[Leaf, ...]
    cuts: tuple[Cut, ...]

    def residuals(self, values: Floats) -> Floats:
        """Return the deviation of each point of the whole series from the level or line of its leaf."""
        fitted: Floats = np.concatenate([leaf.fitted(values) for leaf in self.leaves])
        return values - fitted


def root_test(values: Floats, *, start: int, end: int, newest: bool) -> SplitTest | None:
    """Search one stretch for its first cut; arguments as in `segment`, `SplitTest.index` counts from `start`."""
    return split_test(
        values[start:end], least_before=LEAST_SEGMENT, least_after=LEAST_NEWEST if newest else LEAST_SEGMENT
    )


def segment(
    values: Floats, *, start: int, end: int, newest: bool, level: float, root: SplitTest | None
) -> Segmentation:
    """
    Cut a stretch of a series until no shift is left that chance does not explain.

    Args:
        values: the whole series, finite.
        start: index of the stretch's first point.
        end: index after its last one.
        newest: whether it is the last stretch of the series, whose newest level may be short.
        level: p-value up to which a shift counts. It is halved for the two sides of each cut, so that a series in
            which one thing happened is not searched more leniently than one in which nothing did.
        root: what `root_test` found for this stretch.
    """
    whole = Segmentation(leaves=(Leaf(start=start, end=end),), cuts=())
    if root is None or root.p_value > level:
        return whole
    least_after = LEAST_NEWEST if newest else LEAST_SEGMENT
    index = start + _relocate(values[start:end], root.index, least_after)
    parts = []
    for low, high, last in ((start, index, False), (index, end, newest)):
        test = root_test(values, start=low, end=high, newest=last)
        parts.append(segment(values, start=low, end=high, newest=last, level=level / 2, root=test))
    left, right = parts
    if _is_spurious(values, left.leaves[-1], right.leaves[0], root.lag1):
        if not (left.cuts or right.cuts):
            return whole
        # The shift was the work of another one that was found since: join the two leaves.
        joined = Leaf(start=left.leaves[-1].start, end=right.leaves[0].end)
        steps = Segmentation(leaves=(*left.leaves[:-1], joined, *right.leaves[1:]), cuts=(*left.cuts, *right.cuts))
    else:
        steps = Segmentation(
            leaves=(*left.leaves, *right.leaves),
            cuts=(*left.cuts, Cut(index=index, p_value=root.p_value), *right.cuts),
        )
    return _with_drift(values, steps, index, level=level, p_value=root.p_value)


def location_range(values: Floats, before: Leaf, after: Leaf) -> tuple[int, int]:
    """
    Return the least and the largest index at which the change between two leaves may lie, at 95 %.

    Args:
        values: of the whole series.
        before: the leaf that ends at the change.
        after: the leaf that begins there.
    """
    index = after.start
    own = values[before.start : after.end]
    n_before, n_after = index - before.start, after.end - index
    fits = [_extended(leaf, values, own, before.start) for leaf in (before, after)]
    residuals = np.concatenate([(own - fits[0])[:n_before], (own - fits[1])[n_before:]])
    scale = robust_scale(residuals)
    if scale == 0:
        return index, index
    most = FAR_SIGMA * scale
    gains = np.clip(own - fits[0], -most, most) ** 2 - np.clip(own - fits[1], -most, most) ** 2
    # Excess at k: what is lost by giving the points between the best split and k to the other side.
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    excess = sums - sums[n_before]
    inside = np.flatnonzero(excess[1 : n_before + n_after] <= _RANGE_EXCESS * scale**2) + 1
    inside = np.append(inside, n_before)
    return before.start + int(inside.min()), before.start + int(inside.max())


def shift_error(values: Floats, before: Leaf, after: Leaf, *, lag1: float) -> float:
    """
    Return the standard error of the shift between two leaves, in the unit of `values`.

    The spread of both sides is pooled; correlation at lag one widens the error.
    """
    residuals = [values[leaf.start : leaf.end] - leaf.fitted(values) for leaf in (before, after)]
    scale = robust_scale(np.concatenate(residuals))
    n_before, n_after = (len(part) for part in residuals)
    return MEDIAN_TO_MEAN * scale * math.sqrt((1 / n_before + 1 / n_after) * _inflation(lag1))


def _extended(leaf: Leaf, values: Floats, own: Floats, start: int) -> Floats:
    if leaf.drift is None:
        return np.full(len(own), float(np.median(values[leaf.start : leaf.end])))
    return leaf.drift.line(len(own), first=start - leaf.start)


def _inflation(lag1: float) -> float:
    return (1 + lag1) / (1 - lag1) if lag1 > 0 else 1.0


def _relocate(own: Floats, index: int, least_after: int) -> int:
    """Move a split to where two medians leave the least absolute deviations."""
    for _ in range(5):
        before, after = np.median(own[:index]), np.median(own[index:])
        gains = np.cumsum(np.abs(own - before) - np.abs(own - after))
        candidates = gains[LEAST_SEGMENT - 1 : len(own) - least_after]
        moved = LEAST_SEGMENT + int(candidates.argmin())
        if moved == index:
            break
        index = moved
    return index


def _is_spurious(values: Floats, before: Leaf, after: Leaf, lag1: float) -> bool:
    """
    Tell whether a shift is small beside the spread of its own two sides.

    A stretch that is only noisier than the rest is no shift, and shuffling the whole series does not see that.
    """
    if before.drift is not None or after.drift is not None:
        return False
    sides = [values[leaf.start : leaf.end] for leaf in (before, after)]
    medians = [float(np.median(side)) for side in sides]
    pooled = robust_scale(np.concatenate([side - median for side, median in zip(sides, medians, strict=True)]))
    variance = 0.0
    for side, median in zip(sides, medians, strict=True):
        # Fewer than five points say little of their spread: then that of both sides together has to do.
        own = robust_scale(side - median) if len(side) >= LEAST_SEGMENT else pooled
        variance += max(own, 0.5 * pooled) ** 2 / len(side)
    error = MEDIAN_TO_MEAN * math.sqrt(variance * _inflation(lag1))
    return abs(medians[1] - medians[0]) < _LEAST_SHIFT_ERRORS * error


def _with_drift(values: Floats, steps: Segmentation, index: int, *, level: float, p_value: float) -> Segmentation:
    """
    Return the model that describes a stretch best, the simpler one preferred.

    The candidates: the levels that were found; one line; one step on a slope that goes on after it.
    """
    start, end = steps.leaves[0].start, steps.leaves[-1].end
    own = values[start:end]
    line = fit_drift(own)
    candidates = [steps]
    if line.p_value <= level:
        leaf = Leaf(start=start, end=end, drift=line, drift_p_value=p_value)
        candidates.append(Segmentation(leaves=(leaf,), cuts=()))
    split = index - start
    sloped = fit_drifts([own[:split], own[split:]])
    if sloped[0].p_value <= level and min(split, len(own) - split) >= LEAST_SEGMENT:
        leaves = tuple(
            Leaf(start=low, end=high, drift=drift, drift_p_value=drift.p_value)
            for low, high, drift in ((start, index, sloped[0]), (index, end, sloped[1]))
        )
        candidates.append(Segmentation(leaves=leaves, cuts=(Cut(index=index, p_value=p_value),)))
    return min(candidates, key=lambda model: _badness(values, model.leaves))


def _badness(values: Floats, leaves: tuple[Leaf, ...]) -> float:
    """
    Return Schwarz's criterion for deviations of Laplace's law: a level, a cut and a slope cost one parameter each.

    Source: G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6 (1978).
    """
    own = values[leaves[0].start : leaves[-1].end]
    fitted = np.concatenate([leaf.fitted(values) for leaf in leaves])
    cost = float(np.abs(own - fitted).sum())
    least = 1e-9 * float(np.abs(own - np.median(own)).sum())
    slopes = len({leaf.drift.slope for leaf in leaves if leaf.drift is not None})
    parameters = 2 * len(leaves) - 1 + slopes
    return 2 * len(own) * math.log(max(cost, least) / len(own)) + parameters * math.log(len(own))
