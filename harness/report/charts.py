"""
Draw every plot of a report and write it: as PNG for people's hands, as SVG for the page.

`write_plots` is the one entry. Matplotlib is imported by this module and its ``charts_*`` neighbours only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from harness.columns import Columns, Floats
from harness.model import GeneratorTick, Quantiles, Result, ServerFigures
from harness.report import captions
from harness.report.charts_fleet import draw_agents, draw_errors, draw_generator, draw_rates
from harness.report.charts_style import save_png, to_svg
from harness.report.charts_times import Part, draw_breakdown, draw_distribution, draw_response_times
from harness.report.charts_trend import write_scene
from harness.report.context import QuantileBand, RunContext
from harness.report.trend.chart import Settings, lay_out, titled
from harness.report.trend.groups import groups_of
from harness.report.trend.svg import StyleBook, scene_svg
from harness.report.trend.words import place_caption
from harness.rundir import atomic_path, cannot_write
from monitoring.histogram import Histogram, nearest_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """
    One plot of a report, or the sentence that stands in its place.

    Args:
        name: name of its file without the suffix; unique in a report.
        title: heading.
        caption: what it shows for this run.
        path: the PNG; None where there was nothing to draw.
        svg: the same as an ``<svg>`` element for the page; None likewise.
    """

    name: str
    title: str
    caption: str
    path: Path | None
    svg: str | None


def write_plots(
    result: Result,
    columns: Columns,
    ticks: Sequence[GeneratorTick],
    folder: Path,
    *,
    band: QuantileBand | None = None,
    context: RunContext | None = None,
) -> tuple[Plot, ...]:
    """
    Draw the plots of a report and write each as PNG.

    Args:
        result: the finished run.
        columns: its samples, the warm-up included.
        ticks: the generator's health; empty when unknown.
        folder: where the PNGs go; made when missing.
        band: how sure the quantiles of the response time are; None when not known.
        context: the runs before this one; None without any.

    Returns:
        The plots in the order of the page.

    Raises:
        HarnessError: the folder can't be written.
    """
    note = f"{result.run.scenario.name}, {result.run.id}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        plots = tuple(_write(planned, folder, note) for planned in _plan(result, columns, ticks, band))
        return (*plots, *_place(context, folder))
    except OSError as fault:
        raise cannot_write(folder, fault) from fault


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A plot before it is drawn; `draw` is None where a sentence says it all."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure] | None


def _write(planned: _Planned, folder: Path, note: str) -> Plot:
    path = folder / f"{planned.name}.png"
    if planned.draw is None:
        # What an earlier rendering drew there is no longer true.
        path.unlink(missing_ok=True)
        return Plot(name=planned.name, title=planned.title, caption=planned.caption, path=None, svg=None)
    figure = planned.draw()
    with atomic_path(path) as temporary:
        save_png(figure, temporary, note=note)
    svg = to_svg(figure, planned.name)
    return Plot(name=planned.name, title=planned.title, caption=planned.caption, path=path, svg=svg)


def _place(context: RunContext | None, folder: Path) -> tuple[Plot, ...]:
    """Draw where the run stands among those before it."""
    path = folder / "trend.png"
    if context is None or context.place is None:
        path.unlink(missing_ok=True)
        return ()
    (group,) = groups_of((context.place,))
    chart = lay_out(group, Settings(marked=context.record, plot_height=170.0), notes=context.notes)
    title, caption = "Place in the trend", place_caption(context.place, context.record)
    write_scene(titled(chart, f"{title}: {group.title}", caption), path.with_suffix(""), ("png",))
    book = StyleBook()
    svg = scene_svg(chart.scene, book, kind="trend")
    styled_svg = svg.replace(">", f"><style>{book.sheet()}</style>", 1)
    return (Plot(name="trend", title=title, caption=caption, path=path, svg=styled_svg),)


def _plan(
    result: Result, columns: Columns, ticks: Sequence[GeneratorTick], band: QuantileBand | None
) -> Iterable[_Planned]:
    scenario = result.run.scenario
    limits = captions.response_limits(result)
    seen = columns.window(result.summary.window_start_s, result.summary.window_end_s)
    span = {"warmup_s": scenario.warmup_s, "end_s": _end_s(result, columns)}
    response, service = seen.with_missed().response_time_s, seen.service_time_s[seen.status > 0]
    intended_per_s = scenario.agents / scenario.interval_s
    parts, source = time_parts(seen, result.server, result.summary.service_time)
    sent, measured, failed = len(columns) > 0, len(seen) > 0, not bool(columns.ok.all())
    nothing = "No poll was sent."

    def plan(
        name: str, title: str, caption: str, draw: Callable[[], Figure], *, when: bool, otherwise: str
    ) -> _Planned:
        return _Planned(
            name=name, title=title, caption=caption if when else otherwise, draw=draw if when else None
        )

    yield plan(
        "response-time",
        "Response time over time",
        captions.response_times(result),
        lambda: draw_response_times(columns.with_missed(), limits, **span),
        when=sent,
        otherwise=nothing,
    )
    yield plan(
        "distribution",
        "Distribution of response time",
        captions.distribution(result, band),
        lambda: draw_distribution(response, service, result.summary.response_time, limits, band=band),
        when=measured,
        otherwise="No poll was measured.",
    )
    yield plan(
        "rates",
        "Polls per second",
        captions.rates(result),
        lambda: draw_rates(columns, intended_per_s=intended_per_s, interval_s=scenario.interval_s, **span),
        when=sent,
        otherwise=nothing,
    )
    yield plan(
        "errors",
        "Errors by kind",
        captions.errors(result),
        lambda: draw_errors(columns, interval_s=scenario.interval_s, **span),
        when=failed,
        otherwise="No poll failed, so there is nothing to draw." if sent else nothing,
    )
    yield plan(
        "agents",
        "Each agent's polls",
        captions.agents(result),
        lambda: draw_agents(columns, limits, interval_s=scenario.interval_s, **span),
        when=sent,
        otherwise=nothing,
    )
    yield plan(
        "breakdown",
        "Where the time went",
        captions.breakdown([(part.name, part.p95) for part in parts], source),
        lambda: draw_breakdown(parts),
        when=bool(parts),
        otherwise=source,
    )
    yield plan(
        "generator",
        "Health of the load generator",
        captions.generator(ticks) if ticks else "",
        lambda: draw_generator(ticks, **span),
        when=bool(ticks),
        otherwise="The load generator left no record of its own health.",
    )


def time_parts(seen: Columns, server: ServerFigures | None, service: Quantiles) -> tuple[tuple[Part, ...], str]:
    """
    Split the time of the measured polls into parts.

    With the target's own timing of every poll the parts are exact per poll; with the figures of its monitoring
    layer alone they are distributions side by side; with neither only the client's side is known.

    Args:
        seen: the measured polls.
        server: the target's figures for the same window; None when it gave none.
        service: service times of the answered polls.

    Returns:
        The parts in the order a poll meets them, empty when no poll was measured, and where the server's side
        came from, as a clause.
    """
    if len(seen) == 0:
        return (), "No poll was measured."
    waiting = _part("waiting to be sent", seen.start_lag_s)
    told = seen.ok & np.isfinite(seen.handler_s)
    if told.any():
        return (waiting, *_timed_parts(seen, told)), _timed_source(int(told.sum()), len(seen))
    whole = Part(name="service time, whole", p50=service.p50, p95=service.p95, p99=service.p99)
    if server is None or server.handler is None or server.handler.n == 0:
        return (waiting, whole), "the target told nothing of its own side"
    stored = (
        ("handler, whole", server.handler),
        ("database, per statement", server.query),
        ("pool wait, per connection", server.pool_wait),
    )
    parts = [_stored_part(name, histogram) for name, histogram in stored if histogram is not None]
    return (
        waiting,
        whole,
        *parts,
    ), "the server's side is from the figures of its monitoring layer, not poll by poll"


def _timed_parts(seen: Columns, told: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Part]:
    handler, service = seen.handler_s[told], seen.service_time_s[told]
    database, pool_wait = seen.database_s[told], seen.pool_wait_s[told]
    inner = np.nan_to_num(database) + np.nan_to_num(pool_wait)
    knows_inside = bool(np.isfinite(database).any() or np.isfinite(pool_wait).any())
    parts = [
        _part("network and sending", np.maximum(service - handler, 0.0)),
        _part("handler without database" if knows_inside else "handler, whole", np.maximum(handler - inner, 0.0)),
    ]
    for name, values in (("database", database), ("pool wait", pool_wait)):
        known = values[np.isfinite(values)]
        if len(known):
            parts.append(_part(name, known))
    return parts


def _timed_source(told: int, n: int) -> str:
    if told == n:
        return "the server's side is from its own timing of every poll"
    return f"the server's side is from its own timing of {told:,} of {n:,} polls"


def _part(name: str, values: Floats) -> Part:
    ordered = np.sort(values)
    p50, p95, p99 = (float(ordered[nearest_rank(q, len(ordered)) - 1]) for q in (0.5, 0.95, 0.99))
    return Part(name=name, p50=p50, p95=p95, p99=p99)


def _stored_part(name: str, histogram: Histogram) -> Part:
    return Part(name=name, p50=histogram.quantile(0.5), p95=histogram.quantile(0.95), p99=histogram.quantile(0.99))


def _end_s(result: Result, columns: Columns) -> float:
    """Return where the time axes end: the planned end, or the last start of an interrupted run."""
    latest = float(columns.start_s.max()) if len(columns) else 0.0
    return max(result.summary.window_end_s, latest, 1e-3)
