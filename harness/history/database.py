"""
A history in a database, for a team: one table of documents, with a few columns to choose by.

Rows are only ever inserted and, by `prune`, deleted. Two machines that write at once write two rows; the key keeps
the same id from being written twice. Distributions have a column of their own: they are most of the bytes, and
seldom wanted.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    create_engine,
    delete,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from harness.errors import HarnessError, UsageError, explain
from harness.history.index import Figures
from harness.history.records import (
    UnreadableRecordError,
    decode_record,
    encode_record,
    fault_of,
    id_is_taken,
    instant_s,
    no_such_record,
)
from harness.history_model import Acceptance, HistoryRecord, Note
from harness.urls import check_escaped, safe_url, without_secrets

TABLE = "pollgauge_history"
_TIMEOUT_S = 10
_FETCHED_AT_ONCE = 2_000
_REMOVED_AT_ONCE = 500
_RUN, _ACCEPTANCE, _NOTE = "run", "acceptance", "note"

T = TypeVar("T", HistoryRecord, Acceptance, Note)

_documents = Table(
    TABLE,
    MetaData(),
    Column("kind", String(16), primary_key=True),
    Column("id", String(120), primary_key=True),
    Column("at_s", Double, nullable=False, index=True),
    Column("schema_version", Integer, nullable=False),
    Column("source", String(64)),
    Column("git_commit", String(64)),
    Column("branch", String(255)),
    Column("environment_key", String(64)),
    Column("scenario", String(255)),
    Column("status", String(16)),
    Column("document", Text, nullable=False),
    Column("distributions", Text),
)


class DatabaseHistory:
    """
    A history in a database. Methods as in `harness.history.store.History`.

    Args:
        url: SQLAlchemy URL. Nothing is connected, and no table is made, before it is needed.

    Raises:
        UsageError: it is none, or no driver for it is installed.
    """

    def __init__(self, url: str) -> None:
        self._url = _checked(url)
        self._engine = _engine(self._url)
        self._is_ready = False

    @property
    def where(self) -> str:
        """Return the URL without its password."""
        return safe_url(self._url)

    def add(self, record: HistoryRecord) -> bool:
        """Insert the record as one row."""
        return self._insert(_RUN, record)

    def scan(self, left_out: dict[str, str], *, distributions: bool = False) -> Iterator[HistoryRecord]:
        """Yield the records in the order of time."""
        yield from self._read_all(_RUN, HistoryRecord, left_out, distributions=distributions)
        # Read for what can't be read of them.
        deque(self._read_all(_ACCEPTANCE, Acceptance, left_out), maxlen=0)
        deque(self._read_all(_NOTE, Note, left_out), maxlen=0)

    def scan_heads(self, left_out: dict[str, str]) -> Iterator[HistoryRecord]:
        """Yield the records, which come with their figures here."""
        yield from self.scan(left_out)

    def scan_figures(self, left_out: dict[str, str]) -> Iterator[tuple[HistoryRecord, Figures]]:
        """Yield the records and their figures."""
        yield from ((record, record.metrics) for record in self.scan(left_out))

    def get(self, record_id: str) -> HistoryRecord:
        """Read one row."""
        with self._reading() as connection:
            row = None if connection is None else _row(connection, _RUN, record_id)
        if row is None:
            raise no_such_record(record_id, self.where)
        try:
            return _decode(row, HistoryRecord, distributions=True)
        except UnreadableRecordError as fault:
            raise HarnessError(explain("record", record_id, fault=str(fault))) from fault

    def acceptances(self) -> tuple[Acceptance, ...]:
        """Read the rows of acceptances."""
        return tuple(self._read_all(_ACCEPTANCE, Acceptance, {}))

    def notes(self) -> tuple[Note, ...]:
        """Read the rows of notes."""
        return tuple(self._read_all(_NOTE, Note, {}))

    def add_acceptance(self, acceptance: Acceptance) -> bool:
        """Insert an acceptance."""
        return self._insert(_ACCEPTANCE, acceptance)

    def add_note(self, note: Note) -> bool:
        """Insert a note."""
        return self._insert(_NOTE, note)

    def remove(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """Delete the rows of these records in one transaction."""
        wanted = sorted(set(record_ids))
        gone: list[str] = []
        with self._errors(), self._engine.begin() as connection:
            if not inspect(connection).has_table(TABLE):
                return ()
            for start in range(0, len(wanted), _REMOVED_AT_ONCE):
                chosen = (_documents.c.kind == _RUN) & _documents.c.id.in_(
                    wanted[start : start + _REMOVED_AT_ONCE]
                )
                gone += connection.scalars(select(_documents.c.id).where(chosen))
                connection.execute(delete(_documents).where(chosen))
        return tuple(gone)

    def _insert(self, kind: str, record: HistoryRecord | Acceptance | Note) -> bool:
        fault = fault_of(record)
        if fault is not None:
            raise HarnessError(explain("record", record.id, fault=fault))
        values = _values(kind, record)
        self._make_table()
        with self._errors():
            try:
                with self._engine.begin() as connection:
                    connection.execute(_documents.insert().values(values))
            except IntegrityError:
                with self._engine.connect() as connection:
                    row = _row(connection, kind, record.id)
                if row is None:
                    raise
                if (row.document, row.distributions) != (values["document"], values["distributions"]):
                    raise id_is_taken(record.id, self.where) from None
                return False
        return True

    def _read_all(
        self, kind: str, record_type: type[T], left_out: dict[str, str], *, distributions: bool = False
    ) -> Iterator[T]:
        columns = [_documents.c.id, _documents.c.document]
        if distributions:
            columns.append(_documents.c.distributions)
        wanted = (
            select(*columns)
            .where(_documents.c.kind == kind)
            .order_by(_documents.c.at_s, _documents.c.id)
            .execution_options(yield_per=_FETCHED_AT_ONCE)
        )
        with self._reading() as connection:
            if connection is None:
                return
            for row in connection.execute(wanted):
                try:
                    yield _decode(row, record_type, distributions=distributions)
                except UnreadableRecordError as fault:
                    left_out[f"{kind} {row.id}"] = str(fault)

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """Yield a connection; None while there is no table yet: a history that nobody wrote to is empty."""
        if self._url.get_backend_name() == "sqlite" and not _has_file(self._url):
            # Connecting would make an empty file of it.
            yield None
            return
        with self._errors(), self._engine.connect() as connection:
            yield connection if inspect(connection).has_table(TABLE) else None

    def _make_table(self) -> None:
        if self._is_ready:
            return
        with self._errors():
            try:
                _documents.create(self._engine, checkfirst=True)
            except DBAPIError:
                # Another machine may have made it between our look and our attempt.
                with self._engine.connect() as connection:
                    if not inspect(connection).has_table(TABLE):
                        raise
        self._is_ready = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the database's refusals into errors for people, without the password."""
        try:
            yield
        except SQLAlchemyError as fault:
            said = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
            cause = without_secrets(" ".join(str(said).split()), self._url)
            raise HarnessError(explain("history", self.where, fault=f"can't be used: {cause}")) from fault


def _values(kind: str, record: HistoryRecord | Acceptance | Note) -> dict[str, object]:
    """Return a row's columns."""
    values: dict[str, object] = {
        "kind": kind,
        "id": record.id,
        "at_s": instant_s(record.at_utc),
        "schema_version": record.schema_version,
        "distributions": None,
    }
    if isinstance(record, HistoryRecord):
        values |= {
            "source": record.source[:64],
            "git_commit": (record.commit or "")[:64] or None,
            "branch": (record.branch or "")[:255] or None,
            "environment_key": (record.environment_key or "")[:64] or None,
            "scenario": (record.scenario or "")[:255] or None,
            "status": None if record.status is None else record.status.value,
        }
        if record.distributions:
            held = json.loads(encode_record(record))["distributions"]
            values["distributions"] = json.dumps(held, ensure_ascii=False, separators=(",", ":"))
        record = replace(record, distributions=())
    return values | {"document": encode_record(record).decode()}


def _row(connection: Connection, kind: str, record_id: str) -> "Row[Any, Any, Any] | None":
    columns = (_documents.c.id, _documents.c.document, _documents.c.distributions)
    wanted = (_documents.c.kind == kind) & (_documents.c.id == record_id)
    return connection.execute(select(*columns).where(wanted)).one_or_none()


def _decode(row: "Row[Any, Any, Any]", kind: type[T], *, distributions: bool) -> T:
    document = row.document
    if distributions and row.distributions:
        head = document.rstrip().removesuffix("}").rstrip()
        document = f'{head},\n"distributions": {row.distributions}\n}}'
    return decode_record(document.encode(), kind)


def _checked(url: str) -> URL:
    try:
        read = make_url(url)
    except (ArgumentError, ValueError) as fault:
        # What can't be parsed can't be masked either, so it isn't shown.
        form = "a folder, or a form such as sqlite:///history.db or postgresql+psycopg://user@host/name"
        raise UsageError(explain("option", "--history", fault="not a database URL", need=form)) from fault
    check_escaped(url, read, option="--history")
    if read.drivername == "postgresql":
        # Without a driver's name, the choice would be SQLAlchemy's, which changed from 2.0 to 2.1.
        read = read.set(drivername="postgresql+psycopg")
    if read.get_backend_name() == "sqlite" and read.database in {None, "", ":memory:"}:
        fault_text = "a database in memory is another one for every connection"
        raise UsageError(explain("history", safe_url(read), fault=fault_text, need="sqlite:///FILE"))
    return read


def _has_file(url: URL) -> bool:
    name = url.database or ""
    # What SQLite itself takes apart, such as file:NAME?mode=ro, is left to it.
    return name.startswith("file:") or Path(name).exists() or not Path(name).parent.is_dir()


def _engine(url: URL) -> Engine:
    arguments = {"sqlite": {"timeout": _TIMEOUT_S}, "postgresql": {"connect_timeout": _TIMEOUT_S}}
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments.get(url.get_backend_name(), {}))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, TypeError, ValueError) as fault:
        remedy = "pip install 'pollgauge[postgres]'" if url.get_backend_name() == "postgresql" else None
        cause = without_secrets(str(fault), url)
        raise UsageError(
            explain("history", safe_url(url), fault=f"no driver for it: {cause}", remedy=remedy)
        ) from fault
