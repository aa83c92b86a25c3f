"""From a history to a judged trend: read, cut to what is wanted, judged."""

import time
from dataclasses import replace

from harness.history.progress import Progress, silent
from harness.history.series import SeriesFilter, SeriesReading, read_series
from harness.history.series_names import Renames, is_called, without_match
from harness.history.store import History
from harness.history.trend import judge_trend
from harness.history_model import Series, Trend


def judged_history(
    history: History,
    *,
    wanted: SeriesFilter | None = None,
    order: str = "time",
    controls: tuple[str, ...] = (),
    last: int | None = None,
    renames: Renames | None = None,
    now_s: float | None = None,
    progress: Progress = silent,
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
        progress: told how far the judging is.

    Raises:
        HarnessError: the history can't be read.
    """
    present_s = time.time() if now_s is None else now_s
    reading = read_series(history, order=order, wanted=wanted, controls=controls, renames=renames, now_s=present_s)
    return judge_trend(
        [_latest(series, last) for series in reading.series],
        acceptances=history.acceptances(),
        notes=history.notes(),
        now_s=present_s,
        # What was mistyped first: of many lines a terminal shows some.
        left_out={
            **reading.fit_nothing,
            **_without_effect(reading, controls),
            **reading.left_out,
            **_without_points(reading),
        },
        progress=progress,
    )


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
        if is_called(series, pattern) and any(point.record == record for point in series.points)
    )


def _latest(series: Series, last: int | None) -> Series:
    if last is None or len(series.points) <= last:
        return series
    points = series.points[-last:]
    first = min(point.record for point in points)
    left_out = {record: why for record, why in series.left_out.items() if record >= first}
    return replace(series, points=points, left_out=left_out)


def _without_points(reading: SeriesReading) -> dict[str, str]:
    """Return the figures that are no series: name → why. Unseen, one would be taken for steady."""
    return {name: f"no run has a usable value, the latest: {why}" for name, why in reading.no_points.items()}


def _without_effect(reading: SeriesReading, controls: tuple[str, ...]) -> dict[str, str]:
    """Return the patterns of controls that fit nothing: with a mistyped one the code gets the machine's blame."""
    names = {name for one in reading.series for name in (one.key.subject, one.label)}
    return {f"control '{pattern}'": why for pattern, why in without_match(controls, names).items()}
