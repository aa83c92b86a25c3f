"""Exactly the right gates, no fewer and no more; and silence is no proof."""

from dataclasses import replace

from harness.model import Status
from harness.selftest.outcome import outcome_of, overall_of
from harness.selftest.plan import Injection, Load
from tests.harness.report.judgements import p
from tests.harness.results import finding, verdict_of

LOAD = Load(agents=10, interval_s=1.0, warmup_s=1.0, run_time_s=5.0)
CLEAN = Injection(name="A", told="nothing", load=LOAD)
FAULT = Injection(name="x", told="a fault", load=LOAD, target={"target_delay_s": 1.0}, trips=("p50", "p95"))


def judged(injection: Injection, *, not_judged: dict[str, str] | None = None, **statuses: Status):  # type: ignore[no-untyped-def]
    findings = tuple(finding(p(name), status, 0.1) for name, status in statuses.items())
    return outcome_of(injection, verdict_of(findings, not_judged), polls=40)


def test_exactly_the_expected_gates_is_a_pass_and_open_gates_are_told() -> None:
    outcome = judged(FAULT, p50=Status.FAIL, p95=Status.FAIL, p99=Status.INCONCLUSIVE, errors=Status.PASS)
    assert (Status.PASS, None) == (outcome.status, outcome.reason)
    assert (("p50", "p95"), ("errors",), ("p99",)) == (outcome.tripped, outcome.held, outcome.open)


def test_one_too_many_fails() -> None:
    outcome = judged(FAULT, p50=Status.FAIL, p95=Status.FAIL, p99=Status.FAIL)
    assert (Status.FAIL, "p99 tripped") == (outcome.status, outcome.reason)
    assert Status.FAIL is judged(CLEAN, p50=Status.FAIL).status


def test_one_that_passes_in_spite_of_the_fault_fails() -> None:
    outcome = judged(FAULT, p50=Status.FAIL, p95=Status.PASS)
    assert (Status.FAIL, "p95 did not trip") == (outcome.status, outcome.reason)


def test_one_that_is_not_there_at_all_fails() -> None:
    outcome = judged(FAULT, p50=Status.FAIL)
    assert (Status.FAIL, "p95 did not trip") == (outcome.status, outcome.reason)


def test_one_that_can_not_tell_is_inconclusive_or_invalid() -> None:
    left_open = judged(FAULT, p50=Status.FAIL, p95=Status.INCONCLUSIVE)
    assert (Status.INCONCLUSIVE, "p95: could not be decided") == (left_open.status, left_open.reason)
    in_doubt = judged(FAULT, p50=Status.FAIL, p95=Status.INVALID)
    assert (Status.INVALID, "p95: the measurement itself is in doubt") == (in_doubt.status, in_doubt.reason)
    no_source = judged(FAULT, not_judged={"pool-use": "no figures"}, p50=Status.FAIL, p95=Status.FAIL)
    assert (Status.INCONCLUSIVE, "pool-use: could not be decided") == (no_source.status, no_source.reason)


def test_the_worst_run_decides() -> None:
    clean = judged(CLEAN, p50=Status.PASS, p95=Status.PASS)
    fault = judged(FAULT, p50=Status.FAIL, p95=Status.FAIL)
    assert (Status.PASS, None) == overall_of([clean, fault])
    bad = replace(judged(FAULT, p50=Status.FAIL, p95=Status.PASS), name="bad")
    assert (Status.FAIL, "bad: p95 did not trip") == overall_of([clean, fault, bad])


def test_gates_that_never_pass_prove_nothing() -> None:
    fault = judged(FAULT, p50=Status.FAIL, p95=Status.FAIL)
    mute = judged(CLEAN, p50=Status.PASS, p95=Status.INCONCLUSIVE)
    assert (Status.INCONCLUSIVE, "p95 passed in no run without a fault") == overall_of([mute, fault])
    spoken = judged(CLEAN, p50=Status.PASS, p95=Status.PASS)
    assert (Status.PASS, None) == overall_of([mute, fault, spoken])
    assert (Status.INCONCLUSIVE, "no gate passed in no run without a fault") == overall_of([fault])
    assert (Status.INCONCLUSIVE, "no run") == overall_of([])
