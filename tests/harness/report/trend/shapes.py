"""Every shape of data that a chart has to bear, by name."""

import math
from dataclasses import replace

from harness.history_model import Cause, ChangeKind, Note, SeriesTrend
from tests.harness.trends import (
    BEGIN_S,
    DAY_S,
    judged,
    noisy,
    note,
    quantile_trio,
    record_id,
    series_of_values,
)

NOTES = (
    note(1.5, "v1.4.0", is_release=True),
    note(1.7, "a note with a very long text that fits nowhere at all, <b>bold</b>"),
    note(3.5, "v1.5.0", is_release=True),
    note(1e6, "after everything"),
)


def _stepped(n: int, *, at: int, factor: float = 1.12, seed: int = 5) -> list[float]:
    return [value * (factor if i >= at else 1.0) for i, value in enumerate(noisy(n, 0.0113, seed=seed))]


def _gaps() -> SeriesTrend:
    times = [BEGIN_S + i * DAY_S + (25 * DAY_S if i > 30 else 0.0) for i in range(80)]
    values = _stepped(80, at=50)
    values[20], values[66] = 0.2, values[66] * 1.3
    lost = {record_id(900, times[30] + DAY_S * (i + 1)): "no value" for i in range(3)}
    series = series_of_values(values, times_s=times, limit=0.013, left_out=lost)
    return judged(series, [(50, "confirmed"), (76, "suspected")], outliers=[20, 66])


def _many_changes() -> SeriesTrend:
    values = [0.01 * (1 + 0.3 * (i // 6 % 2)) for i in range(120)]
    return judged(series_of_values(values), [(i, "confirmed" if i % 4 else "suspected") for i in range(6, 120, 6)])


def _drifting() -> SeriesTrend:
    values = [0.01 * (1 + 0.004 * i) for i in range(60)]
    trend = judged(series_of_values(values), [(20, "confirmed")], kind=ChangeKind.DRIFT)
    segments = tuple(replace(one, slope_per_point=4e-5) for one in trend.segments)
    return replace(trend, segments=segments)


ERRORS = [0.0 if i % 3 else 0.0003 * (i % 7) ** 2 for i in range(60)]

SHAPES: dict[str, tuple[SeriesTrend, ...]] = {
    "three quantiles": quantile_trio(),
    "one run": quantile_trio(1, at=None),
    "two runs": quantile_trio(2, at=None),
    "five runs": quantile_trio(5, at=None),
    "five runs, a suspicion": quantile_trio(5, at=3, state="suspected"),
    "two thousand runs": quantile_trio(2000, at=1400),
    "gaps, outliers and lost runs": (_gaps(),),
    "many changes": (_many_changes(),),
    "drift": (_drifting(),),
    "change at the first and the last run": (
        judged(series_of_values(noisy(40, 1.0)), [(1, "confirmed"), (39, "suspected")]),
    ),
    "constant": (judged(series_of_values([0.1] * 40, metric="poll_rate", quantile=0, unit="per_s")),),
    "only zeros": (judged(series_of_values([0.0] * 40, metric="pool_wait", quantile=0, interval_ratio=None)),),
    "zeros among others": (
        judged(series_of_values(ERRORS, metric="error_ratio", quantile=0, unit="ratio", limit=0.01)),
    ),
    "nine decades": (judged(series_of_values([10.0 ** (i % 10 - 8) for i in range(40)])),),
    "nanoseconds": (judged(series_of_values(noisy(30, 3.3e-7), metric="benchmark", quantile=0)),),
    "hours": (judged(series_of_values(noisy(30, 9000.0), metric="soak", quantile=0)),),
    "bytes": (judged(series_of_values(noisy(30, 9.6e7), metric="rss", quantile=0, unit="bytes")),),
    "below zero": (judged(series_of_values([i - 20.0 for i in range(40)], metric="skew", quantile=0, unit="mm")),),
    "strange unit": (
        judged(series_of_values(noisy(30, 5.0), metric="x", quantile=0, unit="furlong per fortnight")),
    ),
    "no commits": (judged(series_of_values(_stepped(40, at=20), commits=False), [(20, "confirmed")]),),
    "all at one time": (judged(series_of_values(noisy(6, 1.0), times_s=[BEGIN_S] * 6)),),
    "thirty years": (
        judged(series_of_values(noisy(40, 1.0), times_s=[BEGIN_S + i * 300 * DAY_S for i in range(40)])),
    ),
    "a minute": (judged(series_of_values(noisy(20, 1.0), times_s=[BEGIN_S + 3.0 * i for i in range(20)])),),
    "hostile names": (
        judged(
            series_of_values(
                noisy(30, 1.0),
                subject="<script>alert(1)</script>\x1b[31m \U0001f600 $x^2$ " + "W" * 200,
                metric="a_<b>",
            ),
            [(15, "confirmed")],
            accepted="<img src=x onerror=y>",
        ),
    ),
    "the machine moved": (
        judged(series_of_values(_stepped(40, at=20)), [(20, "confirmed")], cause=Cause.ENVIRONMENT),
    ),
    "spread": (judged(series_of_values(noisy(40, 1.0)), [(20, "confirmed")], kind=ChangeKind.VARIANCE),),
    "huge outlier": (judged(series_of_values([*noisy(30, 0.01), 1e6, *noisy(30, 0.01, seed=2)]), outliers=[30]),),
    "limit far above": (judged(series_of_values(noisy(30, 0.01), limit=50.0)),),
    "limits that moved": (
        judged(
            replace(
                (series := series_of_values(noisy(40, 0.01))),
                points=tuple(replace(p, limit=0.011 if i < 20 else 0.0105) for i, p in enumerate(series.points)),
            )
        ),
    ),
}


def notes_for(name: str) -> tuple[Note, ...]:
    """Return the notes of a shape: one without gaps in its days has them all."""
    return NOTES if not name.startswith(("all at", "thirty", "a minute")) else ()


def is_finite(value: float) -> bool:
    """Tell whether a coordinate can be drawn."""
    return math.isfinite(value)
