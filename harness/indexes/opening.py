"""Opening a database for the audit: a connection of its own, read only, faults in one line without a password."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from harness.errors import HarnessError, explain
from harness.indexes.database import Database, driver_message
from harness.indexes.postgres import PostgresDatabase
from harness.indexes.sqlite import SqliteDatabase
from harness.urls import check_escaped, safe_url, without_secrets

CONNECT_TIMEOUT_S = 5
_URL_FORMS = "a form such as sqlite:///master.db or postgresql+psycopg://user@host/name"


@contextmanager
def open_database(database: Engine | URL | str) -> Iterator[Database]:
    """
    Open a database for reading.

    Args:
        database: an engine or a URL. Its own pool is left alone, but for a database in memory, which has no other
            way in. An asynchronous driver is replaced by the synchronous one of the same database.

    Yields:
        The database, within one transaction that is rolled back at the end.

    Raises:
        UsageError: the URL's password isn't escaped.
        HarnessError: no URL, no driver, no connection, no rights, a kind other than SQLite and PostgreSQL, or a
            fault of the database within the block.
    """
    url = database.url if isinstance(database, Engine) else _parse(database)
    shown = safe_url(url)
    own = isinstance(database, Engine) and _is_in_memory(url)
    engine = database if isinstance(database, Engine) and own else _engine(url, shown)
    try:
        with engine.connect() as connection:
            try:
                yield _wrap(connection)
            finally:
                connection.rollback()
                if own:
                    connection.exec_driver_sql("PRAGMA query_only = OFF")
    except DBAPIError as fault:
        message = without_secrets(driver_message(fault), url)
        raise HarnessError(
            explain("database", shown, fault=f"can't be read: {message}", remedy=_remedy(message))
        ) from fault
    except SQLAlchemyError as fault:
        raise HarnessError(explain("database", shown, fault=f"can't be read: {type(fault).__name__}")) from fault
    finally:
        if not own:
            engine.dispose()


def _parse(url: URL | str) -> URL:
    try:
        read = make_url(url)
    except (ArgumentError, ValueError) as fault:
        # What can't be parsed can't be masked either.
        raise HarnessError(explain("database", "…", fault="not a usable URL", need=_URL_FORMS)) from fault
    check_escaped(url, read)
    return read


def _is_in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and (not url.database or ":memory:" in url.database)


def _engine(url: URL, shown: str) -> Engine:
    backend = url.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise HarnessError(
            explain("database", shown, fault="of a kind whose plans can't be read", need="SQLite or PostgreSQL")
        )
    try:
        if backend == "postgresql":
            return create_engine(
                url.set(drivername="postgresql+psycopg"),
                poolclass=NullPool,
                connect_args={
                    "connect_timeout": CONNECT_TIMEOUT_S,
                    "application_name": "harness indexes",
                    "prepare_threshold": None,
                },
            )
        if url.database and not url.database.startswith("file:"):
            location = f"file:{quote(url.database)}?mode=ro"
            return create_engine(
                "sqlite://",
                creator=lambda: sqlite3.connect(location, uri=True, timeout=CONNECT_TIMEOUT_S),
                poolclass=NullPool,
            )
        return create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as fault:
        remedy = "pip install 'pollgauge[postgres]'" if isinstance(fault, ModuleNotFoundError) else None
        raise HarnessError(
            explain(
                "database", shown, fault=f"no driver for it: {without_secrets(str(fault), url)}", remedy=remedy
            )
        ) from fault


def _wrap(connection: Connection) -> Database:
    return SqliteDatabase(connection) if connection.dialect.name == "sqlite" else PostgresDatabase(connection)


def _remedy(message: str) -> str | None:
    remedies = {
        "permission denied": "a user that may read the tables (GRANT SELECT)",
        "password authentication failed": "another user or password in the URL",
        "unable to open database file": "the path of an existing SQLite file that you may read",
        "not a database": "the path of an SQLite file",
        "is locked": "again when no other process holds the file",
        "lock timeout": "again when no other session holds the table",
        "Connection refused": "starting the server, or another host and port",
        "does not exist": "another database name or user in the URL",
    }
    return next((remedy for text, remedy in remedies.items() if text in message), None)
