"""The start, which happens on the event loop: nothing there waits for a disk, and a short life loses nothing."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from monitoring import Handle, Settings, instrument, uninstrument
from monitoring.clock import SystemClock
from monitoring.monitor import Monitor
from monitoring.opening import open_store
from monitoring.rollup import Limits
from monitoring.store import Store
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client, FakeClock

POLL = "/api/deployments/pending/a"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that answers once this is set."""
    answers = threading.Event()

    def slow(path: Path, **chosen: Any) -> Store:
        assert answers.wait(20), "the request waits for the disk"
        return open_store(path, **chosen)

    monkeypatch.setattr("monitoring.monitor.open_store", slow)
    yield answers
    answers.set()


def test_no_request_waits_for_the_store(
    engine: Engine, install: Callable[..., tuple[Client, Handle]], disk: threading.Event, clock: FakeClock
) -> None:
    """Requests and the lifespan go through while the disk hangs; the run began with the first, as it says."""
    client, _ = install(master(engine), engine, clock=clock)

    async def serve() -> None:
        assert (await client.request_async("GET", POLL)).status == 200
        clock.advance(2.0)
        assert (await client.request_async("GET", POLL)).status == 200
        clock.advance(1.0)
        disk.set()
        told.append((await client.request_async("GET", "/api/metrics")).json())

    begun_s = clock.now_s
    told: list[Any] = []
    assert client.lifespan(serve) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    [answer] = told
    assert answer["totals"]["total_requests"] == 2
    assert answer["window"]["length_s"] == 3.0
    assert datetime.fromisoformat(answer["monitoring"]["started"]).timestamp() == begun_s


@pytest.mark.parametrize("end", [Handle.close, uninstrument])
def test_a_life_that_ends_before_the_store_is_open(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, end: Callable[[Handle], None]
) -> None:
    """Its one request is stored all the same."""
    monkeypatch.setattr(Monitor, "_run", lambda _: None)
    app = master(engine)
    handle = instrument(app, engine, settings)
    Client(app).get(POLL)
    end(handle)
    clock = SystemClock()
    store = open_store(settings.store_path, clock=clock, limits=Limits())
    slot = store.read(clock.wall_s() - 60, clock.wall_s() + 1).slot
    store.close()
    assert slot.routes["GET", "/api/deployments/pending/{agent_id}"].n == 1
    uninstrument(handle)
