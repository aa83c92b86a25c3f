"""What a run says of capacity: a Step from its result, the resource that ran out, the knee. Pure."""

import math
from collections.abc import Iterator, Sequence

from harness.capacity_model import Step
from harness.model import Direction, Finding, GeneratorTick, Result, ServerFigures, Status, TargetTick
from monitoring.histogram import Histogram

BUSY_CORE_RATIO = 0.85
"""From here on a process is as busy as Python lets it be: one core, less what the machine itself takes."""
FULL_POOL_RATIO = 0.95
WAITING_SHARE = 0.2
DATABASE_SHARE = 0.5
_LEAST_KNEE = 0.25
"""How far below its chord a curve has to sag, relative to the chord's height, to have a knee."""


def step_of(
    result: Result,
    *,
    generator: Sequence[GeneratorTick],
    target: Sequence[TargetTick],
) -> Step:
    """
    Sum up one run of the search.

    Args:
        result: of the run.
        generator: the generator's own health.
        target: the embedded target's; empty for an attached one.
    """
    summary, scenario, server = result.summary, result.run.scenario, result.server
    failed = [one for one in result.verdict.findings if one.status is Status.FAIL]
    others = [one for one in result.verdict.findings if one.status in {Status.INCONCLUSIVE, Status.INVALID}]
    handler_s = _p95(None if server is None else server.handler)
    return Step(
        agents=scenario.agents,
        run=result.run.id,
        run_time_s=scenario.run_time_s,
        status=result.verdict.status,
        broken=tuple(one.gate.name for one in sorted(failed, key=_excess, reverse=True)),
        unsettled=tuple(one.gate.name for one in others),
        offered_per_s=summary.offered_per_s,
        achieved_per_s=summary.achieved_per_s,
        p50_s=summary.response_time.p50,
        p95_s=summary.response_time.p95,
        p99_s=summary.response_time.p99,
        error_ratio=summary.failed / summary.sent if summary.sent else None,
        target_cpu_ratio=_cpu_ratio(target, since_s=scenario.warmup_s),
        generator_cpu_ratio=_generator_cpu_ratio(generator, since_s=scenario.warmup_s),
        pool_use_ratio=None if server is None else server.pool_use_ratio,
        pool_wait_share=_share(server, handler_s, "pool_wait"),
        database_share=_share(server, handler_s, "query"),
    )


def limiting_resource(step: Step, *, cores: int | None) -> str:
    """
    Say what ran out in a fleet that broke, by the figures at hand.

    Args:
        step: the smallest fleet that broke.
        cores: of the machine that an embedded target shares with the generator.
    """
    if step.status is Status.INVALID:
        return "the load generator, not the target"
    figures = {"CPU": step.target_cpu_ratio, "pool": step.pool_use_ratio, "database": step.database_share}
    unseen = [name for name, figure in figures.items() if figure is None]
    otherwise = "none of CPU, pool and database was at its end"
    if unseen:
        otherwise = f"not told: the target does not show its {', '.join(unseen)}"
    return next(_resources(step, cores), otherwise)


def _resources(step: Step, cores: int | None) -> Iterator[str]:
    """Yield what was at its end, the likeliest cause first."""
    pool, wait = step.pool_use_ratio, step.pool_wait_share
    full = pool is not None and pool >= FULL_POOL_RATIO
    if full and wait is not None and wait >= WAITING_SHARE:
        yield f"the connection pool: {pool:.0%} of it in use, {wait:.0%} of a slow request spent waiting for it"
    target, generator = step.target_cpu_ratio, step.generator_cpu_ratio
    if target is not None and target >= BUSY_CORE_RATIO:
        yield f"CPU of the target: {target:.2f} cores busy"
    if target is not None and generator is not None and cores and target + generator >= BUSY_CORE_RATIO * cores:
        yield f"CPU of this machine: the target and its load together keep {target + generator:.2f} cores busy"
    if step.database_share is not None and step.database_share >= DATABASE_SHARE:
        yield f"the database: {step.database_share:.0%} of a slow request is one statement"
    if full:
        yield f"the connection pool: {pool:.0%} of it in use"


def knee(steps: Sequence[Step], *, breaks: int | None) -> int | None:
    """
    Return the fleet from which on the response time climbs.

    It is the point farthest below the chord from the first to the last fleet, p95 over agents, both logarithmic.

    Args:
        steps: in any order; those that the generator was late in say nothing of the target.
        breaks: the smallest fleet that surely broke; None where none did.

    Returns:
        Its size; None with fewer than four fleets, where the curve is as good as straight, or where nothing broke:
        relative to its own height any noise has a knee.

    Source: V. Satopää et al., Finding a "Kneedle" in a Haystack (2011), section III, without its smoothing.
    """
    p95s_s = {step.agents: step.p95_s for step in steps if step.status is not Status.INVALID}
    points = [
        (math.log(agents), math.log(p95_s))
        for agents, p95_s in sorted(p95s_s.items())
        if p95_s is not None and 0 < p95_s < math.inf
    ]
    if breaks is None or len(points) < 4:
        return None
    (left, low), (right, high) = points[0], points[-1]
    if high - low <= 0 or right <= left:
        return None
    sags = [((low + (high - low) * (x - left) / (right - left) - y) / (high - low), x) for x, y in points]
    sag, at = max(sags)
    return round(math.exp(at)) if sag >= _LEAST_KNEE else None


def _excess(finding: Finding) -> float:
    """Return how far beyond its limit a gate's figure lies, as a ratio."""
    measured, limit = finding.measured, finding.gate.limit
    if measured is None or limit <= 0 or measured <= 0:
        return 0.0
    return limit / measured if finding.gate.direction is Direction.ABOVE else measured / limit


def _cpu_ratio(ticks: Sequence[TargetTick], *, since_s: float) -> float | None:
    inside = [tick for tick in ticks if tick.t_s >= since_s]
    if len(inside) < 2 or inside[-1].t_s <= inside[0].t_s:
        return None
    return (inside[-1].cpu_s - inside[0].cpu_s) / (inside[-1].t_s - inside[0].t_s)


def _generator_cpu_ratio(ticks: Sequence[GeneratorTick], *, since_s: float) -> float | None:
    inside = [tick.cpu_ratio for tick in ticks if tick.t_s >= since_s]
    return sum(inside) / len(inside) if inside else None


def _share(server: ServerFigures | None, handler_s: float | None, part: str) -> float | None:
    part_s = _p95(None if server is None else getattr(server, part))
    return None if part_s is None or not handler_s else part_s / handler_s


def _p95(histogram: Histogram | None) -> float | None:
    return None if histogram is None or histogram.n == 0 else histogram.quantile(0.95)
