"""Which stored slots answer for a stretch of time."""

from hypothesis import given
from hypothesis import strategies as st

from monitoring.tiers import Held, Piece, plan

WIDTHS = (1, 10, 60)


@st.composite
def stores(draw: st.DrawFn) -> list[Held]:
    """A store at some moment: coarser tiers reach further back and end earlier."""
    now = 10_000
    ends = [None, (now - draw(st.integers(0, 50))) // 10 * 10]
    ends.append((ends[1] or 0) // 60 * 60)
    fine = draw(st.integers(5_000, ends[1] or now))
    middle = draw(st.integers(2_000, min(fine, ends[2] or now))) // 10 * 10
    coarse = draw(st.integers(0, middle)) // 60 * 60
    return [
        Held(width_s=width, start_s=start, end_s=end)
        for width, start, end in zip(WIDTHS, (fine, middle, coarse), ends, strict=True)
    ]


def covered(pieces: list[Piece]) -> list[int]:
    return [second for piece in pieces for second in range(piece.start_s, piece.end_s)]


@given(stores(), st.integers(0, 10_050), st.integers(1, 4_000))
def test_every_second_is_covered_once(held: list[Held], since_s: int, length_s: int) -> None:
    """All that is asked for and held is read, once; what is read besides lies within one coarse slot."""
    until_s = since_s + length_s
    seconds = covered(plan(since_s, until_s, held))
    oldest = min(tier.start_s for tier in held)
    wanted = range(max(since_s, oldest), until_s)
    assert set(wanted) <= set(seconds)
    assert len(seconds) == len(set(seconds))
    assert seconds == sorted(seconds)
    before = [second for second in seconds if second < wanted.start]
    assert len(before) < max(WIDTHS)
    after = [second for second in seconds if second >= until_s]
    assert len(after) < max(WIDTHS)


@given(stores(), st.integers(0, 10_050), st.integers(1, 4_000))
def test_only_what_is_held_is_read(held: list[Held], since_s: int, length_s: int) -> None:
    """No piece reaches beyond what its tier holds, and slots start at multiples of their width."""
    tiers = {tier.width_s: tier for tier in held}
    for piece in plan(since_s, since_s + length_s, held):
        tier = tiers[piece.width_s]
        assert piece.start_s >= tier.start_s
        assert tier.end_s is None or piece.end_s <= tier.end_s
        assert piece.start_s % piece.width_s == 0
        assert piece.end_s % piece.width_s == 0


def test_whole_coarse_slots_in_the_middle() -> None:
    """Five minutes are whole minutes and finer pieces at the ends."""
    held = [
        Held(width_s=1, start_s=0, end_s=None),
        Held(width_s=10, start_s=0, end_s=1000),
        Held(width_s=60, start_s=0, end_s=960),
    ]
    assert plan(95, 397, held) == [
        Piece(width_s=1, start_s=95, end_s=100),
        Piece(width_s=10, start_s=100, end_s=120),
        Piece(width_s=60, start_s=120, end_s=360),
        Piece(width_s=10, start_s=360, end_s=390),
        Piece(width_s=1, start_s=390, end_s=397),
    ]


def test_old_windows_grow_to_what_is_left() -> None:
    """Where only minutes are left, the window begins at the minute."""
    held = [Held(width_s=1, start_s=9_000, end_s=None), Held(width_s=60, start_s=0, end_s=9_960)]
    assert plan(95, 180, held) == [Piece(width_s=60, start_s=60, end_s=180)]


def test_nothing_held() -> None:
    held = [Held(width_s=1, start_s=500, end_s=None)]
    assert plan(10, 20, held) == []


def test_a_gap_of_years_is_planned_at_once() -> None:
    """A store that nobody has rolled up for years costs no more steps than a fresh one."""
    held = [
        Held(width_s=1, start_s=0, end_s=None),
        Held(width_s=10, start_s=0, end_s=1000),
        Held(width_s=60, start_s=0, end_s=960),
    ]
    assert len(plan(0, 4_000_000_000, held)) == 3
