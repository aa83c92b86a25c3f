"""
Database pool exhaustion: whether, and why, told from the pool's figures alone.

Four causes look alike from outside (requests wait, some time out) and differ in the figures:

- a leak: connections are held beyond the leak threshold and don't come back;
- slow statements: connections are held about as long as their statements take;
- the thread-and-pool cliff: connections are held long although their statements are quick, and callers time out.
  Synchronous routes run on a fixed number of threads (40). When a dependency opens the session, giving its
  connection back takes a thread too; once all threads wait for a connection, nobody can return one, and everything
  stands still until the time-outs;
- a pool that is just too small for what comes.
"""

from collections.abc import Sequence

from monitoring.reports.document import ms, number, percent, span
from monitoring.reports.limits import CheckLimits
from monitoring.reports.problems import MOST, POOL, Problem
from monitoring.reports.records import Figures, Holder, Pool, Report

THREADS = 40
"""Threads that run a service's synchronous routes, by default."""

_LONG_HOLD_MS = 1000.0
_REQUESTS = 3
_LARGER = "Raise pool_size (and max_overflow) of the engine in database.py, as far as the database allows."
_INSIDE = "Open and close the session inside the route (with Session() …), not in a dependency with yield."


def look_for_exhaustion(report: Report, limits: CheckLimits) -> Problem:
    """Tell whether a connection pool is exhausted or about to be, and why."""
    pools = None if report.now is None else report.now.pools
    if report.now is None or not pools:
        return POOL.unknown("the source does not tell of pools" if pools is None else "no pool was watched")
    looked_at = "; ".join(map(_summary, pools))
    evidence: list[str] = []
    remedies: list[str] = []
    for pool in pools:
        if _exhausted(pool, limits):
            cause, cures = _cause(pool, statement_ms(report.now, pools))
            evidence += [*_figures(pool, limits), *_held(pool.holders or ()), *cause]
            remedies += [cure for cure in cures if cure not in remedies]
    if evidence:
        return POOL.found(looked_at, evidence, [*remedies, "Watch it at /api/health."])
    if all(pool.pool_class is None for pool in pools):
        return POOL.unknown(f"{looked_at}; the size is not known")
    return POOL.absent(looked_at, n=1, needed=1)


def statement_ms(now: Figures, pools: Sequence[Pool]) -> float | None:
    """
    Return how long the statements of one hold take together [ms].

    Returns:
        None where it can't be told: no statements known, several pools, or none that came back.
    """
    if len(pools) != 1 or not now.statements or not pools[0].hold.count:
        return None
    return sum(one.total_ms for one in now.statements) / pools[0].hold.count


def _exhausted(pool: Pool, limits: CheckLimits) -> bool:
    return bool((pool.peak_usage_ratio or 0.0) >= limits.pool_usage_ratio or pool.timeouts or pool.leaks)


def _summary(pool: Pool) -> str:
    capacity = "no bound" if pool.capacity is None and pool.pool_class is not None else number(pool.capacity)
    return (
        f"{pool.engine}: peak {pool.peak_checked_out} of {capacity}, {pool.timeouts:,} time-outs, "
        f"wait p95 {ms(pool.wait.p95_ms)} ms"
    )


def _figures(pool: Pool, limits: CheckLimits) -> list[str]:
    lines = []
    if (pool.peak_usage_ratio or 0.0) >= limits.pool_usage_ratio:
        peak = f"{pool.peak_checked_out} of {number(pool.capacity)} connections in use at the peak"
        lines.append(f"{peak} ({percent(pool.peak_usage_ratio)}), limit {limits.pool_usage_ratio:.0%}.")
    if pool.timeouts:
        longest = span((pool.wait.max_ms or 0.0) / 1e3)
        lines.append(f"{pool.timeouts:,} callers got no connection; the longest wait was {longest}.")
    if pool.waiting:
        lines.append(f"{pool.waiting:,} callers were waiting for one when last heard of.")
    hold = pool.hold
    if hold.count:
        lines.append(
            f"Connections are held for {ms(hold.mean_ms)} ms on average, p95 {ms(hold.p95_ms)}, "
            f"{ms(hold.max_ms)} at worst."
        )
    return [f"{pool.engine}: {line}" for line in lines]


def _held(holders: Sequence[Holder]) -> list[str]:
    """Say who has connections: one sentence for each place in the code, the most first."""
    by_place: dict[tuple[str, str], list[Holder]] = {}
    for one in holders:
        by_place.setdefault((one.site, one.route or "none"), []).append(one)
    ordered = sorted(by_place.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        f"When last heard of, {len(those):,} were out, taken at {site}, route {route}, "
        f"held for up to {span(max(one.held_s for one in those))}, "
        f"requests {', '.join(one.request_id or 'none' for one in those[:_REQUESTS])}."
        for (site, route), those in ordered[:MOST]
    ]


def _cause(pool: Pool, query_ms: float | None) -> tuple[list[str], list[str]]:
    if _leaking(pool):
        leaked = max(pool.leaks or 0, sum(one.leaked for one in pool.holders or ()))
        return (
            [f"{leaked:,} connections were held beyond the leak threshold: they look leaked."],
            ["Close what is opened, at the places named above: with Session() as session (or async with)."],
        )
    hold_ms = pool.hold.mean_ms
    if query_ms is None or hold_ms is None:
        return [], [_LARGER, "Check for connections that are not closed."]
    held = f"statements take {ms(query_ms)} ms of the {ms(hold_ms)} ms that a connection is held"
    if query_ms >= hold_ms / 2:
        return (
            [f"The database keeps them: {held}."],
            [
                "Make the slow statements quicker first: monitoring diagnose and database-queries.log name them.",
                _LARGER,
            ],
        )
    if pool.timeouts and (pool.hold.max_ms or 0.0) >= _LONG_HOLD_MS and (pool.capacity or THREADS) < THREADS:
        waiting = f"all {THREADS} threads of the synchronous routes wait for one of {pool.capacity} connections"
        return (
            [f"This is the thread-and-pool cliff: {held}; {waiting}, and giving one back takes a thread too."],
            [_INSIDE, f"Or give the pool as many connections as there are threads: pool_size={THREADS}."],
        )
    return (
        [f"The service keeps them while it does something else: {held}."],
        ["Open the session later and close it earlier: not around calls to others or slow work.", _LARGER],
    )


def _leaking(pool: Pool) -> bool:
    if any(holder.leaked for holder in pool.holders or ()):
        return True
    # Those who hang in the cliff are held long too, but they come back, and others time out meanwhile.
    return bool(pool.leaks) and not pool.timeouts
