"""The series that the gallery shows: public ones with documented changes, and made-up ones for the rest."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.history.trend import judge_trend
from harness.history_model import HISTORY_SCHEMA_VERSION, Note, Point, Series, SeriesKey, SeriesTrend
from harness.model import PENDING_ROUTE, Direction

ROOT = Path(__file__).resolve().parent.parent.parent
DAY_S = 86_400.0
BEGIN_S = datetime(2026, 8, 3, 3, 0, tzinfo=UTC).timestamp()
SCENARIO = "agent-polling@9b2e41"


def series(
    values: Sequence[float],
    *,
    subject: str = PENDING_ROUTE,
    metric: str = "response_time",
    quantile: float = 0.0,
    unit: str = "s",
    times_s: Sequence[float] | None = None,
    commits: Sequence[str] | None = None,
    interval_ratio: float = 0.0,
    limit: float | None = None,
    **other: object,
) -> Series:
    """Return a series of a run a night with these values."""
    times = times_s or [BEGIN_S + i * DAY_S for i in range(len(values))]
    names = commits or [f"{(i * 2654435761 + 97) % 2**32:08x}" for i in range(len(values))]
    points = tuple(
        Point(
            record=f"{datetime.fromtimestamp(at_s, UTC):%Y%m%dT%H%M%SZ}-{i:04x}",
            at_s=at_s,
            value=value,
            low=value * (1 - interval_ratio) if interval_ratio else None,
            high=value * (1 + interval_ratio) if interval_ratio else None,
            commit=commit or None,
            limit=limit,
        )
        for i, (value, at_s, commit) in enumerate(zip(values, times, names, strict=True))
    )
    key = SeriesKey(
        subject=subject, metric=metric, quantile=quantile, scenario=SCENARIO, environment_key="5c1d7ab2"
    )
    label = " ".join(part for part in (subject, metric, f"p{quantile * 100:g}" if quantile else "") if part)
    made = Series(key=key, label=label, unit=unit, direction=Direction.BELOW, points=points, left_out={})
    return replace(made, **other)  # type: ignore[arg-type]


def judged(*wanted: Series) -> tuple[SeriesTrend, ...]:
    """Judge series together, as `harness trend` does."""
    newest_s = max(point.at_s for one in wanted for point in one.points)
    return judge_trend(wanted, now_s=newest_s).series


def noisy(n: int, level: float, *, spread: float = 0.03, seed: int) -> list[float]:
    """Return n lognormal values about a level."""
    return [float(v) for v in level * np.exp(np.random.default_rng(seed).normal(0.0, spread, n))]


def stepped(values: Iterable[float], *, at: int, factor: float) -> list[float]:
    """Return the values with a step."""
    return [value * (factor if i >= at else 1.0) for i, value in enumerate(values)]


def note(day: float, text: str, *, is_release: bool = False) -> Note:
    """Return a note so many nights after the first run."""
    at = datetime.fromtimestamp(BEGIN_S + day * DAY_S, UTC)
    return Note(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=f"{at:%Y%m%dT%H%M%SZ}-note",
        at_utc=at.isoformat(),
        text=text,
        is_release=is_release,
    )


NOTES = (note(14, "v1.4.0", is_release=True), note(33.5, "new database host"), note(60, "v1.5.0", is_release=True))


def quantiles(n: int = 90, *, at: int = 63, seed: int = 11) -> tuple[Series, ...]:
    """Return p50, p95 and p99 of the polls: the two upper ones step up."""
    levels = ((0.5, 0.0041, 0.05, 1.0), (0.95, 0.0113, 0.2, 1.14), (0.99, 0.0214, 0.5, 1.19))
    return tuple(
        series(
            stepped(noisy(n, level, seed=seed + i), at=at, factor=factor),
            quantile=q,
            limit=limit,
            interval_ratio=0.03 + 0.03 * i,
        )
        for i, (q, level, limit, factor) in enumerate(levels)
    )


def public(name: str, title: str, unit: str = "") -> Series:
    """Return a series of `tests/data/changepoints`."""
    stored = json.loads((ROOT / "tests" / "data" / "changepoints" / f"{name}.json").read_text(encoding="utf-8"))
    values = [float(value) for value in stored["values"]]
    return series(values, subject=title, metric="public_series", unit=unit, commits=[""] * len(values))


def hdf5_pair(benchmark: str = "") -> tuple[Series, Series]:
    """
    Return HDF5's development branch, and its frozen release as the control.

    Args:
        benchmark: "" for that of many data sets, ``cmpd_subset`` or ``efc_no``. Runs without it are left out.
    """
    path = ROOT / "docs" / "gallery" / "data" / "hdf5.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def column(name: str, subject: str, *, control: bool) -> Series:
        told = [row for row in rows if row[name]]
        made = series(
            [float(row[name]) for row in told],
            subject=subject,
            metric="benchmark",
            times_s=[datetime.fromisoformat(row["at_utc"]).timestamp() for row in told],
            commits=[row["commit"] for row in told],
            control=control,
        )
        # Of one job the same id, whichever benchmarks it left out.
        pairs = zip(made.points, told, strict=True)
        return replace(made, points=tuple(replace(point, record=row["at_utc"]) for point, row in pairs))

    column_of, named = (f"{benchmark}_", f" {benchmark}") if benchmark else ("", "")
    return (
        column(f"{column_of}develop_s", f"HDF5{named} develop", control=False),
        column(f"{column_of}release_1146_s", f"HDF5{named} 1.14.6, frozen", control=True),
    )
