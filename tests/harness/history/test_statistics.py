"""The arithmetic under the change points, against scipy and against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.history.drift import fit_drift, fit_drifts
from harness.history.fdr import selection_level
from harness.history.outliers import far_out, robust_scale, winsorise
from harness.history.permutation import split_test


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_what_is_selected_is_what_scipy_selects(p_values):
    """Benjamini and Hochberg's choice: p at or below the level."""
    level = selection_level(p_values, rate=0.05)
    adjusted = stats.false_discovery_control(p_values)
    sure = [abs(p - 0.05) > 1e-9 for p in adjusted]
    assert [a <= 0.05 for a, s in zip(adjusted, sure, strict=True) if s] == [
        p <= level for p, s in zip(p_values, sure, strict=True) if s
    ]


def test_no_hypotheses_have_the_whole_rate():
    assert 0.05 == selection_level([], rate=0.05)


def test_the_slope_is_that_of_scipy():
    values = np.random.default_rng(1).normal(size=40) + 0.05 * np.arange(40)
    told = stats.theilslopes(values, np.arange(40))
    drift = fit_drift(values)
    assert pytest.approx(told.slope) == drift.slope
    assert pytest.approx((told.low_slope, told.high_slope), rel=0.05) == (drift.low, drift.high)
    assert pytest.approx(stats.kendalltau(np.arange(40), values).pvalue, rel=0.3) == drift.p_value


def test_parts_on_levels_of_their_own_share_a_slope():
    rng = np.random.default_rng(1)
    parts = [0.1 * np.arange(30) + rng.normal(0, 0.1, 30) + level for level in (0.0, 50.0)]
    left, right = fit_drifts(parts)
    assert left.slope == right.slope
    assert pytest.approx(0.1, abs=0.01) == left.slope
    assert pytest.approx(50, abs=0.2) == right.intercept - left.intercept


def test_equal_values_have_no_trend():
    drift = fit_drift(np.ones(10))
    assert (0.0, 1.0) == (drift.slope, drift.p_value)


def test_far_out_values_are_pulled_in():
    values = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 100.0])
    assert 4.0 == winsorise(values).max()
    assert (5,) == far_out(values - np.median(values))
    assert np.array_equal(np.zeros(3), winsorise(np.array([0.1, 0.1, 0.1])))
    assert () == far_out(np.zeros(3))
    assert 0.0 == robust_scale(np.empty(0))


def test_no_room_for_a_split_and_no_spread_are_no_test():
    assert split_test(np.arange(6.0), least_before=5, least_after=2) is None
    assert split_test(np.ones(20), least_before=5, least_after=2) is None


@pytest.mark.slow
@pytest.mark.parametrize("shift", [1.0, 1.2])
def test_p_values_beyond_the_shuffles_are_near_those_of_many_more(shift):
    """Within a factor of three of 200,000 shuffles, on the side of caution or not."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=40)
    values[25:] += shift
    found = split_test(values, least_before=5, least_after=2)
    centred = winsorise(values)
    centred = centred - centred.mean()
    before = np.arange(5, 39)
    weights = np.sqrt(40 / (before * (40 - before))) / centred.std()

    def largest(rows):
        return np.abs(np.cumsum(rows, axis=1)[:, 4:38] * weights).max(axis=1)

    observed = largest(centred[None, :])[0] * np.sqrt((1 - found.lag1) / (1 + found.lag1))
    reached = 0
    for _ in range(20):
        order = rng.random((10_000, 40)).argsort(axis=1)
        reached += int((largest(centred[order]) >= observed).sum())
    brute = (reached + 1) / 200_001
    assert brute / 3 <= found.p_value <= 3 * brute
