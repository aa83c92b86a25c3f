"""Nearest-rank quantiles and their distribution-free intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.intervals import shows_beyond, shows_within
from harness.judge.quantiles import quantile, quantile_interval, quantiles, quantiles_of
from harness.model import Interval, Quantiles


@pytest.mark.parametrize(
    ("n", "q", "rank"),
    [
        (1, 0.01, 1),
        (1, 0.99, 1),
        (4, 0.5, 2),
        (5, 0.5, 3),
        (20, 0.95, 19),
        (100, 0.99, 99),
        (101, 0.99, 100),
        (300, 0.99, 297),
        (300, 1.0, 300),
    ],
)
def test_a_quantile_is_the_value_of_its_nearest_rank(n, q, rank):
    values = np.random.default_rng(1).permutation(np.arange(1.0, n + 1))
    assert quantile(values, q) == rank


@given(st.lists(st.floats(0, 1e6) | st.just(math.inf), min_size=1), st.floats(0.001, 1.0))
def test_a_quantile_agrees_with_numpy(values, q):
    array = np.array(values)
    if abs(q * len(values) - round(q * len(values))) > 1e-6:
        assert quantile(array, q) == np.quantile(array, q, method="inverted_cdf")


@given(st.lists(st.floats(0, 1e6), min_size=1), st.lists(st.floats(0.001, 1.0), min_size=1, max_size=5))
def test_several_quantiles_at_once_are_each_what_it_is_alone(values, qs):
    array = np.array(values)
    assert tuple(quantile(array, q) for q in qs) == quantiles(array, qs)


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1])
def test_a_quantile_out_of_range_is_refused(q):
    with pytest.raises(ValueError, match=f"^quantile: out of range, got {q}, need 0 < q <= 1$"):
        quantile(np.array([1.0]), q)


def test_no_values_have_no_quantile():
    with pytest.raises(ValueError, match=r"^quantile: of no values$"):
        quantile(np.array([]), 0.5)
    assert quantiles_of(np.array([])) == Quantiles(n=0, mean=None, p50=None, p95=None, p99=None, max=None)


def test_one_value_is_every_quantile():
    assert quantiles_of(np.array([0.25])) == Quantiles(n=1, mean=0.25, p50=0.25, p95=0.25, p99=0.25, max=0.25)


def test_failures_are_infinite_in_the_quantiles_and_left_out_of_the_mean():
    assert quantiles_of(np.array([math.inf, 1.0, 3.0])) == Quantiles(
        n=3, mean=2.0, p50=3.0, p95=math.inf, p99=math.inf, max=math.inf
    )


def test_all_failures_have_no_mean():
    assert quantiles_of(np.full(4, math.inf)) == Quantiles(
        n=4, mean=None, p50=math.inf, p95=math.inf, p99=math.inf, max=math.inf
    )


def test_298_values_leave_p99_without_an_upper_end_and_299_give_it_the_largest():
    values = np.arange(1.0, 299.0)
    assert quantile_interval(values, 0.99, confidence=0.95).high is None
    assert quantile_interval(np.append(values, 299.0), 0.99, confidence=0.95).high == 299.0


def test_an_infinite_end_is_no_end():
    values = np.append(np.arange(1.0, 299.0), math.inf)
    assert quantile_interval(values, 0.99, confidence=0.95).high is None


def test_few_values_bound_nothing():
    assert quantile_interval(np.array([]), 0.5, confidence=0.95) == Interval(low=None, high=None)
    assert quantile_interval(np.array([1.0]), 0.5, confidence=0.95) == Interval(low=None, high=None)
    assert quantile_interval(np.arange(1.0, 6.0), 0.5, confidence=0.95) == Interval(low=1.0, high=5.0)


def test_autocorrelation_widens_the_interval():
    values = np.arange(1.0, 301.0)
    alone = quantile_interval(values, 0.5, confidence=0.95)
    together = quantile_interval(values, 0.5, confidence=0.95, tau=10.0)
    assert together.low < alone.low < 150 < alone.high < together.high


@given(
    st.lists(st.integers(0, 20).map(float) | st.just(math.inf), min_size=1, max_size=400),
    st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    st.floats(1.0, 20.0),
    st.integers(1, 21).map(float),
)
def test_the_ends_and_the_verdict_say_the_same(values, q, tau, limit):
    """`quantile < limit` is shown exactly when the upper end is below the limit, refuted when the lower is not."""
    array = np.array(values)
    interval = quantile_interval(array, q, confidence=0.95, tau=tau)
    counts = {"allowed_ratio": round(1 - q, 12), "confidence": 0.95}
    k, n = float((array >= limit).sum()) / tau, len(array) / tau
    assert shows_within(k, n, **counts) == (interval.high is not None and interval.high < limit)
    assert shows_beyond(k, n, **counts) == (interval.low is not None and interval.low >= limit)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 300])
def test_the_interval_covers_p99_as_often_as_it_says(n):
    """Each end misses in at most 5 % of 4,000 runs, three standard errors allowed."""
    dice = np.random.default_rng(1)
    truth = -math.log(0.01)
    missed = np.zeros(2)
    for _ in range(4000):
        interval = quantile_interval(dice.exponential(size=n), 0.99, confidence=0.95)
        missed += (
            interval.low is not None and interval.low > truth,
            interval.high is not None and interval.high < truth,
        )
    assert (missed / 4000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)).all()
