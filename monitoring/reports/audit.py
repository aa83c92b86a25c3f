"""
The harness's index audit, asked by command when it is installed: this package knows nothing of that one.

It explains every statement that the query log holds, not only the pending one, and finds indexes that are missing,
idle or double. ``--no-trial``: what might help is not tried, so nothing is copied and the answer comes in seconds.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from monitoring.checklist import IndexState

TIMEOUT_S = 120.0
_JUDGED = frozenset({0, 3, 4})
"""Exit codes of an audit that was made: nothing wrong, a fault, nothing could be judged."""
_SHOWN = 5


class _Finding(msgspec.Struct, frozen=True):
    fault: str | None = None
    weight: str | None = None
    name: str | None = None
    remedy: str | None = None


class _Coverage(msgspec.Struct, frozen=True):
    explained: int = 0


class _Audit(msgspec.Struct, frozen=True):
    """The part of the command's JSON that is read here."""

    status: str
    statements: list[_Finding]
    indexes: list[_Finding]
    coverage: _Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """
    What the audit found.

    Args:
        explained: statements of the query log that it explained.
        faults: what is wrong, with its cure where there is one.
        trouble: why there is no audit; None when there is one.
    """

    explained: int = 0
    faults: tuple[str, ...] = ()
    trouble: str | None = None


Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def find_harness() -> str | None:
    """Return the ``harness`` command beside this interpreter, else the one on the path; None for none."""
    return shutil.which("harness", path=str(Path(sys.executable).parent)) or shutil.which("harness")


def audit_indexes(
    database_url: str, query_log: Path | None, *, command: str | None = None, run: Run | None = None
) -> Audit:
    """
    Have the harness audit a database.

    Args:
        database_url: SQLAlchemy's form.
        query_log: the service's own; None, or one that is not there, for none.
        command: the ``harness`` command; None to look for it.
        run: runs a command; for tests.
    """
    command = command if command is not None else find_harness()
    if command is None:
        return Audit(trouble="the harness is not installed here; its `harness indexes` explains every statement")
    if query_log is None or not query_log.exists():
        return Audit(trouble="no query log is here, whose statements `harness indexes` would explain")
    arguments = [command, "indexes", "--database-url", database_url, "--queries", str(query_log)]
    try:
        done = (run or _run)([*arguments, "--no-trial", "--json"])
    except (OSError, subprocess.TimeoutExpired) as error:
        return Audit(trouble=f"`harness indexes` gave no answer ({type(error).__name__})")
    if done.returncode not in _JUDGED:
        said = done.stderr.strip().splitlines()
        return Audit(trouble=f"`harness indexes` failed: {said[-1] if said else f'exit code {done.returncode}'}")
    try:
        found = msgspec.json.decode(done.stdout, type=_Audit)
    except msgspec.MsgspecError:
        return Audit(trouble="`harness indexes` answered in a form that this version does not know")
    faults = [one for one in (*found.indexes, *found.statements) if one.weight == "fault" and one.fault]
    return Audit(explained=found.coverage.explained, faults=tuple(map(_said, faults)))


def with_audit(state: IndexState, audit: Audit) -> IndexState:
    """Return what both found: a fault of either fails, and an audit that was not made changes nothing."""
    if audit.trouble is not None:
        note, status = audit.trouble, state.status
    elif audit.faults:
        more = len(audit.faults) - _SHOWN
        shown = "; ".join(audit.faults[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        note, status = f"harness indexes: {shown}", "fail"
    else:
        note = f"harness indexes explained {audit.explained} logged statements and found no fault"
        status = state.status
    return replace(state, status=status, note=f"{state.note}; {note}" if state.note else note)


def _said(finding: _Finding) -> str:
    said = f"{finding.name} {finding.fault}" if finding.name else str(finding.fault)
    return f"{said} ({finding.remedy})" if finding.remedy else said


def _run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # our own command, given as a list
        arguments, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
    )
