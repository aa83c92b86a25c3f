"""Series, changes and trends in words."""

from dataclasses import replace

import pytest

from harness.history_model import Cause, ChangeKind, Point, Trend
from harness.model import Interval, Status
from harness.report.trend.groups import groups_of
from harness.report.trend.words import (
    change_sentence,
    chart_caption,
    commit_text,
    effect_text,
    instant_s,
    interval_clause,
    limit_of,
    signed_ratio,
    state_text,
    trend_sentence,
    value_of,
)
from tests.harness.trends import judged, noisy, quantile_trio, series_of_values, trend_of


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "s", "?"),
        (3.3e-7, "s", "330 ns"),
        (-0.002, "s", "−2.00 ms"),
        (0.0, "s", "0 ms"),
        (96.6e6, "bytes", "96.6 MB"),
        (12.0, "bytes", "12.0 B"),
        (50_000.0, "count", "50,000"),
        (2.0, "count", "2"),
        (3e9, "count", "3e+09"),
        (1.0, "index", "1"),
        (0.01, "ratio", "1.00 %"),
        (0.1, "per_s", "0.100/s"),
        (2.5, "furlong", "2.50 furlong"),
    ],
)
def test_values(value: float | None, unit: str, expected: str) -> None:
    assert expected == value_of(value, unit)


@pytest.mark.parametrize(
    ("limit", "unit", "expected"),
    [(0.2, "s", "200 ms"), (0.01, "ratio", "1 %"), (0.1, "per_s", "0.1/s"), (0.0125, "s", "12.5 ms")],
)
def test_limits_lose_needless_zeros(limit: float, unit: str, expected: str) -> None:
    assert expected == limit_of(limit, unit)


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.123, "+12.3 %"), (-0.04, "−4.00 %"), (0.0, "+0 %"), (2.0, "×3"), (9.0, "×10"), (None, "?")],
)
def test_relative_changes(ratio: float | None, expected: str) -> None:
    assert expected == signed_ratio(ratio)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (None, ""),
        (Interval(low=None, high=None), ""),
        (Interval(low=0.1, high=0.2), ", +10.0 % to +20.0 %"),
        (Interval(low=0.1, high=None), ", at least +10.0 %"),
        (Interval(low=None, high=0.2), ", at most +20.0 %"),
    ],
)
def test_intervals_of_changes(interval: Interval | None, expected: str) -> None:
    assert expected == interval_clause(interval)


def test_a_change_in_a_sentence() -> None:
    one = judged(series_of_values([0.010] * 20 + [0.012] * 20), [(20, "confirmed")])
    points = one.series.points
    before, after = commit_text(points[18]), commit_text(points[21])
    assert (
        f"p95 stepped from 10.0 ms to 12.0 ms (+20.0 %, +17.0 % to +23.0 %) after {before} and up to {after},"
        " 2026-08-22, confirmed"
    ) == change_sentence(one, one.changes[0])


def test_a_change_says_whose_it_is_and_who_accepted_it() -> None:
    series = series_of_values([0.010] * 20 + [0.012] * 20, commits=False)
    machine = judged(series, [(20, "confirmed")], cause=Cause.ENVIRONMENT)
    assert change_sentence(machine, machine.changes[0]).endswith("the machine, not the code")
    assert "after 2026-08-19 03:00 and up to 2026-08-22 03:00" in change_sentence(machine, machine.changes[0])
    wanted = judged(series, [(20, "suspected")], accepted="sorted now")
    assert change_sentence(wanted, wanted.changes[0]).endswith("suspected only, accepted: sorted now")


def test_a_change_of_a_control_is_the_machines() -> None:
    control = judged(
        series_of_values([0.010] * 20 + [0.012] * 20, control=True), [(20, "confirmed")], cause=Cause.ENVIRONMENT
    )
    assert change_sentence(control, control.changes[0]).endswith("a control, so it is the machine, not the code")


def test_a_change_between_runs_of_one_commit_names_it_once() -> None:
    series = series_of_values([0.010] * 20 + [0.012] * 20)
    same = replace(series, points=tuple(replace(point, commit="3fa9c1d0") for point in series.points))
    one = judged(same, [(20, "confirmed")])
    where = "between 2026-08-19 03:00 and 2026-08-22 03:00, both of 3fa9c1d"
    assert where in change_sentence(one, one.changes[0])
    dirty = replace(same, points=tuple(replace(point, dirty=True) for point in same.points))
    one = judged(dirty, [(20, "confirmed")])
    assert "after 3fa9c1d+ and up to 3fa9c1d+" in change_sentence(one, one.changes[0])


def test_a_change_from_nothing_has_no_ratio() -> None:
    one = judged(series_of_values([0.0] * 20 + [0.012] * 20), [(20, "confirmed")])
    assert "0 ms to 12.0 ms" == effect_text(one.changes[0], "s")
    assert "from 0 ms to 12.0 ms after" in change_sentence(one, one.changes[0])


@pytest.mark.parametrize(
    ("changes", "other", "expected"),
    [
        ([], {}, "steady"),
        ([(20, "confirmed")], {}, "worse"),
        ([(20, "suspected")], {}, "suspected"),
        ([(20, "confirmed")], {"accepted": "yes"}, "accepted"),
        ([(20, "confirmed")], {"cause": Cause.ENVIRONMENT}, "machine"),
        ([(20, "confirmed")], {"kind": ChangeKind.DRIFT}, "drift, worse"),
        ([(20, "confirmed")], {"kind": ChangeKind.VARIANCE}, "spread"),
        ([], {"not_judged": "too short"}, "not judged"),
    ],
)
def test_the_state_of_a_series(changes: list[tuple[int, str]], other: dict[str, object], expected: str) -> None:
    assert expected == state_text(judged(series_of_values([1.0] * 20 + [1.2] * 20), changes, **other))  # type: ignore[arg-type]


def test_a_regression_that_was_undone_is_no_longer_worse() -> None:
    one = judged(series_of_values([1.0] * 20 + [1.2] * 20), [(20, "confirmed")])
    undone = replace(one, changes=(replace(one.changes[0], fails=False),))
    assert "was worse" == state_text(undone)


def test_commits_and_days() -> None:
    point = Point(record="a", at_s=0.0, value=1.0, commit="3fa9c1d40fa", dirty=True)
    assert "3fa9c1d+" == commit_text(point)
    assert "1970-01-01" == commit_text(replace(point, commit=None))
    assert 0.0 == instant_s("1970-01-01T00:00:00")
    assert instant_s("yesterday") is None


def test_captions() -> None:
    assert "60 runs from 2026-08-01 to 2026-09-29; no change was found." == chart_caption(quantile_trio(at=None))
    short = judged(series_of_values(noisy(1, 1.0)))
    assert "1 run on 2026-08-01; not searched for changes: 1 runs, 10 are needed." == chart_caption((short,))
    lost = judged(series_of_values(noisy(20, 1.0), left_out={"a": "no value"}), outliers=[3], not_judged=None)
    assert chart_caption((lost,)).endswith("1 outlier and 1 run without a value.")
    many = judged(
        series_of_values([float(i // 4) + 1 for i in range(40)]), [(i, "confirmed") for i in range(4, 40, 4)]
    )
    assert "and 6 more changes" in chart_caption((many,))


def test_the_whole_trend_in_a_sentence() -> None:
    fine = judged(series_of_values(noisy(20, 1.0)))
    bad = judged(series_of_values([1.0] * 20 + [1.2] * 20, metric="x"), [(20, "confirmed")])
    short = judged(series_of_values([1.0]))
    assert "There is no series to show." == trend_sentence(
        Trend(status=Status.INCONCLUSIVE, series=(), notes=(), stale=(), left_out={})
    )
    assert "Of 1 series none could be judged." == trend_sentence(trend_of(short))
    assert "No confirmed regression in 1 judged series. 1 could not be judged." == trend_sentence(
        trend_of(fine, short)
    )
    assert trend_sentence(trend_of(fine, bad)).endswith("became worse, 1 of 2 judged series.")


def test_series_that_share_a_thing_share_a_chart_and_others_do_not() -> None:
    trio = quantile_trio(at=None)
    seconds = judged(series_of_values([1.0] * 12, metric="x", quantile=0))
    counts = judged(series_of_values([1.0] * 12, metric="x", quantile=0, unit="count"))
    groups = groups_of((*trio, seconds, counts))
    assert [3, 1, 1] == [len(group.members) for group in groups]
    assert ["s", "count"] == [group.unit for group in groups[1:]]
    assert 3 == len({group.slug for group in groups})
    assert groups[1].title.endswith("[s]")


def test_what_a_person_should_look_at_first_stands_in_front() -> None:
    fine = judged(series_of_values(noisy(20, 1.0), subject="fine"))
    maybe = judged(series_of_values([1.0] * 20 + [1.2] * 20, subject="maybe"), [(20, "suspected")])
    bad = judged(series_of_values([1.0] * 20 + [1.2] * 20, subject="bad"), [(20, "confirmed")])
    assert ["bad", "maybe", "fine"] == [g.title.rpartition(", ")[2] for g in groups_of((fine, maybe, bad))]


def test_charts_of_the_same_name_are_told_apart_by_scenario_and_machine() -> None:
    one = series_of_values(noisy(12, 1.0))
    other = replace(one, key=replace(one.key, environment_key="ffff0000aaaa"))
    third = replace(one, key=replace(one.key, scenario="storm@1"))
    titles = [group.title for group in groups_of([judged(one), judged(other), judged(third)])]
    assert 3 == len(set(titles))
    assert titles[1].endswith("agent-polling@9b2e41, machine ffff0000")
    assert titles[2].endswith("storm@1, machine 5c1d7ab2")


def test_names_that_make_the_same_file_get_numbers() -> None:
    series = [judged(series_of_values(noisy(12, 1.0), subject=name)) for name in ("a b", "a/b", "a-b", "\u4e2d")]
    slugs = [group.slug for group in groups_of(series)]
    assert 4 == len(set(slugs))
    assert all(slug.isascii() and "/" not in slug for slug in slugs)
