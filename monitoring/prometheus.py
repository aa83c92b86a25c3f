"""
The figures in OpenMetrics, for Prometheus: through `prometheus_client`, which is optional.

The families are made from the same rollups as the other answers when somebody asks, so all workers give one answer
and no second set of counters exists. They count since the start of the run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from monitoring.histogram import Histogram
from monitoring.schemas import PoolMetrics
from monitoring.slot import Slot

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

BOUNDS_S: tuple[float, ...] = tuple(2.0**k * part for k in range(-11, 6) for part in (1.0, 1.5))
"""Upper bounds of the buckets [s], 0.5 ms to 48 s: edges of the histogram's own buckets, so counts are exact."""


def available() -> bool:
    """Tell whether `prometheus_client` is installed."""
    try:
        import_module("prometheus_client")
    except ImportError:
        return False
    return True


def exposition(slot: Slot, pools: Sequence[PoolMetrics]) -> bytes:
    """
    Return the figures as OpenMetrics text.

    Args:
        slot: everything since the start of the run.
        pools: the pools as they are.

    Raises:
        ImportError: `prometheus_client` is not installed.
    """
    core = import_module("prometheus_client.core")
    openmetrics = import_module("prometheus_client.openmetrics.exposition")
    registry = core.CollectorRegistry(auto_describe=False)
    registry.register(_Collector(core, slot, pools))
    text: bytes = openmetrics.generate_latest(registry)
    return text


class _Collector:
    """What `prometheus_client` pulls families from."""

    def __init__(self, core: Any, slot: Slot, pools: Sequence[PoolMetrics]) -> None:
        self._core = core
        self._slot = slot
        self._pools = pools

    def collect(self) -> Iterator[Any]:
        """Yield the families."""
        yield from self._requests()
        yield from self._pool_families()

    def _requests(self) -> Iterator[Any]:
        core, routes = self._core, sorted(self._slot.routes.items())
        requests = core.CounterMetricFamily(
            "http_requests", "Requests by route template.", labels=["method", "route", "status"]
        )
        exceptions = core.CounterMetricFamily(
            "http_exceptions", "Unhandled exceptions by class.", labels=["method", "route", "exception"]
        )
        families = {
            name: core.HistogramMetricFamily(f"{name}_seconds", text, labels=["method", "route"])
            for name, text in (
                ("http_request_duration", "Time from a request's arrival to its last byte."),
                ("http_request_database_duration", "Time in database calls, of requests that made any."),
                ("http_request_pool_wait", "Time waited for a pooled connection, each checkout."),
            )
        }
        for (method, route), rollup in routes:
            for status, count in sorted(rollup.by_status.items()):
                requests.add_metric([method, route, str(status)], count)
            for exception, count in sorted(rollup.by_exception.items()):
                exceptions.add_metric([method, route, exception], count)
            parts: Mapping[str, Histogram] = {
                "http_request_duration": rollup.response,
                "http_request_database_duration": rollup.database,
                "http_request_pool_wait": rollup.pool_wait,
            }
            for name, histogram in parts.items():
                families[name].add_metric([method, route], _buckets(histogram), histogram.sum_s)
        yield requests
        yield exceptions
        yield from families.values()

    def _pool_families(self) -> Iterator[Any]:
        core = self._core
        gauges: tuple[tuple[str, str, Callable[[PoolMetrics], int | None]], ...] = (
            ("checked_out", "Connections in use, all workers.", lambda pool: pool.checked_out_all_workers),
            ("waiting", "Callers waiting for a connection, all workers.", lambda pool: pool.waiting),
            ("capacity", "Connections that one worker's pool may open.", lambda pool: pool.capacity),
        )
        for name, text, value in gauges:
            gauge = core.GaugeMetricFamily(f"db_pool_{name}", text, labels=["engine"])
            for pool in self._pools:
                if value(pool) is not None:
                    gauge.add_metric([pool.engine], value(pool))
            yield gauge
        timeouts = core.CounterMetricFamily(
            "db_pool_timeouts", "Requests for a connection that timed out.", labels=["engine"]
        )
        for pool in self._pools:
            timeouts.add_metric([pool.engine], pool.timeouts)
        yield timeouts


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return cumulative counts below each bound, as `prometheus_client` wants them."""
    counts: list[tuple[str, float]] = []
    occupied = histogram.buckets()
    position, seen = 0, 0
    for bound_s in BOUNDS_S:
        while position < len(occupied) and occupied[position][1] <= bound_s:
            seen += occupied[position][2]
            position += 1
        counts.append((str(bound_s), seen))
    counts.append(("+Inf", histogram.n))
    return counts
