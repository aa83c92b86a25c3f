"""The histogram: errors within the bound on real shapes, merging, storing, many quantiles at once."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.histogram import Histogram, nearest_rank

durations = st.lists(st.floats(0, 1e5), max_size=60)


def shapes() -> dict[str, list[float]]:
    rng = random.Random(7)
    return {
        "lognormal": [rng.lognormvariate(-5, 1) for _ in range(20_000)],
        "bimodal": [
            rng.gauss(0.002, 0.0001) if rng.random() < 0.9 else rng.gauss(0.5, 0.05) for _ in range(20_000)
        ],
        "constant": [0.0421] * 5_000,
    }


@pytest.mark.parametrize("name", ["lognormal", "bimodal", "constant"])
def test_quantiles_within_one_percent(name: str) -> None:
    """Every reported quantile lies within 1 % of the nearest-rank value."""
    values = sorted(shapes()[name])
    histogram = Histogram.of(values)
    for q in (0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0):
        truth = values[nearest_rank(q, len(values)) - 1]
        estimate = histogram.quantile(q)
        assert estimate is not None
        assert math.isclose(estimate, truth, rel_tol=0.01)


@given(durations, st.lists(st.floats(0.001, 1.0), max_size=6))
def test_many_quantiles_are_the_single_ones(values: list[float], qs: list[float]) -> None:
    histogram = Histogram.of(values)
    ordered = sorted(qs)
    assert histogram.quantiles(ordered) == [histogram.quantile(q) for q in ordered]


@given(durations, durations)
def test_packed_merging_is_merging(a: list[float], b: list[float]) -> None:
    whole, other = Histogram.of(a), Histogram.of(b)
    indexes, counts = other.packed()
    whole.merge_counts(indexes=indexes, counts=counts, sum_s=other.sum_s, min_s=other.min_s, max_s=other.max_s)
    assert whole == Histogram.of([*a, *b])
    assert Histogram.from_json(whole.to_json()) == whole
    assert whole.copy() == whole


@pytest.mark.parametrize("qs", [(0.0,), (1.1,), (0.9, 0.5), (-1.0,)])
def test_quantiles_out_of_range_or_order(qs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="quantile: out of range or order, got"):
        Histogram.of([1.0]).quantiles(qs)


def test_empty() -> None:
    histogram = Histogram()
    assert histogram.quantiles((0.5, 0.99)) == [None, None]
    assert histogram.mean_s is None
    assert histogram.count_at_least(0.1) == 0


def test_what_is_not_finite_is_refused() -> None:
    histogram = Histogram()
    with pytest.raises(ValueError, match="duration: not finite, got nan"):
        histogram.record(math.nan)
    assert histogram.n == 0


def test_stored_forms_that_are_wrong() -> None:
    good = Histogram.of([0.1, 0.2]).to_json()
    with pytest.raises(ValueError, match="histogram: other layout, got 32, need 64 sub-buckets"):
        Histogram.from_json({**good, "sub_buckets": 32})
    with pytest.raises(ValueError, match="histogram: torn, counts add up to 2, not 3"):
        Histogram.from_json({**good, "n": 3})


anything = st.floats(-1.0, 2.0**21) | st.floats(2.0**-22, 1e-3) | st.integers(-21, 21).map(lambda e: 2.0**e)


@given(st.lists(anything, max_size=40))
def test_recording_many_is_recording_each(durations_s: list[float]) -> None:
    many = Histogram()
    many.record_many(durations_s)
    assert Histogram.of(durations_s) == many


@pytest.mark.parametrize("n", [1, 10])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_one_of_many_that_is_not_finite(n: int, bad: float) -> None:
    """Nothing is counted then."""
    histogram = Histogram()
    with pytest.raises(ValueError, match="duration: not finite, got"):
        histogram.record_many([1.0] * n + [bad])
    assert histogram == Histogram()
