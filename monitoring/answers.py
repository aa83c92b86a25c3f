"""From rollups to what the endpoints answer: folds over slots, no input or output."""

from collections.abc import Iterable, Mapping, Sequence

from monitoring.histogram import Histogram
from monitoring.model import PoolState, WorkerState
from monitoring.rollup import PoolRollup, RouteRollup, Slot
from monitoring.schemas import (
    Distribution,
    EndpointMetrics,
    ErrorBreakdown,
    PoolMetrics,
    Totals,
    Window,
)
from monitoring.units import utc


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

    def quantile_ms(q: float) -> float | None:
        value_s = histogram.quantile(q)
        return None if value_s is None else value_s * 1e3

    return Distribution(
        count=histogram.n,
        mean_ms=None if histogram.mean_s is None else histogram.mean_s * 1e3,
        p50_ms=quantile_ms(0.50),
        p95_ms=quantile_ms(0.95),
        p99_ms=quantile_ms(0.99),
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
    )


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
