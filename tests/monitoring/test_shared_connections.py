"""Health of a service whose engine has one connection for all: it is the service's, and comes to no harm."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from monitoring import Handle, Settings
from tests.monitoring.driver import Client

Install = Callable[..., tuple[Client, Handle]]
COUNT = text("SELECT COUNT(*) FROM t")
NOT_ASKED = {
    "status": "pass",
    "observed": None,
    "unit": "ms",
    "output": "not asked: the engine's creator gives the service's own connection, which a ping would disturb",
}


@pytest.fixture
def often(settings: Settings) -> Settings:
    """Settings by which no answer is given again."""
    return settings.model_copy(update={"health_cache_s": 1e-9})


@pytest.fixture
def shared() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(table()) as connection:
        yield connection


def table() -> sqlite3.Connection:
    """Return a connection to a database in memory with a row in it."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.executescript("CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1);")
    return connection


def counting(engine: Engine) -> FastAPI:
    app = FastAPI()

    @app.get("/n")
    def n() -> int:
        with engine.connect() as connection:
            return int(connection.execute(COUNT).scalar_one())

    return app


def check_of(client: Client) -> dict[str, Any]:
    answer = client.get("/api/health")
    assert answer.status == 200
    [check] = [one for name, one in answer.json()["checks"].items() if name.startswith("database:")]
    return dict(check)


@pytest.mark.parametrize("used_before", [True, False])
@pytest.mark.parametrize("pool_class", [StaticPool, SingletonThreadPool, None])
def test_one_connection_for_all_survives_health(
    shared: sqlite3.Connection, install: Install, often: Settings, pool_class: Any, *, used_before: bool
) -> None:
    """SQLAlchemy's documented way to share a connection: it stays open, and nobody is told that it was asked."""
    engine = create_engine("sqlite://", creator=lambda: shared, poolclass=pool_class)
    client, _ = install(counting(engine), engine, often)
    if used_before:
        assert client.get("/n").json() == 1
    assert [NOT_ASKED] * 3 == [check_of(client) for _ in range(3)]
    assert client.get("/n").json() == 1


def test_an_open_transaction_survives_health(
    shared: sqlite3.Connection, install: Install, often: Settings
) -> None:
    """What somebody has written and not yet committed is not rolled back."""
    engine = create_engine("sqlite://", creator=lambda: shared, poolclass=StaticPool)
    client, _ = install(counting(engine), engine, often)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO t VALUES (2)"))
        assert check_of(client) == NOT_ASKED
        assert shared.in_transaction
    assert client.get("/n").json() == 2


def test_a_connection_that_the_service_has_is_left_alone(install: Install, often: Settings) -> None:
    """A creator that takes turns between a few: those that the pool has are told from others."""
    several = [table(), table()]
    turns = itertools.cycle(several)
    engine = create_engine("sqlite://", creator=lambda: next(turns), poolclass=QueuePool)
    client, _ = install(counting(engine), engine, often)
    with engine.connect(), engine.connect():
        pass
    assert [NOT_ASKED] * 3 == [check_of(client) for _ in range(3)]
    assert client.get("/n").json() == 1
    for one in several:
        assert one.execute("SELECT x FROM t").fetchone() == (1,)
        one.close()


def test_a_creator_of_new_connections_is_asked(install: Install, often: Settings, tmp_path: Path) -> None:
    """Each ping has its own, which is closed; to find out, the first one takes two."""
    made: list[sqlite3.Connection] = []

    def create() -> sqlite3.Connection:
        made.append(sqlite3.connect(tmp_path / "x.db", check_same_thread=False))
        return made[-1]

    engine = create_engine("sqlite://", creator=create, poolclass=NullPool)
    client, _ = install(FastAPI(), engine, often)
    for expected in (2, 3, 4):
        check = check_of(client)
        assert (check["status"], check["output"]) == ("pass", None)
        assert check["observed"] > 0
        assert len(made) == expected
    for one in made:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            one.execute("SELECT 1")


def test_a_database_that_allows_one_more_is_asked(install: Install, often: Settings, tmp_path: Path) -> None:
    """That there is no second connection to be had is no fault of the first."""
    calls = itertools.count()

    def create() -> sqlite3.Connection:
        if next(calls) == 1:
            raise sqlite3.OperationalError("too many connections")
        return sqlite3.connect(tmp_path / "x.db", check_same_thread=False)

    engine = create_engine("sqlite://", creator=create, poolclass=NullPool)
    client, _ = install(FastAPI(), engine, often)
    for _ in range(2):
        check = check_of(client)
        assert (check["status"], check["output"]) == ("pass", None)
        assert check["observed"] > 0


@pytest.mark.parametrize(
    ("url", "pool_class"),
    [
        ("sqlite://", None),
        ("sqlite://", StaticPool),
        ("sqlite:///file:health?mode=memory&cache=shared&uri=true", StaticPool),
        ("sqlite:///file:health?mode=memory&cache=shared&uri=true", SingletonThreadPool),
    ],
)
def test_a_database_in_memory_keeps_its_data(install: Install, often: Settings, pool_class: Any, url: str) -> None:
    """Pings make connections of their own, to a database in memory too; the service's stays."""
    engine = create_engine(url, poolclass=pool_class, connect_args={"check_same_thread": False})
    app = FastAPI()

    @app.get("/n")
    async def n() -> int:  # on the loop, so that it is this thread's database in any pool
        with engine.connect() as connection:
            return int(connection.execute(COUNT).scalar_one())

    client, _ = install(app, engine, often)

    async def run() -> None:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (x INTEGER)"))
            connection.execute(text("INSERT INTO t VALUES (1)"))
        for _ in range(3):
            health = (await client.request_async("GET", "/api/health")).json()
            assert health["checks"]["database:sqlite"]["output"] is None
            assert (await client.request_async("GET", "/n")).json() == 1

    asyncio.run(run())
    engine.dispose()


@pytest.mark.parametrize("given", [True, False])
def test_one_async_connection_for_all_survives_health(
    postgres_url: str, install: Install, often: Settings, *, given: bool
) -> None:
    """What only this connection has stays, given by an async creator (in another wrapper each time) or made."""
    plain_url = postgres_url.replace("+psycopg", "")
    url = plain_url.replace("postgresql://", "postgresql+psycopg://")

    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(plain_url) as shared:

            async def same() -> Any:
                return shared

            creator: Any = {"async_creator": same} if given else {}
            engine = create_async_engine(url, poolclass=StaticPool, **creator)
            client, _ = install(FastAPI(), engine, often)
            async with engine.begin() as connection:
                await connection.execute(text("CREATE TEMPORARY TABLE t AS SELECT 1 AS x"))
                for _ in range(3):
                    health = (await client.request_async("GET", "/api/health")).json()
                    check = health["checks"]["database:postgresql"]
                    assert (check == NOT_ASKED) is given
                    assert check["status"] == "pass"
                assert (await connection.execute(COUNT)).scalar_one() == 1
            async with engine.connect() as connection:
                assert (await connection.execute(COUNT)).scalar_one() == 1
            await engine.dispose()

    asyncio.run(run())
