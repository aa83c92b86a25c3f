"""Trends to draw: planted series with the findings that a judge would make of them, stated by hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from harness.history_model import (
    HISTORY_SCHEMA_VERSION,
    Cause,
    Change,
    ChangeKind,
    ChangeState,
    HistoryRecord,
    Metric,
    Note,
    Point,
    Segment,
    Series,
    SeriesKey,
    SeriesTrend,
    Trend,
)
from harness.model import PENDING_ROUTE, Direction, Interval, Status

DAY_S = 86400.0
BEGIN_S = datetime(2026, 8, 1, 3, 0, tzinfo=UTC).timestamp()


def record_id(i: int, at_s: float | None = None) -> str:
    """Return the id of the i-th run."""
    at = datetime.fromtimestamp(BEGIN_S + i * DAY_S if at_s is None else at_s, UTC)
    return f"{at:%Y%m%dT%H%M%SZ}-{i:04x}"


def series_of_values(
    values: Sequence[float],
    *,
    metric: str = "response_time",
    quantile: float = 0.95,
    unit: str = "s",
    subject: str = PENDING_ROUTE,
    interval_ratio: float | None = 0.04,
    limit: float | None = None,
    times_s: Sequence[float] | None = None,
    commits: bool = True,
    left_out: dict[str, str] | None = None,
    **other: object,
) -> Series:
    """Return a series of a run a day with these values."""
    times = [BEGIN_S + i * DAY_S for i in range(len(values))] if times_s is None else times_s
    points = tuple(
        Point(
            record=record_id(i, at_s),
            at_s=at_s,
            value=float(value),
            low=None if interval_ratio is None else float(value) * (1 - interval_ratio),
            high=None if interval_ratio is None else float(value) * (1 + interval_ratio),
            commit=f"{(i * 2654435761 + 97) % 2**32:08x}40fa" if commits else None,
            dirty=False,
            status=Status.PASS,
            report=f"runs/{record_id(i, at_s)}/report.html",
            limit=limit,
        )
        for i, (value, at_s) in enumerate(zip(values, times, strict=True))
    )
    key = SeriesKey(
        subject=subject,
        metric=metric,
        quantile=quantile,
        scenario="agent-polling@9b2e41",
        environment_key="5c1d7ab2",
    )
    name = f"p{quantile * 100:g} " if quantile else ""
    series = Series(
        key=key,
        label=f"{name}{metric.replace('_', ' ')} of {subject}",
        unit=unit,
        direction=Direction.BELOW,
        points=points,
        left_out=left_out or {},
    )
    return replace(series, **other)  # type: ignore[arg-type]


def judged(
    series: Series,
    changes: Sequence[tuple[int, str]] = (),
    *,
    outliers: Sequence[int] = (),
    accepted: str | None = None,
    cause: Cause = Cause.SUBJECT,
    kind: ChangeKind = ChangeKind.STEP,
    **other: object,
) -> SeriesTrend:
    """Return a series with changes at these indices: ``(index, "confirmed" or "suspected")``."""
    values = np.array([point.value for point in series.points])
    edges = [0, *(index for index, _ in changes), len(values)]
    segments = tuple(_segment(values, a, b, outliers) for a, b in pairwise(edges))
    found = tuple(
        _change(
            series,
            index,
            ChangeState(state),
            (segments[i], segments[i + 1]),
            accepted=accepted,
            cause=cause,
            kind=kind,
        )
        for i, (index, state) in enumerate(changes)
    )
    trend = SeriesTrend(
        series=series,
        segments=segments,
        changes=found,
        outliers=tuple(outliers),
        lag1=0.05,
        not_judged=None if len(values) >= 10 else f"{len(values)} runs, 10 are needed",
        warnings=(),
    )
    return replace(trend, **other)  # type: ignore[arg-type]


def _segment(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], a: int, b: int, outliers: Sequence[int]
) -> Segment:
    inside = np.array([values[i] for i in range(a, b) if i not in outliers] or values[a:b])
    median = float(np.median(inside))
    scale = 1.4826 * float(np.median(np.abs(inside - median)))
    few = len(inside) < 5
    return Segment(
        start=a,
        end=b,
        median=median,
        low=None if few else median - 3 * scale,
        high=None if few else median + 3 * scale,
    )


def _change(
    series: Series,
    index: int,
    state: ChangeState,
    sides: tuple[Segment, Segment],
    *,
    accepted: str | None,
    cause: Cause,
    kind: ChangeKind,
) -> Change:
    before, after = sides
    effect = None if before.median == 0 else after.median / before.median - 1
    worse = after.median > before.median
    return Change(
        index=index,
        kind=kind,
        state=state,
        cause=cause,
        before=before.median,
        after=after.median,
        effect_ratio=effect,
        effect_interval=None if effect is None else Interval(low=effect - 0.03, high=effect + 0.03),
        p_value=0.001 if state is ChangeState.CONFIRMED else 0.03,
        last_before=series.points[max(index - 2, 0)].record,
        first_after=series.points[min(index + 1, len(series.points) - 1)].record,
        is_regression=worse,
        accepted=accepted,
        fails=worse and accepted is None and cause is Cause.SUBJECT and state is ChangeState.CONFIRMED,
    )


def trend_of(*series: SeriesTrend, notes: Sequence[Note] = (), **other: object) -> Trend:
    """Return a trend of these series, failed when one of them has a confirmed regression."""
    grave = any(change.fails for one in series for change in one.changes)
    nothing = all(one.not_judged for one in series)
    status = Status.FAIL if grave else Status.INCONCLUSIVE if nothing else Status.PASS
    trend = Trend(status=status, series=series, notes=tuple(notes), stale=(), left_out={})
    return replace(trend, **other)  # type: ignore[arg-type]


def note(day: float, text: str, *, is_release: bool = False) -> Note:
    """Return a note so many days after the first run."""
    at = datetime.fromtimestamp(BEGIN_S + day * DAY_S, UTC)
    return Note(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=f"{at:%Y%m%dT%H%M%SZ}-note",
        at_utc=at.isoformat(),
        text=text,
        is_release=is_release,
    )


def noisy(n: int, level: float, *, noise_ratio: float = 0.03, seed: int = 0) -> list[float]:
    """Return n values about a level."""
    rng = np.random.default_rng(seed)
    return [float(value) for value in level * np.exp(rng.normal(0.0, noise_ratio, n))]


def quantile_trio(
    n: int = 60,
    *,
    at: int | None = 40,
    factor: float = 1.2,
    state: str = "confirmed",
    seed: int = 1,
    **other: object,
) -> tuple[SeriesTrend, ...]:
    """Return p50, p95 and p99 of one route, the last two with a step."""
    found = []
    for q, level, limit in ((0.5, 0.0041, 0.05), (0.95, 0.0113, 0.2), (0.99, 0.021, 0.5)):
        values = noisy(n, level, seed=seed + round(q * 100))
        steps = at is not None and q > 0.5
        if steps and at is not None:
            values = [value * (factor if i >= at else 1.0) for i, value in enumerate(values)]
        series = series_of_values(values, quantile=q, limit=limit, **other)  # type: ignore[arg-type]
        found.append(judged(series, [(at, state)] if steps and at is not None else []))
    return tuple(found)


def records_of(*series: Series) -> tuple[HistoryRecord, ...]:
    """Return one record a run with a figure of each series, as a history would hold them."""
    points = {point.record: point for one in series for point in one.points}
    return tuple(_record(point, series) for point in sorted(points.values(), key=lambda p: p.at_s))


def _record(point: Point, series: Sequence[Series]) -> HistoryRecord:
    at = datetime.fromtimestamp(point.at_s, UTC).isoformat().replace("+00:00", "Z")
    metrics = tuple(
        Metric(
            subject=one.key.subject,
            metric=one.key.metric,
            quantile=one.key.quantile or None,
            value=mine.value,
            unit=one.unit,
            direction=one.direction,
            interval=None if mine.low is None else Interval(low=mine.low, high=mine.high),
            limit=mine.limit,
        )
        for one in series
        for mine in one.points
        if mine.record == point.record
    )
    return HistoryRecord(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=point.record,
        at_utc=at,
        source="harness",
        commit=point.commit,
        commit_utc=at,
        dirty=point.dirty,
        environment_key="5c1d7ab2",
        environment={},
        scenario="agent-polling",
        scenario_digest="9b2e41",
        status=point.status,
        report=point.report,
        metrics=metrics,
    )
