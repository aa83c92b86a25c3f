"""
Trying an index where nothing is copied or made: PostgreSQL's hypopg extension, in the audited database itself.

A hypothetical index exists in the memory of one session, and the planner takes it into account under EXPLAIN only.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from harness.indexes.database import CannotExplainError, driver_message
from harness.indexes.plan import Plan
from harness.indexes.postgres import PostgresDatabase

_EXTENSION = "hypopg"
_INSTALLED = "SELECT extversion FROM pg_extension WHERE extname = %s"


class HypotheticalIndexes:
    """
    The audited database with indexes that only its planner sees; a `harness.indexes.trial.Copy`.

    Args:
        database: open, with the extension installed.
        version: of the extension.
    """

    def __init__(self, database: PostgresDatabase, version: str) -> None:
        self._database = database
        self._version = version

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        return f"a hypothetical index ({_EXTENSION} {self._version})"

    def plans(
        self,
        statement: str,
        tables: Sequence[str],  # noqa: ARG002  # all of them are there
        create_index: str,
        name: str,
    ) -> tuple[Plan, Plan]:
        """Return the plans without and with the index; see `harness.indexes.trial.Copy`."""
        before = self._database.explain(statement)
        connection = self._database.connection
        # A refused index must not end the audit's own transaction.
        savepoint = connection.begin_nested()
        try:
            made = "SELECT indexrelid, indexname FROM hypopg_create_index(%s)"
            number, own_name = connection.exec_driver_sql(made, (create_index,)).one()
        except DBAPIError as fault:
            savepoint.rollback()
            raise CannotExplainError(f"the index can't be tried: {driver_message(fault)}") from fault
        savepoint.commit()
        try:
            return before, _renamed(self._database.explain(statement), own_name, name)
        finally:
            connection.exec_driver_sql("SELECT hypopg_drop_index(%s)", (number,))


def hypothetical_indexes(database: PostgresDatabase) -> HypotheticalIndexes | None:
    """Return a way to try indexes in the audited database, or None where the extension isn't installed in it."""
    connection: Connection = database.connection
    version = connection.exec_driver_sql(_INSTALLED, (_EXTENSION,)).scalar_one_or_none()
    return None if version is None else HypotheticalIndexes(database, str(version))


def _renamed(plan: Plan, old: str, new: str) -> Plan:
    """Return a plan with the index's proposed name for the one that the extension made up."""
    return replace(
        plan,
        index=new if plan.index == old else plan.index,
        detail=plan.detail.replace(old, new),
        children=tuple(_renamed(child, old, new) for child in plan.children),
    )
