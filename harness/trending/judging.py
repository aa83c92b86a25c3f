"""From a history to a judged trend: read, cut to what is wanted, judged, the failing changes marked."""

import time
from dataclasses import replace

from harness.history.series import SeriesFilter, read_series
from harness.history.series_names import Renames, full_name, matches, short_name
from harness.history.store import History
from harness.history.trend import judge_trend, standing_regressions
from harness.history_model import Series, SeriesTrend, Trend


def judged_history(
    history: History,
    *,
    wanted: SeriesFilter | None = None,
    order: str = "time",
    controls: tuple[str, ...] = (),
    last: int | None = None,
    renames: Renames | None = None,
    now_s: float | None = None,
) -> Trend:
    """
    Judge the series of a history.

    Args:
        history: from `open_history`.
        wanted: which figures; None for all.
        order: ``time`` or ``commit``.
        controls: patterns with ``*`` of frozen things that tell of the machine alone.
        last: only so many of the newest runs of each series; None for all.
        renames: changes of name to follow; None for none.
        now_s: the present [s since the Unix epoch]; None for now.

    Raises:
        HarnessError: the history can't be read.
    """
    present_s = time.time() if now_s is None else now_s
    reading = read_series(history, order=order, wanted=wanted, controls=controls, renames=renames, now_s=present_s)
    trend = judge_trend(
        [_latest(series, last) for series in reading.series],
        acceptances=history.acceptances(),
        notes=history.notes(),
        now_s=present_s,
        left_out=reading.left_out,
    )
    return replace(trend, series=tuple(map(_marked, trend.series)))


def accepted_series(history: History, pattern: str, record: str, *, now_s: float) -> tuple[str, ...]:
    """
    Return the labels of the series that an acceptance would hold for.

    Args:
        history: from `open_history`.
        pattern: name of the series, ``*`` for any text.
        record: id of the first run after the change.
        now_s: the present [s since the Unix epoch].
    """
    reading = read_series(history, now_s=now_s)
    return tuple(
        series.label
        for series in reading.series
        if any(matches(name, (pattern,)) for name in (series.label, short_name(series.key), full_name(series.key)))
        and any(point.record == record for point in series.points)
    )


def _latest(series: Series, last: int | None) -> Series:
    if last is None or len(series.points) <= last:
        return series
    points = series.points[-last:]
    first = min(point.record for point in points)
    left_out = {record: why for record, why in series.left_out.items() if record >= first}
    return replace(series, points=points, left_out=left_out)


def _marked(judged: SeriesTrend) -> SeriesTrend:
    failing = {change.index for change in standing_regressions(judged)}
    if not failing:
        return judged
    changes = tuple(replace(change, fails=change.index in failing) for change in judged.changes)
    return replace(judged, changes=changes)
