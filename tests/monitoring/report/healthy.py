"""Records of a healthy day, so that a test names only what is wrong."""

from datetime import timedelta
from typing import Any

from monitoring.loganalysis import LogAnalysis
from monitoring.logs.figures import AgentFigures, ErrorFigures
from monitoring.logs.reader import Coverage
from monitoring.reports.records import (
    Agent,
    Agents,
    Endpoint,
    Errors,
    Figures,
    Pool,
    Report,
    Source,
    Spot,
    Statement,
    Timing,
    Totals,
)
from tests.monitoring.report.conftest import NOON, window
from tests.monitoring.report.past import PENDING, QUERY, ROUTE

DAY = window(-86400, 0)


def timing(count: int = 43_200, **changes: Any) -> Timing:
    fields: dict[str, Any] = {"mean_ms": 5.0, "p50_ms": 4.0, "p95_ms": 9.0, "p99_ms": 15.0, "max_ms": 60.0}
    return Timing(count=count, **fields | changes)


def totals(**changes: Any) -> Totals:
    return Totals(**_totals() | changes)


def _totals() -> dict[str, Any]:
    return {
        "total_requests": 43_200,
        "requests_per_second": 0.5,
        "response_time": timing(),
        "error_rate": 0.0,
        "client_error_rate": 0.0,
        "errors": Errors(),
    }


def endpoint(**changes: Any) -> Endpoint:
    fields = _totals() | {
        "method": "GET",
        "route": ROUTE,
        "database_time": timing(mean_ms=1.0),
        "query_time": timing(mean_ms=0.5, p50_ms=0.4, p95_ms=1.0, p99_ms=2.0, max_ms=9.0),
        "pool_wait": timing(mean_ms=0.1, p50_ms=0.1, p95_ms=0.2, p99_ms=0.3, max_ms=3.0),
        "queries_per_request": 1.0,
    }
    return Endpoint(**fields | changes)


def pool(**changes: Any) -> Pool:
    fields: dict[str, Any] = {
        "engine": "sqlite",
        "pool_class": "QueuePool",
        "capacity": 15,
        "checked_out": 0,
        "peak_checked_out": 3,
        "peak_usage_ratio": 0.2,
        "timeouts": 0,
        "wait": timing(mean_ms=0.1, p95_ms=0.2, max_ms=3.0),
        "hold": timing(mean_ms=2.0, p95_ms=4.0, max_ms=20.0),
        "created": 3,
        "invalidated": 0,
        "leaks": 0,
        "waiting": 0,
        "holders": (),
    }
    return Pool(**fields | changes)


def agent(name: str = "agent-0001", **changes: Any) -> Agent:
    fields: dict[str, Any] = {
        "requests": 8640,
        "errors": 0,
        "first_seen": NOON - timedelta(days=1),
        "last_seen": NOON - timedelta(seconds=3),
        "interval_s": 10.0,
    }
    return Agent(agent=name, **fields | changes)


def agents(*listed: Agent, **changes: Any) -> Agents:
    everyone = listed or tuple(agent(f"agent-{number:04d}") for number in range(1, 6))
    fields: dict[str, Any] = {"seen": len(everyone), "median_interval_s": 10.0}
    return Agents(listed=everyone, **fields | changes)


def statement(text: str = QUERY, **changes: Any) -> Statement:
    fields: dict[str, Any] = {
        "total_ms": 21_600.0,
        "duration": timing(mean_ms=0.5, p50_ms=0.4, p95_ms=1.0, p99_ms=2.0, max_ms=9.0),
        "slow": 0,
        "errors": 0,
        "rows": 0,
    }
    return Statement(statement=text, **fields | changes)


def spot(**changes: Any) -> Spot:
    fields: dict[str, Any] = {
        "kind": "blocking",
        "route": ROUTE,
        "site": "app.py:9 in pending",
        "statement": QUERY,
        "occurrences": 7,
        "most_at_once": 1,
        "total_ms": 700.0,
        "max_ms": 300.0,
    }
    return Spot(**fields | changes)


def figures(**changes: Any) -> Figures:
    fields: dict[str, Any] = {
        "window": DAY,
        "totals": totals(),
        "endpoints": (endpoint(),),
        "pools": (pool(),),
        "statements": (statement(),),
        "agents": agents(),
        "spots": (),
    }
    return Figures(**fields | changes)


def coverage() -> Coverage:
    return Coverage(held_since=DAY.since, held_until=DAY.until, files_read=1, lines=43_200, rows=43_200)


def logs(**changes: Any) -> LogAnalysis:
    fields: dict[str, Any] = {
        "since": DAY.since,
        "until": DAY.until,
        "requests": 43_200,
        "by_status": {200: 43_200},
        "by_route": {PENDING: 43_200},
        "messages": 0,
        "by_level": {},
        "slowest_routes": (),
        "queries": 43_200,
        "slow_queries": 0,
        "failed_queries": 0,
        "slowest_statements": (),
        "top_errors": (),
        "errors_by_agent": (),
        "agents": (),
        "request_coverage": coverage(),
        "query_coverage": coverage(),
    }
    return LogAnalysis(**fields | changes)


def error(**changes: Any) -> ErrorFigures:
    fields: dict[str, Any] = {
        "source": "request",
        "text": "ValueError",
        "where": PENDING,
        "count": 9,
        "first": DAY.since,
        "last": NOON - timedelta(hours=1),
        "example": None,
    }
    return ErrorFigures(**fields | changes)


def failing_agent(name: str = "ghost", **by_status: int) -> AgentFigures:
    counts = {int(status.removeprefix("s")): n for status, n in by_status.items()}
    server = sum(n for status, n in counts.items() if status >= 500)
    return AgentFigures(
        agent=name,
        count=100,
        server_errors=server,
        client_errors=sum(counts.values()) - server,
        by_status=counts,
    )


def source(name: str = "request log", held_ratio: float = 1.0, **changes: Any) -> Source:
    quiet = () if name == "store" else None
    fields: dict[str, Any] = {"location": f"logs/{name}", "held": DAY, "held_ratio": held_ratio, "quiet": quiet}
    return Source(name=name, **fields | changes)


def report(**changes: Any) -> Report:
    fields: dict[str, Any] = {
        "generated": NOON,
        "version": "1.2.3",
        "service": "master-backend",
        "window": DAY,
        "figures_from": "store",
        "pending": PENDING,
        "now": figures(),
        "before": None,
        "changes": (),
        "points": (),
        "logs": logs(),
        "sources": (source("store"), source("request log"), source("query log")),
    }
    return Report(**fields | changes)


def with_now(**changes: Any) -> Report:
    """A report whose figures differ from the healthy ones."""
    return report(now=figures(**changes))


def with_pending(**changes: Any) -> Report:
    """A report whose pending endpoint differs from the healthy one; the totals follow where they are the same."""
    shared = {name: value for name, value in changes.items() if name in _totals()}
    return with_now(endpoints=(endpoint(**changes),), totals=totals(**shared))
