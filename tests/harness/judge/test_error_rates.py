"""How often a verdict is wrong when the truth lies on the limit: exactly where it can be, else by simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.judge import __main__ as command
from benchmarks.judge.processes import autoregressive, independent, queue
from benchmarks.judge.rates import findings_of, quantile_gate, rates_on_the_limit
from harness.judge.intervals import shows_beyond, shows_within
from harness.model import Status


@pytest.mark.parametrize("allowed", [0.5, 0.1, 0.05, 0.01])
@pytest.mark.parametrize("n", [5, 59, 100, 300, 1000, 3000])
def test_independent_polls_are_misjudged_in_at_most_five_per_cent(n, allowed):
    """The chance of each wrong verdict, summed over the binomial law itself."""
    law = stats.binom(n, allowed)
    counts = {"allowed_ratio": allowed, "confidence": 0.95}
    false_pass = math.fsum(law.pmf(k) for k in range(n + 1) if shows_within(k, n, **counts))
    false_fail = math.fsum(law.pmf(k) for k in range(n + 1) if shows_beyond(k, n, **counts))
    assert false_pass <= 0.05 + 1e-12
    assert false_fail <= 0.05 + 1e-12


def bound(most, runs):
    """Return the share that `runs` runs stay below when the true one is `most`, but for 1 in 700."""
    return most + 3 * math.sqrt(most * (1 - most) / runs)


@pytest.mark.slow
def test_the_queue_at_80_per_cent_load_stays_within_the_promise():
    """20,000 polls: p95 and p99 pass falsely in at most 8 % and fail falsely in at most 5 %."""
    rates = rates_on_the_limit(queue(0.8), n=20_000, quantiles=(0.95, 0.99), runs=400, seed=1)
    for rate in rates.values():
        assert rate.false_pass <= 0.08
        assert rate.false_fail <= 0.05
        assert rate.correlated == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_the_estimate_of_tau_adds_no_error_to_independent_polls(n):
    rates = rates_on_the_limit(independent(), n=n, quantiles=(0.5, 0.95, 0.99), runs=800, seed=1)
    for rate in rates.values():
        assert rate.false_pass <= bound(0.05, 800)
        assert rate.false_fail <= bound(0.05, 800)


@pytest.mark.slow
@pytest.mark.parametrize("memory", [0.3, 0.5, 0.7, 0.9])
def test_short_runs_of_correlated_polls_stay_near_five_per_cent(memory):
    rates = rates_on_the_limit(autoregressive(memory), n=300, quantiles=(0.5, 0.95, 0.99), runs=500, seed=1)
    for rate in rates.values():
        assert rate.false_pass <= bound(0.06, 500)
        assert rate.false_fail <= bound(0.06, 500)


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_healthy_independent_runs_pass(n):
    """Response times up to the very limit, all below it: at most 3 of 100 runs lose their PASS to noise."""
    gates = [quantile_gate(0.99, 1.0)]
    passed = 0
    for seed in range(500):
        values = np.random.default_rng(seed).uniform(0.5, 1.0, size=n)
        passed += findings_of(values - 1e-6, gates)[0].status is Status.PASS
    assert passed >= 485


def test_the_command_prints_the_tables(capsys):
    assert command.main(["tables"]) == 0
    printed = capsys.readouterr().out
    assert "  p99         299      473      628      773    1,049    1,693    2,902\n" in printed
    assert "  n =  1,000: PASS up to 4, FAIL from 16\n" in printed


def test_the_command_names_an_unknown_part(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["speeed"])
    assert 2 == ended.value.code
    said = capsys.readouterr().err
    assert "'speeed'" in said
    assert all(part in said for part in ("tables", "rates", "looks", "reading", "speed"))
