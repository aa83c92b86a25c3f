"""Response time and rate against the size of the fleet, with the capacity and the knee."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.capacity_model import Capacity, Step
from harness.model import Status
from harness.report.charts_output import save_png, to_svg
from harness.report.charts_style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    PLUM,
    SHADE,
    SURFACE,
    VERMILLION,
    duration_axis,
    new_figure,
    panel,
    right_labels,
    styled,
)
from harness.rundir import atomic_path

_LINES = (("p50_s", "p50", GREEN, "s"), ("p95_s", "p95", BLUE, "o"), ("p99_s", "p99", PLUM, "^"))
_HEIGHT_IN = 5.6
_LEFT_IN, _RIGHT_IN = 0.95, 0.85


def write_capacity_charts(capacity: Capacity, folder: Path) -> None:
    """Write ``capacity.png`` and ``capacity.svg`` into a folder."""
    figure = draw_capacity(capacity)
    with atomic_path(folder / "capacity.svg") as path:
        path.write_text(to_svg(figure, "capacity"), encoding="utf-8")
    with atomic_path(folder / "capacity.png") as path:
        save_png(figure, path, note=capacity.id)


@styled
def draw_capacity(capacity: Capacity) -> Figure:
    """
    Draw response time above and rate below, both against the fleet on a logarithmic axis.

    Args:
        capacity: with at least one step.
    """
    figure = new_figure("Response time and rate against the size of the fleet", _HEIGHT_IN)
    above = panel(figure, _LEFT_IN, 2.7, _RIGHT_IN, 0.3)
    below = panel(figure, _LEFT_IN, 0.85, _RIGHT_IN, 3.3)
    steps = sorted(capacity.steps, key=lambda step: step.agents)
    for axes in (above, below):
        _fleet_axis(axes, steps)
        _bracket(axes, capacity)
    _times(above, steps, capacity.limits_s)
    _rates(below, steps, capacity.interval_s)
    _key(figure, capacity)
    above.tick_params(labelbottom=False)
    below.set_xlabel("Agents (log scale)")
    _marks(above, capacity)
    return figure


def _times(axes: Axes, steps: Sequence[Step], limits_s: Mapping[str, float]) -> None:
    finite = [
        value for step in steps for value in (_finite(step, field) for field, *_ in _LINES) if value is not None
    ]
    shown = [*finite, *(limits_s[name] for _, name, *_ in _LINES if name in limits_s)]
    duration_axis(axes, min(shown, default=1e-3), max(shown, default=1.0), "Response time", room_in=(0.25, 0.2))
    labels = []
    for field, name, colour, marker in _LINES:
        by_fleet: dict[int, list[float]] = {}
        for step in steps:
            value = _finite(step, field)
            if value is None:
                continue
            by_fleet.setdefault(step.agents, []).append(value)
            filled = colour if step.status is Status.PASS else SURFACE
            axes.plot([step.agents], [value], marker=marker, ms=6, color=colour, mfc=filled, zorder=4)
        if by_fleet:
            # Two tries at one fleet meet in the middle, on the axis's own scale.
            middles = [statistics.geometric_mean(values) for values in by_fleet.values()]
            axes.plot(list(by_fleet), middles, color=colour, lw=1.4, zorder=3)
            labels.append((middles[-1], name, colour))
        if name in limits_s:
            axes.axhline(limits_s[name], color=colour, lw=1.0, ls=(0, (1, 2)), zorder=2)
    right_labels(axes, labels)


def _finite(step: Step, field: str) -> float | None:
    value: float | None = getattr(step, field)
    return value if value is not None and math.isfinite(value) and value > 0 else None


def _rates(axes: Axes, steps: Sequence[Step], interval_s: float) -> None:
    agents = [step.agents for step in steps]
    wanted = [fleet / interval_s for fleet in agents]
    axes.plot(agents, wanted, color=MUTED, lw=1.2, ls="--", zorder=3)
    for step in steps:
        filled = BLUE if step.status is Status.PASS else SURFACE
        axes.plot([step.agents], [step.achieved_per_s], color=BLUE, mfc=filled, marker="o", ms=5, zorder=4)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("Polls a second")
    axes.margins(y=0.15)
    right_labels(axes, [(wanted[-1], "wanted", MUTED), (steps[-1].achieved_per_s, "answered", BLUE)])


def _key(figure: Figure, capacity: Capacity) -> None:
    """Say below the plot what its marks mean."""
    width_in, height_in = figure.get_size_inches()
    text = "filled: every gate held; open: one did not, or could not be told"
    if set(capacity.limits_s) & {name for _, name, *_ in _LINES}:
        text += "; dotted: the limit of the line of that colour"
    figure.text(_LEFT_IN / width_in, 0.08 / height_in, text, fontsize=8.5, color=MUTED)


def _fleet_axis(axes: Axes, steps: Sequence[Step]) -> None:
    low, high = steps[0].agents, steps[-1].agents
    axes.set_xscale("log")
    # One fleet alone gets room on both sides.
    axes.set_xlim(low / 1.25, max(high, low + 1) * 1.25)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=15))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _bracket(axes: Axes, capacity: Capacity) -> None:
    """Shade between the largest fleet that held and the smallest that broke."""
    if capacity.agents is not None:
        axes.axvline(capacity.agents, color=GREEN, lw=1.2, zorder=2)
    if capacity.fails_at is not None:
        axes.axvline(capacity.fails_at, color=VERMILLION, lw=1.2, ls=":", zorder=2)
        axes.axvspan(capacity.agents or axes.get_xlim()[0], capacity.fails_at, color=SHADE, zorder=0)


def _marks(axes: Axes, capacity: Capacity) -> None:
    """Name the capacity and the knee above the panel, on the side where there is room."""
    told = []
    if capacity.agents is not None:
        told.append((capacity.agents, f"holds: {capacity.agents:,}", "right", GREEN))
    if capacity.fails_at is not None:
        told.append((capacity.fails_at, f"breaks: {capacity.fails_at:,}", "left", VERMILLION))
    for agents, text, side, colour in told:
        axes.annotate(
            text,
            (agents, 1.0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            xytext=(-4 if side == "right" else 4, 4),
            ha=side,
            fontsize=9,
            color=INK,
            bbox={"boxstyle": "square,pad=0.1", "fc": "none", "ec": "none"},
            arrowprops=None,
        )
        axes.plot(
            [agents], [1.0], transform=axes.get_xaxis_transform(), marker="v", ms=5, color=colour, clip_on=False
        )
    if capacity.knee_agents is not None:
        axes.annotate(
            f"knee: {capacity.knee_agents:,}",
            (capacity.knee_agents, 0.0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            xytext=(-4, 4),
            ha="right",
            fontsize=9,
            color=INK,
        )
        axes.axvline(capacity.knee_agents, ymax=0.07, color=INK, lw=1.6)
