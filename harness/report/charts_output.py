"""A finished figure as a PNG file, or as an SVG element that takes its colours from the page."""

import io
import re
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from harness.report.charts_style import COLOURS, MUTED, STYLE, TITLE_IN
from harness.report.charts_text import label_text

PNG_DPI = 150

_SVG_NAMES = {colour: name for name, colour in COLOURS.items()}


def save_png(figure: Figure, path: Path, *, note: str) -> None:
    """
    Write a figure as PNG, its title included.

    Args:
        figure: drawn under `styled`.
        path: where to.
        note: beside the title, for whoever meets the picture alone: which run it is of.
    """
    with mpl.rc_context(STYLE):
        width_in, height_in = figure.get_size_inches()
        figure.text(
            1 - 0.3 / width_in,
            1 - 0.12 / height_in,
            label_text(note, widest_in=4.2, size_pt=9),
            va="top",
            ha="right",
            color=MUTED,
            fontsize=9,
        )
        figure.savefig(path, format="png", dpi=PNG_DPI, metadata={"Software": None})


def to_svg(figure: Figure, name: str) -> str:
    """
    Return a figure as an ``<svg>`` element to stand inside a page.

    Its title band is cut off, ids are made unique by `name`, and colours become the page's custom properties
    (``--plot-ink`` …), so that the page can set them for light and dark. It is hidden from screen readers: the
    page tells them the caption instead.

    Args:
        figure: drawn under `styled`.
        name: unique in the page; letters and dashes.
    """
    width_in, height_in = figure.get_size_inches()
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(
            buffer,
            format="svg",
            dpi=PNG_DPI,
            metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")),
            bbox_inches=Bbox(((0.0, 0.0), (width_in, height_in - TITLE_IN))),
        )
    drawn = buffer.getvalue().decode()
    return _TAG.sub(lambda tag: _rework(tag.group(0), name), drawn[drawn.index("<svg") :]).strip()


# Inside tags only: what stands between them is text, some of it from outside.
_TAG = re.compile(r"<[^>]+>")
_ID = re.compile(r'(\bid="|href="#|url\(#)')
_SIZE = re.compile(r'\s(?:width|height)="[^"]*"')
_COLOUR = re.compile("|".join(_SVG_NAMES))


def _rework(tag: str, name: str) -> str:
    if tag.startswith("<svg"):
        return _SIZE.sub("", tag).replace(
            "<svg", f'<svg aria-hidden="true" focusable="false" class="plot-{name}"', 1
        )
    if tag.startswith("<image"):
        return tag
    tag = _ID.sub(lambda found: f"{found.group(1)}{name}-", tag)
    return _COLOUR.sub(lambda found: f"var(--plot-{_SVG_NAMES[found.group(0)]})", tag)
