"""An application that nobody refers to any more, and that never served or was shut down: no thread notices."""

import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from monitoring import Settings, instrument, uninstrument
from monitoring.errors import MonitoringError
from monitoring.logs.handler import LogFileHandler
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client


def handlers() -> list[logging.Handler]:
    return [one for one in logging.getLogger().handlers if isinstance(one, LogFileHandler)]


def forgotten(engine: Engine | None, settings: Settings, *, served: bool) -> "weakref.ref[FastAPI]":
    """Instrument an application, have it serve and shut down or not, and forget it."""
    app = master(engine) if engine is not None else FastAPI()
    instrument(app, engine, settings)
    if served:
        client = Client(app)

        async def inside() -> None:
            await client.request_async("GET", "/missing")

        client.lifespan(inside)
    return weakref.ref(app)


@pytest.fixture
def collecting() -> Iterator[None]:
    """Have the garbage collector run only when it is told to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("found", [False, True])
@pytest.mark.parametrize("served", [False, True])
def test_its_engine_can_be_instrumented_again(
    engine: Engine, settings: Settings, *, served: bool, found: bool
) -> None:
    """Whether the garbage collector has found the application already or not."""
    gone = forgotten(engine, settings, served=served)
    if found:
        gc.collect()
        assert gone() is None
    app = master(engine)
    instrument(app, engine, settings)
    assert gone() is None
    client = Client(app)
    assert client.get("/api/deployments/pending/a").json() == [1]
    endpoint = client.get("/api/metrics/pending-deployments").json()["endpoint"]
    assert (endpoint["total_requests"], endpoint["query_time"]["count"]) == (1, 1)
    uninstrument(app)
    assert not [name for name in engine.dialect.__dict__ if name.startswith("do_")]


@pytest.mark.parametrize("served", [False, True])
def test_its_log_handler_goes(settings: Settings, *, served: bool) -> None:
    """However many there were, one application has one handler."""
    chosen = settings.model_copy(update={"log_application": True})
    before = len(handlers())
    for _ in range(3):
        forgotten(None, chosen, served=served)
        gc.collect()
    app = FastAPI()
    instrument(app, None, chosen)
    assert len(handlers()) == before + 1
    uninstrument(app)
    assert len(handlers()) == before


def test_one_that_is_still_referred_to_keeps_its_engine(engine: Engine, settings: Settings) -> None:
    app = master(engine)
    instrument(app, engine, settings)
    with pytest.raises(MonitoringError, match="instrumented already"):
        instrument(FastAPI(), engine, settings)
    assert Client(app).get("/api/health").status == 200
    uninstrument(app)


def test_one_that_was_uninstrumented_leaves_its_engine_to_the_next(engine: Engine, settings: Settings) -> None:
    """Its end, later, takes nothing off that is another's by then."""
    first: Any = master(engine)
    instrument(first, engine, settings)
    uninstrument(first)
    app = master(engine)
    handle = instrument(app, engine, settings)
    del first
    gc.collect()
    instrument(other := FastAPI(), None, settings.model_copy(update={"service": "other"}))
    with pytest.raises(MonitoringError, match="instrumented already"):
        instrument(FastAPI(), engine, settings)
    assert handle.monitor is not None
    uninstrument(other)
    uninstrument(app)


def test_a_fault_at_its_removal_does_not_keep_the_next_from_starting(
    engine: Engine, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    monitor = instrument(app, None, settings).monitor
    assert monitor is not None

    def broken() -> None:
        raise ZeroDivisionError("ours")

    monitor.remove = broken  # type: ignore[method-assign]
    del app
    gc.collect()
    uninstrument(instrument(FastAPI(), engine, settings))
    assert monitor.hub.last_fault == "ZeroDivisionError: ours"
    assert "a fault of its own was kept from the service" in caplog.text
    del monitor.remove  # type: ignore[method-assign]
    monitor.remove()
