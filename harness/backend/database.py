"""
The engine, and the one way from the event loop to the database.

A route calls `Database.read` or `Database.write`: a worker thread takes a connection, works and gives it back
before it does anything else. Nobody holds a connection while waiting for a thread, and there are fewer threads
than connections, so however many agents come at once, each waits its turn and none for ever. The figures stand in
docs/reference-master.md.
"""

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection, IsolationLevel
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from harness.backend.config import BackendConfig
from harness.errors import HarnessError, UsageError, explain
from harness.urls import check_escaped, safe_url, without_secrets

T = TypeVar("T")

_URL_FORM = "a form such as sqlite:///master.db or postgresql+psycopg://user:password@host/name"
_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}
_WRITE_ISOLATION: dict[str, IsolationLevel] = {"sqlite": "SERIALIZABLE", "postgresql": "READ COMMITTED"}
_POOL_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 5
_BUSY_TIMEOUT_S = 5.0

# For each connection; write-ahead logging is a property of the file, see `schema`. With it, NORMAL loses at most
# the last changes at a power cut, never the file. Measured, and of no use: a bigger cache, mapped reads.
_SQLITE_PRAGMAS = {"foreign_keys": "ON", "synchronous": "NORMAL"}


class Database:
    """
    An engine, and the threads that may use it.

    Args:
        engine: from `make_engine`.
        threads: calls under way at once, ≥ 1; fewer than the pool may open connections.
    """

    def __init__(self, engine: Engine, *, threads: int) -> None:
        self._reading = engine
        self._writing = engine.execution_options(isolation_level=_WRITE_ISOLATION[engine.dialect.name])
        # Half the price of anyio's worker threads, and its queue is the limit.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="database")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """
        Do `work`, which only reads, on a pooled connection in a worker thread.

        No transaction is opened: over a network, its begin and end would each cost as much as the query.

        Args:
            work: gets the connection and must not keep it.

        Returns:
            Whatever `work` returns, or raises.
        """

        def call() -> T:
            with self._reading.connect() as connection:
                return work(connection)

        return await self._in_thread(call)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """
        Do `work` in one transaction in a worker thread: committed when it returns, rolled back when it raises.

        Args:
            work: gets the connection and must not keep it.

        Returns:
            Whatever `work` returns, or raises.
        """

        def call() -> T:
            with self._writing.begin() as connection:
                return work(connection)

        return await self._in_thread(call)

    async def close(self) -> None:
        """Wait for the calls under way, then close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        self._reading.dispose()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        # With the request's context, so that the monitoring layer knows whose queries these are.
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._threads, context.run, call)


def make_engine(config: BackendConfig, *, pool_timeout_s: float = _POOL_TIMEOUT_S) -> Engine:
    """
    Make the engine of a master process. Nothing is connected yet.

    Args:
        config: URL and sizes.
        pool_timeout_s: how long a caller waits for a connection [s].

    Raises:
        UsageError: see `check_url`.
    """
    url = check_url(config.database_url)
    return _with_pragmas(
        create_engine(
            url,
            pool_size=config.pool_size,
            max_overflow=config.max_overflow,
            pool_timeout=pool_timeout_s,
            isolation_level="AUTOCOMMIT",
            connect_args=_connect_arguments(url),
        )
    )


def make_sole_engine(database_url: str) -> Engine:
    """
    Make an engine without a pool, for a command that uses one connection and ends.

    Raises:
        UsageError: see `check_url`.
    """
    url = check_url(database_url)
    return _with_pragmas(create_engine(url, poolclass=NullPool, connect_args=_connect_arguments(url)))


def check_url(database_url: str) -> URL:
    """
    Read a database URL.

    Returns:
        The URL, with the driver that will be used.

    Raises:
        UsageError: it is none, names a database or driver that the master can't use, or a database in memory; has
            a password that isn't escaped; or, for SQLite, has more than a path.
    """
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as fault:
        # What can't be parsed can't be masked either, so it isn't shown.
        raise UsageError(
            explain("option", "--database-url", fault="not a database URL", need=_URL_FORM)
        ) from fault
    check_escaped(database_url, url)
    backend, _, driver = url.drivername.partition("+")
    if backend not in _DRIVERS:
        raise _bad_url(url, "only SQLite and PostgreSQL are supported", got=backend)
    if driver not in {"", _DRIVERS[backend]}:
        raise _bad_url(url, "this driver isn't supported", got=driver)
    if backend == "postgresql":
        # Without a driver's name, the choice would be SQLAlchemy's, which changed from 2.0 to 2.1.
        url = url.set(drivername=f"{backend}+{_DRIVERS[backend]}")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as fault:
        remedy = "pip install 'pollgauge[postgres]'"
        raise UsageError(
            explain("database", safe_url(url), fault=f"its driver can't be loaded: {fault}", remedy=remedy)
        ) from fault
    if backend == "sqlite":
        _check_sqlite(url)
    return url


@contextmanager
def one_line_errors(engine: Engine) -> Iterator[None]:
    """
    Turn the database's refusals inside the block into errors for people, without the password.

    Raises:
        HarnessError: in place of any `SQLAlchemyError`.
    """
    try:
        yield
    except SQLAlchemyError as fault:
        raise database_error(engine.url, fault) from fault


def database_error(url: URL, fault: SQLAlchemyError) -> HarnessError:
    """Return the error that a person gets to see for a refusal by the database at `url`."""
    cause = without_secrets(one_line(fault), url)
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "").absolute()
        if not file.parent.is_dir():
            cause, remedy = f"the folder '{file.parent}' does not exist", f"mkdir -p '{file.parent}'"
        elif "not a database" in cause:
            remedy = "another file"
        else:
            remedy = "a file in a folder that you can write"
    else:
        remedy = "starting the server, or another --database-url"
    return HarnessError(explain("database", safe_url(url), fault=f"can't be used: {cause}", remedy=remedy))


def one_line(fault: SQLAlchemyError) -> str:
    """Return what the driver said, without the statement and its parameters."""
    said = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    return " ".join(str(said).split())


def _bad_url(url: URL, fault: str, *, got: str | None = None) -> UsageError:
    return UsageError(explain("database", safe_url(url), fault=fault, got=got, need=_URL_FORM))


def _check_sqlite(url: URL) -> None:
    if url.host or url.username or url.port:
        raise _bad_url(url, "a SQLite database has no host and no user")
    if url.query:
        # The driver takes a few parameters, and warns of those it doesn't know; the master's own would be undone.
        raise _bad_url(url, "parameters after a question mark are not supported for SQLite")
    if url.database in {None, "", ":memory:"}:
        raise _bad_url(url, "a database in memory is another one for every connection")


def _connect_arguments(url: URL) -> dict[str, object]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": _BUSY_TIMEOUT_S}
    return {"connect_timeout": _CONNECT_TIMEOUT_S}


def _with_pragmas(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _apply_pragmas)
    return engine


def _apply_pragmas(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for name, value in _SQLITE_PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()
