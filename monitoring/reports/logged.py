"""The log analysis as a section of the report."""

from monitoring.loganalysis import LogAnalysis
from monitoring.reports.document import Column, Section, Table, counts, moment, ms, number

_MOST_ROWS = 10


def log_section(logs: LogAnalysis) -> Section:
    """Return what the log files say, with tables only for what there is."""
    by_status = [(str(status), count) for status, count in logs.by_status.items()]
    lines = [f"{logs.requests:,} requests logged; by status: {counts(by_status)}."]
    if logs.messages:
        lines.append(
            f"{logs.messages:,} messages of the application; by level: {counts(list(logs.by_level.items()))}."
        )
    if logs.query_coverage.lines:
        lines.append(
            f"{logs.queries:,} statements logged, {logs.slow_queries:,} slow and {logs.failed_queries:,} failed."
        )
    tables = (_errors(logs), _routes(logs), _statements(logs), _agents(logs))
    return Section(
        title="Log analysis", lines=tuple(lines), tables=tuple(table for table in tables if table is not None)
    )


def _errors(logs: LogAnalysis) -> Table | None:
    rows = tuple(
        (number(one.count), one.source, moment(one.first), moment(one.last), one.where, one.text)
        for one in logs.top_errors[:_MOST_ROWS]
    )
    columns = (
        Column(title="count"),
        Column(title="from", kind="text"),
        Column(title="first", kind="text"),
        Column(title="last", kind="text"),
        Column(title="where", kind="code"),
        Column(title="error", kind="code"),
    )
    return Table(caption="Top errors", columns=columns, rows=rows) if rows else None


def _routes(logs: LogAnalysis) -> Table | None:
    rows = tuple(
        (
            number(one.count),
            *(_ms(value) for value in (one.p50_s, one.p95_s, one.p99_s, one.max_s)),
            number(one.server_errors),
            number(one.client_errors),
            f"{one.method} {one.route}",
        )
        for one in logs.slowest_routes[:_MOST_ROWS]
    )
    columns = (
        Column(title="requests"),
        Column(title="p50 ms"),
        Column(title="p95"),
        Column(title="p99"),
        Column(title="max"),
        Column(title="5xx"),
        Column(title="4xx"),
        Column(title="endpoint", kind="code"),
    )
    return Table(caption="Slowest endpoints, by p95", columns=columns, rows=rows) if rows else None


def _statements(logs: LogAnalysis) -> Table | None:
    rows = tuple(
        (
            number(one.count),
            *(_ms(value) for value in (one.p50_s, one.p95_s, one.max_s)),
            number(one.slow),
            number(one.errors),
            ", ".join(one.routes),
            one.statement,
        )
        for one in logs.slowest_statements[:_MOST_ROWS]
    )
    columns = (
        Column(title="n"),
        Column(title="p50 ms"),
        Column(title="p95"),
        Column(title="max"),
        Column(title="slow"),
        Column(title="errors"),
        Column(title="routes", kind="code"),
        Column(title="statement", kind="code"),
    )
    return Table(caption="Slowest statements, by p95", columns=columns, rows=rows) if rows else None


def _agents(logs: LogAnalysis) -> Table | None:
    rows = tuple(
        (
            number(one.count),
            number(one.server_errors),
            number(one.client_errors),
            counts([(str(status), count) for status, count in one.by_status.items()]),
            one.agent,
        )
        for one in logs.errors_by_agent[:_MOST_ROWS]
    )
    columns = (
        Column(title="requests"),
        Column(title="5xx"),
        Column(title="4xx"),
        Column(title="by status", kind="text"),
        Column(title="agent", kind="code"),
    )
    return Table(caption="Agents that met errors", columns=columns, rows=rows) if rows else None


def _ms(value_s: float | None) -> str:
    return ms(None if value_s is None else value_s * 1e3)
