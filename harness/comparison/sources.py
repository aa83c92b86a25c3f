"""Where runs to be compared come from: run folders, files, and the records of a history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.columns import columns_of
from harness.conclude import Conclusion, stored_result
from harness.errors import HarnessError, explain
from harness.history.records import NoSuchRecordError, instant_s
from harness.history.store import History, find_record, read_records
from harness.history_model import Acceptance, HistoryRecord
from harness.recording import record_of
from harness.rundir import PARTIAL_SUFFIX, RunDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """
    Runs that somebody named.

    Args:
        records: in the order they were named.
        left_out: name → why it could not be read.
    """

    records: tuple[HistoryRecord, ...]
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """
    What a history holds from before a run.

    Args:
        records: the oldest first.
        acceptances: changes that start a new level.
        left_out: records that could not be read: name → why.
    """

    records: tuple[HistoryRecord, ...]
    acceptances: tuple[Acceptance, ...]
    left_out: dict[str, str]


def read_named(names: Sequence[str], history: History) -> Named:
    """
    Read runs by name: a run's folder, or a record of the history by its id, the beginning of it, or ``latest``.

    Args:
        names: as given.
        history: where ids are looked up.

    Returns:
        What could be read, and of the rest why not.
    """
    records: list[HistoryRecord] = []
    left_out: dict[str, str] = {}
    for name in names:
        try:
            records.append(_read_one(name, history))
        except HarnessError as fault:
            left_out[name] = str(fault)
    return Named(records=tuple(records), left_out=left_out)


def read_past(history: History, *, before: HistoryRecord, distributions: bool = False) -> Past:
    """
    Read the runs that began before another one.

    Args:
        history: from `open_history`.
        before: the run; it is not among them.
        distributions: whether to read these too.

    Raises:
        HarnessError: the history can't be read.
    """
    found = read_records(history, distributions=distributions)
    at_s = instant_s(before.at_utc)
    return Past(
        records=tuple(
            record for record in found.records if instant_s(record.at_utc) <= at_s and record.id != before.id
        ),
        acceptances=history.acceptances(),
        left_out=dict(found.left_out),
    )


def _read_one(name: str, history: History) -> HistoryRecord:
    path = Path(name)
    if not path.exists():
        return _of_history(name, history)
    directory = RunDirectory(path)
    if not path.is_dir() or not (directory.result.exists() or directory.run.exists()):
        raise HarnessError(explain("run", name, fault="no run's folder", need="a folder that holds result.json"))
    if not directory.result.exists():
        raise HarnessError(explain("run", name, fault="not judged yet", remedy=f"harness report {name}"))
    result = stored_result(directory)
    if path.name.endswith(PARTIAL_SUFFIX):
        raise HarnessError(explain("run", name, fault="it was ended before it was whole"))
    # The figures are enough: the samples, which may be many, stay unread.
    return record_of(Conclusion(result=result, columns=columns_of(()), ticks=()))


def _of_history(name: str, history: History) -> HistoryRecord:
    looks_like_path = "/" in name or name.startswith(".")
    try:
        if not looks_like_path:
            return find_record(history, name)
    except NoSuchRecordError as fault:
        raise HarnessError(
            explain("run", name, fault=f"neither a run's folder nor a record of the history {history.where}")
        ) from fault
    raise HarnessError(explain("run", name, fault="no such folder"))
