"""The hot paths of the service, and the statements that it really sends on them: captured, never retyped."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from benchmarks.indexes.scratch import FLEET, Scratch
from harness.backend.app import create_app
from harness.backend.config import BackendConfig
from harness.indexes.catalog import SPECIFIED_INDEXES, ExpectedIndex

Parameters = Sequence[Any] | Mapping[str, Any]

NEWEST = 20
"""Deployments in the window of time that is asked for: as many at every size of the table."""

_INDEXES = {index.name: index for index in SPECIFIED_INDEXES}


@dataclass(frozen=True, slots=True, kw_only=True)
class HotPath:
    """
    A question that the service is asked often, and the index that has to answer it.

    Args:
        name: short, for the benchmark's name.
        route: what the requests go to.
        index: as the specification names it.
        requests: makes the query strings and paths, for a scratch master.
    """

    name: str
    route: str
    index: ExpectedIndex
    requests: Callable[[Scratch], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """
    A statement as it reached the driver.

    Args:
        statement: with the driver's placeholders.
        parameters: for them, as the driver takes them.
    """

    statement: str
    parameters: Parameters


def capture(path: HotPath, scratch: Scratch, folder: Path) -> tuple[Sent, ...]:
    """
    Send a path's requests to a master on this database, and keep what it sent to the table of the path's index.

    Args:
        path: the hot path.
        scratch: the database.
        folder: for the master's logs.

    Returns:
        The statements in their order, one or more for each request.
    """
    app = create_app(BackendConfig(database_url=scratch.url, log_dir=folder))
    # Made beforehand: some of them take a look into the database themselves.
    asked = [path.route + request for request in path.requests(scratch)]
    with _listening() as seen:
        asyncio.run(_ask(app, asked))
    return tuple(sent for sent in seen if f"FROM {path.index.table}" in sent.statement)


async def _ask(app: FastAPI, paths: Sequence[str]) -> None:
    # The lifespan is left out: its only task writes sightings, which are none of the requests' own.
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://master") as client:
        for path in paths:
            answer = await client.get(path)
            if answer.status_code != 200:
                raise AssertionError(f"{path} was answered {answer.status_code}: {answer.text}")


@contextmanager
def _listening() -> Iterator[list[Sent]]:
    seen: list[Sent] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Parameters, *_: object) -> None:
        seen.append(Sent(statement=" ".join(statement.split()), parameters=parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _every_agent(_scratch: Scratch) -> list[str]:
    return [f"/agent-{number:04d}" for number in range(1, FLEET + 1)]


def _newest(scratch: Scratch) -> list[str]:
    newest = f"SELECT created_at FROM deployments ORDER BY created_at DESC LIMIT {NEWEST}"
    engine = create_engine(scratch.url, poolclass=NullPool)
    with engine.connect() as connection:
        times = connection.execute(text(newest)).scalars().all()
    oldest, latest = (_iso(times[place]) for place in (-1, 0))
    return [f"?since={oldest}&until={latest}"]


def _iso(stored: datetime | str) -> str:
    """Return a stored instant as a query's parameter: SQLite hands out text without a zone."""
    instant = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return instant.replace(tzinfo=None).isoformat() + "Z"


HOT_PATHS = (
    HotPath(
        name="pending",
        route="/api/deployments/pending",
        index=_INDEXES["idx_deployment_agent_status_created"],
        requests=_every_agent,
    ),
    HotPath(
        name="count-pending",
        route="/api/deployments/count",
        index=_INDEXES["idx_deployment_status"],
        requests=lambda _: ["?status=pending"],
    ),
    HotPath(
        name="newest",
        route="/api/deployments",
        index=_INDEXES["idx_deployment_created_at"],
        requests=_newest,
    ),
    HotPath(
        name="agent-by-name",
        route="/api/agents",
        index=_INDEXES["idx_agent_name"],
        requests=lambda scratch: [f"?name={scratch.named_agent}"],
    ),
)
