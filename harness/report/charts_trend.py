"""
Draw a trend's scenes as PNG and SVG files.

A scene says where everything stands; matplotlib paints it, one `Figure` with bare artists and without axes, whose
ticks and locators would take most of the time.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from harness.report.charts_output import PNG_DPI
from harness.report.charts_style import COLOURS, RASTER_ABOVE, STYLE
from harness.report.charts_text import drawable
from harness.report.trend.scene import UNITS_PER_IN, Area, Bars, Item, Label, Line, Marks, Scene
from harness.rundir import atomic_path

_SHAPES = {
    "dot": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "down": "v",
    "up": "^",
    "cross": "x",
}
_POINT = 72 / UNITS_PER_IN
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def scene_figure(scene: Scene) -> Figure:
    """Return a scene as a figure of its own size."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(scene.width / UNITS_PER_IN, scene.height / UNITS_PER_IN))
        place = Affine2D().scale(1.0, -1.0).translate(0.0, scene.height).scale(1 / UNITS_PER_IN) + (
            figure.dpi_scale_trans
        )
        for order, item in enumerate(scene.items):
            artist = _artist(item)
            artist.set_transform(place)
            artist.set_zorder(order)
            figure.add_artist(artist)
    return figure


def write_scene(scene: Scene, stem: Path, formats: Iterable[str]) -> tuple[Path, ...]:
    """
    Write a scene as files, each whole or not at all.

    Args:
        scene: what to draw.
        stem: path without the suffix.
        formats: of ``png`` and ``svg``.

    Returns:
        The files in the order of the formats.
    """
    figure = scene_figure(scene)
    written = []
    with mpl.rc_context(STYLE):
        for kind in formats:
            path = stem.with_name(f"{stem.name}.{kind}")
            with atomic_path(path) as temporary:
                _print(figure, kind, temporary)
            written.append(path)
    return tuple(written)


def _print(figure: Figure, kind: str, path: Path) -> None:
    if kind == "png":
        FigureCanvasAgg(figure).print_figure(path, format="png", dpi=PNG_DPI, metadata={"Software": None})
    else:
        metadata: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(figure).print_figure(path, format="svg", dpi=PNG_DPI, metadata=metadata)


def _artist(item: Item) -> Artist:
    if isinstance(item, Label):
        return Text(
            item.x,
            # From the middle line to the base line, as the page does it.
            item.y + 0.36 * item.size,
            drawable(item.text),
            ha=_ANCHORS[item.anchor],
            va="baseline",
            color=COLOURS[item.colour],
            fontsize=item.size * _POINT,
            fontweight="bold" if item.bold else "normal",
            parse_math=False,
        )
    if isinstance(item, Bars):
        return LineCollection(
            [((x, a), (x, b)) for x, a, b in item.spans],
            colors=_colour(item.look.stroke),
            linewidths=item.look.width * _POINT,
            alpha=item.look.opacity,
            rasterized=len(item.spans) > RASTER_ABOVE,
        )
    places = np.asarray(item.places, dtype=np.float64).reshape(-1, 2)
    if isinstance(item, Area):
        return Polygon(places, closed=True, lw=0, fc=_colour(item.look.fill), alpha=item.look.opacity)
    if isinstance(item, Line):
        look = item.look
        dash: Any = (0, tuple(part / look.width for part in look.dash)) if look.dash else "-"
        return Line2D(
            *places.T,
            color=_colour(look.stroke),
            lw=look.width * _POINT,
            ls=dash,
            alpha=look.opacity,
            solid_capstyle="butt",
        )
    return _marks(item, places)


def _marks(item: Marks, places: np.ndarray[Any, np.dtype[np.float64]]) -> Line2D:
    look = item.look
    outlined = item.shape == "cross"
    return Line2D(
        *places.T,
        ls="",
        marker=_SHAPES[item.shape],
        ms=item.size * _POINT * (0.88 if item.shape == "square" else 0.74 if item.shape == "diamond" else 1.0),
        mfc=_colour(look.fill),
        mec=_colour(look.stroke) if look.stroke else "none",
        mew=look.width * _POINT if look.stroke or outlined else 0.0,
        alpha=look.opacity,
        rasterized=len(places) > RASTER_ABOVE,
    )


def _colour(name: str | None) -> str:
    return "none" if name is None else COLOURS[name]
