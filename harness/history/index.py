"""
The index of a folder: every record without its distributions in one SQLite file: a large history opens fast.

It is derived: it may be deleted at any time, is never asked when a file has changed since, and git does not keep
it. Where it can't be written, or is broken, the files themselves are read. A file counts as unchanged when
its size and the time of its last change are those of the last look.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.history.records import UnreadableRecordError, decode_record
from harness.history_model import HistoryRecord

INDEX = ".index"

_FILE = "records-1.sqlite"
"""Its number changes with the layout: an index of another layout is simply not found."""

_TIMEOUT_S = 5.0
_WRITTEN_AT_ONCE = 5_000
_LAYOUT = """
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, head BLOB, fault TEXT
) WITHOUT ROWID
"""

_STAMPS = "SELECT path, size, mtime_ns FROM files"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(HistoryRecord).decode


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells whether a file is the one that was read: size [bytes] and time of the last change [ns]."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One file's record without distributions, or why it is none."""

    path: str
    record: HistoryRecord | None
    fault: str | None


def entries(folder: Path, files: Mapping[str, Stamp]) -> Iterator[Entry]:
    """
    Yield what each file of a history holds, about in the order of their paths.

    Args:
        folder: the history.
        files: path below it → its stamp.
    """
    left = dict(files)
    try:
        with contextlib.closing(_opened(folder)) as index:
            _renew(index, folder, files)
            for path, head, fault in index.execute("SELECT path, head, fault FROM files ORDER BY path"):
                if left.pop(path, None) is not None:
                    yield Entry(path, None if head is None else _decode(head), fault)
    except (sqlite3.OperationalError, OSError):
        # Read-only, or held by another process for too long: it is no more than a short cut.
        pass
    except (sqlite3.DatabaseError, msgspec.DecodeError):
        # Broken: the next reader makes a new one.
        forget(folder)
    for path in left:
        yield read_entry(folder, path)


def forget(folder: Path) -> bool:
    """Delete the index of a history; tell whether there was one."""
    found = list((folder / INDEX).glob("records-*"))
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)


def read_entry(folder: Path, path: str) -> Entry:
    """Read one file itself."""
    try:
        record = decode_record((folder / path).read_bytes(), HistoryRecord)
    except UnreadableRecordError as fault:
        return Entry(path, None, str(fault))
    except OSError as fault:
        return Entry(path, None, f"can't be read: {fault.strerror or fault}")
    return Entry(path, replace(record, distributions=()), None)


def _opened(folder: Path) -> sqlite3.Connection:
    place = folder / INDEX
    place.mkdir(exist_ok=True)
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


def _renew(index: sqlite3.Connection, folder: Path, files: Mapping[str, Stamp]) -> None:
    """Read the files that are new or changed, and drop those that are gone."""
    known = {path: Stamp(size, mtime_ns) for path, size, mtime_ns in index.execute(_STAMPS)}
    changed = [path for path, stamp in files.items() if known.get(path) != stamp]
    for chunk in _chunks(changed):
        rows = [_row(read_entry(folder, path), files[path]) for path in chunk]
        with _transaction(index):
            index.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)
    for chunk in _chunks(sorted(known.keys() - files.keys())):
        with _transaction(index):
            index.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in chunk])


def _row(entry: Entry, stamp: Stamp) -> tuple[str, int, int, bytes | None, str | None]:
    head = None if entry.record is None else _encode(entry.record)
    return entry.path, stamp.size, stamp.mtime_ns, head, entry.fault


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
