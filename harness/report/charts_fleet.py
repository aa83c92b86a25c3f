"""Plots of what happened when: rates, errors, each agent's polls, the generator's own health."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from harness.columns import Bools, Columns, Floats, Ints
from harness.report.captions import ResponseLimit
from harness.report.charts_style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RASTER_ABOVE,
    SKY,
    SURFACE,
    VERMILLION,
    TimeAxis,
    legend_above,
    new_figure,
    panel,
    styled,
    thin,
)
from harness.report.charts_text import label_text
from harness.report.words import trimmed_duration
from harness.units import format_number

_LEFT_IN = 0.95
_RIGHT_IN = 0.3
_NAMED_AGENTS = 60
"""Up to this many agents have their ids on the axis."""

_KIND_COLOURS = (VERMILLION, SKY, ORANGE, PURPLE, GREEN, BLUE, MUTED)
_KIND_HATCHES = ("", "//", "\\\\", "xx", "--", "||", "++")
_LOOKS = len(_KIND_COLOURS)
_WIDTHS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0)
_DAY_S = 86400.0


def bin_edges(end_s: float, rate_per_s: float, interval_s: float, *, most: int = 90) -> Floats:
    """
    Cut a run into equal bins of a round width that hold about five polls or more each.

    Args:
        end_s: end of the run [s].
        rate_per_s: mean rate of the polls.
        interval_s: polling interval of each agent [s]. Widths that divide it, or that it divides, are preferred:
            others show agents in lock-step as a beat that is not there.
        most: most bins.

    Returns:
        Edges from 0 to `end_s` [s]; at least two. The last bin takes what is left: half to one and a half widths.
    """
    least_s = max(end_s / most, 5 / rate_per_s if rate_per_s > 0 else 0.0)
    days = float(np.ceil(end_s / most / _DAY_S)) * _DAY_S
    fitting = [width for width in (*_WIDTHS_S, days) if width <= max(end_s, 1.0)] or [_WIDTHS_S[0]]
    wide_enough = [width for width in fitting if width >= least_s] or fitting[-1:]
    width_s = next((width for width in wide_enough if _is_even(width, interval_s)), wide_enough[0])
    edges = np.arange(max(1, round(end_s / width_s)) + 1, dtype=np.float64) * width_s
    edges[-1] = end_s
    return edges


def _is_even(width_s: float, interval_s: float) -> bool:
    ratio = max(width_s, interval_s) / min(width_s, interval_s)
    return abs(ratio - round(ratio)) < 1e-9


def _width_text(edges: Floats) -> str:
    width_s = float(edges[1])
    unit_s, unit = next(((s, u) for s, u in ((3600.0, "h"), (60.0, "min")) if width_s >= s), (1.0, "s"))
    return f"{width_s / unit_s:g} {unit}"


@styled
def draw_rates(
    columns: Columns,
    *,
    intended_per_s: float,
    interval_s: float,
    time: TimeAxis,
    steps: tuple[Floats, Floats] | None = None,
) -> Figure:
    """
    Draw polls per second over time: intended by the schedule, offered (sent), achieved (answered without error).

    Args:
        columns: the whole run.
        intended_per_s: the schedule's mean rate, agents / interval, drawn as a line.
        interval_s: polling interval of each agent [s].
        time: the run's.
        steps: edges [s] and the schedule's mean rate between them, where agents come and go; None where it is
            `intended_per_s` always.
    """
    # Warm-up and outage together take a second line of the legend.
    more_in = 0.2 if time.away_s is not None else 0.0
    figure = new_figure("Polls per second", 3.2 + more_in)
    axes = panel(figure, _LEFT_IN, 0.55, _RIGHT_IN, 0.36 + more_in)
    edges = bin_edges(time.end_s, len(columns) / time.end_s, interval_s)
    series: tuple[tuple[str, Floats, dict[str, Any]], ...] = (
        ("intended", _scheduled(columns), {"color": GRID, "fill": True}),
        ("offered (sent)", columns.start_s, {"color": BLUE, "lw": 2.4, "baseline": None}),
        (
            "achieved (no error)",
            columns.end_s[columns.ok],
            {"color": GREEN, "lw": 1.8, "ls": (0, (4, 1.5)), "baseline": None},
        ),
    )
    highest = intended_per_s
    for label, t_s, look in series:
        counts = np.histogram(t_s, edges)[0] / np.diff(edges)
        highest = max(highest, float(counts.max(initial=0.0)))
        axes.stairs(counts, time.of(edges), label=label, gid=label.split()[0], **look)
    look = {"color": VERMILLION, "lw": 1.0, "ls": (0, (1, 1.5)), "label": "schedule's mean", "gid": "schedule"}
    if steps is None:
        axes.axhline(intended_per_s, **look)
    else:
        axes.stairs(steps[1], time.of(steps[0]), baseline=None, **look)
    _rate_scale(axes, highest, intended_per_s)
    axes.set_ylabel(f"Polls per second [1/s]\nin bins of {_width_text(edges)}")
    time.dress(axes)
    legend_above(axes, 5 if time.away_s is None else 3, handle=2.2)
    return figure


def _scheduled(columns: Columns) -> Floats:
    """Return what the schedule wanted [s]: missed polls too, and no retry."""
    sent = columns.intended_start_s if columns.extra is None else columns.intended_start_s[~columns.extra]
    return sent if columns.missed is None else np.concatenate((sent, columns.missed.intended_start_s))


def _rate_scale(axes: Axes, highest: float, intended_per_s: float) -> None:
    """Keep the schedule's rate legible beside the burst in which a stall ends, and say how high that was."""
    if highest <= 15 * intended_per_s:
        axes.set_ylim(0, highest * 1.12)
        return
    axes.set_ylim(0, 6 * intended_per_s)
    axes.annotate(
        f"cut off here; the highest bin has {format_number(highest)}/s",
        (0.99, 0.97),
        xycoords="axes fraction",
        ha="right",
        va="top",
        fontsize=9,
        bbox={"boxstyle": "square,pad=0.2", "fc": SURFACE, "ec": "none"},
        zorder=6,
    )


@styled
def draw_errors(columns: Columns, *, interval_s: float, time: TimeAxis) -> Figure:
    """
    Draw failed polls over time as bars, stacked by kind, the commonest kind at the bottom.

    Args:
        columns: the whole run, with at least one failed poll.
        interval_s: polling interval of each agent [s].
        time: the run's.
    """
    kinds = _kinds(columns)
    legend_rows = -(-(len(kinds) + (time.warmup_s > 0) + (time.away_s is not None)) // 3)
    figure = new_figure("Errors by kind", 2.8 + 0.2 * legend_rows)
    axes = panel(figure, _LEFT_IN, 0.55, _RIGHT_IN, 0.16 + 0.2 * legend_rows)
    edges = bin_edges(time.end_s, len(columns) / time.end_s, interval_s, most=60)
    base = np.zeros(len(edges) - 1)
    looks = zip(_KIND_COLOURS, _KIND_HATCHES, strict=True)
    for (label, mask), (colour, hatch) in zip(kinds, looks, strict=False):
        counts = np.histogram(columns.intended_start_s[mask], edges)[0]
        some = counts > 0
        axes.bar(
            time.of(edges[:-1][some]),
            counts[some],
            width=time.of(np.diff(edges)[some]),
            bottom=base[some],
            align="edge",
            color=colour,
            hatch=hatch,
            edgecolor=SURFACE,
            linewidth=0.6,
            label=label,
        )
        base = base + counts
    time.dress(axes)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_ylim(0, max(1.0, float(base.max())) * 1.08)
    axes.set_ylabel(f"Failed polls [count]\nper {_width_text(edges)}")
    legend_above(axes, 3)
    return figure


@styled
def draw_agents(columns: Columns, limits: Sequence[ResponseLimit], *, interval_s: float, time: TimeAxis) -> Figure:
    """
    Draw each agent's polls on a row of its own, at the instants they were sent, with a line to their end.

    Rows are ordered by the agents' place in the interval: agents spread evenly make slanted lines, agents in
    lock-step upright ones. Colour and marker tell which limit the response time kept.

    Args:
        columns: the whole run, with at least one poll.
        limits: boundaries of the classes; without any, answered polls are one class.
        interval_s: polling interval of each agent [s].
        time: the run's.
    """
    rows, order = _rows(columns, interval_s)
    named = len(order) <= _NAMED_AGENTS
    height_in = min(max(1.2 + 0.125 * len(order), 1.9), 7.6) if named else 5.4
    figure = new_figure("Each agent's polls", height_in)
    classes = _classes(columns, limits)
    entries = len(classes) + (time.warmup_s > 0) + (time.away_s is not None)
    axes = panel(figure, 1.7 if named else _LEFT_IN, 0.55, _RIGHT_IN, 0.36 if entries <= 3 else 0.58)
    time.dress(axes)
    # Marks together cover at most about half of the plot [pt²], so that one failed poll in fifty looks like one.
    size = min(max(70_000 / len(columns), 0.6), 22.0)
    _poll_lines(axes, columns, rows, time)
    for number, (label, mask, colour, marker, grown) in enumerate(classes):
        x, y = time.of(columns.start_s[mask]), rows[mask].astype(np.float64)
        kept = thin(x, y, rows=1000)[0] if len(x) else np.arange(0)
        axes.scatter(
            x[kept],
            y[kept],
            s=size * grown,
            c=colour,
            marker=marker,
            linewidths=min(1.3, size / 3) if marker == "x" else 0.5 if number and size > 4 else 0,
            edgecolors=None if marker == "x" else INK,
            label=f"{label}: {int(mask.sum()):,}",
            rasterized=len(kept) > RASTER_ABOVE,
            zorder=3 + number,
            gid=f"class-{number}",
        )
    _agent_axis(axes, columns, order, named=named)
    legend = legend_above(axes, 3, handle=1.2)
    for handle in legend.legend_handles:
        if handle is not None and hasattr(handle, "set_sizes"):
            handle.set_sizes([30.0])
    return figure


def _kinds(columns: Columns) -> list[tuple[str, Bools]]:
    """Return label and mask of each kind of error, commonest first, the rest as one."""
    found = [(kind, columns.error == i) for i, kind in enumerate(columns.error_kinds)]
    found = sorted(((k, m) for k, m in found if m.any()), key=lambda item: (-int(item[1].sum()), item[0]))
    # As many as there are looks; where that does not do, the last look is for the rest together.
    shown_count = len(found) if len(found) <= _LOOKS else _LOOKS - 1
    shown = [
        (f"{label_text(kind, widest_in=1.3, size_pt=9.5)}: {int(mask.sum()):,}", mask)
        for kind, mask in found[:shown_count]
    ]
    rest = found[shown_count:]
    if rest:
        mask = np.logical_or.reduce([m for _, m in rest])
        shown.append((f"{len(rest)} other kinds: {int(mask.sum()):,}", mask))
    return shown


def _classes(columns: Columns, limits: Sequence[ResponseLimit]) -> list[tuple[str, Bools, str, str, float]]:
    """Return label, mask, colour, marker and relative size of each class of polls that occurs."""
    response = columns.response_time_s
    bounds = sorted(limits, key=lambda limit: limit.limit_s)
    looks = ((BLUE, "o", 1.0), (SKY, "s", 1.2), (ORANGE, "^", 1.6), (PURPLE, "D", 1.4))
    classes: list[tuple[str, Bools, str, str, float]] = []
    low = -np.inf
    for limit, look in zip(bounds, looks, strict=False):
        mask = columns.ok & (response >= low) & (response < limit.limit_s)
        classes.append((f"under {trimmed_duration(limit.limit_s)}", mask, *look))
        low = limit.limit_s
    over = columns.ok & (response >= low)
    text = f"{trimmed_duration(float(low))} and more" if bounds else "answered"
    classes.append((text, over, *looks[min(len(bounds), 3)]))
    classes.append(("failed", ~columns.ok, VERMILLION, "x", 1.4))
    return [found for found in classes if found[1].any()]


def _rows(columns: Columns, interval_s: float) -> tuple[Ints, Ints]:
    """Return the row of each poll, and the agents in order of their rows: by the phase of their first poll."""
    seen, first = np.unique(columns.agent, return_index=True)
    phases = columns.intended_start_s[first] % interval_s
    # An agent on the border of the interval, at 9.999 s or 0.000 s, belongs to the same place.
    phases = np.where(phases > interval_s * (1 - 1e-6), 0.0, phases)
    order = seen[np.lexsort((seen, phases))]
    row_of = np.zeros(int(seen.max()) + 1, dtype=np.int64)
    row_of[order] = np.arange(len(order))
    return row_of[columns.agent], order.astype(np.int64)


def _poll_lines(axes: Axes, columns: Columns, rows: Ints, time: TimeAxis) -> None:
    """Draw a line from intended start to end of those polls that took long enough to be seen as one."""
    long = np.flatnonzero(columns.end_s - columns.intended_start_s > 0.004 * time.end_s)
    if len(long) == 0:
        return
    if len(long) > 4000:
        long = long[:: len(long) // 4000 + 1]
    starts, ends = time.of(columns.intended_start_s[long]), time.of(columns.end_s[long])
    y = rows[long].astype(np.float64)
    segments = np.stack((np.stack((starts, y), axis=1), np.stack((ends, y), axis=1)), axis=1)
    axes.add_collection(
        LineCollection(
            list(segments),
            colors=MUTED,
            linewidths=1.0,
            alpha=0.6,
            zorder=2,
            rasterized=len(long) > RASTER_ABOVE,
            gid="waits",
        ),
        autolim=False,
    )


def _agent_axis(axes: Axes, columns: Columns, order: Ints, *, named: bool) -> None:
    count = len(order)
    axes.set_ylim(count - 0.3, -0.7)
    axes.grid(visible=False, axis="y")
    if not named:
        axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_ylabel(f"{count:,} agents, by their place in the interval [row]")
        return
    size_pt = 7.5 if count > 12 else 8.0
    names = [label_text(columns.agents[i], widest_in=1.2, size_pt=size_pt) for i in order]
    axes.yaxis.set_major_locator(FixedLocator(list(range(count))))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda _, i: names[i] if i is not None and i < count else ""))
    axes.tick_params(axis="y", labelsize=size_pt, length=2)
    axes.set_ylabel("Agent, by its place in the interval" if count > 20 else "Agent")
    axes.hlines(range(count), *axes.get_xlim(), color=GRID, lw=0.5, zorder=0.5)
