"""The look of each series of a chart: a colour and a mark, so that neither has to be told alone."""

from typing import NamedTuple


class Tone(NamedTuple):
    """
    Look of one series.

    Args:
        colour: of its marks and areas.
        line: of its median, darker where the colour is light.
        edge: around its marks; None for none.
        mark: shape of its marks.
    """

    colour: str
    line: str
    edge: str | None
    mark: str


_TONES = (
    Tone("blue", "blue", "surface", "dot"),
    Tone("orange", "amber", "surface", "square"),
    Tone("purple", "plum", "surface", "triangle"),
    Tone("green", "green", "surface", "diamond"),
    Tone("sky", "sky", "surface", "down"),
)


def tone_of(number: int) -> Tone:
    """Return the look of a chart's n-th series."""
    return _TONES[number % len(_TONES)]
