"""Databases and a master: every test that uses `database_url`, itself or not, runs on SQLite and PostgreSQL."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from sqlalchemy import Engine

from harness.backend.app import create_app
from harness.backend.config import BackendConfig
from harness.backend.database import make_sole_engine
from harness.backend.schema import upgrade

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)


class SteppingClock:
    """A clock that goes on by one second each time somebody looks."""

    def __init__(self) -> None:
        self._looks = -1

    def monotonic_s(self) -> float:
        self._looks += 1
        return float(self._looks)

    def utc_now(self) -> datetime:
        return NOW + timedelta(seconds=self.monotonic_s())

    def sleep(self, duration_s: float) -> None:
        raise AssertionError(f"nothing sleeps on this clock, not even {duration_s} s")


class Master:
    """
    A master in this process: its event loop in a thread, its requests past the network.

    Args:
        app: the application; its lifespan begins and ends with the `with` block.
    """

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self._stack = ExitStack()
        self._portal: BlockingPortal

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(start_blocking_portal())
        self._stack.enter_context(
            self._portal.wrap_async_context_manager(self.app.router.lifespan_context(self.app))
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://master")
        return self

    def __exit__(self, *_: object) -> None:
        self._portal.call(self._client.aclose)
        self._stack.close()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request and wait for its answer."""
        return self._portal.call(partial(self._client.request, method, path, **options))

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.send("GET", path, params=parameters or None)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.send("POST", path, json=body)

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run something on the master's event loop."""
        return self._portal.call(work)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'master.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database with the schema and no rows."""
    made = make_sole_engine(database_url)
    upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def make_master(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Callable[..., Master]]:
    """A function that starts a master on the database, with settings of the test's own."""
    started: list[Master] = []

    def start(**settings: object) -> Master:
        config = BackendConfig(database_url=database_url, log_dir=tmp_path / "logs", **settings)
        client = Master(create_app(config, clock=SteppingClock()))
        started.append(client.__enter__())
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture
def master(make_master: Callable[..., Master]) -> Master:
    """A running master with its defaults."""
    return make_master()
