"""When each agent takes part."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model import SampleHeader
from harness.schedule import Schedule, count_in_shape, intended_in_window
from harness.shape import Shape, shape_of

CHURN = {"present_s": 4.0, "absent_s": 2.0, "horizon_s": 60.0}


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        # everybody, always
        ("steady", {}, [((0.0, math.inf),)] * 4),
        # one after another, the first at once
        (
            "ramp",
            {"ramp_s": 8.0},
            [((0.0, math.inf),), ((2.0, math.inf),), ((4.0, math.inf),), ((6.0, math.inf),)],
        ),
        # a quarter always, three quarters for a while
        (
            "spike",
            {"base_ratio": 0.25, "spike_at_s": 5.0, "spike_for_s": 3.0},
            [((0.0, math.inf),)] + [((5.0, 8.0),)] * 3,
        ),
        # a spike of no length is none
        ("spike", {"base_ratio": 0.0, "spike_at_s": 5.0, "spike_for_s": 0.0}, [()] * 4),
    ],
)
def test_who_is_there_when(name: str, parameters: dict[str, float], expected: list[object]) -> None:
    shape = Shape(name=name, agents=4, parameters=parameters)
    assert expected == [shape.windows(index) for index in range(4)]


@given(seed=st.integers(0, 2**32), index=st.integers(0, 999))
def test_turns_of_churn_follow_each_other(seed: int, index: int) -> None:
    """Windows rise and never touch; the same seed gives the same ones."""
    shape = Shape(name="churn", agents=1000, seed=seed, parameters=CHURN)
    windows = shape.windows(index)
    ends = [instant for window in windows for instant in window]
    assert sorted(set(ends)) == ends
    assert windows == shape.windows(index)


def test_churn_keeps_the_share_that_its_means_give() -> None:
    """4 s there and 2 s away: two thirds are there at any time, 666 of 1,000 give or take 5 standard errors."""
    shape = Shape(name="churn", agents=1000, parameters=CHURN)
    for instant_s in (0.0, 7.5, 30.0, 59.0):
        assert 592 <= shape.active_agents(instant_s) <= 741


def test_the_next_instant_of_presence() -> None:
    shape = Shape(name="spike", agents=2, parameters={"base_ratio": 0.5, "spike_at_s": 5.0, "spike_for_s": 3.0})
    assert [5.0, 5.0, 6.5, None] == [shape.active_from_s(1, instant_s) for instant_s in (0.0, 5.0, 6.5, 8.0)]
    assert [True, False] == [shape.is_active(index, 9.0) for index in (0, 1)]


@given(
    start_s=st.floats(0, 50),
    length_s=st.floats(0, 50),
    shape=st.sampled_from(
        [
            Shape(name="ramp", agents=7, parameters={"ramp_s": 20.0}),
            Shape(name="spike", agents=7, parameters={"base_ratio": 0.3, "spike_at_s": 9.0, "spike_for_s": 11.0}),
            Shape(name="churn", agents=7, parameters=CHURN),
        ]
    ),
)
def test_counts_exactly_the_polls_inside_the_windows(start_s: float, length_s: float, shape: Shape) -> None:
    """The count agrees with asking each intended start whether its agent is there."""
    schedule = Schedule(seed=3, agents=7, interval_s=1.5, jitter_ratio=0.4)
    end_s = start_s + length_s
    starts = [(index, schedule.intended_start_s(index, k)) for index in range(7) for k in range(70)]
    expected = sum(start_s <= at_s < end_s and shape.is_active(index, at_s) for index, at_s in starts)
    assert expected == count_in_shape(schedule, shape, start_s, end_s)


def test_a_stored_runs_shape_is_rebuilt() -> None:
    header = SampleHeader(
        schema_version=1,
        origin_utc="2026-11-23T08:30:00Z",
        host="http://127.0.0.1:8000",
        scenario="ramp",
        agents=10,
        interval_s=1.0,
        seed=1,
        phase_model="sync",
        shape="ramp",
        shape_parameters={"ramp_s": 10.0},
    )
    assert Shape(name="ramp", agents=10, seed=1, parameters={"ramp_s": 10.0}) == shape_of(header)
    # Agents join at 0, 1 … 9 s and poll each full second: 1 + 2 + … + 10 polls in ten seconds.
    assert 55 == intended_in_window(header, 0.0, 10.0)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"name": "wave"}, "shape 'wave': unknown, need steady or ramp or spike or churn"),
        ({"agents": 0}, "shape 'steady': no agents, got 0, need 1 or more"),
        ({"name": "ramp"}, "shape 'ramp': other parameters than its own, got none, need ramp_s"),
        (
            {"name": "ramp", "parameters": {"ramp_s": -1.0}},
            "shape 'ramp': ramp_s out of its range, got -1.0, need 0 or more",
        ),
        (
            {"name": "spike", "parameters": {"base_ratio": 1.5, "spike_at_s": 0.0, "spike_for_s": 1.0}},
            "shape 'spike': base_ratio out of its range, got 1.5, need 0..1",
        ),
        (
            {"name": "churn", "parameters": CHURN | {"absent_s": 0.0}},
            "shape 'churn': absent_s out of its range, got 0.0, need 0.001 or more",
        ),
    ],
)
def test_shapes_that_can_not_be_are_refused(changed: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Shape(**({"agents": 4} | changed))
    assert text == str(refusal.value)
