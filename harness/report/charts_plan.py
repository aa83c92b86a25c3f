"""
Which plots a report has for a run, in the order of the page, each with its caption and how to draw it.

Seven are on every page, with a sentence in the place of one that has nothing to show; the others only where the
run has what they are made of.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from harness.columns import Columns, Floats
from harness.history_model import Comparison
from harness.model import PENDING_ROUTE, GeneratorTick, Quantiles, Result
from harness.report import captions, captions_scene
from harness.report.charts_fleet import draw_agents, draw_errors, draw_rates
from harness.report.charts_health import draw_connections, draw_generator
from harness.report.charts_scene import cpu_cores, draw_drift, draw_fleet, draw_pickups, draw_target
from harness.report.charts_split import draw_comparison, draw_split
from harness.report.charts_style import TimeAxis
from harness.report.charts_times import draw_breakdown, draw_distribution, draw_response_times
from harness.report.context import QuantileBand, RunContext
from harness.report.parts import route_parts, splits_of, time_parts
from harness.report.traces import Traces, active_steps, all_waves, latest_order_s, outage_of, waves_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plot before it is drawn; `draw` is None where a sentence says it all."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """
    What the plots of a run are drawn from.

    Args:
        result: the finished run.
        columns: its samples, the warm-up included.
        ticks: the generator's health; empty when unknown.
        band: how sure the quantiles of the response time are; None when not known.
        context: the runs before this one; None without any.
        traces: what its folder holds besides.
    """

    result: Result
    columns: Columns
    ticks: Sequence[GeneratorTick]
    band: QuantileBand | None
    context: RunContext | None
    traces: Traces

    @property
    def seen(self) -> Columns:
        """The measured polls."""
        summary = self.result.summary
        return self.columns.window(summary.window_start_s, summary.window_end_s)

    @property
    def time(self) -> TimeAxis:
        """The run's time: to its planned end, or the last start of an interrupted run."""
        latest = float(self.columns.start_s.max()) if len(self.columns) else 0.0
        end_s = max(self.result.summary.window_end_s, latest, 1e-3)
        return TimeAxis(end_s, warmup_s=self.result.run.scenario.warmup_s, away_s=outage_of(self.result.run))

    @property
    def steps(self) -> tuple[Floats, Floats] | None:
        """Edges [s] and the number of agents between them, where agents come and go; None where they stay."""
        shape = self.traces.shape
        return None if shape is None or shape.is_steady else active_steps(shape, self.time.end_s)


PLOT_NAMES = frozenset(
    {
        *("response-time", "distribution", "rates", "errors", "agents", "breakdown", "generator"),
        *("fleet", "pickups", "routes", "split", "connections", "drift", "target", "comparison"),
    }
)
"""Every name that `plan` may give."""


def plan(material: Material) -> Iterator[Planned]:
    """Yield the plots of a run."""
    yield from _of_polls(material)
    yield from _of_scenario(material)
    yield from _of_parts(material)
    yield from _of_health(material)
    yield from _of_comparison(material.context)


def _planned(
    name: str, title: str, caption: str, draw: Callable[[], Figure], *, when: bool = True, otherwise: str = ""
) -> Planned:
    return Planned(name=name, title=title, caption=caption if when else otherwise, draw=draw if when else None)


def _of_polls(material: Material) -> Iterator[Planned]:
    result, columns, time = material.result, material.columns, material.time
    scenario, limits, seen = result.run.scenario, captions.response_limits(result), material.seen
    response, service = seen.with_missed().response_time_s, seen.service_time_s[seen.status > 0]
    sent, failed = len(columns) > 0, not bool(columns.ok.all())
    nothing = "No poll was sent."
    yield _planned(
        "response-time",
        "Response time over time",
        captions.response_times(result),
        lambda: draw_response_times(columns.with_missed(), limits, time=time),
        when=sent,
        otherwise=nothing,
    )
    yield _planned(
        "distribution",
        "Distribution of response time",
        captions.distribution(result, material.band),
        lambda: draw_distribution(response, service, result.summary.response_time, limits, band=material.band),
        when=len(seen) > 0,
        otherwise="No poll was measured.",
    )
    steps = material.steps
    rates = None if steps is None else (steps[0], steps[1] / scenario.interval_s)
    yield _planned(
        "rates",
        "Polls per second",
        captions.rates(result),
        lambda: draw_rates(
            columns,
            intended_per_s=scenario.agents / scenario.interval_s,
            interval_s=scenario.interval_s,
            time=time,
            steps=rates,
        ),
        when=sent,
        otherwise=nothing,
    )
    yield _planned(
        "errors",
        "Errors by kind",
        captions.errors(result),
        lambda: draw_errors(columns, interval_s=scenario.interval_s, time=time),
        when=failed,
        otherwise="No poll failed, so there is nothing to draw." if sent else nothing,
    )
    yield _planned(
        "agents",
        "Each agent's polls",
        captions.agents(result),
        lambda: draw_agents(columns, limits, interval_s=scenario.interval_s, time=time),
        when=sent,
        otherwise=nothing,
    )


def _of_scenario(material: Material) -> Iterator[Planned]:
    traces, columns, scenario = material.traces, material.columns, material.result.run.scenario
    steps, interval_s = material.steps, scenario.interval_s
    if steps is not None and len(columns):
        yield _planned(
            "fleet",
            "Agents and response time",
            captions_scene.fleet(steps, columns),
            lambda: draw_fleet(columns, steps, interval_s=interval_s, time=material.time),
        )
    if traces.pickups:
        until_s = latest_order_s(material.result)
        waves = waves_of(traces.pickups, scenario.parameters, until_s=until_s)
        together = all_waves(traces.pickups, until_s=until_s)
        limits = [
            (finding.gate.name, finding.gate.limit)
            for finding in material.result.verdict.findings
            if finding.gate.metric == "time_to_pickup" and finding.gate.unit == "s"
        ]
        yield _planned(
            "pickups",
            "Time to pickup",
            captions_scene.pickups(together, waves, interval_s),
            lambda: draw_pickups(waves, limits, interval_s=interval_s, time=material.time),
        )
    if traces.drift:
        series = [one for one in traces.drift if one.values]
        if series:
            yield _planned(
                "drift",
                "Drift of the watched series",
                captions_scene.drift(series),
                lambda: draw_drift(series, material.result.verdict.findings, time=material.time),
            )


def _of_parts(material: Material) -> Iterator[Planned]:
    result, seen = material.result, material.seen
    parts, source = time_parts(seen, result.server, result.summary.service_time)
    splits = splits_of(seen, result.summary.response_time) if len(seen) else ()
    if splits:
        yield _planned(
            "split", "What each quantile is made of", captions_scene.split(splits), lambda: draw_split(splits)
        )
    yield _planned(
        "breakdown",
        "Where the time went",
        captions.breakdown([(part.name, part.p95) for part in parts], source),
        lambda: draw_breakdown(parts),
        when=bool(parts),
        otherwise=source,
    )
    routes = route_times(result)
    if len(routes) > 1:
        rows = route_parts(routes)
        yield _planned(
            "routes",
            "Response time by route",
            captions_scene.routes(routes) if rows else "",
            lambda: draw_breakdown(rows, title="Response time by route"),
            when=bool(rows),
            otherwise="No route was requested in the measured part.",
        )


def route_times(result: Result) -> list[tuple[str, Quantiles]]:
    """Return the response times of every route that was requested, the polled one first."""
    others = [(name, summary.response_time) for name, summary in sorted(result.routes.items())]
    return [(f"GET {PENDING_ROUTE}", result.summary.response_time), *others]


def _of_health(material: Material) -> Iterator[Planned]:
    columns, seen, ticks, time = material.columns, material.seen, material.ticks, material.time
    # Everybody opens a connection once: that is no news.
    warmup_s = material.result.run.scenario.warmup_s
    opened = bool((columns.new_connection[columns.start_s >= warmup_s] == 1).any())
    if len(seen):
        yield _planned(
            "connections",
            "Connections",
            captions_scene.connections(seen, material.traces.keep_alive),
            lambda: draw_connections(columns, interval_s=material.result.run.scenario.interval_s, time=time),
            when=opened,
            otherwise=captions_scene.connections(seen, material.traces.keep_alive),
        )
    # The load's end closes every connection: what the target does then is no part of the run.
    target = [tick for tick in material.traces.target if tick.t_s <= time.end_s]
    if target:
        cores = cpu_cores(target)
        yield _planned(
            "target",
            "Health of the target",
            captions_scene.target(target, cores, time.away_s),
            lambda: draw_target(target, time=time),
        )
    yield _planned(
        "generator",
        "Health of the load generator",
        captions_scene.generator(ticks) if ticks else "",
        lambda: draw_generator(ticks, time=time),
        when=bool(ticks),
        otherwise="The load generator left no record of its own health.",
    )


def _of_comparison(context: RunContext | None) -> Iterator[Planned]:
    known = drawn_comparisons(() if context is None else context.comparisons)
    if known:
        yield _planned(
            "comparison", "Against the baseline", captions_scene.comparison(known), lambda: draw_comparison(known)
        )


def drawn_comparisons(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return those whose change is known."""
    return tuple(
        one for one in comparisons if one.change_ratio is not None and bool(np.isfinite(one.change_ratio))
    )
