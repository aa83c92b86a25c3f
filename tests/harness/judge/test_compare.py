"""Runs against their baseline: the three outcomes, what they claim, and how often they are wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.judge.compare import Control, compare, not_comparable
from harness.judge.compare_estimates import controlled, detectable_errors, plain, ratio_bounds
from harness.judge.compare_rule import Figure, signed, value_text
from harness.model import Direction, Status

P95 = Figure(subject="/api", metric="response_time", quantile=0.95, unit="s")
ERRORS = Figure(subject="/api", metric="error_ratio", quantile=None, unit="ratio")
RATE = Figure(subject="/api", metric="achieved_rate", quantile=None, unit="per_s", direction=Direction.ABOVE)
STEADY = [0.100, 0.102, 0.098, 0.101, 0.099, 0.103, 0.097, 0.100, 0.101, 0.099]


def compared(baseline, contenders, *, figure=P95, limit_ratio=0.10, **more):
    return compare(baseline, contenders, figure=figure, limit_ratio=limit_ratio, **more)


def test_a_run_like_the_baseline_passes():
    told = compared(STEADY, [0.101])
    assert (Status.PASS, None, 10, 1) == (told.status, told.remedy, told.baseline_n, told.contender_n)
    assert told.expected.low < 0.100 < told.expected.high
    assert told.interval.low < told.change_ratio < told.interval.high <= 0.10


def test_a_run_far_worse_fails_and_says_where_to_look():
    told = compared(STEADY, [0.130])
    assert Status.FAIL is told.status
    assert told.interval.low > 0.10
    assert "the commits since the baseline's last run, or accept the change: harness trend accept" == told.remedy


def test_a_run_near_the_limit_is_inconclusive_and_says_what_would_settle_it():
    told = compared(STEADY, [0.109])
    assert Status.INCONCLUSIVE is told.status
    assert told.reason.startswith("change +9.")
    assert "at most +10 % is allowed, and changes from " in told.reason
    assert told.remedy is not None


def test_more_contenders_settle_what_one_leaves_open():
    assert Status.INCONCLUSIVE is compared(STEADY, [0.107]).status
    assert Status.PASS is compared(STEADY, [0.107, 0.106, 0.107, 0.106]).status


def test_the_interval_is_that_of_the_t_test():
    told = compared(STEADY, [0.104])
    logs = np.log(STEADY)
    spread = logs.std(ddof=1) * math.sqrt(1 + 1 / 10)
    shift = math.log(0.104) - logs.mean()
    reach = stats.t.ppf(0.95, 9) * spread
    assert pytest.approx((math.expm1(shift - reach), math.expm1(shift + reach))) == (
        told.interval.low,
        told.interval.high,
    )


@pytest.mark.parametrize(("spread", "published"), [(0.01, 0.029), (0.03, 0.089), (0.05, 0.152), (0.10, 0.327)])
def test_the_smallest_change_seen_is_the_published_one(spread, published):
    """Ten runs in the baseline, one contender, 80 % power."""
    sigma = math.sqrt(math.log1p(spread**2))
    assert published == pytest.approx(math.expm1(detectable_errors(9, 0.95) * sigma * math.sqrt(1.1)), abs=0.0015)


@pytest.mark.parametrize("degrees", [2, 3, 9, 29])
def test_the_power_is_that_of_scipys_noncentral_t(degrees):
    delta = detectable_errors(degrees, 0.95)
    assert pytest.approx(0.8, abs=1e-3) == stats.nct.sf(stats.t.ppf(0.95, degrees), degrees, delta)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_small_a_baseline_says_nothing(n):
    told = compared(STEADY[:n], [0.2])
    assert Status.INCONCLUSIVE is told.status
    what = {0: "there is no baseline", 1: "1 run can't", 2: "2 runs can't"}[n]
    assert told.reason.startswith(what)
    assert f"{3 - n} further run" in told.remedy


def test_no_contender_says_nothing():
    told = compared(STEADY, [None])
    assert (Status.INCONCLUSIVE, "no contender has a value") == (told.status, told.reason)


def test_unusable_values_are_left_out_and_counted():
    told = compared([*STEADY, None, math.nan, math.inf], [0.101])
    assert (Status.PASS, 10) == (told.status, told.baseline_n)
    assert told.reason.endswith("; 3 runs of the baseline had no usable value")


def test_an_endless_contender_fails():
    told = compared(STEADY, [math.inf])
    assert (Status.FAIL, math.inf) == (told.status, told.contender)
    assert "so many polls of the contender failed that the figure has no end" == told.reason


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ([], "and there is no baseline: 3 are needed, 10 are good"),
        ([None], "and there is no baseline: 3 are needed, 10 are good; 1 run of the baseline had no usable value"),
        (STEADY[:2], "and 2 runs can't tell how far runs lie apart: 3 are needed, 10 are good"),
        ([math.inf] * 10, "and there is no baseline: 3 are needed, 10 are good; 10 runs of the baseline"),
        ([*STEADY[:3], *[math.inf] * 3], "nor has it in 3 of 6 runs of the baseline"),
    ],
)
def test_an_endless_contender_fails_against_nothing_that_has_an_end(baseline, said):
    told = compared(baseline, [math.inf])
    assert (Status.INCONCLUSIVE, math.inf) == (told.status, told.contender)
    assert told.reason.startswith(f"so many polls of the contender failed that the figure has no end, {said}")


def test_the_last_thirty_runs_are_the_baseline():
    assert 30 == compared([9.0] * 100 + STEADY * 3, [0.1]).baseline_n


@pytest.mark.parametrize(("value", "status"), [(40.0, Status.FAIL), (50.2, Status.PASS), (70.0, Status.PASS)])
def test_of_a_rate_less_is_worse(value, status):
    told = compared([v * 500 for v in STEADY], [value], figure=RATE)
    assert status is told.status
    assert Direction.ABOVE is told.direction
    assert "at most −10 % is allowed" in told.reason


@pytest.mark.parametrize(("value", "status"), [(0.07, Status.FAIL), (0.1, Status.PASS), (0.14, Status.FAIL)])
def test_what_may_go_neither_way_is_held_on_both_sides(value, status):
    told = compared(STEADY, [value], figure=replace(P95, direction=Direction.NEAR))
    assert status is told.status
    assert Direction.NEAR is told.direction
    assert "at most ±10 % is allowed" in told.reason


def test_ratios_are_compared_on_the_plain_scale_and_it_is_said():
    told = compared([0.010, 0.012, 0.008, 0.011, 0.009, 0.0], [0.10], figure=ERRORS)
    assert Status.FAIL is told.status
    assert "on the plain scale because it can be 0" in told.reason


def bounds_of(old, new, *, confidence=0.95):
    """Return the bounds of the ratio, and the margin of new − (1 + x) · old."""
    estimate = plain(old, new)
    reach = stats.t.ppf(confidence, estimate.degrees) * estimate.spread
    margins = (reach**2 / len(old), 0.0, reach**2 / len(new))
    told = ratio_bounds(old, new, margins=margins, confidence=confidence)
    return told, lambda bound: reach * math.sqrt(1 / len(new) + (1 + bound) ** 2 / len(old))


@pytest.mark.parametrize("old", [[0.1, 0.2, 0.4, 0.8, 0.3], [0.1, 0.0]])
def test_the_levels_of_ratios_are_the_ones_whose_change_is_told(old):
    told = compared(old, [0.5, 0.4], figure=ERRORS)
    assert (pytest.approx(np.mean(old)), pytest.approx(0.45)) == (told.baseline, told.contender)
    assert len(old) < 3 or pytest.approx(told.contender / told.baseline - 1) == told.change_ratio


def test_no_ratio_below_zero_is_expected():
    old = [0.1, 0.2, 0.4, 0.8, 0.3]
    told = compared(old, [0.5], figure=ERRORS)
    assert 0.0 == told.expected.low < told.baseline < told.expected.high
    margin = stats.t.ppf(0.975, 4) * np.std(old, ddof=1) * math.sqrt(1.2)
    assert pytest.approx(margin) == told.expected.high - told.baseline


def test_what_can_be_below_zero_is_expected_there():
    balance = replace(ERRORS, unit="count")
    told = compared([-1.0, 1.0, 0.5, -0.5], [0.2], figure=balance)
    assert told.expected.low < -1


def test_the_ratio_of_means_is_bounded_as_fieller_does():
    """The bounds are where the t-test of new − (1 + x) · old turns."""
    old, new = [0.10, 0.12, 0.08, 0.11, 0.09, 0.10], [0.12, 0.13]
    (low, high), margin = bounds_of(old, new)
    for bound in (low, high):
        assert pytest.approx(abs(np.mean(new) - (1 + bound) * np.mean(old))) == margin(bound)


def test_a_baseline_that_may_as_well_be_zero_bounds_the_change_from_below():
    """No ratio is too large then; the least is where the t-test turns."""
    old, new = [0.001, 0.001, 0.001, 0.001, 0.03], [0.5]
    (low, high), margin = bounds_of(old, new)
    assert None is high
    assert pytest.approx(0.5 - (1 + low) * np.mean(old)) == margin(low)


@pytest.mark.parametrize("new", [0.0, 0.003])
def test_two_levels_that_may_both_be_zero_bound_nothing(new):
    (low, high), _ = bounds_of([0.0, 0.006, 0.0, 0.0], [new])
    assert (None, None) == (low, high)


@pytest.mark.parametrize("value", [0.01, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("old", [[0.0] * 9 + [0.003], [0.0] * 29 + [0.003]])
def test_errors_that_appear_where_there_were_hardly_any_fail(old, value):
    told = compared(old, [value], figure=ERRORS)
    assert (Status.FAIL, None) == (told.status, told.interval.high)
    assert 0.1 < told.interval.low < told.change_ratio


def test_one_error_where_one_run_of_thirty_had_one_is_chance():
    told = compared([0.0] * 29 + [1 / 300], [1 / 300], figure=ERRORS)
    assert Status.INCONCLUSIVE is told.status
    # One of two errors fell into the one new run of thirty-one.
    share = stats.beta.ppf(0.05, 1, 2)
    assert pytest.approx(share / (1 - share) * 30 - 1) == told.interval.low


def test_events_too_many_to_count_are_bounded_all_the_same():
    told = compared([0.0, 0.1, 0.0, 1e-20, 0.1], [0.5], figure=ERRORS)
    assert Status.FAIL is told.status


@pytest.mark.parametrize(("n", "status"), [(10, Status.INCONCLUSIVE), (19, Status.FAIL)])
def test_without_any_spread_chance_is_counted(n, status):
    """That one run of n + 1 is the worst by chance has the probability 1 / (n + 1): 19 before it make it 5 %."""
    told = compared([0.0] * n, [0.01], figure=ERRORS)
    assert status is told.status
    assert f"change from 0 to 0.01, where the {n} runs of the baseline all agree" in told.reason


def test_equal_to_a_baseline_without_spread_passes():
    told = compared([0.0] * 5, [0.0], figure=ERRORS)
    assert (Status.PASS, 0.0) == (told.status, told.change_ratio)


def test_a_control_takes_out_what_the_machine_did():
    rng = np.random.default_rng(1)
    machine = rng.normal(0, 0.1, 21)
    subject = 0.1 * np.exp(machine + rng.normal(0, 0.01, 21))
    frozen = 0.5 * np.exp(machine + rng.normal(0, 0.01, 21))
    subject[-1] *= 1.25
    frozen[-1] *= 1.25
    control = Control(label="frozen", baseline=frozen[:-1].tolist(), contenders=[float(frozen[-1])])
    alone = compared(subject[:-1].tolist(), [float(subject[-1])])
    told = compared(subject[:-1].tolist(), [float(subject[-1])], control=control)
    assert "frozen" == told.control
    assert abs(told.change_ratio) < 0.1 < alone.change_ratio
    assert Status.FAIL is not told.status
    assert "after taking out what the control frozen did" in told.reason
    assert told.detectable_ratio < alone.detectable_ratio


def test_a_control_without_enough_values_is_not_used():
    control = Control(label="frozen", baseline=[None] * 5 + [0.1] * 5, contenders=[0.1])
    assert compared(STEADY, [0.101], control=control).control is None


def test_the_line_through_a_control_is_scipys():
    rng = np.random.default_rng(2)
    x = rng.normal(size=12)
    y = 0.7 * x + rng.normal(0, 0.1, 12)
    told = controlled(y.tolist(), [1.0], x.tolist(), [2.0])
    line = stats.linregress(x, y)
    assert pytest.approx(1.0 - (line.intercept + line.slope * 2.0)) == told.shift
    assert 10 == told.degrees


def test_a_control_that_never_moved_changes_nothing():
    assert plain([1.0, 2.0, 3.0], [2.0]) == controlled([1.0, 2.0, 3.0], [2.0], [1.0] * 3, [1.0])


def test_what_can_t_be_compared_is_inconclusive():
    told = not_comparable(figure=P95, limit_ratio=0.1, reason="no history", remedy="--history")
    assert (Status.INCONCLUSIVE, "no history", "--history") == (told.status, told.reason, told.remedy)


def test_texts_of_values():
    assert ["+8.2 %", "−3 %", "?", "+1,063 %"] == [signed(v) for v in (0.082, -0.03, None, 10.63)]
    assert ["?", "∞", "100 ms", "1 %", "25"] == [
        value_text(value, unit)
        for value, unit in ((None, "s"), (math.inf, "s"), (0.1, "s"), (0.01, "ratio"), (25.0, "per_s"))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.03, 0.10])
@pytest.mark.parametrize("limit_ratio", [0.0, 0.10])
@pytest.mark.parametrize("with_control", [False, True])
def test_two_runs_of_the_same_code_fail_in_at_most_five_per_cent(spread, limit_ratio, with_control):
    """The hardest case is a limit of 0, where 5 % is what the confidence allows."""
    rng = np.random.default_rng(1)
    trials, failed, passed = 3000, 0, 0
    for _ in range(trials):
        runs = 0.1 * np.exp(rng.normal(0, spread, 11))
        frozen = np.exp(rng.normal(0, spread, 11))
        control = Control(label="c", baseline=frozen[:10].tolist(), contenders=[float(frozen[10])])
        told = compared(
            runs[:10].tolist(),
            [float(runs[10])],
            limit_ratio=limit_ratio,
            control=control if with_control else None,
        )
        failed += told.status is Status.FAIL
        passed += told.status is Status.PASS
    assert failed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    if limit_ratio == 0:
        assert passed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.slow
@pytest.mark.parametrize("errors_per_run", [0.1, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("n", [10, 30])
def test_rare_errors_of_the_same_code_fail_in_at_most_five_per_cent(errors_per_run, n):
    """Runs of three hundred polls with an error now and then; a limit of 0 is the hardest one."""
    trials = 2000
    errors = np.random.default_rng(1).poisson(errors_per_run, (trials, n + 1)) / 300
    outcomes = [compared(one[:n].tolist(), one[n:].tolist(), figure=ERRORS, limit_ratio=0.0) for one in errors]
    failed = sum(told.status is Status.FAIL for told in outcomes)
    assert failed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
