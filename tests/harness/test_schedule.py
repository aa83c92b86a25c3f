"""The schedule: where polls are meant to be, and how many a window holds."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.model import SCHEMA_VERSION, SampleHeader
from harness.schedule import PhaseModel, Schedule, intended_in_window

schedules = st.builds(
    Schedule,
    seed=st.integers(min_value=0, max_value=2**63),
    agents=st.integers(min_value=1, max_value=40),
    interval_s=st.one_of(
        st.sampled_from([0.001, 0.1, 1.0, 10.0, 1 / 3]), st.floats(min_value=0.001, max_value=1e4)
    ),
    phase_model=st.sampled_from(PhaseModel),
    jitter_ratio=st.sampled_from([0.0, 0.1, 1.0]),
)


@pytest.mark.parametrize(
    ("agents", "interval_s", "window", "expected"),
    [
        # fifty agents at ten seconds, one minute: six polls each
        (50, 10.0, (0.0, 60.0), 300),
        # a single interval holds each agent once, wherever it begins
        (50, 10.0, (3.3, 13.3), 50),
        # one agent alone has phase 0: its polls are at 0, 10, 20 …
        (1, 10.0, (0.0, 10.0), 1),
        # the window's first instant belongs to it, its end does not
        (1, 10.0, (10.0, 20.0), 1),
        # between two polls there are none
        (1, 10.0, (0.5, 9.5), 0),
        # nothing is meant for before the origin
        (4, 2.0, (-100.0, 0.0), 0),
        # a window without length is empty, at a poll too
        (1, 1.0, (1.0, 1.0), 0),
        # a window that ends before it starts is empty
        (1, 1.0, (5.0, 2.0), 0),
    ],
)
def test_counts_the_polls_of_a_window(
    agents: int, interval_s: float, window: tuple[float, float], expected: int
) -> None:
    schedule = Schedule(seed=7, agents=agents, interval_s=interval_s)
    assert expected == schedule.count_between(*window)


def test_uniform_phases_are_the_slots_of_the_interval_dealt_out() -> None:
    """Fifty agents at ten seconds have the fifty multiples of 0.2 s, in an order that the seed shuffles."""
    schedule = Schedule(seed=1, agents=50, interval_s=10.0)
    phases = [schedule.phase_s(i) for i in range(50)]
    assert [i / 5 for i in range(50)] == sorted(phases)
    assert phases != sorted(phases)


def test_sync_puts_every_agent_at_the_origin() -> None:
    schedule = Schedule(seed=1, agents=3, interval_s=5.0, phase_model="sync")
    assert [0.0, 0.0, 0.0] == [schedule.phase_s(i) for i in range(3)]
    assert [0.0, 5.0, 10.0] == [schedule.intended_start_s(2, k) for k in range(3)]


def test_random_phases_fill_the_interval_unevenly() -> None:
    """A thousand phases drawn by chance leave gaps that even slots do not have."""
    schedule = Schedule(seed=3, agents=1000, interval_s=10.0, phase_model="random")
    phases = sorted(schedule.phase_s(i) for i in range(1000))
    assert max(b - a for a, b in pairwise(phases)) > 0.03
    assert 4.5 < sum(phases) / 1000 < 5.5


def test_the_numbers_of_a_seed_never_change() -> None:
    """Stored runs are counted again from their header: these values are a promise to them."""
    uniform = Schedule(seed=42, agents=4, interval_s=10.0)
    jittered = Schedule(seed=42, agents=4, interval_s=10.0, phase_model="random", jitter_ratio=0.5)
    assert [37.5, 30.0, 35.0, 32.5] == [uniform.intended_start_s(i, 3) for i in range(4)]
    assert [20.513075, 13.642092, 12.781047, 15.648557] == [jittered.intended_start_s(i, 1) for i in range(4)]


def test_another_seed_deals_the_slots_otherwise() -> None:
    phases = [tuple(Schedule(seed=s, agents=20, interval_s=10.0).phase_s(i) for i in range(20)) for s in (1, 2)]
    assert phases[0] != phases[1]
    assert sorted(phases[0]) == sorted(phases[1])


@given(schedules)
def test_phases_lie_in_the_interval(schedule: Schedule) -> None:
    assert all(0.0 <= schedule.phase_s(i) < schedule.interval_s for i in range(schedule.agents))


@given(schedules, st.integers(min_value=0, max_value=10**6))
def test_the_polls_of_an_agent_are_in_order(schedule: Schedule, k: int) -> None:
    """Jitter of a whole interval still lets no poll overtake the next."""
    assert schedule.intended_start_s(0, k) < schedule.intended_start_s(0, k + 1)


@given(schedules, st.integers(min_value=0, max_value=10**5))
def test_the_first_poll_at_or_after_its_own_start_is_itself(schedule: Schedule, k: int) -> None:
    """Counting and placing use the same floats: no poll is lost or doubled at the edge of a window."""
    start_s = schedule.intended_start_s(0, k)
    assert k == schedule.count_before(0, start_s)
    assert k + 1 == schedule.count_until(0, start_s)
    assert k + 1 == schedule.count_before(0, math.nextafter(start_s, math.inf))


@given(schedules, st.tuples(*[st.floats(min_value=-10, max_value=1e4)] * 3))
def test_neighbouring_windows_add_up(schedule: Schedule, cuts: tuple[float, float, float]) -> None:
    a, b, c = sorted(cuts)
    assert schedule.count_between(a, c) == schedule.count_between(a, b) + schedule.count_between(b, c)


@given(schedules, st.integers(min_value=0, max_value=2**32))
def test_counting_agrees_with_listing(schedule: Schedule, seed: int) -> None:
    """The closed form gives what writing all the starts down and counting them gives."""
    dice = random.Random(seed)
    start_s, end_s = sorted(dice.uniform(0, 12 * schedule.interval_s) for _ in range(2))
    listed = [schedule.intended_start_s(i, k) for i in range(schedule.agents) for k in range(14)]
    assert sum(start_s <= t < end_s for t in listed) == schedule.count_between(start_s, end_s)


@given(schedules, st.floats(min_value=0, max_value=1e4))
def test_the_fleet_is_the_sum_of_its_agents(schedule: Schedule, end_s: float) -> None:
    agents = range(schedule.agents)
    assert schedule.count_between(0.0, end_s) == sum(
        schedule.count_between(0.0, end_s, agent_index=i) for i in agents
    )


@given(schedules, st.floats(min_value=0, max_value=1e3), st.floats(min_value=0, max_value=1e3))
def test_a_stored_header_counts_as_its_schedule_did(schedule: Schedule, start_s: float, length_s: float) -> None:
    header = SampleHeader(
        schema_version=SCHEMA_VERSION,
        origin_utc="2026-11-23T08:00:00Z",
        host="http://127.0.0.1:1",
        scenario="agent-polling",
        agents=schedule.agents,
        interval_s=schedule.interval_s,
        seed=schedule.seed,
        phase_model=schedule.phase_model,
        jitter_ratio=schedule.jitter_ratio,
    )
    end_s = start_s + length_s
    assert schedule.count_between(start_s, end_s) == intended_in_window(header, start_s, end_s)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"agents": 0}, "schedule 'agents': no agents, got 0, need 1 or more"),
        ({"interval_s": -1.0}, "schedule 'interval': not a polling interval, got -1 s, need 0.001 s or more"),
        ({"interval_s": math.nan}, "schedule 'interval': not a polling interval, got nan s, need 0.001 s or more"),
        ({"interval_s": math.inf}, "schedule 'interval': not a polling interval, got inf s, need 0.001 s or more"),
        (
            {"phase_model": "even"},
            "schedule 'phase model': unknown, got 'even', need uniform or random or sync",
        ),
        ({"jitter_ratio": 1.5}, "schedule 'jitter': outside its range, got 1.5, need 0..1"),
    ],
)
def test_refuses_what_is_no_schedule(changed: dict[str, object], text: str) -> None:
    values = {"seed": 1, "agents": 2, "interval_s": 10.0} | changed
    with pytest.raises(UsageError) as caught:
        Schedule(**values)
    assert text == str(caught.value)


@pytest.mark.parametrize("instant_s", [math.inf, math.nan, 1e12])
def test_refuses_an_instant_beyond_counting(instant_s: float) -> None:
    schedule = Schedule(seed=1, agents=1, interval_s=1.0)
    with pytest.raises(ValueError, match="beyond what a schedule can count"):
        schedule.count_before(0, instant_s)
