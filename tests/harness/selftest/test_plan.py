"""What is injected lies so far from the limits that chance plays no part in whether the gates trip."""

from pathlib import Path

import pytest

from harness.judge.intervals import beta_cdf, shows_beyond, shows_within
from harness.options import check_options
from harness.selftest.conduct import run_options
from harness.selftest.plan import Injection, plan, selftest_gates

BOTH = [*((run, True) for run in plan(quick=True)), *((run, False) for run in plan(quick=False))]
WITH_ERRORS = [(run, quick) for run, quick in BOTH if "target_error_ratio" in run.target]
NAMES = {gate.name for gate in selftest_gates(interval_s=1.0).gates}


def chance_to_trip(ratio: float, n: int, *, allowed: float) -> float:
    """The chance that a gate on a share fails when this share truly exceeds, of n independent polls."""
    least = next(k for k in range(n + 1) if shows_beyond(k, n, allowed_ratio=allowed, confidence=0.95))
    return beta_cdf(ratio, least, n - least + 1)


@pytest.mark.parametrize(("run", "quick"), BOTH, ids=lambda value: getattr(value, "name", str(value)))
def test_every_run_is_one_that_harness_run_would_make(run: Injection, *, quick: bool, tmp_path: Path) -> None:
    scenario = check_options(run_options(run, tmp_path))
    assert run.load.polls == round(scenario.agents * scenario.measured_s / scenario.interval_s)
    # Whole intervals, so that the schedule's own edge moves no rate.
    assert 0 == scenario.measured_s % scenario.interval_s
    assert set(run.trips) <= NAMES


@pytest.mark.parametrize("quick", [True, False])
def test_each_form_has_a_run_without_a_fault_before_and_after_the_others(*, quick: bool) -> None:
    runs = plan(quick=quick)
    assert {} == runs[0].target == runs[-1].target
    assert () == runs[0].trips == runs[-1].trips
    assert all(run.trips and run.target for run in runs[1:-1])
    assert len(runs) == len({run.name for run in runs})


def test_each_gate_has_to_trip_for_some_fault() -> None:
    """A gate that no injection is meant for would be untested. Why query time is one: docs/selftest.md."""
    tripping = {name for run in plan(quick=True) for name in run.trips}
    assert {"query-time"} == NAMES - tripping


@pytest.mark.parametrize(("run", "quick"), WITH_ERRORS, ids=lambda value: getattr(value, "name", str(value)))
def test_injected_errors_trip_their_gates_and_no_other_but_for_one_run_in_a_thousand(
    run: Injection, *, quick: bool
) -> None:
    ratio = run.target["target_error_ratio"]
    for name, allowed in (("error-ratio", 0.01), ("p99", 0.01), ("p95", 0.05), ("p50", 0.5)):
        chance = chance_to_trip(ratio, run.load.polls, allowed=allowed)
        assert (chance > 0.999) if name in run.trips else (chance < 0.001), (name, chance)


@pytest.mark.parametrize("quick", [True, False])
def test_a_run_without_a_fault_has_the_polls_that_every_gate_needs(*, quick: bool) -> None:
    """Twice as many as p99 needs, because neighbours may resemble each other."""
    polls = plan(quick=quick)[0].load.polls
    assert shows_within(0, polls / 2, allowed_ratio=0.01, confidence=0.95)
