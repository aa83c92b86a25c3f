"""Files and folders into a history: what each became, what was there already, what was not understood."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.history.importers import files_in, import_source
from harness.history.importers.reading import CONTENT_KEY, NotThisFormatError, Source
from harness.history.store import History
from harness.history_model import Acceptance, HistoryRecord, Note

RUN_FILES = ("run.json", "result.json", "samples.jsonl")
"""A folder with one of these is a run of the harness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """
    What a user knows better than the files. None leaves what they say.

    Args:
        at: when the run began.
        commit: of what was measured.
        commit_utc: its own time, ISO 8601 in UTC.
        branch: of what was measured.
        version: of what was measured.
        environment_key: of the machine.
    """

    at: datetime | None = None
    commit: str | None = None
    commit_utc: str | None = None
    branch: str | None = None
    version: str | None = None
    environment_key: str | None = None


@dataclass(slots=True, kw_only=True)
class Added:
    """
    What became of one file or run folder.

    Args:
        name: its path.
        format: what it was; None when that is not known.
        added: ids of new records.
        known: ids of records that were there already.
        marks_added: ids of new acceptances and notes.
        marks_known: ids of acceptances and notes that were there already.
        not_understood: what was left out → how many times.
        fault: why nothing came of it; None when something did.
    """

    name: str
    format: str | None = None
    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    marks_added: list[str] = field(default_factory=list)
    marks_known: list[str] = field(default_factory=list)
    not_understood: dict[str, int] = field(default_factory=dict)
    fault: str | None = None


ReadRun = Callable[[Path], HistoryRecord]
"""Makes a record of a run's folder, or of a ``result.json``; raises `HarnessError`."""


def add_paths(
    history: History,
    paths: Iterable[Path],
    *,
    read_run: ReadRun,
    overrides: Overrides | None = None,
    dry_run: bool = False,
) -> Iterator[Added]:
    """
    Import files and folders, one after the other. A file that can't be read keeps no other from being added.

    Args:
        history: gets the records.
        paths: files, run folders, or folders that hold either.
        read_run: for runs of the harness itself.
        overrides: see `Overrides`.
        dry_run: say what would be added, and add nothing.

    Yields:
        An account of each file and run folder, in order.
    """
    told = overrides or Overrides()
    contents = _Contents(history)
    for path in paths:
        for found in _found(path):
            account = Added(name=str(found))
            try:
                for item in _items(found, account, read_run, told):
                    if isinstance(item, HistoryRecord):
                        _add(history, _overridden(item, told), account, contents, dry_run=dry_run)
                    else:
                        _add_mark(history, item, account, dry_run=dry_run)
            except (NotThisFormatError, HarnessError) as fault:
                account.fault = str(fault)
            except OSError as fault:
                account.fault = f"can't be read: {fault.strerror or fault}"
            yield account


def _found(path: Path) -> Iterator[Path]:
    """Yield run folders and files, runs before what lies beside them."""
    if not path.is_dir():
        yield path
        return
    if _is_run(path):
        yield path
        return
    runs = sorted({file.parent for name in RUN_FILES for file in path.rglob(name)})
    yield from runs
    yield from (file for file in files_in(path) if not any(file.is_relative_to(run) for run in runs))


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in RUN_FILES)


def _items(
    path: Path, account: Added, read_run: ReadRun, told: Overrides
) -> Iterator[HistoryRecord | Acceptance | Note]:
    if path.is_dir():
        account.format = "run folder"
        yield read_run(path)
        return
    content = path.read_bytes()
    if _is_result(content):
        account.format = "result.json"
        yield read_run(path)
        return
    at = told.at or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    imported = import_source(Source(path=path, content=content, at=at, is_at_told=told.at is not None))
    if imported is None:
        account.format = "beside another tool's results"
        return
    account.format = imported.format
    account.not_understood = dict(imported.not_understood)
    yield from imported.records
    yield from imported.marks


def _is_result(content: bytes) -> bool:
    try:
        keys = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).keys()
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return keys >= {"schema_version", "run", "summary", "verdict"}


def _overridden(record: HistoryRecord, told: Overrides) -> HistoryRecord:
    return replace(
        record,
        commit=told.commit or record.commit,
        commit_utc=told.commit_utc or (None if told.commit else record.commit_utc),
        branch=told.branch or record.branch,
        version=told.version or record.version,
        environment_key=told.environment_key or record.environment_key,
    )


class _Contents:
    """What the history was made from, read when it is first asked: a file's time may change, its content not."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[tuple[str, str], str] | None = None

    def holder(self, record: HistoryRecord) -> str | None:
        """Return the id of the record with the same source and content; None when there is none."""
        content = record.extra.get(CONTENT_KEY)
        return None if content is None else self._all().get((record.source, content))

    def remember(self, record: HistoryRecord) -> None:
        """Know a record from now on."""
        content = record.extra.get(CONTENT_KEY)
        if content is not None:
            self._all()[record.source, content] = record.id

    def _all(self) -> dict[tuple[str, str], str]:
        if self._known is None:
            self._known = {
                (record.source, record.extra[CONTENT_KEY]): record.id
                for record in self._history.scan_heads({})
                if CONTENT_KEY in record.extra
            }
        return self._known


def _add(history: History, record: HistoryRecord, account: Added, contents: _Contents, *, dry_run: bool) -> None:
    holder = contents.holder(record)
    if holder is not None:
        account.known.append(holder)
    elif dry_run or history.add(record):
        account.added.append(record.id)
    else:
        account.known.append(record.id)
    if holder is None:
        contents.remember(record)


def _add_mark(history: History, mark: Acceptance | Note, account: Added, *, dry_run: bool) -> None:
    is_new = dry_run or (history.add_acceptance(mark) if isinstance(mark, Acceptance) else history.add_note(mark))
    (account.marks_added if is_new else account.marks_known).append(mark.id)
