"""A and B side by side: only what differs within a round counts, and looking often costs no confidence."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.judge.compare_pairs import compare_pairs, looks
from harness.judge.compare_rule import Figure
from harness.model import Direction, Status

P95 = Figure(subject="/api", metric="response_time", quantile=0.95, unit="s")
ERRORS = Figure(subject="/api", metric="error_ratio", quantile=None, unit="ratio")


def told(pairs, *, figure=P95, limit_ratio=0.10, n_looks=1):
    return compare_pairs(pairs, figure=figure, limit_ratio=limit_ratio, n_looks=n_looks)


def rounds(n, *, ratio=1.0, common=0.5, own=0.01, seed=1):
    """Rounds whose two legs share a large noise."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, common, n)
    a, b = (0.1 * np.exp(shared + rng.normal(0, own, n)) for _ in range(2))
    return list(zip(a.tolist(), (b * ratio).tolist(), strict=True))


def test_looks_lie_farther_and_farther_apart():
    assert (6, 9, 14, 20) == looks(6, 20)
    assert (5,) == looks(5, 5)
    assert (1, 2, 3) == looks(1, 3)


@pytest.mark.parametrize(("ratio", "status"), [(1.0, Status.PASS), (1.1, Status.INCONCLUSIVE), (1.2, Status.FAIL)])
def test_what_both_legs_share_does_not_count(ratio, status):
    """Legs differ by 50 % from round to round, and a change of a few per cent is seen all the same."""
    outcome = told(rounds(8, ratio=ratio))
    assert status is outcome.status
    assert outcome.detectable_ratio < 0.05
    assert (8, 8) == (outcome.baseline_n, outcome.contender_n)


def test_the_interval_is_that_of_the_paired_t_test():
    pairs = rounds(8, ratio=1.03)
    gaps = [math.log(b / a) for a, b in pairs]
    known = stats.ttest_1samp(gaps, 0).confidence_interval(0.90)
    outcome = told(pairs)
    assert pytest.approx((math.expm1(known.low), math.expm1(known.high))) == (
        outcome.interval.low,
        outcome.interval.high,
    )


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_rounds_say_nothing(n):
    outcome = told(rounds(n))
    assert Status.INCONCLUSIVE is outcome.status
    assert f"{n} whole round{'' if n == 1 else 's'} with this figure: 4 are needed" == outcome.reason


def test_rounds_without_a_value_are_left_out():
    assert 8 == told([*rounds(8), (None, 0.1), (0.1, math.nan)]).baseline_n


def test_no_errors_on_either_side_pass():
    outcome = told([(0.0, 0.0)] * 6, figure=ERRORS)
    assert (Status.PASS, "change none in each of 6 rounds; at most +10 % is allowed") == (
        outcome.status,
        outcome.reason,
    )


@pytest.mark.parametrize(("n", "status"), [(4, Status.INCONCLUSIVE), (6, Status.FAIL)])
def test_errors_of_b_alone_fail_once_chance_does_not_explain_them(n, status):
    assert status is told([(0.0, 0.1)] * n, figure=ERRORS).status


def test_ratios_that_differ_are_compared_by_their_means():
    rng = np.random.default_rng(1)
    pairs = [
        (float(a), float(b))
        for a, b in zip(rng.binomial(300, 0.02, 8) / 300, rng.binomial(300, 0.2, 8) / 300, strict=True)
    ]
    assert Status.FAIL is told(pairs, figure=ERRORS).status


def test_errors_of_b_fail_where_a_had_hardly_any():
    outcome = told([(a, 0.5) for a in [0.0] * 9 + [0.003]], figure=ERRORS)
    assert (Status.FAIL, None) == (outcome.status, outcome.interval.high)
    assert 0.1 < outcome.interval.low


def test_an_error_more_or_less_in_ten_rounds_is_chance():
    pairs = [(0.003, 0.0)] + [(0.0, 0.003)] * 2 + [(0.0, 0.0)] * 7
    assert Status.INCONCLUSIVE is told(pairs, figure=ERRORS).status


def test_a_figure_without_an_end_on_b_s_side_fails():
    outcome = told([(0.1, math.inf)] * 6)
    assert Status.FAIL is outcome.status
    assert "so many polls failed that the figure has no end: of A in 6 rounds" not in outcome.reason
    assert "of A in 0 rounds, of B in 6" in outcome.reason
    assert Status.INCONCLUSIVE is told([(math.inf, math.inf)] * 6).status


def test_of_a_rate_less_is_worse():
    rate = Figure(subject="/api", metric="achieved_rate", quantile=None, unit="per_s", direction=Direction.ABOVE)
    assert Status.FAIL is told(rounds(8, ratio=0.7), figure=rate).status
    assert Status.PASS is told(rounds(8, ratio=1.5), figure=rate).status


@pytest.mark.slow
@pytest.mark.parametrize(
    ("figure", "error_ratio"), [(P95, None), (ERRORS, 0.02), (ERRORS, 0.001)], ids=["p95", "errors", "rare-errors"]
)
@pytest.mark.parametrize("limit_ratio", [0.0, 0.10])
def test_looking_often_fails_the_same_thing_in_at_most_five_per_cent(figure, error_ratio, limit_ratio):
    rng = np.random.default_rng(1)
    at = looks(6, 20)
    trials, failed = 1000, 0
    for _ in range(trials):
        if figure is P95:
            sides = [np.exp(rng.normal(0, 0.1, 20)) for _ in range(2)]
        else:
            sides = [rng.binomial(300, error_ratio, 20) / 300 for _ in range(2)]
        pairs = list(zip(*(side.tolist() for side in sides), strict=True))
        for n in at:
            status = told(pairs[:n], figure=figure, limit_ratio=limit_ratio, n_looks=len(at)).status
            if status is not Status.INCONCLUSIVE:
                break
        failed += status is Status.FAIL
    assert failed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
