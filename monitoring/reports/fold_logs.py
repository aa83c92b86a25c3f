"""From the log analysis to a report's figures, when there is nothing better. Pure."""

from collections.abc import Sequence

from monitoring.loganalysis import LogAnalysis
from monitoring.reports.fold import agents_of, ms_of, per_s, ratio
from monitoring.reports.records import Agent, Agents, Endpoint, Errors, Figures, Statement, Timing, Totals, Window


def figures_of_logs(logs: LogAnalysis, window: Window) -> Figures:
    """
    Return what the logs say, when there is nothing better.

    Quantiles over several routes can't be made of the routes' own, so those of the totals are known only when
    there is one route.

    Args:
        logs: the analysis, with all routes, statements and agents in it.
        window: the part of the window that the request log covers.
    """
    endpoints = tuple(
        Endpoint(
            method=one.method,
            route=one.route,
            total_requests=one.count,
            requests_per_second=per_s(one.count, window.length_s),
            response_time=Timing(
                count=one.count,
                mean_ms=ms_of(one.mean_s),
                p50_ms=ms_of(one.p50_s),
                p95_ms=ms_of(one.p95_s),
                p99_ms=ms_of(one.p99_s),
                max_ms=ms_of(one.max_s),
            ),
            error_rate=ratio(one.server_errors, one.count),
            client_error_rate=ratio(one.client_errors, one.count),
        )
        for one in sorted(logs.slowest_routes, key=lambda one: (-one.count, one.route, one.method))
    )
    server_errors = sum(count for status, count in logs.by_status.items() if status >= 500)
    return Figures(
        window=window,
        totals=Totals(
            total_requests=logs.requests,
            requests_per_second=per_s(logs.requests, window.length_s),
            response_time=_over_routes(endpoints),
            error_rate=ratio(server_errors, logs.requests),
            client_error_rate=ratio(sum(logs.errors_by_status.values()) - server_errors, logs.requests),
            errors=Errors(by_status={str(status): n for status, n in logs.errors_by_status.items()}),
        ),
        endpoints=endpoints,
        statements=_logged_statements(logs) if logs.query_coverage.lines else None,
        agents=_logged_agents(logs),
    )


def _over_routes(endpoints: Sequence[Endpoint]) -> Timing:
    if len(endpoints) == 1:
        return endpoints[0].response_time
    times = [one.response_time for one in endpoints if one.response_time.mean_ms is not None]
    n = sum(one.count for one in times)
    return Timing(
        count=n,
        mean_ms=sum((one.mean_ms or 0.0) * one.count for one in times) / n if n else None,
        max_ms=max((one.max_ms for one in times if one.max_ms is not None), default=None),
    )


def _logged_agents(logs: LogAnalysis) -> Agents:
    return agents_of(
        [
            Agent(
                agent=one.agent,
                requests=one.count,
                errors=one.errors,
                first_seen=one.first,
                last_seen=one.last,
                # A clock that was set back may have turned the two round.
                interval_s=max(0.0, (one.last - one.first).total_seconds()) / (one.count - 1)
                if one.count > 1
                else None,
            )
            for one in logs.agents
        ]
    )


def _logged_statements(logs: LogAnalysis) -> tuple[Statement, ...]:
    found = [
        Statement(
            statement=one.statement,
            total_ms=one.total_s * 1e3,
            duration=Timing(
                count=one.count,
                mean_ms=one.total_s / one.count * 1e3 if one.count else None,
                p50_ms=ms_of(one.p50_s),
                p95_ms=ms_of(one.p95_s),
                max_ms=ms_of(one.max_s),
            ),
            slow=one.slow,
            errors=one.errors,
        )
        for one in logs.slowest_statements
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.statement)))
