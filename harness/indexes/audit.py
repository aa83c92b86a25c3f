"""Ask a database how it would serve a statement, and turn the answer into evidence."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Engine, Select

from harness.errors import HarnessError, explain
from harness.indexes.catalog import PENDING_INDEX, IndexDefinition
from harness.indexes.database import CannotExplainError, Database
from harness.indexes.opening import open_database
from harness.indexes.plan import Plan
from harness.indexes.serving import fault_of_plan
from harness.model import IndexEvidence


def audit_pending_query(database_url: str, statement: Select[Any] | str) -> tuple[IndexEvidence, ...]:
    """
    Ask whether the pending query is served by the composite index of the specification.

    Args:
        database_url: SQLAlchemy URL of the master's database.
        statement: the pending query, as the service sends it.

    Returns:
        One piece of evidence.

    Raises:
        HarnessError: see `explain_served`.
    """
    evidence = explain_served(
        database_url, statement, PENDING_INDEX.name, table=PENDING_INDEX.table, columns=PENDING_INDEX.columns
    )
    return (evidence,)


def explain_served(
    database: Engine | URL | str,
    statement: Select[Any] | str,
    expected_index: str,
    *,
    table: str | None = None,
    columns: Sequence[str] | None = None,
) -> IndexEvidence:
    """
    Ask whether a database would serve a statement by a certain index. Nothing is run but EXPLAIN.

    PostgreSQL is judged by its generic plan, the one for any value: for one agent with next to nothing pending, or
    a table of a few pages, a healthy server may choose otherwise.

    Args:
        database: an engine or a URL; see `harness.indexes.opening.open_database`.
        statement: a Select, or text with the placeholders of its driver. Values are not needed.
        expected_index: name of the index.
        table: the index must belong to; any when None.
        columns: the index's keys must be these, in this order; any when None.

    Returns:
        The evidence; `served` is None when a healthy planner might pass the index over as well: `note` says why.

    Raises:
        HarnessError: the database can't be opened or read, or the statement not be explained.
    """
    with open_database(database) as opened:
        text = statement_text(opened, statement)
        try:
            plan = opened.explain(text)
        except CannotExplainError as fault:
            raise HarnessError(
                explain(
                    "statement",
                    _shortened(text),
                    fault=f"{opened.name} {opened.version} can't explain it: {fault}",
                    remedy=remedy_for(str(fault)),
                )
            ) from fault
        served, note = _judge(opened, plan, expected_index, table, columns)
    return IndexEvidence(
        statement=text, expected_index=expected_index, served=served, plan=plan.one_line(), note=note
    )


def statement_text(database: Database, statement: Select[Any] | str) -> str:
    """Return a statement as the driver of this database would be handed it."""
    if isinstance(statement, str):
        return statement
    compiled = statement.compile(dialect=database.connection.dialect, compile_kwargs={"render_postcompile": True})
    return " ".join(str(compiled).split())


def _judge(
    database: Database, plan: Plan, expected_index: str, table: str | None, columns: Sequence[str] | None
) -> tuple[bool | None, str | None]:
    definition = next((index for index in database.indexes() if index.name == expected_index), None)
    if definition is None:
        return False, f"there is no index {expected_index}"
    fault = fault_of_definition(definition, table, columns)
    if fault is not None:
        return False, fault
    fault = fault_of_plan(plan, definition)
    if fault is None:
        return True, None
    excuse = database.excuse(definition.table, plan)
    return (False, fault) if excuse is None else (None, excuse)


def fault_of_definition(
    definition: IndexDefinition, table: str | None, columns: Sequence[str] | None
) -> str | None:
    """Return what keeps an index from being the expected one, or None; see `explain_served` for the arguments."""
    name = definition.name
    if table is not None and definition.table != table:
        return f"index {name} belongs to the table {definition.table}, not to {table}"
    if columns is not None and definition.columns != tuple(columns):
        return f"index {name} is on ({', '.join(definition.columns)}), not on ({', '.join(columns)})"
    if not definition.valid:
        return f"index {name} is invalid: its building failed half-way; REINDEX INDEX {name} builds it anew"
    if definition.partial:
        return f"index {name} is partial: it holds only some of the rows"
    return None


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


def remedy_for(message: str) -> str | None:
    """Return what helps against a database's fault, by its message; None where nothing comes to mind."""
    if "no such table" in message or ("relation" in message and "does not exist" in message):
        return "the database of the deployment master, with its migrations applied"
    if "permission denied" in message:
        return "a user that may read the tables (GRANT SELECT)"
    if "timeout" in message:
        return "again when no other session holds the table"
    return None
