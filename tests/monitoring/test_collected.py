"""The garbage collector brings connections back in the middle of anything: it must find no lock in its way."""

import faulthandler
import gc
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text

from monitoring import Handle, Settings, instrument
from monitoring.capture import hub as hub_module
from monitoring.capture import pool as pool_module
from monitoring.capture.hub import LateError
from monitoring.histogram import Histogram
from monitoring.rollup import PoolRollup
from tests.monitoring.driver import Client

Install = Callable[..., tuple[Client, Handle]]
_HANGS_S = 30.0
"""A thread that has not come through by then waits for itself."""


class Breakable(sqlite3.Connection):
    """A connection whose server may go away: then it can't be reset."""

    broken = False

    def rollback(self) -> None:
        if self.broken:
            raise sqlite3.OperationalError("server closed the connection unexpectedly")
        super().rollback()


def breakable(folder: Path) -> Engine:
    return create_engine(
        f"sqlite:///{folder / 'x.db'}",
        connect_args={"factory": Breakable, "check_same_thread": False},
        pool_size=20,
    )


def forget(engine: Engine) -> None:
    """Take a connection and forget it in a cycle of references, as a traceback makes one; its server goes away."""
    connection = engine.connect()
    connection.execute(text("SELECT 1"))
    driver_connection: Any = connection.connection.dbapi_connection
    driver_connection.broken = True
    cycle: list[Any] = [connection]
    cycle.append(cycle)


def collect_amid(kind: type, method: str, engine: Engine, times: int) -> None:
    """Have the collector run within each call of a method, the first few times with a connection to bring back."""
    original = getattr(kind, method)
    left = iter(range(times))

    def collecting(*arguments: Any) -> Any:
        gc.collect()
        if next(left, None) is not None:
            forget(engine)
        return original(*arguments)

    setattr(kind, method, collecting)


def record_amid_collections(folder: Path) -> None:
    """Record while connections are collected, within each lock that recording holds; prints the figures."""
    faulthandler.dump_traceback_later(_HANGS_S, exit=True)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)  # it reports each that can't be reset
    engine = breakable(folder)
    app = FastAPI()
    instrument(app, engine, Settings(log_dir=folder))
    client = Client(app)
    gc.disable()
    forget(engine)
    collect_amid(Histogram, "record_many", engine, 3)
    collect_amid(PoolRollup, "merge", engine, 3)
    for _ in range(20):
        with engine.connect():
            pass
        client.get("/api/metrics")
    [pool] = client.get("/api/metrics").json()["database_pools"]
    print(pool["created"], pool["invalidated"], pool["hold"]["count"], pool["checked_out"])  # noqa: T201  # the answer


def test_a_broken_connection_collected_amid_recording_stops_nothing(tmp_path: Path) -> None:
    """Recording goes on when a connection breaks within it, in its own thread; every one of them is counted."""
    script = (
        "from pathlib import Path; from tests.monitoring.test_collected import record_amid_collections; "
        f"record_amid_collections(Path({str(tmp_path)!r}))"
    )
    # In a process of its own: a thread that waits for itself could not be ended.
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    # Seven were forgotten, twenty given back; one that broke is made anew when the next is asked for.
    created, invalidated, held, out = map(int, done.stdout.split())
    assert (invalidated, held, out) == (7, 27, 0)
    assert created >= 7


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = breakable(tmp_path)
    yield engine
    engine.dispose()


def runs_through(work: Callable[[], object]) -> bool:
    """Tell whether something runs to its end in another thread while this one holds what it holds."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_HANGS_S)
    return not thread.is_alive()


def test_connections_wait_for_no_lock_of_ours(engine: Engine, install: Install) -> None:
    """Made, given back, broken, collected while all of our locks are held: none of it waits."""
    client, handle = install(FastAPI(), engine)
    client.get("/api/metrics")
    assert handle.monitor is not None
    hub = handle.monitor.hub

    def all_ways() -> None:
        with engine.connect():
            pass
        broken = engine.connect()
        broken.invalidate()
        broken.close()
        forget(engine)
        gc.collect()

    with hub.recording, hub.recorder._lock:
        assert runs_through(all_ways)
    [pool] = client.get("/api/metrics").json()["database_pools"]
    assert (pool["invalidated"], pool["hold"]["count"], pool["checked_out"]) == (2, 3, 0)


def test_a_collected_request_does_not_wait_for_its_own_thread(engine: Engine, install: Install) -> None:
    """What hands something in does not help with the queue amid recording, be it as full as can be."""
    _, handle = install(FastAPI(), engine)
    assert handle.monitor is not None
    hub = handle.monitor.hub

    def hand_in() -> None:
        for _ in range(hub_module.MAX_WAITING + 1):
            hub.put(LateError("GET", "/x", "ValueError"))

    for lock in (hub.recording, hub.recorder._lock):
        with lock:
            assert runs_through(hand_in)
    hub.empty()
    errors = [slot.routes["GET", "/x"].by_exception["ValueError"] for _, slot in hub.recorder.take()]
    assert sum(errors) == 2 * (hub_module.MAX_WAITING + 1)


def test_what_came_back_does_not_pile_up(
    engine: Engine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that imports the service and serves nothing: connections without statements stay within bounds."""
    for module in (hub_module, pool_module):
        monkeypatch.setattr(module, "MAX_WAITING", 100)
    client, handle = install(FastAPI(), engine)
    assert handle.monitor is not None
    most = 0
    for _ in range(1000):
        with engine.connect():
            pass
        most = max(most, len(handle.monitor.hub.waiting))
    assert most <= 102
    [pool] = client.get("/api/metrics").json()["database_pools"]
    assert (pool["hold"]["count"], pool["wait"]["count"]) == (1000, 1000)


def test_nothing_is_logged_where_the_collector_may_be(
    engine: Engine, install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    """A log handler may hold a lock too: faults and late returns are told when the queue is emptied."""
    client, handle = install(FastAPI(), engine)
    client.get("/api/metrics")
    assert handle.monitor is not None
    hub = handle.monitor.hub
    hub.empty()
    [capture] = handle.monitor.pools
    connection = engine.connect()
    for hold in capture._holds.values():
        hold.leaked = True
    with caplog.at_level(logging.WARNING):
        with hub.recording:
            capture.came_back([])  # no key of a dict: a fault of ours
            connection.close()
            assert caplog.text == ""
        hub.empty()
    assert "came back after" in caplog.text
    assert "unhashable type: 'list'" in caplog.text
    assert hub.faults == 1
