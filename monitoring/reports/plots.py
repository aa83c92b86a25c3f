"""
Plots over time as SVG, drawn with nothing but the standard library: a service has no plotting library.

Whatever colour says, a dash pattern and a label at the line's end say too. Colours are named by the page's own
variables, so that one picture fits light and dark.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from monitoring.reports.document import Curve, Plot

_WIDTH, _HEIGHT = 760.0, 230.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 96.0, 12.0, 28.0
_LABEL_HEIGHT = 14.0
_STYLES = (
    ("--plot-blue", ""),
    ("--plot-vermillion", "6 3"),
    ("--plot-green", "2 3"),
    ("--plot-purple", "9 3 2 3"),
)
_STEPS_S = (
    10,
    30,
    60,
    300,
    600,
    1800,
    3600,
    2 * 3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    86400,
    7 * 86400,
    30 * 86400,
)


def svg(plot: Plot) -> str:
    """Return the plot as an SVG element; a plot without a single value says so."""
    top = _top(plot)
    if top is None:
        return f'<p class="empty">{escape(plot.title)}: no values in this window.</p>'
    parts = [*_axes(plot, top), *_limits(plot, top), *_curves(plot, top)]
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="img" aria-label="{escape(plot.title)}">'
        f"{''.join(parts)}</svg>"
    )


def _top(plot: Plot) -> float | None:
    """Return the upper end of the value axis; limits count when the curves come near them."""
    values = [value for curve in plot.curves for value in curve.values if value is not None]
    if not values:
        return None
    highest = max(values)
    near = [limit for _, limit in plot.limits if limit <= highest * 2]
    return nice_step(max([highest, *near], default=1.0) / 4 or 0.25) * 4


def nice_step(least: float) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `least` [> 0]."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def _x(time: datetime, plot: Plot) -> float:
    first, last = plot.times[0], plot.times[-1]
    length_s = (last - first).total_seconds()
    if length_s <= 0:
        return (_LEFT + _WIDTH - _RIGHT) / 2
    return _LEFT + (time - first).total_seconds() / length_s * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - min(value / top, 1.0) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(plot: Plot, top: float) -> Iterator[str]:
    for quarter in range(5):
        value = top * quarter / 4
        y = _y(value, top)
        yield f'<line class="grid" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{escape(plot.tick(value))}</text>'
    for time, label in ticks(plot.times):
        x = _x(time, plot)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP:g}" y2="{_HEIGHT - _BOTTOM + 4:g}"/>'
        yield f'<text x="{x:.1f}" y="{_HEIGHT - 8:g}" text-anchor="middle">{label}</text>'


def ticks(times: Sequence[datetime]) -> list[tuple[datetime, str]]:
    """Return round instants within the times, at most eight, with their labels."""
    first, last = times[0], times[-1]
    length_s = (last - first).total_seconds()
    step_s = next((step for step in _STEPS_S if length_s / step <= 8), _STEPS_S[-1])
    form = "%m-%d" if step_s >= 86400 else "%H:%M" if step_s >= 60 else "%H:%M:%S"
    at_s = math.ceil(first.timestamp() / step_s) * step_s
    found: list[tuple[datetime, str]] = []
    while at_s <= last.timestamp():
        time = datetime.fromtimestamp(at_s, first.tzinfo)
        # Midnight is the one instant whose day has to be said.
        found.append((time, time.strftime("%m-%d" if step_s < 86400 and at_s % 86400 == 0 else form)))
        at_s += step_s
    return found


def _limits(plot: Plot, top: float) -> Iterator[str]:
    for name, limit in plot.limits:
        if limit <= top:
            y = _y(limit, top)
            yield f'<line class="limit" x1="{_LEFT:g}" x2="{_WIDTH - _RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text class="limit" x="{_LEFT + 4:g}" y="{y - 4:.1f}">{escape(name)}</text>'


def _curves(plot: Plot, top: float) -> Iterator[str]:
    ends: list[tuple[float, int]] = []
    for at, curve in enumerate(plot.curves):
        colour, dash = _STYLES[at % len(_STYLES)]
        style = f'style="stroke:var({colour})"' + (f' stroke-dasharray="{dash}"' if dash else "")
        for piece in _pieces(plot, curve, top):
            if len(piece) == 1:
                x, y = piece[0]
                yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" style="fill:var({colour})"/>'
            else:
                points = " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
                yield f'<polyline class="curve" points="{points}" {style}/>'
            last_y = piece[-1][1]
        if any(value is not None for value in curve.values):
            ends.append((last_y, at))
    x = _WIDTH - _RIGHT + 8
    for y, at in _apart(ends):
        colour, dash = _STYLES[at % len(_STYLES)]
        style = f'style="stroke:var({colour})"' + (f' stroke-dasharray="{dash}"' if dash else "")
        yield f'<line class="curve" x1="{x:g}" x2="{x + 20:g}" y1="{y:.1f}" y2="{y:.1f}" {style}/>'
        yield f'<text class="name" x="{x + 26:g}" y="{y + 4:.1f}">{escape(plot.curves[at].name)}</text>'


def _pieces(plot: Plot, curve: Curve, top: float) -> Iterator[list[tuple[float, float]]]:
    piece: list[tuple[float, float]] = []
    for time, value in zip(plot.times, curve.values, strict=True):
        if value is not None:
            piece.append((_x(time, plot), _y(value, top)))
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def _apart(ends: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """Move labels so far from each other that none covers another, and all stay inside."""
    placed: list[tuple[float, int]] = []
    for y, at in sorted(ends):
        placed.append((max(y, placed[-1][0] + _LABEL_HEIGHT if placed else _TOP), at))
    over = placed[-1][0] - (_HEIGHT - _BOTTOM) if placed else 0.0
    if over > 0:
        # Push up from below, as far as needed and no further.
        bottom = _HEIGHT - _BOTTOM
        for index in range(len(placed) - 1, -1, -1):
            y, at = placed[index]
            placed[index] = (min(y, bottom), at)
            bottom = placed[index][0] - _LABEL_HEIGHT
    return placed
