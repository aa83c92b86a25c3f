"""The plots, as far as they can be judged without eyes."""

import itertools
import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.reports.document import Curve, Plot
from monitoring.reports.plots import nice_step, svg, ticks
from tests.monitoring.report.conftest import NOON


def plot(*values: tuple[float | None, ...], limits: tuple[tuple[str, float], ...] = ()) -> Plot:
    n = len(values[0])
    return Plot(
        title="t",
        times=tuple(NOON + timedelta(minutes=number) for number in range(n)),
        curves=tuple(Curve(name=f"c{at}", values=curve) for at, curve in enumerate(values)),
        limits=limits,
        tick=lambda value: f"{value:g}",
    )


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_step_is_round_and_large_enough(least: float) -> None:
    step = nice_step(least)
    assert least * (1 - 1e-6) <= step <= least * 2.5 * (1 + 1e-6)
    assert f"{step:.6e}"[:3] in {"1.0", "2.0", "2.5", "5.0"}


@given(st.floats(min_value=10, max_value=400 * 86400), st.floats(min_value=0, max_value=1e6))
def test_ticks_are_few_round_and_inside(length_s: float, offset_s: float) -> None:
    first = NOON + timedelta(seconds=offset_s)
    last = first + timedelta(seconds=length_s)
    found = ticks([first, last])
    assert len(found) <= 14
    assert all(first <= time <= last for time, _ in found)


def test_midnight_is_named_by_its_day() -> None:
    labels = [label for _, label in ticks([NOON, NOON + timedelta(hours=24)])]
    assert ["12:00", "15:00", "18:00", "21:00", "11-24", "03:00", "06:00", "09:00", "12:00"] == labels


def test_a_gap_breaks_the_line() -> None:
    shown = svg(plot((1.0, 2.0, None, 2.0, 1.0)))
    assert 2 == shown.count("<polyline")


def test_a_point_alone_is_seen() -> None:
    shown = svg(plot((None, 2.0, None)))
    assert (1, 0) == (shown.count("<circle"), shown.count("<polyline"))


def test_no_value_is_said() -> None:
    assert '<p class="empty">t: no values in this window.</p>' == svg(plot((None, None)))


def test_zeros_only_are_a_line_at_the_bottom() -> None:
    shown = svg(plot((0.0, 0.0)))
    assert 'points="64.0,202.0 664.0,202.0"' in shown


@pytest.mark.parametrize(("limit", "drawn"), [(150.0, True), (200.0, True), (201.0, False)])
def test_a_limit_far_above_the_curves_is_left_out(limit: float, drawn: bool) -> None:  # noqa: FBT001  # table
    """A healthy service's lines would otherwise lie flat on the axis."""
    shown = svg(plot((100.0, 90.0), limits=(("limit", limit),)))
    assert drawn is (">limit<" in shown)


def test_nothing_leaves_the_picture() -> None:
    shown = svg(plot((1.0, 1e6, 3.0), (0.0, 0.5, 1.0)))
    for piece in re.findall(r'points="([^"]+)"', shown):
        for pair in piece.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 760
            assert 0 <= y <= 230


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=4))
def test_labels_keep_apart(ends: list[float]) -> None:
    """Whatever the values at the end, no name covers another and none falls off."""
    shown = svg(plot(*[(100.0, end) for end in ends]))
    heights = sorted(float(y) for y in re.findall(r'<text class="name" x="\S+" y="([\d.]+)"', shown))
    assert len(ends) == len(heights)
    assert all(later - earlier >= 13.9 for earlier, later in itertools.pairwise(heights))
    assert 12 <= heights[0] <= heights[-1] <= 230
