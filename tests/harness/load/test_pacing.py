"""The rule for late agents: which poll is sent, which are missed, and that the schedule never shifts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.pacing import FleetPacing
from harness.schedule import Schedule, count_in_shape
from harness.shape import Shape


def one_agent(interval_s: float = 10.0) -> FleetPacing:
    """Return a fleet of one agent whose polls are meant for 0, 10, 20 … seconds."""
    return FleetPacing(Schedule(seed=1, agents=1, interval_s=interval_s))


@pytest.mark.parametrize(
    ("free_at_s", "end_s", "sent", "missed"),
    [
        # on time each time: every poll is sent, none late
        ([0.0, 10.0, 20.0], None, [0.0, 10.0, 20.0], 0),
        # woken early: nothing is due yet, and nothing is used up by asking
        ([0.0, 9.999999, 10.0], None, [0.0, None, 10.0], 0),
        # an answer that took 12 s: the second poll is owed, sent late, and the third keeps its place
        ([0.0, 12.0, 20.0], None, [0.0, 10.0, 20.0], 0),
        # free again at the very instant the next one is due: that one is sent, the older is missed
        ([0.0, 20.0], None, [0.0, 20.0], 1),
        # a stall of 57 s: the newest owed poll is sent, the four before it are missed
        ([0.0, 57.0, 60.0], None, [0.0, 50.0, 60.0], 4),
        # asked twice at one instant: a poll is handed out once only
        ([0.0, 0.0], None, [0.0, None], 0),
        # joined late: the polls from before it came are missed
        ([35.0], None, [30.0], 3),
        # the end of the run: what is meant for the end or later is not sent
        ([0.0, 10.0, 20.0], 20.0, [0.0, 10.0, None], 0),
        # still busy at the end: the poll owed from before it may be sent late
        ([0.0, 23.0], 20.0, [0.0, 10.0], 0),
        # long past the end: the newest from before it, the others missed
        ([0.0, 500.0], 40.0, [0.0, 30.0], 2),
        # a run that ends at its origin has no poll at all
        ([0.0, 5.0], 0.0, [None, None], 0),
    ],
)
def test_sends_the_newest_poll_that_is_due(
    free_at_s: list[float], end_s: float | None, sent: list[float | None], missed: int
) -> None:
    agent = one_agent()
    assert sent == [agent.take(0, now_s, end_s=end_s) for now_s in free_at_s]
    assert missed == agent.missed


def test_says_when_the_next_poll_is_meant_to_start() -> None:
    """Before the first, after a sent one and after a skip."""
    agent = one_agent()
    assert agent.next_intended_s(0) == 0.0
    agent.take(0, 0.5)
    assert agent.next_intended_s(0) == 10.0
    agent.take(0, 35.0)
    assert agent.next_intended_s(0) == 40.0


@given(
    st.floats(min_value=0.01, max_value=20.0),
    st.lists(st.floats(min_value=0.0, max_value=30.0), max_size=40),
    st.sampled_from([0.0, 0.7]),
)
def test_every_intended_start_is_sent_once_or_missed(
    interval_s: float, pauses_s: list[float], jitter_ratio: float
) -> None:
    """Whatever holds an agent up, sent and missed polls together are those the schedule had."""
    schedule = Schedule(seed=5, agents=3, interval_s=interval_s, phase_model="random", jitter_ratio=jitter_ratio)
    agent = FleetPacing(schedule)
    now_s = 0.0
    sent: list[float] = []
    for pause_s in pauses_s:
        now_s += pause_s
        intended_s = agent.take(1, now_s)
        if intended_s is not None:
            assert intended_s <= now_s
            sent.append(intended_s)
    assert sent == sorted(set(sent))
    assert len(sent) + agent.missed == schedule.count_until(1, now_s) if pauses_s else not sent


@given(st.floats(min_value=0.0, max_value=100.0), st.floats(min_value=0.0, max_value=100.0))
def test_a_late_poll_never_shifts_the_schedule(first_s: float, second_s: float) -> None:
    """What is due depends on the time alone, not on what an agent did before."""
    early_s, late_s = sorted((first_s, second_s))
    busy, fresh = one_agent(3.0), one_agent(3.0)
    busy.take(0, early_s)
    took, expected = busy.take(0, late_s), fresh.take(0, late_s)
    assert took in (None, expected)
    assert busy.next_intended_s(0) == fresh.next_intended_s(0)


SPIKE = Shape(name="spike", agents=1, parameters={"base_ratio": 0.0, "spike_at_s": 15.0, "spike_for_s": 30.0})


def spiking() -> FleetPacing:
    """Return a fleet of one agent that is there from 15 to 45 s: polls at 20, 30 and 40 s."""
    return FleetPacing(Schedule(seed=1, agents=1, interval_s=10.0), SPIKE)


@pytest.mark.parametrize(
    ("free_at_s", "sent", "missed"),
    [
        # nothing before it comes and nothing after it has gone
        ([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0], [None, None, 20.0, 30.0, 40.0, None, None], 0),
        # held up within its time: the older one is missed
        ([35.0, 40.0], [30.0, 40.0], 1),
        # held up until it had gone: the last owed one is sent, nothing beyond
        ([20.0, 99.0, 100.0], [20.0, 40.0, None], 1),
    ],
)
def test_an_agent_that_is_away_owes_nothing(free_at_s: list[float], sent: list[float | None], missed: int) -> None:
    fleet = spiking()
    assert sent == [fleet.take(0, now_s) for now_s in free_at_s]
    assert missed == fleet.missed


def test_an_agent_that_never_takes_part_has_no_next_poll() -> None:
    never = Shape(name="spike", agents=1, parameters={"base_ratio": 0.0, "spike_at_s": 1.0, "spike_for_s": 0.0})
    fleet = FleetPacing(Schedule(seed=1, agents=1, interval_s=10.0), never)
    assert fleet.next_intended_s(0) is None
    assert fleet.take(0, 1e6) is None


def test_says_when_an_agent_goes_away() -> None:
    """Its connection goes with it; an agent that stays keeps its own."""
    fleet = spiking()
    assert not fleet.leaves_between(0, 20.0, 30.0)
    assert fleet.leaves_between(0, 40.0, None)
    assert not one_agent().leaves_between(0, 0.0, 10.0)


@given(st.integers(min_value=0, max_value=1000), st.lists(st.floats(min_value=0.0, max_value=9.0), max_size=40))
def test_a_fleet_that_comes_and_goes_polls_when_the_judge_says(seed: int, pauses_s: list[float]) -> None:
    """Sent and missed polls together are what is counted from the samples' header."""
    shape = Shape(
        name="churn",
        agents=3,
        seed=seed,
        parameters={"present_s": 20.0, "absent_s": 10.0, "horizon_s": 100.0},
    )
    schedule = Schedule(seed=seed, agents=3, interval_s=2.0)
    fleet = FleetPacing(schedule, shape)
    now_s, sent = 0.0, 0
    for pause_s in pauses_s:
        now_s += pause_s
        sent += sum(fleet.take(agent, now_s) is not None for agent in range(3))
    # The judge counts up to an instant, the fleet what is due at it.
    until_s = math.nextafter(now_s, math.inf)
    assert sent + fleet.missed == (count_in_shape(schedule, shape, 0.0, until_s) if pauses_s else 0)


def test_what_was_skipped_is_told_until_the_next_poll() -> None:
    agent = FleetPacing(Schedule(seed=1, agents=1, interval_s=10.0))
    told = [(agent.take(0, now_s), agent.skipped_s) for now_s in (0.0, 35.0, 36.0, 40.0)]
    assert told == [(0.0, ()), (30.0, (10.0, 20.0)), (None, ()), (40.0, ())]
    assert agent.missed == 2


def test_what_was_skipped_lies_in_the_windows_of_the_shape() -> None:
    """Neither what was meant for before it came is told, nor what is meant for after it has gone."""
    agent = spiking()
    assert (agent.take(0, 99.0), agent.skipped_s, agent.missed) == (40.0, (20.0, 30.0), 2)
