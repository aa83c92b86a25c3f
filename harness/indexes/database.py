"""A database as the audit needs it, whichever it is, and what can go wrong with one statement."""

from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from harness.errors import HarnessError
from harness.indexes.catalog import IndexDefinition, IndexUsage, TableFacts
from harness.indexes.plan import Plan


class CannotExplainError(HarnessError):
    """One statement can't be explained; others can."""


class Database(Protocol):
    """A database as the audit needs it."""

    @property
    def name(self) -> str:
        """``sqlite`` or ``postgresql``."""

    @property
    def version(self) -> str:
        """Of the library or the server."""

    @property
    def connection(self) -> Connection:
        """The connection it reads through."""

    def explain(self, statement: str) -> Plan:
        """Return the plan of a statement without running it; `CannotExplainError` when there is none."""

    def indexes(self) -> tuple[IndexDefinition, ...]:
        """Return every index."""

    def tables(self) -> tuple[TableFacts, ...]:
        """Return every table."""

    def usage(self) -> IndexUsage | None:
        """Return how often the indexes were used, or None when the database doesn't count."""

    def excuse(self, table: str, plan: Plan) -> str | None:
        """Return why a plan that passes an index of `table` over says nothing against it, or None."""


def driver_message(fault: BaseException) -> str:
    """Return the database's own words, without the statement and the link that others add to them."""
    origin = fault.orig if isinstance(fault, DBAPIError) else fault
    # psycopg keeps them apart from the line of the statement that it shows.
    primary = getattr(getattr(origin, "diag", None), "message_primary", None)
    return " ".join(str(primary or origin).split())
