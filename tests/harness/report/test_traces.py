"""What a run's folder holds besides its polls."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.model import Pickup, SampleHeader, TargetKind
from harness.report.traces import (
    Traces,
    active_steps,
    all_waves,
    latest_order_s,
    outage_of,
    read_traces,
    waves_of,
)
from harness.rundir import RunDirectory, encode
from harness.shape import Shape
from tests.harness.results import fleet, result_of, run_of

WAVES = {"wave_at_s": 10.0, "wave_every_s": 20.0}


def pickup(created_s: float, fetched_s: float | None, number: int = 1) -> Pickup:
    return Pickup(deployment=str(number), agent=f"agent-{number}", created_s=created_s, fetched_s=fetched_s)


def test_a_folder_of_before_has_no_traces(tmp_path: Path) -> None:
    assert Traces() == read_traces(RunDirectory(tmp_path))


def test_drift_and_shape_are_read_from_the_folder(tmp_path: Path) -> None:
    header = SampleHeader(
        schema_version=1,
        origin_utc="2026-11-23T08:30:00Z",
        host="http://127.0.0.1:1",
        scenario="ramp",
        agents=4,
        interval_s=1.0,
        seed=1,
        phase_model="uniform",
        shape="ramp",
        shape_parameters={"ramp_s": 8.0},
    )
    (tmp_path / "samples.jsonl").write_bytes(encode(header) + b"\n")
    series = (
        b'{"memory": {"name": "memory", "subject": "target\'s memory", "unit": "bytes", "times_s": [1, 2],'
        b' "values": [3, 4], "drift": {"n": 2, "slope_per_s": null, "p": null, "change": null,'
        b' "change_ratio": null, "drifts": false}}}'
    )
    (tmp_path / "drift.json").write_bytes(series)
    traces = read_traces(RunDirectory(tmp_path))
    assert traces.shape == Shape(name="ramp", agents=4, seed=1, parameters={"ramp_s": 8.0})
    assert [("memory", (1.0, 2.0), (3.0, 4.0), False)] == [
        (one.name, one.times_s, one.values, one.grows) for one in traces.drift
    ]


def test_a_torn_drift_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_bytes(b'{"memory": {"name"')
    with pytest.raises(HarnessError, match=r"drift\.json': not a"):
        read_traces(RunDirectory(tmp_path))


def test_agents_are_counted_from_their_windows_to_the_runs_end() -> None:
    edges, counts = active_steps(Shape(name="ramp", agents=4, parameters={"ramp_s": 8.0}), 10.0)
    assert ([0.0, 2.0, 4.0, 6.0, 10.0], [1.0, 2.0, 3.0, 4.0]) == (edges.tolist(), counts.tolist())
    spike = Shape(name="spike", agents=4, parameters={"base_ratio": 0.25, "spike_at_s": 3.0, "spike_for_s": 2.0})
    edges, counts = active_steps(spike, 10.0)
    assert ([0.0, 3.0, 5.0, 10.0], [1.0, 4.0, 1.0]) == (edges.tolist(), counts.tolist())


def test_the_steps_agree_with_the_shape_at_every_instant() -> None:
    shape = Shape(
        name="churn", agents=9, seed=3, parameters={"present_s": 4.0, "absent_s": 3.0, "horizon_s": 30.0}
    )
    edges, counts = active_steps(shape, 40.0)
    for first, last, count in zip(edges[:-1], edges[1:], counts, strict=True):
        assert shape.active_agents(float(first + last) / 2) == count


def test_an_outage_lasts_from_its_plan_to_the_targets_answer_or_the_runs_end() -> None:
    run = run_of(ended_s=70.0)
    stormy = replace(run, scenario=replace(run.scenario, parameters={"down_at_s": 20.0, "down_for_s": 5.0}))
    assert outage_of(run) is None
    assert (20.0, 70.0) == outage_of(stormy)
    assert (20.0, 27.5) == outage_of(replace(stormy, back_s=27.5))
    assert outage_of(replace(stormy, ended_s=15.0)) is None
    foreign = replace(stormy, target=replace(run.target, kind=TargetKind.ATTACHED))
    assert outage_of(foreign) is None


def test_pickups_are_sorted_into_their_waves_and_late_orders_count_in_no_quantile() -> None:
    told = (pickup(31.0, 33.0), pickup(10.5, 12.5), pickup(11.0, 12.0), pickup(10.1, None), pickup(69.0, 69.1))
    waves = waves_of(told, WAVES, until_s=60.0)
    assert [(1, 3, 0, 10.1), (2, 1, 0, 31.0), (3, 1, 1, 69.0)] == [
        (wave.number, wave.orders, wave.late, wave.from_s) for wave in waves
    ]
    first, _, late = waves
    assert (2.0, math.inf, math.inf) == (first.quantiles.p50, first.quantiles.p95, first.quantiles.max)
    assert [10.1] == first.lost_s.tolist()
    assert (0, None) == (late.quantiles.n, late.quantiles.p50)
    together = all_waves(told, until_s=60.0)
    assert (5, 1, 4) == (together.orders, together.late, together.quantiles.n)


def test_without_the_scenarios_numbers_all_pickups_are_one_wave() -> None:
    assert [2] == [w.orders for w in waves_of((pickup(1.0, 2.0), pickup(50.0, None)), {}, until_s=60.0)]
    assert () == waves_of((), WAVES, until_s=60.0)
    assert (0, 0.0) == (all_waves((), until_s=1.0).orders, all_waves((), until_s=1.0).from_s)


def test_an_order_is_late_within_an_interval_of_the_measured_parts_end() -> None:
    assert 60.0 == latest_order_s(result_of(fleet()))
