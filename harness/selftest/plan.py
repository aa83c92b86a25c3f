"""
What a self-test injects, and which gates have to trip for it. Pure.

The gates are the targets of the specification and one on the wait for a pooled connection. Faults lie so far from
the limits that chance plays no part: see docs/selftest.md for each margin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.backend.models import AGENT_STATUS_CREATED_INDEX
from harness.gate_syntax import parse_gate
from harness.gatefiles import GateSet
from harness.judge.gates import spec_gates

SOURCE = "the targets of the specification, and pool_wait p(95) < 50ms"

_POOL_WAIT = "pool_wait p(95) < 50ms"
_TARGET_CONNECTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    How the agents poll; fields as in `harness.options.RunOptions`.

    Args:
        agents: fleet size.
        interval_s: polling interval [s].
        warmup_s: first part that is not judged [s].
        run_time_s: length, the warm-up included [s].
        phase_model: how the agents' phases lie in the interval.
    """

    agents: int
    interval_s: float
    warmup_s: float
    run_time_s: float
    phase_model: str = "uniform"

    @property
    def polls(self) -> int:
        """Polls that are judged."""
        return round(self.agents * (self.run_time_s - self.warmup_s) / self.interval_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """
    One run of the self-test.

    Args:
        name: short and unique.
        told: what is injected, for people.
        load: how the agents poll.
        target: options of the embedded target, by the names of `harness.options.RunOptions`; empty for none.
        trips: names of the gates that have to fail; every other one must not.
    """

    name: str
    told: str
    load: Load
    target: Mapping[str, Any] = field(default_factory=dict)
    trips: tuple[str, ...] = ()


def plan(*, quick: bool) -> tuple[Injection, ...]:
    """
    Return the runs of a self-test, in order.

    Args:
        quick: the shorter form: two runs fewer, and shorter ones.
    """
    steady = Load(agents=150, interval_s=1.0, warmup_s=1.0, run_time_s=5.0 if quick else 13.0)
    # All agents at once, as after a restart: only then do polls compete for connections at a rate that the pool
    # as a whole could serve.
    storm = Load(agents=50, interval_s=2.0, warmup_s=2.0, run_time_s=6.0 if quick else 18.0, phase_model="sync")
    runs = (
        Injection(name="A", told="nothing", load=steady),
        Injection(
            name="delay-220",
            told="220 ms delay",
            load=steady,
            target={"target_delay_s": 0.22},
            trips=("p50", "p95"),
        ),
        Injection(
            name="errors-20",
            told="20 % errors",
            load=steady,
            target={"target_error_ratio": 0.2},
            trips=("p95", "p99", "error-ratio", "poll-rate"),
        ),
        Injection(
            name="pool",
            told=f"{_TARGET_CONNECTIONS} connections, each held 40 ms, all agents at once",
            load=storm,
            target={"target_pool_size": _TARGET_CONNECTIONS, "target_hold_s": 0.04},
            trips=("p50", "p95", "p99", "pool-use", "pool-wait"),
        ),
        Injection(
            name="index",
            told="composite index dropped",
            load=steady,
            target={"target_drop_index": AGENT_STATUS_CREATED_INDEX},
            trips=("pending-index",),
        ),
        Injection(name="A again", told="nothing", load=steady),
    )
    if quick:
        return runs
    finer = (
        Injection(
            name="delay-100", told="100 ms delay", load=steady, target={"target_delay_s": 0.1}, trips=("p50",)
        ),
        Injection(
            name="errors-3",
            told="3 % errors",
            load=steady,
            target={"target_error_ratio": 0.03},
            trips=("p99", "error-ratio"),
        ),
    )
    return (*runs[:-1], *finer, runs[-1])


def selftest_gates(*, interval_s: float) -> GateSet:
    """Return the gates that every run of a self-test is judged by, whatever gate files there are."""
    pool_wait = parse_gate(_POOL_WAIT, name="pool-wait")
    return GateSet(gates=(*spec_gates(interval_s=interval_s), pool_wait), source=SOURCE)
