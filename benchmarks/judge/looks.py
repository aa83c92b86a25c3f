"""How often a run is ended early by mistake, and how soon rightly, measured through the watcher itself."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.judge.processes import Process
from benchmarks.judge.rates import AGENTS, INTERVAL_S, columns_from, header, quantile_gate
from harness.judge.sequential import Plan, Watcher
from harness.model import EarlyStop
from harness.samplefile import POLLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """
    Outcomes of many watched runs.

    Args:
        ended: share of the runs that were ended early.
        median_polls: polls at which they were, in the median over all runs; None where most were not.
    """

    ended: float
    median_polls: float | None


def plan_of(n: int, *, settling: bool) -> Plan:
    """Return the plan of fifty agents at 10 s that send n polls."""
    spacing_s = INTERVAL_S / AGENTS
    return Plan(
        header=header(),
        agents=AGENTS,
        interval_s=INTERVAL_S,
        run_time_s=n * spacing_s,
        polled=POLLED,
        intended=lambda start_s, end_s: round((end_s - start_s) / spacing_s),
        settling=settling,
    )


def stop_of(
    process: Process, *, n: int, quantile: float, limit_s: float, seed: int, settling: bool
) -> EarlyStop | None:
    """
    Watch one run, a look every hundred polls.

    Args:
        process: where the response times come from.
        n: polls of the run.
        quantile: of the one gate.
        limit_s: its limit [s].
        seed: of the run.
        settling: whether it may end for being settled; else for having failed.
    """
    columns = columns_from(process.draw(np.random.default_rng(seed), n))
    gate = replace(quantile_gate(quantile, limit_s), abort_on_fail=not settling)
    watcher = Watcher([gate], plan_of(n, settling=settling))
    for polls in range(100, n + 1, 100):
        seen = columns.where(np.arange(n) < polls)
        now_s = polls * INTERVAL_S / AGENTS
        stop = watcher.look(polls, partial(dict, {POLLED: seen}), start_s=0.0, now_s=now_s)
        if stop is not None:
            return stop
    return None


def looks_at(
    process: Process, *, n: int, quantile: float, limit_s: float, runs: int, settling: bool = False
) -> Looks:
    """Watch many runs; arguments as in `stop_of`."""
    ends = np.full(runs, np.inf)
    for run in range(runs):
        stop = stop_of(process, n=n, quantile=quantile, limit_s=limit_s, seed=1 + run, settling=settling)
        if stop is not None:
            ends[run] = stop.judged_until_s * AGENTS / INTERVAL_S
    median = float(np.median(ends))
    return Looks(ended=float(np.isfinite(ends).mean()), median_polls=median if np.isfinite(median) else None)


def point_estimate_ends(allowed: float, *, n: int, runs: int, seed: int) -> float:
    """
    Return the share of good runs that a plain look ends: at the first one that sees more than is allowed.

    The polls are independent, their true share of exceedances is 0.8 times the allowed one, and a look comes every
    hundred polls.

    Args:
        allowed: share of the polls that may exceed the limit.
        n: polls of a run.
        runs: how many.
        seed: of all of them.
    """
    rng = np.random.default_rng(seed)
    looks = np.arange(100, n + 1, 100)
    ended = 0
    for _ in range(runs):
        exceedances = np.cumsum(rng.random(n) < 0.8 * allowed)
        ended += bool(np.any(exceedances[looks - 1] > allowed * looks))
    return ended / runs
