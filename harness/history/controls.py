"""Tell whether the thing measured changed or its machine, by what a frozen control did in the same runs."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.columns import Floats
from harness.history_model import Cause, Change, ChangeKind, SeriesTrend

_LEAST_SHARED_RATIO = 0.8
"""Share of the runs around a change in which the control has to have been measured too."""

_EXPLAINED = 0.5
"""A control that accounts for at least this part of a step explains it."""

_WINDOW = 30
"""Runs on either side of a change that are compared."""


def tell_causes(trends: Sequence[SeriesTrend]) -> list[SeriesTrend]:
    """
    Mark the changes that the machine made.

    Args:
        trends: subjects and controls, as settled each by itself.

    Returns:
        The same, in the same order. A change of a control is the machine's. One of a subject is when a control
        of the same environment changed at the same runs to the same side, and accounts for half of it or more.
    """
    controls = [one for one in trends if one.series.control]
    return [
        replace(one, changes=tuple(_with_cause(one, change, controls) for change in one.changes)) for one in trends
    ]


def _with_cause(trend: SeriesTrend, change: Change, controls: Sequence[SeriesTrend]) -> Change:
    if trend.series.control:
        return replace(change, cause=Cause.ENVIRONMENT)
    if change.kind is ChangeKind.VARIANCE:
        return change
    for control in controls:
        if control.series.key.environment_key == trend.series.key.environment_key and _explains(
            control, trend, change
        ):
            return replace(change, cause=Cause.ENVIRONMENT)
    return change


def _explains(control: SeriesTrend, trend: SeriesTrend, change: Change) -> bool:
    if not any(other.kind is not ChangeKind.VARIANCE for other in control.changes):
        return False
    of_control = {point.record: point.value for point in control.series.points}
    points = trend.series.points
    before = points[max(_start_of(trend, change), change.index - _WINDOW) : change.index]
    after = points[change.index : min(_end_of(trend, change), change.index + _WINDOW)]
    sides = []
    for side in (before, after):
        pairs = [(p.value, of_control[p.record]) for p in side if p.record in of_control]
        if len(pairs) < max(2, _LEAST_SHARED_RATIO * len(side)):
            return False
        sides.append(np.array(pairs, dtype=np.float64))
    subject, machine = (_shift(sides[0][:, i], sides[1][:, i]) for i in (0, 1))
    moved = _records_near(control, change, trend)
    return moved and subject * machine > 0 and abs(machine) >= _EXPLAINED * abs(subject)


def _records_near(control: SeriesTrend, change: Change, trend: SeriesTrend) -> bool:
    """Tell whether a change of the control lies within the range of the subject's one, or the other way round."""
    place = {point.record: index for index, point in enumerate(trend.series.points)}
    low, high = place[change.last_before], place[change.first_after]
    for other in control.changes:
        ends = [place.get(other.last_before), place.get(other.first_after)]
        known = [end for end in ends if end is not None]
        if known and min(known) <= high and max(known) >= low:
            return True
    return False


def _shift(before: Floats, after: Floats) -> float:
    if (before > 0).all() and (after > 0).all():
        return math.log(float(np.median(after)) / float(np.median(before)))
    return float(np.median(after) - np.median(before))


def _start_of(trend: SeriesTrend, change: Change) -> int:
    return max((s.start for s in trend.segments if s.start < change.index), default=0)


def _end_of(trend: SeriesTrend, change: Change) -> int:
    return min((s.end for s in trend.segments if s.end > change.index), default=len(trend.series.points))
