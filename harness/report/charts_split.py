"""What each quantile of the response time is made of, and how far each figure lies from its baseline."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness.history_model import Comparison
from harness.model import Direction, Status
from harness.report.charts_style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SURFACE,
    VERMILLION,
    legend_above,
    new_figure,
    panel,
    styled,
)
from harness.report.charts_text import label_text
from harness.report.parts import CONNECT, DATABASE, HANDLER, POOL_WAIT, REST, SERVICE, START_LAG, Split
from harness.report.trend.words import compared_text, signed_ratio
from harness.units import format_duration

_LOOKS = {
    START_LAG: (MUTED, ""),
    CONNECT: (PURPLE, "xx"),
    HANDLER: (SKY, ""),
    DATABASE: (GREEN, "//"),
    POOL_WAIT: (ORANGE, "\\\\"),
    REST: (GRID, ".."),
    SERVICE: (SKY, ""),
}
_LEAST_SHARE = 0.075
"""A narrower segment has no room for its share in figures."""


@styled
def draw_split(splits: Sequence[Split]) -> Figure:
    """
    Draw what each quantile of the response time is made of, as a bar of its shares, its value beside it.

    Args:
        splits: at least one.
    """
    figure = new_figure("What each quantile is made of", 1.15 + 0.45 * len(splits))
    axes = panel(figure, 1.55, 0.5, 0.4, 0.4)
    names = [name for name, _ in splits[0].parts]
    for name in names:
        colour, hatch = _LOOKS[name]
        for row, split in enumerate(splits):
            left, share = _place(split, name)
            axes.barh(
                row,
                100 * share,
                left=100 * left,
                height=0.62,
                color=colour,
                hatch=hatch,
                edgecolor=SURFACE,
                linewidth=0.6,
                label=name if row == 0 else "_",
                gid=f"split-{split.name}-{name.replace(' ', '-')}",
            )
            if share >= _LEAST_SHARE:
                axes.annotate(
                    f"{100 * share:.0f} %",
                    (100 * (left + share / 2), row),
                    ha="center",
                    va="center",
                    fontsize=9,
                    bbox={"boxstyle": "square,pad=0.15", "fc": SURFACE, "ec": "none", "alpha": 0.85},
                )
    axes.set_xlim(0, 100)
    axes.set_ylim(len(splits) - 0.5, -0.5)
    axes.set_xlabel("Share of the response time [%]")
    axes.grid(visible=False, axis="y")
    texts = [f"{split.name}  {format_duration(split.value_s)}" for split in splits]
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(splits)))))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda _, i: texts[i] if i is not None and i < len(texts) else "")
    )
    axes.tick_params(axis="y", length=0, pad=8, labelsize=10)
    legend_above(axes, 6, gap=1.1, left=-0.22)
    return figure


def _place(split: Split, wanted: str) -> tuple[float, float]:
    """Return where a part begins and how long it is, as shares."""
    begin = 0.0
    for name, part_s in split.parts:
        share = part_s / split.value_s if split.value_s > 0 else 0.0
        if name == wanted:
            return begin, share
        begin += share
    return begin, 0.0


_MARKS = {Status.PASS: ("o", BLUE), Status.FAIL: ("X", VERMILLION), Status.INCONCLUSIVE: ("D", ORANGE)}


@styled
def draw_comparison(comparisons: Sequence[Comparison]) -> Figure:
    """
    Draw each figure's change against its baseline with the interval of the change, and the limit beside it.

    What lies beyond the axis stands as an arrow at its end; the change in figures stands on the right.

    Args:
        comparisons: those with a known change, at least one.
    """
    figure = new_figure("Against the baseline", 1.15 + 0.36 * len(comparisons))
    left_in, right_in = 2.15, 1.1
    axes = panel(figure, left_in, 0.5, right_in, 0.4)
    reach = _reach(comparisons)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(comparisons) - 0.5, -0.5)
    axes.axvline(0, color=MUTED, lw=1.0)
    for row, one in enumerate(comparisons):
        _draw_change(axes, row, one, reach)
        axes.annotate(
            signed_ratio(one.change_ratio),
            (1.02, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9.5,
            annotation_clip=False,
        )
    labels = [label_text(compared_text(one), widest_in=left_in - 0.2, size_pt=10) for one in comparisons]
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda _, i: labels[i] if i is not None and i < len(labels) else "")
    )
    axes.tick_params(axis="y", length=0, pad=8)
    axes.xaxis.set_major_locator(MaxNLocator(7, symmetric=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:+.4g}".replace("-", "−")))
    axes.set_xlabel("Change against the baseline [%]")
    _comparison_legend(axes, comparisons)
    return figure


def _reach(comparisons: Sequence[Comparison]) -> float:
    """Return where the axis ends: far enough for most intervals, and at least for the limits."""
    ends = [abs(end) for one in comparisons for end in _ends(one) if end is not None and np.isfinite(end)]
    limits = [one.limit_ratio for one in comparisons]
    return float(min(max([*ends, 1.5 * max(limits), 0.02]) * 1.08, max(1.0, 5 * max(limits))))


def _ends(one: Comparison) -> tuple[float | None, ...]:
    interval = one.interval
    return (one.change_ratio,) if interval is None else (one.change_ratio, interval.low, interval.high)


def _draw_change(axes: Axes, row: int, one: Comparison, reach: float) -> None:
    marker, colour = _MARKS.get(one.status, _MARKS[Status.INCONCLUSIVE])
    change = one.change_ratio or 0.0
    interval = one.interval
    if interval is not None:
        low = -reach if interval.low is None else max(interval.low, -reach)
        high = reach if interval.high is None else min(interval.high, reach)
        axes.plot([low, high], [row, row], color=colour, lw=2.4, alpha=0.6, solid_capstyle="butt", zorder=2)
    for sign, kept in ((1, one.direction is not Direction.ABOVE), (-1, one.direction is not Direction.BELOW)):
        if kept:
            x = sign * one.limit_ratio
            axes.plot([x, x], [row - 0.36, row + 0.36], color=VERMILLION, lw=2.0, zorder=3, gid=f"limit-{row}")
    if abs(change) > reach:
        marker = ">" if change > 0 else "<"
    axes.plot(
        [min(max(change, -reach), reach)],
        [row],
        marker=marker,
        ms=8,
        mfc=colour,
        mec=INK,
        mew=0.7,
        zorder=4,
        clip_on=False,
        gid=f"change-{row}",
    )


def _comparison_legend(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    """Name the marks that occur, by points outside the plot."""
    for status in Status:
        if any(one.status is status for one in comparisons) and status in _MARKS:
            marker, colour = _MARKS[status]
            axes.plot([], [], ls="", marker=marker, ms=7, mfc=colour, mec=INK, mew=0.7, label=status.value)
    axes.plot([], [], color=VERMILLION, lw=2.0, label="largest change allowed")
    legend_above(axes, 4)
