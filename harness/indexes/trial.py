"""
Trying an index on a copy: the audited database itself is never written to.

SQLite's schema and statistics are copied into memory. On PostgreSQL, an index is tried hypothetically where the
extension for that is installed (`harness.indexes.hypothetical`). Elsewhere the tables at hand are copied with up
to `SAMPLE_ROWS` rows each into a server of our own, because its planner looks at the size of the files, which no
copied statistics can replace.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Protocol

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine.interfaces import IsolationLevel
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from harness.errors import HarnessError
from harness.indexes.database import CannotExplainError, Database, driver_message
from harness.indexes.hypothetical import hypothetical_indexes
from harness.indexes.plan import Plan
from harness.indexes.postgres import PostgresDatabase
from harness.indexes.sqlite import SqliteDatabase
from harness.postgres import ephemeral_postgres

SAMPLE_ROWS = 10_000


class Copy(Protocol):
    """Where indexes may be tried: a copy that may be changed, or the database itself with hypothetical ones."""

    @property
    def described(self) -> str:
        """What it is, in a few words."""

    def plans(self, statement: str, tables: Sequence[str], create_index: str, name: str) -> tuple[Plan, Plan]:
        """
        Return a statement's plan without and with an index, which is removed again.

        Raises:
            CannotExplainError: the statement can't be explained there, or the index not be made.
        """


@contextmanager
def open_copy(database: Database) -> Iterator[Copy]:
    """
    Copy a database's schema to where it may be changed. The copy is made when it is first needed.

    Args:
        database: the audited one; open for as long as the copy is.
    """
    with ExitStack() as stack:
        if isinstance(database, PostgresDatabase):
            yield hypothetical_indexes(database) or _PostgresCopy(database, stack)
        else:
            yield _SqliteCopy(database, stack)


class _SqliteCopy:
    """A copy in memory."""

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        return "a copy of the schema and its statistics"

    def __init__(self, source: Database, stack: ExitStack) -> None:
        self._source = source
        self._stack = stack
        self._database: SqliteDatabase | None = None

    def plans(
        self,
        statement: str,
        tables: Sequence[str],  # noqa: ARG002  # the whole schema is copied
        create_index: str,
        name: str,
    ) -> tuple[Plan, Plan]:
        """Return the plans without and with the index; see `Copy`."""
        database = self._open()
        before = database.explain(statement)
        try:
            database.connection.exec_driver_sql(create_index)
        except SQLAlchemyError as fault:
            raise CannotExplainError(f"the index can't be made: {fault}") from fault
        try:
            return before, database.explain(statement)
        finally:
            database.connection.exec_driver_sql(f'DROP INDEX "{name}"')

    def _open(self) -> SqliteDatabase:
        if self._database is None:
            engine = create_engine("sqlite://", poolclass=StaticPool)
            self._stack.callback(engine.dispose)
            connection = self._stack.enter_context(engine.connect())
            _copy_sqlite_schema(self._source.connection, connection)
            self._database = SqliteDatabase(connection, writable=True)
        return self._database


def _copy_sqlite_schema(source: Connection, target: Connection) -> None:
    made = source.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('table', 'index', 'view') "
        "AND substr(name, 1, 7) <> 'sqlite_' ORDER BY type = 'table' DESC, rowid"
    ).scalars()
    for command in made.all():
        # A virtual table whose module is missing here: statements on it find no table in the copy.
        with suppress(SQLAlchemyError):
            target.exec_driver_sql(command)
    known = source.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'").scalar_one()
    if known:
        target.exec_driver_sql("ANALYZE")
        target.exec_driver_sql("DELETE FROM sqlite_stat1")
        for row in source.exec_driver_sql("SELECT tbl, idx, stat FROM sqlite_stat1").all():
            target.exec_driver_sql("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", tuple(row))
        target.exec_driver_sql("ANALYZE sqlite_master")  # makes the planner read them


class _PostgresCopy:
    """A copy on a server of our own, table by table."""

    def __init__(self, source: PostgresDatabase, stack: ExitStack) -> None:
        self._source = source
        self._stack = stack
        self._server: _CopyServer | None = None
        self._fault: str | None = None
        self._copied: dict[str, str | None] = {}

    @property
    def described(self) -> str:
        """What it is, in a few words."""
        version = self._server.database.version if self._server is not None else "?"
        return f"a copy of up to {SAMPLE_ROWS:,} rows on PostgreSQL {version}"

    def plans(self, statement: str, tables: Sequence[str], create_index: str, name: str) -> tuple[Plan, Plan]:
        """Return the plans without and with the index; see `Copy`."""
        server = self._start()
        for table in tables:
            self._copy(server, table)
        before = server.database.explain(statement)
        try:
            server.run(create_index)
        except SQLAlchemyError as fault:
            raise CannotExplainError(f"the index can't be made: {fault}") from fault
        try:
            return before, server.database.explain(statement)
        finally:
            server.run(f'DROP INDEX "{name}"')

    def _start(self) -> "_CopyServer":
        if self._fault is not None:
            raise CannotExplainError(self._fault)
        if self._server is None:
            try:
                self._server = _CopyServer(self._stack)
            except HarnessError as fault:
                self._fault = f"no server to try indexes on: {fault}"
                raise CannotExplainError(self._fault) from fault
        return self._server

    def _copy(self, server: "_CopyServer", table: str) -> None:
        if table not in self._copied:
            try:
                _copy_postgres_table(self._source.connection, server, table)
                self._copied[table] = None
            except _driver_errors(self._source.connection) as fault:
                self._copied[table] = f"table {table} can't be copied: {driver_message(fault)}"
        failed = self._copied[table]
        if failed is not None:
            raise CannotExplainError(failed)


class _CopyServer:
    """
    A server of our own with two connections that stay open: connecting takes longer than explaining.

    Explaining gives its locks back each time, so the connection that changes things never waits for the other.

    Args:
        stack: ends the server with the audit.

    Raises:
        HarnessError: no server can be started.
    """

    def __init__(self, stack: ExitStack) -> None:
        url = stack.enter_context(ephemeral_postgres()).url()
        self._changing = _connect(url, stack)
        self.database = PostgresDatabase(_connect(url, stack, isolation="READ COMMITTED"))

    @property
    def connection(self) -> Connection:
        """The connection that may change things; every command of it is a transaction."""
        return self._changing

    def run(self, *commands: str) -> None:
        """Run commands that hold no parameters."""
        for command in commands:
            self._changing.exec_driver_sql(command, execution_options={"no_parameters": True})


def _connect(url: str, stack: ExitStack, *, isolation: IsolationLevel = "AUTOCOMMIT") -> Connection:
    # As for the audited database: what the driver prepares by itself would be planned once and for all.
    arguments = {"prepare_threshold": None}
    engine = create_engine(url, poolclass=NullPool, isolation_level=isolation, connect_args=arguments)
    return stack.enter_context(engine.connect())


def _copy_postgres_table(source: Connection, server: _CopyServer, table: str) -> None:
    quoted = '"{}"'.format(table.replace('"', '""'))
    with source.begin_nested():
        (schema,) = source.exec_driver_sql(
            "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid = to_regclass(%s)",
            (quoted,),
        ).one()
        columns = source.exec_driver_sql(
            "SELECT quote_ident(attname) || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (quoted,),
        ).scalars()
        indexes = source.exec_driver_sql(
            "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass(%s)", (quoted,)
        ).scalars()
        schema = '"{}"'.format(schema.replace('"', '""'))
        server.run(
            f"CREATE SCHEMA IF NOT EXISTS {schema}",
            f"SET search_path = {schema}, public",
            f"CREATE TABLE {schema}.{quoted} ({', '.join(columns.all())})",
        )
        server.database.connection.exec_driver_sql(f"SET search_path = {schema}, public")
        _copy_rows(source, server.connection, quoted)
        server.run(*indexes.all(), f"ANALYZE {schema}.{quoted}")


def _copy_rows(source: Connection, target: Connection, table: str) -> None:
    reader: Any = source.connection.driver_connection
    writer: Any = target.connection.driver_connection
    few = f"COPY (SELECT * FROM {table} LIMIT {SAMPLE_ROWS}) TO STDOUT"  # noqa: S608  # quoted by the caller
    with (
        reader.cursor() as from_source,
        writer.cursor() as to_target,
        from_source.copy(few) as rows,
        to_target.copy(f"COPY {table} FROM STDIN") as sink,
    ):
        for block in rows:
            sink.write(block)


def _driver_errors(connection: Connection) -> tuple[type[Exception], ...]:
    driver: Any = connection.dialect.dbapi
    return (SQLAlchemyError, driver.Error)
