"""What the runs say: the limit, the resource, the knee, and the answer in words."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from harness.capacity.reading import knee, limiting_resource, step_of
from harness.capacity.recording import record_of_capacity
from harness.capacity.render import headline, print_capacity
from harness.model import Direction, GeneratorTick, Interval, Status, TargetTick
from harness.report.charts_capacity import draw_capacity, write_capacity_charts
from tests.harness.capacity.steps import capacity, step
from tests.harness.results import fleet, result_of

RAMP = (step(100), step(200), step(400), step(800, p95_s=0.02), step(1600, Status.FAIL, p95_s=2.0))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"status": Status.INVALID}, "the load generator, not the target"),
        (
            {"pool_use_ratio": 1.0, "pool_wait_share": 0.6, "target_cpu_ratio": 1.0},
            "the connection pool: 100% of it in use, 60% of a slow request spent waiting for it",
        ),
        ({"target_cpu_ratio": 0.97, "pool_use_ratio": 1.0}, "CPU of the target: 0.97 cores busy"),
        (
            {"target_cpu_ratio": 0.8, "generator_cpu_ratio": 0.95},
            "CPU of this machine: the target and its load together keep 1.75 cores busy",
        ),
        (
            {"target_cpu_ratio": 0.2, "database_share": 0.7},
            "the database: 70% of a slow request is one statement",
        ),
        ({"target_cpu_ratio": 0.2, "pool_use_ratio": 1.0}, "the connection pool: 100% of it in use"),
        (
            {"target_cpu_ratio": 0.2, "pool_use_ratio": 0.2, "database_share": 0.2},
            "none of CPU, pool and database was at its end",
        ),
        (
            {"pool_use_ratio": 0.2, "database_share": 0.2},
            "not told: the target does not show its CPU",
        ),
        ({}, "not told: the target does not show its CPU, pool, database"),
    ],
)
def test_resource(told: dict[str, object], expected: str) -> None:
    """The likeliest cause is named, and nothing is claimed that was not told."""
    assert expected == limiting_resource(step(100, **({"status": Status.FAIL} | told)), cores=2)


def test_knee() -> None:
    """It is where the curve leaves the ground, not where it ends."""
    assert 800 == knee(RAMP, breaks=1600)
    assert knee(RAMP[:3], breaks=1600) is None
    fleets = (100, 200, 400, 800)
    assert knee([step(agents, p95_s=agents / 1e5) for agents in fleets], breaks=800) is None
    assert knee([step(agents) for agents in fleets], breaks=800) is None
    assert knee([step(agents, p95_s=math.inf) for agents in fleets], breaks=800) is None
    assert knee([], breaks=None) is None


def test_noise_has_no_knee() -> None:
    """Nor have the times of a fleet that the generator was late for."""
    noise = [step(100), step(200), step(400, p95_s=0.007), step(800, p95_s=0.009)]
    assert 400 == knee(noise, breaks=800), "relative to its own height it would have one"
    assert knee(noise, breaks=None) is None
    late = step(1600, Status.INVALID, p95_s=2.0)
    assert knee([step(100), step(200), step(400), late], breaks=1700) is None


def test_step_of_a_result() -> None:
    """CPU counts from the end of the warm-up; what is not there is not known."""
    result = result_of(fleet())
    bare = step_of(result, generator=(), target=())
    assert (50, 0.0) == (bare.agents, bare.error_ratio)
    assert (None, None) == (bare.target_cpu_ratio, bare.generator_cpu_ratio)
    ticks = [
        TargetTick(t_s=float(t), rss_bytes=1, connections=1, cpu_s=cpu_s, open_files=1)
        for t, cpu_s in ((0, 0.0), (10, 9.0), (40, 24.0))
    ]
    health = [
        GeneratorTick(t_s=float(t), cpu_ratio=ratio, loop_lag_s=0.0, rss_bytes=1)
        for t, ratio in ((1, 1.0), (20, 0.25), (30, 0.35))
    ]
    told = step_of(result, generator=health, target=ticks)
    assert 0.5 == told.target_cpu_ratio
    assert pytest.approx(0.3) == told.generator_cpu_ratio


def shown(**changes: object) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    print_capacity(capacity(*RAMP, **changes), console)
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_words() -> None:
    answer = "max agents = 800 [800, 880], first limit to break: p95, limiting resource: the load"
    assert answer == headline(capacity(resource="the load"))
    assert f"PASS  {answer}." == shown(resource="the load").splitlines()[-1]
    unbounded = capacity(fails_at=None, first_limit=None, resource=None, stopped="it was interrupted")
    assert "max agents = 800 [800, ?], no limit was reached: it was interrupted" == headline(unbounded)
    doubtful = replace(unbounded, steps=(*RAMP[:4], RAMP[4]))
    assert "max agents = 800 [800, ?], no limit is sure to break: it was interrupted" == headline(doubtful)
    none = capacity(agents=None, fails_at=1)
    assert "no fleet was shown to be served within the limits, at 1 agents either" == headline(none)
    assert "no fleet was shown to be served within the limits, at any size that was tried" == headline(
        capacity(agents=None, fails_at=None)
    )


def test_table() -> None:
    """Runs stand by the size of the fleet; a narrow terminal loses no figure."""
    text = shown(warnings=("A thing to know.",))
    assert "1,600" in text
    assert "FAIL p95" in text
    assert "80 polls a second at an interval of 10.0 s" in text
    assert "A thing to know." in text
    assert "the response time begins to climb at 400 agents" in text
    assert "…" not in text
    assert "none seen up to 1,600 agents" in shown(knee_agents=None)


def test_record() -> None:
    """The history gets one figure, larger is better, between what held and what broke."""
    record = record_of_capacity(capacity(*RAMP, wanted=700))
    assert record is not None
    (metric,) = record.metrics
    assert ("capacity", 800.0, "count", Direction.ABOVE, Interval(low=800.0, high=880.0), 700.0) == (
        metric.metric,
        metric.value,
        metric.unit,
        metric.direction,
        metric.interval,
        metric.limit,
    )
    assert record_of_capacity(capacity(agents=None)) is None
    assert record.injected is None
    target = capacity().target
    others = [
        record_of_capacity(other)
        for other in (
            capacity(interval_s=1.0),
            capacity(keep_alive=False),
            capacity(target=replace(target, design="common")),
        )
    ]
    assert 4 == len({record.scenario_digest, *(other.scenario_digest for other in others if other is not None)})
    slowed = record_of_capacity(capacity(target=replace(target, delay_s=0.1)))
    assert slowed is not None
    assert (record.scenario_digest, "delayed by 0.1 s") == (slowed.scenario_digest, slowed.injected)


@pytest.mark.parametrize(
    "steps",
    [RAMP, RAMP[:1], (step(1, p50_s=None, p95_s=None, p99_s=None),), (step(5, Status.FAIL, p99_s=math.inf),)],
)
def test_charts_of_all_shapes(steps: tuple, tmp_path) -> None:  # type: ignore[type-arg, no-untyped-def]
    """One run, many, none that was answered: each is drawn."""
    made = capacity(*steps, agents=None, fails_at=None, knee_agents=None)
    assert 2 == len(draw_capacity(made).axes)
    write_capacity_charts(made, tmp_path)
    assert {"capacity.png", "capacity.svg"} == {path.name for path in tmp_path.iterdir()}
