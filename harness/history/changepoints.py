"""
What happened in one series: its segments, the changes between them, outliers, and how sure all that is.

The search runs in two steps, because the level of one series depends on how many others were searched: `search`
finds each series' p-value, `settle` cuts the series at the level that `harness.history.fdr` made of all of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.columns import Floats
from harness.history.outliers import far_out, robust_scale, winsorise
from harness.history.permutation import SplitTest, split_test
from harness.history.segments import (
    LEAST_SEGMENT,
    Cut,
    Leaf,
    Segmentation,
    location_range,
    root_test,
    segment,
    shift_error,
)
from harness.history_model import Cause, Change, ChangeKind, ChangeState, Segment, Series, SeriesTrend
from harness.model import Direction, Interval
from harness.student import t_quantile

LEAST_POINTS = 10
"""Runs that a series needs before it is searched."""

MOST_POINTS = 2000
"""Runs that are searched, the newest ones; the tests take a time that grows with the square of them."""

AUTOCORRELATED_ABOVE = 0.3
"""Autocorrelation at lag one from which on it is told."""

_CONFIRMED = 0.25
"""A change is confirmed at so much of the level at which it is told: its p-value has to be four times as small."""

_LEAST_SPREAD = 10
"""Runs that a spread needs on either side of a change of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """
    A series, prepared: what is needed to cut it at any level.

    Args:
        series: the points.
        values: of the points, as logarithms when `is_log`.
        is_log: whether all values are positive, so that changes are ratios.
        first: index of the first point that is searched.
        forced: accepted first runs of new segments: index → the reason.
        stretches: (start, end) of what is searched in one go.
        roots: what was found in each stretch; None where there was no room.
        not_judged: why the series is not searched; None when it is.
    """

    series: Series
    values: Floats
    is_log: bool
    first: int
    forced: Mapping[int, str]
    stretches: tuple[tuple[int, int], ...]
    roots: tuple[SplitTest | None, ...]
    not_judged: str | None

    @property
    def p_value(self) -> float:
        """Of a shift anywhere in the series; 1 when it was not searched."""
        found = [root.p_value for root in self.roots if root is not None]
        # Several stretches are several chances.
        return min(1.0, len(found) * min(found)) if found else 1.0


def search(series: Series, forced: Mapping[int, str]) -> Search:
    """
    Look for the first shift in each stretch of a series.

    Args:
        series: at least one point.
        forced: index of the first point of an accepted new segment → the reason.
    """
    raw = np.array([point.value for point in series.points], dtype=np.float64)
    is_log = bool((raw > 0).all())
    values = np.log(raw) if is_log else raw
    n = len(values)
    first = max(0, n - MOST_POINTS)
    edges = sorted({first, *(index for index in forced if first < index < n), n})
    stretches = tuple(pairwise(edges))
    not_judged = None
    roots: tuple[SplitTest | None, ...] = (None,) * len(stretches)
    if n < LEAST_POINTS:
        not_judged = f"{n} {'run is' if n == 1 else 'runs are'} too few: {LEAST_POINTS} are needed"
    else:
        roots = tuple(root_test(values, start=start, end=end, newest=end == n) for start, end in stretches)
    return Search(
        series=series,
        values=values,
        is_log=is_log,
        first=first,
        forced=forced,
        stretches=stretches,
        roots=roots,
        not_judged=not_judged,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """
    A series cut into levels and drifts, before its spread is looked at.

    Args:
        search: what it was made from.
        found: leaves and cuts of the whole series.
        lag1: autocorrelation at lag one within the leaves; None with too few points.
        level: p-value up to which a shift counted.
    """

    search: Search
    found: Segmentation
    lag1: float | None
    level: float


def cut(searched: Search, *, level: float) -> Levels:
    """Cut a searched series at a level."""
    leaves: list[Leaf] = [Leaf(start=0, end=searched.first)] if searched.first else []
    cuts: list[Cut] = [Cut(index=searched.first, p_value=1.0)] if searched.first else []
    n = len(searched.values)
    for (start, end), root in zip(searched.stretches, searched.roots, strict=True):
        part = segment(searched.values, start=start, end=end, newest=end == n, level=level, root=root)
        if start != searched.first:
            cuts.append(Cut(index=start, p_value=1.0))
        leaves += part.leaves
        cuts += part.cuts
    found = Segmentation(leaves=tuple(leaves), cuts=tuple(cuts))
    return Levels(search=searched, found=found, lag1=_lag1(found.residuals(searched.values)), level=level)


def spread_test(levels: Levels) -> SplitTest | None:
    """Search the deviations from the levels for a change of their size; None when there is no room for one."""
    if levels.search.not_judged is not None:
        return None
    deviations = np.abs(levels.found.residuals(levels.search.values)[levels.search.first :])
    return split_test(deviations, least_before=_LEAST_SPREAD, least_after=_LEAST_SPREAD)


def settle(levels: Levels, *, spread: SplitTest | None, spread_level: float) -> SeriesTrend:
    """
    Describe a series that was cut.

    Args:
        levels: from `cut`.
        spread: from `spread_test`.
        spread_level: p-value up to which a change of the spread counts.
    """
    searched = levels.search
    changes = [*_steps(levels), *_drifts(levels)]
    if spread is not None and spread.p_value <= spread_level:
        changes.append(_spread_change(levels, spread))
    return SeriesTrend(
        series=searched.series,
        segments=tuple(_segment(levels, leaf) for leaf in levels.found.leaves),
        changes=tuple(sorted(changes, key=lambda change: change.index)),
        outliers=far_out(levels.found.residuals(searched.values)),
        lag1=levels.lag1,
        not_judged=searched.not_judged,
        warnings=tuple(_warnings(levels)),
    )


def is_worse(series: Series, before: float, after: float) -> bool:
    """Tell whether a series went to its worse side."""
    if series.direction is Direction.BELOW:
        return after > before
    return series.direction is Direction.ABOVE and after < before


def _steps(levels: Levels) -> list[Change]:
    searched, found = levels.search, levels.found
    changes = []
    for i, place in enumerate(found.cuts):
        before, after = found.leaves[i], found.leaves[i + 1]
        reason = searched.forced.get(place.index)
        if place.index == searched.first and reason is None:
            continue
        error = shift_error(searched.values, before, after, lag1=max(0.0, levels.lag1 or 0.0))
        low, high = (
            float(before.fitted(searched.values)[-1]),
            float(after.fitted(searched.values)[0]),
        )
        drifting = before.drift is not None or after.drift is not None
        if drifting and reason is None and abs(high - low) < 3 * error:
            # A drift that begins or ends is no step.
            continue
        p_value = place.p_value if reason is None else _forced_p_value(searched.values, before, after)
        changes.append(
            _step(levels, before, after, shift=(low, high), error=error, p_value=p_value, reason=reason)
        )
    return changes


def _step(
    levels: Levels,
    before: Leaf,
    after: Leaf,
    *,
    shift: tuple[float, float],
    error: float,
    p_value: float,
    reason: str | None,
) -> Change:
    searched = levels.search
    points = searched.series.points
    earliest, latest = (
        location_range(searched.values, before, after) if reason is None else (after.start, after.start)
    )
    degrees = max(1, after.end - before.start - 2)
    margin = t_quantile(0.975, degrees) * error
    old, new = _value(searched, shift[0]), _value(searched, shift[1])
    sure = after.end - earliest >= LEAST_SEGMENT and p_value <= _CONFIRMED * levels.level
    return Change(
        index=after.start,
        kind=ChangeKind.STEP,
        state=ChangeState.CONFIRMED if sure else ChangeState.SUSPECTED,
        cause=Cause.SUBJECT,
        before=old,
        after=new,
        effect_ratio=_effect(searched, shift[0], shift[1]),
        effect_interval=_interval(searched, shift[0], shift[1] - margin, shift[1] + margin),
        p_value=p_value,
        last_before=points[earliest - 1].record,
        first_after=points[latest].record,
        is_regression=is_worse(searched.series, old, new),
        accepted=reason,
    )


def _drifts(levels: Levels) -> list[Change]:
    searched = levels.search
    changes = []
    for leaf, last in _slopes(levels.found.leaves):
        drift = leaf.drift
        if drift is None:
            continue
        runs = last.end - leaf.start - 1
        # Of a step on a slope only what the slope adds: the step is a change of its own.
        start, end = drift.intercept, drift.intercept + runs * drift.slope
        old, new = _value(searched, start), _value(searched, end)
        sure = runs >= 2 * LEAST_SEGMENT and leaf.drift_p_value <= _CONFIRMED * levels.level
        changes.append(
            Change(
                index=leaf.start,
                kind=ChangeKind.DRIFT,
                state=ChangeState.CONFIRMED if sure else ChangeState.SUSPECTED,
                cause=Cause.SUBJECT,
                before=old,
                after=new,
                effect_ratio=_effect(searched, start, end),
                effect_interval=_interval(searched, start, start + runs * drift.low, start + runs * drift.high),
                p_value=leaf.drift_p_value,
                last_before=searched.series.points[leaf.start].record,
                first_after=searched.series.points[last.end - 1].record,
                is_regression=is_worse(searched.series, old, new),
            )
        )
    return changes


def _slopes(leaves: tuple[Leaf, ...]) -> list[tuple[Leaf, Leaf]]:
    """Return first and last leaf of each stretch of one slope: a step on a slope does not end the drift."""
    stretches: list[tuple[Leaf, Leaf]] = []
    for leaf in leaves:
        if leaf.drift is None:
            continue
        first, before = stretches[-1] if stretches else (leaf, leaf)
        goes_on = before.end == leaf.start and before.drift is not None and before.drift.slope == leaf.drift.slope
        if goes_on:
            stretches[-1] = (first, leaf)
        else:
            stretches.append((leaf, leaf))
    return stretches


def _spread_change(levels: Levels, spread: SplitTest) -> Change:
    searched = levels.search
    index = searched.first + spread.index
    residuals = levels.found.residuals(searched.values)
    old, new = robust_scale(residuals[searched.first : index]), robust_scale(residuals[index:])
    unit = _unit_of_spread(levels)
    points = searched.series.points
    return Change(
        index=index,
        kind=ChangeKind.VARIANCE,
        state=ChangeState.CONFIRMED,
        cause=Cause.SUBJECT,
        before=old * unit,
        after=new * unit,
        effect_ratio=None if old == 0 else new / old - 1,
        effect_interval=None,
        p_value=spread.p_value,
        last_before=points[index - 1].record,
        first_after=points[index].record,
        is_regression=False,
    )


def _unit_of_spread(levels: Levels) -> float:
    """Return what a spread of logarithms has to be multiplied with to be one of values: the median value."""
    searched = levels.search
    return float(np.exp(np.median(searched.values))) if searched.is_log else 1.0


def _segment(levels: Levels, leaf: Leaf) -> Segment:
    searched = levels.search
    own = searched.values[leaf.start : leaf.end]
    fitted = leaf.fitted(searched.values)
    low = high = None
    if len(own) >= LEAST_SEGMENT:
        margin = t_quantile(0.975, len(own) - 1) * robust_scale(own - fitted) * math.sqrt(1 + 1 / len(own))
        low, high = (_value(searched, float(np.median(own)) + side * margin) for side in (-1, 1))
        if not searched.is_log and searched.values.min() >= 0:
            # Of error ratios, mostly zero, half of the range would lie where no value can.
            low = max(0.0, low)
    slope = None
    if leaf.drift is not None:
        ends = [_value(searched, float(fitted[at])) for at in (0, -1)]
        slope = (ends[1] - ends[0]) / max(1, len(own) - 1)
    return Segment(
        start=leaf.start,
        end=leaf.end,
        median=_value(searched, float(np.median(own))),
        low=low,
        high=high,
        slope_per_point=slope,
    )


def _warnings(levels: Levels) -> list[str]:
    warnings = []
    searched = levels.search
    if levels.lag1 is not None and levels.lag1 > AUTOCORRELATED_ABOVE:
        larger = math.sqrt((1 + levels.lag1) / (1 - levels.lag1))
        warnings.append(
            f"Neighbouring runs resemble each other (autocorrelation {levels.lag1:.2f}): "
            f"a change has to be {larger:.1f} times as large to be found."
        )
    if searched.first:
        warnings.append(
            f"Only the newest {MOST_POINTS:,} of {len(searched.values):,} runs were searched for changes."
        )
    return warnings


def _forced_p_value(values: Floats, before: Leaf, after: Leaf) -> float:
    found = split_test(values[before.start : after.end], least_before=1, least_after=1)
    return 1.0 if found is None else found.p_value


def _lag1(residuals: Floats) -> float | None:
    if len(residuals) < LEAST_POINTS:
        return None
    clipped = winsorise(residuals)
    total = float(clipped @ clipped)
    return None if total == 0 else float(clipped[1:] @ clipped[:-1]) / total


def _value(searched: Search, value: float) -> float:
    return math.exp(value) if searched.is_log else value


def _effect(searched: Search, before: float, after: float) -> float | None:
    if searched.is_log:
        return math.expm1(after - before)
    return (after - before) / before if before > 0 else None


def _interval(searched: Search, before: float, low: float, high: float) -> Interval | None:
    bounds = [_effect(searched, before, bound) for bound in (low, high)]
    return None if None in bounds else Interval(low=bounds[0], high=bounds[1])
