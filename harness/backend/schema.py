"""Bringing a database to the schema of this version, once, whoever comes first."""

import difflib
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, func, inspect, select

from harness.backend.database import one_line_errors
from harness.backend.models import Base
from harness.errors import HarnessError, UsageError, explain
from harness.urls import safe_url

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_KEY = 7_465_012_023
"""Of PostgreSQL's advisory locks; any number that nobody else uses."""

_VERSION_TABLE = "alembic_version"


def upgrade(engine: Engine) -> None:
    """
    Apply the migrations that are missing; none when the database is at this version's schema.

    One transaction under a lock: two processes that start at once don't meet, and a killed one leaves nothing
    half-made. SQLite files are switched to write-ahead logging, so that polls don't wait for writers.

    Raises:
        HarnessError: the database can't be reached or written, holds tables that are not the master's, or a schema
            that this version doesn't know.
    """
    with one_line_errors(engine), engine.connect() as connection:
        if _revision(connection) == head_revision():
            return
        _refuse_foreign_tables(connection)
        connection.rollback()
        if connection.dialect.name == "sqlite":
            # Kept in the file: from now on readers and a writer don't wait for each other.
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        lock(connection)
        try:
            command.upgrade(migration_config(connection), "head")
        except CommandError as fault:
            raise _unknown_schema(connection, fault) from fault
        connection.commit()


def drop_index(engine: Engine, name: str) -> None:
    """
    Drop one of the master's own indexes, to see what its absence does; one that is gone already is none to drop.

    Args:
        engine: on a database with the schema.
        name: of the index.

    Raises:
        UsageError: the master has no index of this name.
        HarnessError: the database can't be reached or written.
    """
    ours = {str(index.name): index for table in Base.metadata.tables.values() for index in table.indexes}
    if name not in ours:
        known = sorted(ours)
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            explain(
                "option",
                "--drop-index",
                fault="no index of the master's",
                got=f"'{name}'",
                need="one of " + ", ".join(known),
                remedy=f"'{near[0]}'" if near else None,
            )
        )
    with one_line_errors(engine), engine.begin() as connection:
        ours[name].drop(connection, checkfirst=True)


def lock(connection: Connection) -> None:
    """
    Begin a transaction that only one process at a time can be in; polls go on meanwhile.

    Args:
        connection: outside a transaction.
    """
    if connection.dialect.name == "sqlite":
        # The driver starts transactions at the first INSERT or UPDATE only, and a migration begins with neither.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))


def migration_config(connection: Connection) -> Config:
    """
    Return the configuration that Alembic's own commands take, such as ``alembic.command.check``.

    Args:
        connection: on which they work.
    """
    config = Config()
    # A per cent sign starts an interpolation in Alembic's configuration.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str | None:
    """Return the revision of this version's schema."""
    return ScriptDirectory(str(_MIGRATIONS)).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_foreign_tables(connection: Connection) -> None:
    tables = set(inspect(connection).get_table_names())
    if _VERSION_TABLE not in tables and tables:
        known = tables & set(Base.metadata.tables)
        fault = (
            f"its table '{min(known)}' was not made by the master's migrations"
            if known
            else f"it holds somebody else's tables, such as '{min(tables)}'"
        )
        raise HarnessError(
            explain("database", safe_url(connection.engine.url), fault=fault, remedy="an empty database")
        )


def _unknown_schema(connection: Connection, fault: CommandError) -> HarnessError:
    return HarnessError(
        explain(
            "database",
            safe_url(connection.engine.url),
            fault=f"its schema is another program's, or of a newer version of this one: {fault}",
            need=f"revision {head_revision()} or before",
            remedy="an empty database, or a newer version",
        )
    )
