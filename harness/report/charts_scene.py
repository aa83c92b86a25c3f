"""Plots of what a scenario does: a fleet that comes and goes, pickups, the target's health, a soak's drift."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.columns import Columns, Floats
from harness.model import Finding, TargetTick
from harness.report.charts_fleet import bin_edges
from harness.report.charts_style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    PLUM,
    SKY,
    VERMILLION,
    WIDTH_IN,
    TimeAxis,
    duration_axis,
    legend_above,
    new_figure,
    panel,
    right_labels,
    stack,
    styled,
    thin,
)
from harness.report.parts import quantiles3
from harness.report.traces import DriftSeries, Wave
from harness.report.trend.words import signed_ratio
from harness.report.words import trimmed_duration

_LEFT_IN = 0.95
_RIGHT_IN = 0.3
_LEAST_POLLS = 5
"""Fewer polls in a bin have no p95 worth a point."""


@styled
def draw_fleet(columns: Columns, steps: tuple[Floats, Floats], *, interval_s: float, time: TimeAxis) -> Figure:
    """
    Draw how many agents take part over time, and below it how long their polls took.

    Args:
        columns: the whole run.
        steps: edges [s] and the number of agents that are to take part between them.
        interval_s: polling interval of each agent [s].
        time: the run's.
    """
    figure, (upper, lower) = stack(
        "Agents and response time", (1.25, 1.45), left_in=_LEFT_IN, right_in=0.75, top_in=0.36
    )
    edges = bin_edges(time.end_s, len(columns) / time.end_s, interval_s)
    sent = columns if columns.extra is None else columns.where(~columns.extra)
    counts = np.histogram(sent.intended_start_s, edges)[0]
    # A poll stands for one interval of one agent.
    polling = counts * interval_s / np.diff(edges)
    upper.stairs(polling, time.of(edges), color=GRID, fill=True, label="polled (polls × interval)", gid="polled")
    upper.stairs(
        steps[1], time.of(steps[0]), color=BLUE, lw=2.0, baseline=None, label="by the schedule", gid="scheduled"
    )
    upper.set_ylim(0, max(float(steps[1].max(initial=1)), float(polling.max(initial=1))) * 1.12)
    upper.set_ylabel("Agents\n[count]")
    upper.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    time.dress(upper, label=False)
    legend_above(upper, 4, handle=1.8)
    _binned_times(lower, columns, edges, time)
    time.dress(lower)
    return figure


def _binned_times(axes: Axes, columns: Columns, edges: Floats, time: TimeAxis) -> None:
    middles, p50s, p95s = binned_quantiles(columns, edges)
    finite = np.concatenate((p50s[np.isfinite(p50s)], p95s[np.isfinite(p95s)]))
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (1e-3, 1e-2)
    duration_axis(axes, low, high, "Response time")
    labels = []
    for name, values, colour, marker in (("p50", p50s, SKY, "o"), ("p95", p95s, BLUE, "s")):
        # Over a bin in which too many polls failed the line has a gap.
        shown = np.where(np.isfinite(values), values, np.nan)
        axes.plot(time.of(middles), shown, color=colour, marker=marker, ms=3.5, lw=1.5, gid=f"binned-{name}")
        if np.isfinite(shown).any():
            labels.append((float(shown[np.isfinite(shown)][-1]), name, colour))
    right_labels(axes, labels)


def binned_quantiles(columns: Columns, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """
    Return middles, p50 and p95 of the response time of each bin that holds some polls.

    Args:
        columns: in any order.
        edges: rising [s].

    Returns:
        Three arrays of the same length; values infinite where as many polls failed.
    """
    response = columns.response_time_s
    place = np.digitize(columns.intended_start_s, edges) - 1
    rows = []
    for number in range(len(edges) - 1):
        inside = response[place == number]
        if len(inside) >= _LEAST_POLLS:
            p50, p95, _ = quantiles3(inside)
            rows.append(((edges[number] + edges[number + 1]) / 2, p50, p95))
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
    return table[:, 0], table[:, 1], table[:, 2]


@styled
def draw_pickups(
    waves: Sequence[Wave], limits: Sequence[tuple[str, float]], *, interval_s: float, time: TimeAxis
) -> Figure:
    """
    Draw each deployment's time to pickup over the instant it was ordered, and beside it how it is distributed.

    Args:
        waves: the pickups, wave by wave, at least one.
        limits: name and value [s] of the gates on it.
        interval_s: polling interval of each agent [s], the longest that a punctual agent takes.
        time: the run's.
    """
    figure = new_figure("Time to pickup", 3.4)
    lost = any(len(wave.lost_s) for wave in waves)
    top_in = 0.5 if lost else 0.2
    axes = panel(figure, _LEFT_IN, 0.55, WIDTH_IN - 5.35, top_in)
    share = panel(figure, 5.55, 0.55, 1.2, top_in)
    times = np.concatenate([wave.times_s for wave in waves])
    shown = np.concatenate((np.maximum(times, 1e-4), [interval_s], [limit_s for _, limit_s in limits]))
    # Linear: the times of a fleet spread evenly are a straight line from 0 to the interval.
    top = float(shown.max()) * 1.08
    for place in (axes, share):
        place.set_ylim(0, top)
        place.yaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel("Time to pickup [s]")
    time.dress(axes, named=True)
    axes.set_xlabel(f"Ordered at, since the run's start [{time.unit}]")
    for number, wave in enumerate(waves):
        x = time.of(wave.created_s)
        kept = thin(x, wave.times_s)[0] if len(x) else np.arange(0)
        axes.scatter(
            x[kept],
            wave.times_s[kept],
            s=14,
            c=(BLUE, SKY)[number % 2],
            marker=("o", "s")[number % 2],
            linewidths=0,
            alpha=0.6,
            gid=f"wave-{number}",
        )
        _mark_middle(axes, wave, time)
        _share_line(share, wave.judged_s, color=MUTED, lw=0.8, gid=f"share-{number}")
    together = np.concatenate([wave.judged_s for wave in waves])
    _share_line(share, together, color=BLUE, lw=2.2, gid="share")
    share.set_xlim(0, 100)
    share.set_xlabel("Fetched by then [%]")
    share.tick_params(labelleft=False)
    for place in (axes, share):
        place.axhline(interval_s, color=MUTED, lw=1.0, ls=(0, (1, 1.5)))
        for name, limit_s in limits:
            place.axhline(limit_s, color=VERMILLION, lw=1.1, ls=(0, (5, 3)), gid=None if place is share else name)
    right_labels(
        share,
        [
            (interval_s, f"interval {trimmed_duration(interval_s)}", MUTED),
            *((limit_s, f"{name} {trimmed_duration(limit_s)}", VERMILLION) for name, limit_s in limits),
        ],
    )
    if lost:
        _lost_lane(axes, waves, time, top)
    return figure


def _mark_middle(axes: Axes, wave: Wave, time: TimeAxis) -> None:
    """Draw a wave's median as a short bar."""
    median = wave.quantiles.p50
    if median is None or not np.isfinite(median):
        return
    half = 0.02 * time.end_s / time.unit_s
    x = float(time.of(np.array([wave.from_s]))[0])
    axes.plot([x - half, x + half], [median] * 2, color=INK, lw=2.2, solid_capstyle="butt", zorder=4)


def _share_line(axes: Axes, judged_s: Floats, **look: Any) -> None:
    """Draw which share of the orders was fetched within each time."""
    ordered = np.sort(judged_s)
    shares = 100 * np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    kept = np.isfinite(ordered)
    x, y = np.concatenate(([0.0], shares[kept])), np.concatenate(([0.0], ordered[kept]))
    axes.plot(x, y, drawstyle="steps-post", **look)


def _lost_lane(axes: Axes, waves: Sequence[Wave], time: TimeAxis, top: float) -> None:
    """Mark what nobody fetched above the plot: it has no time to pickup."""
    lost = time.of(np.concatenate([wave.lost_s for wave in waves]))
    axes.scatter(
        lost,
        np.full(len(lost), top * 1.07),
        s=36,
        marker="x",
        c=VERMILLION,
        linewidths=1.4,
        clip_on=False,
        gid="lost",
    )
    axes.annotate(
        "not\nfetched", (-0.02, 1.07), xycoords="axes fraction", ha="right", va="center", fontsize=9, color=INK
    )


@styled
def draw_target(ticks: Sequence[TargetTick], *, time: TimeAxis) -> Figure:
    """
    Draw how an embedded target fared: CPU, memory, connections and open files.

    Args:
        ticks: in order of time, at least one.
        time: the run's.
    """
    figure, panels = stack("Health of the target", (0.8,) * 4, left_in=_LEFT_IN, right_in=_RIGHT_IN)
    t_s = np.array([tick.t_s for tick in ticks])
    series = (
        ("CPU\n[cores]", cpu_cores(ticks), BLUE),
        ("Memory\n[MB]", np.array([tick.rss_bytes / 1e6 for tick in ticks]), PLUM),
        ("Connections\n[count]", np.array([float(tick.connections) for tick in ticks]), BLUE),
        ("Open files\n[count]", np.array([float(tick.open_files) for tick in ticks]), PLUM),
    )
    broken = _broken(t_s, time)
    for number, (axes, (label, values, colour)) in enumerate(zip(panels, series, strict=True)):
        shown = np.where(broken, np.nan, values)
        x = time.of(t_s)
        axes.plot(x, shown, color=colour, lw=1.6, marker="o" if len(ticks) < 3 else None, gid=f"target-{number}")
        finite = values[np.isfinite(values)]
        axes.set_ylim(0, max(float(finite.max(initial=0.0)) * 1.2, 0.1 if number == 0 else 1.0))
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=number > 1))
        time.dress(axes, label=axes is panels[-1], named=axes is panels[-1])
    figure.align_ylabels(panels)
    return figure


def cpu_cores(ticks: Sequence[TargetTick]) -> Floats:
    """Return the CPU use between each tick and the one before, in cores; NaN for the first, and over a restart."""
    t_s = np.array([tick.t_s for tick in ticks])
    used = np.diff(np.array([tick.cpu_s for tick in ticks]))
    elapsed = np.maximum(np.diff(t_s), 1e-9)
    return np.concatenate(([np.nan], np.where(used < 0, np.nan, used / elapsed)))


def _broken(t_s: Floats, time: TimeAxis) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return which ticks begin anew after an outage: the line must not run through it."""
    if time.away_s is None:
        return np.zeros(len(t_s), dtype=np.bool_)
    # The first tick after the gap is given up, for want of a place between the two.
    after = np.diff(t_s, prepend=t_s[:1])
    return np.asarray((t_s >= time.away_s[0]) & (after > 0.5 * (time.away_s[1] - time.away_s[0])))


_SCALES = {"s": (1e3, "ms"), "bytes": (1e-6, "MB")}


@styled
def draw_drift(series: Sequence[DriftSeries], findings: Sequence[Finding], *, time: TimeAxis) -> Figure:
    """
    Draw the watched series of a soak with their straight lines, one panel each, and what was said of them.

    Args:
        series: at least one, with at least one value.
        findings: of the gates named ``drift-`` and the series' name.
        time: the run's.
    """
    figure, panels = stack("Drift of the watched series", (0.82,) * len(series), left_in=1.25, right_in=1.35)
    status = {finding.gate.name: finding.status.value for finding in findings}
    for axes, one in zip(panels, series, strict=True):
        scale, unit = _SCALES.get(one.unit, (1.0, "count"))
        times_s, values = np.array(one.times_s), np.array(one.values) * scale
        x = time.of(times_s)
        axes.plot(x, values, color=BLUE, marker="o", ms=3.5, lw=0.8, gid=f"drift-{one.name}")
        middle = float(np.median(values))
        if one.slope_per_s is not None:
            line = middle + one.slope_per_s * scale * (times_s - float(np.median(times_s)))
            axes.plot(x, line, color=VERMILLION, lw=1.6, ls=(0, (5, 2)), gid=f"line-{one.name}")
        # At least a fifth of the value: a series that stands still looks as if it did.
        room = max(0.1 * abs(middle), 0.5 if not middle else 0.0)
        low, high = min(values.min(), middle - room), max(values.max(), middle + room)
        axes.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.set_ylabel(f"{_short(one.name)}\n[{unit}]")
        told = status.get(f"drift-{one.name}")
        right_labels(axes, [(middle, "\n".join(filter(None, (signed_ratio(one.change_ratio), told))), MUTED)])
        time.dress(axes, label=axes is panels[-1])
    figure.align_ylabels(panels)
    return figure


def _short(name: str) -> str:
    return {"response-p50": "Response\np50", "response-p95": "Response\np95", "files": "Open\nfiles"}.get(
        name, name.capitalize()
    )
