"""Text, Markdown and HTML: the same document, and nothing that came from outside does any harm in it."""

from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from monitoring.reports import html, markdown, text
from monitoring.reports.document import (
    Column,
    Curve,
    Document,
    Plot,
    Section,
    Table,
    change,
    counts,
    moment,
    ms,
    number,
    percent,
    rate,
    span,
)
from monitoring.reports.forms import RENDERERS, format_for
from monitoring.reports.records import Change, Holder, Point
from monitoring.reports.sections import document
from tests.monitoring.report.conftest import NOON, window
from tests.monitoring.report.healthy import (
    agent,
    agents,
    endpoint,
    error,
    failing_agent,
    figures,
    logs,
    pool,
    report,
    source,
    spot,
    totals,
)
from tests.monitoring.report.past import PENDING

GOLDEN = Path(__file__).parent / "golden"


def full() -> Document:
    """A report with every section."""
    points = tuple(
        Point(
            since=NOON - timedelta(hours=24 - number),
            length_s=3600.0,
            requests=1800,
            errors=number % 5,
            p50_ms=None if number == 7 else 4.0,
            p95_ms=None if number == 7 else 9.0 + number,
            p99_ms=None if number == 7 else 15.0,
        )
        for number in range(24)
    )
    silent = agent("agent-0009", last_seen=NOON - timedelta(hours=3), errors=4)
    analysis = logs(
        by_status={200: 43_000, 500: 200},
        messages=5,
        by_level={"ERROR": 3, "INFO": 2},
        top_errors=(error(), error(source="message", text="disk # is full", where="app", count=3)),
        errors_by_agent=(failing_agent(s404=3, s500=4),),
    )
    now = figures(
        agents=agents(agent(), silent),
        spots=(spot(),),
        pools=(pool(holders=(Holder(held_s=2.5, site="app.py:14 in pending"),)),),
        endpoints=(endpoint(), endpoint(route="/api/agents", error_rate=None)),
    )
    changes = (
        Change(name="all: requests_per_second", before=0.4, now=0.5, change_ratio=0.25),
        Change(name=f"{PENDING}: p95_ms", before=None, now=9.0, change_ratio=None),
        Change(name="all: error_rate", before=0.0, now=0.0, change_ratio=None),
    )
    sources = (source("store"), source("request log", 0.5625), source("query log", 0.0))
    return document(
        report(
            now=now,
            before=figures(window=window(-172800, -86400)),
            changes=changes,
            points=points,
            logs=analysis,
            sources=sources,
        )
    )


@pytest.mark.parametrize(("form", "suffix"), [("text", "txt"), ("markdown", "md"), ("html", "html")])
def test_golden(form: str, suffix: str, request: pytest.FixtureRequest) -> None:
    shown = RENDERERS[form](full())
    path = GOLDEN / f"report.{suffix}"
    if request.config.getoption("--update"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == shown


def test_a_report_of_nothing_has_every_form() -> None:
    empty = document(report(now=None, figures_from=None, logs=None, sources=()))
    for form, render in RENDERERS.items():
        assert "No source holds any figures of this window" in render(empty), form


HOSTILE = '<script>alert(1)</script> | `x` "y" & \x1b[31m\u202e\n# new *line* [a](b) ![c](d)'


def hostile() -> Document:
    columns = (Column(title=HOSTILE), Column(title="code", kind="code"), Column(title="t", kind="text"))
    table = Table(caption=HOSTILE, columns=columns, rows=((HOSTILE, HOSTILE, HOSTILE),))
    plot = Plot(
        title=HOSTILE,
        times=(NOON, NOON + timedelta(hours=1)),
        curves=(Curve(name=HOSTILE, values=(1.0, 2.0)),),
        limits=((HOSTILE, 1.5),),
        tick=lambda value: f"<{value}>",
    )
    section = Section(title=HOSTILE, lines=(HOSTILE,), items=(HOSTILE,), tables=(table,), plots=(plot,))
    return Document(title=HOSTILE, lead=(HOSTILE,), sections=(section,), footer=HOSTILE)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") or name in {"href", "src"} for name, _ in attrs), attrs
        if tag not in {"meta", "line", "circle", "polyline"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # its base's
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


@pytest.mark.parametrize("make", [full, hostile])
def test_the_page_is_well_formed_and_holds_no_markup_from_outside(make: Callable[[], Document]) -> None:
    tags = Tags()
    tags.feed(html.render(make()))
    assert [] == tags.open
    assert set() == tags.seen & {"script", "img", "a", "iframe", "link", "object", "form"}


def test_the_page_loads_nothing() -> None:
    page = html.render(full())
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "url(" not in page


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_nothing_from_outside_moves_the_cursor_or_begins_a_line(form: str) -> None:
    shown = RENDERERS[form](hostile())
    assert not set(shown) & {"\x1b", "\u202e", "\r"}
    assert not any(line.startswith(("# new", "## new")) for line in shown.splitlines())


def test_markdown_from_outside_is_no_markup() -> None:
    shown = markdown.render(hostile())
    assert "<script>" not in shown.replace("``<script>", "").replace("`` <script>", "")
    assert "\\[a\\](b)" in shown
    assert "\\!\\[c\\](d)" in shown
    row = next(line for line in shown.splitlines() if line.startswith("| ") and "alert" in line)
    assert 4 == row.replace("\\|", "").count("|")


def test_long_cells_are_cut_in_text() -> None:
    table = Table(caption="c", columns=(Column(title="a", kind="code"),), rows=(("x" * 500,),), more=3)
    shown = text.render(Document(title="t", lead=(), sections=(Section(title="s", tables=(table,)),), footer="f"))
    assert f"  {'x' * 159}…" in shown.splitlines()
    assert "  … and 3 more" in shown.splitlines()


@pytest.mark.parametrize(
    ("chosen", "output", "form"),
    [
        (None, None, "text"),
        (None, "a.json", "json"),
        (None, "a.HTML", "html"),
        (None, "a.md", "markdown"),
        (None, "a.txt", "text"),
        (None, "a", "text"),
        ("html", "a.json", "html"),
        ("json", None, "json"),
    ],
)
def test_the_format_follows_the_name_unless_chosen(chosen: str | None, output: str | None, form: str) -> None:
    assert form == format_for(chosen, None if output is None else Path(output))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(None), "?"),
        (number(1234567), "1,234,567"),
        (rate(None), "?"),
        (rate(0.0), "0.00"),
        (rate(0.012), "0.012"),
        (rate(1234.5), "1,234.50"),
        (ms(None), "?"),
        (ms(0.0), "0.00"),
        (ms(9.999), "10.00"),
        (ms(12.34), "12.3"),
        (ms(1234.5), "1,234"),
        (percent(None), "?"),
        (percent(0.0), "0.00 %"),
        (percent(0.0123), "1.23 %"),
        (percent(0.0000023), "0.0002 %"),
        (percent(1.0), "100.00 %"),
        (change(None), "?"),
        (change(0.256), "+25.6 %"),
        (change(-0.5), "-50.0 %"),
        (span(0.0), "0 s"),
        (span(0.25), "250 ms"),
        (span(90.0), "90 s"),
        (span(120.0), "2 min"),
        (span(3600.0), "1 h"),
        (span(86400.0), "24 h"),
        (span(7 * 86400.0), "7 d"),
        (moment(None), "?"),
        (moment(NOON), "2026-11-23 12:00:00"),
        (counts([]), "none"),
        (counts([("a", 1), ("b", 2)]), "a: 1, b: 2"),
        (counts([("a", 1), ("b", 2), ("c", 3)], most=1), "a: 1 and 2 more"),
    ],
)
def test_figures_are_written_the_same_everywhere(shown: str, expected: str) -> None:
    assert expected == shown


def test_unknown_figures_are_never_shown_as_zero() -> None:
    unknown = figures(totals=totals(error_rate=None, requests_per_second=None), endpoints=())
    shown = text.render(document(report(now=unknown)))
    row = next(line for line in shown.splitlines() if line.endswith("  all"))
    # The rate and the error rate; that no answer was a 4xx is known.
    assert ["43,200", "?", "5.00", "4.00", "9.00", "15.0", "60.0", "?", "0.00", "%", "all"] == row.split()
