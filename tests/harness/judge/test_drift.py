"""Drift told from noise, on planted truth."""

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.judge.drift import ALPHA, LEAST_POINTS, MOST_POINTS, Drift, mann_kendall, theil_sen
from harness.judge.drift import drift_of as judge_drift

TIMES = np.arange(120, dtype=np.float64) * 60.0


def drift_of(times: "NDArray[np.float64] | list[int]", values: "NDArray[np.float64] | list[float]") -> Drift:
    """Judge a series of which a twentieth matters."""
    return judge_drift(list(times), list(values), least_ratio=0.05)


def correlated(dice: np.random.Generator, n: int, memory: float) -> NDArray[np.float64]:
    """Return noise each of whose values remembers the one before."""
    noise = dice.normal(size=n)
    for index in range(1, n):
        noise[index] += memory * noise[index - 1]
    return noise


def test_a_leak_is_found_with_its_rate() -> None:
    """100 MB that grow by 1 kB a second in noise of 1 MB, over two hours."""
    dice = np.random.default_rng(1)
    found = drift_of(TIMES, 100e6 + 1000.0 * TIMES + dice.normal(scale=1e6, size=120))
    assert found.drifts
    assert found.slope_per_s == pytest.approx(1000.0, rel=0.1)
    assert found.change == pytest.approx(1000.0 * 119 * 60, rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("truth", [0.0, 12.0, 40.0])
def test_each_end_of_the_interval_holds_in_nineteen_of_twenty_series(truth: float, memory: float) -> None:
    """Within three standard errors of 400 series, with neighbours alike or not."""
    dice = np.random.default_rng(4)
    found = [drift_of(TIMES, 50.0 + truth * TIMES / TIMES[-1] + correlated(dice, 120, memory)) for _ in range(400)]
    most = 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5
    assert sum(one.change_high is not None and one.change_high < truth for one in found) / 400 <= most
    assert sum(one.change_low is not None and one.change_low > truth for one in found) / 400 <= most


def test_a_step_among_equal_values_can_t_have_been_more_than_it_was() -> None:
    """Two files more from the tenth of fifty slices on: between neighbours that is a slope of 98 over the run."""
    times = TIMES[:50]
    found = drift_of(times, np.where(times < 540.0, 65.0, 67.0))
    assert (0.0, 2.5) == (found.change, found.change_high)


def test_the_interval_narrows_with_the_noise() -> None:
    dice = np.random.default_rng(5)
    noise = dice.normal(size=120)
    wide, narrow = drift_of(TIMES, 50.0 + 4 * noise), drift_of(TIMES, 50.0 + noise)
    assert wide.change_low is not None
    assert wide.change_high is not None
    assert narrow.change_low is not None
    assert narrow.change_high is not None
    assert wide.change_high - wide.change_low == pytest.approx(4 * (narrow.change_high - narrow.change_low))


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_noise_is_seldom_called_a_drift(memory: float) -> None:
    """At a level of 1 in 1,000: of 400 series of noise at most 8 are called so, with neighbours alike or not."""
    dice = np.random.default_rng(2)
    called = sum(drift_of(TIMES, 50.0 + 10 * correlated(dice, 120, memory)).drifts for _ in range(400))
    assert called <= 8


def test_a_burst_is_no_drift() -> None:
    dice = np.random.default_rng(3)
    values = 100.0 + dice.normal(size=120)
    values[60:66] += 500.0
    assert not drift_of(TIMES, values).drifts


def test_a_sure_but_tiny_change_is_not_worth_a_word() -> None:
    """It rises without a doubt, by one per cent."""
    found = drift_of(TIMES, 100.0 + TIMES / TIMES[-1])
    assert found.p is not None
    assert found.p < ALPHA
    assert not found.drifts


@pytest.mark.parametrize("values", [[], [1.0], [float(n) for n in range(LEAST_POINTS - 1)]])
def test_too_short_a_series_says_nothing(values: list[float]) -> None:
    found = drift_of(list(range(len(values))), values)
    assert (None, None, False) == (found.p, found.slope_per_s, found.drifts)


def test_a_level_series_stays_level() -> None:
    found = drift_of(TIMES, np.zeros(120))
    assert (0.0, 1.0, None, False) == (found.slope_per_s, found.p, found.change_ratio, found.drifts)
    assert (0.0, 0.0) == (found.change_low, found.change_high)


def test_a_series_that_leaves_zero_drifts() -> None:
    """Its median is no yardstick, and it grows all the same."""
    values = np.concatenate([np.zeros(70), np.arange(50, dtype=np.float64)])
    assert drift_of(TIMES, values).change_ratio is None


def test_long_series_are_thinned_without_losing_the_slope() -> None:
    times = np.arange(50_000, dtype=np.float64)
    found = drift_of(times, 10.0 + 0.001 * times)
    assert found.n <= MOST_POINTS
    assert found.slope_per_s == pytest.approx(0.001)


def test_agrees_with_the_textbook() -> None:
    """Ten values in order: S = 45, variance 125, z = 44/√125 = 3.935, both sides 8.3e-5."""
    times = np.arange(10, dtype=np.float64)
    assert theil_sen(times, times * 2.0) == 2.0
    assert mann_kendall(times, times * 2.0, 2.0) == pytest.approx(8.303e-5, rel=1e-3)
