"""Statements and connections: what the hooks on an engine see."""

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from monitoring import Handle, Settings, uninstrument
from monitoring.capture.redact import redacted
from monitoring.model import QueryObservation
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client, FakeClock

Install = Callable[..., tuple[Client, Handle]]
SELECT = text("SELECT 1")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """An engine of two connections and no patience."""
    engine = create_engine(
        f"sqlite:///{tmp_path / 'small.db'}",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=1,
        pool_timeout=0.05,
        connect_args={"check_same_thread": False},
    )
    yield engine
    engine.dispose()


def pool_of(client: Client, query: str = "") -> dict[str, Any]:
    [pool] = client.get(f"/api/metrics{query}").json()["database_pools"]
    return dict(pool)


def queries(handle: Handle) -> list[QueryObservation]:
    assert handle.monitor is not None
    found: list[QueryObservation] = []
    handle.monitor.hub.log_queries = found.extend
    return found


def settle(handle: Handle) -> None:
    assert handle.monitor is not None
    handle.monitor.hub.empty()


# ---- the pool


def test_the_peak_is_exact_within_a_window(small: Engine, install: Install, clock: FakeClock) -> None:
    """The most at once, by window; connections held over a window's start count in it."""
    client, handle = install(FastAPI(), small, clock=clock)
    client.get("/api/metrics")
    first, second = small.connect(), small.connect()
    first.close()
    clock.advance(10)
    assert handle.monitor is not None
    handle.monitor.flush()
    clock.advance(2)
    assert pool_of(client)["peak_checked_out"] == 2
    assert pool_of(client, "?window=5s")["peak_checked_out"] == 1
    assert pool_of(client)["peak_usage_ratio"] == 1.0
    second.close()
    clock.advance(10)
    assert pool_of(client, "?window=5s")["peak_checked_out"] == 0
    assert pool_of(client)["checked_out"] == 0
    assert pool_of(client)["hold"]["max_ms"] == pytest.approx(12_000)


def test_time_outs_and_waits(small: Engine, install: Install) -> None:
    """A caller that gets none is counted, with its wait; who has them is told by file and line."""
    client, _ = install(FastAPI(), small)
    with small.connect(), small.connect():
        with pytest.raises(PoolTimeoutError):
            small.connect()
        pool = pool_of(client)
        assert (pool["checked_out"], pool["usage_ratio"], pool["overflow"]) == (2, 1.0, 1)
        assert all("test_database.py:" in holder["site"] for holder in pool["holders"])
        assert all("in test_time_outs_and_waits" in holder["site"] for holder in pool["holders"])
        health = client.get("/api/health")
        assert health.status == 200
        assert health.json()["status"] == "warn"
        assert "every connection is in use" in health.json()["checks"]["pool:sqlite"]["output"]
    pool = pool_of(client)
    assert (pool["timeouts"], pool["wait"]["count"], pool["hold"]["count"], pool["waiting"]) == (1, 3, 2, 0)
    assert pool["holders"] == []
    assert pool["wait"]["max_ms"] >= 50


def test_leaks_are_warned_of_and_come_back(
    small: Engine, install: Install, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection held for too long is reported once, and again when it comes back."""
    client, handle = install(FastAPI(), small, clock=clock)
    client.get("/api/metrics")
    assert handle.monitor is not None
    [capture] = handle.monitor.pools
    connection = small.connect()
    clock.advance(29)
    capture.find_leaks()
    assert caplog.text == ""
    clock.advance(2)
    with caplog.at_level(logging.WARNING):
        capture.find_leaks()
        capture.find_leaks()
        assert caplog.text.count("is held for 31.0 s") == 1
        assert "test_leaks_are_warned_of_and_come_back" in caplog.text
        pool = pool_of(client)
        assert (pool["leaks"], pool["holders"][0]["leaked"]) == (1, True)
        clock.advance(9)
        connection.close()
        settle(handle)
    assert "came back after 40.0 s" in caplog.text


def test_connections_come_back_by_every_way(small: Engine, install: Install) -> None:
    """Closed, invalidated, detached, collected, and after dispose(): none stays in the books."""
    client, handle = install(FastAPI(), small)
    client.get("/api/metrics")
    assert handle.monitor is not None
    [capture] = handle.monitor.pools

    def out() -> int:
        return capture.state().checked_out

    with small.connect():
        assert out() == 1
    broken = small.connect()
    broken.invalidate()
    broken.close()
    assert out() == 0
    detached = small.connect()
    detached.detach()
    assert out() == 0
    detached.close()
    lost: Any = small.raw_connection()
    assert out() == 1
    del lost
    gc.collect()
    assert out() == 0
    before = small.connect()
    small.dispose()
    with small.connect():
        assert out() == 2
    before.close()
    assert out() == 0
    pool = pool_of(client)
    assert pool["invalidated"] == 1
    assert pool["pool_class"] == "QueuePool"
    assert pool["created"] >= 2


@pytest.mark.parametrize("pool_class", [NullPool, StaticPool, SingletonThreadPool])
def test_other_pools(install: Install, pool_class: Any) -> None:
    """Pools without bounds are counted too, and their bounds are unknown, not 0."""
    engine = create_engine("sqlite://", poolclass=pool_class)
    client, _ = install(FastAPI(), engine)
    client.get("/api/metrics")
    with engine.connect() as one, engine.connect():
        one.execute(SELECT)
        assert pool_of(client)["checked_out"] >= 1
    pool = pool_of(client)
    assert (pool["checked_out"], pool["capacity"], pool["usage_ratio"]) == (0, None, None)
    assert pool["pool_class"] == pool_class.__name__
    engine.dispose()


def test_listeners_of_the_application_stay(small: Engine, install: Install) -> None:
    """Events of the application's own are called as before."""
    calls: list[str] = []
    event.listen(small, "checkout", lambda *_: calls.append("checkout"))
    event.listen(small, "before_cursor_execute", lambda *_: calls.append("execute"))
    install(FastAPI(), small)
    with small.connect() as connection:
        connection.execute(SELECT)
    assert calls == ["checkout", "execute"]


def test_waits_are_those_of_the_request(small: Engine, install: Install) -> None:
    """A request that waited for a connection says how long; its own part of the pool is told apart."""
    app = FastAPI()

    @app.get("/query")
    def query() -> None:
        with small.connect() as connection:
            connection.execute(SELECT)

    client, handle = install(app, small)
    with small.connect(), small.connect():
        assert client.get("/query").status == 500
    client.get("/query")
    [one] = client.get("/api/metrics").json()["endpoints"]
    assert one["pool_wait"]["count"] == 2
    assert one["pool_wait"]["max_ms"] >= 50
    assert one["errors"]["by_exception"] == {"TimeoutError": 1}
    assert handle.monitor is not None


def test_several_engines_are_told_apart(tmp_path: Path, install: Install) -> None:
    """Each has its pool, its ping and its name, by logging name where it has one."""
    engines = [
        create_engine(f"sqlite:///{tmp_path / 'a.db'}", logging_name="main"),
        create_engine(f"sqlite:///{tmp_path / 'b.db'}"),
        create_engine(f"sqlite:///{tmp_path / 'c.db'}"),
    ]
    client, handle = install(FastAPI(), engines)
    found = queries(handle)
    for times, engine in enumerate(engines, start=1):
        for _ in range(times):
            with engine.connect() as connection:
                connection.execute(SELECT)
    settle(handle)
    names = ["main", "sqlite", "sqlite-2"]
    assert [1, 2, 3] == [sum(one.engine == name for one in found) for name in names]
    pools = client.get("/api/metrics").json()["database_pools"]
    assert {"main": 1, "sqlite": 2, "sqlite-2": 3} == {one["engine"]: one["wait"]["count"] for one in pools}
    checks = client.get("/api/health").json()["checks"]
    assert {f"{kind}:{name}" for kind in ("database", "pool") for name in names} == set(checks)
    for engine in engines:
        engine.dispose()


# ---- pools and dialects that can't be changed


class Sealed(QueuePool):
    """A pool whose class can't be exchanged for a derived one."""

    def __init_subclass__(cls, **_: Any) -> None:
        raise TypeError("no subclasses")


def test_a_pool_that_cannot_be_changed_is_watched_by_its_events(
    tmp_path: Path, install: Install, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The documented way back sees all but the wait: who holds what, peaks, hold times, leaks, other ways out."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}", poolclass=Sealed, pool_size=1, max_overflow=2)
    clock = FakeClock()
    client, handle = install(master(engine), engine, settings, clock=clock)
    assert type(engine.pool) is Sealed
    assert client.get("/api/deployments/pending/a").json() == [1]
    held = engine.connect()
    broken = engine.connect()
    clock.advance(31.0)
    assert handle.monitor is not None
    [capture] = handle.monitor.pools
    with caplog.at_level(logging.WARNING):
        capture.find_leaks()
    assert caplog.text.count("is held for 31.0 s") == 2
    pool = pool_of(client)
    assert (pool["checked_out"], pool["peak_checked_out"], pool["leaks"], pool["waiting"]) == (2, 2, 2, 0)
    assert all("test_database.py:" in holder["site"] for holder in pool["holders"])
    broken.invalidate()
    broken.close()
    held.detach()
    held.close()
    lost: Any = engine.raw_connection()
    assert capture.state().checked_out == 1
    del lost
    gc.collect()
    pool = pool_of(client)
    assert (pool["checked_out"], pool["hold"]["count"], pool["wait"]["max_ms"]) == (0, 4, 0.0)
    assert pool["hold"]["max_ms"] == pytest.approx(31_000)
    # dispose() makes a new pool, which is watched too, and given back as well.
    engine.dispose()
    with engine.connect():
        assert capture.state().checked_out == 1
    engine.dispose()
    uninstrument(handle)
    with engine.connect():
        assert capture.state().checked_out == 0
    assert not any(engine.pool.dispatch.checkout)
    engine.dispose()


def test_a_dialect_that_cannot_be_changed_is_watched_by_events(
    tmp_path: Path, install: Install, settings: Settings
) -> None:
    """The documented way back sees statements with their times, rows and requests, and can be taken off again."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    dialect: Any = engine.dialect

    def refuse(self: object, name: str, value: object) -> None:
        if name.startswith("do_"):
            raise AttributeError(f"read-only: {name}")
        object.__setattr__(self, name, value)

    sealed = type("Sealed", (type(dialect),), {"__setattr__": refuse, "supports_statement_cache": True})
    object.__setattr__(dialect, "__class__", sealed)
    client, handle = install(master(engine), engine, settings.model_copy(update={"slow_query_s": 1e-9}))
    found = queries(handle)
    answer = client.get("/api/deployments/pending/a")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x INTEGER)"))
        connection.execute(text("INSERT INTO t VALUES (:x)"), [{"x": 1}, {"x": 2}])
    settle(handle)
    found.sort(key=lambda one: one.time_s)
    assert [
        ("SELECT 1 WHERE ? <> 'nobody'", False, answer.headers["x-request-id"]),
        ("CREATE TABLE t (x INTEGER)", False, None),
        ("INSERT INTO t VALUES (?)", True, None),
    ] == [(one.statement, one.many, one.request_id) for one in found]
    assert found[2].rows == 2
    assert all(one.slow for one in found)
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT * FROM nothing"))
    settle(handle)
    failed = found.pop()
    assert ("SELECT * FROM nothing", "OperationalError", None) == (failed.statement, failed.error, failed.rows)
    [one] = client.get("/api/metrics").json()["endpoints"]
    assert (one["queries_per_request"], one["query_time"]["count"]) == (1.0, 1)
    assert client.get("/api/metrics").json()["statements"]["count"] == 4
    uninstrument(handle)
    with engine.connect() as connection:
        connection.execute(SELECT)
    settle(handle)
    assert len(found) == 3
    engine.dispose()


# ---- health


def test_health_answers_while_the_database_hangs(install: Install, settings: Settings, tmp_path: Path) -> None:
    """A database that never answers costs the deadline, and one thread however often it is asked."""
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    hang = threading.Event()
    asked: list[int] = []

    def never(_: Any) -> bool:
        asked.append(1)
        return hang.wait(60)

    engine.dialect.do_ping = never  # type: ignore[method-assign]
    # An answer is never given again, so that each of these is one about the hanging database.
    chosen = settings.model_copy(update={"health_deadline_s": 0.25, "health_cache_s": 1e-9})
    client, _ = install(FastAPI(), engine, chosen)
    answers = [client.get("/api/health") for _ in range(3)]
    assert [503, 503, 503] == [answer.status for answer in answers]
    for answer in answers:
        assert answer.json()["status"] == "fail"
        assert answer.json()["checks"]["database:sqlite"] == {
            "status": "fail",
            "observed": None,
            "unit": "ms",
            "output": "no answer within 0.25 s",
        }
    [ping] = [thread for thread in threading.enumerate() if thread.name == "monitoring-ping-sqlite"]
    assert client.get("/api/metrics").status == 200
    assert client.get("/api/health/live").json() == {"status": "pass"}
    hang.set()
    ping.join()
    assert asked == [1]
    del engine.dialect.do_ping
    assert client.get("/api/health").status == 200
    engine.dispose()


def test_health_gives_a_fresh_answer_again(install: Install, settings: Settings, tmp_path: Path) -> None:
    """Probes that come every moment ask the database once for the time that settings say."""
    clock = FakeClock()
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    asked: list[int] = []

    def count(_: Any) -> bool:
        asked.append(1)
        return True

    engine.dialect.do_ping = count  # type: ignore[method-assign]
    client, _ = install(FastAPI(), engine, settings.model_copy(update={"health_deadline_s": 30.0}), clock=clock)
    for _ in range(3):
        assert client.get("/api/health").status == 200
    clock.advance(1.0)
    assert client.get("/api/health").status == 200
    assert len(asked) == 2
    engine.dispose()


def test_health_names_a_database_that_refuses(install: Install, tmp_path: Path) -> None:
    """The type of the error is told, its text is not: it may hold addresses and names."""
    engine = create_engine(f"sqlite:///{tmp_path / 'none' / 'x.db'}")
    client, _ = install(FastAPI(), engine)
    answer = client.get("/api/health")
    assert answer.status == 503
    check = answer.json()["checks"]["database:sqlite"]
    assert (check["status"], check["output"]) == ("fail", "OperationalError")


# ---- statements


def test_statements_are_ranked(client: Client) -> None:
    for _ in range(3):
        client.get("/api/deployments/pending/a")
    top = client.get("/api/metrics").json()["statements"]
    assert (top["distinct"], top["count"], top["slow"]) == (1, 3, 0)
    for order in ("by_total_time", "by_p95", "by_count"):
        assert top[order][0]["statement"] == "SELECT 1 WHERE ? <> 'nobody'"
        assert top[order][0]["count"] == 3


def test_slow_and_failed_statements(engine: Engine, install: Install, settings: Settings) -> None:
    client, handle = install(master(engine), engine, settings.model_copy(update={"slow_query_s": 1e-9}))
    found = queries(handle)
    client.get("/api/deployments/pending/a")
    with engine.connect() as connection, pytest.raises(OperationalError):
        connection.execute(text("SELECT * FROM nothing"))
    settle(handle)
    found.sort(key=lambda one: one.time_s)
    assert [(True, None, "/api/deployments/pending/{agent_id}"), (True, "OperationalError", None)] == [
        (one.slow, one.error, one.route) for one in found
    ]
    assert found[0].request_id is not None
    assert found[1].request_id is None
    top = client.get("/api/metrics").json()["statements"]
    assert top["slow"] == 2
    assert sum(one["errors"] for one in top["by_count"]) == 1


def test_statements_of_a_background_task(engine: Engine, install: Install) -> None:
    """They carry the request's id and route, and are not the request's time."""
    app = FastAPI()

    def work() -> None:
        with engine.connect() as connection:
            connection.execute(SELECT)

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(work)
        return "accepted"

    client, handle = install(app, engine)
    found = queries(handle)
    answer = client.get("/later")
    settle(handle)
    assert [("/later", answer.headers["x-request-id"])] == [(one.route, one.request_id) for one in found]
    [one] = client.get("/api/metrics").json()["endpoints"]
    assert one["queries_per_request"] == 0.0


def test_n_plus_one_is_named_by_route_and_line(engine: Engine, install: Install) -> None:
    app = FastAPI()

    @app.get("/list")
    def listing() -> None:
        with engine.connect() as connection:
            for number in range(12):
                connection.execute(text("SELECT :n"), {"n": number})

    client, _ = install(app, engine)
    client.get("/list")
    [spot] = client.get("/api/metrics").json()["trouble_spots"]
    assert (spot["kind"], spot["route"], spot["statement"]) == ("n+1", "/list", "SELECT ?")
    assert (spot["occurrences"], spot["most_at_once"]) == (1, 12)
    assert "test_database.py:" in spot["site"]
    assert "in listing" in spot["site"]


def test_blocking_calls_on_the_event_loop_are_named(engine: Engine, install: Install) -> None:
    app = FastAPI()

    @app.get("/blocks")
    async def blocks() -> None:
        with engine.connect() as connection:
            connection.execute(SELECT)

    client, _ = install(app, engine)
    client.get("/blocks")
    [spot] = client.get("/api/metrics").json()["trouble_spots"]
    assert (spot["kind"], spot["route"]) == ("blocking", "/blocks")
    assert "in blocks" in spot["site"]


def test_a_request_of_many_statements_is_relieved(engine: Engine, install: Install) -> None:
    """Thousands of statements in one request: every one is counted, memory is bounded."""
    app = FastAPI()

    @app.get("/many")
    def many() -> None:
        with engine.connect() as connection:
            for _ in range(2500):
                connection.execute(SELECT)

    client, _ = install(app, engine)
    client.get("/many")
    answer = client.get("/api/metrics").json()
    [endpoint] = answer["endpoints"]
    assert endpoint["queries_per_request"] == 2500
    assert endpoint["query_time"]["count"] == answer["statements"]["count"] == 2500
    assert endpoint["pool_wait"]["count"] == 1
    [spot] = answer["trouble_spots"]
    assert (spot["kind"], spot["route"], spot["occurrences"], spot["most_at_once"]) == ("n+1", "/many", 1, 2500)
    assert "in many" in spot["site"]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_on_postgresql(postgres_url: str, install: Install, *, asynchronous: bool) -> None:
    """Sync and async engines on PostgreSQL: statements, waits and call sites are seen through the greenlets."""
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    app = FastAPI()
    engine: Any = create_async_engine(url) if asynchronous else create_engine(url)

    @app.get("/holds")
    async def holds() -> Any:
        async with engine.connect() as connection:
            await connection.execute(SELECT)
            assert handle.monitor is not None
            return [holder.site for holder in handle.monitor.pools[0].state().holders]

    @app.get("/sync")
    def sync() -> Any:
        with engine.connect() as connection:
            connection.execute(SELECT)
            assert handle.monitor is not None
            return [holder.site for holder in handle.monitor.pools[0].state().holders]

    client, handle = install(app, engine)
    found = queries(handle)

    async def run() -> tuple[list[str], dict[str, Any], dict[str, Any]]:
        sites = (await client.request_async("GET", "/holds" if asynchronous else "/sync")).json()
        metrics = (await client.request_async("GET", "/api/metrics")).json()
        health = (await client.request_async("GET", "/api/health")).json()
        if asynchronous:
            await engine.dispose()
        else:
            engine.dispose()
        return sites, metrics, health

    sites, metrics, health = asyncio.run(run())
    assert len(sites) == 1
    assert ("in holds" if asynchronous else "in sync") in sites[0]
    [one] = metrics["endpoints"]
    # The first connection asks the server about itself before it serves the request.
    assert found[-1].statement == "SELECT 1"
    assert one["queries_per_request"] == len(found)
    assert one["pool_wait"]["count"] == 1
    assert metrics["trouble_spots"] == []
    assert health["checks"]["database:postgresql"]["status"] == "pass"


# ---- redaction


@pytest.mark.parametrize(
    ("statement", "parameters", "shown"),
    [
        ("SELECT ?", ("x",), "['x']"),
        ("SELECT * FROM u WHERE name = ? AND password = ?", ("joe", "pw"), "['joe', ***]"),
        ("INSERT INTO u (name, api_key) VALUES (?, ?)", ("joe", "k"), "['joe', ***]"),
        ("INSERT INTO u (name, token) VALUES (?, ?), (?, ?)", ("a", "b", "c", "d"), "['a', ***, 'c', ***]"),
        ("UPDATE u SET x = f(?, ?), secret = ?", ("a", "b", "c"), "[***, ***, ***]"),
        ("SELECT :a", {"a": 1, "password": "pw"}, "{'a': 1, 'password': ***}"),
        ("SELECT :a", {"a": {"deep": {"auth_token": "t"}}}, "{'a': {'deep': {'auth_token': ***}}}"),
        ("SELECT ?", (b"12345",), "[<5 bytes>]"),
        ("SELECT ?", [("a",), ("b",)], "[['a'], ['b']]"),
        ("SELECT ?", ("x" * 500,), "['" + "x" * 99 + "…]"),
    ],
)
def test_redaction(statement: str, parameters: Any, shown: str) -> None:
    """Secrets are hidden at any depth, by name or by the column they belong to; long values are cut."""
    assert redacted(statement, parameters) == shown


def test_parameters_are_logged_only_when_asked_for(engine: Engine, install: Install, settings: Settings) -> None:
    for wanted, shown in ((False, None), (True, "['a']")):
        app = master(engine)
        _, handle = install(app, engine, settings.model_copy(update={"log_query_parameters": wanted}))
        found = queries(handle)
        Client(app).get("/api/deployments/pending/a")
        settle(handle)
        assert [shown] == [one.parameters for one in found]
        uninstrument(app)
