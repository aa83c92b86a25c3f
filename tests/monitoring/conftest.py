"""An instrumented application of three routes, its store in a temporary folder, and a clock moved by hand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from sqlalchemy import Engine, create_engine, text

from monitoring import Handle, Settings, instrument, uninstrument
from tests.monitoring.driver import Client, FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(log_dir=tmp_path / "logs")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'service.db'}")
    yield engine
    engine.dispose()


def master(engine: Engine) -> FastAPI:
    """Build a small deployment master."""
    app = FastAPI()
    router = APIRouter(prefix="/api/deployments")

    @router.get("/pending/{agent_id}")
    def pending(agent_id: str) -> list[int]:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT 1 WHERE :agent <> 'nobody'"), {"agent": agent_id})
            return [row[0] for row in rows]

    @app.get("/boom")
    async def boom() -> None:
        raise ValueError("planned")

    @app.get("/missing")
    async def missing() -> None:
        raise HTTPException(404)

    app.include_router(router)
    return app


@pytest.fixture
def install(settings: Settings) -> Iterator[Callable[..., tuple[Client, Handle]]]:
    """Instrument an application; everything is given back after the test."""
    handles: list[Handle] = []

    def call(app: Any, engine: Any = None, chosen: Settings | None = None, **kwargs: Any) -> tuple[Client, Handle]:
        handle = instrument(app, engine, chosen or settings, **kwargs)
        handles.append(handle)
        return Client(app), handle

    yield call
    for handle in handles:
        uninstrument(handle)


@pytest.fixture
def client(engine: Engine, install: Callable[..., tuple[Client, Handle]]) -> Client:
    """Return a client of the small master, instrumented."""
    return install(master(engine), engine)[0]
