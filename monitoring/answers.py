"""From rollups to what the endpoints answer: folds over slots, no input or output."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence

from monitoring.histogram import Histogram
from monitoring.model import PoolState, WorkerState
from monitoring.rollup import OVERFLOW, AgentRollup, PoolRollup, RouteRollup, StatementRollup
from monitoring.schemas import (
    AgentMetrics,
    AgentsMetrics,
    Distribution,
    EndpointMetrics,
    ErrorBreakdown,
    HolderMetrics,
    PoolMetrics,
    StatementMetrics,
    TopStatements,
    Totals,
    TroubleSpot,
    Window,
)
from monitoring.slot import Slot
from monitoring.units import utc

TOP = 10
"""Length of every list of the worst."""

SILENT_INTERVALS = 3.0
"""An agent that has missed this many of its intervals is silent."""

_SHORTEST_INTERVAL_S = 1.0


def window(since_s: float, until_s: float, *, resolution_s: float) -> Window:
    """Describe a stretch of time [s since the epoch]; one that a stepping clock turned round has no length."""
    return Window(
        since=utc(since_s),
        until=utc(max(since_s, until_s)),
        length_s=max(0.0, until_s - since_s),
        resolution_s=resolution_s,
    )


def distribution(histogram: Histogram, *, histograms: bool) -> Distribution:
    """Return a distribution in a few numbers, with its histogram when asked for."""
    p50_ms, p95_ms, p99_ms = (
        None if value_s is None else value_s * 1e3 for value_s in histogram.quantiles((0.50, 0.95, 0.99))
    )
    return Distribution(
        count=histogram.n,
        mean_ms=None if histogram.mean_s is None else histogram.mean_s * 1e3,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
        max_ms=None if histogram.max_s is None else histogram.max_s * 1e3,
        histogram=histogram.to_json() if histograms else None,
    )


def endpoint(
    method: str, route: str, rollup: RouteRollup, *, length_s: float, histograms: bool = False
) -> EndpointMetrics:
    """Return the figures of one route."""
    return EndpointMetrics(
        route=route,
        method=method,
        total_requests=rollup.n,
        requests_per_second=_rate(rollup.n, length_s),
        response_time=distribution(rollup.response, histograms=histograms),
        database_time=distribution(rollup.database, histograms=histograms),
        query_time=distribution(rollup.query, histograms=histograms),
        pool_wait=distribution(rollup.pool_wait, histograms=histograms),
        queries_per_request=rollup.queries / rollup.n if rollup.n else None,
        error_rate=_ratio(rollup.server_errors, rollup.n),
        client_error_rate=_ratio(rollup.client_errors, rollup.n),
        errors=_breakdown([rollup]),
    )


def endpoints(slot: Slot, *, length_s: float, histograms: bool = False) -> list[EndpointMetrics]:
    """Return the figures of every route, the busiest first."""
    ordered = sorted(slot.routes.items(), key=lambda item: (-item[1].n, item[0]))
    return [
        endpoint(method, route, rollup, length_s=length_s, histograms=histograms)
        for (method, route), rollup in ordered
    ]


def totals(slot: Slot, *, length_s: float, histograms: bool = False) -> Totals:
    """Return the figures of all routes together; a websocket's life is no response time and is left out of it."""
    rollups = slot.routes
    n = sum(rollup.n for rollup in rollups.values())
    response = Histogram()
    for (method, _), rollup in rollups.items():
        if method != "WEBSOCKET":
            response.merge(rollup.response)
    return Totals(
        total_requests=n,
        requests_per_second=_rate(n, length_s),
        response_time=distribution(response, histograms=histograms),
        error_rate=_ratio(sum(rollup.server_errors for rollup in rollups.values()), n),
        client_error_rate=_ratio(sum(rollup.client_errors for rollup in rollups.values()), n),
        errors=_breakdown(rollups.values()),
    )


def pools(
    slot: Slot, states: Mapping[int, WorkerState], *, own: int, histograms: bool = False
) -> list[PoolMetrics]:
    """
    Return the figures of every engine's pool.

    Each worker has a pool of its own, and a request waits when its own worker's is empty. So sizes and use are
    those of the fullest one; counts and times are those of all.

    Args:
        slot: what the pools went through.
        states: what the workers that are alive say, by their id.
        own: id of this worker.
        histograms: whether to answer with histograms.
    """
    by_engine: dict[str, list[PoolState]] = {}
    for _, state in sorted(states.items(), key=lambda item: item[0] != own):
        for pool in state.pools:
            by_engine.setdefault(pool.engine, []).append(pool)
    return [
        _pool(name, slot.pools.get(name) or PoolRollup(), pools_now, histograms=histograms)
        for name, pools_now in by_engine.items()
    ]


def _pool(name: str, rollup: PoolRollup, now: Sequence[PoolState], *, histograms: bool) -> PoolMetrics:
    fullest = max(now, key=lambda pool: pool.checked_out)
    holders = sorted((holder for pool in now for holder in pool.holders), key=lambda holder: -holder.held_s)
    peak = max(rollup.peak, fullest.checked_out)
    capacity = fullest.capacity
    return PoolMetrics(
        engine=name,
        pool_class=fullest.pool_class,
        size=fullest.size,
        max_overflow=fullest.max_overflow,
        capacity=capacity,
        checked_out=fullest.checked_out,
        overflow=fullest.overflow,
        peak_checked_out=peak,
        usage_ratio=fullest.checked_out / capacity if capacity else None,
        peak_usage_ratio=peak / capacity if capacity else None,
        timeouts=rollup.timeouts,
        wait=distribution(rollup.wait, histograms=histograms),
        hold=distribution(rollup.hold, histograms=histograms),
        waiting=sum(pool.waiting for pool in now),
        created=rollup.created,
        invalidated=rollup.invalidated,
        leaks=rollup.leaks,
        workers=len(now),
        checked_out_all_workers=sum(pool.checked_out for pool in now),
        holders=[
            HolderMetrics(
                since=utc(holder.since_s),
                held_s=holder.held_s,
                site=holder.site,
                request_id=holder.request_id,
                route=holder.route,
                leaked=holder.leaked,
            )
            for holder in holders[:TOP]
        ],
    )


def statements(slot: Slot, *, top: int = TOP, histograms: bool = False) -> TopStatements:
    """Return the statements that take most time together, that are slowest, and that are sent most."""
    everything = slot.statements
    one: dict[str, StatementMetrics] = {}

    def ranked(key: Callable[[StatementRollup], float]) -> list[StatementMetrics]:
        best = heapq.nlargest(top, everything.items(), key=lambda item: key(item[1]))
        for text, rollup in best:
            if text not in one:
                one[text] = _statement(text, rollup, histograms=histograms)
        return [one[text] for text, _ in best]

    return TopStatements(
        distinct=len(everything),
        count=sum(rollup.n for rollup in everything.values()),
        slow=sum(rollup.slow for rollup in everything.values()),
        by_total_time=ranked(lambda rollup: rollup.duration.sum_s),
        by_p95=ranked(lambda rollup: rollup.duration.quantile(0.95) or 0.0),
        by_count=ranked(lambda rollup: rollup.n),
    )


def _statement(text: str, rollup: StatementRollup, *, histograms: bool) -> StatementMetrics:
    return StatementMetrics(
        statement=text,
        count=rollup.n,
        errors=rollup.errors,
        slow=rollup.slow,
        rows=rollup.rows,
        total_ms=rollup.duration.sum_s * 1e3,
        duration=distribution(rollup.duration, histograms=histograms),
    )


def agents(slot: Slot, *, until_s: float, top: int = TOP) -> AgentsMetrics:
    """
    Return who polls how often, who polls too fast, and who has gone silent.

    An agent's interval is the time between its first and its last request over their number less one: exact
    whatever worker answered which. One that was seen once is compared with the median interval of the others.

    Args:
        slot: what happened.
        until_s: end of the window [s since the epoch].
        top: length of each list.
    """
    everyone = [_agent(name, rollup, until_s) for name, rollup in slot.agents.items() if name != OVERFLOW]
    intervals = sorted(one.interval_s for one in everyone if one.interval_s is not None)
    median_s = intervals[(len(intervals) - 1) // 2] if intervals else None

    def is_silent(agent: AgentMetrics) -> bool:
        usual_s = agent.interval_s if agent.interval_s is not None else median_s
        return usual_s is not None and agent.silent_for_s > SILENT_INTERVALS * max(usual_s, _SHORTEST_INTERVAL_S)

    silent = [agent for agent in everyone if is_silent(agent)]
    polling = [agent for agent in everyone if agent.interval_s is not None]
    failing = [agent for agent in everyone if agent.errors]
    return AgentsMetrics(
        seen=len(everyone),
        requests=sum(rollup.n for rollup in slot.agents.values()),
        median_interval_s=median_s,
        silent=len(silent),
        fastest=heapq.nsmallest(top, polling, key=lambda agent: agent.interval_s or 0.0),
        most_silent=heapq.nlargest(top, silent, key=lambda agent: agent.silent_for_s),
        most_errors=heapq.nlargest(top, failing, key=lambda agent: agent.errors),
    )


def _agent(name: str, rollup: AgentRollup, until_s: float) -> AgentMetrics:
    first_s = rollup.first_s if rollup.first_s is not None else until_s
    last_s = rollup.last_s if rollup.last_s is not None else until_s
    return AgentMetrics(
        agent=name,
        requests=rollup.n,
        errors=rollup.errors,
        first_seen=utc(first_s),
        last_seen=utc(last_s),
        interval_s=(last_s - first_s) / (rollup.n - 1) if rollup.n > 1 else None,
        silent_for_s=max(0.0, until_s - last_s),
    )


def trouble_spots(slot: Slot, *, top: int = TOP) -> list[TroubleSpot]:
    """Return the lines of code that should not do what they do, the most expensive first."""
    worst = heapq.nlargest(top, slot.spots.items(), key=lambda item: item[1].sum_s)
    return [
        TroubleSpot(
            kind="n+1" if kind == "n+1" else "blocking",
            route=route,
            site=site,
            statement=statement,
            occurrences=spot.n,
            most_at_once=spot.worst,
            total_ms=spot.sum_s * 1e3,
            max_ms=spot.max_s * 1e3,
        )
        for (kind, route, site, statement), spot in worst
    ]


def _breakdown(rollups: Iterable[RouteRollup]) -> ErrorBreakdown:
    by_status: dict[str, int] = {}
    by_exception: dict[str, int] = {}
    for rollup in rollups:
        for status, count in rollup.by_status.items():
            if status >= 400:
                by_status[str(status)] = by_status.get(str(status), 0) + count
        for name, count in rollup.by_exception.items():
            by_exception[name] = by_exception.get(name, 0) + count
    return ErrorBreakdown(
        by_status=dict(sorted(by_status.items())), by_exception=dict(sorted(by_exception.items()))
    )


def _rate(n: int, length_s: float) -> float:
    return n / length_s if length_s > 0 else 0.0


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
