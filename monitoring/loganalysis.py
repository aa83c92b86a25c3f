"""
What the log files say about a window: counts, errors and what was slow, from one pass over them.

It is the part of a report that needs neither a running service nor its store: copied files do. Every figure is
about what the files held, and the two coverages say how much of the window that was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitoring.logs.figures import AgentFigures, ErrorFigures, PollingFigures, RouteFigures, StatementFigures
from monitoring.logs.files import size_on_disk
from monitoring.logs.folds import ErrorFold, QueryFold, RequestFold
from monitoring.logs.reader import Coverage, LogReading, LogRow, QueryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnalysis:
    """
    The log analysis of a report.

    Args:
        since: begin of the window asked for; None for no bound.
        until: its end; None for no bound.
        requests: lines about requests.
        by_status: status to count, ascending.
        by_route: ``METHOD route`` to count, most first.
        messages: lines that the application logged.
        by_level: level of these to count, most first.
        slowest_routes: by p95.
        queries: lines about statements.
        slow_queries: of these, above the slow-query threshold.
        failed_queries: of these, raised.
        slowest_statements: by p95.
        top_errors: by count, from requests, messages and statements.
        errors_by_agent: by count of errors.
        agents: by count of requests.
        request_coverage: what the request log held.
        query_coverage: what the query log held.
    """

    since: datetime | None
    until: datetime | None
    requests: int
    by_status: dict[int, int]
    by_route: dict[str, int]
    messages: int
    by_level: dict[str, int]
    slowest_routes: tuple[RouteFigures, ...]
    queries: int
    slow_queries: int
    failed_queries: int
    slowest_statements: tuple[StatementFigures, ...]
    top_errors: tuple[ErrorFigures, ...]
    errors_by_agent: tuple[AgentFigures, ...]
    agents: tuple[PollingFigures, ...]
    request_coverage: Coverage
    query_coverage: Coverage

    @property
    def errors_by_status(self) -> dict[int, int]:
        """Statuses of 400 and above to count, ascending."""
        return {status: count for status, count in self.by_status.items() if status >= 400}

    @property
    def server_error_ratio(self) -> float | None:
        """Answers of 500 and above among all, 0..1; None without requests."""
        if self.requests == 0:
            return None
        return sum(count for status, count in self.by_status.items() if status >= 500) / self.requests


def analyse_logs(
    request_log: Path,
    query_log: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    top: int = 10,
    on_progress: Callable[[int, int], object] | None = None,
) -> LogAnalysis:
    """
    Read both logs once, with their rotated and compressed files.

    Args:
        request_log: the current file, such as ``logs/master-backend.log``; may be missing.
        query_log: the current file, such as ``logs/database-queries.log``; may be missing.
        since: earliest time wanted, aware, inclusive; None for no bound.
        until: latest time wanted, aware, inclusive; None for no bound.
        top: how many routes, statements, kinds of errors and agents are listed [≥ 0].
        on_progress: called every hundred kilobytes or so with what has been read and what there is [bytes].

    Raises:
        ValueError: a bound without a time zone.
    """
    errors = ErrorFold()
    requests, queries = RequestFold(errors), QueryFold(errors)
    request_reading = LogReading(request_log, LogRow, since=since, until=until)
    query_reading = LogReading(query_log, QueryRow, since=since, until=until)
    tell = on_progress or (lambda _done, _total: None)
    ahead = size_on_disk(query_log)
    for rows in request_reading:
        requests.add(rows)
        tell(request_reading.bytes_done, request_reading.bytes_total + ahead)
    behind = request_reading.bytes_done
    for statements in query_reading:
        queries.add(statements)
        tell(behind + query_reading.bytes_done, behind + query_reading.bytes_total)
    return LogAnalysis(
        since=since,
        until=until,
        requests=requests.requests,
        by_status=requests.by_status,
        by_route=requests.by_route,
        messages=requests.messages,
        by_level=requests.by_level,
        slowest_routes=requests.slowest_routes(top),
        queries=queries.queries,
        slow_queries=queries.slow,
        failed_queries=queries.failed,
        slowest_statements=queries.slowest_statements(top),
        top_errors=errors.top(top),
        errors_by_agent=requests.errors_by_agent(top),
        agents=requests.agents(top),
        request_coverage=request_reading.coverage,
        query_coverage=query_reading.coverage,
    )
