"""
From what a source gave to what a report holds. Pure: no file, no clock.

One fold for each source: rollups of the store, the answer of a running service, the log analysis.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from monitoring.histogram import Histogram
from monitoring.loganalysis import LogAnalysis
from monitoring.model import PoolState
from monitoring.reports.records import (
    Agent,
    Change,
    Endpoint,
    Errors,
    Figures,
    Holder,
    Point,
    Pool,
    Spot,
    Statement,
    Timing,
    Totals,
    Window,
)
from monitoring.rollup import PoolRollup, RouteRollup, Slot

Record = TypeVar("Record")


def timing(histogram: Histogram) -> Timing:
    """Return a histogram in a few numbers."""

    def quantile_ms(q: float) -> float | None:
        value_s = histogram.quantile(q)
        return None if value_s is None else value_s * 1e3

    return Timing(
        count=histogram.n,
        mean_ms=_ms(histogram.mean_s),
        p50_ms=quantile_ms(0.50),
        p95_ms=quantile_ms(0.95),
        p99_ms=quantile_ms(0.99),
        max_ms=_ms(histogram.max_s),
    )


# ---- the store


def figures_of_slot(slot: Slot, window: Window, states: Sequence[PoolState], *, current: bool) -> Figures:
    """
    Return what rollups say.

    Args:
        slot: everything of the window, merged.
        window: what it covers.
        states: the workers' pools as last heard of.
        current: whether that was in this window; otherwise only their sizes are taken.
    """
    endpoints = [
        _endpoint(method, route, rollup, length_s=window.length_s)
        for (method, route), rollup in sorted(slot.routes.items(), key=lambda item: (-item[1].n, item[0]))
    ]
    return Figures(
        window=window,
        totals=_totals(slot, endpoints, length_s=window.length_s),
        endpoints=tuple(endpoints),
        pools=_pools(slot, states, current=current),
        statements=_statements(slot),
        agents=_agents(slot),
        spots=_spots(slot),
    )


def point_of_slot(slot: Slot, window: Window, pending: str) -> Point:
    """Return one piece of the course over time; quantiles are of the ``METHOD /route`` given."""
    method, _, route = pending.partition(" ")
    rollup = slot.routes.get((method, route))
    quantiles = Timing() if rollup is None else timing(rollup.response)
    return Point(
        since=window.since,
        length_s=window.length_s,
        requests=sum(one.n for one in slot.routes.values()),
        errors=sum(one.server_errors for one in slot.routes.values()),
        p50_ms=quantiles.p50_ms,
        p95_ms=quantiles.p95_ms,
        p99_ms=quantiles.p99_ms,
    )


def _endpoint(method: str, route: str, rollup: RouteRollup, *, length_s: float) -> Endpoint:
    return Endpoint(
        method=method,
        route=route,
        total_requests=rollup.n,
        requests_per_second=_per_s(rollup.n, length_s),
        response_time=timing(rollup.response),
        database_time=timing(rollup.database),
        query_time=timing(rollup.query),
        pool_wait=timing(rollup.pool_wait),
        queries_per_request=rollup.queries / rollup.n if rollup.n else None,
        error_rate=_ratio(rollup.server_errors, rollup.n),
        client_error_rate=_ratio(rollup.client_errors, rollup.n),
        errors=Errors(
            by_status={str(status): n for status, n in sorted(rollup.by_status.items()) if status >= 400},
            by_exception=dict(sorted(rollup.by_exception.items())),
        ),
    )


def _totals(slot: Slot, endpoints: Sequence[Endpoint], *, length_s: float) -> Totals:
    response = Histogram()
    for (method, _), rollup in slot.routes.items():
        # A websocket's life is no response time.
        if method != "WEBSOCKET":
            response.merge(rollup.response)
    n = sum(rollup.n for rollup in slot.routes.values())
    return Totals(
        total_requests=n,
        requests_per_second=_per_s(n, length_s),
        response_time=timing(response),
        error_rate=_ratio(sum(rollup.server_errors for rollup in slot.routes.values()), n),
        client_error_rate=_ratio(sum(rollup.client_errors for rollup in slot.routes.values()), n),
        errors=_all_errors(one.errors for one in endpoints),
    )


def _all_errors(several: Iterable[Errors]) -> Errors:
    by_status: dict[str, int] = {}
    by_exception: dict[str, int] = {}
    for errors in several:
        for mine, theirs in ((by_status, errors.by_status), (by_exception, errors.by_exception)):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
    return Errors(by_status=dict(sorted(by_status.items())), by_exception=dict(sorted(by_exception.items())))


def _pools(slot: Slot, states: Sequence[PoolState], *, current: bool) -> tuple[Pool, ...]:
    by_engine: dict[str, list[PoolState]] = {engine: [] for engine in slot.pools}
    for state in states:
        by_engine.setdefault(state.engine, []).append(state)
    return tuple(
        _pool(engine, slot.pools.get(engine) or PoolRollup(), states_of, current=current)
        for engine, states_of in sorted(by_engine.items())
    )


def _pool(engine: str, rollup: PoolRollup, states: Sequence[PoolState], *, current: bool) -> Pool:
    fullest = max(states, key=lambda state: state.checked_out, default=None)
    capacity = fullest.capacity if fullest is not None else None
    now = states if current else ()
    return Pool(
        engine=engine,
        pool_class=fullest.pool_class if fullest is not None else None,
        capacity=capacity,
        checked_out=fullest.checked_out if fullest is not None and current else None,
        peak_checked_out=rollup.peak,
        peak_usage_ratio=rollup.peak / capacity if capacity else None,
        timeouts=rollup.timeouts,
        wait=timing(rollup.wait),
        hold=timing(rollup.hold),
        created=rollup.created,
        invalidated=rollup.invalidated,
        leaks=rollup.leaks,
        waiting=sum(state.waiting for state in now) if now else None,
        holders=_holders(now) if now else None,
    )


def _holders(states: Sequence[PoolState]) -> tuple[Holder, ...]:
    found = sorted((holder for state in states for holder in state.holders), key=lambda one: -one.held_s)
    return tuple(
        Holder(held_s=one.held_s, site=one.site, route=one.route, request_id=one.request_id, leaked=one.leaked)
        for one in found
    )


def _statements(slot: Slot) -> tuple[Statement, ...]:
    found = [
        Statement(
            statement=text,
            total_ms=rollup.duration.sum_s * 1e3,
            time=timing(rollup.duration),
            slow=rollup.slow,
            errors=rollup.errors,
            rows=rollup.rows,
        )
        for text, rollup in slot.statements.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.statement)))


def _agents(slot: Slot) -> tuple[Agent, ...]:
    found = [
        Agent(
            agent=name,
            requests=one.n,
            errors=one.errors,
            first=_utc(one.first_s),
            last=_utc(one.last_s),
            interval_s=None
            if one.n < 2 or one.first_s is None or one.last_s is None
            else (one.last_s - one.first_s) / (one.n - 1),
        )
        for name, one in slot.agents.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.requests, one.agent)))


def _spots(slot: Slot) -> tuple[Spot, ...]:
    found = [
        Spot(
            kind=kind,
            route=route,
            site=site,
            statement=statement,
            times=one.n,
            worst=one.worst,
            total_ms=one.sum_s * 1e3,
            max_ms=one.max_s * 1e3,
        )
        for (kind, route, site, statement), one in slot.spots.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.kind, one.route, one.site)))


# ---- a running service


def figures_of_answer(answer: Mapping[str, Any]) -> Figures:
    """
    Return what ``GET /api/metrics`` answered. Fields that this version doesn't know are left alone.

    Raises:
        msgspec.ValidationError: not in the form of the endpoint.
    """
    window = _convert(answer.get("window"), Window)
    totals = _convert(answer.get("totals"), Totals)
    endpoints = _convert(answer.get("endpoints"), tuple[Endpoint, ...])
    pools = _convert(answer.get("database_pools"), tuple[Pool, ...])
    return Figures(
        window=window,
        totals=_without_empty_rates(totals),
        endpoints=tuple(_without_empty_rates(one) for one in endpoints),
        pools=pools,
    )


Counted = TypeVar("Counted", bound=Totals)


def _without_empty_rates(totals: Counted) -> Counted:
    """Return the same with the error rates of no requests unknown; the endpoint answers 0 there."""
    if totals.total_requests:
        return totals
    return replace(totals, error_rate=None, client_error_rate=None)


def _convert(value: Any, kind: type[Record]) -> Record:
    return msgspec.convert(value, kind)


# ---- the log files


def figures_of_logs(logs: LogAnalysis, window: Window) -> Figures:
    """
    Return what the logs say, when there is nothing better.

    Quantiles over several routes can't be made of the routes' own, so those of the totals are known only when
    there is one route.

    Args:
        logs: the analysis, with all routes and statements in it.
        window: the part of the window that the request log covers.
    """
    endpoints = tuple(
        Endpoint(
            method=one.method,
            route=one.route,
            total_requests=one.count,
            requests_per_second=_per_s(one.count, window.length_s),
            response_time=Timing(
                count=one.count,
                mean_ms=_ms(one.mean_s),
                p50_ms=_ms(one.p50_s),
                p95_ms=_ms(one.p95_s),
                p99_ms=_ms(one.p99_s),
                max_ms=_ms(one.max_s),
            ),
            error_rate=_ratio(one.server_errors, one.count),
            client_error_rate=_ratio(one.client_errors, one.count),
        )
        for one in sorted(logs.slowest_routes, key=lambda one: (-one.count, one.route, one.method))
    )
    server_errors = sum(count for status, count in logs.by_status.items() if status >= 500)
    return Figures(
        window=window,
        totals=Totals(
            total_requests=logs.requests,
            requests_per_second=_per_s(logs.requests, window.length_s),
            response_time=_over_routes(endpoints),
            error_rate=_ratio(server_errors, logs.requests),
            client_error_rate=_ratio(sum(logs.errors_by_status.values()) - server_errors, logs.requests),
            errors=Errors(by_status={str(status): n for status, n in logs.errors_by_status.items()}),
        ),
        endpoints=endpoints,
        statements=_logged_statements(logs) if logs.query_coverage.lines else None,
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


def _logged_statements(logs: LogAnalysis) -> tuple[Statement, ...]:
    found = [
        Statement(
            statement=one.statement,
            total_ms=one.total_s * 1e3,
            time=Timing(
                count=one.count,
                mean_ms=one.total_s / one.count * 1e3 if one.count else None,
                p50_ms=_ms(one.p50_s),
                p95_ms=_ms(one.p95_s),
                max_ms=_ms(one.max_s),
            ),
            slow=one.slow,
            errors=one.errors,
        )
        for one in logs.slowest_statements
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.statement)))


# ---- now and before


def changes(now: Figures | None, before: Figures | None, pending: str) -> tuple[Change, ...]:
    """
    Compare two windows of the same length.

    Args:
        now: the later one; None when nothing is known of it.
        before: the earlier one; None likewise.
        pending: ``METHOD /route`` of the endpoint whose response times are compared too.
    """
    if now is None or before is None:
        return ()
    pairs: list[tuple[str, Totals | None, Totals | None]] = [
        ("all", now.totals, before.totals),
        (pending, now.endpoint(pending), before.endpoint(pending)),
    ]
    return tuple(change for label, one, other in pairs for change in _changes(label, one, other))


def _changes(label: str, now: Totals | None, before: Totals | None) -> Iterable[Change]:
    for name in ("requests_per_second", "error_rate"):
        yield _change(f"{label}: {name}", getattr(before, name, None), getattr(now, name, None))
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        past = None if before is None else getattr(before.response_time, name)
        present = None if now is None else getattr(now.response_time, name)
        yield _change(f"{label}: {name}", past, present)


def _change(name: str, before: float | None, now: float | None) -> Change:
    ratio = now / before - 1 if now is not None and before else None
    return Change(name=name, before=before, now=now, change_ratio=ratio)


# ---- numbers


def window_of(since_s: float, until_s: float) -> Window:
    """Return a window from two instants [s since the epoch]; one that a stepping clock turned round is empty."""
    since = datetime.fromtimestamp(since_s, UTC)
    return Window(since=since, until=max(since, datetime.fromtimestamp(until_s, UTC)))


def before(window: Window) -> Window:
    """Return the window of the same length that ends where this one begins."""
    return Window(since=window.since - timedelta(seconds=window.length_s), until=window.since)


def _per_s(n: int, length_s: float) -> float | None:
    return n / length_s if length_s > 0 else None


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _ms(value_s: float | None) -> float | None:
    return None if value_s is None else value_s * 1e3


def _utc(instant_s: float | None) -> datetime | None:
    return None if instant_s is None else datetime.fromtimestamp(instant_s, UTC)
