"""The trend in a terminal: a row a series, the changes in words, the outcome last."""

import io

import pytest
from rich.console import Console

from harness.history_model import Trend
from harness.report.trend.terminal import print_trend
from tests.harness.report.trend.shapes import SHAPES
from tests.harness.trends import judged, noisy, quantile_trio, series_of_values, trend_of


def shown(trend: Trend, *, width: int = 100, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_trend(trend, Console(file=stream, width=width, force_terminal=False))
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_each_series_has_a_row_with_its_last_value_median_change_and_state() -> None:
    lines = shown(trend_of(*quantile_trio())).splitlines()
    header = lines[0].split()
    assert ["Series", "Runs", "Last", "Median", "Change", "State"] == header
    rows = [line for line in lines if " 60 " in line]
    assert ["worse", "worse", "steady"] == [row.split()[-1] for row in rows]
    assert "+20.1 %" in rows[0]


def test_the_outcome_is_the_last_line() -> None:
    assert shown(trend_of(*quantile_trio(at=None))).splitlines()[-1].startswith("PASS  No confirmed regression")
    assert shown(trend_of(*quantile_trio())).split("\n")[-3].startswith("FAIL")
    empty = shown(trend_of())
    assert "INCONCLUSIVE  There is no series to show.\n" == empty


def test_changes_warnings_stale_series_and_what_was_left_out_are_told_and_bounded() -> None:
    trend = trend_of(
        judged(series_of_values([1.0] * 20 + [1.2] * 20), [(20, "suspected")], warnings=("two units: ms, s",)),
        stale=tuple(f"series {i} is 40 days old" for i in range(7)),
        left_out={"a.json": "torn"},
    )
    text = shown(trend)
    assert "suspected     p95" in text
    assert "two units: ms, s." in text
    assert "series 4 is 40 days old." in text
    assert "series 5" not in text
    assert "2 more stand in trend.json." in text
    assert "left out      a.json: torn." in text.lower()


def test_more_changes_than_ten_are_counted() -> None:
    assert "9 more changes stand in the page" in shown(trend_of(*SHAPES["many changes"]))


@pytest.mark.parametrize("width", [20, 40, 77, 80, 200])
@pytest.mark.parametrize("name", ["three quantiles", "hostile names", "one run"])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    text = shown(trend_of(*SHAPES[name]), width=width)
    assert "\x1b" not in text
    assert all(len(line) <= max(width, 34) for line in text.splitlines())


def test_without_utf_8_every_character_is_ascii() -> None:
    text = shown(trend_of(*SHAPES["three quantiles"], *SHAPES["hostile names"]), encoding="ascii")
    assert text.isascii()


def test_a_control_is_named_as_one() -> None:
    series = series_of_values(noisy(20, 1.0), control=True)
    assert "(control)" in shown(trend_of(judged(series)), width=140)
