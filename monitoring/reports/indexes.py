"""
A look into the database: are the indexes that polling needs there, and does the pending query use its own.

Reads the catalogue and a plan, never a row, and changes nothing. On SQLite the plan of the pending statement is
asked for: it has to be a SEARCH of the composite index without a sort, as a SCAN that merely names an index reads
every row. On PostgreSQL the server's own count of index scans answers, which is what really happened; a plan of a
small table would say little.
"""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from monitoring.checklist import IndexState, Status
from monitoring.errors import MonitoringError, UsageError, explain
from monitoring.metrics import MAX_STATEMENT_CHARS

COMPOSITE = "idx_deployment_agent_status_created"
TABLE = "deployments"

EXPECTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    COMPOSITE: (TABLE, ("agent_id", "status", "created_at")),
    "idx_deployment_status": (TABLE, ("status",)),
    "idx_deployment_created_at": (TABLE, ("created_at",)),
}
"""Name -> table and columns."""

_PENDING = f"SELECT * FROM {TABLE} WHERE agent_id = ? AND status = ? ORDER BY created_at"  # noqa: S608  # constants
_SHAPE = re.compile(
    rf"\s*SELECT\b.*\bFROM\s+{TABLE}\b.*\bagent_id\s*=.*\bstatus\s*=.*\bORDER\s+BY\b", re.IGNORECASE | re.DOTALL
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_TOO_SMALL_ROWS = 200


def look_at_indexes(database_url: str, statements: Sequence[str]) -> IndexState:
    """
    Look into a database.

    Args:
        database_url: SQLAlchemy's form; its password never stands in an error text.
        statements: what the service sent, as captured; the pending query is looked for among them.

    Raises:
        UsageError: no usable URL.
        MonitoringError: the database can't be reached.
    """
    url = _url(database_url)
    # libpq takes passwords in the query as well: none of it is shown.
    shown = url.set(query={}).render_as_string(hide_password=True)
    try:
        engine = create_engine(_read_only(url), poolclass=NullPool)
        with engine.connect() as connection:
            return _look(connection, statements)
    except (ImportError, NoSuchModuleError) as error:
        raise UsageError(
            explain("database", shown, fault=f"no driver ({error})", remedy="its package, or harness indexes")
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = _without_secrets(str(getattr(error, "orig", None) or error).partition("\n")[0], url)
        raise MonitoringError(
            explain("database", shown, fault=f"can't be asked ({reason})", remedy="the URL that the service uses")
        ) from error


def _url(database_url: str) -> URL:
    try:
        return make_url(database_url)
    except ArgumentError as error:
        # The text may hold a password, so it is not repeated.
        raise UsageError(
            explain("option", "--database-url", fault="not understood", need="a form such as sqlite:///master.db")
        ) from error


def _without_secrets(text: str, url: URL) -> str:
    secrets = [str(url.password)] if url.password else []
    secrets += [str(value) for name, value in url.query.items() if "pass" in name]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _read_only(url: URL) -> URL:
    """Return the URL for reading: a synchronous driver, and of SQLite no new file where there is none."""
    backend = url.get_backend_name()
    if backend != "sqlite":
        return url.set(drivername="postgresql+psycopg") if backend == "postgresql" else url
    if not url.database or not Path(url.database).is_file():
        raise MonitoringError(explain("database", url.database or ":memory:", fault="no such file"))
    return URL.create(
        "sqlite",
        database=f"file:{Path(url.database).absolute().as_uri()[7:]}",
        query={"mode": "ro", "uri": "true"},
    )


def _look(connection: Connection, statements: Sequence[str]) -> IndexState:
    inspector = inspect(connection)
    if not inspector.has_table(TABLE):
        note = f"there is no table '{TABLE}' in this database"
        return IndexState(status="unknown", present=0, expected=len(EXPECTED) + 1, note=note)
    found = {str(one["name"]): tuple(one["column_names"]) for one in inspector.get_indexes(TABLE)}
    missing = [
        f"create index {name} on {table} ({', '.join(columns)})"
        for name, (table, columns) in EXPECTED.items()
        if found.get(name) != columns
    ]
    if not _has_name_index(inspector):
        missing.append("create index idx_agent_name on agents (name)")
    expected = len(EXPECTED) + 1
    present = expected - len(missing)
    status, note = _used(connection, statements)
    if missing:
        status = "fail"
        note = f"missing or of other columns: {'; '.join(missing)}" + (f"; {note}" if note else "")
    return IndexState(status=status, present=present, expected=expected, note=note)


def _has_name_index(inspector: Any) -> bool:
    if not inspector.has_table("agents"):
        return False
    indexes = [one["column_names"] for one in inspector.get_indexes("agents")]
    unique = [one["column_names"] for one in inspector.get_unique_constraints("agents")]
    return any(columns and columns[0] == "name" for columns in indexes + unique)


def _used(connection: Connection, statements: Sequence[str]) -> tuple[Status, str]:
    backend = connection.dialect.name
    if backend == "sqlite":
        return _plan_sqlite(connection, _pending(statements))
    if backend == "postgresql":
        return _scans_postgresql(connection)
    return "unknown", f"whether they are used can't be told of {backend}"


def _pending(statements: Sequence[str]) -> str:
    """Return the pending query as the service sends it; one cut off when it was captured has no plan."""
    whole = (one for one in statements if len(one) < MAX_STATEMENT_CHARS and _SHAPE.match(one))
    return next(whole, _PENDING)


def _plan_sqlite(connection: Connection, statement: str) -> tuple[Status, str]:
    parameters = (None,) * _LITERAL.sub("", statement).count("?")
    try:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
    except DBAPIError as error:
        # Of a function or a database that only the service's connections have: the catalogue has answered, though.
        return "unknown", f"the pending query can't be explained here ({error.orig})"
    plan = "; ".join(str(row[-1]) for row in rows)
    searched = re.search(rf"SEARCH {TABLE} USING (COVERING )?INDEX {COMPOSITE}\b", plan) is not None
    # "FOR LAST TERM OF ORDER BY" sorts within equal keys only, and costs nothing worth naming.
    if searched and "TEMP B-TREE FOR ORDER BY" not in plan:
        return "pass", f"the pending query searches {COMPOSITE}"
    return "fail", f"the pending query does not search {COMPOSITE}; its plan: {plan}"


def _scans_postgresql(connection: Connection) -> tuple[Status, str]:
    rows = connection.execute(
        text(
            "SELECT i.idx_scan, t.n_live_tup FROM pg_stat_user_indexes i"
            " JOIN pg_stat_user_tables t USING (relid) WHERE i.indexrelname = :name"
        ),
        {"name": COMPOSITE},
    ).fetchall()
    scans, live = (int(rows[0][0] or 0), int(rows[0][1] or 0)) if rows else (0, 0)
    if scans:
        return "pass", f"{COMPOSITE} was scanned {scans:,} times"
    if live < _TOO_SMALL_ROWS:
        return "unknown", f"{live:,} rows: a healthy server reads so small a table as a whole"
    return (
        "warn",
        f"{COMPOSITE} was not scanned since the server's statistics began; harness indexes shows the plan",
    )
