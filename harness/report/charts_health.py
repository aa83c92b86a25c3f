"""The load generator's own health over time, and the connections that its polls opened."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from harness.columns import Columns, Floats
from harness.model import GeneratorTick
from harness.report.charts_fleet import bin_edges
from harness.report.charts_style import (
    AMBER,
    BLUE,
    GREEN,
    PLUM,
    RASTER_ABOVE,
    SKY,
    VERMILLION,
    TimeAxis,
    duration_axis,
    legend_above,
    stack,
    styled,
    thin,
)
from harness.report.charts_text import label_text

_LEFT_IN = 0.95
_RIGHT_IN = 0.3
_LOOKS = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (PLUM, ":"), (AMBER, (0, (6, 1))), (SKY, (0, (1, 1))))
_LEGEND_COLUMNS = 4
_NAMED_WORKERS = 5
"""Up to this many workers have a line style and a name of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One panel: what, in which unit, of each tick (NaN where unknown), and whether it is a count of the tick."""

    label: str
    values: Floats
    least: float


@styled
def draw_generator(ticks: Sequence[GeneratorTick], *, time: TimeAxis) -> Figure:
    """
    Draw the generator's CPU use, how late its loop woke, and what else its ticks tell; a line a worker.

    A figure that no tick tells, or that is 0 throughout where the caption says so, has no panel.

    Args:
        ticks: of all workers, at least one.
        time: the run's.
    """
    workers = sorted({tick.worker or "" for tick in ticks})
    rows = _rows(ticks)
    legend = len(workers) > 1
    named = len(workers) <= _NAMED_WORKERS
    entries = (len(workers) if named else 1) + (time.warmup_s > 0) + (time.away_s is not None)
    figure, panels = stack(
        "Health of the load generator",
        (0.78,) * len(rows),
        left_in=_LEFT_IN,
        right_in=_RIGHT_IN,
        top_in=0.16 + 0.2 * -(-entries // _LEGEND_COLUMNS) if legend else 0.1,
    )
    of = [tick.worker or "" for tick in ticks]
    t_s = np.array([tick.t_s for tick in ticks])
    time = TimeAxis(max(time.end_s, float(t_s.max())), warmup_s=time.warmup_s, away_s=time.away_s)
    for number, (axes, row) in enumerate(zip(panels, rows, strict=True)):
        for place, worker in enumerate(workers):
            mine = np.array([one == worker for one in of])
            colour, style = _LOOKS[place] if named else (BLUE, "-")
            axes.plot(
                time.of(t_s[mine]),
                row.values[mine],
                color=colour,
                ls=style,
                lw=1.6 if named else 0.8,
                alpha=1.0 if named else 0.6,
                marker="o" if mine.sum() < 3 else None,
                ms=3.5,
                label=label_text(worker, widest_in=1.1, size_pt=9.5)
                if named
                else ("_" if place else "each process"),
                gid=f"generator-{number}-{place}",
            )
        known = row.values[np.isfinite(row.values)]
        axes.set_ylim(0, max(float(known.max(initial=0.0)) * 1.15, row.least))
        axes.set_ylabel(row.label)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        time.dress(axes, label=axes is panels[-1], named=axes is panels[-1] and not legend)
    figure.align_ylabels(panels)
    if legend:
        legend_above(panels[0], _LEGEND_COLUMNS, handle=2.4)
    return figure


def _rows(ticks: Sequence[GeneratorTick]) -> list[_Row]:
    lag_s = _values([tick.loop_lag_s for tick in ticks])
    start_s = _values([tick.start_lag_s for tick in ticks])
    pause_s = _values([tick.gc_pause_s for tick in ticks])
    rows = [_Row(label="CPU\n[cores]", values=_values([tick.cpu_ratio for tick in ticks]), least=0.1)]
    for name, values in (("Start lag", start_s), ("Loop lag", lag_s), ("GC pause", pause_s)):
        known = values[np.isfinite(values)]
        if not len(known) or (name == "GC pause" and not known.max()):
            continue
        unit_s, unit = (1.0, "s") if known.max() >= 1 else (1e-3, "ms")
        rows.append(_Row(label=f"{name}\n[{unit}]", values=values / unit_s, least=0.1))
    missed = _values([tick.missed for tick in ticks])
    if np.nansum(missed) > 0:
        rows.append(_Row(label="Missed\n[polls]", values=missed, least=1.0))
    connections = _values([tick.connections for tick in ticks])
    if np.isfinite(connections).any():
        rows.append(_Row(label="Connections\n[count]", values=connections, least=1.0))
    return rows


def _values(values: Sequence[float | None]) -> Floats:
    """Return figures as an array, NaN for unknown."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


@styled
def draw_connections(columns: Columns, *, interval_s: float, time: TimeAxis) -> Figure:
    """
    Draw which share of the polls opened a connection over time, and how long opening took.

    Args:
        columns: the whole run; of some polls it is known whether they opened a connection.
        interval_s: polling interval of each agent [s].
        time: the run's.
    """
    times_s = columns.connect_s
    timed = np.zeros(len(columns), dtype=np.bool_) if times_s is None else np.isfinite(times_s)
    heights = (1.25, 1.35) if timed.any() else (1.6,)
    figure, panels = stack("Connections", heights, left_in=_LEFT_IN, right_in=_RIGHT_IN, top_in=0.36)
    edges = bin_edges(time.end_s, len(columns) / time.end_s, interval_s)
    known, opened = columns.new_connection >= 0, columns.new_connection == 1
    at_s = columns.start_s
    all_polls, new_polls = (np.histogram(at_s[mask], edges)[0] for mask in (known, opened))
    share = 100 * new_polls / np.maximum(all_polls, 1)
    upper = panels[0]
    upper.stairs(share, time.of(edges), color=BLUE, fill=True, label="polls on a new connection", gid="new")
    upper.set_ylim(0, 108)
    upper.set_ylabel("Share of polls\n[%]")
    upper.yaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
    time.dress(upper, label=len(panels) == 1)
    legend_above(upper, 4, handle=1.6)
    if times_s is not None and timed.any():
        _connect_times(panels[1], time.of(at_s[timed]), np.maximum(times_s[timed], 1e-6))
        time.dress(panels[1])
    figure.align_ylabels(panels)
    return figure


def _connect_times(axes: Axes, x: Floats, values: Floats) -> None:
    logarithmic = duration_axis(axes, float(values.min()), float(values.max()), "Connect", room_in=(0.1, 0.1))
    kept = thin(x, np.log(values) if logarithmic else values)[0]
    axes.scatter(
        x[kept],
        values[kept],
        s=12,
        c=PLUM,
        marker="s",
        linewidths=0,
        alpha=0.7,
        rasterized=len(kept) > RASTER_ABOVE,
        gid="connects",
    )
