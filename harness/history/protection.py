"""Which records a history must not lose: those that tell where something changed, and what was accepted."""

from collections.abc import Iterator
from dataclasses import replace

from harness.history.series import read_series
from harness.history.store import History
from harness.history.trend import judge_trend
from harness.history_model import Series

_WINDOW = 1_000
"""Points that are searched at a time. Windows overlap by half: a change at an edge of one is inside another."""


def protected_records(history: History, *, now_s: float) -> dict[str, str]:
    """
    Return the records on both sides of each change of any series, and the accepted ones.

    Args:
        history: from `open_history`.
        now_s: the present [s since the Unix epoch].

    Returns:
        Id → why it stays.

    Raises:
        HarnessError: the history can't be read.
    """
    protected: dict[str, str] = {}
    windows = [part for series in read_series(history, now_s=now_s).series for part in _windows(series)]
    for trend in judge_trend(windows, now_s=now_s).series:
        points = trend.series.points
        for change in trend.changes:
            why = f"an edge of a segment of {trend.series.label}"
            edges = {points[max(0, change.index - 1)].record, points[min(change.index, len(points) - 1)].record}
            for record_id in edges | {change.last_before, change.first_after}:
                protected.setdefault(record_id, why)
    for acceptance in history.acceptances():
        protected[acceptance.record] = f"accepted: {acceptance.reason}"
    return protected


def _windows(series: Series) -> Iterator[Series]:
    points = series.points
    for start in range(0, max(1, len(points) - _WINDOW // 2), _WINDOW // 2):
        yield replace(series, points=points[start : start + _WINDOW])
