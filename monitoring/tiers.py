"""
Which stored rollups answer for a stretch of time: pure arithmetic over the tiers of the store.

Each tier keeps slots of one width for a while: fine ones for minutes, coarse ones for a year. Their widths divide
one another, so any window is a few whole coarse slots and finer ones at its ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """
    Slots of one width.

    Args:
        width_s: length of a slot; slots start at its multiples.
        keep_s: how long they are kept.
    """

    width_s: int
    keep_s: int


TIERS = (
    Tier(width_s=1, keep_s=20 * 60),
    Tier(width_s=10, keep_s=3 * 3600),
    Tier(width_s=60, keep_s=8 * 86400),
    Tier(width_s=3600, keep_s=400 * 86400),
)
"""One second for the last 20 minutes, then coarser: a week to the minute, a year to the hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """
    What a tier holds at the moment.

    Args:
        width_s: length of its slots.
        start_s: first instant kept [s since the epoch]; earlier slots were removed.
        end_s: its slots are complete up to here [s since the epoch]; the finest tier has no end.
    """

    width_s: int
    start_s: int
    end_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Read the slots of `width_s` that start in [start_s, end_s)."""

    width_s: int
    start_s: int
    end_s: int


def plan(since_s: int, until_s: int, held: Sequence[Held]) -> list[Piece]:
    """
    Cover a stretch of time with as few slots as possible, each instant once.

    Where only coarser slots are left, the stretch grows at its start to their boundary, so nothing asked for
    is missing.

    Args:
        since_s: first second wanted [s since the epoch].
        until_s: end of the stretch, not itself wanted.
        held: the tiers from fine to coarse; the widths divide one another.

    Returns:
        Adjoining pieces in order of time; empty when nothing of the stretch is held. The first one's start and
        the last one's end are what is really covered.
    """
    pieces: list[Piece] = []
    at = max(since_s, min(tier.start_s for tier in held))
    while at < until_s:
        tier = _whole(at, until_s, held)
        if tier is not None:
            start, at = at, _run_until(at, until_s, tier, held)
        else:
            tier = _partial(at, held, aligned=bool(pieces))
            if tier is None:
                break
            start = at - at % tier.width_s
            at = start + tier.width_s
        if pieces and pieces[-1].width_s == tier.width_s:
            start = pieces.pop().start_s
        pieces.append(Piece(width_s=tier.width_s, start_s=start, end_s=at))
    return pieces


def _whole(at: int, until_s: int, held: Sequence[Held]) -> Held | None:
    """Return the coarsest tier that has a whole slot at `at`."""
    for tier in reversed(held):
        if at % tier.width_s == 0 and tier.start_s <= at and at + tier.width_s <= _end(tier, until_s):
            return tier
    return None


def _run_until(at: int, until_s: int, tier: Held, held: Sequence[Held]) -> int:
    """Return up to where whole slots of `tier` go on, before a coarser one can take over."""
    end = _end(tier, until_s)
    end -= end % tier.width_s
    for coarser in held:
        if coarser.width_s > tier.width_s:
            takeover = max(at, coarser.start_s)
            takeover += -takeover % coarser.width_s
            if takeover + coarser.width_s <= _end(coarser, until_s):
                end = min(end, takeover)
    return end


def _partial(at: int, held: Sequence[Held], *, aligned: bool) -> Held | None:
    """Return the finest tier with a slot that holds `at` somewhere."""
    for tier in held:
        start = at - at % tier.width_s
        if tier.start_s <= start and (tier.end_s is None or start + tier.width_s <= tier.end_s):
            # In mid-way a slot that starts earlier would count its beginning twice.
            return tier if not aligned or start == at else None
    return None


def _end(tier: Held, until_s: int) -> int:
    return until_s if tier.end_s is None else min(tier.end_s, until_s)
