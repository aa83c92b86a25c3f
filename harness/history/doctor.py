"""
What is wrong with a history: files that are torn, foreign, doubled, misplaced, from the future or a newer version.

Nothing is changed here, and nothing is ever lost by it: what can't be read stays where it is.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from harness.history.folder import ACCEPTANCES, NOTES, RUNS, SUFFIX, TEMPORARY_SUFFIX, FolderHistory
from harness.history.index import INDEX
from harness.history.records import instant_s
from harness.history.series import FUTURE_TOLERANCE_S
from harness.history.store import History
from harness.history_model import HistoryRecord

_STAMP_LENGTH = len("20261123T083000Z")
_YOUNG_S = 3600.0
"""A temporary file younger than this may belong to somebody who is writing."""


class Severity(StrEnum):
    """How bad it is."""

    FAULT = "fault"
    HINT = "hint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """
    Something that is wrong.

    Args:
        severity: a fault keeps a record from being used; a hint does not.
        name: of the file, row or record.
        what: what is wrong with it, without a full stop.
        remedy: what to do.
    """

    severity: Severity
    name: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """
    The state of a history.

    Args:
        where: the history, for people.
        records: how many were read.
        complaints: faults first, by name.
    """

    where: str
    records: int
    complaints: tuple[Complaint, ...]


def examine(history: History, *, now_s: float | None = None) -> Diagnosis:
    """
    Read a whole history, distributions too, and say what is wrong with it.

    Args:
        history: from `open_history`.
        now_s: what counts as the present [s since the Unix epoch]; None for now.

    Raises:
        HarnessError: it can't be read at all.
    """
    now_s = time.time() if now_s is None else now_s
    left_out: dict[str, str] = {}
    complaints: list[Complaint] = []
    ids: set[str] = set()
    for record in history.scan(left_out, distributions=True):
        ids.add(record.id)
        complaints += _of_record(record, now_s)
    complaints += (_unreadable(name, why) for name, why in left_out.items())
    for acceptance in history.acceptances():
        if acceptance.record not in ids:
            complaints.append(
                Complaint(
                    severity=Severity.HINT,
                    name=f"acceptance {acceptance.id}",
                    what=f"names record {acceptance.record}, which is not there",
                    remedy="accept the change again if it is still in sight",
                )
            )
    if isinstance(history, FolderHistory):
        complaints += _of_folder(history.path, now_s)
    complaints.sort(
        key=lambda complaint: (complaint.severity is not Severity.FAULT, complaint.name, complaint.what)
    )
    return Diagnosis(where=history.where, records=len(ids), complaints=tuple(complaints))


def _unreadable(name: str, why: str) -> Complaint:
    if "newer version" in why:
        remedy = "a newer harness; it stays as it is"
    elif why.startswith(("a copy of", "a second file of")):
        remedy = "delete it if the two are equal; else give it another id"
    elif "merge" in why:
        remedy = "settle the merge: git checkout --ours or --theirs"
    elif why.startswith("can't be"):
        remedy = "the right to read it; its runs are missing everywhere"
    else:
        remedy = "git checkout or a backup; delete it if it never was a record"
    return Complaint(severity=Severity.FAULT, name=name, what=why, remedy=remedy)


def _of_record(record: HistoryRecord, now_s: float) -> Iterator[Complaint]:
    at_s = instant_s(record.at_utc)
    if at_s > now_s + FUTURE_TOLERANCE_S:
        yield Complaint(
            severity=Severity.FAULT,
            name=record.id,
            what=f"dated {record.at_utc}, which is in the future; no series shows it until then",
            remedy="the clock of the machine that made it",
        )
    stamped_s = _stamped_s(record.id)
    if stamped_s is not None and abs(stamped_s - at_s) > FUTURE_TOLERANCE_S:
        yield Complaint(
            severity=Severity.HINT,
            name=record.id,
            what=f"its id and its time ({record.at_utc}) differ: it is out of order by name, and in order by time",
            remedy="nothing, series go by time",
        )
    missing = [metric for metric in record.metrics if metric.value is None]
    if missing:
        first = missing[0]
        yield Complaint(
            severity=Severity.HINT,
            name=record.id,
            what=f"{len(missing)} of {len(record.metrics)} figures have no value, such as {first.metric} of "
            f"{first.subject}",
            remedy="nothing, series leave it out and say so",
        )
    doubled = [key for key, count in _keys(record).items() if count > 1]
    if doubled:
        yield Complaint(
            severity=Severity.HINT,
            name=record.id,
            what=f"tells {' '.join(filter(None, doubled[0][:2]))} more than once",
            remedy="nothing, the first figure counts",
        )


def _keys(record: HistoryRecord) -> Counter[tuple[str, str, float | None]]:
    return Counter((metric.subject, metric.metric, metric.quantile) for metric in record.metrics)


def _stamped_s(record_id: str) -> float | None:
    try:
        return datetime.strptime(record_id[:_STAMP_LENGTH], "%Y%m%dT%H%M%S%z").timestamp()
    except ValueError:
        return None


def _of_folder(folder: Path, now_s: float) -> Iterator[Complaint]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        parts = path.relative_to(folder).parts
        if path.is_dir() or parts[0] in {INDEX, ".git", ".gitignore", ".gitattributes"}:
            continue
        name = "/".join(parts)
        if path.name.endswith(TEMPORARY_SUFFIX):
            if now_s - path.stat().st_mtime > _YOUNG_S:
                yield Complaint(
                    severity=Severity.HINT,
                    name=name,
                    what="left by a writer that was killed; its record was never finished",
                    remedy="delete it",
                )
        elif not _belongs(parts):
            yield Complaint(
                severity=Severity.HINT,
                name=name,
                what="not a file of a history, and never read",
                remedy=f"harness history add, or another folder; runs lie in {RUNS}/YYYY-MM",
            )


def _belongs(parts: tuple[str, ...]) -> bool:
    depth = {RUNS: 3, ACCEPTANCES: 2, NOTES: 2}.get(parts[0])
    return depth == len(parts) and parts[-1].endswith(SUFFIX) and not parts[-1].startswith(".")
