"""
Trends made by a schedule: a folder each time, the newest kept, an index page over them.

::

    trends/
        index.html                what there is, the newest first
        20261123T083000Z/         as `files` writes it
        20261122T083000Z/
"""

import os
import re
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.history_model import Trend
from harness.model import Status
from harness.report.trend.files import DATA, PAGE, Order, Progress, write_trend
from harness.report.trend.index import Entry, render_index
from harness.report.words import plain
from harness.rundir import cannot_write, write_atomically

INDEX = "index.html"

_NAME = re.compile(r"\d{8}T\d{6}Z(?:-\d+)?")
_REST = re.compile(r"\.\d{8}T\d{6}Z(?:-\d+)?(?:\.\d+)?\.(?:partial|gone)")
_REST_AGE_S = 86_400.0


def write_dated(
    trend: Trend, out: Path, order: Order, *, now: datetime, keep: int | None, progress: Progress = lambda *_: None
) -> Path:
    """
    Write a trend into a folder named after the time, remove the oldest ones, and renew the index page.

    Args:
        trend: what to show.
        out: folder of the dated folders; made when missing. What is in it besides stays.
        order: what to write.
        now: the present, aware.
        keep: how many dated folders stay, at least 1; None for all.
        progress: told after each chart.

    Returns:
        The new folder.

    Raises:
        HarnessError: the folder can't be written; the index then names what is there.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = next(
        path
        for number in range(1, 1000)
        if not (path := out / (stamp if number == 1 else f"{stamp}-{number}")).exists()
    )
    write_trend(trend, folder, order, progress=progress)
    try:
        _clear(out)
        if keep is not None:
            for name in _names(out)[keep:]:
                _remove(out / name)
        entries = [_entry(out / name) for name in _names(out)]
        write_atomically(out / INDEX, render_index(entries, title=order.title).encode())
    except OSError as fault:
        raise cannot_write(out, fault) from fault
    return folder


def _names(out: Path) -> list[str]:
    """Return the dated folders, the newest first."""
    return sorted(
        (path.name for path in out.iterdir() if _NAME.fullmatch(path.name) and (path / DATA).is_file()),
        key=lambda name: (name[:16], int(name[17:] or 1)),
        reverse=True,
    )


def _remove(folder: Path) -> None:
    """Remove a folder so that nobody meets it half removed."""
    gone = folder.with_name(f".{folder.name}.gone")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _clear(out: Path) -> None:
    """Remove what killed calls left, once it is surely nobody's."""
    for path in out.iterdir():
        if _REST.fullmatch(path.name) and time.time() - path.stat().st_mtime > _REST_AGE_S:
            shutil.rmtree(path, ignore_errors=True)


def _entry(folder: Path) -> Entry:
    at = datetime.strptime(folder.name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    page = os.access(folder / PAGE, os.R_OK)
    told = _data(folder / DATA)
    known = {status.value: status for status in Status}
    return Entry(
        name=folder.name,
        at_utc=at.strftime("%Y-%m-%d %H:%M"),
        status=known.get(str(told.get("status"))),
        sentence=plain(str(told.get("sentence", "Its data can't be read."))),
        series=_length(told.get("series")),
        runs=_length(told.get("runs")),
        page=page,
    )


def _data(path: Path) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _length(listed: object) -> int | None:
    return len(listed) if isinstance(listed, list) else None
