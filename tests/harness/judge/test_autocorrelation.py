"""τ of series whose τ is known, and of noise, which has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.judge.processes import autoregressive, independent, queue
from harness.judge.autocorrelation import Level, _first_sums, bulk_levels, integrated_time, time_at_limit


def markov(memory, n, *, share=0.5, seed=1):
    """Yes and no, equal to its predecessor with chance `memory`, else drawn anew; its τ is (1 + m) / (1 − m)."""
    dice = np.random.default_rng(seed)
    drawn = dice.random(n) < share
    kept = dice.random(n) < memory
    kept[0] = False
    return drawn[np.maximum.accumulate(np.where(kept, 0, np.arange(n)))]


@pytest.mark.parametrize("memory", [0.5, 0.8, 0.95])
def test_tau_of_a_markov_chain_is_found(memory):
    truth = (1 + memory) / (1 - memory)
    assert integrated_time(markov(memory, 400_000)) == pytest.approx(truth, rel=0.15)


@pytest.mark.parametrize(
    "series",
    [[], [True], [False], [True] * 300, [False] * 300, [True, False] * 150],
    ids=["empty", "one yes", "one no", "all", "none", "alternating"],
)
def test_series_without_positive_memory_have_tau_1(series):
    assert integrated_time(np.array(series, dtype=bool)) == 1.0


@given(st.lists(st.booleans(), max_size=300))
def test_tau_is_at_least_1_and_at_most_the_length(series):
    assert 1.0 <= integrated_time(np.array(series, dtype=bool)) <= max(1, len(series))


def test_a_memory_longer_than_the_first_lags_is_found():
    """Half a run slow, half quick: the window goes far beyond the lags that are looked at first."""
    series = np.repeat([False, True], 30_000)
    assert integrated_time(series) > 5_000


def test_levels_are_the_quantiles_of_the_bulk():
    levels = bulk_levels(independent().draw(np.random.default_rng(1), 1000))
    assert [level.quantile for level in levels] == [0.5, 0.75, 0.9]
    assert [level.value for level in levels] == sorted(level.value for level in levels)
    assert bulk_levels(np.array([])) == ()


def test_failures_are_the_highest_level():
    values = np.where(markov(0.9, 2000, share=0.2), np.inf, 0.02)
    assert bulk_levels(values)[2].value == np.inf
    assert bulk_levels(values)[2].time == pytest.approx(19, rel=0.5)


def test_levels_far_below_the_limit_do_not_count():
    levels = (
        Level(quantile=0.5, value=0.099, time=30.0),
        Level(quantile=0.75, value=0.1, time=7.0),
        Level(quantile=0.9, value=0.3, time=3.0),
    )
    assert time_at_limit(2.0, levels, limit=0.5) == 7.0
    assert time_at_limit(2.0, levels, limit=2.0) == 2.0
    assert time_at_limit(2.0, (), limit=0.5) == 2.0


def test_the_way_to_the_limit_begins_at_the_fastest_polls():
    """With 220 ms in every poll, 230 ms is as far from 500 ms as 10 ms is from 280 ms."""
    level = Level(quantile=0.9, value=0.23, time=7.0, low=0.22, high=0.24)
    assert time_at_limit(1.0, (level,), limit=0.5) == 1.0
    assert time_at_limit(1.0, (level,), limit=0.27) == 7.0
    # Polls that nearly all reach the limit: as far beyond it, and near it again.
    assert time_at_limit(1.0, (level,), limit=0.05) == 1.0
    assert time_at_limit(1.0, (level,), limit=0.2) == 7.0


@pytest.mark.parametrize("failures", [0, 30, 290, 300])
def test_failures_leave_every_level_comparable(failures):
    values = np.full(300, 0.02)
    values[:failures] = np.inf
    assert 1.0 <= time_at_limit(1.0, bulk_levels(values), limit=0.5) <= 300


def test_a_constant_time_has_no_tau():
    """Differences of instants differ in their last bits, in a pattern that repeats."""
    start_s = np.arange(300) * 0.2 + 0.123456
    values = (start_s + 0.02) - start_s
    assert len(set(values)) > 1
    assert [level.time for level in bulk_levels(values)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("delay_s", [0.1, 0.22, 0.3])
def test_a_constant_delay_with_small_spells_leaves_far_limits_alone(delay_s):
    """As in `harness run --target-delay 220ms`: milliseconds up and down in spells, far from every limit."""
    values = delay_s + 0.003 * autoregressive(0.97).draw(np.random.default_rng(1), 1800)
    levels = bulk_levels(values)
    assert max(level.time for level in levels) > 10
    assert [1.0, 1.0] == [time_at_limit(1.0, levels, limit=limit_s) for limit_s in (0.05, 0.5)]


@pytest.mark.slow
@pytest.mark.parametrize("n", [300, 1000])
def test_independent_polls_lose_nothing(n):
    """In at least 97 of 100 runs of independent polls the bulk has no τ at all."""
    process = independent()
    lost = sum(
        max(level.time for level in bulk_levels(process.draw(np.random.default_rng(seed), n))) > 1
        for seed in range(1000)
    )
    assert lost <= 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "n", "least"),
    [(autoregressive(0.5), 300, 0.98), (queue(0.8), 300, 0.98)],
    ids=["AR(1) 0.5", "M/M/1 80 %"],
)
def test_memory_in_a_run_of_300_is_noticed(process, n, least):
    noticed = sum(
        max(level.time for level in bulk_levels(process.draw(np.random.default_rng(seed), n))) > 1
        for seed in range(300)
    )
    assert noticed >= least * 300


@given(st.lists(st.booleans(), min_size=3, max_size=200).filter(lambda given: 0 < sum(given) < len(given)))
def test_the_first_autocorrelations_are_counted_as_defined(given):
    """One by one, from the definition: the covariance at a lag over the variance, both with the overall mean."""
    values = np.array(given)
    centred = values - values.mean()
    lags = min(10, len(values) - 1)
    expected = [sum(centred[lag:] * centred[:-lag]) / sum(centred**2) for lag in range(1, lags + 1)]
    np.testing.assert_allclose(_first_sums(values, lags), np.cumsum(expected), atol=1e-9)
