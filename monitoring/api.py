"""
The endpoints: health, metrics, metrics of one named endpoint.

They are plain Starlette endpoints, so they work in any Starlette application; FastAPI documents them by their
models. Work that touches the disk runs in a thread of its own, not among those of the service's routes: the
answer has to come when all of these wait for a connection.
"""

import functools
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import anyio.to_thread
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from monitoring import prometheus
from monitoring.answering import Answering
from monitoring.capture.hub import logger
from monitoring.errors import UsageError
from monitoring.monitor import Monitor
from monitoring.schemas import EndpointAnswer, HealthAnswer, LivenessAnswer, MetricsAnswer, ProblemAnswer
from monitoring.settings import Settings
from monitoring.view import View, view_of

T = TypeVar("T")


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
    The answers about one monitored service, over HTTP.

    Args:
        monitor: the service.
    """

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        # Its own, so that an answer never waits for a thread that the service's routes hold.
        self._threads = anyio.CapacityLimiter(4)
        self._answering = Answering(monitor)

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
        return _json(await self._in_thread(functools.partial(self._answering.metrics, view)))

    async def endpoint(self, name: str, request: Request) -> Response:
        """Answer ``GET /api/metrics/{name}``."""
        view = self._view(request)
        return _json(await self._in_thread(functools.partial(self._answering.endpoint, name, view)))

    async def health(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/health``."""
        answer = await self._in_thread(self._answering.health)
        return _json(answer, status=503 if answer.status == "fail" else 200, media_type="application/health+json")

    async def live(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/health/live``: needs neither token, nor disk, nor database."""
        return _json(LivenessAnswer(), media_type="application/health+json")

    async def prometheus(self, request: Request) -> Response:  # noqa: ARG002  # an endpoint's signature
        """Answer ``GET /api/metrics/prometheus``."""
        if not prometheus.available():
            return _problem(501, "prometheus_client is not installed; try pip install prometheus-client")
        text = await self._in_thread(self._answering.prometheus)
        return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE, "Cache-Control": "no-store"})

    def _view(self, request: Request) -> View:
        return view_of(request.query_params, self._monitor.clock.wall_s())

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


def _json(answer: BaseModel, *, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(
        answer.model_dump_json(),
        status_code=status,
        media_type=media_type,
        headers={"Cache-Control": "no-store"},
    )


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)
