"""Bounds that hold however often one looks: their laws, scipy as the reference, how often they are ever wrong."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betainc, betaincc, betaln

from harness.judge.always import always_beyond, always_lower, always_upper, always_within, log_e_value
from harness.judge.intervals import lower_bound, upper_bound

counts = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
shares = st.floats(1e-4, 0.999)


def by_scipy(k, n, p, *, above):
    a, b = (1.0 if above else 0.5), max(1.0, 1 / p)
    mass = betaincc if above else betainc
    weights = (
        betaln(a + k, b + n - k) - betaln(a, b) + math.log(mass(a + k, b + n - k, p)) - math.log(mass(a, b, p))
    )
    return weights - k * math.log(p) - (n - k) * math.log1p(-p)


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize(("k", "n", "p"), [(0, 358, 0.01), (20, 1000, 0.01), (60, 600, 0.05), (7.5, 80.25, 0.1)])
def test_the_e_value_agrees_with_scipy(k, n, p, above):
    assert by_scipy(k, n, p, above=above) == pytest.approx(
        log_e_value(k, n, allowed_ratio=p, above=above), rel=1e-9
    )


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize(("n", "p"), [(50, 0.01), (50, 0.3), (200, 0.05)])
def test_the_mean_of_the_e_value_is_one_on_the_limit(n, p, above):
    """Summed over the binomial law itself: what makes it evidence is that nothing is expected of it."""
    law = stats.binom(n, p)
    mean = math.fsum(law.pmf(k) * math.exp(log_e_value(k, n, allowed_ratio=p, above=above)) for k in range(n + 1))
    assert 1.0 == pytest.approx(mean, abs=1e-9)


def test_nothing_seen_is_no_evidence():
    assert 0.0 == pytest.approx(log_e_value(0, 0, allowed_ratio=0.01, above=True), abs=1e-12)
    assert (0.0, 1.0) == (always_lower(0, 0, confidence=0.95), always_upper(0, 0, confidence=0.95))
    assert not always_within(0, 0, allowed_ratio=0.5, confidence=0.95)
    assert not always_beyond(0, 0, allowed_ratio=0.5, confidence=0.95)


def test_what_never_exceeds_passes_a_little_later_than_without_looking():
    """p99 takes 358 polls instead of 299, p95 70 instead of 59."""
    for allowed, first in ((0.01, 358), (0.05, 70)):
        assert always_within(0, first, allowed_ratio=allowed, confidence=0.95)
        assert not always_within(0, first - 1, allowed_ratio=allowed, confidence=0.95)


@given(counts, shares, st.floats(0.5, 0.99))
def test_the_two_sides_never_agree(k_of_n, allowed, confidence):
    k, n = k_of_n
    within = always_within(k, n, allowed_ratio=allowed, confidence=confidence)
    beyond = always_beyond(k, n, allowed_ratio=allowed, confidence=confidence)
    assert not (within and beyond)


@given(counts, st.floats(0.9, 0.99))
def test_the_bounds_are_wider_than_those_of_a_single_look(k_of_n, confidence):
    k, n = k_of_n
    low, high = always_lower(k, n, confidence=confidence), always_upper(k, n, confidence=confidence)
    assert 0 <= low <= k / n <= high <= 1
    assert low <= lower_bound(k, n, confidence=confidence) + 1e-9
    assert high >= upper_bound(k, n, confidence=confidence) - 1e-9


@given(counts, shares)
def test_showing_is_the_bound_against_the_allowed_share(k_of_n, allowed):
    k, n = k_of_n
    low, high = always_lower(k, n, confidence=0.95), always_upper(k, n, confidence=0.95)
    if abs(low - allowed) > 1e-6:
        assert (low > allowed) == always_beyond(k, n, allowed_ratio=allowed, confidence=0.95)
    if abs(high - allowed) > 1e-6 and 1e-6 < high < 1:
        assert (high <= allowed) == always_within(k, n, allowed_ratio=allowed, confidence=0.95)


LOOKS = np.arange(100, 10_001, 100)


def first_looks(share, allowed, shows, *, runs=400, confidence=0.95, seed=1):
    """Return the polls at which each run of independent polls first shows it; infinite where it never does."""
    dice = np.random.default_rng(seed)
    first = np.full(runs, np.inf)
    for run in range(runs):
        exceedances = np.cumsum(dice.binomial(100, share, size=len(LOOKS)))
        for k, n in zip(exceedances, LOOKS, strict=True):
            if shows(int(k), int(n), allowed_ratio=allowed, confidence=confidence):
                first[run] = n
                break
    return first


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [0.01, 0.05])
@pytest.mark.parametrize("shows", [always_beyond, always_within])
def test_a_look_every_hundred_polls_is_wrong_in_at_most_five_per_cent(allowed, shows):
    """The truth on the limit, a hundred looks: what is ever shown is wrong."""
    first = first_looks(allowed, allowed, shows)
    assert 0.05 >= np.isfinite(first).mean()


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.95, 0.975])
def test_a_run_at_twice_the_allowed_rate_ends_by_1500_polls_in_the_median(confidence):
    for allowed, most in ((0.01, 1500), (0.05, 400)):
        first = first_looks(2 * allowed, allowed, always_beyond, runs=200, confidence=confidence)
        assert most >= np.median(first)
