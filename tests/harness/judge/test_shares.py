"""The tally behind quantile and error gates, where no evaluator stands in front of it."""

from dataclasses import replace

import pytest

from harness.judge.shares import Tally
from harness.model import Status

EMPTY = Tally(n=0, exceedances=0, certain=0, unsent=0, tau=1.0, confidence=0.95, allowed_ratio=0.01)


@pytest.mark.parametrize("allowed_ratio", [0.0, 0.01, 0.5])
def test_nothing_observed_is_never_a_pass(allowed_ratio):
    assert replace(EMPTY, allowed_ratio=allowed_ratio).status == Status.INCONCLUSIVE


def test_nothing_observed_says_how_many_would_do_without_inventing_a_rate():
    assert EMPTY.settling_remedy(noun="poll", per_s=0.0) == ("a longer run: about 299 more polls would settle it")


@pytest.mark.parametrize(("tau", "confidence"), [(1.0, 0.95), (10.0, 0.95), (10.1, 0.975)])
def test_strong_autocorrelation_halves_the_error_allowed(tau, confidence):
    assert replace(EMPTY, tau=tau).deciding_confidence == confidence


def test_three_hundred_polls_that_count_as_half_do_not_pass_p99():
    whole = replace(EMPTY, n=300)
    assert whole.status == Status.PASS
    half = replace(whole, tau=2.0)
    assert half.status == Status.INCONCLUSIVE
    assert half.reason(noun="poll", did="took 500 ms or longer") == (
        "0 of 300 polls took 500 ms or longer; with 95 % confidence 0 % to 1.98 % do, 1 % are allowed; "
        "neighbours resemble each other, so they count as 150 (τ = 2)"
    )
    assert half.settling_remedy(noun="poll", per_s=5.0) == (
        "a longer run: about 297 more polls (59.4 s at 5 a second) would settle it"
    )


def test_a_single_further_poll_is_singular():
    assert replace(EMPTY, n=298).settling_remedy(noun="poll", per_s=5.0) == (
        "a longer run: about 1 more poll (200 ms at 5 a second) would settle it"
    )
