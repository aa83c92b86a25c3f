"""Watching a run: what ends it early, what does not, and that nothing else is looked at."""

from dataclasses import replace

import pytest

from benchmarks.judge.looks import looks_at, plan_of, stop_of
from benchmarks.judge.processes import independent, queue
from benchmarks.judge.rates import AGENTS, INTERVAL_S
from harness.columns import columns_of
from harness.gate_syntax import parse_gate
from harness.judge.gates import spec_gates
from harness.judge.sequential import Watcher
from harness.model import GeneratorTick, Status
from harness.samplefile import POLLED
from tests.harness.judge.support import WARMUP_S, failed, healthy_samples, slow, spoil, took

ABORT = parse_gate("p95 < 200ms, abort_on_fail")


def look(gates, samples, *, now_s=70.0, settling=False, polls=None, ticks=tuple, **routes):
    """Look once at a run of 300 polls, at its end unless said otherwise."""
    watcher = Watcher(gates, replace(plan_of(300, settling=settling), run_time_s=600.0))
    seen = columns_of([s for s in samples if s.end_s <= now_s])
    polls = len(seen) if polls is None else polls
    return watcher.look(polls, lambda: {POLLED: seen, **routes}, start_s=WARMUP_S, now_s=now_s, ticks=ticks)


def every(n, change):
    return spoil(healthy_samples(), range(0, 300, n), change)


def test_a_hopeless_run_is_ended():
    stop = look([ABORT], every(2, lambda s: slow(0.4 + took(int(s.start_s * 10)))(s)))
    assert (Status.FAIL, ("p95",), 70.0) == (stop.status, stop.gates, stop.judged_until_s)
    assert stop.reason.startswith(
        "The run was ended after 70 s of 10m00s, because p95 had surely failed: 149 of 299 polls took 200 ms or "
        "longer; with 97.5 % confidence however often one looks more than "
    )


def test_errors_end_a_run_as_slow_answers_do():
    assert Status.FAIL is look([parse_gate("error_ratio < 1%, abort_on_fail")], every(5, failed)).status
    assert Status.FAIL is look([parse_gate("errors == 0, abort_on_fail")], every(200, failed)).status
    assert Status.FAIL is look([parse_gate("max < 1s, abort_on_fail")], every(200, failed)).status


def test_a_healthy_run_goes_on():
    assert None is look([ABORT], healthy_samples())
    assert None is look([parse_gate("error_ratio < 1%, abort_on_fail")], every(150, failed))


def test_a_gate_that_is_not_to_abort_does_not():
    assert None is look([replace(ABORT, abort_on_fail=False)], every(2, failed))
    assert Watcher([replace(ABORT, abort_on_fail=False)], plan_of(300, settling=False)).is_idle


def test_polls_still_on_their_way_are_no_failures():
    """At 40 s half of the plan is unsent: that is no sign of anything."""
    assert None is look([parse_gate("p50 < 50ms, abort_on_fail")], healthy_samples(), now_s=40.0)


def test_what_the_generator_did_itself_ends_no_run():
    late = [replace(s, start_s=s.start_s + 0.5, end_s=s.end_s + 0.5) for s in healthy_samples()]
    assert None is look([ABORT], late)
    blocked = every(2, slow(0.45))
    ticks = [GeneratorTick(t_s=float(t), cpu_ratio=1.0, loop_lag_s=0.44, rss_bytes=1) for t in range(1, 71)]
    assert None is not look([ABORT], blocked)
    assert None is look([ABORT], blocked, ticks=lambda: ticks)


def test_before_the_window_and_without_the_route_nothing_is_said():
    broken = every(2, failed)
    assert None is look([ABORT], broken, now_s=9.0)
    watcher = Watcher([ABORT], plan_of(300, settling=False))
    assert None is watcher.look(300, dict, start_s=10.0, now_s=70.0)


def test_a_look_comes_after_fifty_polls_and_then_every_hundred():
    asked = []

    def routes():
        asked.append(polls)
        return {}

    watcher = Watcher([ABORT], plan_of(20_000, settling=False))
    for polls in range(0, 4001, 10):
        watcher.look(polls, routes, start_s=0.0, now_s=1.0)
    assert [50, 150, 250, 350] == asked[:4]
    # Beyond 2,000 a twentieth more.
    assert [2050, 2160, 2270, 2390, 2510] == asked[20:25]


def test_a_settled_run_may_end_when_that_was_asked_for():
    """A p95 gate is settled after 70 polls without exceedance; the whole intervals before now are judged."""
    gates = [parse_gate("p95 < 200ms")]
    stop = look(gates, healthy_samples(), now_s=47.0, settling=True)
    assert (Status.PASS, ("p95",), 40.0) == (stop.status, stop.gates, stop.judged_until_s)
    assert "The run was ended after 40 s of 10m00s, because every gate on the samples was settled" == stop.reason
    assert None is look(gates, healthy_samples(), now_s=47.0)


def test_a_run_is_not_settled_while_one_gate_is_open():
    """p99 takes 358 polls without exceedance, more than there are."""
    gates = [gate for gate in spec_gates(interval_s=INTERVAL_S) if not gate.optional]
    assert None is look(gates, healthy_samples(), now_s=69.0, settling=True)
    kept = [gate for gate in gates if gate.name not in {"p99", "error-ratio"}]
    assert Status.PASS is look(kept, healthy_samples(), now_s=69.0, settling=True).status


def test_a_share_that_surely_fails_settles_the_run_whatever_the_plain_figures():
    gates = [parse_gate("p95 < 200ms"), parse_gate("errors == 0")]
    assert Status.PASS is look(gates, every(2, failed), now_s=69.0, settling=True).status
    # A plain figure that fails may still be mended by the rest of the run, as a rate may.
    gates = [parse_gate("p95 < 200ms"), parse_gate("offered_rate > 100/s")]
    assert None is look(gates, healthy_samples(), now_s=69.0, settling=True)


def test_unanswered_polls_keep_a_run_from_being_settled():
    missing = [s for i, s in enumerate(healthy_samples()) if i % 10]
    assert None is look([parse_gate("p95 < 200ms")], missing, now_s=69.0, settling=True)


def test_a_gate_on_a_route_that_was_never_requested_is_never_settled():
    gates = [parse_gate("p95 < 200ms"), parse_gate("/none: p95 < 200ms")]
    assert None is look(gates, healthy_samples(), now_s=69.0, settling=True)


def test_gates_on_the_target_alone_settle_nothing():
    gates = [gate for gate in spec_gates(interval_s=INTERVAL_S) if gate.optional]
    assert Watcher(gates, plan_of(300, settling=True)).is_idle


@pytest.mark.slow
def test_a_queue_on_its_limit_is_ended_early_by_mistake_in_at_most_five_per_cent():
    """M/M/1 at 80 % load, whose polls hang together; docs/verdicts.md has more of it."""
    process = queue(0.8)
    assert 0.05 >= looks_at(process, n=4_000, quantile=0.95, limit_s=process.quantile(0.95), runs=40).ended


@pytest.mark.slow
def test_a_run_at_twice_the_allowed_rate_is_ended_by_1500_polls_in_the_median():
    process = independent()
    found = looks_at(process, n=4_000, quantile=0.99, limit_s=process.quantile(0.98), runs=40)
    assert 1500 >= found.median_polls


@pytest.mark.slow
def test_a_run_on_its_limit_is_settled_by_mistake_in_at_most_five_per_cent_each_way():
    process = independent()
    found = looks_at(process, n=1_500, quantile=0.95, limit_s=process.quantile(0.95), runs=50, settling=True)
    assert 0.10 >= found.ended


def test_a_watched_run_tells_up_to_when_it_was_judged():
    process = independent()
    stop = stop_of(process, n=2_000, quantile=0.5, limit_s=process.quantile(0.1), seed=1, settling=False)
    assert 100 * INTERVAL_S / AGENTS == stop.judged_until_s
