"""Plots of durations: response time over time, its distribution, and where the time went."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from harness.columns import Columns, Floats, Ints
from harness.model import Quantiles
from harness.report.captions import ResponseLimit, at
from harness.report.charts_style import (
    BLUE,
    GRID,
    INK,
    ORANGE,
    PURPLE,
    RASTER_ABOVE,
    SKY,
    SURFACE,
    VERMILLION,
    WIDTH_IN,
    TimeAxis,
    duration_axis,
    legend_above,
    new_figure,
    panel,
    right_labels,
    styled,
    thin,
)
from harness.report.charts_text import route_label
from harness.report.context import QuantileBand
from harness.report.parts import Part
from harness.report.words import trimmed_duration
from harness.units import format_duration, format_ratio

_LEFT_IN = 0.95
_RIGHT_IN = 1.35
QUANTILE_MARKS = ((0.5, "p50", "o", SKY), (0.95, "p95", "s", ORANGE), (0.99, "p99", "^", PURPLE))


@styled
def draw_response_times(columns: Columns, limits: Sequence[ResponseLimit], *, time: TimeAxis) -> Figure:
    """
    Draw the response time of every poll over its intended start.

    Failed polls stand as crosses in a lane of their own at the top: they have no response time, yet they count.

    Args:
        columns: the whole run.
        limits: drawn as lines and labelled.
        time: the run's.
    """
    some_failed = not bool(columns.ok.all())
    figure = new_figure("Response time over time", 3.5)
    axes = panel(figure, _LEFT_IN, 0.55, _RIGHT_IN, 0.42 if some_failed else 0.1)
    x, y = time.of(columns.intended_start_s[columns.ok]), np.maximum(columns.response_time_s[columns.ok], 1e-6)
    marks = [limit.limit_s for limit in limits]
    low, high = _range(y, marks)
    logarithmic = duration_axis(axes, low, high, "Response time", room_in=(0.28, 0.12))
    time.dress(axes, named=True)
    kept, counts = thin(x, np.log(y) if logarithmic else y) if len(x) else (np.arange(0), np.arange(0))
    size = 16.0 if len(x) < 600 else 9.0 if len(x) < 6000 else 4.0
    axes.scatter(
        x[kept],
        y[kept],
        s=size,
        c=to_rgba_array(BLUE, _density(counts)),
        linewidths=0,
        rasterized=len(kept) > RASTER_ABOVE,
        gid="polls",
    )
    for limit in limits:
        axes.axhline(limit.limit_s, color=VERMILLION, lw=1.1, ls=(0, (5, 3)), gid=f"limit-{limit.name}")
    right_labels(
        axes,
        [(limit.limit_s, f"{limit.name} limit {trimmed_duration(limit.limit_s)}", VERMILLION) for limit in limits],
    )
    if some_failed:
        _failure_lane(figure, axes, time.of(columns.intended_start_s[~columns.ok]))
    return figure


@styled
def draw_distribution(
    response: Floats,
    service: Floats,
    times: Quantiles,
    limits: Sequence[ResponseLimit],
    *,
    band: QuantileBand | None = None,
) -> Figure:
    """
    Draw response and service time over the share of polls that were at least as fast.

    The share is on a logarithmic axis of what remains above it, so that p50, p95 and p99 have room whatever n is,
    and a gate is a mark that the curve has to stay below. Failed polls are infinitely slow: the curve leaves the
    plot at their share.

    Args:
        response: response times of the measured polls, infinite for failed ones [s].
        service: service times of those that were answered [s].
        times: their p50, p95 and p99, to be marked.
        limits: marked as bars that the curve must pass under.
        band: where each quantile of the response time lies; None to draw none.
    """
    finite = response[np.isfinite(response)]
    n = len(response)
    # The legend takes a second line when both the band and a failed share stand in it.
    extra_in = 0.18 if band is not None and len(finite) < n else 0.0
    figure = new_figure("Distribution of response time", 3.9 + extra_in)
    axes = panel(figure, _LEFT_IN, 0.55, 0.45, 0.36 + extra_in)
    # Beyond five nines a curve of any length rests on a handful of polls, and takes room from the gates' part.
    last_share = min(1 - 1 / (2 * max(n, 100)), 0.99999)
    low, high = _range(np.maximum(np.concatenate((finite, service)), 1e-6), [limit.limit_s for limit in limits])
    duration_axis(axes, low, high, "Response time", room_in=(0.36, 0.36))
    edge = _share_axis(axes, last_share)
    if band is not None:
        _draw_band(axes, band, edge)
    dashed: dict[str, Any] = {"color": INK, "lw": 1.1, "ls": (0, (4, 3)), "zorder": 3}
    _curve(axes, service, edge, label="service time (from sending)", gid="service", **dashed)
    _curve(axes, response, edge, label="response time (from intended start)", gid="response", color=BLUE, lw=2.0)
    if len(finite) < n:
        _shade_failed(axes, (n - len(finite)) / n, last_share)
    _mark_limits(axes, limits, times)
    _mark_quantiles(axes, limits, times)
    legend_above(axes, 3, handle=2.2, gap=2.0)
    return figure


def _share_axis(axes: Axes, last_share: float) -> float:
    """Scale the distribution's axis up to a share, and return where on the axis that stands."""
    edge = float(_nines(np.array([last_share]))[0])
    axes.set_xlim(0.0, edge)
    shown = _shares_shown(last_share)
    axes.xaxis.set_major_locator(FixedLocator([float(v) for v in _nines(np.array(shown))]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda _, i: f"{shown[i] * 100:.6g} %" if i is not None else ""))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Share of polls that took no longer [%, logarithmic towards 100]")
    return edge


def _draw_band(axes: Axes, band: QuantileBand, edge: float) -> None:
    """Shade where each quantile lies; paler where the data bound it from below only, up to the plot's edge."""
    bottom, top = axes.get_ylim()
    x = _nines(np.array(band.shares))
    low = np.array([bottom if bound is None else max(bound, bottom) for bound in band.low_s])
    high = np.array([top if bound is None else min(bound, top) for bound in band.high_s])
    bounded = np.array([bound is not None for bound in band.high_s])
    name = f"{band.confidence * 100:g} % confidence"
    # The open part begins where the bounded one ends, not a step further.
    opened = ~bounded | np.append(~bounded[1:], [False])
    for gid, part, alpha, label in (("band", bounded, 0.34, name), ("band-open", opened, 0.13, "_")):
        axes.fill_between(
            x,
            low,
            high,
            where=(part & (x <= edge)).tolist(),
            step="mid",
            color=SKY,
            alpha=alpha,
            lw=0,
            zorder=1.5,
            gid=gid,
            label=label,
        )


@styled
def draw_breakdown(parts: Sequence[Part], *, title: str = "Where the time went") -> Figure:
    """
    Draw p50, p95 and p99 of several durations side by side, one row each, with the figures written beside.

    Args:
        parts: from the top down, such as the parts of a poll in the order it meets them; at least one value known.
        title: of the figure.
    """
    figure = new_figure(title, 0.95 + 0.4 * len(parts))
    left_in, right_in = 2.15 if max(len(part.name) for part in parts) < 30 else 3.1, 2.45
    labels = [route_label(part.name, widest_in=left_in - 0.2, size_pt=10) for part in parts]
    axes = panel(figure, left_in, 0.5, right_in, 0.3)
    values = [v for part in parts for v in (part.p50, part.p95, part.p99) if v is not None]
    positive = [v for v in values if 1e-6 < v < np.inf] or [1e-3]
    duration_axis(axes, min(positive), max(positive), "Time", along="x", room_in=(0.2, 0.2))
    left_edge = axes.get_xlim()[0]
    axes.set_ylim(len(parts) - 0.5, -0.5)
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(parts)))))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda _, i: labels[i] if i is not None and i < len(labels) else "")
    )
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(visible=False, axis="y")
    for row, part in enumerate(parts):
        known = [max(v, left_edge) for v in (part.p50, part.p95, part.p99) if v is not None]
        if known:
            axes.plot([min(known), max(known)], [row, row], color=GRID, lw=5, solid_capstyle="round", zorder=1)
    for column, (_, name, marker, colour) in enumerate(QUANTILE_MARKS):
        look: dict[str, Any] = {
            "ls": "",
            "marker": marker,
            "mfc": colour,
            "mec": INK,
            "mew": 0.7,
            "clip_on": False,
        }
        told = [(row, v) for row, part in enumerate(parts) if (v := getattr(part, name)) is not None]
        # What is too short for the axis stands on its edge; its figure beside tells the truth.
        x = [max(v, left_edge) for _, v in told]
        axes.plot(x, [row for row, _ in told], ms=8, zorder=3, gid=f"parts-{name}", **look)
        place = 1.0 + (0.3 + 0.75 * column) / (WIDTH_IN - left_in - right_in)
        _write_column(axes, place, name, [getattr(part, name) for part in parts], look)
    return figure


def _write_column(axes: Axes, x: float, name: str, values: Sequence[float | None], look: dict[str, Any]) -> None:
    """Write a quantile's figures right of the axes, under its mark and name."""
    above = 1.0 + 0.16 / (0.4 * len(values))
    axes.plot([x - 0.01], [above], ms=7, transform=axes.transAxes, **look)
    axes.annotate(name, (x + 0.015, above), xycoords="axes fraction", va="center", fontsize=9.5)
    for row, value in enumerate(values):
        place = (x - 0.03, row)
        axes.annotate(format_duration(value), place, xycoords=("axes fraction", "data"), va="center", fontsize=9.5)


def _range(values: Floats, limits: Sequence[float]) -> tuple[float, float]:
    """Return the least and largest value to show; an invented millisecond when there is none."""
    shown = np.concatenate((values, np.asarray(limits, dtype=np.float64)))
    if len(shown) == 0:
        return 1e-3, 1e-2
    return float(shown.min()), float(shown.max())


def _nines(share: Floats) -> Floats:
    """Map a share in [0, 1) to the distribution's axis: 0.9 → 1, 0.99 → 2."""
    return -np.log10(1 - share)


def _curve(axes: Axes, values: Floats, edge: float, **style: object) -> None:
    """Draw the nearest-rank quantile function, at most some 2,000 steps of it."""
    n = len(values)
    if n == 0:
        return
    ordered = np.sort(values)
    # Ranks evenly spaced on the axis, all of them where n is small.
    ranks = (
        np.unique(np.round(n * (1 - 10 ** -np.linspace(0, np.log10(n) + 1e-9, 2000))).astype(np.int64))
        if n > 2000
        else np.arange(n)
    )
    ranks = ranks[ranks < n]
    ordered, shares = ordered[ranks], ranks / n
    kept = np.isfinite(ordered)
    if not kept.any():
        return
    x = np.append(
        _nines(shares[kept]),
        edge
        if kept.all()
        else float(_nines(np.array([kept.sum() / n if n <= 2000 else np.isfinite(values).sum() / n]))[0]),
    )
    y = np.append(ordered[kept], ordered[kept][-1])
    axes.step(x, y, where="post", solid_capstyle="butt", **style)  # type: ignore[arg-type]


def _shares_shown(last_share: float) -> list[float]:
    """Return the ticks of the distribution's axis, those that matter first, as many as have room."""
    edge = float(_nines(np.array([last_share]))[0])
    kept: list[float] = []
    for share in (0.5, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9, 0.75, 0.25, 0.0):
        x = float(_nines(np.array([share]))[0])
        room = all(abs(x - float(_nines(np.array([other]))[0])) > 0.075 * edge for other in kept)
        if share <= last_share and room:
            kept.append(share)
    return sorted(kept)


def _shade_failed(axes: Axes, failed_ratio: float, last_share: float) -> None:
    start, edge = _nines(np.array([min(1 - failed_ratio, last_share), last_share]))
    axes.axvspan(
        start,
        edge,
        facecolor="none",
        edgecolor=VERMILLION,
        hatch="////",
        alpha=0.35,
        lw=0,
        gid="failed",
        label=f"failed: {format_ratio(failed_ratio)}",
    )


def _mark_limits(axes: Axes, limits: Sequence[ResponseLimit], times: Quantiles) -> None:
    edge = axes.get_xlim()[1]
    for limit in limits:
        x = float(_nines(np.array([limit.quantile]))[0])
        if x > edge:
            continue
        half = edge * 0.025
        axes.plot(
            [x - half, x + half],
            [limit.limit_s] * 2,
            color=VERMILLION,
            lw=2.6,
            solid_capstyle="butt",
            gid=f"limit-{limit.name}",
        )
        _mark_text(
            axes, x, limit.limit_s, f"limit {trimmed_duration(limit.limit_s)}", above=not _over(limit, times)
        )


def _mark_quantiles(axes: Axes, limits: Sequence[ResponseLimit], times: Quantiles) -> None:
    over = {limit.quantile for limit in limits if _over(limit, times)}
    for q, name, marker, colour in QUANTILE_MARKS:
        value = at(times, q)
        if value is None or not np.isfinite(value):
            continue
        x = float(_nines(np.array([q]))[0])
        axes.plot(
            [x], [value], marker=marker, ms=9, mfc=colour, mec=INK, mew=0.8, zorder=4, gid=f"measured-{name}"
        )
        _mark_text(axes, x, value, f"{name} {format_duration(value)}", above=q in over, bold=True)


def _over(limit: ResponseLimit, times: Quantiles) -> bool:
    """Whether the measured value lies on the far side of its limit: then the two labels change sides."""
    value = at(times, limit.quantile)
    return value is not None and value >= limit.limit_s


def _mark_text(axes: Axes, x: float, y: float, text: str, *, above: bool, bold: bool = False) -> None:
    """Write beside a mark on a ground of its own, kept inside the axes at their left edge."""
    left = x < 0.09 * axes.get_xlim()[1]
    axes.annotate(
        text,
        (x, y),
        (-14 if left else 0, (7 if above else -8) + (3 if above else -3) * bold),
        textcoords="offset points",
        ha="left" if left else "center",
        va="bottom" if above else "top",
        fontsize=9.5 if bold else 9,
        fontweight="bold" if bold else "normal",
        bbox={"boxstyle": "square,pad=0.1", "fc": SURFACE, "ec": "none", "alpha": 0.85},
        zorder=5,
    )


def _density(counts: Ints) -> Floats:
    """Return an opacity for marks that stand for this many polls each."""
    if len(counts) == 0 or counts.max() == 1:
        return np.full(len(counts), 0.6)
    return np.asarray(0.3 + 0.7 * np.log(counts) / np.log(counts.max()), dtype=np.float64)


def _failure_lane(figure: Figure, below: Axes, x: Floats) -> None:
    box = below.get_position()
    height_in = float(figure.get_figheight())
    lane = figure.add_axes((box.x0, box.y1 + 0.06 / height_in, box.width, 0.26 / height_in), sharex=below)
    lane.set_ylim(-1, 1)
    lane.tick_params(labelbottom=False, bottom=False, left=False, labelleft=False)
    lane.grid(visible=False)
    for side in lane.spines.values():
        side.set_visible(False)
    lane.set_facecolor("none")
    kept, counts = thin(x, np.zeros(len(x)))
    lane.scatter(
        x[kept],
        np.zeros(len(kept)),
        s=36,
        marker="x",
        linewidths=1.4,
        c=to_rgba_array(VERMILLION, np.maximum(_density(counts), 0.6)),
        rasterized=len(kept) > RASTER_ABOVE,
        gid="failures",
    )
    lane.annotate(
        "failed", (-0.012, 0.5), xycoords="axes fraction", ha="right", va="center", fontsize=10, color=INK
    )
