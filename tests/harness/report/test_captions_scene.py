"""Captions of what stands around the polls: figures of this very run, in a sentence."""

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.model import GeneratorTick, Pickup, Status, TargetTick
from harness.report import captions_scene as captions
from harness.report.parts import Split, splits_of
from harness.report.traces import active_steps, all_waves, waves_of
from tests.harness.report.test_charts_scene import GROWS, RAMP, compared, connecting, still
from tests.harness.results import fleet, quantiles_of

TICKS = tuple(
    GeneratorTick(t_s=t, cpu_ratio=c, loop_lag_s=lag, rss_bytes=1) for t, c, lag in ((1, 0.1, 0), (2, 0.3, 0.02))
)


def test_a_generator_of_before_tells_what_it_knows() -> None:
    assert (
        "The load generator used 0.200 cores on average and 0.300 at most; its loop woke at most 20.0 ms late."
        == captions.generator(TICKS)
    )


def test_a_generator_tells_all_that_it_knows() -> None:
    told = [replace(tick, start_lag_s=0.004, gc_pause_s=0.0, missed=0, connections=50) for tick in TICKS]
    assert captions.generator(told).endswith(
        "; a free agent's poll waited at most 4.00 ms to be sent; no collection of garbage paused it;"
        " no poll was missed; at most 50 connections open."
    )
    worse = [replace(told[0], gc_pause_s=0.01, missed=7, connections=1), told[1]]
    assert "no collection of garbage paused it for longer than 10.0 ms; 7 polls missed" in captions.generator(
        worse
    )


def test_several_processes_are_told_side_by_side() -> None:
    ticks = [replace(tick, worker=worker) for worker in ("a", "b") for tick in TICKS]
    start = "The load generator's 2 processes used 0.200 to 0.200 cores each on average and 0.300 at most"
    assert captions.generator(ticks).startswith(start)


def test_a_fleet_that_grows_is_told_with_its_response_times() -> None:
    steps = active_steps(RAMP, 70.0)
    assert captions.fleet(steps, fleet()).startswith(
        "By the schedule 1 to 50 agents took part; p95 of the response time was "
    )
    assert "without end while more were" in captions.fleet(steps, fleet(failing_ratio=0.5))
    assert "By the schedule 1 to 50 agents took part." == captions.fleet(steps, fleet(agents=0))
    still_there = (np.array([0.0, 70.0]), np.array([50.0]))
    assert "By the schedule 50 agents took part." == captions.fleet(still_there, fleet())


def pickups_of(*times_s: float | None, created_s: float = 15.0) -> tuple[Pickup, ...]:
    return tuple(
        Pickup(
            deployment=str(i),
            agent="a",
            created_s=created_s,
            fetched_s=None if time_s is None else created_s + time_s,
        )
        for i, time_s in enumerate(times_s)
    )


def test_pickups() -> None:
    for times_s, expected in (
        (
            (1.0, 2.0),
            "Of 2 deployments ordered in 1 wave all were fetched: half within 1.00 s, 95 % within 2.00 s,",
        ),
        (
            (1.0, None),
            "Of 2 deployments ordered in 1 wave 1 were fetched: half within 1.00 s, the slowest took 1.00",
        ),
        ((None,), "None of 1 deployment ordered in 1 wave was fetched."),
    ):
        made = pickups_of(*times_s)
        together, waves = all_waves(made, until_s=60.0), waves_of(made, {}, until_s=60.0)
        assert captions.pickups(together, waves, 10.0).startswith(expected)


def test_orders_that_came_too_late_are_said() -> None:
    made = pickups_of(1.0) + pickups_of(1.0, None, created_s=65.0)
    told = captions.pickups(all_waves(made, until_s=60.0), waves_of(made, {}, until_s=60.0), 10.0)
    assert "; 2 ordered too late in the run to count are left out;" in told


def test_target() -> None:
    tick = TargetTick(t_s=1.0, rss_bytes=90_000_000, connections=50, cpu_s=1.0, open_files=77)
    young = replace(tick, t_s=25.0, rss_bytes=1)
    ticks, cores = (tick, young), np.array([math.nan, 0.25])
    told = captions.target(ticks, cores, (20.0, 30.0))
    assert (
        "The reference master used 0.250 cores on average and 0.250 at most, 90.0 to 90.0 MB of memory, at most"
        " 50 connections and 77 open files. It was away from 20.0 s to 30.0 s."
    ) == told
    once = captions.target((tick,), np.array([math.nan]), None)
    assert once.startswith("The reference master used 90.0 to 90.0 MB")


def test_drift() -> None:
    assert "Of 2 watched series 1 surely grows over the run: target's memory (+11.5 %)." == captions.drift(
        (GROWS, still("files", 1.0, "files"))
    )
    calm = replace(GROWS, drifts=False, change_ratio=-0.004)
    assert captions.drift((calm,)).endswith("that of the target's memory, −0.400 % over the run.")
    unknown = captions.drift((still("files", 1.0, "files"),))
    assert "None of 1 watched series has slices enough to tell a drift from noise." == unknown
    zero = replace(GROWS, drifts=False, change_ratio=None)
    assert "None of 1 watched series surely grows." == captions.drift((zero,))


def test_connections() -> None:
    columns = connecting(fleet())
    told = captions.connections(columns, "A time-out above the interval cures it.")
    assert told.startswith("350 of 350 measured polls opened a connection (100 %). Opening one took ")
    assert told.endswith(" A time-out above the interval cures it.")
    kept = replace(columns, new_connection=np.zeros(350, dtype=np.int64), connect_s=None)
    assert "Every one of 350 measured polls found its connection still open." == captions.connections(kept, None)
    unknown = replace(kept, new_connection=np.full(350, -1))
    assert "It is not known which polls opened a connection." == captions.connections(unknown, None)


def test_split() -> None:
    seen = fleet(failing_ratio=0.04)
    told = captions.split(splits_of(seen, quantiles_of(seen.response_time_s)))
    assert told.startswith("The largest part: ")
    assert told.endswith("9 at p50 and 9 at p95. p99 lies among the failed polls.")
    nothing = Split(name="p50", value_s=0.0, polls=1, parts=(("start lag", 0.0),))
    assert captions.split((nothing,)).startswith("No poll took any time. Made of")
    assert captions.split((nothing,)).endswith("p95 and p99 lie among the failed polls.")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Status.FAIL, "Beyond what is allowed: Response time p95 (+20.0 %); 1 of 2 surely within it."),
        (Status.INCONCLUSIVE, "No figure is surely worse than is allowed; 1 of 2 surely within it."),
    ],
)
def test_comparison(status: Status, expected: str) -> None:
    told = captions.comparison((compared(0.2, status=status), compared(0.0, metric="achieved_rate")))
    assert f"{expected} Lines are the intervals of the changes against 12 runs." == told
