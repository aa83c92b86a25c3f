"""The records of a search for the largest fleet that a target can serve. Frozen; `None` is unknown and never 0."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model import Environment, Status, Target

CAPACITY_SCHEMA_VERSION = 1
"""Version of ``capacity.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    One fleet that was tried.

    Args:
        agents: its size.
        run: name of its run's folder.
        run_time_s: length of its load, the warm-up included [s].
        status: its verdict; INCONCLUSIVE also where two tries at it disagree.
        broken: gates that failed, the one farthest beyond its limit first.
        unsettled: gates that could not be settled, or were the generator's fault.
        offered_per_s: polls sent a second.
        achieved_per_s: polls answered without error a second.
        p50_s: response time [s]; None without a poll, infinite when so many failed.
        p95_s: likewise.
        p99_s: likewise.
        error_ratio: share of failed polls; None without a poll.
        target_cpu_ratio: CPU of the target's processes, in cores; None when it is not ours to see.
        generator_cpu_ratio: CPU of the generator, in cores; None when not told.
        pool_use_ratio: most connections of the pool in use at once, 0..1; None when not told.
        pool_wait_share: share of the handler time's p95 that its pool wait's p95 makes up; None when not told.
        database_share: the same of the slowest statements' p95; None when not told.
    """

    agents: int
    run: str
    run_time_s: float
    status: Status
    broken: tuple[str, ...]
    unsettled: tuple[str, ...]
    offered_per_s: float
    achieved_per_s: float
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    error_ratio: float | None
    target_cpu_ratio: float | None = None
    generator_cpu_ratio: float | None = None
    pool_use_ratio: float | None = None
    pool_wait_share: float | None = None
    database_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """
    What a search came to: the content of ``capacity.json``.

    Args:
        schema_version: see `CAPACITY_SCHEMA_VERSION`.
        id: of the search, sorting by time.
        at_utc: when it began, ISO 8601 in UTC.
        status: PASS, FAIL or INCONCLUSIVE against `wanted`; without one, PASS when a fleet held.
        agents: the largest fleet that met every gate, with none below it that failed; None when none did.
        fails_at: the smallest fleet that surely failed; None when none did.
        first_limit: the gate that broke there first; None when nothing did.
        resource: what ran out there, for people; None when nothing did.
        knee_agents: fleet at which the response time begins to climb; None when it does not, when too few tell, or
            when nothing broke.
        wanted: fleet that was asked for; None without.
        interval_s: polling interval of an agent [s].
        gates: the gates, as text.
        limits_s: limits of the response time's quantiles, such as p95 → 0.2 [s].
        stopped: why the search ended.
        target: the system under test.
        environment: of the generator, and of an embedded target.
        steps: in the order they were taken.
        warnings: what a person should know, one sentence each.
        keep_alive: whether connections were kept between polls for as long as the target kept them.
    """

    schema_version: int
    id: str
    at_utc: str
    status: Status
    agents: int | None
    fails_at: int | None
    first_limit: str | None
    resource: str | None
    knee_agents: int | None
    wanted: int | None
    interval_s: float
    gates: tuple[str, ...]
    limits_s: Mapping[str, float]
    stopped: str
    target: Target
    environment: Environment
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]
    keep_alive: bool = True
