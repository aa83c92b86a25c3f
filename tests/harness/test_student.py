"""Student's t against scipy's."""

import pytest
from scipy import stats

from harness.student import t_cdf, t_quantile

DEGREES = (1, 2, 3, 4, 5, 8, 9, 29, 30, 100, 999, 1000)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("probability", [0.001, 0.05, 0.5, 0.8, 0.95, 0.975, 0.9999])
def test_quantiles_are_those_of_scipy(degrees, probability):
    assert pytest.approx(stats.t.ppf(probability, degrees), rel=1e-9, abs=1e-9) == t_quantile(probability, degrees)


@pytest.mark.parametrize("degrees", DEGREES)
@pytest.mark.parametrize("t", [-5.0, -0.3, 0.0, 1.0, 40.0])
def test_probabilities_are_those_of_scipy(degrees, t):
    assert pytest.approx(stats.t.cdf(t, degrees), rel=1e-9, abs=1e-12) == t_cdf(t, degrees)


def test_beyond_a_thousand_degrees_a_thousand_are_taken():
    assert t_quantile(0.975, 1000) == t_quantile(0.975, 10**9)


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ValueError, match="degrees: out of range, got 0, need 1 or more"):
        t_cdf(1.0, 0)
    with pytest.raises(ValueError, match="probability: out of range, got 1, need 0 < p < 1"):
        t_quantile(1, 5)
