"""The made-up runs whose reports the gallery shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.gallery.series import NOTES, judged, noisy, series
from harness.capacity_model import Capacity
from harness.columns import Columns
from harness.history_model import Comparison
from harness.judge.compare import Figure, compare
from harness.judge.drift import drift_of
from harness.judge.soak import RESOURCE_LIMIT_RATIO, RESPONSE_LIMIT_RATIO
from harness.model import PENDING_ROUTE, Direction, Pickup, Result, Status, TargetTick
from harness.report.context import RunContext
from harness.report.traces import DriftSeries, Traces
from harness.shape import Shape
from tests.harness.capacity.steps import capacity, step
from tests.harness.results import finding, fleet, gate, quantiles_of, result_of

RAMP = Shape(name="ramp", agents=50, parameters={"ramp_s": 40.0})
AWAY_S = (25.0, 35.0)
WAVES = {"wave_at_s": 15.0, "wave_every_s": 20.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """
    A run, and what is shown of it.

    Args:
        shown: names of its plots.
        columns: its polls.
        result: what a judge could have made of them.
        context: the runs before it; None without any.
        traces: what its folder would hold besides.
    """

    shown: tuple[str, ...]
    columns: Columns
    result: Result
    context: RunContext | None = None
    traces: Traces = Traces()  # noqa: RUF009  # frozen


def stalled() -> MadeUp:
    """Return a run whose target stood still for three seconds: the plots that every report has."""
    columns = fleet(stall=(42.0, 45.0), failing_ratio=0.01)
    (place,) = judged(series(noisy(40, 0.0118, seed=2), quantile=0.95, limit=0.2, interval_ratio=0.04))
    return MadeUp(
        shown=(
            *("response-time", "distribution", "rates", "errors", "agents"),
            *("split", "breakdown", "generator", "trend"),
        ),
        columns=columns,
        result=result_of(columns),
        context=RunContext(record=place.series.points[-1].record, place=place, notes=NOTES),
    )


def joining() -> MadeUp:
    """Return a run whose agents join one after another, with other routes, compared with runs before it."""
    whole = fleet(seed=8)
    joined_s = np.array([RAMP.windows(agent)[0][0] for agent in range(RAMP.agents)])
    columns = whole.where(whole.intended_start_s >= joined_s[whole.agent])
    result = result_of(columns)
    listing, ordering = fleet(median_s=0.011, seed=21), fleet(median_s=0.007, agents=12, seed=22)
    routes = {
        route: replace(result.summary, response_time=quantiles_of(polls.service_time_s))
        for route, polls in (("GET /api/agents", listing), ("POST /api/deployments", ordering))
    }
    return MadeUp(
        shown=("fleet", "routes", "comparison"),
        columns=columns,
        result=replace(result, routes=routes),
        context=RunContext(record=result.run.id, comparisons=comparisons()),
        traces=Traces(shape=RAMP),
    )


def comparisons() -> tuple[Comparison, ...]:
    """Return a run's figures against twelve before it: p95 surely worse, p99 open, the others within the limit."""

    def compared(
        now: float, before: Sequence[float], *, metric: str = "response_time", quantile: float | None = None
    ) -> Comparison:
        is_rate = metric == "achieved_rate"
        return compare(
            before,
            [now],
            figure=Figure(
                subject=PENDING_ROUTE,
                metric=metric,
                quantile=quantile,
                unit="per_s" if is_rate else "s",
                direction=Direction.ABOVE if is_rate else Direction.BELOW,
            ),
            limit_ratio=0.1,
        )

    return (
        compared(0.0041, noisy(12, 0.0041, spread=0.02, seed=31), quantile=0.5),
        compared(0.0142, noisy(12, 0.0113, seed=32), quantile=0.95),
        compared(0.0232, noisy(12, 0.0214, spread=0.06, seed=33), quantile=0.99),
        compared(4.97, noisy(12, 4.98, spread=0.01, seed=34), metric="achieved_rate"),
    )


def restarted() -> MadeUp:
    """Return a run whose target was away for ten seconds: everybody connects anew."""
    whole = fleet(seed=9)
    down_s, back_s = AWAY_S
    away = (whole.start_s >= down_s) & (whole.start_s < back_s)
    first_after = (whole.start_s >= back_s) & (whole.start_s < back_s + 10.0)
    opened = (first_after | (whole.new_connection == 1)) & ~away
    took_s = 0.0003 * np.exp(np.random.default_rng(6).normal(0.0, 0.8, len(whole)))
    columns = replace(
        whole,
        ok=whole.ok & ~away,
        status=np.where(away, 0, whole.status),
        error=np.where(away, 0, -1),
        error_kinds=("connection-refused",),
        new_connection=opened.astype(np.int64),
        connect_s=np.where(opened, took_s, np.nan),
    )
    result = result_of(columns)
    scenario = replace(result.run.scenario, parameters={"down_at_s": down_s})
    return MadeUp(
        shown=("connections", "target"),
        columns=columns,
        result=replace(result, run=replace(result.run, scenario=scenario, back_s=back_s)),
        traces=Traces(
            target=tuple(tick for tick in target_ticks() if not down_s < tick.t_s < back_s),
            keep_alive="The target closes connections that were idle for 75 s.",
        ),
    )


def target_ticks() -> tuple[TargetTick, ...]:
    """Return how an embedded target fares: its CPU time and memory begin anew after it was away."""
    rng = np.random.default_rng(12)
    times_s = [2.0 * i for i in range(36)]
    return tuple(
        TargetTick(
            t_s=t_s,
            rss_bytes=int(88e6 + 2.5e5 * (t_s - (AWAY_S[1] if t_s >= AWAY_S[1] else 0.0)) + 1e5 * rng.random()),
            connections=50,
            cpu_s=0.6 + 0.05 * (t_s - (AWAY_S[1] if t_s >= AWAY_S[1] else 0.0)) + 0.01 * rng.random(),
            open_files=77,
        )
        for t_s in times_s
    )


def rolled_out() -> MadeUp:
    """Return a run in which deployments are ordered in waves, long enough for its memory to be seen growing."""
    columns = fleet()
    result = result_of(columns)
    late = gate("pickup-p95", limit=11.0, metric="time_to_pickup", quantile=0.95)
    scenario = replace(result.run.scenario, parameters=dict(WAVES))
    verdict = replace(result.verdict, findings=(*result.verdict.findings, finding(late, Status.PASS, 9.6)))
    return MadeUp(
        shown=("pickups", "drift"),
        columns=columns,
        result=replace(result, run=replace(result.run, scenario=scenario), verdict=verdict),
        traces=Traces(pickups=pickups(), drift=drifts()),
    )


def pickups() -> tuple[Pickup, ...]:
    """Return three waves of fifty deployments: each waits for its agent's next poll, two for ever."""
    rng = np.random.default_rng(4)
    return tuple(
        Pickup(
            deployment=f"{50 * wave + agent}",
            agent=f"agent-{agent:03d}",
            created_s=created_s,
            fetched_s=None if wave == 1 and agent < 2 else created_s + float(10.0 * rng.random()),
        )
        for wave in range(3)
        for agent in range(50)
        for created_s in (15.0 + 20.0 * wave + float(rng.random()),)
    )


def drifts() -> tuple[DriftSeries, ...]:
    """Return a soak's watched series: memory grows, p95 does not."""
    rng = np.random.default_rng(13)
    times_s = tuple(float(t) for t in range(10, 70, 2))
    steady = tuple(float(v) for v in 0.0074 * np.exp(rng.normal(0.0, 0.05, len(times_s))))
    growing = tuple(90e6 + 2e5 * t + float(rng.normal(0.0, 3e5)) for t in times_s)
    return tuple(
        DriftSeries(
            name=name,
            subject=subject,
            unit=unit,
            times_s=times_s,
            values=values,
            slope_per_s=found.slope_per_s,
            change_ratio=found.change_ratio,
            drifts=found.drifts,
        )
        for name, subject, unit, least_ratio, values in (
            ("p95", "p95 of the response time", "s", RESPONSE_LIMIT_RATIO, steady),
            ("memory", "the target's memory", "bytes", RESOURCE_LIMIT_RATIO, growing),
        )
        for found in (drift_of(times_s, values, least_ratio=least_ratio),)
    )


def searched() -> Capacity:
    """Return a search for the largest fleet: the times rise slowly, then at once."""
    held = (100, 200, 400, 800, 1600, 2000)
    steps = [
        step(
            n,
            p50_s=0.0038 + n * 4e-7,
            p95_s=0.0075 + n * 2e-6 + (n / 2200) ** 8 * 0.08,
            p99_s=0.0121 + n * 6e-6 + (n / 2200) ** 8 * 0.25,
            offered_per_s=n / 10,
            achieved_per_s=n / 10,
        )
        for n in held
    ]
    broke = {"p50_s": 0.41, "p95_s": 1.35, "p99_s": 1.9, "offered_per_s": 240.0, "achieved_per_s": 214.0}
    beyond = {"p50_s": 2.6, "p95_s": 5.1, "p99_s": 6.4, "offered_per_s": 320.0, "achieved_per_s": 216.0}
    return capacity(
        *steps,
        step(2200, Status.FAIL, p50_s=0.021, p95_s=0.31, p99_s=0.56, offered_per_s=220.0, achieved_per_s=213.0),
        step(2400, Status.FAIL, **broke),
        step(3200, Status.FAIL, **beyond),
        agents=2000,
        fails_at=2200,
        knee_agents=1600,
    )
