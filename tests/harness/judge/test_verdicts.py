"""From findings to a verdict: what is waived, what a baseline says, what ended a run."""

from dataclasses import replace

import pytest

from harness.gate_syntax import parse_gate
from harness.history_model import Comparison
from harness.judge.gates import judge, status_of
from harness.model import EarlyStop, Interval, Status
from tests.harness.judge.support import evidence, failed, finding, healthy_samples, spoil

TIGHT = parse_gate("p(99.9) < 500ms")
WAIVED = replace(TIGHT, on_inconclusive="pass")
FINE = parse_gate("p50 < 50ms")
CHANGE = parse_gate("p95 vs baseline < +10%")


def test_a_finding_that_is_let_pass_stays_inconclusive():
    """300 polls can't show p99.9. The finding says so, and the verdict passes where the gate says it may."""
    assert Status.INCONCLUSIVE is judge([FINE, TIGHT], evidence()).status
    verdict = judge([FINE, WAIVED], evidence())
    assert Status.PASS is verdict.status
    assert [Status.PASS, Status.INCONCLUSIVE] == [finding.status for finding in verdict.findings]
    assert ("p50", "p99.9") == verdict.coverage.judged


def test_what_is_let_pass_alone_passes_where_something_was_seen():
    assert Status.PASS is judge([WAIVED], evidence()).status
    assert Status.INCONCLUSIVE is judge([WAIVED], evidence([])).status
    assert Status.INCONCLUSIVE is status_of([])


def test_letting_pass_what_is_inconclusive_lets_no_failure_pass():
    broken = evidence(spoil(healthy_samples(), range(0, 300, 5), failed))
    assert Status.FAIL is judge([FINE, WAIVED, parse_gate("errors == 0, on_inconclusive pass")], broken).status


def test_a_gate_that_was_asked_for_and_can_not_be_answered_is_inconclusive():
    silent = evidence(server=None, indexes=())
    for text in ("pool_use < 80%", "query_time p95 < 1s", "pool_wait p95 < 1s", "index(a)"):
        verdict = judge([FINE, parse_gate(text)], silent)
        assert Status.INCONCLUSIVE is verdict.status
        assert "'optional' in the gate, if it may be left out" == verdict.findings[1].remedy
        optional = judge([FINE, parse_gate(f"{text}, optional")], silent)
        assert Status.PASS is optional.status
        assert 1 == len(optional.coverage.not_judged)
        passing = judge([FINE, parse_gate(f"{text}, on_inconclusive pass")], silent)
        assert (Status.PASS, 2) == (passing.status, len(passing.findings))


def comparison(**changes):
    whole = {
        "subject": CHANGE.subject,
        "metric": CHANGE.metric,
        "quantile": 0.95,
        "unit": "s",
        "status": Status.FAIL,
        "baseline_n": 12,
        "contender_n": 1,
        "baseline": 0.1,
        "contender": 0.13,
        "change_ratio": 0.3,
        "interval": Interval(low=0.22, high=0.38),
        "expected": None,
        "limit_ratio": 0.1,
        "detectable_ratio": 0.05,
        "control": None,
        "reason": "30 % slower than the 12 runs before",
        "remedy": "harness compare",
    }
    return Comparison(**(whole | changes))


def test_a_comparison_becomes_a_finding():
    found = finding(CHANGE, evidence(comparisons={"p95-vs-baseline": comparison()}))
    assert (Status.FAIL, 0.3, 12) == (found.status, found.measured, found.n)
    assert Interval(low=0.22, high=0.38) == found.interval
    assert ("30 % slower than the 12 runs before", "harness compare") == (found.reason, found.remedy)


@pytest.mark.parametrize(
    ("comparisons", "reason"),
    [
        (None, "nobody looked for a baseline"),
        ({}, "there is no baseline to compare with"),
        ({"p95-vs-baseline": comparison(status=Status.INCONCLUSIVE, baseline_n=0, change_ratio=None)}, None),
    ],
)
def test_no_baseline_is_a_finding_and_never_a_pass(comparisons, reason):
    of = evidence(comparisons=comparisons)
    verdict = judge([CHANGE], of)
    assert (Status.INCONCLUSIVE, Status.INCONCLUSIVE) == (verdict.status, verdict.findings[0].status)
    assert reason in {None, verdict.findings[0].reason}
    waived = replace(CHANGE, on_inconclusive="pass")
    assert Status.INCONCLUSIVE is judge([waived], of).status
    # The first runs of a project: everything else holds, and the history is yet to grow.
    assert Status.PASS is judge([FINE, waived], of).status


@pytest.mark.parametrize("gates", [[FINE], [TIGHT], [WAIVED], []])
def test_a_run_that_was_called_off_fails_whatever_its_gates_say(gates):
    """A target that goes down has not kept its limits, also where no gate is about errors."""
    why = "the run was called off after 28 s, because the target is going down: 101 of the last 101 polls failed"
    verdict = judge(gates, evidence(called_off=why, interrupted=True))
    assert Status.FAIL is verdict.status
    found = verdict.findings[-1]
    assert ("target-up", Status.FAIL, 0.0, why) == (found.gate.name, found.status, found.measured, found.reason)
    assert "target-up" == verdict.coverage.judged[-1]
    assert judge(gates, evidence()).findings == verdict.findings[:-1]


def test_the_gate_that_ended_a_run_stays_failed():
    """The bound held at the instant that ended the run; what came in afterwards does not take that back."""
    gate = parse_gate("p95 < 200ms, abort_on_fail")
    stop = EarlyStop(status=Status.FAIL, gates=("p95",), judged_until_s=70.0, reason="The run was ended")
    few = evidence(spoil(healthy_samples(), range(0, 300, 16), failed), stop=stop)
    assert Status.INCONCLUSIVE is finding(gate, replace(few, stop=None)).status
    found = finding(gate, few)
    assert Status.FAIL is found.status
    assert found.reason.startswith("The run was ended; 19 of 300 polls took 200 ms or longer or failed; ")
    settled = replace(stop, status=Status.PASS)
    assert Status.INCONCLUSIVE is finding(gate, replace(few, stop=settled)).status
    assert Status.INCONCLUSIVE is finding(replace(gate, name="other"), few).status


def test_a_gate_that_may_end_a_run_fails_at_half_the_error():
    """Looking during the run and judging at its end share the 5 % between them."""
    gate = parse_gate("p95 < 200ms")
    of = evidence(spoil(healthy_samples(), range(0, 300, 14), failed))
    assert Status.FAIL is finding(gate, of).status
    watched = finding(replace(gate, abort_on_fail=True), of)
    assert Status.INCONCLUSIVE is watched.status
    worse = evidence(spoil(healthy_samples(), range(0, 300, 11), failed))
    assert "with 97.5 % confidence more than" in finding(replace(gate, abort_on_fail=True), worse).reason


def test_bounds_of_a_run_that_may_end_when_settled_hold_however_often_one_looks():
    """p99 passes with 300 polls in a run of fixed length, and needs 358 in one that may end any time."""
    gate = parse_gate("p99 < 500ms")
    assert Status.PASS is finding(gate, evidence()).status
    found = finding(gate, evidence(settling=True))
    assert Status.INCONCLUSIVE is found.status
    assert "with 95 % confidence however often one looks 0 % to " in found.reason
    assert found.remedy.startswith("a longer run: about 58 more polls")
