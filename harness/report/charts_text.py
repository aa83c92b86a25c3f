"""Text in plots: measured, cut to its room, and only with glyphs that the plots' font has."""

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ft2font import FT2Font

from harness.report.words import plain

_FINE_DPI = 720
"""Resolution to measure text at: fine enough that hinting rounds no width."""


def label_text(text: str, *, widest_in: float, size_pt: float) -> str:
    """
    Return text from outside as a label: one line, cut to a width, only glyphs that the plots' font has.

    Args:
        text: from anywhere.
        widest_in: room for it [inches].
        size_pt: size it is drawn at [pt].
    """
    font = _font()
    font.set_size(size_pt, _FINE_DPI)
    # More characters than this fit nowhere; it bounds the loop below.
    kept = drawable(plain(text, longest=80))
    # A legend silently leaves out labels that begin with an underscore.
    kept = f" {kept}" if kept.startswith("_") else kept
    while kept:
        font.set_text(kept)
        # Freetype counts in 64ths of a pixel.
        if font.get_width_height()[0] / 64 / _FINE_DPI <= widest_in:
            return kept
        kept = f"{kept[:-2].rstrip()}…" if len(kept) > 2 else ""
    return kept


def route_label(text: str, *, widest_in: float, size_pt: float) -> str:
    """
    Return a label that may be a route, ``GET /api/…``: where it is too long its first folders go, not its end.

    Args:
        text: from anywhere.
        widest_in: room for it [inches].
        size_pt: size it is drawn at [pt].
    """
    full = drawable(plain(text, longest=200))
    method, _, path = full.partition(" /")
    folders = path.split("/")
    for dropped in range(len(folders)):
        shorter = full if not dropped else f"{method} …/{'/'.join(folders[dropped:])}"
        if label_text(shorter, widest_in=widest_in, size_pt=size_pt) == shorter:
            return shorter
    return label_text(full, widest_in=widest_in, size_pt=size_pt)


def drawable(text: str) -> str:
    """Return text with a question mark for each character that the plots' font does not have."""
    if text.isascii():
        return text
    glyphs = _font().get_charmap()
    return "".join(c if ord(c) in glyphs else "?" for c in text)


def _font() -> FT2Font:
    return get_font(findfont(FontProperties(family="DejaVu Sans")))
