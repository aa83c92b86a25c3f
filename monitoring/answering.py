"""
What the endpoints answer about one monitored service, as plain functions: no HTTP here.

They read the store and ask the databases, and may wait for either: call them in a thread.
"""

from collections.abc import Mapping, Sequence

import msgspec

from monitoring import answers, prometheus
from monitoring.errors import UsageError, explain
from monitoring.model import WorkerState
from monitoring.monitor import Monitor
from monitoring.probe import Probe
from monitoring.rollup import RouteRollup
from monitoring.schemas import (
    EndpointAnswer,
    HealthAnswer,
    HealthCheck,
    MetricsAnswer,
    SelfMetrics,
    Window,
    WorkerMetrics,
)
from monitoring.slot import Slot
from monitoring.store import Store, Worker
from monitoring.units import utc
from monitoring.version import version
from monitoring.view import View

_STATE = msgspec.msgpack.Decoder(WorkerState)
_LAST_MINUTE_S = 60.0


class Answering:
    """
    Answers about one monitored service.

    Args:
        monitor: the service.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        settings = monitor.settings
        self._probes = [
            Probe(
                pool,
                clock=monitor.clock,
                deadline_s=settings.health_deadline_s,
                cache_s=settings.health_cache_s,
            )
            for pool in monitor.pools
        ]

    def metrics(self, view: View) -> MetricsAnswer:
        """Return the figures of all endpoints."""
        with self._monitor.reading() as store:
            slot, window = self._read(view)
            workers = store.workers()
            states = self._states(store, workers)
            return MetricsAnswer(
                service=self._monitor.settings.service,
                window=window,
                totals=answers.totals(slot, length_s=window.length_s, histograms=view.histograms),
                endpoints=answers.endpoints(slot, length_s=window.length_s, histograms=view.histograms),
                database_pools=answers.pools(slot, states, own=store.worker_id, histograms=view.histograms),
                monitoring=self._self_metrics(store, workers, states),
                statements=answers.statements(slot, histograms=view.histograms),
                agents=answers.agents(slot, until_s=window.until.timestamp()),
                trouble_spots=answers.trouble_spots(slot),
            )

    def _states(self, store: Store, workers: Sequence[Worker]) -> dict[int, WorkerState]:
        """Return what the workers say about themselves; this one live, as a full disk would keep it silent."""
        stored = {worker.id: _STATE.decode(worker.state) for worker in workers if worker.state}
        return {**stored, store.worker_id: self._monitor.state()}

    def _self_metrics(
        self, store: Store, workers: Sequence[Worker], states: Mapping[int, WorkerState]
    ) -> SelfMetrics:
        return SelfMetrics(
            version=version(),
            started=utc(store.run_started_s),
            faults=sum(state.faults for state in states.values()),
            dropped=sum(state.dropped for state in states.values()),
            diverted=sum(state.diverted for state in states.values()),
            log_trouble=next((state.log_trouble for state in states.values() if state.log_trouble), None),
            last_fault=next((state.last_fault for state in states.values() if state.last_fault), None),
            store=str(store.path) if store.path is not None else None,
            store_trouble=self._monitor.store_trouble
            or (f"{store.unreadable} damaged rows left out" if store.unreadable else None),
            workers=[
                WorkerMetrics(pid=worker.pid, started=utc(worker.started_s), seen=utc(worker.seen_s))
                for worker in workers
            ],
        )

    def prometheus(self) -> bytes:
        """Return the figures since the start as OpenMetrics text."""
        with self._monitor.reading() as store:
            slot, _ = self._read(View())
            pools = answers.pools(slot, self._states(store, store.workers()), own=store.worker_id)
            return prometheus.exposition(slot, pools)

    def endpoint(self, name: str, view: View) -> EndpointAnswer:
        """Return the figures of a named endpoint; all zero before its first request."""
        method, route = self._monitor.settings.endpoint(name)
        with self._monitor.reading():
            slot, window = self._read(view)
            rollup = slot.routes.get((method, route)) or RouteRollup()
            return EndpointAnswer(
                service=self._monitor.settings.service,
                window=window,
                endpoint=answers.endpoint(
                    method, route, rollup, length_s=window.length_s, histograms=view.histograms
                ),
            )

    def health(self) -> HealthAnswer:
        """Return the state of the service."""
        monitor = self._monitor
        with monitor.reading() as store:
            run, _ = self._read(View())
            states = self._states(store, store.workers())
            pools = answers.pools(run, states, own=store.worker_id)
            now_s = monitor.clock.wall_s()
            since_s = now_s - _LAST_MINUTE_S
            if store.run_started_s <= now_s:  # else the clock stepped back
                since_s = max(store.run_started_s, since_s)
            recent = store.read(since_s, now_s).slot
            total = answers.totals(run, length_s=1.0)
            last_minute = answers.totals(recent, length_s=max(now_s - since_s, 1e-3))
        checks = self._database_checks()
        for pool in pools:
            checks[f"pool:{pool.engine}"] = _pool_check(pool.usage_ratio, pool.waiting)
        # What exactly is wrong names files of the machine: the metrics tell it.
        if monitor.store_trouble is not None:
            checks["store"] = HealthCheck(status="warn", output="figures are kept in memory only")
        if any(state.log_trouble is not None for state in states.values()):
            checks["logs"] = HealthCheck(status="warn", output="a log file can't be written or rotated")
        statuses = {check.status for check in checks.values()}
        return HealthAnswer(
            status="fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass",
            version=monitor.settings.service_version,
            service=monitor.settings.service,
            uptime_s=monitor.uptime_s,
            total_requests=total.total_requests,
            requests_per_second=last_minute.requests_per_second,
            error_rate=last_minute.error_rate,
            database_pools=pools,
            checks=checks,
        )

    def _database_checks(self) -> dict[str, HealthCheck]:
        """Ping all databases at once: the deadline holds for all of them together."""
        for probe in self._probes:
            probe.start()
        deadline_s = self._monitor.clock.monotonic_s() + self._monitor.settings.health_deadline_s
        checks: dict[str, HealthCheck] = {}
        for probe in self._probes:
            ping = probe.result(max(0.0, deadline_s - self._monitor.clock.monotonic_s()))
            checks[f"database:{probe.name}"] = HealthCheck(
                status="pass" if ping.error is None else "fail",
                observed=ping.duration_s * 1e3 if ping.duration_s is not None else None,
                unit="ms",
                output=ping.error or ping.note,
            )
        return checks

    def _read(self, view: View) -> tuple[Slot, Window]:
        store = self._monitor.store()
        now_s = self._monitor.clock.wall_s()
        if view.since_s is None and view.until_s is None:
            slot = store.read_run()
            return slot, answers.window(store.run_started_s, now_s, resolution_s=1.0)
        # With a clock that stepped back, now itself may lie before the start.
        if view.since_s is None and view.until_s is not None and view.until_s <= store.run_started_s <= now_s:
            raise UsageError(
                explain(
                    "parameter",
                    "until",
                    fault="not after the start of the service",
                    got=utc(view.until_s).isoformat(),
                    remedy="since as well: what was before is kept",
                )
            )
        since_s = max(view.since_s if view.since_s is not None else store.run_started_s, store.first_s())
        until_s = min(view.until_s if view.until_s is not None else now_s, now_s)
        reading = store.read(since_s, until_s)
        # The first and the last second are cut short by the start of the service and by now.
        return reading.slot, answers.window(
            max(reading.since_s, store.first_s()),
            min(reading.until_s, now_s),
            resolution_s=reading.resolution_s,
        )


def _pool_check(usage_ratio: float | None, waiting: int) -> HealthCheck:
    if usage_ratio is None:
        return HealthCheck(status="pass")
    if usage_ratio >= 1.0:
        return HealthCheck(
            status="warn",
            observed=usage_ratio,
            unit="ratio",
            output=f"every connection is in use, {waiting} callers are waiting",
        )
    return HealthCheck(status="pass", observed=usage_ratio, unit="ratio")
