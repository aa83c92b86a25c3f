"""
A history in a folder, made to be kept in git beside the code.

::

    history/
        .gitignore                             leaves out the index and files half-written
        runs/2026-11/20261123T083000Z-3f9a.json     one HistoryRecord each, never changed
        acceptances/20261123T090000Z-51b0c2aa.json  one Acceptance each
        notes/20261201T000000Z-0d9e1f77.json        one Note each
        .index/                                derived from the files; may be deleted at any time

Two machines that add runs write two files, so branches merge without a conflict. A file appears whole or not at
all: it is written under a temporary name, synced, and linked to its own name, which fails where that is taken.
"""

import contextlib
import errno
import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TypeVar

from harness.errors import HarnessError, explain
from harness.history.index import INDEX, Entry, Figures, Stamp, entries, forget, whole
from harness.history.progress import Progress, silent
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

RUNS, ACCEPTANCES, NOTES = "runs", "acceptances", "notes"
SUFFIX = ".json"
TEMPORARY_SUFFIX = ".tmp"
_IGNORED = f"/{INDEX}/\n*{TEMPORARY_SUFFIX}\n"
_TOLD_EVERY = 250
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}

T = TypeVar("T", HistoryRecord, Acceptance, Note)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class FolderHistory:
    """
    A history in a folder; see the head of this module. Methods as in `harness.history.store.History`.

    Args:
        path: the folder.
        progress: told how far a look at many files is.
    """

    path: Path
    progress: Progress = field(default=silent, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise HarnessError(explain("history", str(self.path), fault="is a file", need="a folder"))

    @property
    def where(self) -> str:
        """Return the folder."""
        return str(self.path)

    def add(self, record: HistoryRecord) -> bool:
        """Keep the record in the folder of its month."""
        _check(record)
        month = datetime.fromtimestamp(instant_s(record.at_utc), UTC).strftime("%Y-%m")
        return self._write(self.path / RUNS / month, record)

    def scan(self, left_out: dict[str, str], *, distributions: bool = False) -> Iterator[HistoryRecord]:
        """Yield the records, those under their own name first; without distributions from the index."""
        if distributions:
            yield from self._read_all(RUNS, HistoryRecord, left_out)
        else:
            records = ((entry.path, whole(entry)) for entry in self._entries(left_out))
            yield from (
                record for record, _ in _sole(((path, record, None) for path, record in records), left_out)
            )
        self._note_faults(left_out)

    def scan_heads(self, left_out: dict[str, str]) -> Iterator[HistoryRecord]:
        """Yield the records from the index, without figures."""
        found = ((entry.path, entry.head, None) for entry in self._entries(left_out, figures=False))
        yield from (record for record, _ in _sole(found, left_out))
        self._note_faults(left_out)

    def scan_figures(self, left_out: dict[str, str]) -> Iterator[tuple[HistoryRecord, Figures]]:
        """Yield the records and their figures from the index."""
        yield from _sole(((entry.path, entry.head, entry.figures) for entry in self._entries(left_out)), left_out)
        self._note_faults(left_out)

    def get(self, record_id: str) -> HistoryRecord:
        """Read one record."""
        # Nearly always under its own name; a copy under another may be all that is left.
        own = (path for path in self._months() if os.path.isfile(path / f"{record_id}{SUFFIX}"))  # noqa: PTH113  # False for a folder that is closed to us
        others = (entry.path for entry in self._entries({}, figures=False) if _is(entry.head, record_id))
        for path in chain((month / f"{record_id}{SUFFIX}" for month in own), map(self.path.joinpath, others)):
            record = self._read(path, HistoryRecord, {})
            if _is(record, record_id) and record is not None:
                return record
        raise no_such_record(record_id, self.where)

    def acceptances(self) -> tuple[Acceptance, ...]:
        """Read ``acceptances/``."""
        return tuple(self._read_all(ACCEPTANCES, Acceptance, {}))

    def notes(self) -> tuple[Note, ...]:
        """Read ``notes/``."""
        return tuple(sorted(self._read_all(NOTES, Note, {}), key=lambda note: instant_s(note.at_utc)))

    def add_acceptance(self, acceptance: Acceptance) -> bool:
        """Keep an acceptance."""
        _check(acceptance)
        return self._write(self.path / ACCEPTANCES, acceptance)

    def add_note(self, note: Note) -> bool:
        """Keep a note."""
        _check(note)
        return self._write(self.path / NOTES, note)

    def remove(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """Delete the files of these records."""
        wanted = set(record_ids)
        gone = []
        for path in self.files(RUNS, {}):
            if path.stem in wanted:
                try:
                    path.unlink(missing_ok=True)
                except OSError as fault:
                    raise self._unwritable(fault) from fault
                gone.append(path.stem)
        return tuple(gone)

    def rebuild_index(self) -> bool:
        """
        Delete the index and make it again from the files; tell whether there was one.

        Raises:
            HarnessError: the index can't be deleted.
        """
        try:
            was_there = forget(self.path)
        except OSError as fault:
            raise self._unwritable(fault) from fault
        deque(entries(self.path, self.stamps({}), progress=self.progress), maxlen=0)
        return was_there

    def files(self, folder: str, left_out: dict[str, str]) -> list[Path]:
        """
        Return the files of one of the three folders, by name; empty where there is none.

        Args:
            folder: which.
            left_out: gets the folders that can't be looked into: name → why.
        """
        places = self._months() if folder == RUNS else [self.path / folder]
        found = (Path(file.path) for place in places for file in self._listed(place, left_out))
        return sorted(found, key=lambda path: path.name)

    def stamps(self, left_out: dict[str, str]) -> dict[str, Stamp]:
        """
        Return each run's file below this folder, with what tells whether it has changed, by path.

        Args:
            left_out: gets the folders that can't be looked into: name → why.
        """
        found: dict[str, Stamp] = {}
        for month in self._months():
            for file in self._listed(month, left_out):
                # A file may go while we look: then it is not there.
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    found[f"{RUNS}/{month.name}/{file.name}"] = Stamp(status.st_size, status.st_mtime_ns)
        return dict(sorted(found.items()))

    def _listed(self, place: Path, left_out: dict[str, str]) -> "Iterator[os.DirEntry[str]]":
        try:
            with os.scandir(place) as files:
                yield from (file for file in files if file.name.endswith(SUFFIX) and file.name[0] != ".")
        except FileNotFoundError:
            return
        except OSError as fault:
            left_out[self._name(place)] = f"can't be looked into: {fault.strerror or fault}"

    def _months(self) -> list[Path]:
        """Return the folders of the runs; a history that nobody wrote to has none."""
        try:
            with os.scandir(self.path / RUNS) as places:
                return sorted(Path(place.path) for place in places if place.is_dir())
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise HarnessError(
                explain("history", self.where, fault=f"can't be read: {fault.strerror or fault}")
            ) from fault

    def _entries(self, left_out: dict[str, str], *, figures: bool = True) -> Iterator[Entry]:
        for entry in entries(self.path, self.stamps(left_out), figures=figures, progress=self.progress):
            if entry.fault is not None:
                left_out[entry.path] = entry.fault
            yield entry

    def _note_faults(self, left_out: dict[str, str]) -> None:
        """Read acceptances and notes for what can't be read of them."""
        deque(self._read_all(ACCEPTANCES, Acceptance, left_out), maxlen=0)
        deque(self._read_all(NOTES, Note, left_out), maxlen=0)

    def _read_all(self, folder: str, kind: type[T], left_out: dict[str, str]) -> Iterator[T]:
        files = self._told(self.files(folder, left_out))
        read = ((self._name(path), self._read(path, kind, left_out), None) for path in files)
        yield from (record for record, _ in _sole(read, left_out))

    def _told(self, files: list[Path]) -> Iterator[Path]:
        """Yield the files, and tell how far it is."""
        for done, path in enumerate(files, start=1):
            yield path
            if done % _TOLD_EVERY == 0 or done == len(files):
                self.progress("reading files", done, len(files))

    def _read(self, path: Path, kind: type[T], left_out: dict[str, str]) -> T | None:
        try:
            return decode_record(path.read_bytes(), kind)
        except UnreadableRecordError as fault:
            left_out[self._name(path)] = str(fault)
        except OSError as fault:
            left_out[self._name(path)] = f"can't be read: {fault.strerror or fault}"
        return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _write(self, folder: Path, record: HistoryRecord | Acceptance | Note) -> bool:
        path = folder / f"{record.id}{SUFFIX}"
        content = encode_record(record)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._write_gitignore()
            is_new = write_new(path, content)
            if not is_new and path.read_bytes() != content:
                raise id_is_taken(record.id, self.where)
        except OSError as fault:
            raise self._unwritable(fault) from fault
        return is_new

    def _unwritable(self, fault: OSError) -> HarnessError:
        text = f"can't be written: {fault.strerror or fault}"
        return HarnessError(
            explain("history", self.where, fault=text, remedy="another folder with --history, or free space")
        )

    def _write_gitignore(self) -> None:
        path = self.path / ".gitignore"
        if not path.exists():
            write_new(path, _IGNORED.encode())


def _sole(found: Iterable[tuple[str, T | None, V]], left_out: dict[str, str]) -> Iterator[tuple[T, V]]:
    """
    Yield each record once, with what came beside it.

    A file under another name than its record's is a copy, unless the record's own file is gone: then it is what is
    left of it.
    """
    seen: dict[str, str] = {}
    strangers = []
    for path, record, beside in found:
        if record is None:
            continue
        if path[path.rfind("/") + 1 : -len(SUFFIX)] != record.id:
            strangers.append((path, record, beside))
        elif record.id in seen:
            left_out[path] = f"a second file of record {record.id}, beside {seen[record.id]}"
        else:
            seen[record.id] = path
            yield record, beside
    for path, record, beside in strangers:
        if record.id in seen:
            left_out[path] = f"a copy of record {record.id}, beside {seen[record.id]}"
        else:
            seen[record.id] = path
            yield record, beside


def _is(record: HistoryRecord | None, record_id: str) -> bool:
    return record is not None and record.id == record_id


def write_new(path: Path, content: bytes) -> bool:
    """
    Write a whole file under a name that is still free.

    Returns:
        False when the name is taken: that file is left as it is.

    Raises:
        OSError: the folder can't be written, or the disk is full; nothing is left then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=TEMPORARY_SUFFIX)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        try:
            # Unlike a rename, a link never takes the place of a file that is there.
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as fault:
            if fault.errno not in _NO_LINKS:
                raise
            return _write_exclusively(path, content)
        _sync_folder(path.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _write_exclusively(path: Path, content: bytes) -> bool:
    """Write a new file on a file system without links: a machine that dies meanwhile leaves a torn one."""
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    # Some file systems refuse it; the file itself is synced.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _check(record: HistoryRecord | Acceptance | Note) -> None:
    fault = fault_of(record)
    if fault is not None:
        raise HarnessError(explain("record", record.id, fault=fault))
