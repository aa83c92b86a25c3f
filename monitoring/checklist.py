"""
The daily and the weekly checklist: each item with its figure, its limit and an outcome.

A pure function from a report to a `Checklist`. An item that can't be answered is ``unknown``, and unknown is not
pass: what was not looked at is said, with what would answer it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from monitoring.reports.document import Column, Document, Section, Table, change, ms, percent, rate, span
from monitoring.reports.fold import FEWEST_REQUESTS, told
from monitoring.reports.limits import CheckLimits, needed
from monitoring.reports.records import Agent, Agents, Endpoint, Pool, Report, Window

SCHEMA_VERSION = 1
"""Of the JSON form."""

Status = Literal["pass", "warn", "fail", "unknown"]
Period = Literal["daily", "weekly"]

HOURS: dict[Period, float] = {"daily": 24.0, "weekly": 7 * 24.0}

_HELD_ENOUGH = 0.95
_BEFORE_ENOUGH = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """
    One line of the checklist.

    Args:
        name: short and stable, for scripts.
        question: what is checked.
        status: the outcome.
        figure: the measured value as text; ``?`` when unknown.
        value: the same as a number, in the unit of the limit; None when unknown.
        limit: the limit as text; empty for none.
        note: what the reader has to know: which agent, which statement, why it is unknown, what to do.
    """

    name: str
    question: str
    status: Status
    figure: str
    value: float | None
    limit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    """
    What a look into the database found about the indexes.

    Args:
        status: the outcome.
        present: how many of the indexes are there, on the right columns.
        expected: how many should be.
        note: which are not, and whether the pending query uses its own.
    """

    status: Status
    present: int
    expected: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checklist:
    """
    A checklist gone through.

    Args:
        kind: always ``monitoring-checklist``.
        schema_version: of this form.
        period: which list.
        service: name of the service.
        window: the window looked at.
        status: the worst of all: fail, else unknown, else warn, else pass.
        items: in the order of the list.
    """

    kind: str = "monitoring-checklist"
    schema_version: int = SCHEMA_VERSION
    period: Period
    service: str
    window: Window
    status: Status
    items: tuple[Item, ...]

    @property
    def exit_code(self) -> int:
        """0 when every item passed or warns, 3 when one failed, 4 when none failed but one is unknown."""
        return {"pass": 0, "warn": 0, "fail": 3, "unknown": 4}[self.status]


def check(
    report: Report, period: Period, *, limits: CheckLimits | None = None, indexes: IndexState | None = None
) -> Checklist:
    """
    Go through a checklist.

    Args:
        report: of the period's window.
        period: which list.
        limits: what to compare with; those of the specification by default.
        indexes: what a look into the database found; None when there was none.
    """
    limits = limits if limits is not None else CheckLimits()
    items = [_coverage(report), *_performance(report, limits), _log_errors(report)]
    if period == "weekly":
        items += [*_trends(report, limits), _indexes(indexes)]
    return Checklist(
        period=period,
        service=report.service,
        window=report.window,
        status=worst(item.status for item in items),
        items=tuple(items),
    )


def worst(statuses: Iterable[Status]) -> Status:
    """Return the worst: a failure, else something unknown, else a warning, else pass; unknown for none at all."""
    found = set(statuses)
    order: tuple[Status, ...] = ("fail", "unknown", "warn", "pass")
    return next((status for status in order if status in found), "unknown")


def _coverage(report: Report) -> Item:
    between = 0.0 if report.now is None else report.now.window.part_of(report.window)
    quiet = _quiet(report)
    ratio = max(0.0, between - sum(gap.part_of(report.window) for gap in quiet or ()))
    held, asked = span(ratio * report.window.length_s), span(report.window.length_s)
    status: Status = "unknown" if report.now is None else "pass" if ratio >= _HELD_ENOUGH else "warn"
    notes = [told(quiet)] if quiet else []
    if status != "pass":
        why = "" if notes and between >= _HELD_ENOUGH else ": the service was down, or not monitored"
        notes.insert(0, f"{held} of {asked} are held{why}")
    elif quiet is None:
        notes.append("gaps are not known to this source; the store tells of them")
    return Item(
        name="coverage",
        question="figures cover the window",
        status=status,
        figure=percent(ratio),
        value=ratio,
        limit=f"≥ {_HELD_ENOUGH:.0%}",
        note="; ".join(notes),
    )


def _quiet(report: Report) -> tuple[Window, ...] | None:
    """Return the gaps in the figures; None when their source doesn't tell."""
    found = (source.quiet for source in report.sources if source.name == report.figures_from)
    return next(found, None)


def _performance(report: Report, limits: CheckLimits) -> list[Item]:
    one = report.pending_now
    return [
        _polls(report, limits),
        _quantile("p50", one, 0.50, limits.p50_ms),
        _quantile("p95", one, 0.95, limits.p95_ms),
        _quantile("p99", one, 0.99, limits.p99_ms),
        _query_time(report, limits),
        _error_rate(report, limits),
        _pool_use(report, limits),
    ]


def _quantile(name: str, one: Endpoint | None, q: float, limit_ms: float) -> Item:
    timing = None if one is None else one.response_time
    n = 0 if timing is None else timing.count
    value = None if timing is None else getattr(timing, f"{name}_ms")
    status: Status
    if value is None or n < needed(q):
        status, note = "unknown", f"{n} requests, {needed(q)} are needed"
    else:
        status, note = ("pass" if value < limit_ms else "fail"), f"{n:,} requests"
    return Item(
        name=name,
        question=f"response time {name} of the pending endpoint",
        status=status,
        figure=_with_unit(value, "ms"),
        value=value,
        limit=f"< {limit_ms:g} ms",
        note=note,
    )


def _with_unit(value: float | None, unit: str) -> str:
    return ms(value) if value is None else f"{ms(value)} {unit}"


def too_fast(agents: Agents, limits: CheckLimits) -> list[tuple[float, Agent]]:
    """Return ``(interval [s], agent)`` of those that poll more often than they may, the fastest first."""
    least_s = 1 / limits.most_polls_per_s
    found = [
        (one.interval_s, one)
        for one in agents.listed
        if one.interval_s is not None and one.interval_s < least_s and one.requests >= FEWEST_REQUESTS
    ]
    return sorted(found, key=lambda pair: (pair[0], pair[1].agent))


def _polls(report: Report, limits: CheckLimits) -> Item:
    agents = None if report.now is None else report.now.agents
    fields = {
        "name": "polls-per-agent",
        "question": "polls per second of an agent, median",
        "limit": f"{limits.polls_per_s:g} ± {limits.interval_tolerance_ratio:.0%}",
    }
    if agents is None or agents.median_interval_s is None:
        why = (
            "the source does not tell agents apart; a report from the store does"
            if agents is None
            else f"no agent with {FEWEST_REQUESTS} requests"
        )
        return Item(**fields, status="unknown", figure="?", value=None, note=why)
    value = 1 / max(agents.median_interval_s, 1e-6)
    fast = too_fast(agents, limits)
    least = limits.polls_per_s * (1 - limits.interval_tolerance_ratio)
    status: Status = "fail" if value > limits.most_polls_per_s else "warn" if fast or value < least else "pass"
    note = f"{agents.seen:,} agents"
    if fast:
        named = ", ".join(f"{one.agent} each {span(interval_s)}" for interval_s, one in fast[:3])
        note += f", {len(fast):,} too fast: {named}"
    return Item(**fields, status=status, figure=rate(value), value=value, note=note)


def _query_time(report: Report, limits: CheckLimits) -> Item:
    one = report.pending_now
    limit = limits.query_p99_ms
    value, n = (None, 0) if one is None else (one.query_time.p99_ms, one.query_time.count)
    statements = () if report.now is None else report.now.statements or ()
    slowest = max(statements, key=lambda s: s.duration.p99_ms or s.duration.p95_ms or 0.0, default=None)
    status: Status = "unknown"
    note = f"{n:,} statements of the pending endpoint, {needed(0.99)} are needed"
    if value is not None and n >= needed(0.99):
        status, note = ("pass" if value < limit else "fail"), f"{n:,} statements of the pending endpoint"
    elif value is None and slowest is not None:
        # The log files know p95 and the longest of each statement: enough where both lie on one side.
        note = f"slowest statement: {_short(slowest.statement)}"
        value = slowest.duration.p95_ms
        longest = max(one.duration.max_ms or 0.0 for one in statements)
        status = "pass" if longest < limit else "fail" if (value or 0.0) >= limit else "unknown"
    slow_elsewhere = slowest is not None and (slowest.duration.p99_ms or 0.0) >= limit
    if status == "pass" and slow_elsewhere and slowest is not None:
        status = "warn"
        note = (
            f"p99 {ms(slowest.duration.p99_ms)} ms, {slowest.duration.count:,} times: {_short(slowest.statement)}"
        )
    return Item(
        name="query-time",
        question="time of a statement, p99",
        status=status,
        figure=_with_unit(value, "ms"),
        value=value,
        limit=f"< {limit:g} ms",
        note=note,
    )


def _error_rate(report: Report, limits: CheckLimits) -> Item:
    totals = None if report.now is None else report.now.totals
    one = report.pending_now
    rates = [part.error_rate for part in (totals, one) if part is not None and part.error_rate is not None]
    value = max(rates, default=None)
    n = 0 if totals is None else totals.total_requests
    status: Status
    if value is None or n < needed(1 - limits.error_ratio):
        status, note = "unknown", f"{n} requests, {needed(1 - limits.error_ratio)} are needed"
    else:
        status = "pass" if value < limits.error_ratio else "fail"
        note = f"{n:,} requests"
        if totals is not None and one is not None:
            note += f"; all endpoints {percent(totals.error_rate)}, the pending one {percent(one.error_rate)}"
    return Item(
        name="error-rate",
        question="error rate",
        status=status,
        figure=percent(value),
        value=value,
        limit=f"< {percent(limits.error_ratio)}",
        note=note,
    )


def _pool_use(report: Report, limits: CheckLimits) -> Item:
    pools = () if report.now is None else report.now.pools or ()
    value = max((pool.peak_usage_ratio for pool in pools if pool.peak_usage_ratio is not None), default=None)
    statuses = [_pool_status(pool, limits) for pool in pools]
    notes = [note for pool in pools if (note := _pool_note(pool))]
    return Item(
        name="pool-use",
        question="connection pool, use at its peak",
        status=worst(statuses),
        figure=percent(value),
        value=value,
        limit=f"< {limits.pool_usage_ratio:.0%}",
        note="; ".join(notes) or ("" if pools else "no pool was watched"),
    )


def _pool_status(pool: Pool, limits: CheckLimits) -> Status:
    if pool.timeouts or (pool.peak_usage_ratio or 0.0) >= limits.pool_usage_ratio:
        return "fail"
    if pool.peak_usage_ratio is None and pool.pool_class is None:
        return "unknown"
    return "warn" if pool.leaks else "pass"


def _pool_note(pool: Pool) -> str:
    parts = []
    if pool.timeouts:
        parts.append(f"{pool.timeouts:,} time-outs")
    if pool.leaks:
        parts.append(f"{pool.leaks:,} possible leaks")
    if pool.capacity is None:
        parts.append("its size is not known" if pool.pool_class is None else "without a bound")
    else:
        parts.append(f"{pool.peak_checked_out} of {pool.capacity}")
    return f"{pool.engine}: {', '.join(parts)}"


def _log_errors(report: Report) -> Item:
    logs = report.logs
    fields = {"name": "log-errors", "question": "errors in the log files", "limit": "0"}
    if logs is None:
        return Item(**fields, status="unknown", figure="?", value=None, note="no log file was read")
    requests = sum(count for status, count in logs.by_status.items() if status >= 500)
    messages = sum(logs.by_level.get(level, 0) for level in ("ERROR", "CRITICAL"))
    value = requests + messages + logs.failed_queries
    held = next((source.held_ratio for source in report.sources if source.name == "request log"), 0.0)
    status: Status
    if value:
        status = "warn"
        note = f"{requests:,} requests, {messages:,} messages, {logs.failed_queries:,} statements"
        if logs.top_errors:
            top = logs.top_errors[0]
            note += f"; most often ({top.count:,}): {_short(top.text)} at {top.where}"
    elif held >= _HELD_ENOUGH:
        status, note = "pass", ""
    else:
        part = f"{span(held * report.window.length_s)} of {span(report.window.length_s)} are held"
        clean = report.figures_from != "logs" and report.now is not None and report.now.totals.error_rate == 0
        status = "pass" if clean else "unknown"
        note = f"{part}; no server error in the figures of the rest" if clean else part
    return Item(**fields, status=status, figure=f"{value:,}", value=float(value), note=note)


def _trends(report: Report, limits: CheckLimits) -> list[Item]:
    now, past = report.pending_now, report.pending_before
    held = 0.0
    if report.before is not None and report.window.length_s:
        held = report.before.window.length_s / report.window.length_s
    items = []
    for name, q in (("p95", 0.95), ("p99", 0.99)):
        value = _growth(name, now, past, fewest=needed(q))
        status: Status = "unknown"
        if past is None or held < _BEFORE_ENOUGH:
            note = f"{percent(held)} of the week before is held"
        elif value is None:
            note = f"fewer than {needed(q)} requests in one of the weeks"
        else:
            status = "pass" if value <= limits.trend_ratio else "warn"
            note = ""
        if now is not None and past is not None:
            before, after = (getattr(one.response_time, f"{name}_ms") for one in (past, now))
            note = f"{ms(before)} to {ms(after)} ms" + (f"; {note}" if note else "")
        items.append(
            Item(
                name=f"{name}-trend",
                question=f"{name} of the pending endpoint against the week before",
                status=status,
                figure=change(value),
                value=value,
                limit=f"≤ {limits.trend_ratio:+.0%}",
                note=note,
            )
        )
    return items


def _growth(name: str, now: Endpoint | None, past: Endpoint | None, *, fewest: int) -> float | None:
    if now is None or past is None or min(now.response_time.count, past.response_time.count) < fewest:
        return None
    before, after = (getattr(one.response_time, f"{name}_ms") for one in (past, now))
    return after / before - 1 if before and after is not None else None


def _indexes(indexes: IndexState | None) -> Item:
    fields = {"name": "indexes", "question": "indexes are there and used", "limit": "all"}
    if indexes is None:
        note = "the database was not asked: give --database-url URL, or run harness indexes"
        return Item(**fields, status="unknown", figure="?", value=None, note=note)
    return Item(
        **fields,
        status=indexes.status,
        figure=f"{indexes.present} of {indexes.expected}",
        value=float(indexes.present),
        note=indexes.note,
    )


def _short(text: str, most: int = 90) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# ---- as a document

_SENTENCES = {
    "pass": "Every item passes.",
    "warn": "Nothing failed; some items want a look.",
    "fail": "Something failed.",
    "unknown": "Nothing failed, but not every item could be answered.",
}


def document(checklist: Checklist, *, version: str) -> Document:
    """Return the checklist as a document."""
    columns = (
        Column(title="outcome", kind="status"),
        Column(title="figure"),
        Column(title="limit"),
        Column(title="item", kind="text"),
        Column(title="note", kind="text"),
    )
    rows = tuple((item.status, item.figure, item.limit, item.question, item.note) for item in checklist.items)
    window = checklist.window
    return Document(
        title=f"Monitoring checklist, {checklist.period}: {checklist.service}",
        lead=(
            f"{window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC. {_SENTENCES[checklist.status]}",
        ),
        sections=(
            Section(title="Items", tables=(Table(caption="Each item and its limit", columns=columns, rows=rows),)),
        ),
        footer=f"Made by pollgauge {version}. ? is unknown, and unknown is not pass.",
        tone=checklist.status,
    )
