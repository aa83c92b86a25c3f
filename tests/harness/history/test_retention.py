"""What may go: by count, by age, and never what tells of a change."""

from harness.history.retention import DAY_S, RecordHead, Retention, head_of, plan_pruning
from tests.harness.history.support import record

NOW_S = 1_000 * DAY_S


def head(age_days: float, *, group: str = "g", complete: bool = True) -> RecordHead:
    return RecordHead(id=f"{group}{age_days:g}", at_s=NOW_S - age_days * DAY_S, group=(group,), complete=complete)


def removed(heads: list[RecordHead], retention: Retention, protected: dict[str, str] | None = None) -> list[str]:
    return list(plan_pruning(heads, retention, now_s=NOW_S, protected=protected or {}).removed)


def test_nothing_comes_of_nothing() -> None:
    assert [] == removed([], Retention(keep=1))
    assert [] == removed([head(1)], Retention())


def test_the_newest_are_kept_by_count_of_each_kind() -> None:
    heads = [head(age, group=group) for group in ("a", "b") for age in (5, 1, 3)]
    assert ["a5", "b5"] == removed(heads, Retention(keep=2))
    assert ["a5", "b5", "a3", "b3"] == removed(heads, Retention(keep=1))


def test_older_runs_are_thinned_to_one_a_day_and_one_a_week() -> None:
    recent = [head(age / 10) for age in range(5)]
    daily = [head(10 + age / 10) for age in range(1, 10)]
    weekly = [head(age) for age in range(101, 122)]
    gone = removed([*recent, *daily, *weekly], Retention(all_for_s=7 * DAY_S, daily_for_s=100 * DAY_S))
    assert [one.id for one in recent if one.id in gone] == []
    assert 8 == sum(one.id in gone for one in daily)
    kept = [one for one in weekly if one.id not in gone]
    # Three weeks touch three or four calendar weeks; the oldest run of all stays too.
    assert 4 <= len(kept) <= 5
    assert weekly[-1] in kept


def test_of_a_day_the_last_run_that_came_to_its_end_stays() -> None:
    day = [head(30.9), head(30.6), head(30.3, complete=False), head(31.5), head(0)]
    assert ["g30.9", "g30.3"] == removed(day, Retention(all_for_s=DAY_S))


def test_what_is_protected_stays_and_is_told() -> None:
    heads = [head(age) for age in (5, 4, 3, 2, 1)]
    pruning = plan_pruning(heads, Retention(keep=2), now_s=NOW_S, protected={"g4": "an edge", "g1": "an edge"})
    assert (("g5", "g3"), {"g4": "an edge"}, 3) == (pruning.removed, pruning.spared, pruning.kept)


def test_the_first_and_the_last_survive_thinning() -> None:
    heads = [head(30.9), head(30.8), head(30.7)]
    assert ["g30.8"] == removed(heads, Retention(all_for_s=0.0))


def test_pruning_twice_removes_nothing_more() -> None:
    heads = [head(age / 4) for age in range(800)]
    retention = Retention(keep=100, all_for_s=7 * DAY_S, daily_for_s=50 * DAY_S)
    gone = set(removed(heads, retention))
    assert [] == removed([one for one in heads if one.id not in gone], retention)


def test_runs_of_other_work_are_of_another_kind() -> None:
    one, other = record(0), record(1, scenario_digest="another")
    assert head_of(one, {"/a"}).group == head_of(record(2), {"/a"}).group
    assert head_of(one, {"/a"}).group != head_of(other, {"/a"}).group
    assert head_of(one, {"/a"}).group != head_of(one, {"/b"}).group
