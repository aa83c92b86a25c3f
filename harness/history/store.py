"""
Where records are kept: a folder of files, or a database.

Both keep the same three things (records of runs, acceptances, notes), never change one, and never write over one.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.errors import UsageError, explain
from harness.history.folder import FolderHistory
from harness.history.index import Figures
from harness.history.progress import Progress, silent
from harness.history.records import NoSuchRecordError, instant_s, no_such_record
from harness.history_model import Acceptance, HistoryRecord, Note

_FEW = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """
    What a history holds.

    Args:
        records: by time, the oldest first.
        left_out: what could not be read: name of the file or row → why.
    """

    records: tuple[HistoryRecord, ...]
    left_out: dict[str, str] = field(default_factory=dict)


class History(Protocol):
    """A store of records. Every method raises `HarnessError` when the store itself can't be read or written."""

    @property
    def where(self) -> str:
        """Return where it is, for people: never with a password."""

    def add(self, record: HistoryRecord) -> bool:
        """
        Keep a record for good, whole or not at all.

        Returns:
            True; False when the very same record is there already.

        Raises:
            HarnessError: another record has its id, or its id or time is none.
        """

    def scan(self, left_out: dict[str, str], *, distributions: bool = False) -> Iterator[HistoryRecord]:
        """
        Yield the records one by one, about in the order of their ids, so that a large history needs little memory.

        Args:
            left_out: gets what could not be read: name → why.
            distributions: whether to read these too, which takes several times as long; without, they are empty.
        """

    def scan_heads(self, left_out: dict[str, str]) -> Iterator[HistoryRecord]:
        """Yield the records as `scan` does, with or without their figures, whichever is faster."""

    def scan_figures(self, left_out: dict[str, str]) -> Iterator[tuple[HistoryRecord, Figures]]:
        """Yield the records as `scan_heads` does, and beside each its figures: the fastest way to a series."""

    def get(self, record_id: str) -> HistoryRecord:
        """
        Return one record with its distributions.

        Raises:
            HarnessError: there is none of this id.
        """

    def acceptances(self) -> tuple[Acceptance, ...]:
        """Return what was accepted, by time."""

    def notes(self) -> tuple[Note, ...]:
        """Return releases and events, by time."""

    def add_acceptance(self, acceptance: Acceptance) -> bool:
        """Keep an acceptance; as `add`."""

    def add_note(self, note: Note) -> bool:
        """Keep a note; as `add`."""

    def remove(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """Remove records of runs for good, and return the ids of those that were there."""


def read_records(history: History, *, distributions: bool = True) -> Records:
    """
    Read all records of a history, by time.

    Args:
        history: from `open_history`.
        distributions: as in `History.scan`.

    Raises:
        HarnessError: the store can't be read. A single record that can't be is left out and named.
    """
    left_out: dict[str, str] = {}
    found = list(history.scan(left_out, distributions=distributions))
    return Records(
        records=tuple(sorted(found, key=lambda record: (instant_s(record.at_utc), record.id))), left_out=left_out
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """
    The newest records of a history.

    Args:
        records: by time, the oldest first; whether they have their figures is not said.
        total: how many there are in all that were wanted.
        left_out: as in `Records`.
    """

    records: tuple[HistoryRecord, ...]
    total: int
    left_out: dict[str, str]


def newest_records(
    history: History, count: int | None, is_wanted: Callable[[HistoryRecord], bool] = lambda _: True
) -> Newest:
    """
    Read the newest records, holding no more of them than are wanted.

    Returns:
        Their heads: call `History.get` for figures.

    Args:
        history: from `open_history`.
        count: how many, ≥ 1; None for all.
        is_wanted: which records count at all.

    Raises:
        HarnessError: the store can't be read.
    """
    left_out: dict[str, str] = {}
    total = 0
    held: list[tuple[float, str, HistoryRecord]] = []
    for record in history.scan_heads(left_out):
        if is_wanted(record):
            total += 1
            entry = (instant_s(record.at_utc), record.id, record)
            if count is None or len(held) < count:
                heapq.heappush(held, entry)
            else:
                heapq.heappushpop(held, entry)
    return Newest(records=tuple(record for _, _, record in sorted(held)), total=total, left_out=left_out)


def with_figures(history: History, heads: Sequence[HistoryRecord]) -> tuple[HistoryRecord, ...]:
    """
    Return records with their figures: a few are read one by one, many in one pass.

    Raises:
        HarnessError: the store can't be read.
    """
    if len(heads) <= _FEW:
        return tuple(history.get(head.id) for head in heads)
    wanted = {head.id: position for position, head in enumerate(heads)}
    found = (record for record in history.scan({}) if record.id in wanted)
    return tuple(sorted(found, key=lambda record: wanted[record.id]))


def find_record(history: History, name: str) -> HistoryRecord:
    """
    Return a record with its distributions.

    Args:
        history: from `open_history`.
        name: an id, the beginning of exactly one, or ``latest``.

    Raises:
        HarnessError: no record, or more than one, is called so.
    """
    if name == "latest":
        newest = newest_records(history, 1).records
        if not newest:
            raise no_such_record(name, history.where)
        return history.get(newest[0].id)
    try:
        return history.get(name)
    except NoSuchRecordError:
        found = sorted(record.id for record in history.scan_heads({}) if record.id.startswith(name))
    if len(found) == 1:
        return history.get(found[0])
    if not found:
        raise no_such_record(name, history.where)
    examples = ", ".join(found[:3])
    raise UsageError(explain("record", name, fault=f"{len(found)} ids begin so, such as {examples}"))


def open_history(where: str | Path, *, progress: Progress = silent) -> History:
    """
    Open a history. Nothing is written before something is added.

    Args:
        where: a folder, or an SQLAlchemy URL such as ``postgresql+psycopg://user@host/name``.
        progress: told how far a look at a folder of many files is.

    Raises:
        UsageError: an empty name, or a URL that is none.
        HarnessError: the folder is a file.
    """
    if not str(where).strip():
        raise UsageError(explain("option", "--history", fault="names nothing", need="a folder or a database URL"))
    if isinstance(where, str) and "://" in where:
        from harness.history.database import DatabaseHistory  # noqa: PLC0415  # SQLAlchemy only where it is used

        return DatabaseHistory(where)
    return FolderHistory(Path(where), progress)
