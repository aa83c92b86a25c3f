"""A trend as plain data for machines: every run once, every series with its points and what was found in them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from harness.history_model import HISTORY_SCHEMA_VERSION, Point, SeriesTrend, Trend
from harness.report.trend.words import trend_sentence


def trend_document(trend: Trend) -> dict[str, Any]:
    """
    Return a trend as what JSON can hold.

    ``runs`` has each run once; a point is ``[number of its run, value, low, high, limit]``, null where unknown.
    """
    points = {point.record: point for judged in trend.series for point in judged.series.points}
    numbers = {record: i for i, record in enumerate(points)}
    return {
        "schema_version": HISTORY_SCHEMA_VERSION,
        "status": trend.status.value,
        "sentence": trend_sentence(trend),
        "runs": [_run(point) for point in points.values()],
        "series": [_series(judged, numbers) for judged in trend.series],
        "notes": msgspec.to_builtins(trend.notes),
        "stale": list(trend.stale),
        "left_out": dict(trend.left_out),
    }


def _run(point: Point) -> dict[str, Any]:
    return {
        "id": point.record,
        "at_s": point.at_s,
        "commit": point.commit,
        "dirty": point.dirty,
        "version": point.version,
        "status": None if point.status is None else point.status.value,
        "report": point.report,
    }


def _series(judged: SeriesTrend, numbers: Mapping[str, int]) -> dict[str, Any]:
    series = judged.series
    return {
        "label": series.label,
        "key": msgspec.to_builtins(series.key),
        "unit": series.unit,
        "direction": series.direction.value,
        "control": series.control,
        "points": [[numbers[p.record], p.value, p.low, p.high, p.limit] for p in series.points],
        "left_out": dict(series.left_out),
        "segments": msgspec.to_builtins(judged.segments),
        "changes": msgspec.to_builtins(judged.changes),
        "outliers": list(judged.outliers),
        "lag1": judged.lag1,
        "not_judged": judged.not_judged,
        "warnings": list(judged.warnings),
    }


def encode_trend(trend: Trend) -> bytes:
    """Return `trend_document` as JSON; what JSON has no number for is null."""
    return msgspec.json.encode(trend_document(trend))
