"""The application: routes, their errors, and the monitoring layer in one line."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response, status
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from harness import __version__
from harness.backend.common import common_polled_router, make_common_engine
from harness.backend.config import BackendConfig
from harness.backend.database import Database, make_engine, one_line
from harness.backend.faults import Faults
from harness.backend.limit import BodyLimit
from harness.backend.operations import ConflictError, NotFoundError
from harness.backend.routes import agents_router, deployments_router, polled_router
from harness.backend.sightings import Sightings
from harness.clock import Clock, SystemClock
from harness.urls import without_secrets
from monitoring import Settings, instrument

_log = logging.getLogger(__name__)


def create_app(config: BackendConfig, *, clock: Clock | None = None) -> FastAPI:
    """
    Build the master.

    Args:
        config: settings; its database must hold the schema, see `harness.backend.schema.upgrade`.
        clock: source of the instants that are stored; the machine's when None.

    Raises:
        UsageError: the database URL can't be used.
        monitoring.errors.UsageError: a ``MONITORING_*`` variable can't be used.
    """
    is_common = config.design == "common"
    engine = make_common_engine(config) if is_common else make_engine(config)
    database = Database(engine, threads=config.threads)
    sightings = Sightings(database, interval_s=config.sighting_interval_s)
    used_clock = clock if clock is not None else SystemClock()

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        writer = asyncio.create_task(sightings.write_for_ever())
        try:
            yield
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            await sightings.write()
            await database.close()

    app = FastAPI(
        title="Deployment master",
        version=__version__,
        summary="Hands deployments to the agents that poll for them.",
        lifespan=lifespan,
    )
    faults = Faults(
        delay_s=config.delay_s, error_ratio=config.error_ratio, seed=config.fault_seed, hold_s=config.hold_s
    )
    # The polled route stands first: paths are tried in order, and it is nearly every request.
    app.include_router(
        common_polled_router(engine, faults)
        if is_common
        else polled_router(database, used_clock, sightings, faults)
    )
    app.include_router(deployments_router(database, used_clock))
    app.include_router(agents_router(database, used_clock))
    _answer_errors(app, engine.url)
    app.add_middleware(BodyLimit)
    instrument(app, engine=engine, settings=_monitoring(config))
    return app


def _monitoring(config: BackendConfig) -> Settings:
    # The load side shows where the time went, so every answer tells.
    return Settings.load(service_version=__version__, log_dir=config.log_dir, server_timing=True)


def _answer_errors(app: FastAPI, url: URL) -> None:
    @app.exception_handler(NotFoundError)
    async def not_found(_request: Request, fault: NotFoundError) -> JSONResponse:
        return JSONResponse({"detail": str(fault)}, status.HTTP_404_NOT_FOUND)

    @app.exception_handler(ConflictError)
    async def conflict(_request: Request, fault: ConflictError) -> JSONResponse:
        return JSONResponse({"detail": str(fault)}, status.HTTP_409_CONFLICT)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, fault: RequestValidationError) -> Response:
        # FastAPI's own handler fails on input with half a surrogate pair, which JSON can hold and UTF-8 can't;
        # json.dumps writes it back as it came, in escapes.
        # What was sent isn't sent back: it may be long.
        errors = [{key: told for key, told in error.items() if key != "input"} for error in fault.errors()]
        body = json.dumps({"detail": jsonable_encoder(errors)})
        return Response(body, status.HTTP_422_UNPROCESSABLE_CONTENT, media_type="application/json")

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeoutError)
    async def unavailable(_request: Request, fault: OperationalError | PoolTimeoutError) -> JSONResponse:
        # The text of the fault names hosts and statements: it is for the log, not for the client.
        _log.error("database unavailable: %s", without_secrets(one_line(fault), url))
        return JSONResponse({"detail": "the database does not answer"}, status.HTTP_503_SERVICE_UNAVAILABLE)
