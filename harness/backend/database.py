"""
The engine, and the one way from the event loop to the database.

A route calls `Database.call`: a worker thread opens a connection, works, gives it back, and only then ends. Nobody
holds a connection while waiting for a thread, and no more threads work than there are connections, so however many
agents come at once, each waits its turn and none for ever. docs/reference-master.md has the measurements.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from harness.backend.config import BackendConfig
from harness.errors import HarnessError, UsageError, explain

T = TypeVar("T")

_URL_FORM = "a form such as sqlite:///master.db or postgresql+psycopg://user:password@host/name"
_DRIVERS = {"sqlite": "pysqlite", "postgresql": "psycopg"}
_POOL_TIMEOUT_S = 5.0
_CONNECT_TIMEOUT_S = 5
_BUSY_TIMEOUT_S = 5.0

# Measured one by one in docs/reference-master.md.
_SQLITE_PRAGMAS = {
    "foreign_keys": "ON",
    "synchronous": "NORMAL",
    "mmap_size": str(256 * 1024 * 1024),
    "cache_size": str(-16 * 1024),
}


class Database:
    """
    An engine with its limit of calls under way.

    Args:
        engine: from `make_engine`, or any other synchronous engine.
        threads: calls under way at once, ≥ 1.
    """

    def __init__(self, engine: Engine, *, threads: int) -> None:
        self.engine = engine
        self._limiter = CapacityLimiter(threads)

    async def call(self, work: Callable[[Connection], T]) -> T:
        """
        Do `work` on a pooled connection in a worker thread, in one transaction, committed when it returns.

        Args:
            work: gets the connection and must not keep it.

        Returns:
            Whatever `work` returns.

        Raises:
            Exception: whatever `work` raises, after the transaction was rolled back.
        """
        return await to_thread.run_sync(self._in_transaction, work, limiter=self._limiter)

    def _in_transaction(self, work: Callable[[Connection], T]) -> T:
        with self.engine.begin() as connection:
            return work(connection)


def make_engine(config: BackendConfig) -> Engine:
    """
    Make the engine of a master process. Nothing is connected yet.

    Raises:
        UsageError: see `check_url`.
    """
    url = check_url(config.database_url)
    return _with_pragmas(
        create_engine(
            url,
            pool_size=config.pool_size,
            max_overflow=config.max_overflow,
            pool_timeout=_POOL_TIMEOUT_S,
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
        The URL, its driver named.

    Raises:
        UsageError: it is none, names a database or driver that the master can't use, or a database in memory.
    """
    try:
        url = make_url(database_url)
    except (ArgumentError, ValueError) as fault:
        # What can't be parsed can't be masked either, so it isn't shown.
        raise UsageError(
            explain("option", "--database-url", fault="not a database URL", need=_URL_FORM)
        ) from fault
    backend, _, driver = url.drivername.partition("+")
    if backend not in _DRIVERS:
        raise _bad_url(url, "only SQLite and PostgreSQL are supported", got=backend)
    if driver not in {"", _DRIVERS[backend]}:
        raise _bad_url(url, "this driver isn't supported", got=driver)
    url = url.set(drivername=f"{backend}+{_DRIVERS[backend]}")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as fault:
        remedy = "pip install 'pollgauge[postgres]'"
        raise UsageError(
            explain("database", safe_url(url), fault=f"its driver can't be loaded: {fault}", remedy=remedy)
        ) from fault
    if backend == "sqlite" and url.database in {None, "", ":memory:"}:
        raise _bad_url(url, "a database in memory is another one for every connection")
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
    cause = str(fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault).strip()
    if url.password:
        cause = cause.replace(str(url.password), "***")
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "").absolute()
        if not file.parent.is_dir():
            cause, remedy = f"the folder '{file.parent}' does not exist", f"mkdir -p '{file.parent}'"
        else:
            remedy = "a file in a folder that you can write"
    else:
        remedy = "starting the server, or another --database-url"
    return HarnessError(explain("database", safe_url(url), fault=f"can't be used: {cause}", remedy=remedy))


def safe_url(url: URL) -> str:
    """Return the URL for people: the password masked."""
    return url.render_as_string(hide_password=True)


def _bad_url(url: URL, fault: str, *, got: str | None = None) -> UsageError:
    return UsageError(explain("database", safe_url(url), fault=fault, got=got, need=_URL_FORM))


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
