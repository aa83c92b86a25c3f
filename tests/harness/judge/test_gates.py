"""The specification's gates on runs that are healthy, spoilt in one place, short, empty or interrupted."""

from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.judge.catalogue import METRICS
from harness.judge.gates import judge, overall, plan_shortfall, required_polls, spec_gates
from harness.model import Direction, Gate, Scenario, Status
from tests.harness.judge.support import (
    INTERVAL_S,
    evidence,
    failed,
    finding,
    healthy_samples,
    slow,
    spec_gate,
    spoil,
)

ALL = ("p50", "p95", "p99", "error-ratio", "poll-rate", "query-time", "pool-use", "pending-index")


def statuses(of):
    return {f.gate.name: f.status for f in judge(spec_gates(interval_s=INTERVAL_S), of).findings}


def test_a_healthy_run_of_three_hundred_polls_passes_every_gate():
    verdict = judge(spec_gates(interval_s=INTERVAL_S), evidence())
    assert verdict.status == Status.PASS
    assert verdict.coverage.judged == ALL
    assert verdict.coverage.not_judged == {}
    assert {f.status for f in verdict.findings} == {Status.PASS}
    assert [f.remedy for f in verdict.findings] == [None] * len(ALL)


def test_a_pass_says_what_was_counted_and_what_it_shows():
    p99 = finding("p99", evidence())
    assert p99.reason == (
        "0 of 300 polls took 500 ms or longer; with 95 % confidence fewer than 0.994 % do, 1 % are allowed"
    )
    assert (p99.n, p99.effective_n, p99.exceedances) == (300, 300.0, 0)


def test_every_answer_at_600_ms_fails_the_three_quantiles_and_nothing_else():
    of = evidence(spoil(healthy_samples(), range(300), lambda s: replace(s, end_s=s.end_s + 0.6)))
    found = statuses(of)
    assert [name for name in ALL if found[name] is Status.FAIL] == ["p50", "p95", "p99"]
    assert found["error-ratio"] == Status.PASS


def test_a_failed_poll_exceeds_every_limit():
    """Thirty quick 500 answers of 300 fail p95 and p99 although each took 20 ms."""
    of = evidence(spoil(healthy_samples(), range(0, 300, 10), failed))
    found = statuses(of)
    assert found["p50"] == Status.PASS
    assert found["p95"] == Status.FAIL
    assert found["p99"] == Status.FAIL
    assert found["error-ratio"] == Status.FAIL
    p95 = finding("p95", of)
    assert p95.exceedances == 30
    assert p95.reason.startswith("30 of 300 polls took 200 ms or longer or failed; ")
    assert p95.remedy == "the errors by kind in the report; then master-backend.log of the target"


@pytest.mark.parametrize(
    ("response_time_s", "exceedances"), [(0.500, 1), (0.4999, 0)], ids=["on the limit", "just below"]
)
def test_a_poll_on_the_limit_exceeds_it(response_time_s, exceedances):
    samples = healthy_samples()
    # Intended at 10 s exactly, so that 0.5 s later is 10.5 and the difference has no rounding in it.
    first = next(i for i, s in enumerate(samples) if s.intended_start_s == 10.0)
    samples[first] = slow(response_time_s)(samples[first])
    assert finding("p99", evidence(samples)).exceedances == exceedances


def test_no_polls_are_never_a_pass():
    verdict = judge(spec_gates(interval_s=INTERVAL_S), evidence([]))
    assert verdict.status == Status.INCONCLUSIVE
    found = {f.gate.name: f for f in verdict.findings}
    for name in ("p50", "p95", "p99", "error-ratio", "poll-rate"):
        assert found[name].status == Status.INCONCLUSIVE
        assert found[name].reason == "no poll of /api/deployments/pending/{agent_id} in the measured window"
        assert found[name].measured is None


def test_nothing_judged_is_inconclusive():
    verdict = judge([spec_gate("pool-use"), spec_gate("pending-index")], evidence(server=None, indexes=()))
    assert verdict.status == Status.INCONCLUSIVE
    assert verdict.findings == ()
    assert set(verdict.coverage.not_judged) == {"pool-use", "pending-index"}
    assert judge([], evidence()).status == Status.INCONCLUSIVE


def test_a_missing_source_leaves_the_rest_a_pass_and_is_named():
    verdict = judge(spec_gates(interval_s=INTERVAL_S), evidence(server=None, indexes=()))
    assert verdict.status == Status.PASS
    assert verdict.coverage.judged == ("p50", "p95", "p99", "error-ratio", "poll-rate")
    assert verdict.coverage.not_judged == {
        "query-time": (
            "the target gave no figures of its own; install the monitoring layer there, or check that "
            "/api/metrics/pending-deployments answers"
        ),
        "pool-use": (
            "the target gave no figures of its own; install the monitoring layer there, or check that "
            "/api/metrics/pending-deployments answers"
        ),
        "pending-index": "no query plan was read: that takes the database's URL (--database-url)",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], Status.INCONCLUSIVE),
        ([Status.PASS], Status.PASS),
        ([Status.PASS, Status.INCONCLUSIVE], Status.INCONCLUSIVE),
        ([Status.INCONCLUSIVE, Status.INVALID, Status.PASS], Status.INVALID),
        ([Status.INVALID, Status.PASS, Status.FAIL], Status.FAIL),
    ],
)
def test_fail_beats_invalid_beats_inconclusive_beats_pass(given, expected):
    assert overall(given) == expected


def test_a_gate_on_an_endpoint_without_polls_is_a_finding():
    gate = replace(spec_gate("p95"), subject="/api/agents")
    found = finding(gate, evidence())
    assert found.status == Status.INCONCLUSIVE
    assert found.reason == ("no poll of /api/agents in this run, which polled /api/deployments/pending/{agent_id}")


def gate(**changes):
    whole = {"name": "g", "metric": "response_time", "subject": "x", "limit": 0.2, "unit": "s", "quantile": 0.95}
    return Gate(**(whole | changes))


ONE_OF = ", ".join(METRICS)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (
            gate(metric="respons_time"),
            f"gate 'g': unknown metric, got 'respons_time', need one of {ONE_OF}; try 'response_time'",
        ),
        (gate(metric="colour"), f"gate 'g': unknown metric, got 'colour', need one of {ONE_OF}"),
        (
            gate(quantile=None),
            "gate 'g': 'response_time' is a distribution, got no quantile, need a quantile in (0, 1]",
        ),
        (
            gate(metric="poll_rate"),
            "gate 'g': 'poll_rate' is no distribution, got quantile 0.95, need no quantile",
        ),
        (gate(quantile=1.5), "gate 'g': quantile out of range, got 1.5, need 0 < q <= 1"),
        (
            gate(quantile=0.9999999999999999),
            (
                "gate 'g': no run is long enough for this quantile, got 0.9999999999999999, need up to "
                "p(99.9999), or max"
            ),
        ),
        (gate(quantile=0.0), "gate 'g': quantile out of range, got 0.0, need 0 < q <= 1"),
        (
            gate(direction=Direction.ABOVE),
            "gate 'g': 'response_time' has to stay below its limit, got '>', need '<'",
        ),
        (gate(limit=float("nan")), "gate 'g': limit out of range, got nan, need a finite number, 0 or more"),
        (gate(limit=0.0), "gate 'g': nothing takes less than no time, got a limit of 0, need more than 0"),
        (gate(limit=-1.0), "gate 'g': limit out of range, got -1.0, need a finite number, 0 or more"),
        (
            gate(metric="error_ratio", quantile=None, limit=1.0),
            "gate 'g': limit out of range, got 1.0, need 0 <= ratio < 1",
        ),
        (gate(unit="ms"), "gate 'g': 'response_time' has another unit, got 'ms', need 's'"),
        (gate(kind="timeout"), "gate 'g': 'response_time' has no kinds, got 'timeout', need none"),
        (
            gate(on_inconclusive="warn"),
            "gate 'g': unknown value of on_inconclusive, got 'warn', need 'fail' or 'pass'",
        ),
        (
            gate(against_baseline=True, unit="ratio", abort_on_fail=True),
            (
                "gate 'g': a comparison is not known before the run is over, got abort_on_fail, need a gate on "
                "error_ratio, errors, response_time or service_time that has to stay below a limit"
            ),
        ),
        (
            gate(tolerance_ratio=float("nan")),
            "gate 'g': tolerance out of range, got nan, need a ratio of the limit, 0 or more",
        ),
        (gate(confidence=95.0), "gate 'g': confidence out of range, got 95.0, need 0.5 <= confidence < 1"),
        (
            gate(metric="poll_rate", quantile=None, direction=Direction.NEAR),
            "gate 'g': 'near' needs a tolerance, got none, need a ratio of the limit, 0 or more",
        ),
    ],
)
def test_a_gate_that_fits_no_run_is_refused(wrong, text):
    with pytest.raises(UsageError) as fault:
        judge([wrong], evidence())
    assert str(fault.value) == text


def test_two_gates_of_one_name_are_refused():
    with pytest.raises(UsageError) as fault:
        judge([spec_gate("p95"), spec_gate("p95")], evidence())
    assert str(fault.value) == "gate 'p95': several gates of one name, got 2, need 1"


def scenario(**changes):
    whole = {
        "name": "agent-polling",
        "agents": 50,
        "interval_s": 10.0,
        "run_time_s": 70.0,
        "warmup_s": 10.0,
        "phase_model": "uniform",
        "seed": 1,
        "digest": "0",
    }
    return Scenario(**(whole | changes))


def test_the_specification_needs_299_polls():
    assert required_polls(spec_gates(interval_s=10.0)) == 299
    assert required_polls([spec_gate("poll-rate")]) == 0
    assert required_polls([]) == 0


def test_the_main_job_is_long_enough():
    assert plan_shortfall(spec_gates(interval_s=10.0), scenario()) == []


def test_a_short_plan_names_each_gate_it_can_not_pass_and_how_long_would_do():
    short = plan_shortfall(spec_gates(interval_s=10.0), scenario(agents=10))
    assert [(s.gate.name, s.planned, s.needed, s.run_time_s) for s in short] == [
        ("p99", 60, 299, 310.0),
        ("error-ratio", 60, 299, 310.0),
        ("query-time", 60, 299, 310.0),
    ]
    assert plan_shortfall(spec_gates(interval_s=10.0), scenario(agents=10, run_time_s=310.0)) == []


def test_a_run_that_may_end_when_settled_needs_more_polls():
    """Its gates on samples are judged by bounds that hold however often one looks; the others as ever."""
    gates = spec_gates(interval_s=10.0)
    short = plan_shortfall(gates, scenario(), settling=True)
    assert [(s.gate.name, s.planned, s.needed, s.run_time_s) for s in short] == [
        ("p99", 300, 358, 90.0),
        ("error-ratio", 300, 358, 90.0),
    ]
    assert plan_shortfall(gates, scenario(run_time_s=90.0), settling=True) == []
    assert len(plan_shortfall(gates, scenario(agents=357, run_time_s=20.0), settling=True)) == 2
    assert plan_shortfall(gates, scenario(agents=358, run_time_s=20.0), settling=True) == []


@pytest.mark.parametrize(("agents", "status"), [(357, Status.INCONCLUSIVE), (358, Status.PASS)])
def test_what_a_plan_is_told_to_need_is_what_its_verdict_needs(agents, status):
    samples = healthy_samples(agents=agents, run_time_s=20.0)
    of = evidence(samples, window_end_s=20.0, intended=agents, settling=True)
    assert [finding(name, of).status for name in ("p99", "error-ratio")] == [status, status]


def test_a_plan_within_its_warm_up_has_no_polls():
    short = plan_shortfall([spec_gate("p50")], scenario(run_time_s=5.0))
    assert [(s.planned, s.needed, s.run_time_s) for s in short] == [(0, 5, 20.0)]
