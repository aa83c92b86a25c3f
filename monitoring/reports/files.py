"""The report's file: written whole or not at all, and old ones removed when asked."""

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from monitoring.errors import MonitoringError, UsageError, explain

_MARK = re.compile(rb"monitoring[- ]report", re.IGNORECASE)
"""Stands near the begin of a report in every format: a file without it is never removed."""

_MARK_WITHIN_BYTES = 2000
_LEFTOVER_AFTER_S = 86_400.0


def prepare(path: Path) -> None:
    """
    Make the folder of the report and see whether a file can be made there, before any work is done.

    Raises:
        MonitoringError: it can't.
    """
    if path.is_dir():
        raise MonitoringError(
            explain("output", str(path), fault="is a folder", remedy=f"--output {path / 'report.json'}")
        )
    _check_regular(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        temporary = _temporary(path)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write(path: Path, text: str) -> None:
    """
    Write the report under a temporary name, then give it its own.

    Raises:
        MonitoringError: it can't be written; a file that was there is as it was.
    """
    _check_regular(path)
    temporary = _temporary(path)
    try:
        try:
            with temporary.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def check_keep(path: Path, keep: int) -> None:
    """
    See whether old reports can be told by the name of the new one.

    Raises:
        UsageError: they can't, or `keep` is below 1.
    """
    if keep < 1:
        raise UsageError(explain("option", "--keep", fault="out of range", got=keep, need="1 or more"))
    if not re.search(r"\d", path.name):
        raise UsageError(
            explain(
                "option",
                "--keep",
                fault="old reports can't be told by a name without a date",
                got=path.name,
                remedy="--output reports/report_$(date +%Y%m%d_%H%M%S).json",
            )
        )


def remove_old(path: Path, keep: int) -> list[Path]:
    """
    Remove the oldest reports of one series.

    A series is the files of one folder whose names differ only in their digits, and that are reports of ours.

    Args:
        path: the newest one.
        keep: how many stay, the newest included [≥ 1].

    Returns:
        The files removed, oldest first.

    Raises:
        MonitoringError: one can't be removed.
    """
    series = re.compile("".join(r"\d" if c.isdecimal() and c.isascii() else re.escape(c) for c in path.name))
    found: list[tuple[float, str, Path]] = []
    for other in path.parent.iterdir():
        if other.name != path.name and series.fullmatch(other.name) and is_report(other):
            with contextlib.suppress(FileNotFoundError):  # another run removed it
                found.append((other.stat().st_mtime, other.name, other))
    found.sort()
    old = [other for _, _, other in found[: max(0, len(found) - (keep - 1))]]
    for other in old:
        try:
            other.unlink(missing_ok=True)
        except OSError as error:
            raise MonitoringError(
                explain("report", str(other), fault=f"can't be removed ({error.strerror or error})")
            ) from error
    return old


def is_report(path: Path) -> bool:
    """Tell whether a file is a report of ours, in whatever form."""
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with path.open("rb") as file:
            return _MARK.search(file.read(_MARK_WITHIN_BYTES)) is not None
    except OSError:
        return False


def _check_regular(path: Path) -> None:
    """Refuse what a rename must not replace: as root, ``--output /dev/null`` would take the device away."""
    if path.exists() and not path.is_file():
        remedy = "a path that is free, or no --output, which prints the report"
        raise MonitoringError(explain("output", str(path), fault="is no regular file", remedy=remedy))


def _temporary(path: Path) -> Path:
    # Not the process id alone: in a container it is the same each time, and a killed run leaves its file behind.
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _remove_leftovers(path: Path) -> None:
    """Remove what runs that were killed left beside a report of this name; one that still writes is younger."""
    left = re.compile(rf"\.{re.escape(path.name)}\.\d+(-[0-9a-f]+)?\.tmp")
    for other in path.parent.iterdir():
        if left.fullmatch(other.name):
            # Removed by another run, or not ours to remove: it stands in nobody's way.
            with contextlib.suppress(OSError):
                if other.stat().st_mtime < time.time() - _LEFTOVER_AFTER_S:
                    other.unlink()


def _unwritable(path: Path, error: OSError) -> MonitoringError:
    return MonitoringError(
        explain(
            "output",
            str(path),
            fault=f"can't be written ({error.strerror or error})",
            remedy="another folder, or as a user who may write there",
        )
    )
