"""
The endpoints: health, metrics, metrics of one named endpoint.

They are plain Starlette endpoints, so they work in any Starlette application; FastAPI documents them by their
models. Work that touches the disk runs in a thread of its own, not among those of the service's routes: the
answer has to come when all of these wait for a connection.
"""

import functools
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import anyio.to_thread
import msgspec
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitoring import answers, prometheus
from monitoring.capture.hub import logger
from monitoring.errors import UsageError, explain
from monitoring.model import WorkerState
from monitoring.monitor import Monitor
from monitoring.probe import Probe
from monitoring.rollup import RouteRollup
from monitoring.schemas import (
    EndpointAnswer,
    HealthAnswer,
    HealthCheck,
    LivenessAnswer,
    MetricsAnswer,
    ProblemAnswer,
    SelfMetrics,
    Window,
    WorkerMetrics,
)
from monitoring.settings import Settings
from monitoring.slot import Slot
from monitoring.store import Store, Worker
from monitoring.units import parse_duration_s, parse_instant_s, utc
from monitoring.version import version

T = TypeVar("T")

_STATE = msgspec.msgpack.Decoder(WorkerState)
_LAST_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """
    The stretch of time that a request asks for.

    Args:
        since_s: [s since the epoch]; None for the start of the run.
        until_s: [s since the epoch]; None for now.
        histograms: whether the answer carries histograms.
    """

    since_s: float | None = None
    until_s: float | None = None
    histograms: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    One endpoint of ours.

    Args:
        path: under the API prefix.
        handler: answers a request.
        model: what it answers with; None for something else than JSON.
        summary: one line for the OpenAPI document.
        parameters: its query parameters, in OpenAPI's form.
        bare: whether it stands outside of the application's own dependencies.
        problems: its other answers, by status, in OpenAPI's form.
    """

    path: str
    handler: Callable[[Request], Awaitable[Response]]
    model: type[BaseModel] | None
    summary: str
    parameters: tuple[Mapping[str, object], ...] = ()
    bare: bool = False
    problems: Mapping[int, Mapping[str, object]] = field(default_factory=dict)


_PROBLEMS: Mapping[int, str] = {
    400: "A query parameter that can't be used",
    401: "The token is missing or wrong",
    501: "prometheus-client is not installed",
    503: "The figures can't be read",
}


def _problems(settings: Settings, *statuses: int) -> dict[int, Mapping[str, object]]:
    """Return the answers beside 200, as OpenAPI describes them; 401 only where a token is asked for."""
    asked = statuses if settings.token is None else (*statuses, 401)
    return {status: {"description": _PROBLEMS[status], "model": ProblemAnswer} for status in sorted(asked)}


_WINDOW_PARAMETERS: tuple[Mapping[str, object], ...] = tuple(
    {"name": name, "in": "query", "required": False, "description": description, "schema": {"type": kind}}
    for name, kind, description in (
        ("window", "string", "Length of the window up to now, such as 60s, 5m or 24h."),
        ("since", "string", "First instant: ISO 8601 or seconds since the epoch. Default: start of the service."),
        ("until", "string", "Last instant, likewise. Default: now."),
        ("histograms", "boolean", "Whether distributions carry their histograms."),
    )
)


def endpoints_of(monitor: Monitor) -> list[Endpoint]:
    """Return the endpoints of a monitored service."""
    api = Api(monitor)
    settings = monitor.settings
    prefix = settings.api_prefix
    unhealthy: dict[int, Mapping[str, object]] = {
        **_problems(settings),
        503: {"description": "A check fails, or the figures can't be read", "model": HealthAnswer},
    }
    named = [
        Endpoint(
            path=f"{prefix}/metrics/{name}",
            handler=api.guarded(f"monitoring_{name}", functools.partial(api.endpoint, name)),
            model=EndpointAnswer,
            summary=f"Metrics of {target}",
            parameters=_WINDOW_PARAMETERS,
            problems=_problems(settings, 400, 503),
        )
        for name, target in monitor.settings.endpoints.items()
    ]
    return [
        Endpoint(
            path=f"{prefix}/health",
            handler=api.guarded("monitoring_health", api.health),
            model=HealthAnswer,
            summary="Health, basic stats and connection pools",
            problems=unhealthy,
        ),
        Endpoint(
            path=f"{prefix}/health/ready",
            handler=api.guarded("monitoring_ready", api.health),
            model=HealthAnswer,
            summary="Readiness: the same as health",
            problems=unhealthy,
        ),
        Endpoint(
            path=f"{prefix}/health/live",
            handler=api.live,
            model=LivenessAnswer,
            summary="Liveness: the process answers",
            bare=True,
        ),
        Endpoint(
            path=f"{prefix}/metrics/prometheus",
            handler=api.guarded("monitoring_prometheus", api.prometheus),
            model=None,
            summary="Metrics in OpenMetrics, for Prometheus",
            problems=_problems(settings, 501, 503),
        ),
        Endpoint(
            path=f"{prefix}/metrics",
            handler=api.guarded("monitoring_metrics", api.metrics),
            model=MetricsAnswer,
            summary="Metrics of all endpoints",
            parameters=_WINDOW_PARAMETERS,
            problems=_problems(settings, 400, 503),
        ),
        *named,
    ]


class Api:
    """
    Answers about one monitored service.

    Args:
        monitor: the service.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        # Its own, so that an answer never waits for a thread that the service's routes hold.
        self._threads = anyio.CapacityLimiter(4)
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

    def guarded(
        self, name: str, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: check the token, turn a bad parameter into a 400, and our own trouble into a 503."""

        async def endpoint(request: Request) -> Response:
            if not self._admits(request):
                return _problem(401, "token missing or wrong", {"WWW-Authenticate": "Bearer"})
            try:
                return await handler(request)
            except UsageError as error:
                return _problem(400, str(error))
            except Exception as error:  # noqa: BLE001  # whatever it is, the answer is a 503 that says so
                self._monitor.hub.fault(error)
                logger.exception("monitoring: no answer to %s", request.url.path)
                return _problem(503, f"figures can't be read: {type(error).__name__}")

        endpoint.__name__ = name
        return endpoint

    def _admits(self, request: Request) -> bool:
        token = self._monitor.settings.token
        if token is None:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        expected = token.get_secret_value().encode("utf-8")
        # compare_digest takes as long wherever the first difference is.
        return hmac.compare_digest(given.strip().encode("utf-8"), expected) and scheme.lower() == "bearer"

    async def metrics(self, request: Request) -> Response:
        """Answer ``GET /api/metrics``."""
        view = self._view(request)
        return _json(await self._in_thread(functools.partial(self.metrics_answer, view)))

    async def endpoint(self, name: str, request: Request) -> Response:
        """Answer ``GET /api/metrics/{name}``."""
        view = self._view(request)
        return _json(await self._in_thread(functools.partial(self.endpoint_answer, name, view)))

    async def health(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/health``."""
        answer = await self._in_thread(self.health_answer)
        return _json(answer, status=503 if answer.status == "fail" else 200, media_type="application/health+json")

    async def live(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/health/live``: needs neither token, nor disk, nor database."""
        return _json(LivenessAnswer(), media_type="application/health+json")

    async def prometheus(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/metrics/prometheus``."""
        if not prometheus.available():
            return _problem(501, "prometheus_client is not installed; try pip install prometheus-client")
        text = await self._in_thread(self.prometheus_answer)
        return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE, "Cache-Control": "no-store"})

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)

    def _view(self, request: Request) -> View:
        asked = request.query_params
        since, until, length = asked.get("since"), asked.get("until"), asked.get("window")
        now_s = self._monitor.clock.wall_s()
        until_s = parse_instant_s(until, name="until") if until is not None else None
        since_s = parse_instant_s(since, name="since") if since is not None else None
        if length is not None:
            if since is not None:
                raise UsageError(
                    explain("parameter", "window", fault="given together with since", need="one of them")
                )
            length_s = parse_duration_s(length, name="window")
            if length_s <= 0:
                raise UsageError(
                    explain("parameter", "window", fault="empty", got=repr(length), need="more than 0s")
                )
            since_s = max(0.0, (until_s if until_s is not None else now_s) - length_s)
        if since_s is not None and since_s >= (until_s if until_s is not None else now_s):
            raise UsageError(
                explain("parameter", "since", fault="not before the end of the window", got=repr(since or length))
            )
        return View(since_s=since_s, until_s=until_s, histograms=_flag(asked.get("histograms"), name="histograms"))

    # ---- what the handlers answer, as plain functions

    def metrics_answer(self, view: View) -> MetricsAnswer:
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

    def prometheus_answer(self) -> bytes:
        """Return the figures since the start as OpenMetrics text."""
        with self._monitor.reading() as store:
            slot, _ = self._read(View())
            pools = answers.pools(slot, self._states(store, store.workers()), own=store.worker_id)
            return prometheus.exposition(slot, pools)

    def endpoint_answer(self, name: str, view: View) -> EndpointAnswer:
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

    def health_answer(self) -> HealthAnswer:
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
                output=ping.error,
            )
        return checks

    def _read(self, view: View) -> tuple[Slot, Window]:
        store = self._monitor.store()
        now_s = self._monitor.clock.wall_s()
        if view.since_s is None and view.until_s is None:
            slot = store.read_run()
            return slot, answers.window(store.run_started_s, now_s, resolution_s=1.0)
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


def _flag(text: str | None, *, name: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text is None:
        return False
    try:
        return known[text.lower()]
    except KeyError:
        raise UsageError(
            explain("parameter", name, fault="not understood", got=repr(text), need="true or false")
        ) from None


def _json(answer: BaseModel, *, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(
        answer.model_dump_json(),
        status_code=status,
        media_type=media_type,
        headers={"Cache-Control": "no-store"},
    )


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)
