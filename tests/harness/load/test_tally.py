"""The closing summary of a plain run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.tally import RunFacts, Tally, describe, quantile_s
from harness.model import Sample
from monitoring.histogram import Histogram, nearest_rank
from tests.harness.load.test_recorder import sample

FACTS = RunFacts(agents=50, measured_s=60.0, intended=300, retries=0, samples="runs/x/samples.jsonl")


def test_shows_times_errors_and_what_was_missed() -> None:
    """Of 299 polls 298 took 4 ms from the intended start, one failed: the worst percent holds it."""
    tally = Tally()
    for number in range(298):
        tally.add(sample(number, new_connection=number < 50))
    tally.add(sample(298, status=None, error="timeout", new_connection=True))
    assert describe(tally, FACTS).splitlines() == [
        "299 of 300 intended polls sent in 60.0 s by 50 agents, 1 missed, 1 failed (timeout 1)",
        "response time  p50  4.00 ms  p95  4.00 ms  p99  4.00 ms  from the intended start, failures infinite",
        "service time   p50  3.90 ms  p95  3.90 ms  p99  3.90 ms  from sending, answered polls only",
        "start lag      p50   100 µs  p95   100 µs  p99   100 µs  of this machine, or of agents still busy",
        "connections    51 opened",
        "samples        runs/x/samples.jsonl",
    ]


def test_a_run_of_failures_took_forever() -> None:
    tally = Tally()
    for number in range(3):
        tally.add(sample(number, status=500, error="http-500"))
    tally.add(sample(4, status=None, error="connection-refused"))
    lines = describe(tally, FACTS).splitlines()
    assert "4 failed (http-500 3, connection-refused 1)" in lines[0]
    assert lines[1].startswith("response time  p50        ∞  p95        ∞  p99        ∞")
    assert lines[2].startswith("service time   p50        ?  p95        ?  p99        ?")


def test_an_empty_run_knows_no_times() -> None:
    lines = describe(Tally(), FACTS).splitlines()
    assert lines[0].startswith("0 of 300 intended polls sent in 60.0 s by 50 agents, 300 missed, 0 failed")
    assert lines[1].startswith("response time  p50        ?  p95        ?  p99        ?")


def test_polls_meant_for_the_warmup_are_left_out() -> None:
    """The intended start decides, as it does for the schedule's own count."""
    tally = Tally(warmup_s=1.0)
    tally.add(sample(4, start_s=1.5, end_s=1.6))  # meant for 0.8 s, sent late
    tally.add(sample(5))  # meant for 1.0 s
    assert tally.sent == 1
    assert tally.response_time.n == 1


CASES = [
    sample(0),
    sample(1, new_connection=True),
    sample(2, end_s=0.9, name="/api/deployments"),
    sample(3, error="http-500", status=500),
    sample(4, error="interrupted", status=None, new_connection=None),
    sample(5, extra=True),
    sample(6, missed_s=(0.8, 1.0)),
    sample(7, end_s=3.0),
]


@given(st.lists(st.sampled_from(CASES), max_size=40), st.sampled_from([0.0, 0.5]))
def test_several_at_a_time_count_like_one_by_one(samples: list[Sample], warmup_s: float) -> None:
    together, single = Tally(warmup_s=warmup_s), Tally(warmup_s=warmup_s)
    together.add_many(samples)
    for one in samples:
        single.add(one)
    assert describe(together, FACTS) == describe(single, FACTS)
    assert together.errors == single.errors
    for times, expected in (
        (together.response_time, single.response_time),
        (together.service_time, single.service_time),
        (together.start_lag, single.start_lag),
    ):
        assert times.buckets() == expected.buckets()
        assert (times.min_s, times.max_s) == (expected.min_s, expected.max_s)


def test_repeated_polls_are_told() -> None:
    facts = RunFacts(agents=1, measured_s=1.0, intended=1, retries=3, samples="x")
    assert "connections    0 opened, 3 polls sent anew after an idle close" in describe(Tally(), facts)


def test_extra_polls_are_told_apart() -> None:
    """They are sent besides the schedule, so they count neither as sent nor against what was intended."""
    tally = Tally()
    tally.add(sample(1))
    tally.add(sample(1, extra=True))
    assert ", 0 failed, 1 extra polls\n" in describe(
        tally, RunFacts(agents=1, measured_s=1.0, intended=1, retries=0, samples="x")
    )


def test_requests_that_are_no_polls_are_left_out() -> None:
    tally = Tally()
    tally.add(sample(1, name="/api/deployments", method="POST"))
    assert (tally.sent, tally.response_time.n) == (0, 0)


@pytest.mark.parametrize(
    ("values", "infinite", "q", "expected"),
    [
        # nearest rank: the least value that q of all do not exceed
        ([1.0], 0, 0.99, 1.0),
        # one failure of a hundred: p99 is the last answer, what is beyond took forever
        ([1.0] * 99, 1, 0.99, 1.0),
        ([1.0] * 99, 1, 1.0, math.inf),
        ([1.0] * 98, 2, 0.99, math.inf),
        # nothing but failures, and nothing at all
        ([], 3, 0.5, math.inf),
        ([], 0, 0.5, None),
    ],
)
def test_quantiles_are_by_nearest_rank(
    values: list[float], infinite: int, q: float, expected: float | None
) -> None:
    assert expected == quantile_s(Histogram.of(values), q, infinite=infinite)


@given(
    st.lists(st.floats(min_value=1e-5, max_value=1e3), min_size=1),
    st.integers(min_value=0, max_value=5),
    st.sampled_from([0.5, 0.95, 0.99, 1.0]),
)
def test_a_quantile_is_the_ranks_value_within_the_histograms_error(
    values: list[float], infinite: int, q: float
) -> None:
    every = sorted(values) + [math.inf] * infinite
    expected = every[nearest_rank(q, len(every)) - 1]
    assert quantile_s(Histogram.of(values), q, infinite=infinite) == pytest.approx(expected, rel=0.008)


def test_missed_polls_took_until_the_answer_to_the_next() -> None:
    """Two were missed before an answered poll, one before a failed one, one of the warm-up and one cut off."""
    tally = Tally(warmup_s=10.0)
    tally.add(sample(200, missed_s=(5.0, 20.0, 30.0)))
    tally.add(sample(250, missed_s=(45.0,), status=None, error="timeout"))
    tally.add(sample(300, missed_s=(55.0,), status=None, error="interrupted"))
    assert (tally.sent, tally.response_time.n, tally.endless) == (3, 3, 2)
