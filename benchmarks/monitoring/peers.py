"""
Who is measured beside the monitoring layer: each takes an application and changes it.

The peers are not among this project's dependencies. To measure with all of them, install them in an environment of
their own beside this project::

    pip install prometheus-fastapi-instrumentator starlette-exporter opentelemetry-instrumentation-fastapi \\
        opentelemetry-sdk uvloop httptools
"""

import importlib
import logging
import logging.handlers
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine

from monitoring import Handle, Settings, instrument

Change = Callable[[FastAPI, Engine | None], Handle | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """
    One of those compared.

    Args:
        name: of it.
        change: what it does to an application.
        package: the distribution it comes from; None for this project and the standard library.
        telemetry: makes what the application's own constructor takes as ``telemetry``; None for nothing.
        ours: whether it is this project.
    """

    name: str
    change: Change
    package: str | None = None
    telemetry: Callable[[], Mapping[str, Any]] | None = None
    ours: bool = False

    @property
    def title(self) -> str:
        """Its name, and its version where it has one."""
        return f"{self.name} {metadata.version(self.package)}" if self.package is not None else self.name


BARE = "bare route"


def contenders(folder: Path) -> list[Contender]:
    """Return all of them, the bare application first."""
    return [
        Contender(name=BARE, change=_nothing),
        Contender(name="ours, everything on", change=_ours(folder / "ours"), ours=True),
        Contender(
            name="ours, no log files",
            change=_ours(folder / "quiet", log_requests=False, log_queries=False),
            ours=True,
        ),
        Contender(name="logging middleware of one's own, stdlib", change=_stdlib_logging(folder)),
        Contender(
            name="prometheus-fastapi-instrumentator",
            change=_instrumentator,
            package="prometheus-fastapi-instrumentator",
        ),
        Contender(name="starlette-exporter", change=_starlette_exporter, package="starlette-exporter"),
        Contender(
            name="FastAPI's own telemetry: metrics", change=_nothing, package="fastapi", telemetry=_native_metrics
        ),
        Contender(name="FastAPI's own telemetry: all", change=_nothing, package="fastapi", telemetry=_native_all),
        Contender(
            name="OpenTelemetry: metrics, traces",
            change=_opentelemetry,
            package="opentelemetry-instrumentation-fastapi",
        ),
    ]


def _nothing(app: FastAPI, engine: Engine | None) -> None:
    """Leave the application as it is."""


def _ours(folder: Path, **chosen: Any) -> Change:
    return lambda app, engine: instrument(app, engine, Settings(log_dir=folder, **chosen))


def _stdlib_logging(folder: Path) -> Change:
    """The usual home-made middleware: BaseHTTPMiddleware and a RotatingFileHandler."""

    def change(app: FastAPI, _: Engine | None) -> None:
        logger = logging.getLogger(f"bench-{id(app)}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.addHandler(
            logging.handlers.RotatingFileHandler(folder / f"{id(app)}.log", maxBytes=10_000_000, backupCount=5)
        )

        @app.middleware("http")
        async def log(request: Any, call_next: Any) -> Any:
            start = time.perf_counter()
            answer = await call_next(request)
            logger.info(
                "%s %s %s %.6f", request.method, request.url.path, answer.status_code, time.perf_counter() - start
            )
            return answer

    return change


def _instrumentator(app: FastAPI, _: Engine | None) -> None:
    module = importlib.import_module("prometheus_fastapi_instrumentator")
    client = importlib.import_module("prometheus_client")
    module.Instrumentator(registry=client.CollectorRegistry()).instrument(app)


def _starlette_exporter(app: FastAPI, _: Engine | None) -> None:
    module = importlib.import_module("starlette_exporter")
    app.add_middleware(module.PrometheusMiddleware, app_name=f"bench{id(app)}", group_paths=True)


def _meters() -> Any:
    sdk = importlib.import_module("opentelemetry.sdk.metrics")
    reader = importlib.import_module("opentelemetry.sdk.metrics.export")
    return sdk.MeterProvider(metric_readers=[reader.InMemoryMetricReader()])


def _tracers() -> Any:
    # Without an exporter: what sending spans would cost comes on top.
    return importlib.import_module("opentelemetry.sdk.trace").TracerProvider()


def _native_metrics() -> Mapping[str, Any]:
    return {"meter_provider": _meters(), "tracing": False, "logs": False}


def _native_all() -> Mapping[str, Any]:
    logs = importlib.import_module("opentelemetry.sdk._logs")
    return {
        "meter_provider": _meters(),
        "tracer_provider": _tracers(),
        "logger_provider": logs.LoggerProvider(),
    }


def _opentelemetry(app: FastAPI, _: Engine | None) -> None:
    contrib = importlib.import_module("opentelemetry.instrumentation.fastapi")
    contrib.FastAPIInstrumentor.instrument_app(app, meter_provider=_meters(), tracer_provider=_tracers())
