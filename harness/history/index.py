"""
The index of a folder: each record without its distributions in one SQLite file, for a large history to open fast.

It is derived: it may be deleted at any time, is never asked when a file has changed since, and git does not keep
it. Where it can't be written, or is broken, the files themselves are read. A file counts as unchanged when
its size and the time of its last change are those of the last look.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.history.progress import Progress, silent
from harness.history.records import UnreadableRecordError, decode_record, plain_of
from harness.history_model import HistoryRecord, Metric
from harness.model import Direction

INDEX = ".index"

_FILE = "records-2.sqlite"
"""Its number changes with the layout: an index of another layout is simply not found."""

_TIMEOUT_S = 5.0
_WRITTEN_AT_ONCE = 5_000
_TOLD_EVERY = 250
_READING = "reading runs"
_LAYOUT = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, fault TEXT, head BLOB, figures BLOB
) WITHOUT ROWID
"""

_STAMPS = "SELECT path, size, mtime_ns FROM files"

_HEADS = "SELECT path, fault, head, NULL FROM files ORDER BY path"
_ALL = "SELECT path, fault, head, figures FROM files ORDER BY path"


class Bounds(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An `Interval` as the index holds it."""

    low: float | None
    high: float | None


class Figure(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A `Metric` as the index holds it: the same fields without their names, three times as fast to read."""

    subject: str
    metric: str
    quantile: float | None
    value: float | None
    unit: str
    direction: Direction
    n: int | None
    interval: Bounds | None
    limit: float | None
    exceedances: int | None
    extra: dict[str, str]


Figures = Sequence[Metric] | Sequence[Figure]
"""Figures of one run, out of a file or out of the index."""

_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(HistoryRecord).decode
_decode_figures = msgspec.msgpack.Decoder(list[Figure]).decode


class Stamp(NamedTuple):
    """What tells whether a file is the one that was read: size [bytes] and time of the last change [ns]."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One file.

    Args:
        path: below the history's folder.
        fault: why it is no record; None when it is one.
        head: the record without figures and distributions; None for a fault.
        figures: of the record; empty for a fault, and when they were not asked for.
    """

    path: str
    fault: str | None
    head: HistoryRecord | None = None
    figures: Figures = ()


def entries(
    folder: Path, files: Mapping[str, Stamp], *, figures: bool = True, progress: Progress = silent
) -> Iterator[Entry]:
    """
    Yield what each file of a history holds, about in the order of their paths.

    Args:
        folder: the history.
        files: path below it → its stamp.
        figures: whether these are wanted.
        progress: told how many files were read anew, and how many were yielded.
    """
    if not files:
        return
    left = dict(files)
    done = 0
    try:
        with contextlib.closing(_opened(folder)) as index:
            _renew(index, folder, files, progress)
            for path, fault, head, told in index.execute(_ALL if figures else _HEADS):
                if left.pop(path, None) is not None:
                    done += 1
                    if done % _TOLD_EVERY == 0:
                        progress(_READING, done, len(files))
                    yield Entry(
                        path,
                        fault,
                        None if head is None else _decode_head(head),
                        () if told is None else _decode_figures(told),
                    )
    except (sqlite3.OperationalError, OSError):
        # Read-only, or held by another process for too long: it is no more than a short cut.
        pass
    except (sqlite3.DatabaseError, msgspec.DecodeError):
        # Broken: the next reader makes a new one, where it may.
        with contextlib.suppress(OSError):
            forget(folder)
    for path in left:
        done += 1
        if done % _TOLD_EVERY == 0:
            progress(_READING, done, len(files))
        yield read_entry(folder, path)
    progress(_READING, len(files), len(files))


def whole(entry: Entry) -> HistoryRecord | None:
    """Return an entry's record with its figures; None for a fault."""
    if entry.head is None:
        return None
    metrics: tuple[Metric, ...] = msgspec.convert(tuple(entry.figures), tuple[Metric, ...], from_attributes=True)
    return replace(entry.head, metrics=metrics)


def forget(folder: Path) -> bool:
    """Delete the index of a history; tell whether there was one."""
    found = list((folder / INDEX).glob("records-*"))
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)


def read_entry(folder: Path, path: str) -> Entry:
    """Read one file itself."""
    try:
        record = decode_record((folder / path).read_bytes(), HistoryRecord, histograms=False)
    except UnreadableRecordError as fault:
        return Entry(path, str(fault))
    except OSError as fault:
        return Entry(path, f"can't be read: {fault.strerror or fault}")
    return Entry(path, None, replace(record, metrics=(), distributions=()), record.metrics)


def _opened(folder: Path) -> sqlite3.Connection:
    place = folder / INDEX
    place.mkdir(exist_ok=True)
    for other in place.glob("records-*"):
        if not other.name.startswith(_FILE):
            # Of another version: whoever uses that makes its own again.
            other.unlink(missing_ok=True)
    ignored = place / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
    index = sqlite3.connect(place / _FILE, timeout=_TIMEOUT_S, isolation_level=None)
    try:
        # After a power cut it may be broken; then it is made again.
        index.execute("PRAGMA synchronous = OFF")
        index.execute(_LAYOUT)
    except sqlite3.Error:
        index.close()
        raise
    return index


def _renew(index: sqlite3.Connection, folder: Path, files: Mapping[str, Stamp], progress: Progress) -> None:
    """Read the files that are new or changed, and drop those that are gone."""
    known = {path: Stamp(size, mtime_ns) for path, size, mtime_ns in index.execute(_STAMPS)}
    changed = [path for path, stamp in files.items() if known.get(path) != stamp]
    done = 0
    for chunk in _chunks(changed):
        rows = []
        for path in chunk:
            rows.append(_row(read_entry(folder, path), files[path]))
            done += 1
            if done % _TOLD_EVERY == 0:
                progress("reading new files into the index", done, len(changed))
        with _transaction(index):
            index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", rows)
    if changed:
        progress("reading new files into the index", len(changed), len(changed))
    for chunk in _chunks(sorted(known.keys() - files.keys())):
        with _transaction(index):
            index.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in chunk])


def _row(entry: Entry, stamp: Stamp) -> tuple[str, int, int, str | None, bytes | None, bytes | None]:
    told = (entry.path, stamp.size, stamp.mtime_ns, entry.fault)
    if entry.head is None:
        return *told, None, None
    figures = msgspec.convert(entry.figures, list[Figure], from_attributes=True)
    return *told, _encode(plain_of(entry.head)), _encode(figures)


def _chunks(paths: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(paths), _WRITTEN_AT_ONCE):
        yield paths[start : start + _WRITTEN_AT_ONCE]


@contextlib.contextmanager
def _transaction(index: sqlite3.Connection) -> Iterator[None]:
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")
