"""
How every plot looks, and the parts they share: colours, axes, legends, labels that keep apart, thinning.

Only `Figure` objects are used, saved through the Agg and SVG canvases; pyplot and its global figures never.
Layout is in inches and fixed: a layout engine would draw each figure two or three times to find its margins.

Source of the colours: M. Okabe, K. Ito, "Color Universal Design" (2008), chosen to be told apart with any of the
common colour vision deficiencies. Whatever colour says, a marker, a line style or a hatch says too.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.columns import Floats, Ints
from harness.report.trend.placing import spread

INK, MUTED, GRID, SHADE, SURFACE = "#1f2430", "#59616d", "#dde1e7", "#eceff3", "#fffffe"
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
AMBER, PLUM = "#b87f00", "#a9588a"
"""Orange and purple for lines, which need more contrast with the ground than areas do."""

WIDTH_IN = 8.4
TITLE_IN = 0.36
"""Band at the top for the title: kept in the PNG, which stands alone, cut off in the page, which has headings."""

RASTER_ABOVE = 1200
"""More marks than this are drawn as an image inside the SVG: one mark is about 70 bytes of it."""

THIN_ABOVE = 6000
"""More points than this are drawn once per cell of a fine grid: nobody can see two marks on one pixel."""

COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "shade": SHADE,
    "surface": SURFACE,
    "blue": BLUE,
    "vermillion": VERMILLION,
    "green": GREEN,
    "orange": ORANGE,
    "purple": PURPLE,
    "sky": SKY,
    "amber": AMBER,
    "plum": PLUM,
}
"""The palette by the names that the pages' style sheets give it."""

# Any: matplotlib types the keys as one literal of every setting there is.
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": SURFACE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.unicode_minus": True,
    "figure.facecolor": SURFACE,
    "savefig.facecolor": SURFACE,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "pollgauge",
}

P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a drawing function under this module's settings, whatever the process has set."""

    @functools.wraps(draw)
    def drawing(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawing


def new_figure(title: str, height_in: float) -> Figure:
    """Return an empty figure of the page's width with its title set."""
    figure = Figure(figsize=(WIDTH_IN, height_in + TITLE_IN))
    figure.text(0.1 / WIDTH_IN, 1 - 0.09 / (height_in + TITLE_IN), title, va="top", fontsize=12, fontweight="bold")
    return figure


def panel(figure: Figure, left_in: float, bottom_in: float, right_in: float, top_in: float) -> Axes:
    """Add axes by margins in inches; `top_in` is counted from below the title."""
    width_in, height_in = figure.get_size_inches()
    return figure.add_axes(
        (
            left_in / width_in,
            bottom_in / height_in,
            (width_in - left_in - right_in) / width_in,
            (height_in - bottom_in - top_in - TITLE_IN) / height_in,
        )
    )


class TimeAxis:
    """
    Time along x, in the unit that fits the run's length, with the parts of the run that are not like the rest.

    Args:
        end_s: last instant shown [s since the run's origin].
        warmup_s: length of the part that is sent but not judged [s].
        away_s: from when to when the target was away on purpose [s since the run's origin]; None for never.
    """

    def __init__(self, end_s: float, *, warmup_s: float = 0.0, away_s: tuple[float, float] | None = None) -> None:
        self.end_s = max(end_s, 1e-3)
        self.warmup_s = warmup_s
        self.away_s = away_s
        self.unit_s, self.unit = next(
            ((size, name) for size, name in ((3600.0, "h"), (60.0, "min")) if end_s > 3 * size), (1.0, "s")
        )

    def of(self, t_s: Floats) -> Floats:
        """Convert instants [s] to the axis."""
        return t_s / self.unit_s

    def dress(self, axes: Axes, *, label: bool = True, named: bool = False) -> None:
        """
        Set limits, ticks and label, and shade warm-up and outage; a legend made afterwards names them.

        Args:
            axes: whose x axis.
            label: whether it is the lowest of a stack, and has ticks and label.
            named: whether the shades are named in the plot, for one without a legend.
        """
        end = self.end_s / self.unit_s
        axes.set_xlim(-0.012 * end, 1.012 * end)
        axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 3, 5, 6, 10]))
        if label:
            axes.set_xlabel(f"Time since the run's start [{self.unit}]")
        else:
            axes.tick_params(labelbottom=False)
        # Ids are unique in a page.
        above = "" if label else f"-{len(axes.figure.axes)}"
        if self.warmup_s > 0:
            last = min(self.warmup_s / self.unit_s, 1.012 * end)
            axes.axvspan(-0.012 * end, last, color=SHADE, lw=0, zorder=0, gid=f"warmup{above}", label="warm-up")
        if self.away_s is not None:
            first, last = (instant / self.unit_s for instant in self.away_s)
            look: dict[str, Any] = {"color": VERMILLION, "alpha": 0.16, "lw": 0, "zorder": 0.1}
            axes.axvspan(first, last, gid=f"away{above}", label="target away", **look)
        if named:
            self._name(axes, end)

    def _name(self, axes: Axes, end: float) -> None:
        """Write the names of the shades at their lower edge, those that have room."""
        place: dict[str, Any] = {"xycoords": ("data", "axes points"), "color": MUTED, "fontsize": 9}
        free = 0.0
        if self.warmup_s > 0.11 * self.end_s:
            axes.annotate("warm-up", (0, 4), **place)
            free = 0.11 * end
        if self.away_s is not None:
            middle = sum(self.away_s) / 2 / self.unit_s
            middle = min(middle, 0.92 * end)
            if middle - 0.075 * end > free:
                axes.annotate("target away", (middle, 4), ha="center", **place)


def stack(
    title: str, heights_in: Sequence[float], *, left_in: float, right_in: float, top_in: float = 0.1
) -> tuple[Figure, list[Axes]]:
    """
    Return a figure with panels one above the other over a common time axis, the topmost first.

    Args:
        title: of the figure.
        heights_in: height of each panel.
        left_in: margin, which holds the labels.
        right_in: margin.
        top_in: room above the first panel, for a legend.
    """
    gap_in, bottom_in = 0.15, 0.55
    height_in = sum(heights_in) + gap_in * (len(heights_in) - 1) + bottom_in + top_in
    figure = new_figure(title, height_in)
    panels, above_in = [], top_in
    for panel_in in heights_in:
        panels.append(panel(figure, left_in, height_in - above_in - panel_in, right_in, above_in))
        above_in += panel_in + gap_in
    return figure, panels


def duration_axis(
    axes: Axes,
    low_s: float,
    high_s: float,
    name: str,
    *,
    along: str = "y",
    room_in: tuple[float, float] = (0.1, 0.1),
) -> bool:
    """
    Scale an axis for durations [s]: linear in a named unit, or logarithmic where the range asks for it.

    Args:
        axes: whose axis.
        low_s: smallest value shown [s].
        high_s: largest value shown [s].
        name: what is measured, for the label.
        along: ``x`` or ``y``.
        room_in: inches kept free below the smallest and above the largest value, for labels.

    Returns:
        Whether the axis is logarithmic. Data stay in seconds either way.
    """
    upright = along == "y"
    axis = axes.yaxis if upright else axes.xaxis
    set_limits = axes.set_ylim if upright else axes.set_xlim
    length_in = _length_in(axes, upright=upright)
    low_s = max(low_s, 1e-6)
    high_s = max(high_s, low_s * 1.001)
    if high_s / low_s > 12:
        (axes.set_yscale if upright else axes.set_xscale)("log")
        decades = np.log10(high_s / low_s)
        decade_in = (length_in - sum(room_in)) / decades
        set_limits(low_s * 10 ** -(room_in[0] / decade_in), high_s * 10 ** (room_in[1] / decade_in))
        # Three labels a decade where they have room, else one.
        fine = decade_in > 3 * (0.24 if upright else 0.75)
        axis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if fine else (1.0,), numticks=12))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick_duration(value)))
        axis.set_label_text(f"{name} (log scale)")
        return True
    unit_s, unit = next(((s, u) for s, u in ((1.0, "s"), (1e-3, "ms")) if high_s >= s), (1e-6, "µs"))
    set_limits(0.0, high_s * length_in / (length_in - room_in[1]))
    # Seconds are round wherever their thousandths are, so the locator needs no unit.
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / unit_s:.4g}"))
    axis.set_label_text(f"{name} [{unit}]")
    return False


def _length_in(axes: Axes, *, upright: bool) -> float:
    box, (width_in, height_in) = axes.get_position(), axes.figure.get_size_inches()  # type: ignore[union-attr]  # never a SubFigure
    return float(box.height * height_in if upright else box.width * width_in)


def tick_duration(value_s: float) -> str:
    """Write a tick without needless digits: ``1 ms``, ``200 ms``, ``10 s``."""
    for unit_s, unit in ((1.0, "s"), (1e-3, "ms")):
        if value_s >= unit_s * 0.9999:
            return f"{value_s / unit_s:.4g} {unit}"
    return f"{value_s / 1e-6:.4g} µs"


def legend_above(
    axes: Axes, columns: int, *, handle: float = 1.4, gap: float = 1.2, left: float = -0.01
) -> Legend:
    """
    Write the legend in the band above the axes.

    Args:
        axes: whose labels.
        columns: entries in a line.
        handle: length of the sample of a line, in letters.
        gap: between two entries, in letters.
        left: where it begins, as a share of the axes' width.
    """
    return axes.legend(
        loc="lower left",
        bbox_to_anchor=(left, 1.0),
        ncols=columns,
        handlelength=handle,
        borderaxespad=0.2,
        columnspacing=gap,
    )


def right_labels(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """
    Write labels just right of the axes at given heights, apart from each other, with a thin leader to the height.

    Args:
        axes: whose right edge.
        labels: ``(height in data units, text, colour)``.
    """
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform((axes.get_xlim()[0], y))[1]) for y, _, _ in labels]
    height_in = _length_in(axes, upright=True)
    lines = max((text.count("\n") + 1 for _, text, _ in labels), default=1)
    placed = spread(heights, lines * 0.165 / height_in, 0.0, 1.0)
    for wanted, put, (_, text, colour) in zip(heights, placed, labels, strict=True):
        axes.annotate(
            text,
            xy=(1.0, wanted),
            xytext=(1.018, put),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=INK,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.0, "shrinkA": 0, "shrinkB": 0},
        )


def thin(x: Floats, y: Floats, *, columns: int = 700, rows: int = 260) -> tuple[Ints, Ints]:
    """
    Keep one point per cell of a fine grid over the points' own range, when there are too many to tell apart.

    Args:
        x: finite.
        y: finite, in the axis's own scale (its logarithm on a logarithmic axis).
        columns: cells along x.
        rows: cells along y.

    Returns:
        Indices of the points kept, and how many points each stands for.
    """
    if len(x) <= THIN_ABOVE:
        return np.arange(len(x)), np.ones(len(x), dtype=np.int64)
    cells = [
        ((v - v.min()) / (float(np.ptp(v)) or 1.0) * (count - 1)).astype(np.int64)
        for v, count in ((x, columns), (y, rows))
    ]
    _, kept, counts = np.unique(cells[0] * rows + cells[1], return_index=True, return_counts=True)
    return kept.astype(np.int64), counts.astype(np.int64)
