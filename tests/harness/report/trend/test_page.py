"""The page: self-contained, strict about what may run, readable without script, true to its data."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.history_model import Trend
from harness.model import Status
from harness.report.trend.chart import Settings
from harness.report.trend.groups import groups_of
from harness.report.trend.links import report_links
from harness.report.trend.page import MARKS_OF_A_PAGE, render_page
from tests.harness.report.test_html import Page
from tests.harness.report.trend.shapes import NOTES, SHAPES
from tests.harness.trends import judged, noisy, quantile_trio, series_of_values, trend_of

EMPTY = Trend(
    status=Status.INCONCLUSIVE, series=(), notes=(), stale=("old <b>.",), left_out={"x.json": "torn <i>"}
)


def page_of(trend: Trend, **settings: object) -> str:
    return render_page(
        trend,
        groups_of(trend.series),
        Settings(**settings),  # type: ignore[arg-type]
        title="Performance <trend>",
        made="Drawn today.",
        link=report_links(Path("/work/history"), Path("/work/out")),
    )


ALL = trend_of(*(one for series in SHAPES.values() for one in series), notes=NOTES)


@pytest.fixture(scope="module")
def everything() -> str:
    return page_of(ALL)


def test_every_tag_is_closed_and_nothing_from_outside_is_markup(everything: str) -> None:
    page = Page(everything)
    assert all("onerror" not in attributes and "onload" not in attributes for _, attributes in page.tags)
    assert ["style"] == [tag for tag, _ in page.tags if tag == "style"]
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert 1 == sum("type" not in attributes for attributes in scripts)
    assert "\x1b" not in everything


def test_the_page_asks_for_nothing_outside_of_itself(everything: str) -> None:
    page = Page(everything)
    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "embed"}
        assert "src" not in attributes
        assert "style" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in everything
    assert "@import" not in everything


def test_script_and_style_are_those_that_the_policy_names(everything: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', everything)
    assert policy is not None
    assert "'unsafe-inline'" not in policy[1]
    script = everything[everything.rindex("<script>") + 8 : everything.rindex("</script>")]
    style = everything[everything.index("<style>") + 7 : everything.index("</style>")]
    for text in (script, style):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]


def blocks(page: str) -> list[object]:
    return [json.loads(text) for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page)]


def test_the_data_of_a_chart_are_its_runs_at_their_places() -> None:
    trend = trend_of(*quantile_trio(20, at=None))
    chart, runs = blocks(page_of(trend))
    assert isinstance(chart, dict)
    assert isinstance(runs, list)
    assert 20 == len(runs)
    point = trend.series[0].series.points[3]
    assert {
        "id": point.record,
        "at": "2026-08-04 03:00",
        "commit": (point.commit or "")[:7],
        "status": "PASS",
        "report": f"../history/runs/{point.record}/report.html",
    } == runs[3]
    assert ["p50", "p95", "p99"] == [one["n"] for one in chart["series"]]
    assert list(range(20)) == chart["series"][0]["r"]
    for way in ("wide", "narrow"):
        assert [20, 20, 20] == [len(xs) for xs in chart[way]["x"]]
        assert chart[way]["x"][0] == sorted(chart[way]["x"][0])


def test_hostile_names_end_no_script(everything: str) -> None:
    assert "<script>alert(1)" not in everything
    assert len(blocks(everything)) == 1 + len(groups_of(ALL.series))


def test_the_verdict_and_each_change_stand_in_words() -> None:
    text = " ".join(Page(page_of(trend_of(*quantile_trio()))).text)
    assert "Regression" in text
    assert "2 of 3 judged series" in text
    assert 2 == text.count("confirmed step, worse")


def test_without_a_series_the_page_says_so_and_what_was_left_out() -> None:
    page = Page(page_of(EMPTY))
    text = " ".join(page.text)
    assert "There is no series to show." in text
    assert "torn <i>" in text
    assert "old <b>." in text
    assert "No change was found." in text


def test_many_runs_make_no_heavy_page_and_the_page_says_how() -> None:
    series = [judged(series_of_values(noisy(2000, 1.0, seed=i), subject=f"s{i}")) for i in range(3)]
    page = page_of(trend_of(*series))
    assert len(page) < 700_000
    assert "drawn as a band" in page
    chart = blocks(page)[0]
    assert isinstance(chart, dict)
    assert len(chart["series"][0]["r"]) < 460
    assert MARKS_OF_A_PAGE > 3 * 460


def test_a_page_of_few_marks_comes_with_narrow_charts_and_one_of_many_without() -> None:
    assert 'class="narrow"' in page_of(trend_of(*quantile_trio()))
    many = [judged(series_of_values(noisy(400, 1.0, seed=i), subject=f"s{i}")) for i in range(31)]
    assert 'class="narrow"' not in page_of(trend_of(*many))


def test_reading_it_again_gives_the_same_bytes() -> None:
    assert page_of(trend_of(*quantile_trio())) == page_of(trend_of(*quantile_trio()))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (None, None),
        ("", None),
        ("runs/a b/report.html", "../history/runs/a%20b/report.html"),
        ("../runs/a/report.html", "../runs/a/report.html"),
        ("/work/out/report.html", "report.html"),
        ("https://ci.example/1", "https://ci.example/1"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example/x", None),
        ("\\\\evil\\x", None),
    ],
)
def test_only_files_and_web_pages_are_linked(report: str | None, expected: str | None) -> None:
    assert expected == report_links(Path("/work/history"), Path("/work/out"))(report)


def test_a_database_gives_no_relative_links() -> None:
    link = report_links(None, Path("/work/out"))
    assert link("runs/a/report.html") is None
    assert "https://ci.example/1" == link("https://ci.example/1")


def test_only_runs_that_can_be_pointed_at_are_told() -> None:
    series = judged(series_of_values(noisy(5000, 1.0)))
    *_, runs = blocks(page_of(trend_of(series)))
    assert isinstance(runs, list)
    assert 100 < len(runs) < 460


def test_a_hostile_version_ends_no_block_of_data() -> None:
    series = series_of_values(noisy(12, 1.0))
    points = tuple(replace(point, version="</script><script>alert(1)</script><!--") for point in series.points)
    page = page_of(trend_of(judged(replace(series, points=points))))
    assert "alert(1)</script>" not in page
    assert "<!--" not in page
    *_, runs = blocks(page)
    assert isinstance(runs, list)
    assert "</script><script>alert(1)</script><!--" == runs[0]["version"]


def test_no_p_value_is_told_as_nothing() -> None:
    """It is extrapolated: of a step far beyond the noise it comes out as 0, which no test can claim."""
    one = judged(series_of_values([0.01] * 20 + [0.02] * 20), [(20, "confirmed")])
    (change,) = one.changes
    sure = replace(one, changes=(replace(change, p_value=0.0),))
    assert "&lt; 1e-15" in page_of(trend_of(sure))
    assert "&lt; 1e-15" not in page_of(trend_of(replace(one, changes=(replace(change, p_value=0.001),))))
