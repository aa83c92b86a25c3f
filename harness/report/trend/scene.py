"""
A drawing as data: lines, areas, marks and labels at their places, without a word on who draws them.

Coordinates count in units of 1/100 inch on paper and about a pixel on screen, x to the right and y downwards.
Colours are the names of the report's palette, so that a page can set them for light and dark.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.report.words import plain

UNITS_PER_IN = 100.0
TEXT_SIZE = 12.5

Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """
    How something is painted. Hashable: the page makes one style rule of each.

    Args:
        stroke: name of a colour; None for no line.
        fill: name of a colour; None for none.
        width: of the line.
        dash: lengths of dash and gap; empty for a solid line.
        opacity: of everything, 0..1.
    """

    stroke: str | None = None
    fill: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """An open line through at least two places."""

    look: Look
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Upright strokes of the same look: the middle of each is told by its ends, ``(x, from, to)``."""

    look: Look
    spans: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """A closed, filled outline."""

    look: Look
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """
    The same mark at many places.

    Args:
        look: how each is painted.
        shape: ``dot``, ``square``, ``triangle``, ``diamond``, ``down`` (a triangle on its tip), ``up``, ``cross``.
        size: of its box.
        places: their middles.
    """

    look: Look
    shape: str
    size: float
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """
    One line of text.

    Args:
        text: already plain and cut to its room.
        x: where its start, middle or end stands.
        y: its middle line.
        anchor: ``start``, ``middle`` or ``end``.
        colour: name of a colour.
        size: of the font.
        bold: whether it is bold.
    """

    text: str
    x: float
    y: float
    anchor: str = "start"
    colour: str = "ink"
    size: float = TEXT_SIZE
    bold: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom of the room it takes."""
        width = text_width(self.text, self.size, bold=self.bold)
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, self.y - 0.5 * self.size, left + width, self.y + 0.5 * self.size


Item = Line | Bars | Area | Marks | Label


@dataclass(frozen=True, slots=True)
class Scene:
    """A drawing: its size and its parts, the first ones lowest."""

    width: float
    height: float
    items: tuple[Item, ...]

    @property
    def labels(self) -> tuple[Label, ...]:
        """Return its labels."""
        return tuple(item for item in self.items if isinstance(item, Label))


def moved(items: Iterable[Item], dx: float, dy: float) -> tuple[Item, ...]:
    """Return the items, all moved by the same way."""
    return tuple(_moved(item, dx, dy) for item in items)


def _moved(item: Item, dx: float, dy: float) -> Item:
    if isinstance(item, Label):
        return replace(item, x=item.x + dx, y=item.y + dy)
    if isinstance(item, Bars):
        return replace(item, spans=tuple((x + dx, a + dy, b + dy) for x, a, b in item.spans))
    return replace(item, places=tuple((x + dx, y + dy) for x, y in item.places))


# Advance widths of DejaVu Sans for the characters from space to tilde, in 1/1000 of the font's size. The page asks
# for this font first; those it falls back to (Verdana, the system's) are no wider.
_WIDTHS = (
    *(318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636),
    *(636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632),
    *(575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685),
    *(611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579),
    *(278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838),
)
_WIDE = frozenset("−…±≈×↑↓→≤≥∞▲▼")


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """
    Return how much room a text takes along its line.

    Args:
        text: one line.
        size: of the font.
        bold: whether it is bold, which is an eighth wider.
    """
    total = 0.0
    for c in text:
        code = ord(c) - 32
        if 0 <= code < len(_WIDTHS):
            total += _WIDTHS[code]
        elif c in _WIDE or unicodedata.east_asian_width(c) in "WF":
            total += 1000
        else:
            total += 660
    return total * size / 1000 * (1.125 if bold else 1.0)


def wrapped(text: str, room: float, size: float, *, most: int) -> list[str]:
    """Return text as lines of at most this room, the last one cut when there are more than wanted."""
    words = plain(text).split(" ")
    lines = [""]
    for i, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= room or not lines[-1]:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = f"{lines[-1]} {' '.join(words[i:])}"
            break
        else:
            lines.append(word)
    return [cut(line, room, size) for line in lines]


def cut(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """Return text from outside as one line, cut with an ellipsis to the room it has."""
    kept = plain(text, longest=200)
    if text_width(kept, size, bold=bold) <= room:
        return kept
    while kept and text_width(f"{kept}…", size, bold=bold) > room:
        kept = kept[:-1].rstrip()
    return f"{kept}…" if kept else ""
