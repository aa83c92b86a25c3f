"""
Write a trend's files: all of them, or none.

::

    trend/
        trend.html            the page, for people
        trend.json            the same as data; `files` in it names everything written
        overview.png, .svg    small multiples of all charts; overview-2 … where one sheet is not enough
        charts/*.png, *.svg   one chart each

Everything is written into a folder beside the final one and moved when it is whole.
"""

import contextlib
import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness.history_model import Trend
from harness.report.trend.chart import WIDTH, Settings, lay_out, titled
from harness.report.trend.data import trend_document
from harness.report.trend.groups import Group, groups_of
from harness.report.trend.links import report_links
from harness.report.trend.overview import sheets
from harness.report.trend.page import render_page
from harness.report.trend.words import chart_caption, trend_sentence
from harness.rundir import cannot_write

PAGE = "trend.html"
DATA = "trend.json"
FORMATS = ("html", "png", "svg")

_REST_AGE_S = 86_400.0

Progress = Callable[[str, int, int], None]
"""Told what is being drawn, how many are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    What is to be written.

    Args:
        formats: of `FORMATS`; the data is written with any of them.
        settings: order and scale.
        title: heading of page and sheets.
        made: when and from what it was made, a clause.
        history: folder that the links to reports start from; None for a database.
    """

    formats: tuple[str, ...] = FORMATS
    settings: Settings = Settings()  # noqa: RUF009  # frozen
    title: str = "Performance trend"
    made: str = ""
    history: Path | None = None


def write_trend(
    trend: Trend, out: Path, order: Order, *, progress: Progress = lambda *_: None
) -> tuple[Path, ...]:
    """
    Write a trend into a folder, in place of what an earlier call wrote there. Other files in it stay.

    Args:
        trend: what to show.
        out: the folder; made when missing.
        order: what to write.
        progress: told after each chart.

    Returns:
        The files, the page first.

    Raises:
        HarnessError: the folder can't be written; what was there stays as it was.
    """
    with _new_folder(out) as folder:
        names = _draw(trend, folder, out, order, progress)
        if not out.exists():
            folder.rename(out)
        else:
            _move_in(folder, out, names)
    return tuple(out / name for name in names)


def _draw(trend: Trend, folder: Path, out: Path, order: Order, progress: Progress) -> list[str]:
    groups = groups_of(trend.series)
    names: list[str] = []
    if "html" in order.formats:
        page = render_page(
            trend,
            groups,
            order.settings,
            title=order.title,
            made=order.made,
            link=report_links(order.history, out.absolute()),
            progress=lambda done: progress("page", done, len(groups)),
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
        names.append(PAGE)
    if _pictures(order) and groups:
        names += _draw_pictures(trend, groups, folder, order, progress)
    document: dict[str, Any] = trend_document(trend) | {"made": order.made, "files": [*names, DATA]}
    (folder / DATA).write_bytes(msgspec.json.encode(document))
    return [*names, DATA]


def _pictures(order: Order) -> tuple[str, ...]:
    return tuple(kind for kind in ("png", "svg") if kind in order.formats)


def _draw_pictures(
    trend: Trend, groups: tuple[Group, ...], folder: Path, order: Order, progress: Progress
) -> Iterator[str]:
    pictures = _pictures(order)
    # Matplotlib takes half a second to import: a page alone needs none of it.
    from harness.report.charts_trend import write_scene  # noqa: PLC0415

    settings = replace(order.settings, width=WIDTH)
    for number, sheet in enumerate(
        sheets(groups, settings, title=order.title, subtitle=trend_sentence(trend)), start=1
    ):
        stem = folder / ("overview" if number == 1 else f"overview-{number}")
        yield from (path.name for path in write_scene(sheet, stem, pictures))
    starts = {p.record: p.at_s for judged in trend.series for p in judged.series.points}
    (folder / "charts").mkdir()
    for done, group in enumerate(groups, start=1):
        chart = lay_out(group, settings, notes=trend.notes, runs=starts)
        scene = titled(chart, group.title, chart_caption(group.members))
        yield from (f"charts/{path.name}" for path in write_scene(scene, folder / "charts" / group.slug, pictures))
        progress("charts", done, len(groups))


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`; removed when it was not renamed."""
    folder = out.parent / f".{out.name}.{os.getpid()}.partial"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for rest in out.parent.glob(f".{glob.escape(out.name)}.*.partial"):
            # What a killed call left, once it is surely nobody's.
            if time.time() - rest.stat().st_mtime > _REST_AGE_S:
                shutil.rmtree(rest, ignore_errors=True)
        folder.mkdir()
        yield folder
    except OSError as fault:
        raise cannot_write(out, fault) from fault
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_in(folder: Path, out: Path, names: list[str]) -> None:
    """Replace the files of an earlier call, each at once, and remove those that are there no more."""
    old = _written_before(out)
    for name in names:
        (out / name).parent.mkdir(exist_ok=True)
        (folder / name).replace(out / name)
    for name in old - set(names):
        (out / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (out / "charts").rmdir()  # only when nothing is left in it


def _written_before(out: Path) -> set[str]:
    """Return the files that an earlier call says it wrote: nothing else in the folder is ours to remove."""
    try:
        told = msgspec.json.decode((out / DATA).read_bytes())
    except (OSError, msgspec.DecodeError, RecursionError):
        return set()
    files = told.get("files") if isinstance(told, dict) else None
    if not isinstance(files, list):
        return set()
    return {name for name in files if isinstance(name, str) and _is_ours(name)}


def _is_ours(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return folder in {"", "charts"} and file not in {"", ".", ".."} and "\\" not in file and "\0" not in file
