"""High response times: how high, where the time goes, and which statements and lines of code take it."""

from monitoring.reports.document import ms, number, percent
from monitoring.reports.limits import CheckLimits, needed
from monitoring.reports.problems import MOST, RESPONSE_TIME, Problem
from monitoring.reports.records import Endpoint, Figures, Report, Spot, Statement

_PLANS = (
    "Check the plans of the statements above, and that the indexes are there and used: "
    "monitoring check --weekly --database-url URL, or harness indexes."
)
_SLOW_QUERIES = "Look at the slow queries: grep '\"slow\":true' logs/database-queries.log."
_WAIT = "Requests wait for a connection: see the pool, and /api/health."
_BLOCKING = "Use the async driver in async routes, or make these routes plain functions (def)."
_MANY = "Load the related rows in one statement: selectinload, or a join."
_OWN = (
    "Most of the time is neither database nor pool: look for slow calls in the handler, "
    "for requests that wait for a thread, and for a full processor."
)


def look_for_slowness(report: Report, limits: CheckLimits) -> Problem:
    """Tell whether the pending endpoint is slow, and why."""
    now, one = report.now, report.pending_now
    if now is None or one is None:
        return RESPONSE_TIME.unknown("no request to the pending endpoint is held")
    time = one.response_time
    looked_at = (
        f"{one.total_requests:,} requests to the pending endpoint: p50 {ms(time.p50_ms)}, p95 {ms(time.p95_ms)}, "
        f"p99 {ms(time.p99_ms)} ms"
    )
    over = _over(one, limits)
    if not over:
        return RESPONSE_TIME.absent(looked_at, n=time.count, needed=needed(0.99))
    shares, slow = time_shares(one), _slow_statements(now, limits)
    blocking = [spot for spot in now.spots or () if spot.kind == "blocking"][:MOST]
    many = [spot for spot in now.spots or () if spot.kind == "n+1"][:MOST]
    remedies = [_PLANS, _SLOW_QUERIES] if slow or shares.get("database", 0.0) >= 0.3 else []
    remedies += [_WAIT] if shares.get("connection", 0.0) >= 0.2 else []
    remedies += [_BLOCKING] if blocking else []
    remedies += [_MANY] if many else []
    remedies += [_OWN] if shares.get("own", 0.0) >= 0.5 or not remedies else []
    evidence = [*over, *_where(one, shares), *map(_slow_line, slow[:MOST])]
    evidence += [*map(_blocking_line, blocking), *map(_many_line, many)]
    return RESPONSE_TIME.found(looked_at, evidence, remedies)


def time_shares(one: Endpoint) -> dict[str, float]:
    """
    Return which part of the response time went where.

    Returns:
        ``database``, ``connection`` (waiting for one) and ``own``, each 0..1; empty when the source doesn't tell.
    """
    total_ms = (one.response_time.mean_ms or 0.0) * one.response_time.count
    if not total_ms or not (one.database_time.count or one.pool_wait.count):
        return {}
    database = (one.database_time.mean_ms or 0.0) * one.database_time.count / total_ms
    connection = (one.pool_wait.mean_ms or 0.0) * one.pool_wait.count / total_ms
    return {"database": database, "connection": connection, "own": max(0.0, 1 - database - connection)}


def _over(one: Endpoint, limits: CheckLimits) -> list[str]:
    time = one.response_time
    checked = (
        ("p50", time.p50_ms, limits.p50_ms, 0.50),
        ("p95", time.p95_ms, limits.p95_ms, 0.95),
        ("p99", time.p99_ms, limits.p99_ms, 0.99),
    )
    return [
        f"{label} is {ms(value)} ms, limit {limit:g} ms."
        for label, value, limit, q in checked
        if value is not None and value >= limit and time.count >= needed(q)
    ]


def _where(one: Endpoint, shares: dict[str, float]) -> list[str]:
    if not shares:
        return []
    database, connection, own = (percent(shares[name]) for name in ("database", "connection", "own"))
    parts = f"{database} is database time, {connection} the wait for a connection, {own} everything else"
    return [f"Of a mean of {ms(one.response_time.mean_ms)} ms, {parts}."]


def _slow_statements(now: Figures, limits: CheckLimits) -> list[Statement]:
    slow = [
        one
        for one in now.statements or ()
        if (one.duration.p99_ms or one.duration.p95_ms or 0.0) >= limits.query_p99_ms
    ]
    return sorted(slow, key=lambda one: -one.total_ms)


def _slow_line(one: Statement) -> str:
    times = f"p95 {ms(one.duration.p95_ms)} ms, {ms(one.duration.max_ms)} ms at worst"
    return f"Slow statement: {times}, {one.duration.count:,} times, {number(one.slow)} slow: {one.statement[:200]}"


def _blocking_line(spot: Spot) -> str:
    times = f"{spot.occurrences:,} times, {ms(spot.max_ms)} ms at worst"
    return f"A synchronous database call blocks the event loop at {spot.site}: {times}."


def _many_line(spot: Spot) -> str:
    return f"{spot.route} sends one statement up to {spot.most_at_once:,} times in a request, at {spot.site}."
