"""From rollups of the store to a report's figures. Pure: no file, no clock."""

from collections.abc import Iterable, Sequence

from monitoring.histogram import Histogram
from monitoring.model import PoolState
from monitoring.reports.fold import agents_of, per_s, ratio, timing, utc_of
from monitoring.reports.records import (
    Agent,
    Agents,
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
from monitoring.rollup import OVERFLOW, PoolRollup, RouteRollup
from monitoring.slot import Slot


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
        requests_per_second=per_s(rollup.n, length_s),
        response_time=timing(rollup.response),
        database_time=timing(rollup.database),
        query_time=timing(rollup.query),
        pool_wait=timing(rollup.pool_wait),
        queries_per_request=rollup.queries / rollup.n if rollup.n else None,
        error_rate=ratio(rollup.server_errors, rollup.n),
        client_error_rate=ratio(rollup.client_errors, rollup.n),
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
        requests_per_second=per_s(n, length_s),
        response_time=timing(response),
        error_rate=ratio(sum(rollup.server_errors for rollup in slot.routes.values()), n),
        client_error_rate=ratio(sum(rollup.client_errors for rollup in slot.routes.values()), n),
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
            duration=timing(rollup.duration),
            slow=rollup.slow,
            errors=rollup.errors,
            rows=rollup.rows,
        )
        for text, rollup in slot.statements.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.statement)))


def _agents(slot: Slot) -> Agents:
    found = [
        Agent(
            agent=name,
            requests=one.n,
            errors=one.errors,
            first_seen=utc_of(one.first_s),
            last_seen=utc_of(one.last_s),
            interval_s=None
            if one.n < 2 or one.first_s is None or one.last_s is None
            else (one.last_s - one.first_s) / (one.n - 1),
        )
        for name, one in slot.agents.items()
        if name != OVERFLOW
    ]
    return agents_of(found)


def _spots(slot: Slot) -> tuple[Spot, ...]:
    found = [
        Spot(
            kind=kind,
            route=route,
            site=site,
            statement=statement,
            occurrences=one.n,
            most_at_once=one.worst,
            total_ms=one.sum_s * 1e3,
            max_ms=one.max_s * 1e3,
        )
        for (kind, route, site, statement), one in slot.spots.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.total_ms, one.kind, one.route, one.site)))
