"""
Ways to build the polled endpoint, to be measured against each other by `burst.py`.

Each serves ``GET /api/deployments/pending/{agent_id}`` with the same query and the same answer, and differs in
where the query runs and for how long a connection is held; the reference alone is monitored. ``GET /peak`` tells
the most connections that were checked out at once since it was last asked.

    python -m benchmarks.backend.designs '{"design": "reference", "database_url": "sqlite:////tmp/master.db"}'

prints the address it listens on, and serves until SIGTERM.
"""

import json
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import uvicorn
from anyio import to_thread
from fastapi import Depends, FastAPI
from sqlalchemy import event
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from harness.backend.app import create_app
from harness.backend.bodies import DeploymentAnswer, PendingAnswer
from harness.backend.config import BackendConfig
from harness.backend.database import make_engine
from harness.backend.operations import Row, pending_deployments


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """
    One way to build and size the endpoint.

    Args:
        design: name of an entry of `DESIGNS`.
        database_url: of a seeded database.
        threads: database calls under way at once; for designs that leave it to FastAPI, its worker threads.
        pool_size: connections kept.
        max_overflow: connections beyond these.
        log_dir: folder for the reference's log files.
    """

    design: str
    database_url: str
    threads: int = 8
    pool_size: int = 8
    max_overflow: int = 4
    log_dir: str = "logs"

    def config(self) -> BackendConfig:
        """Return the master's own settings of the same sizes."""
        return BackendConfig(
            database_url=self.database_url,
            log_dir=Path(self.log_dir),
            threads=self.threads,
            pool_size=self.pool_size,
            max_overflow=self.max_overflow,
        )


def reference(setup: Setup) -> FastAPI:
    """Build the master as it is: a connection is opened and given back inside a limited number of threads."""
    return create_app(setup.config())


def common(setup: Setup) -> FastAPI:
    """
    Build it as most tutorials do: a sync route that gets its session from a dependency.

    The session is closed by a task that needs a thread of its own, and all threads may be waiting for sessions.
    """
    app, engine = FastAPI(), make_engine(setup.config())

    def session() -> Iterator[Session]:
        with Session(engine) as opened:
            yield opened

    @app.get("/api/deployments/pending/{agent_id}")
    def pending(agent_id: str, opened: Annotated[Session, Depends(session)]) -> PendingAnswer:
        return _answer(agent_id, pending_deployments(opened.connection(), agent_id))

    return _with_threads(app, setup)


def inside(setup: Setup) -> FastAPI:
    """Build it with a sync route that opens and closes its session itself, on FastAPI's forty threads."""
    app, engine = FastAPI(), make_engine(setup.config())

    @app.get("/api/deployments/pending/{agent_id}")
    def pending(agent_id: str) -> PendingAnswer:
        with Session(engine) as opened:
            return _answer(agent_id, pending_deployments(opened.connection(), agent_id))

    return _with_threads(app, setup)


def inline(setup: Setup) -> FastAPI:
    """Build it with an async route that calls the database on the event loop, which stands still meanwhile."""
    app, engine = FastAPI(), make_engine(setup.config())

    @app.get("/api/deployments/pending/{agent_id}")
    async def pending(agent_id: str) -> PendingAnswer:
        with engine.connect() as connection:
            return _answer(agent_id, pending_deployments(connection, agent_id))

    return app


DESIGNS: dict[str, Callable[[Setup], FastAPI]] = {
    "reference": reference,
    "common": common,
    "inside": inside,
    "inline": inline,
}


def _answer(agent_id: str, rows: Sequence[Row]) -> PendingAnswer:
    return PendingAnswer(agent_id=agent_id, deployments=[DeploymentAnswer(**row) for row in rows])


def _with_threads(app: FastAPI, setup: Setup) -> FastAPI:
    async def limit() -> None:
        to_thread.current_default_thread_limiter().total_tokens = setup.threads

    app.router.on_startup.append(limit)
    return app


class _Peak:
    """Most connections checked out at once, of all pools in this process."""

    def __init__(self) -> None:
        self._now = 0
        self._most = 0
        event.listen(Pool, "checkout", self._out)
        event.listen(Pool, "checkin", self._in)

    def _out(self, *_: object) -> None:
        self._now += 1
        self._most = max(self._most, self._now)

    def _in(self, *_: object) -> None:
        self._now -= 1

    async def read(self) -> dict[str, int]:
        """Return the peak since the last call."""
        most, self._most = self._most, self._now
        return {"peak": most}


def main() -> None:
    """Serve the design that the one argument describes."""
    setup = Setup(**json.loads(sys.argv[1]))
    peak = _Peak()
    app = DESIGNS[setup.design](setup)
    app.add_api_route("/peak", peak.read)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        config = uvicorn.Config(app, access_log=False, log_level="critical", timeout_keep_alive=75, backlog=2048)
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
