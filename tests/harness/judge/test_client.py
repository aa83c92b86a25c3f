"""Gates on the agents' side: when a miss is the target's, when the generator's, and when nobody can tell."""

from dataclasses import replace

import numpy as np
import pytest

from harness.judge.gates import judge
from harness.judge.kinds import GENERATOR_LIMIT, INTERRUPTED
from harness.load import answers
from harness.model import Direction, GeneratorTick, Interval, Status
from tests.harness.judge.support import (
    evidence,
    failed,
    finding,
    healthy_samples,
    index,
    server,
    slow,
    spec_gate,
    spoil,
)


def sent_late(late_s):
    return lambda s: replace(s, start_s=s.start_s + late_s, end_s=s.end_s + late_s)


def ticks(lag_s):
    return tuple(GeneratorTick(t_s=float(t), cpu_ratio=0.1, loop_lag_s=lag_s, rss_bytes=1) for t in range(1, 71))


def scattered(count):
    """Return so many of 300 polls, far enough apart and uneven enough not to look like a spell."""
    return sorted(int(i) for i in np.random.default_rng(3).choice(300, size=count, replace=False))


# --- quantiles ---


def test_scattered_slow_polls_fail_p99():
    p99 = finding("p99", evidence(spoil(healthy_samples(), scattered(9), slow(0.6))))
    assert p99.status == Status.FAIL
    assert p99.exceedances == 9
    assert p99.measured == pytest.approx(0.6)
    assert p99.reason == (
        "9 of 300 polls took 500 ms or longer; with 95 % confidence more than 1.57 % do, 1 % are allowed"
    )
    assert p99.remedy == (
        "the report's 'where the time went': handler, database or pool wait; then database-queries.log"
    )


def test_one_slow_poll_of_three_hundred_leaves_p99_open_and_says_what_would_settle_it():
    p99 = finding("p99", evidence(spoil(healthy_samples(), [100], slow(0.6))))
    assert p99.status == Status.INCONCLUSIVE
    assert p99.reason == (
        "1 of 300 polls took 500 ms or longer; with 95 % confidence 0.0171 % to 1.57 % do, 1 % are allowed"
    )
    assert p99.remedy == "a longer run: about 355 more polls (71 s at 5 a second) would settle it"
    assert p99.interval.high == pytest.approx(0.6)


def test_a_share_on_the_limit_is_not_promised_to_settle():
    p99 = finding("p99", evidence(spoil(healthy_samples(), [20, 100, 250], slow(0.6))))
    assert p99.status == Status.INCONCLUSIVE
    assert p99.remedy == (
        "another limit, or a change to the target: this share can't be told from the allowed one"
    )


def test_a_short_run_passes_p95_and_leaves_p99_open():
    samples = [s for s in healthy_samples() if s.intended_start_s < 30]
    of = evidence(samples, intended=100, window_end_s=30.0)
    assert finding("p95", of).status == Status.PASS
    p99 = finding("p99", of)
    assert p99.status == Status.INCONCLUSIVE
    assert p99.remedy == "a longer run: about 199 more polls (39.8 s at 5 a second) would settle it"


def test_one_spell_of_slow_polls_is_not_fifty_independent_ones():
    p95 = finding("p95", evidence(spoil(healthy_samples(), range(100, 150), slow(9.0))))
    assert p95.exceedances == 50
    assert p95.effective_n < 30
    assert p95.status == Status.INCONCLUSIVE
    assert "with 97.5 % confidence" in p95.reason
    assert "; neighbours resemble each other, so they count as " in p95.reason


def test_spells_far_below_the_limit_cost_nothing():
    """Ten seconds of 25 ms, ten of 5 ms: p50 < 50 ms counts as fewer polls, p99 < 500 ms does not."""
    samples = spoil(
        healthy_samples(),
        range(300),
        lambda s: replace(s, end_s=s.start_s + (0.025 if s.intended_start_s % 20 < 10 else 0.005)),
    )
    of = evidence(samples)
    assert finding("p50", of).effective_n < 60
    assert finding("p99", of).effective_n == 300
    assert finding("p99", of).status == Status.PASS


def test_a_value_that_is_no_number_exceeds():
    samples = spoil(healthy_samples(), [5], lambda s: replace(s, end_s=float("nan")))
    assert finding("p99", evidence(samples)).exceedances == 1


def test_the_highest_of_the_run_is_gated_as_it_is():
    """`quantile = 1` allows no exceedance among those observed, and claims nothing beyond them."""
    gate = replace(spec_gate("p99"), name="max", quantile=1.0)
    passed = finding(gate, evidence())
    assert (passed.status, passed.interval) == (Status.PASS, None)
    assert passed.reason == "0 of 300 polls took 500 ms or longer; none may"
    assert passed.measured == pytest.approx(0.029, abs=0.001)
    assert finding(gate, evidence(spoil(healthy_samples(), [100], slow(0.6)))).status == Status.FAIL
    assert finding(gate, evidence([])).status == Status.INCONCLUSIVE


def test_service_time_leaves_the_wait_before_the_start_out():
    gate = replace(spec_gate("p99"), name="service", metric="service_time")
    of = evidence(spoil(healthy_samples(), range(300), sent_late(2.0)))
    assert finding(gate, of).status == Status.PASS
    assert finding("p99", of).status == Status.INVALID
    assert finding(gate, evidence(spoil(healthy_samples(), scattered(9), failed))).status == Status.FAIL


# --- the generator's own lateness ---


def test_a_fail_that_the_generators_lateness_explains_is_invalid():
    of = evidence(spoil(healthy_samples(), range(300), sent_late(0.9)))
    p99 = finding("p99", of)
    assert p99.status == Status.INVALID
    assert p99.reason == (
        "300 of 300 polls took 500 ms or longer, but without the load generator's own lateness (up to 900 ms) "
        "only 0 would have"
    )
    assert p99.remedy == "fewer agents, or a faster or less busy machine for the generator"
    assert (p99.n, p99.exceedances) == (300, 300)
    assert judge([spec_gate("p99")], of).status == Status.INVALID


def test_a_fail_that_stays_without_the_lateness_stays_a_fail():
    samples = spoil(healthy_samples(), range(300), lambda s: replace(s, end_s=s.end_s + 0.6))
    of = evidence(spoil(samples, range(300), sent_late(0.9)))
    assert finding("p99", of).status == Status.FAIL


def test_lateness_never_takes_a_pass_away():
    of = evidence(spoil(healthy_samples(), range(300), sent_late(0.02)), ticks=ticks(0.4))
    assert [finding(name, of).status for name in ("p50", "p95", "p99")] == [Status.PASS] * 3


def test_a_poll_that_waited_for_its_agent_is_no_fault_of_the_generator():
    """Each agent's polls take 11 s: every later one is sent late because the agent was not free."""
    samples = []
    for s in healthy_samples():
        turn = int(s.intended_start_s // 10)
        start_s = s.intended_start_s + turn * 1.0
        samples.append(replace(s, start_s=start_s, end_s=start_s + 11.0))
    assert finding("p99", evidence(samples)).status == Status.FAIL


def test_the_poll_before_the_window_tells_that_an_agent_was_busy():
    """One slow poll in the warm-up makes the first judged one late: with the warm-up's samples that is seen."""
    samples = [
        replace(s, end_s=s.start_s + 12.0)
        if s.intended_start_s < 10
        else (sent_late(2.0)(s) if s.intended_start_s < 20 else s)
        for s in healthy_samples()
    ]
    whole = evidence(samples)
    assert finding("p99", whole).status == Status.FAIL
    cut = replace(whole, columns=whole.columns.window(10.0, 70.0))
    assert finding("p99", cut).status == Status.INVALID


def test_a_blocked_event_loop_counts_as_lateness():
    samples = spoil(healthy_samples(), scattered(30), slow(0.6))
    assert finding("p99", evidence(samples, ticks=ticks(0.0))).status == Status.FAIL
    blocked = finding("p99", evidence(samples, ticks=ticks(0.2)))
    assert blocked.status == Status.INVALID
    assert "own lateness (up to" in blocked.reason
    assert finding("p99", evidence(samples, ticks=ticks(0.02))).status == Status.FAIL
    assert finding("p99", evidence(samples, ticks=())).status == Status.FAIL


def test_polls_that_the_generator_could_not_send_do_not_fail_the_target():
    of = evidence(spoil(healthy_samples(), scattered(30), lambda s: failed(s, GENERATOR_LIMIT, None)))
    errors = finding("error-ratio", of)
    assert errors.status == Status.INVALID
    assert errors.reason == (
        "30 of 300 polls failed, but without the load generator's own want of sockets, ports or memory (30 polls) "
        "only 0 would have"
    )
    assert finding("p99", of).status == Status.INVALID
    both = spoil(healthy_samples(), scattered(60)[::2], lambda s: failed(s, GENERATOR_LIMIT, None))
    both = spoil(both, scattered(60)[1::2], failed)
    assert finding("error-ratio", evidence(both)).status == Status.FAIL


def test_the_words_for_these_errors_are_the_loads():
    assert answers.GENERATOR_LIMIT == GENERATOR_LIMIT
    assert answers.INTERRUPTED == INTERRUPTED


# --- errors ---


def test_no_error_of_three_hundred_passes_below_one_per_cent():
    errors = finding("error-ratio", evidence())
    assert errors.status == Status.PASS
    assert errors.measured == 0.0
    assert errors.interval == Interval(low=0.0, high=pytest.approx(0.00993608))
    assert errors.reason == ("0 of 300 polls failed; with 95 % confidence fewer than 0.994 % do, 1 % are allowed")


def test_no_error_of_298_does_not():
    of = evidence(healthy_samples()[:-2], intended=298)
    assert finding("error-ratio", of).status == Status.INCONCLUSIVE


def test_errors_scattered_over_the_run_fail():
    errors = finding("error-ratio", evidence(spoil(healthy_samples(), scattered(30), failed)))
    assert (errors.status, errors.exceedances, errors.measured) == (Status.FAIL, 30, 0.1)
    assert errors.remedy == "the errors by kind in the report; then master-backend.log of the target"


def test_an_error_gate_of_zero_asks_for_none_among_those_seen():
    gate = replace(spec_gate("error-ratio"), limit=0.0)
    assert finding(gate, evidence()).status == Status.PASS
    one = finding(gate, evidence(spoil(healthy_samples(), [7], failed)))
    assert (one.status, one.reason) == (Status.FAIL, "1 of 300 polls failed; none may")


@pytest.mark.parametrize("samples", [None, []], ids=["healthy", "empty"])
def test_a_target_that_died_fails_whatever_the_share(samples):
    errors = finding("error-ratio", evidence(samples, target_death="the target's process ended with signal 9"))
    assert errors.status == Status.FAIL
    assert errors.reason.startswith("the target's process ended with signal 9 during the run; ")
    assert errors.remedy == "the last lines of target.log and master-backend.log"


# --- polls that were not sent, or cut off ---


def test_unsent_polls_may_have_been_slow():
    """250 quick polls would pass p95, but 50 more were meant to be sent: were they slow, it would not."""
    p95 = finding("p95", evidence(healthy_samples()[:-50]))
    assert p95.status == Status.INCONCLUSIVE
    assert p95.reason.endswith("5 % are allowed; 50 more polls never sent")
    assert p95.remedy == "a run that sends every poll: 50 were not sent and may have been slow"


def stalled(lateness_s=0.0):
    """Every agent's poll of 20 s on took until 50 s: those of 30 s were missed, those of 40 s sent then."""
    samples = []
    for sample in healthy_samples():
        turn = sample.intended_start_s // 10
        if turn == 2:
            samples.append(replace(sample, end_s=50.0 + sample.intended_start_s % 10 - 2 * lateness_s))
        elif turn == 4:
            start_s = sample.intended_start_s + 10.0
            missed_s = (sample.intended_start_s - 10.0,)
            samples.append(replace(sample, start_s=start_s, end_s=start_s + 0.02, missed_s=missed_s))
        elif turn != 3:
            samples.append(sample)
    return samples


def test_a_missed_poll_has_a_response_time():
    """Of 300 intended polls 150 took ten seconds and more, though 50 of these were never sent."""
    of = evidence(stalled())
    p95 = finding("p95", of)
    assert (p95.status, p95.n, p95.exceedances, p95.measured) == (Status.FAIL, 300, 150, pytest.approx(30.0))
    assert "never sent" not in p95.reason
    assert finding("error-ratio", of).reason.endswith("50 more polls never sent")


def test_polls_that_a_late_generator_missed_fail_no_gate():
    """The agents were free again soon after their poll of 20 s: what came after is the generator's doing."""
    p95 = finding("p95", evidence(stalled(lateness_s=14.95)))
    assert p95.status == Status.INVALID
    assert p95.reason.startswith("100 of 300 polls took 200 ms or longer, but without the load generator's own")


def test_unsent_polls_do_not_fail_a_gate():
    assert finding("p50", evidence(healthy_samples()[:-50])).status == Status.PASS


def test_polls_cut_off_by_the_end_of_the_run_count_as_unknown():
    samples = spoil(healthy_samples(), range(280, 300), lambda s: failed(s, INTERRUPTED, None))
    of = evidence(samples, interrupted=True)
    assert finding("error-ratio", of).exceedances == 0
    assert finding("error-ratio", of).n == 280
    assert finding("p95", of).status == Status.INCONCLUSIVE
    assert finding("p50", of).status == Status.PASS


def test_an_interrupted_run_is_judged_on_what_it_has():
    samples = [s for s in healthy_samples() if s.intended_start_s < 40]
    of = evidence(samples, intended=150, window_end_s=40.0, interrupted=True)
    names = ("p50", "p95", "p99", "poll-rate")
    assert [finding(name, of).status for name in names] == [
        Status.PASS,
        Status.PASS,
        Status.INCONCLUSIVE,
        Status.PASS,
    ]


# --- rate ---


def test_one_poll_each_ten_seconds_passes():
    rate = finding("poll-rate", evidence())
    assert (rate.status, rate.measured, rate.n) == (Status.PASS, 0.1, 300)
    assert rate.reason == ("50 agents completed 300 polls in 60 s, 0.1 a second each; 0.09 to 0.11 are allowed")


@pytest.mark.parametrize(("failures", "status"), [(30, Status.PASS), (31, Status.FAIL)])
def test_a_tenth_fewer_completed_polls_is_the_edge(failures, status):
    rate = finding("poll-rate", evidence(spoil(healthy_samples(), range(failures), failed)))
    assert rate.status == status


def test_a_rate_that_errors_brought_down_is_the_targets_fault():
    rate = finding("poll-rate", evidence(spoil(healthy_samples(), range(100), failed)))
    assert rate.status == Status.FAIL
    assert rate.reason == (
        "50 agents completed 200 polls in 60 s, 0.0667 a second each; 0.09 to 0.11 are allowed; "
        "100 failed, 0 missed"
    )
    assert rate.remedy == "the errors by kind and the longest polls in the report"


def test_missing_polls_of_a_quick_target_are_the_generators_fault():
    rate = finding("poll-rate", evidence(healthy_samples()[:-60]))
    assert rate.status == Status.INVALID
    assert rate.reason.endswith("60 polls were missing although the target kept no agent waiting")
    assert rate.remedy == "fewer agents, or a faster or less busy machine for the generator"


def test_missing_polls_of_a_target_that_held_the_agents_are_its_own():
    """Every poll of the first measured turn takes 25 s, so each agent misses one poll and sends another late."""
    held = [s for s in healthy_samples() if not 20 <= s.intended_start_s < 30]
    held = spoil(held, range(50), slow(25.0))
    rate = finding("poll-rate", evidence(held))
    assert rate.status == Status.FAIL
    assert rate.reason.endswith("0 failed, 50 missed")


def test_missing_polls_of_an_interrupted_run_leave_the_rate_open():
    rate = finding("poll-rate", evidence(healthy_samples()[:-60], interrupted=True))
    assert rate.status == Status.INCONCLUSIVE
    assert rate.reason.endswith("the target kept no agent waiting: the run was interrupted")
    assert rate.remedy == "a run to its end"


def test_more_polls_than_the_schedule_wanted_are_the_generators_fault():
    rate = finding("poll-rate", evidence(healthy_samples() + healthy_samples()[-60:]))
    assert rate.status == Status.INVALID
    assert rate.reason.endswith("the generator sent 60 more than the schedule wanted")


def test_a_window_that_cuts_an_interval_does_not_fail_the_rate():
    """One agent, a window of 15 s: the schedule itself puts two polls there, a third too many."""
    samples = [s for s in healthy_samples() if s.agent == "agent-000" and s.intended_start_s < 25]
    rate = finding("poll-rate", evidence(samples, agents=1, intended=2, window_end_s=25.0))
    assert rate.status == Status.INCONCLUSIVE
    assert rate.reason.endswith("the window is too short to tell: the schedule itself put 2 polls in it")
    assert rate.remedy == "a run time of whole intervals after the warm-up"


def test_an_interval_other_than_the_gates_fails_the_rate():
    """The gate wants a poll each 10 s, the run polls each 5 s as it was told to."""
    samples = healthy_samples(interval_s=5.0)
    of = evidence(samples, intended=600)
    rate = finding("poll-rate", replace(of, interval_s=5.0))
    assert rate.status == Status.FAIL


# --- missed polls and connections ---


def test_missed_polls_can_be_gated():
    gate = replace(spec_gate("error-ratio"), name="missed", metric="missed_ratio")
    assert finding(gate, evidence()).status == Status.PASS
    missed = finding(gate, evidence(healthy_samples()[:-6]))
    assert (missed.status, missed.measured) == (Status.FAIL, 0.02)
    assert missed.reason == "6 of 300 intended polls missed; below 1 % is wanted"
    assert finding(gate, evidence([], intended=0)).reason == ("the schedule had no poll in the measured window")


def test_connections_can_be_gated():
    gate = replace(spec_gate("error-ratio"), name="reuse", metric="connections_per_poll", unit="number", limit=0.5)
    assert finding(gate, evidence()).status == Status.PASS
    opened = evidence(spoil(healthy_samples(), range(300), lambda s: replace(s, new_connection=True)))
    assert finding(gate, opened).status == Status.FAIL
    assert finding(gate, opened).reason == "300 polls opened 300 connections; below 0.5 is wanted"
    assert finding(gate, opened).remedy == (
        "a keep-alive time-out of the target above the polling interval (uvicorn: --timeout-keep-alive 75)"
    )
    assert finding(gate, replace(opened, keep_alive=False)).remedy == (
        "--keep-alive server: each poll asked for the close of its connection"
    )
    assert finding(gate, evidence([])).status == Status.INCONCLUSIVE
    above = replace(gate, direction=Direction.ABOVE)
    assert finding(above, opened).status == Status.PASS
    unknown = evidence(spoil(healthy_samples(), range(300), lambda s: replace(s, new_connection=None)))
    assert finding(gate, unknown).status == Status.INCONCLUSIVE
    assert finding(gate, unknown).reason == "the samples don't tell whether a connection was opened"
    assert judge([replace(gate, optional=True)], unknown).coverage.not_judged == {
        "reuse": "the samples don't tell whether a connection was opened"
    }


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0])
def test_a_figure_on_its_limit_is_neither_below_nor_above(limit):
    gate = replace(
        spec_gate("error-ratio"), name="reuse", metric="connections_per_poll", unit="number", limit=limit
    )
    share = round(300 * limit)
    of = evidence(spoil(healthy_samples(), range(share), lambda s: replace(s, new_connection=True)))
    assert finding(gate, of).status == Status.FAIL
    assert finding(replace(gate, direction=Direction.ABOVE), of).status == Status.FAIL
    near = replace(gate, direction=Direction.NEAR, tolerance_ratio=0.0)
    assert finding(near, of).status == Status.PASS


def test_a_run_that_holds_nothing_but_polls_is_judged_on_them():
    of = evidence(server=None, indexes=(), ticks=())
    assert finding("p99", of).status == Status.PASS
    assert evidence(server=server(), indexes=(index(),)).server is not None
