"""Scratch masters of any size, with and without the composite index, and a clock around the pending query."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from harness.backend.queries import pending_statement
from harness.backend.seed import seed
from harness.indexes.audit import audit_pending_query
from harness.indexes.catalog import PENDING_INDEX
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

    def evidence(self) -> IndexEvidence:
        """Return how the pending query would be served."""
        (evidence,) = audit_pending_query(self.url, pending_statement("agent-0001"))
        return evidence

    def drop_index(self) -> None:
        """Take the composite index away, and renew the statistics as a server would in time."""
        self._run(f"DROP INDEX {PENDING_INDEX.name}")
        self._run("ANALYZE")

    def restore_index(self) -> None:
        """Put the composite index back."""
        self._run(PENDING_INDEX.create_statement)
        self._run("ANALYZE")

    def _run(self, command: str) -> None:
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(command))


class Poller:
    """
    Sends the pending query on one connection, by the driver alone: SQLAlchemy's own share would hide the growth.

    Args:
        connection: open.
    """

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.connection.cursor()
        compiled = pending_statement("agent-0001").compile(dialect=connection.dialect)
        self._statement = str(compiled)
        order = compiled.positiontup
        made = [pending_statement(f"agent-{number:04d}") for number in range(1, FLEET + 1)]
        compiled_each = [one.compile(dialect=connection.dialect).params for one in made]
        # The driver would send an enum by its name; SQLAlchemy, left out here, sends its value.
        values = [{name: str(value) for name, value in one.items()} for one in compiled_each]
        self._values = [tuple(one[name] for name in order) if order else one for one in values]
        self.rows = sum(len(self._fetch(one)) for one in self._values)

    def poll_all(self) -> None:
        """Poll once for every agent."""
        for values in self._values:
            self._fetch(values)

    def poll_some(self, agents: int) -> None:
        """Poll once for the first agents."""
        for values in self._values[:agents]:
            self._fetch(values)

    def mean_s(self, agents: int = FLEET) -> float:
        """Return the mean time of a poll, over the first agents [s]."""
        start_s = time.perf_counter()
        self.poll_some(agents)
        return (time.perf_counter() - start_s) / agents

    def _fetch(self, values: tuple[str, ...] | dict[str, str]) -> Sequence[object]:
        self._cursor.execute(self._statement, values)
        return self._cursor.fetchall()


def make_scratch(url: str, deployments: int) -> Scratch:
    """Seed a database, and give every agent the same number of pending deployments."""
    seed(url, agents=FLEET, deployments=deployments)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text(_NONE_PENDING))
        connection.execute(text(_SAME_PENDING), {"each": PENDING_EACH})
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("VACUUM ANALYZE" if engine.dialect.name == "postgresql" else "ANALYZE"))
    return Scratch(url=url, deployments=deployments)


@contextmanager
def poller(scratch: Scratch) -> Iterator[Poller]:
    """Open a connection for polling."""
    engine = create_engine(scratch.url, poolclass=NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Left alone, the server plans each poll of a large table anew and those of a small one once: a step of
            # about 0.1 ms that is the planner's, not the table's.
            connection.execute(text("SET plan_cache_mode = force_custom_plan"))
        yield Poller(connection)


def sqlite_url(folder: Path, deployments: int) -> str:
    """Return the URL of a scratch file."""
    return f"sqlite:///{folder / f'scratch-{deployments}.db'}"
