"""How series, changes and trends are put into words: shared by charts, page, terminal and index."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from harness.history_model import (
    Cause,
    Change,
    ChangeKind,
    ChangeState,
    Comparison,
    Point,
    Series,
    SeriesTrend,
    Trend,
)
from harness.model import Interval, Status
from harness.report.words import counted, ended, names, plain, value_text
from harness.units import format_duration, format_number, format_ratio

_METRICS = {
    "response_time": "Response time",
    "service_time": "Service time",
    "query_time": "Query time",
    "pool_wait": "Pool wait",
    "pool_use": "Pool use",
    "error_ratio": "Errors",
    "poll_rate": "Poll rate",
    "achieved_rate": "Achieved rate",
    "time_to_pickup": "Time to pickup",
    "capacity": "Capacity",
}


def value_of(value: float | None, unit: str) -> str:
    """Write a value of a series: as everywhere, and what the units of other tools bring besides."""
    if value is None:
        return "?"
    if unit == "s":
        return _duration(value)
    if unit == "bytes":
        size, name = next((one for one in _BYTES if abs(value) >= one[0]), _BYTES[-1])
        return f"{format_number(value / size)} {name}"
    if unit in {"count", "index"}:
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return value_text(value, unit).strip().replace("-", "−")


def _duration(value_s: float) -> str:
    if 0 < abs(value_s) < 1e-6:
        return f"{value_s * 1e9:.3g} ns"
    return format_duration(value_s) if value_s >= 0 else f"−{format_duration(-value_s)}"


_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))
_TRAILING_ZEROS = re.compile(r"(\.\d*?)0+(?=\D|$)")


def limit_of(limit: float, unit: str) -> str:
    """Write a limit of a series without needless zeros."""
    return _TRAILING_ZEROS.sub(lambda found: found.group(1).rstrip("."), value_of(limit, unit))


def metric_text(metric: str) -> str:
    """Write a metric's name for a heading."""
    return _METRICS.get(metric) or plain(metric.replace("_", " ")).capitalize()


def quantile_text(quantile: float) -> str:
    """Write a quantile: ``p95``, ``p99.9``; nothing for figures that are none."""
    return f"p{quantile * 100:.6g}" if quantile else ""


def compared_text(one: Comparison) -> str:
    """Name what was compared with a baseline: ``Response time p95``."""
    return f"{metric_text(one.metric)} {quantile_text(one.quantile or 0.0)}".strip()


def member_text(series: Series) -> str:
    """Name one series among those of the same chart."""
    return quantile_text(series.key.quantile) or metric_text(series.key.metric)


def commit_text(point: Point) -> str:
    """Write a run's commit, or its day where that is unknown: ``3fa9c1d``, ``3fa9c1d+`` with changes on top."""
    if point.commit:
        return plain(point.commit)[:7] + ("+" if point.dirty else "")
    return day_text(point.at_s)


def day_text(at_s: float) -> str:
    """Write the day of an instant, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def moment_text(at_s: float) -> str:
    """Write an instant to the minute, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")


def instant_s(at_utc: str) -> float | None:
    """Return an ISO 8601 instant as seconds since the Unix epoch, UTC without a zone; None for anything else."""
    try:
        at = datetime.fromisoformat(at_utc)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def signed_ratio(ratio: float | None) -> str:
    """Write a relative change: ``+12.3 %``, ``−4.1 %``; from threefold on as a factor."""
    if ratio is None:
        return "?"
    if ratio >= 2:
        return f"×{1 + ratio:.3g}"
    return f"{'−' if ratio < 0 else '+'}{format_ratio(abs(ratio))}"


def effect_text(change: Change, unit: str) -> str:
    """Write the size of a change; where there was nothing before, both values."""
    if change.kind is ChangeKind.VARIANCE:
        return f"spread {signed_ratio(change.effect_ratio)}"
    drift = "drift " * (change.kind is ChangeKind.DRIFT)
    if change.effect_ratio is None:
        return f"{drift}{value_of(change.before, unit)} to {value_of(change.after, unit)}"
    return f"{drift}{signed_ratio(change.effect_ratio)}"


def change_word(change: Change) -> str:
    """Say in one word what a change is to its reader."""
    if change.accepted is not None:
        return "accepted"
    if change.cause is Cause.ENVIRONMENT:
        return "machine"
    if change.state is ChangeState.SUSPECTED:
        return "suspected"
    if change.kind is ChangeKind.VARIANCE:
        return "spread"
    if change.fails:
        return "worse"
    return "was worse" if change.is_regression else "better"


def state_text(judged: SeriesTrend) -> str:
    """Say in a few words how a series stands: its gravest change that nobody accepted."""
    if judged.not_judged is not None:
        return "not judged"
    if not judged.changes:
        return "steady"
    gravest = max(judged.changes, key=lambda change: (_gravity(change), change.index))
    state = change_word(gravest)
    kind = "drift, " if gravest.kind is ChangeKind.DRIFT else ""
    return f"{kind}{state}"


def gravity(judged: SeriesTrend) -> int:
    """Rank a series: the larger, the sooner a person should look at it."""
    return max((_gravity(change) for change in judged.changes), default=0)


def gravest_change(members: Sequence[SeriesTrend]) -> tuple[SeriesTrend, Change] | None:
    """Return the change that a person should look at first, the latest of those alike, with its series."""
    found = [(judged, change) for judged in members for change in judged.changes]
    return max(found, key=lambda pair: (_gravity(pair[1]), pair[1].index), default=None)


def ranked_changes(trend: Trend) -> list[tuple[SeriesTrend, Change]]:
    """Return every change with its series: those to look at first in front, of those alike the latest."""
    found = [(judged, change) for judged in trend.series for change in judged.changes]
    return sorted(found, key=lambda pair: (-_gravity(pair[1]), -pair[0].series.points[pair[1].index].at_s))


def _gravity(change: Change) -> int:
    if change.fails:
        return 5
    if change.is_regression and change.state is ChangeState.SUSPECTED and change.accepted is None:
        return 4
    if change.accepted is not None:
        return 1
    return 3 if change.state is ChangeState.CONFIRMED else 2


def change_sentence(judged: SeriesTrend, change: Change) -> str:
    """Say what a change is: how large, from what to what, where, how sure, whose."""
    series = judged.series
    unit = series.unit
    verb = {ChangeKind.STEP: "stepped", ChangeKind.DRIFT: "drifted", ChangeKind.VARIANCE: "changed its spread"}
    sure = {ChangeState.CONFIRMED: "confirmed", ChangeState.SUSPECTED: "suspected only"}[change.state]
    what = f"from {value_of(change.before, unit)} to {value_of(change.after, unit)}"
    size = "" if change.effect_ratio is None else f" ({signed_ratio(change.effect_ratio)}"
    size += interval_clause(change.effect_interval) + ")" if size else ""
    whose = "a control, so it is" if series.control else "and the controls moved with it:"
    cause = f", {whose} the machine, not the code" if change.cause is Cause.ENVIRONMENT else ""
    accepted = "" if change.accepted is None else f", accepted: {plain(change.accepted, longest=120)}"
    told = f"{member_text(series)} {verb[change.kind]} {what}{size} {where_text(series, change)}"
    return f"{told}, {sure}{cause}{accepted}"


def interval_clause(interval: Interval | None) -> str:
    """Write the interval of a relative change as a clause to follow it."""
    if interval is None or (interval.low is None and interval.high is None):
        return ""
    if interval.low is None:
        return f", at most {signed_ratio(interval.high)}"
    if interval.high is None:
        return f", at least {signed_ratio(interval.low)}"
    return f", {signed_ratio(interval.low)} to {signed_ratio(interval.high)}"


def where_text(series: Series, change: Change) -> str:
    """Say between which runs a change lies."""
    by_id = {point.record: point for point in series.points}
    before, after = by_id.get(change.last_before), by_id.get(change.first_after)
    at = series.points[change.index]
    if before is None or after is None:
        return f"at {commit_text(at)}, {day_text(at.at_s)}"
    if before.commit and before.commit == after.commit and not (before.dirty or after.dirty):
        return f"between {moment_text(before.at_s)} and {moment_text(after.at_s)}, both of {commit_text(after)}"
    if before.commit and after.commit:
        return f"after {commit_text(before)} and up to {commit_text(after)}, {day_text(after.at_s)}"
    return f"after {moment_text(before.at_s)} and up to {moment_text(after.at_s)}"


def chart_caption(members: Sequence[SeriesTrend]) -> str:
    """Say in a sentence or three what a chart shows."""
    points = max((judged.series.points for judged in members), key=len)
    first, last = min(p.at_s for p in points), max(p.at_s for p in points)
    span = (
        f"on {day_text(first)}"
        if day_text(first) == day_text(last)
        else f"from {day_text(first)} to {day_text(last)}"
    )
    lead = f"{counted(len(points), 'run').capitalize()} {span}"
    found = [change_sentence(judged, change) for judged in members for change in judged.changes]
    not_judged = {judged.not_judged for judged in members if judged.not_judged}
    if found:
        told = "; ".join(found[:3])
        more = f"; and {counted(len(found) - 3, 'more change')}" if len(found) > 3 else ""
        return f"{lead}: {told}{more}.{_further(members)}"
    if len(not_judged) == 1 and all(judged.not_judged for judged in members):
        return f"{lead}; not searched for changes: {ended(next(iter(not_judged)))}{_further(members)}"
    return f"{lead}; no change was found.{_further(members)}"


def _further(members: Sequence[SeriesTrend]) -> str:
    told = []
    left_out = {record for judged in members for record in judged.series.left_out}
    outliers = {judged.series.points[i].record for judged in members for i in judged.outliers}
    if outliers:
        told.append(f"{counted(len(outliers), 'outlier')}")
    if left_out:
        told.append(f"{counted(len(left_out), 'run')} without a value")
    if any(judged.series.control for judged in members):
        told.append("a control: it tells of the machine, not of the code")
    return f" {ended(names(told).capitalize())}" if told else ""


def place_caption(judged: SeriesTrend, record: str) -> str:
    """Say where one run of a series stands among those of its segment."""
    series = judged.series
    index = next(i for i, point in enumerate(series.points) if point.record == record)
    segment = next(one for one in judged.segments if one.start <= index < one.end)
    value = value_of(series.points[index].value, series.unit)
    others = segment.end - segment.start - 1
    lead = f"{member_text(series)} of this run was {value}"
    beside = f"the median of its segment of {counted(segment.end - segment.start, 'run')} is"
    beside += f" {value_of(segment.median, series.unit)}"
    if others == 0:
        beside = "it is the first run of its segment"
    place = ""
    if segment.low is not None and segment.high is not None:
        low, high = value_of(segment.low, series.unit), value_of(segment.high, series.unit)
        at = series.points[index].value
        side = "within" if segment.low <= at <= segment.high else "above" if at > segment.high else "below"
        place = f", and it lies {side} where single runs of it are expected, {low} to {high}"
    changed = [change for change in judged.changes if change.index == segment.start]
    since = f" The segment began {where_text(series, changed[-1])}." if changed else ""
    return f"{lead}; {beside}{place}.{since}"


def trend_sentence(trend: Trend) -> str:
    """Say in one sentence or two how all series stand."""
    if not trend.series:
        return "There is no series to show."
    judged = [one for one in trend.series if one.not_judged is None]
    if not judged:
        return f"Of {len(trend.series):,} series none could be judged."
    worse = [one for one in judged if any(change.fails for change in one.changes)]
    suspected = [one for one in judged if state_text(one).endswith("suspected")]
    rest = len(trend.series) - len(judged)
    of_all = f"{len(judged)} judged series"
    if worse:
        named = names(plain(one.series.label, longest=60) for one in worse[:3])
        more = f" and {len(worse) - 3} more" if len(worse) > 3 else ""
        lead = (
            f"{named}{more} became worse, {len(worse)} of {of_all}."
            if len(judged) > 1
            else f"{named} became worse."
        )
    else:
        lead = f"No confirmed regression in {of_all}."
    if suspected:
        lead += f" {len(suspected)} suspected."
    return lead + (f" {rest} could not be judged." if rest else "")


STATUS_WORDS = {
    Status.PASS: "No regression",
    Status.FAIL: "Regression",
    Status.INCONCLUSIVE: "Nothing judged",
    Status.INVALID: "Invalid",
}
