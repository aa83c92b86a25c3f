"""
The index page over the reports of a folder: what there is, the newest first.

It is made anew after each report, from the files themselves, so it can't disagree with them, and a report that
somebody removed by hand is gone from it with the next one.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote

import msgspec

from monitoring.errors import MonitoringError, explain
from monitoring.reports import files
from monitoring.reports.document import moment, percent, rate, span
from monitoring.reports.html import page
from monitoring.reports.records import Window
from monitoring.reports.text import harmless

INDEX = "index.html"

_GENERATOR = "pollgauge monitoring-index"
_MOST = 500
"""So many of the newest are read and shown; the others are counted."""
_HEAD_CHARACTERS = 65_536
_TURNS = 5

# What `monitoring.reports.sections` writes near the begin of each form that is made for people.
_WINDOW = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) to (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
_SERVICE = re.compile(r"Monitoring report: ([^\n<]+)")
_DATE = re.compile(r"[0-9]+(?:[-_T.:][0-9]+)*Z?")
_SUMMARY = re.compile(r"[\d,]+ requests?, [^;]{1,40} per\s+second; error rate [\d.?]+( %)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One report on the page.

    Args:
        name: of its file.
        written: when, UTC.
        service: whom it is about; None when the file doesn't say.
        window: what it is about; None likewise.
        summary: requests, rate and error rate in words; None when no source held any figures.
    """

    name: str
    written: datetime
    service: str | None
    window: Window | None
    summary: str | None


def check_index(output: Path) -> None:
    """
    See whether the page may be written beside a report.

    Raises:
        MonitoringError: something else stands there, or the report itself would.
    """
    path = output.with_name(INDEX)
    if output.name == INDEX:
        raise MonitoringError(
            explain(
                "output",
                str(output),
                fault="is the name of the index page",
                remedy="--output reports/report_$(date +%Y%m%d_%H%M%S).html",
            )
        )
    try:
        found = path.read_text(encoding="utf-8", errors="replace")[:2000] if path.exists() else _GENERATOR
    except OSError as error:
        raise MonitoringError(
            explain("index", str(path), fault=f"can't be read ({error.strerror or error})")
        ) from error
    if _GENERATOR not in found:
        raise MonitoringError(
            explain("index", str(path), fault="was not made by this command", remedy="another folder for --output")
        )


def write_index(folder: Path) -> Path:
    """
    Write the index page of a folder, whole or not at all.

    Two commands may end at the same moment, each with a report of its own: whoever writes the page looks again
    afterwards whether it still tells everything.

    Args:
        folder: where the reports are.

    Returns:
        The page.

    Raises:
        MonitoringError: it can't be written; one that was there is as it was.
    """
    path = folder / INDEX
    found = _found(folder)
    for _ in range(_TURNS):
        files.write(path, render_index([_entry(*one) for one in found[:_MOST]], older=len(found[_MOST:])))
        shown, found = found, _found(folder)
        if shown == found:
            break
    return path


def render_index(entries: Sequence[Entry], *, older: int = 0) -> str:
    """
    Return the page. Pure.

    Args:
        entries: the newest first.
        older: how many more there are that are not listed.
    """
    series: dict[str, list[Entry]] = {}
    for entry in entries:
        series.setdefault(_DATE.sub("*", entry.name), []).append(entry)
    sections = [_section(name, listed, at) for at, (name, listed) in enumerate(series.items())]
    if older:
        sections.append(f'<p class="more">… and {older:,} older</p>')
    count = len(entries) + older
    lead = "No report yet." if not count else f"{count:,} report{'s' if count > 1 else ''}, the newest first."
    return page(
        title="Monitoring reports",
        lead=(lead,),
        body="\n".join(sections),
        footer="Made by pollgauge after each report. Times are UTC. ? is unknown.",
        generator=_GENERATOR,
    )


def _section(name: str, listed: Iterable[Entry], at: int) -> str:
    heads = ("report", "service", "from", "length", "what it says", "written")
    head = "".join(f'<th scope="col" class="text">{one}</th>' for one in heads)
    rows = "\n".join(_row(entry) for entry in listed)
    title = escape(harmless(name))
    return (
        f'<section aria-labelledby="s{at}">\n<h2 id="s{at}">{title}</h2>\n'
        f'<div class="scroll" tabindex="0" role="group" aria-label="{title}, scrollable">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n</section>"
    )


def _row(entry: Entry) -> str:
    window = entry.window
    cells = (
        entry.service or "?",
        "?" if window is None else moment(window.since),
        "?" if window is None else span(window.length_s),
        entry.summary or "?",
        moment(entry.written),
    )
    name = escape(harmless(entry.name))
    # Beginning with a dot: a name with a colon in it is no address of its own.
    link = f'<td class="name"><a href="./{quote(entry.name)}">{name}</a></td>'
    rest = "".join(f'<td class="text">{escape(harmless(cell))}</td>' for cell in cells)
    return f"<tr>{link}{rest}</tr>"


def _found(folder: Path) -> list[tuple[float, Path]]:
    """Return ``(written [s since the epoch], file)`` of each report, the newest first."""
    found: list[tuple[float, Path]] = []
    try:
        for path in folder.iterdir():
            if path.name != INDEX and not path.name.startswith(".") and files.is_report(path):
                with contextlib.suppress(FileNotFoundError):  # another run removed it
                    found.append((path.stat().st_mtime, path))
    except OSError as error:
        raise MonitoringError(
            explain("output", str(folder), fault=f"can't be read ({error.strerror or error})")
        ) from error
    return sorted(found, key=lambda one: (one[0], one[1].name), reverse=True)


class _Totals(msgspec.Struct):
    total_requests: int
    requests_per_second: float | None = None
    error_rate: float | None = None


class _Now(msgspec.Struct):
    totals: _Totals


class _Told(msgspec.Struct):
    """What is read of a report's JSON; the rest is skipped."""

    service: str
    window: Window
    now: _Now | None = None


def _entry(written_s: float, path: Path) -> Entry:
    written = datetime.fromtimestamp(written_s, UTC)
    try:
        content = path.read_bytes()
    except OSError:
        return Entry(name=path.name, written=written, service=None, window=None, summary=None)
    try:
        told = msgspec.json.decode(content, type=_Told)
    except (msgspec.DecodeError, RecursionError):
        return _read_text(path.name, written, content.decode("utf-8", "replace")[:_HEAD_CHARACTERS])
    totals = None if told.now is None else told.now.totals
    return Entry(
        name=path.name,
        written=written,
        service=told.service,
        window=told.window,
        summary=None
        if totals is None
        else f"{totals.total_requests:,} requests, {rate(totals.requests_per_second)} per second; "
        f"error rate {percent(totals.error_rate)}",
    )


def _read_text(name: str, written: datetime, head: str) -> Entry:
    """Read the forms for people: they begin with the same sentences."""
    service, window, summary = _SERVICE.search(head), _WINDOW.search(head), _SUMMARY.search(head)
    return Entry(
        name=name,
        written=written,
        service=None if service is None else unescape(service[1]).strip(),
        window=None if window is None else Window(since=_utc(window[1]), until=_utc(window[2])),
        summary=None if summary is None else " ".join(unescape(summary[0]).split()),
    )


def _utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
