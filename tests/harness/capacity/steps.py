"""Made-up runs of a search."""

from dataclasses import replace

from harness.capacity_model import CAPACITY_SCHEMA_VERSION, Capacity, Step
from harness.model import Environment, Status, Target, TargetKind

STEP = Step(
    agents=100,
    run="20261123T083000Z-3f9a",
    run_time_s=30.0,
    status=Status.PASS,
    broken=(),
    unsettled=(),
    offered_per_s=10.0,
    achieved_per_s=10.0,
    p50_s=0.004,
    p95_s=0.008,
    p99_s=0.012,
    error_ratio=0.0,
)


def step(agents: int, status: Status = Status.PASS, **changes: object) -> Step:
    """Return a run of a fleet; one that broke broke its p95."""
    broken = ("p95",) if status is Status.FAIL else ()
    return replace(STEP, agents=agents, status=status, **({"broken": broken} | changes))


def capacity(*steps: Step, **changes: object) -> Capacity:
    """Return an answer with these runs."""
    made = Capacity(
        schema_version=CAPACITY_SCHEMA_VERSION,
        id="capacity-20261123T083000Z-3f9a",
        at_utc="2026-11-23T08:30:00Z",
        status=Status.PASS,
        agents=800,
        fails_at=880,
        first_limit="p95",
        resource="CPU of the target: 0.97 cores busy",
        knee_agents=400,
        wanted=None,
        interval_s=10.0,
        gates=("p(95) < 200ms",),
        limits_s={"p95": 0.2},
        stopped="the bracket is narrow enough",
        target=Target(kind=TargetKind.EMBEDDED, url="http://127.0.0.1:8000"),
        environment=Environment(
            key="abc", cpu="a cpu", cores=2, memory_bytes=1, platform="Linux", python="CPython 3.11.7", packages={}
        ),
        steps=steps,
        warnings=(),
    )
    return replace(made, **changes)
