"""Tell whether the thing measured changed or its machine, by what a frozen control did in the same runs."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.columns import Floats
from harness.history_model import Cause, Change, ChangeKind, Series, SeriesTrend

_LEAST_SHARED_RATIO = 0.8
"""Share of the runs around a change in which the control has to have been measured too."""

_EXPLAINED = 0.5
"""A control that accounts for at least this part of a step explains it."""

_WINDOW = 30
"""Runs on either side of a change that are compared."""

_WORD = re.compile(r"[^\W_]+")


def tell_causes(trends: Sequence[SeriesTrend]) -> list[SeriesTrend]:
    """
    Mark the changes that the machine made.

    Args:
        trends: subjects and controls, as settled each by itself.

    Returns:
        The same, in the same order. A change of a control is the machine's. One of a subject is when a control
        of the same environment changed at the same runs to the same side, and accounts for half of it or more.
        Of several controls those decide whose names share most words with the subject's: where each benchmark
        has a frozen twin, another one's twin excuses nothing.
    """
    controls = [_Control(trend=one, words=_words(one.series)) for one in trends if one.series.control]
    return [
        replace(one, changes=tuple(_with_cause(one, change, controls) for change in one.changes)) for one in trends
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Control:
    """A control, and the words of its name."""

    trend: SeriesTrend
    words: frozenset[str]


def _words(series: Series) -> frozenset[str]:
    """Return what a series' name is made of, for telling which control is nearest."""
    key = series.key
    named = {word.casefold() for word in _WORD.findall(f"{key.subject} {key.scenario}")}
    # A space keeps these from being words of a subject.
    return frozenset({*named, f"metric {key.metric}", f"quantile {key.quantile}"})


def _with_cause(trend: SeriesTrend, change: Change, controls: Sequence[_Control]) -> Change:
    if trend.series.control:
        return replace(change, cause=Cause.ENVIRONMENT)
    if change.kind is ChangeKind.VARIANCE:
        return change
    environment = trend.series.key.environment_key
    words = _words(trend.series)
    measured = [
        (len(words & control.words), control.trend, sides)
        for control in controls
        if control.trend.series.key.environment_key == environment
        and (sides := _sides(control.trend, trend, change)) is not None
    ]
    nearest = max((shared for shared, _, _ in measured), default=0)
    if any(shared == nearest and _explains(other, trend, change, sides) for shared, other, sides in measured):
        return replace(change, cause=Cause.ENVIRONMENT)
    return change


def _sides(control: SeriesTrend, trend: SeriesTrend, change: Change) -> tuple[Floats, Floats] | None:
    """Return (subject, control) of the runs on either side of a change; None when too few measured both."""
    of_control = {point.record: point.value for point in control.series.points}
    points = trend.series.points
    before = points[max(_start_of(trend, change), change.index - _WINDOW) : change.index]
    after = points[change.index : min(_end_of(trend, change), change.index + _WINDOW)]
    sides = []
    for side in (before, after):
        pairs = [(p.value, of_control[p.record]) for p in side if p.record in of_control]
        if len(pairs) < max(2, _LEAST_SHARED_RATIO * len(side)):
            return None
        sides.append(np.array(pairs, dtype=np.float64))
    return sides[0], sides[1]


def _explains(control: SeriesTrend, trend: SeriesTrend, change: Change, sides: tuple[Floats, Floats]) -> bool:
    subject, machine = (_shift(sides[0][:, i], sides[1][:, i]) for i in (0, 1))
    moved = _records_near(control, change, trend)
    return moved and subject * machine > 0 and abs(machine) >= _EXPLAINED * abs(subject)


def _records_near(control: SeriesTrend, change: Change, trend: SeriesTrend) -> bool:
    """Tell whether a change of the control lies within the range of the subject's one, or the other way round."""
    place = {point.record: index for index, point in enumerate(trend.series.points)}
    low, high = place[change.last_before], place[change.first_after]
    for other in control.changes:
        if other.kind is ChangeKind.VARIANCE:
            continue
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
