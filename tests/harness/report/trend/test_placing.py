"""Flags above a plot: no text on a text, no text on a stem."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from harness.report.trend.placing import MOST_ROWS, place_flags

WANTED = st.lists(st.tuples(st.floats(70, 700), st.floats(80, 300), st.floats(30, 70)), max_size=12)


@given(WANTED)
def test_flags_keep_clear_of_each_other_and_of_each_others_stems(wanted: list[tuple[float, float, float]]) -> None:
    flags = [flag for flag in place_flags(wanted, left=8.0, right=834.0) if flag is not None]
    for flag in flags:
        assert 8.0 <= flag.left <= flag.right <= 834.0
        assert flag.left <= flag.x <= flag.right
        assert 0 <= flag.row < MOST_ROWS
    for one, other in combinations(flags, 2):
        if one.row == other.row:
            assert one.right <= other.left or other.right <= one.left
        high, low = (one, other) if one.row > other.row else (other, one)
        assert one.row == other.row or not low.left <= high.x <= low.right


def test_a_flag_at_the_right_edge_turns_to_the_left_of_its_stem() -> None:
    (flag,) = place_flags([(800.0, 200.0, 50.0)], left=8.0, right=834.0)
    assert flag is not None
    assert (800.0, 834.0) <= (flag.x, flag.right)
    assert not flag.short


def test_what_has_no_room_is_said_in_few_words_and_then_not_at_all() -> None:
    crowded = [(100.0 + i, 300.0, 250.0) for i in range(9)]
    placed = place_flags(crowded, left=8.0, right=834.0)
    assert None in placed
    assert len(crowded) == len(placed)
    (small,) = place_flags([(50.0, 500.0, 40.0)], left=8.0, right=200.0)
    assert small is not None
    assert small.short


def test_no_flags_no_places() -> None:
    assert [] == place_flags([], left=0.0, right=1.0)
