"""Captions: each says what its plot shows for this very run."""

from dataclasses import replace

import pytest

from harness.report import captions
from harness.report.captions import ResponseLimit, response_limits
from tests.harness.results import finding, fleet, gate, result_of, verdict_of

HEALTHY = result_of(fleet())
EMPTY = result_of(fleet(agents=0))
ALL_FAILED = result_of(fleet(failing_ratio=1.0))
SOME_FAILED = result_of(fleet(failing_ratio=0.04, error_kinds=("http-500", "timeout")))
ONE = result_of(fleet(agents=1, run_time_s=20.0), run_time_s=20.0)
STALLED = result_of(fleet(stall=(25.0, 65.0)))


def test_limits_are_the_judged_ones_on_response_time_in_order() -> None:
    assert (0.5, 0.95, 0.99) == tuple(limit.quantile for limit in response_limits(HEALTHY))
    assert ("p50", "p95", "p99") == tuple(limit.name for limit in response_limits(HEALTHY))
    assert "p99.9" == ResponseLimit(quantile=0.999, limit_s=1.0).name
    others = verdict_of((finding(gate("q", limit=1, metric="query_time", quantile=0.99)),))
    assert () == response_limits(result_of(fleet(), verdict=others))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (HEALTHY, "300 measured polls: p95 was 7.51 ms, 1/27 of its limit of 200 ms; none failed."),
        (
            SOME_FAILED,
            "300 measured polls: p95 was 7.98 ms, 1/25 of its limit of 200 ms; 6 failed (crosses at the top).",
        ),
        (STALLED, "300 measured polls: p95 was 36.9 s, 185 times its limit of 200 ms; none failed."),
        (ALL_FAILED, "300 measured polls: p95 has no end, because too many polls failed; all failed."),
        (ONE, "1 measured poll: its response time was 3.09 ms; it did not fail."),
        (EMPTY, "No poll was measured."),
    ],
)
def test_response_times(result: object, expected: str) -> None:
    assert expected == captions.response_times(result)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("measured_ms", "expected"),
    [
        (0.1, "less than a thousandth of its limit"),
        (4.0, "1/50 of its limit"),
        (20.0, "a tenth of its limit"),
        (50.0, "a quarter of its limit"),
        (150.0, "75 % of its limit"),
        (200.0, "1.00 times its limit"),
        (620.0, "3.10 times its limit"),
    ],
)
def test_a_measured_value_is_told_against_its_limit(measured_ms: float, expected: str) -> None:
    summary = HEALTHY.summary
    times = replace(summary.response_time, p95=measured_ms / 1e3)
    shown = captions.response_times(replace(HEALTHY, summary=replace(summary, response_time=times)))
    assert f", {expected} of 200 ms;" in shown


def test_without_a_limit_the_value_stands_alone() -> None:
    bare = replace(HEALTHY, verdict=verdict_of(()))
    assert "300 measured polls: p95 was 7.51 ms; none failed." == captions.response_times(bare)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            HEALTHY,
            (
                "Of 300 measured polls, half within 4.33 ms, 95 % within 7.51 ms and 99 % within 9.30 ms"
                " of their intended start."
            ),
        ),
        (
            SOME_FAILED,
            (
                "Of 300 measured polls, half within 4.38 ms and 95 % within 7.98 ms of their intended start;"
                " p99 has no end, because 6 polls failed."
            ),
        ),
        (ALL_FAILED, "More than half of 300 measured polls failed."),
        (ONE, "One poll was measured; it took 3.09 ms."),
        (EMPTY, "No poll was measured."),
    ],
)
def test_distribution(result: object, expected: str) -> None:
    assert expected == captions.distribution(result)  # type: ignore[arg-type]


def test_what_timing_from_the_intended_start_was_worth_is_told_where_it_shows() -> None:
    summary = HEALTHY.summary
    late = replace(summary, response_time=replace(summary.response_time, p99=0.8))
    assert captions.distribution(replace(HEALTHY, summary=late)).endswith(
        " Waiting to be sent added 791 ms at p99."
    )


def test_polls_that_were_missed_are_told_as_such() -> None:
    summary = HEALTHY.summary
    more = replace(summary, response_time=replace(summary.response_time, n=360), missed=60)
    told = captions.response_times(replace(HEALTHY, summary=more))
    assert told.startswith("360 measured polls (60 of them missed): p95 was ")


def test_rates() -> None:
    start = "Over the measured 60 s the schedule wanted 5.00 polls a second; 5.00 were sent and"
    assert f"{start} 5.00 answered without error; no poll was missed." == captions.rates(HEALTHY)
    late = result_of(fleet(), missed=60)
    assert captions.rates(late).endswith("; 60 polls missed.")
    assert "wanted 6.00 polls a second" in captions.rates(late)


def test_rates_of_a_run_without_a_measured_part_are_unknown_not_zero() -> None:
    summary = replace(EMPTY.summary, window_end_s=EMPTY.summary.window_start_s)
    assert "wanted ? polls a second" in captions.rates(replace(EMPTY, summary=summary))


def test_errors() -> None:
    assert "6 of 300 measured polls failed (2.00 %): timeout (5) and http-500 (1)." == captions.errors(SOME_FAILED)
    outside = "No measured poll failed; what is drawn happened before or after the measured part."
    assert outside == captions.errors(HEALTHY)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0.02, "the agents are spread evenly over the interval."),
        (0.4, "the agents bunch in parts of the interval."),
        (0.95, "the agents poll in lock-step, in the same part of the interval."),
    ],
)
def test_agents_tell_lock_step(index: float, expected: str) -> None:
    summary = replace(HEALTHY.summary, lock_step_index=index)
    assert captions.agents(replace(HEALTHY, summary=summary)).endswith(expected)


def test_agents_of_a_single_one_have_no_index() -> None:
    assert "Lock-step" not in captions.agents(replace(ONE, summary=replace(ONE.summary, lock_step_index=None)))


def test_breakdown_names_the_largest_part() -> None:
    shown = captions.breakdown([("database", 0.002), ("pool wait", None), ("handler", 0.001)], "from its headers")
    assert shown.startswith("At p95 the largest part was database, 2.00 ms; from its headers.")
    assert captions.breakdown([("database", None)], "why") == "Nothing is known of the parts; why."
