"""The page: whole, self-contained, accessible, and nothing from outside in it is markup."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from harness.model import IndexEvidence, Result, RunState, Status
from harness.report.charts import Plot, write_plots
from harness.report.html import render_html
from tests.harness.results import (
    finding,
    findings_of,
    fleet,
    gate,
    indexes_of,
    result_of,
    run_of,
    summary_of,
    ticks_of,
    verdict_of,
)

VOID = {"meta", "br", "wbr", "img", "hr", "input", "link"}
HOSTILE = '<script>alert("1")</script>\x1b[31m&amp; \'"><img src=x onerror=y>'
SENTENCE = Plot(name="errors", title="Errors by kind", caption="No poll failed.", path=None, svg=None)
DRAWN = Plot(
    name="rates", title="Polls per second", caption="5 < 6.", path=Path("rates.png"), svg="<svg><g/></svg>"
)


class Page(HTMLParser):
    """Reads a page, and stops at the first tag that is not closed where it should be."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert [] == self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop(), self.getpos()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(1 for name, _ in self.tags if name == tag)

    @property
    def words(self) -> str:
        """All text on one line."""
        return " ".join(" ".join(self.text).split())


def page_of(result: Result, *plots: Plot) -> Page:
    return Page(render_html(result, plots))


def everything() -> Result:
    """Return a result that fills every part of the page."""
    columns = fleet(failing_ratio=0.04, error_kinds=("http-500", "timeout"))
    found = result_of(columns)
    worth_less = replace(found.verdict.findings[0], effective_n=41.4)
    return replace(
        found,
        verdict=verdict_of((worth_less, *found.verdict.findings[1:]), {"query-time": "no figures of its own"}),
        warnings=("every poll opened a new connection",),
        indexes=indexes_of(served=None, note="too few rows for the planner to care"),
    )


def test_the_verdict_stands_first_and_large_with_the_sentence_that_justifies_it() -> None:
    page = page_of(everything())
    assert page.tags.index(("strong", {})) < next(i for i, (tag, _) in enumerate(page.tags) if tag == "table")
    assert "FAIL 2 of 6 gates failed: p99 and error-ratio." in page.words


@pytest.mark.parametrize("status", list(Status))
def test_each_status_is_told_in_words_not_by_colour_alone(status: Status) -> None:
    made = finding(gate("p95", limit=0.2), status, 0.1)
    page = page_of(result_of(fleet(), verdict=verdict_of((made,))))
    assert 2 == sum(1 for text in page.text if text.strip() == status.value)


def test_gates_have_verdict_limit_measured_interval_n_effective_n_reason_and_remedy() -> None:
    """The verdict stands beside the name, where a phone shows it without scrolling."""
    words = page_of(everything()).words
    assert (
        "Gate Verdict Limit Measured Interval n Effective n p50 PASS < 50 ms 4.38 ms 4.07–4.73 ms 300 41" in words
    )
    assert (
        "p99 FAIL < 500 ms ∞ ∞ 300 300 More polls than 1 in 100 took 500 ms or longer. Remedy: A faster" in words
    )


def test_what_was_not_judged_is_told_with_its_reason() -> None:
    assert "query-time no figures of its own" in page_of(everything()).words
    assert "Every gate that was asked for was judged." in page_of(result_of(fleet())).words
    assert "Nothing was judged." in page_of(result_of(fleet(), verdict=verdict_of(()))).words


def test_figures_stand_side_by_side() -> None:
    words = page_of(everything()).words
    assert "Time n mean p50 p95 p99 max Response time" in words
    for part in (
        "300 4.59 ms 4.38 ms 7.98 ms ∞ ∞ Service time",
        "Start lag start − intended start 300 338 µs 285 µs 875 µs 1.16 ms 1.51 ms",
        "Offered rate 5.00/s Achieved rate 4.90/s",
        "Polls missed 0",
        "New connections per poll 0 Lock-step index 0.02",
        "timeout 5 1.67 % http-500 1 0.333 %",
        "Pool peak 6 of 40 (15.0 %)",
        "Served by it not known",
        "Note too few rows for the planner to care",
        "Every poll opened a new connection.",
    ):
        assert part in words, part


def test_unknown_is_a_question_and_nothing_is_a_dash_never_zero() -> None:
    words = page_of(result_of(fleet(agents=0))).words
    assert "start − intended start 0 – – – – –" in words
    assert "New connections per poll ? Lock-step index ?" in words
    assert "Failed 0 (?)" in words


def test_a_server_that_told_nothing_and_a_database_that_could_not_be_asked_are_said() -> None:
    words = page_of(result_of(fleet(), server=None, indexes=())).words
    assert "The target gave no figures of its own." in words
    assert "The database could not be asked for its plans." in words


def test_parts_that_the_server_did_not_tell_are_questions() -> None:
    result = result_of(fleet())
    assert result.server is not None
    bare = replace(result.server, handler=None, pool_size=None, pool_peak=None)
    words = page_of(replace(result, server=bare)).words
    assert "Handler, per request ? ? ? ? ? ?" in words
    assert "Pool peak ? of no bound (?)" in words


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RunState.INTERRUPTED, "The run was interrupted: it is judged on what was measured."),
        (RunState.RUNNING, "The run was killed, or still goes on: it is judged on what was measured."),
    ],
)
def test_a_run_that_did_not_end_as_planned_says_so(state: RunState, expected: str) -> None:
    assert expected in page_of(result_of(fleet(), run=run_of(state=state))).words
    assert "judged on what was measured" not in page_of(result_of(fleet())).words


def test_the_record_holds_what_is_needed_to_do_it_again() -> None:
    words = page_of(everything()).words
    for part in (
        "20261123T083000Z-3f9a, finished",
        "uniform, seed 7",
        "embedded at http://127.0.0.1:40123, version 0.1.0, sqlite 3.45.1, 100,000 deployments",
        "40afc1795a3be1d1e9b4d3a0c5a1e0f6a7b8c9d0",
        "fastapi 0.165.0, locust 2.47.0",
        "harness run --agents 50 --interval 10s --run-time 70s --warmup 10s",
    ):
        assert part in words, part
    bare = run_of(commit=None, dirty=None)
    assert "unknown, outside a repository" in page_of(result_of(fleet(), run=bare)).words
    assert ", with uncommitted changes" in page_of(result_of(fleet(), run=run_of(dirty=True))).words


def test_a_plot_has_heading_picture_and_caption_and_a_screen_reader_gets_the_caption() -> None:
    page = page_of(everything(), DRAWN, SENTENCE)
    assert 2 == page.count("figure") == page.count("figcaption")
    assert 1 == page.count("svg")
    assert "Polls per second: 5 < 6." == next(
        attrs["aria-label"] for _, attrs in page.tags if attrs.get("role") == "img"
    )
    assert "Errors by kind No poll failed." in page.words


def test_tables_have_captions_and_headers_with_scope_and_headings_skip_no_level() -> None:
    page = page_of(everything(), DRAWN)
    assert page.count("table") == page.count("caption") > 5
    assert all(attrs.get("scope") in {"col", "row"} for tag, attrs in page.tags if tag == "th")
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert 1 == levels[0] == levels.count(1)
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert {"lang": "en"} == next(attrs for tag, attrs in page.tags if tag == "html")


def test_everything_from_outside_is_escaped() -> None:
    summary = summary_of(fleet())
    found = tuple(replace(f, reason=HOSTILE, remedy=HOSTILE) for f in findings_of(summary))
    named = replace(found[0], gate=replace(found[0].gate, name=HOSTILE, subject=HOSTILE))
    run = run_of(id=HOSTILE, started_utc=HOSTILE, commit=HOSTILE, harness_version=HOSTILE)
    result = replace(
        result_of(fleet()),
        run=replace(
            run,
            scenario=replace(run.scenario, name=HOSTILE, digest=HOSTILE, phase_model=HOSTILE),
            target=replace(run.target, url=HOSTILE, version=HOSTILE, database=HOSTILE),
            environment=replace(
                run.environment,
                cpu=HOSTILE,
                platform=HOSTILE,
                python=HOSTILE,
                key=HOSTILE,
                packages={HOSTILE: HOSTILE},
            ),
        ),
        summary=replace(summary, errors_by_kind={HOSTILE: 3}, failed=3),
        verdict=verdict_of((named, *found[1:]), {HOSTILE: HOSTILE}),
        warnings=(HOSTILE,),
        indexes=(
            IndexEvidence(statement=HOSTILE, expected_index=HOSTILE, served=False, plan=HOSTILE, note=HOSTILE),
        ),
    )
    # A plot's caption comes from `captions`, without control characters already.
    markup = render_html(result, [replace(SENTENCE, caption=HOSTILE.replace("\x1b", ""))])
    page = Page(markup)
    assert 0 == page.count("script") == page.count("img")
    assert "\x1b" not in markup
    assert "onerror" not in {name for _, attrs in page.tags for name in attrs}
    assert page.words.count('<script>alert("1")</script>') > 25


def test_names_from_outside_are_escaped_inside_the_plots_too(tmp_path: Path) -> None:
    ids = (HOSTILE, 'b" onload="x', "]]>", "</text></svg><script>")
    columns = fleet(agents=4, agent_ids=ids, failing_ratio=0.5, error_kinds=ids)
    result = result_of(columns)
    page = page_of(result, *write_plots(result, columns, ticks_of(), tmp_path))
    assert 0 == page.count("script")
    assert 8 == page.count("svg")
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert "]]>" in page.words


def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    columns = fleet(agents=1000, run_time_s=20.0, failing_ratio=0.2)
    result = result_of(columns, run_time_s=20.0)
    markup = render_html(result, write_plots(result, columns, ticks_of(20.0), tmp_path))
    page = Page(markup)
    assert 0 == sum(page.count(tag) for tag in ("script", "link", "iframe", "object", "img", "base", "form"))
    referred = [
        attrs[name] for _, attrs in page.tags for name in ("src", "href", "xlink:href", "action") if name in attrs
    ]
    assert referred
    assert all(address and address.startswith(("#", "data:image/png")) for address in referred)
    assert all(address.startswith("#") for address in re.findall(r"url\(([^)]*)\)", markup))
    assert "@import" not in markup
    assert any("default-src 'none'" in (attrs.get("content") or "") for tag, attrs in page.tags if tag == "meta")


def test_ids_are_unique_and_what_is_referred_to_exists(tmp_path: Path) -> None:
    columns = fleet(failing_ratio=0.1)
    result = result_of(columns)
    markup = render_html(result, write_plots(result, columns, ticks_of(), tmp_path))
    page = Page(markup)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    labelled = {attrs["aria-labelledby"] for _, attrs in page.tags if "aria-labelledby" in attrs}
    used = {attrs["xlink:href"] for _, attrs in page.tags if "xlink:href" in attrs} | set(
        re.findall(r"url\((#[^)]+)\)", markup)
    )
    assert {name.removeprefix("#") for name in used if name and name.startswith("#")} | labelled <= set(ids)


@pytest.mark.parametrize(
    ("agents", "run_time_s", "most"),
    [(50, 70.0, 500_000), pytest.param(1000, 2000.0, 1_000_000, marks=pytest.mark.slow)],
)
def test_the_page_stays_small_enough_to_be_an_artifact(
    agents: int, run_time_s: float, most: int, tmp_path: Path
) -> None:
    columns = fleet(agents=agents, run_time_s=run_time_s, failing_ratio=0.02)
    result = result_of(columns, run_time_s=run_time_s)
    assert len(render_html(result, write_plots(result, columns, ticks_of(run_time_s), tmp_path))) < most


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1..21. Source: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_the_contrast_to_be_read_and_marks_the_one_to_be_seen(theme: str) -> None:
    style = re.findall(r":root \{(.*?)\}", render_html(result_of(fleet()), ()), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", style[("light", "dark").index(theme)]))
    for name in ("ink", "muted", "pass", "fail", "inconclusive", "invalid"):
        assert contrast(colours[name], colours["page"]) >= 4.5, name
    for name in ("ink", "muted"):
        assert contrast(colours[f"plot-{name}"], colours["plot-surface"]) >= 4.5, name
    for name in ("blue", "vermillion", "green"):
        assert contrast(colours[f"plot-{name}"], colours["plot-surface"]) >= 3, name


def test_the_targets_figures_say_their_window() -> None:
    """They cover whole seconds: more requests than polls were sent is no contradiction."""
    assert "60 s (whole seconds)" in render_html(result_of(fleet()), ())
