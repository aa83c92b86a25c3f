"""Labels that keep apart: along an edge, and as flags above a plot."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROWS = 5
"""Rows of flags above a chart; what has no room there stands in the caption and the table."""


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """
    Move positions apart as little as needed, so that labels keep clear of each other.

    Args:
        positions: wanted positions, in any order.
        gap: least distance between two.
        low: lowest position allowed.
        high: highest one; given up when there is no room.

    Returns:
        New positions in the order given.
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [0.0] * len(positions)
    floor = low
    for i in order:
        placed[i] = max(positions[i], floor)
        floor = placed[i] + gap
    ceiling = high
    for i in reversed(order):
        if placed[i] <= ceiling:
            break
        placed[i] = ceiling
        ceiling -= gap
    return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """
    Where a text above the plot stands.

    Args:
        x: of its stem.
        left: where its text begins.
        right: where it ends.
        row: 0 is next to the plot.
        short: whether the short form is meant.
    """

    x: float
    left: float
    right: float
    row: int
    short: bool


def place_flags(
    wanted: Sequence[tuple[float, float, float]], *, left: float, right: float, pad: float = 8.0
) -> list[Flag | None]:
    """
    Give each flag a row, so that no text lies on another text or on another flag's stem.

    Args:
        wanted: stem, width of the text and width of its short form of each, in any order.
        left: where texts may begin.
        right: where they have to end.
        pad: room between two texts.

    Returns:
        A place for each in the order given; None for one that has no room even in its short form.
    """
    placed: list[Flag | None] = [None] * len(wanted)
    # From the right, because texts run to the right of their stems: the stem of one further left, in a higher row,
    # then passes beside those already placed.
    for i in sorted(range(len(wanted)), key=lambda i: -wanted[i][0]):
        x, width, short_width = wanted[i]
        others = [flag for flag in placed if flag is not None]
        # To the right of the stem, else to the left of it; in few words only where the many have no room.
        tries = [
            (short, room, begin)
            for short, room in ((False, width), (True, short_width))
            for begin in (min(x - 4, right - room), x + 4 - room)
            if begin >= left and begin + room <= right
        ]
        placed[i] = next(
            (
                flag
                for short, room, begin in tries
                for row in range(MOST_ROWS)
                for flag in [Flag(x=x, left=begin, right=begin + room, row=row, short=short)]
                if all(_apart(flag, other, pad) for other in others)
            ),
            None,
        )
    return placed


def _apart(mine: Flag, other: Flag, pad: float) -> bool:
    if mine.row == other.row:
        return mine.right + pad <= other.left or other.right + pad <= mine.left
    # The stem of the higher one passes the row of the lower one.
    high, low = (mine, other) if mine.row > other.row else (other, mine)
    return not low.left - pad / 2 <= high.x <= low.right + pad / 2
