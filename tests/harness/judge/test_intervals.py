"""Binomial bounds: the published tables, scipy as the reference, and the laws that tie the functions together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.judge.intervals import (
    beta_cdf,
    lower_bound,
    polls_to_settle,
    shows_beyond,
    shows_within,
    smallest_n,
    upper_bound,
)


@pytest.mark.parametrize(("allowed_ratio", "n"), [(0.5, 5), (0.1, 29), (0.05, 59), (0.01, 299), (0.001, 2995)])
def test_smallest_n_without_exceedance(allowed_ratio, n):
    assert smallest_n(0, allowed_ratio=allowed_ratio, confidence=0.95) == n


@pytest.mark.parametrize(
    ("allowed_ratio", "table"),
    [
        (0.01, {1: 473, 2: 628, 3: 773, 5: 1049, 10: 1693, 20: 2902}),
        (0.05, {1: 93, 2: 124, 3: 153, 5: 208, 10: 336, 20: 577}),
    ],
    ids=["p99", "p95"],
)
def test_smallest_n_with_k_exceedances(allowed_ratio, table):
    assert {k: smallest_n(k, allowed_ratio=allowed_ratio, confidence=0.95) for k in table} == table


@pytest.mark.parametrize(("n", "most_pass", "least_fail"), [(1000, 4, 16), (10_000, 83, 118)])
def test_regions_of_p99(n, most_pass, least_fail):
    def within(k):
        return shows_within(k, n, allowed_ratio=0.01, confidence=0.95)

    def beyond(k):
        return shows_beyond(k, n, allowed_ratio=0.01, confidence=0.95)

    assert (within(most_pass), within(most_pass + 1)) == (True, False)
    assert (beyond(least_fail - 1), beyond(least_fail)) == (False, True)


counts = st.integers(1, 1_000_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
confidences = st.floats(0.5, 0.999)


@given(counts, confidences)
def test_bounds_agree_with_scipy(k_of_n, confidence):
    k, n = k_of_n
    high = 1.0 if k == n else stats.beta.ppf(confidence, k + 1, n - k)
    low = 0.0 if k == 0 else stats.beta.ppf(1 - confidence, k, n - k + 1)
    assert upper_bound(k, n, confidence=confidence) == pytest.approx(high, rel=1e-6)
    assert lower_bound(k, n, confidence=confidence) == pytest.approx(low, rel=1e-6)


@given(counts, st.floats(0.0001, 0.9999), confidences)
def test_showing_is_the_bound_against_the_allowed_share(k_of_n, allowed, confidence):
    k, n = k_of_n
    high = upper_bound(k, n, confidence=confidence)
    low = lower_bound(k, n, confidence=confidence)
    if abs(high - allowed) > 1e-8:
        assert shows_within(k, n, allowed_ratio=allowed, confidence=confidence) == (high <= allowed)
    if abs(low - allowed) > 1e-8:
        assert shows_beyond(k, n, allowed_ratio=allowed, confidence=confidence) == (low > allowed)


@given(st.just(0.0) | st.just(1.0) | st.floats(1e-9, 1.0), st.floats(0.01, 1e5), st.floats(0.01, 1e5))
def test_beta_cdf_agrees_with_scipy_for_real_counts(x, a, b):
    assert beta_cdf(x, a, b) == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-6, abs=1e-12)


def test_nothing_observed_shows_nothing():
    assert upper_bound(0, 0, confidence=0.95) == 1.0
    assert lower_bound(0, 0, confidence=0.95) == 0.0
    assert not shows_within(0, 0, allowed_ratio=0.5, confidence=0.95)
    assert not shows_beyond(0, 0, allowed_ratio=0.5, confidence=0.95)


def test_all_exceeding_is_bounded_from_below_only():
    assert upper_bound(300, 300, confidence=0.95) == 1.0
    assert lower_bound(300, 300, confidence=0.95) == pytest.approx(0.05 ** (1 / 300))
    assert not shows_within(300, 300, allowed_ratio=0.99, confidence=0.95)


def test_more_than_ten_million_polls_are_not_proposed():
    assert smallest_n(0, allowed_ratio=1e-7, confidence=0.95) is None
    assert smallest_n(0, allowed_ratio=1e-6, confidence=0.95) == 2_995_731


@pytest.mark.parametrize(
    ("k", "n", "tau", "further"),
    [
        (0, 0, 1.0, 299),
        (0, 298, 1.0, 1),
        (0, 299, 1.0, 0),
        (0, 300, 2.0, 297),
        (3, 300, 1.0, None),
        (30, 300, 1.0, 0),
    ],
    ids=["none", "one short", "settled", "correlated", "on the limit", "failed"],
)
def test_polls_to_settle_p99(k, n, tau, further):
    assert polls_to_settle(k, n, allowed_ratio=0.01, confidence=0.95, tau=tau) == further


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_proposed_polls_settle_and_one_less_does_not(k_of_n):
    k, n = k_of_n
    further = polls_to_settle(k, n, allowed_ratio=0.05, confidence=0.95)
    if not further:
        return
    shows = shows_within if k / n < 0.05 else shows_beyond

    def settled(total):
        return shows(k / n * total, total, allowed_ratio=0.05, confidence=0.95)

    assert (settled(n + further), settled(n + further - 1)) == (True, False)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: upper_bound(5, 4, confidence=0.95), "exceedances: out of range, got 5, need 0 <= k <= n = 4"),
        (lambda: lower_bound(-1, 4, confidence=0.95), "exceedances: out of range, got -1, need 0 <= k <= n = 4"),
        (
            lambda: upper_bound(0, 4, confidence=1.0),
            "confidence: out of range, got 1.0, need 0.5 <= confidence < 1",
        ),
        (
            lambda: shows_within(0, 4, allowed_ratio=0.1, confidence=0.2),
            "confidence: out of range, got 0.2, need 0.5 <= confidence < 1",
        ),
    ],
)
def test_values_out_of_range_are_refused(call, text):
    with pytest.raises(ValueError) as fault:  # noqa: PT011  # the text is asserted below
        call()
    assert str(fault.value) == text
