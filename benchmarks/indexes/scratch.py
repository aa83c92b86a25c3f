"""Scratch masters of any size, with and without each specified index, and statements sent by the driver alone."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from harness.backend.population import agent_name
from harness.backend.seed import seed
from harness.indexes.audit import explain_served
from harness.indexes.catalog import ExpectedIndex
from harness.indexes.opening import open_database
from harness.model import IndexEvidence

FLEET = 50
PENDING_EACH = 3
"""Deployments that every agent has pending at every size: the query returns all of them, so they must not grow."""
_NONE_PENDING = "UPDATE deployments SET status = 'succeeded' WHERE status = 'pending'"
_SAME_PENDING = """
UPDATE deployments SET status = 'pending' WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY agent_id ORDER BY id DESC) AS place FROM deployments
    ) AS ranked
    WHERE place <= :each
)
"""
# One agent without deployments for each deployment: the agents' table grows as much, and its smallest is no page
# or two, which PostgreSQL reads whole in less time than any index takes.
_BYSTANDERS = """
INSERT INTO agents (id, name, registered_by, registered_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'bystander-' || n, 'bystander-' || n, 'benchmark', (SELECT min(registered_at) FROM agents) FROM numbers
"""


class Sent(Protocol):
    """A statement with its parameters; see `benchmarks.indexes.paths.Sent`."""

    @property
    def statement(self) -> str:
        """With the driver's placeholders."""

    @property
    def parameters(self) -> Any:
        """As the driver takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """
    A seeded database that may be spoilt.

    Args:
        url: of the database.
        deployments: rows of its table.
    """

    url: str
    deployments: int

    @property
    def database(self) -> str:
        """Its kind, ``sqlite`` or ``postgresql``."""
        return self.url.partition(":")[0].partition("+")[0]

    @property
    def version(self) -> str:
        """Version of the database."""
        with open_database(self.url) as database:
            return database.version

    @property
    def named_agent(self) -> str:
        """Name of an agent that is there."""
        return agent_name(FLEET // 2)

    def evidence(self, statement: str, index: ExpectedIndex) -> IndexEvidence:
        """Return how a statement would be served."""
        return explain_served(self.url, statement, index.name, table=index.table, columns=index.columns)

    @contextmanager
    def without(self, index: ExpectedIndex) -> Iterator[None]:
        """Take an index away for a while, and renew the statistics as a server would in time."""
        made = self._definition(index)
        self._run(f"DROP INDEX {index.name}", "ANALYZE")
        try:
            yield
        finally:
            self._run(made, "ANALYZE")

    def _definition(self, index: ExpectedIndex) -> str:
        """Return the statement that makes an index as it stands, unique or not."""
        source = (
            f"SELECT indexdef FROM pg_indexes WHERE indexname = '{index.name}'"
            if self.database == "postgresql"
            else f"SELECT sql FROM sqlite_master WHERE name = '{index.name}'"
        )
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            return str(connection.execute(text(source)).scalar_one())

    def _run(self, *commands: str) -> None:
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            for command in commands:
                connection.execute(text(command))


class Sender:
    """
    Sends captured statements on one connection, by the driver alone: SQLAlchemy's own share would hide the growth.

    Args:
        cursor: of an open connection.
        sent: at least one statement.
    """

    def __init__(self, cursor: Any, sent: Sequence[Sent]) -> None:
        self._cursor = cursor
        self._sent = sent
        self._next = 0
        self.rows = sum(self.send_one() for _ in sent)

    def send_one(self) -> int:
        """Send the next statement, in turn; return how many rows came back."""
        sent = self._sent[self._next]
        self._next = (self._next + 1) % len(self._sent)
        self._cursor.execute(sent.statement, sent.parameters)
        return len(self._cursor.fetchall())

    def mean_s(self, count: int) -> float:
        """Return the mean time of so many statements [s]."""
        start_s = time.perf_counter()
        for _ in range(count):
            self.send_one()
        return (time.perf_counter() - start_s) / count


def make_scratch(url: str, deployments: int) -> Scratch:
    """Seed a database, and give every agent the same number of pending deployments."""
    seed(url, agents=FLEET, deployments=deployments)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_NONE_PENDING))
        connection.execute(text(_SAME_PENDING), {"each": PENDING_EACH})
        connection.execute(text(_BYSTANDERS), {"count": deployments})
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))
    return Scratch(url=url, deployments=deployments)


@contextmanager
def sender(scratch: Scratch, sent: Sequence[Sent]) -> Iterator[Sender]:
    """Open a connection for sending."""
    engine = create_engine(scratch.url, poolclass=NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Left alone, the server plans each poll of a large table anew and those of a small one once: a step of
            # about 0.1 ms that is the planner's, not the table's.
            connection.execute(text("SET plan_cache_mode = force_custom_plan"))
        yield Sender(connection.connection.cursor(), sent)


def sqlite_url(folder: Path, deployments: int) -> str:
    """Return the URL of a scratch file."""
    return f"sqlite:///{folder / f'scratch-{deployments}.db'}"
