"""The fold from samples to figures."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.columns import columns_of
from harness.judge.summary import lock_step_index, summarise
from harness.model import Quantiles
from tests.harness.judge.support import failed, header, healthy_samples, poll

NOTHING = Quantiles(n=0, mean=None, p50=None, p95=None, p99=None, max=None)


def summary(samples, *, start_s=0.0, end_s=10.0, intended=None):
    return summarise(
        columns_of(samples),
        header=header(),
        window_start_s=start_s,
        window_end_s=end_s,
        intended=len(samples) if intended is None else intended,
    )


def test_nothing_sent_is_unknown_and_not_zero():
    found = summary([], intended=5)
    assert (found.intended, found.sent, found.completed, found.failed, found.missed) == (5, 0, 0, 0, 5)
    assert (found.offered_per_s, found.achieved_per_s) == (0.0, 0.0)
    assert (found.response_time, found.service_time, found.start_lag) == (NOTHING, NOTHING, NOTHING)
    assert found.errors_by_kind == {}
    assert found.new_connections_per_poll is None
    assert found.lock_step_index is None


def test_one_poll():
    found = summary([poll(0, 1.0, 0.25, start_s=1.5, new_connection=True)])
    assert (found.sent, found.completed, found.failed, found.missed) == (1, 1, 0, 0)
    assert found.offered_per_s == found.achieved_per_s == 0.1
    assert found.response_time.p50 == 0.75
    assert found.service_time.p50 == 0.25
    assert found.start_lag.p50 == 0.5
    assert found.new_connections_per_poll == 1.0
    assert found.lock_step_index is None


def test_all_failed():
    """An answered failure has a service time; one without an answer has none. Neither has a response time."""
    found = summary([failed(poll(0, 1.0)), failed(poll(1, 2.0), "timeout", None), failed(poll(2, 3.0))])
    assert (found.sent, found.completed, found.failed) == (3, 0, 3)
    assert (found.offered_per_s, found.achieved_per_s) == (0.3, 0.0)
    assert found.response_time == Quantiles(n=3, mean=None, p50=math.inf, p95=math.inf, p99=math.inf, max=math.inf)
    assert found.service_time.n == 2
    assert found.errors_by_kind == {"http-500": 2, "timeout": 1}


def test_the_window_is_by_intended_start_and_leaves_its_end_out():
    samples = [poll(i, at_s) for i, at_s in enumerate([4.999, 5.0, 9.999, 10.0])]
    # Sent outside the window, meant for inside.
    samples.append(poll(9, 9.0, start_s=11.0))
    found = summary(samples, start_s=5.0, end_s=10.0, intended=3)
    assert (found.sent, found.missed) == (3, 0)
    assert found.offered_per_s == 0.6


def test_polls_cut_off_by_the_end_of_the_run_are_failures_without_a_time():
    found = summary([poll(0, 1.0), failed(poll(1, 2.0), "interrupted", None)])
    assert (found.completed, found.failed) == (1, 1)
    assert found.response_time.n == 1
    assert found.errors_by_kind == {"interrupted": 1}


def test_connections_are_counted_where_they_are_known():
    samples = [
        poll(0, 1.0, new_connection=True),
        poll(1, 2.0, new_connection=False),
        poll(2, 3.0, new_connection=None),
    ]
    assert summary(samples).new_connections_per_poll == 0.5
    assert summary([replace(s, new_connection=None) for s in samples]).new_connections_per_poll is None


def test_a_window_without_length_has_no_rates():
    found = summary([poll(0, 10.0)], start_s=10.0, end_s=10.0, intended=0)
    assert (found.sent, found.offered_per_s, found.achieved_per_s) == (0, 0.0, 0.0)


def test_senseless_windows_are_refused():
    with pytest.raises(ValueError, match=r"^window: ends before it starts, got 5.0..4.0 s$"):
        summary([], start_s=5.0, end_s=4.0)
    with pytest.raises(ValueError, match=r"^intended: out of range, got -1, need 0 or more$"):
        summary([], intended=-1)


def phases(*phases_s, turns=3):
    return columns_of(
        [poll(i, turn * 10.0 + phase_s) for turn in range(turns) for i, phase_s in enumerate(phases_s)]
    )


@pytest.mark.parametrize(
    ("phases_s", "expected"),
    [
        ([i * 0.2 for i in range(50)], 0.0),
        ([3.0] * 50, 1.0),
        ([0.0, 5.0], 0.0),
        ([0.0, 0.0], 1.0),
        ([1.0] * 25 + [6.0] * 25, 48 / 49),
        ([0.0, 0.0, 5.0, 5.0], 2 / 3),
        # The circle is closed: 9.9 s and 0.1 s are neighbours.
        ([9.9, 0.1], 0.96),
    ],
    ids=["even", "all at once", "two even", "two at once", "two bunches of 25", "two pairs", "over the seam"],
)
def test_lock_step_index(phases_s, expected):
    assert lock_step_index(phases(*phases_s), interval_s=10.0) == pytest.approx(expected, abs=1e-9)


def test_lock_step_index_of_a_healthy_run_is_near_0():
    assert lock_step_index(columns_of(healthy_samples()), interval_s=10.0) == pytest.approx(0.0, abs=1e-9)


def test_lock_step_index_looks_only_at_agents_that_polled():
    columns = phases(0.0, 5.0, 7.0)
    assert lock_step_index(columns.where(columns.agent < 2), interval_s=10.0) == pytest.approx(0.0, abs=1e-9)
    assert lock_step_index(columns.where(columns.agent < 1), interval_s=10.0) is None


@given(st.lists(st.floats(0, 9.999), min_size=2, max_size=30), st.floats(0, 10))
def test_lock_step_index_is_within_0_and_1_and_does_not_depend_on_the_origin(phases_s, shift_s):
    index = lock_step_index(phases(*phases_s), interval_s=10.0)
    assert -1e-9 <= index <= 1 + 1e-9
    shifted = lock_step_index(phases(*[p + shift_s for p in phases_s]), interval_s=10.0)
    assert shifted == pytest.approx(index, abs=1e-6)


def test_a_missed_poll_waits_for_the_answer_to_the_one_sent_in_its_stead():
    """It was not sent, so only the response time knows of it; after one cut off, nobody knows."""
    late = poll(0, 4.0, 0.5, start_s=5.0, missed_s=(2.0, 3.0))
    found = summary(
        [poll(0, 1.0, 4.0), late, failed(poll(1, 3.0, missed_s=(1.0,)), "interrupted", None)], intended=6
    )
    assert (found.sent, found.missed, found.response_time.n, found.service_time.n) == (3, 3, 4, 2)
    assert (found.response_time.p50, found.response_time.max) == (2.5, 4.0)
    assert found.start_lag.max == 1.0
