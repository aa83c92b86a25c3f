"""Ticks are round, told apart and inside; runs stand where their time or their order says."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.trend.axes import run_axis, tick_texts, time_gaps, time_ticks, value_axis

DAY = 86400.0


@given(st.floats(1e-9, 1e9), st.floats(1.0001, 1e6), st.booleans(), st.sampled_from(["s", "ratio", "count", "x"]))
def test_ticks_lie_on_the_axis_and_their_texts_differ(low: float, factor: float, is_log: bool, unit: str) -> None:  # noqa: FBT001  # drawn
    axis = value_axis(low, low * factor, unit, is_log=is_log, zeros=False, top=0.0, bottom=236.0)
    assert 1 <= len(axis.ticks) <= 12
    assert all(0.0 <= axis.at(value) <= 236.0 for value, _ in axis.ticks)
    assert len(axis.ticks) == len({text for _, text in axis.ticks})
    assert axis.at(low) > axis.at(low * factor)


def test_values_that_differ_in_their_last_digits_are_a_constant_in_the_middle() -> None:
    axis = value_axis(5.0, math.nextafter(5.0, 6.0), "per_s", is_log=False, zeros=False, top=0.0, bottom=200.0)
    assert 100.0 == pytest.approx(axis.at(5.0))
    assert axis.at(5.0) == pytest.approx(axis.at(math.nextafter(5.0, 6.0)))


@pytest.mark.parametrize(
    ("ticks", "unit", "expected"),
    [
        ([0.0, 0.005, 0.01], "s", ["0 ms", "5 ms", "10 ms"]),
        ([0.01, 0.0105], "s", ["10 ms", "10.5 ms"]),
        ([1e-6, 1e-3, 1.0, 100.0], "s", ["1 µs", "1 ms", "1 s", "100 s"]),
        ([60.0, 120.0], "s", ["1 min", "2 min"]),
        ([3e-7, 4e-7], "s", ["300 ns", "400 ns"]),
        ([0.0, 0.005, 0.01], "ratio", ["0 %", "0.5 %", "1 %"]),
        ([100.0, 200.0], "per_s", ["100/s", "200/s"]),
        ([1e6, 2e6], "bytes", ["1 MB", "2 MB"]),
        ([0.0], "s", ["0 s"]),
        ([], "s", []),
        ([-10.0, 0.0, 10.0], "mm", ["−10 mm", "0 mm", "10 mm"]),
    ],
)
def test_ticks_are_written_in_one_unit(ticks: list[float], unit: str, expected: list[str]) -> None:
    assert expected == tick_texts(ticks, unit)


def test_a_linear_axis_begins_at_zero_only_when_the_values_come_near_it() -> None:
    assert 0.0 == value_axis(1.0, 10.0, "s", is_log=False, zeros=False, top=0, bottom=200).low
    assert 9.0 < value_axis(10.0, 11.0, "s", is_log=False, zeros=False, top=0, bottom=200).low < 10.0


@given(st.floats(0, 4e9), st.floats(1.0, 3e9), st.integers(2, 9))
def test_ticks_of_time_are_within_and_no_more_than_have_room(first: float, span: float, most: int) -> None:
    ticks = time_ticks(first, first + span, most)
    assert len(ticks) <= most + 1
    # To a microsecond: what lies nearer to the edge than the division resolves is on it.
    assert all(first - 1e-6 <= at <= first + span + 1e-6 for at, _ in ticks)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (20.0, "1970-01-01 00:00:00"),
        (6 * 3600.0, "01-01 01:00"),
        (5 * DAY, "1970-01-01"),
        (300 * DAY, "1970-01"),
        (4000 * DAY, "1970"),
    ],
)
def test_the_length_decides_how_time_is_written(span: float, expected: str) -> None:
    texts = [text for _, text in time_ticks(0.0, span, 6)]
    shape = "".join("0" if c.isdigit() else c for c in texts[0])
    assert "".join("0" if c.isdigit() else c for c in expected).endswith(shape)


def test_gaps_are_what_breaks_the_rhythm() -> None:
    days = [i * DAY for i in range(20)]
    assert [] == time_gaps(days)
    assert [] == time_gaps([0.0, 1.0, 900.0])
    holed = [at + (40 * DAY if i > 9 else 0.0) for i, at in enumerate(days)]
    assert [(9 * DAY, 50 * DAY, "41 days without a run")] == time_gaps(holed)
    assert [(9 * DAY, 50 * DAY, "41 days without a run")] == time_gaps(holed[::-1])
    minutes = [60.0 * i + (7200.0 if i > 9 else 0.0) for i in range(20)]
    assert ["2 hours without a run"] == [what for _, _, what in time_gaps(minutes)]


def test_an_instant_between_runs_stands_between_them() -> None:
    runs = [("a", 0.0), ("b", 10.0), ("c", 100.0)]
    by_time = run_axis(runs, str, by_time=True, left=0.0, right=100.0)
    in_order = run_axis(runs, str, by_time=False, left=0.0, right=100.0)
    assert math.isclose(50.0, by_time.of_time(50.0) or 0.0)
    assert (in_order.places["b"] + in_order.places["c"]) / 2 == in_order.of_time(50.0)
    assert in_order.places["b"] == in_order.of_time(10.0)
    for axis in (by_time, in_order):
        assert axis.of_time(-1.0) is None
        assert axis.of_time(101.0) is None
    backwards = run_axis(runs[::-1], str, by_time=False, left=0.0, right=100.0)
    assert backwards.of_time(50.0) is None
