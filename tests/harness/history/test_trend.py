"""What is told of series: steps, drifts, outliers, spread, controls, acceptances, and the status over all."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gallery.series import hdf5_pair
from benchmarks.history.changepoints import judged, levels, normal, public_series, series_of_values
from harness.history.changepoints import MOST_POINTS
from harness.history.trend import TrendSettings, current_segment, judge_trend, standing_regressions
from harness.history_model import Acceptance, Cause, ChangeKind, ChangeState, Note
from harness.model import Direction, Status

DAY_S = 86_400.0


def noisy(n, *, seed=1):
    return levels(normal, np.random.default_rng(seed), n)


def stepped(before=30, after=30, size=0.10, seed=1):
    values = noisy(before + after, seed=seed)
    values[before:] *= 1 + size
    return values


def accept(series, record, *, number=1):
    return Acceptance(
        schema_version=1,
        id=f"20260101T00000{number}Z-aaaa",
        at_utc="2026-01-01T00:00:00Z",
        series=series,
        record=record,
        reason="a new cipher",
    )


def trend_of(*series, **changes):
    return judge_trend(series, now_s=changes.pop("now_s", 0.0), **changes)


@pytest.mark.parametrize("one", public_series(), ids=lambda one: one.name)
def test_public_series_give_their_documented_steps(one):
    """No step too many and none too few, each within five points."""
    assert (1.0, 1.0) == (one.precision, one.recall)


def test_a_step_is_told_with_place_size_and_range():
    trend = judged(stepped())
    assert [(0, 30), (30, 60)] == [(s.start, s.end) for s in trend.segments]
    (change,) = trend.changes
    assert (30, ChangeKind.STEP, ChangeState.CONFIRMED) == (change.index, change.kind, change.state)
    assert change.effect_interval.low <= 0.10 <= change.effect_interval.high
    assert change.last_before <= "r00029"
    assert change.first_after >= "r00030"
    assert change.is_regression
    assert change.p_value < 0.001
    assert change.accepted is None


def test_the_same_values_give_the_same_answer():
    assert judged(stepped()) == judged(stepped())


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_changes_nothing(scale):
    assert [30] == [change.index for change in judged(stepped() * scale).changes]


def test_a_step_of_three_runs_is_suspected_and_fails_nothing():
    trend = trend_of(series_of_values(stepped(after=3)))
    (change,) = trend.series[0].changes
    assert ChangeState.SUSPECTED is change.state
    assert Status.PASS is trend.status


def test_a_confirmed_regression_fails_and_an_improvement_does_not():
    assert Status.FAIL is trend_of(series_of_values(stepped())).status
    assert Status.PASS is trend_of(series_of_values(stepped(size=-0.10))).status


@pytest.mark.parametrize(("direction", "fails"), [(Direction.ABOVE, True), (Direction.NEAR, False)])
def test_the_direction_says_what_is_worse(direction, fails):
    series = replace(series_of_values(stepped(size=-0.10)), direction=direction)
    assert fails == (trend_of(series).status is Status.FAIL)


def test_a_regression_that_was_mended_fails_nothing():
    values = noisy(90, seed=3)
    values[30:60] *= 1.2
    trend = trend_of(series_of_values(values))
    assert [True, False] == [change.is_regression for change in trend.series[0].changes]
    assert () == standing_regressions(trend.series[0])
    assert Status.PASS is trend.status


@pytest.mark.parametrize("total", [0.10, 0.30, 1.00])
def test_a_confirmed_drift_fails_while_it_goes_on(total):
    """Its end is the present level: the middle of the line lies half way back."""
    values = noisy(60) * (1 + total) ** (np.arange(60) / 59)
    trend = judged(values)
    (change,) = trend.changes
    assert (ChangeKind.DRIFT, ChangeState.CONFIRMED, True) == (change.kind, change.state, change.fails)
    assert not judged(noisy(60) / (1 + total) ** (np.arange(60) / 59)).changes[0].fails


def test_a_drift_that_was_mended_fails_nothing():
    values = np.r_[noisy(60) * 1.5 ** (np.arange(60) / 59), noisy(20, seed=2)]
    assert not standing_regressions(judged(values))


def test_a_suspected_recovery_does_not_clear_a_confirmed_regression():
    values = np.r_[stepped(30, 20, size=0.20), noisy(3, seed=3)]
    trend = judged(values)
    assert [(30, ChangeState.CONFIRMED, True), (50, ChangeState.SUSPECTED, False)] == [
        (change.index, change.state, change.fails) for change in trend.changes
    ]


def test_a_regression_too_small_to_matter_fails_nothing():
    values = 1 + (noisy(60) - 1) / 100
    values[30:] *= 1.005
    trend = trend_of(series_of_values(values))
    assert [30] == [change.index for change in trend.series[0].changes]
    assert Status.PASS is trend.status
    strict = TrendSettings(least_effect_ratio=0.001)
    assert Status.FAIL is trend_of(series_of_values(values), settings=strict).status


def test_outliers_are_told_and_are_no_change():
    values = noisy(60)
    values[[10, 40]] *= 2
    trend = judged(values)
    assert () == trend.changes
    assert (10, 40) == trend.outliers


def test_a_drift_is_told_as_one():
    trend = judged(noisy(60) * np.linspace(1, 1.3, 60))
    (change,) = trend.changes
    assert ChangeKind.DRIFT is change.kind
    assert change.effect_interval.low <= 0.3 <= change.effect_interval.high
    assert trend.segments[0].slope_per_point == pytest.approx(0.3 / 59, rel=0.3)


def test_a_wider_spread_is_told_as_one_and_fails_nothing():
    rng = np.random.default_rng(3)
    values = np.exp(np.concatenate([rng.normal(0, 0.03, 40), rng.normal(0, 0.15, 40)]))
    trend = trend_of(series_of_values(values))
    assert [ChangeKind.VARIANCE] == [change.kind for change in trend.series[0].changes]
    assert trend.series[0].changes[0].after > 2 * trend.series[0].changes[0].before
    assert Status.PASS is trend.status


def test_equal_values_have_no_change_and_no_scale():
    trend = judged([1.5] * 30)
    assert ((), (), None) == (trend.changes, trend.outliers, trend.not_judged)


def test_a_step_between_levels_without_noise_is_found_from_zero_too():
    (change,) = judged([0.0] * 20 + [1.0] * 20).changes
    assert (20, 0.0, 1.0, None) == (change.index, change.before, change.after, change.effect_ratio)
    assert change.is_regression


@pytest.mark.parametrize("n", [1, 2, 9])
def test_too_short_a_series_is_not_judged_and_says_so(n):
    trend = trend_of(series_of_values(noisy(n)))
    runs = "1 run is" if n == 1 else f"{n} runs are"
    assert f"{runs} too few: 10 are needed" == trend.series[0].not_judged
    assert Status.INCONCLUSIVE is trend.status


def test_no_series_at_all_is_inconclusive():
    trend = trend_of()
    assert (Status.INCONCLUSIVE, (), ()) == (trend.status, trend.series, trend.stale)


def test_a_control_tells_that_the_machine_moved():
    subject, control = stepped(size=0.2), stepped(size=0.2, seed=2)
    trend = trend_of(series_of_values(subject, "code"), series_of_values(control, "frozen", control=True))
    assert [Cause.ENVIRONMENT, Cause.ENVIRONMENT] == [one.changes[0].cause for one in trend.series]
    assert Status.PASS is trend.status


def test_a_control_that_stood_still_tells_that_the_code_moved():
    trend = trend_of(
        series_of_values(stepped(size=0.2), "code"), series_of_values(noisy(60, seed=2), "frozen", control=True)
    )
    assert Cause.SUBJECT is trend.series[0].changes[0].cause
    assert Status.FAIL is trend.status


def test_a_control_explains_no_step_that_is_much_larger_than_its_own():
    subject, control = stepped(size=0.5), stepped(size=0.1, seed=2)
    trend = trend_of(series_of_values(subject, "code"), series_of_values(control, "frozen", control=True))
    assert Cause.SUBJECT is trend.series[0].changes[0].cause


def test_a_control_on_another_machine_explains_nothing():
    control = series_of_values(stepped(size=0.2, seed=2), "frozen", control=True)
    control = replace(control, key=replace(control.key, environment_key="other"))
    assert Cause.SUBJECT is trend_of(series_of_values(stepped(size=0.2)), control).series[0].changes[0].cause


def test_controls_alone_are_no_judgement():
    trend = trend_of(series_of_values(stepped(), "frozen", control=True))
    assert Status.INCONCLUSIVE is trend.status


def test_error_ratios_are_expected_at_zero_or_above():
    rng = np.random.default_rng(7)
    (segment,) = judged(np.where(rng.random(60) < 0.6, 0.0, rng.exponential(0.002, 60))).segments
    assert 0.0 == segment.low
    assert segment.high > 0.0


def test_differences_are_expected_below_zero_too():
    (segment,) = judged(np.random.default_rng(1).normal(size=60)).segments
    assert segment.low < 0.0 < segment.high


def test_an_accepted_change_starts_a_new_segment_and_fails_nothing():
    series = series_of_values(stepped())
    trend = trend_of(series, acceptances=[accept("ser*", "r00030")])
    (change,) = trend.series[0].changes
    assert "a new cipher" == change.accepted
    assert 30 == current_segment(trend.series[0])
    assert Status.PASS is trend.status


def test_a_regression_after_an_accepted_change_fails():
    values = noisy(90)
    values[30:] *= 1.2
    values[60:] *= 1.2
    trend = trend_of(series_of_values(values), acceptances=[accept("series", "r00030")])
    assert [("a new cipher", 30), (None, 60)] == [(c.accepted, c.index) for c in trend.series[0].changes]
    assert Status.FAIL is trend.status


def test_an_acceptance_that_fits_nothing_is_named():
    trend = trend_of(
        series_of_values(noisy(20)), acceptances=[accept("other", "r00010"), accept("series", "r9", number=2)]
    )
    assert {
        "acceptance 20260101T000001Z-aaaa": "no series is called 'other'",
        "acceptance 20260101T000002Z-aaaa": "no run 'r9' in the series 'series'",
    } == dict(trend.left_out)


def test_an_old_series_is_stale():
    trend = trend_of(series_of_values(noisy(20)), now_s=19 + 45 * DAY_S)
    assert ("series: the newest run is 45 days old, too old for a baseline.",) == trend.stale


def test_series_that_ended_together_are_stale_in_one_line():
    old = [series_of_values(noisy(20), name) for name in ("b", "a", "c")]
    trend = trend_of(*old, now_s=19 + 4500 * DAY_S)
    assert ("3 series, such as b: the newest run is 4,500 days old, too old for a baseline.",) == trend.stale


def test_notes_come_by_time_and_unread_records_are_handed_through():
    notes = [
        Note(schema_version=1, id=f"n{day}", at_utc=f"2026-01-0{day}T00:00:00Z", text="release") for day in (2, 1)
    ]
    trend = trend_of(series_of_values(noisy(20)), notes=notes, left_out={"torn.json": "empty"})
    assert ["n1", "n2"] == [note.id for note in trend.notes]
    assert {"torn.json": "empty"} == dict(trend.left_out)


def test_correlated_neighbours_are_told():
    values = np.cumsum(np.random.default_rng(1).normal(size=100)) * 0.01
    walk = judge_trend(
        [series_of_values(np.exp(0.5 * values))], now_s=0.0, settings=TrendSettings(false_discovery_ratio=1e-9)
    ).series[0]
    assert walk.lag1 > 0.3
    assert walk.warnings[0].startswith("Neighbouring runs resemble each other (autocorrelation ")


def test_of_a_very_long_series_the_newest_runs_are_searched():
    values = noisy(MOST_POINTS + 500)
    values[-100:] *= 1.1
    trend = judged(values)
    assert [MOST_POINTS + 400] == [change.index for change in trend.changes]
    assert (f"Only the newest 2,000 of {MOST_POINTS + 500:,} runs were searched for changes.",) == trend.warnings
    assert [0, 500, MOST_POINTS + 400] == [segment.start for segment in trend.segments]


def test_every_change_says_whether_it_fails_its_series():
    """Whoever judges says so; no caller has to mark it."""
    values = noisy(90, seed=3)
    values[30:60] *= 0.8
    values[60:] *= 1.2
    (judged_one,) = trend_of(series_of_values(values)).series
    assert [(30, False), (60, True)] == [(change.index, change.fails) for change in judged_one.changes]
    assert (judged_one.changes[1],) == standing_regressions(judged_one)


def test_a_step_on_a_slope_is_one_drift_and_one_step():
    """The slope goes on after the step, so it is told once, with what it adds by itself."""
    values = noisy(160, seed=4) * np.linspace(1, 1.5, 160)
    values[80:] *= 1.5
    trend = judged(values)
    assert [(0, ChangeKind.DRIFT), (80, ChangeKind.STEP)] == [(c.index, c.kind) for c in trend.changes]
    drift, step = trend.changes
    assert ("r00000", "r00159") == (drift.last_before, drift.first_after)
    assert drift.effect_ratio == pytest.approx(0.5, abs=0.1)
    assert step.effect_ratio == pytest.approx(0.5, abs=0.1)


def test_the_twin_of_another_benchmark_excuses_nothing():
    """Of several controls the one whose name shares most words with the subject's decides."""
    subject = series_of_values(stepped(size=0.2), "read develop")
    twin = series_of_values(noisy(60, seed=2), "read frozen", control=True)
    stranger = series_of_values(stepped(size=0.2, seed=5), "write frozen", control=True)
    assert Cause.SUBJECT is trend_of(subject, twin, stranger).series[0].changes[0].cause
    assert Cause.ENVIRONMENT is trend_of(subject, stranger).series[0].changes[0].cause


def test_a_twin_that_was_not_measured_there_leaves_it_to_the_others():
    subject = series_of_values(stepped(size=0.2), "read develop")
    twin = series_of_values(noisy(60, seed=2), "read frozen", control=True)
    twin = replace(twin, points=twin.points[:20])
    stranger = series_of_values(stepped(size=0.2, seed=5), "write frozen", control=True)
    assert Cause.ENVIRONMENT is trend_of(subject, twin, stranger).series[0].changes[0].cause


def hdf5(benchmark=""):
    """Return what the public pair tells: the development branch, its frozen release measured in the same jobs."""
    subject, control = hdf5_pair(benchmark)
    return trend_of(subject, control, now_s=subject.points[-1].at_s)


def test_a_real_control_that_stood_still_leaves_the_step_to_the_code():
    trend = hdf5()
    step = trend.series[0].changes[0]
    assert (13, ChangeKind.STEP, Cause.SUBJECT, True) == (step.index, step.kind, step.cause, step.fails)
    assert () == trend.series[1].changes
    assert Status.FAIL is trend.status


def test_a_real_control_that_moved_with_it_leaves_the_step_to_the_machine():
    """All of a hosted runner's steps down by 14 % in March 2026, of the frozen release too."""
    subject, control = hdf5("cmpd_subset").series
    steps = [[c for c in one.changes if c.kind is ChangeKind.STEP][-1] for one in (subject, control)]
    assert [Cause.ENVIRONMENT, Cause.ENVIRONMENT] == [step.cause for step in steps]
    assert [-0.14, -0.14] == [pytest.approx(step.effect_ratio, abs=0.02) for step in steps]


def test_of_real_controls_the_other_benchmarks_twin_excuses_nothing():
    """`cmpd_subset` moved on its machine at the same runs; `efc_no` has a frozen twin that did not."""
    alone = trend_of(hdf5_pair("efc_no")[0], hdf5_pair("cmpd_subset")[1])
    assert Cause.ENVIRONMENT in {change.cause for change in alone.series[0].changes}
    both = trend_of(*hdf5_pair("efc_no"), hdf5_pair("cmpd_subset")[1])
    assert {Cause.SUBJECT} == {change.cause for change in both.series[0].changes}
