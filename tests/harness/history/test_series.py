"""Series: one unit, one order, nothing dropped in silence."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.history.series import SeriesFilter, read_series, series_of
from harness.history.series_names import full_name, labels, matches, read_renames, rename
from harness.history.series_units import canonical_unit
from harness.history.store import open_history
from harness.history_model import Series, SeriesKey
from harness.model import Interval, Status
from tests.harness.history.support import NOW_S, ROUTE, metric, record


def values(series: Series) -> list[float]:
    return [point.value for point in series.points]


def only(*records: object, **options: object) -> Series:
    (series,) = series_of(records, now_s=NOW_S, **options)  # type: ignore[arg-type]
    return series


def test_no_records_are_no_series() -> None:
    assert () == series_of([], now_s=NOW_S)


def test_a_series_has_what_the_records_told() -> None:
    series = only(record(0, metric(0.5, interval=Interval(low=0.4, high=None), limit=0.2)))
    assert f"{ROUTE} response_time p95" == series.label
    assert (
        SeriesKey(
            subject=ROUTE,
            metric="response_time",
            quantile=0.95,
            scenario="agent-polling@9b2e41",
            environment_key="5c1d7ab2",
        )
        == series.key
    )
    (point,) = series.points
    assert (0.5, 0.4, None, 0.2, f"{0:040x}") == (point.value, point.low, point.high, point.limit, point.commit)


def test_records_in_any_order_and_twice_make_one_series_by_time() -> None:
    records = [record(n, metric(float(n))) for n in (2, 0, 1, 0, 2)]
    assert [0.0, 1.0, 2.0] == values(only(*records))


def test_the_order_of_commits_is_that_of_their_own_times() -> None:
    """A bisection measures old commits late; a run without a commit's time stands at its own."""
    old_commit = record(5, metric(0.0), commit_utc="2026-10-01T00:00:00Z")
    bare = record(3, metric(3.0), commit=None, commit_utc=None)
    records = [record(1, metric(1.0)), bare, record(4, metric(4.0)), old_commit]
    assert [1.0, 3.0, 4.0, 0.0] == values(only(*records))
    assert [0.0, 1.0, 3.0, 4.0] == values(only(*records, order="commit"))


def test_runs_of_one_commit_stay_in_the_order_of_time() -> None:
    when = "2026-10-01T00:00:00Z"
    records = [record(n, metric(float(n)), commit="c", commit_utc=when) for n in (2, 1, 3)]
    assert [1.0, 2.0, 3.0] == values(only(*records, order="commit"))


def test_what_is_no_point_is_left_out_with_its_reason() -> None:
    future = replace(record(9), at_utc="2031-01-01T00:00:00Z")
    records = [
        record(0),
        record(1, metric(None)),
        record(2, metric(math.nan)),
        record(3, metric(math.inf)),
        record(4, complete=False),
        record(5, status=Status.INVALID),
        record(6, injected="delayed by 0.6 s"),
        future,
    ]
    series = only(*records)
    assert [record(0).id] == [point.record for point in series.points]
    assert {
        record(1).id: "no value",
        record(2).id: "not a number",
        record(3).id: "infinite: so many polls failed",
        record(4).id: "the run did not come to its end",
        record(5).id: "invalid: the load generator itself was late",
        record(6).id: "a fault was put into its target on purpose: delayed by 0.6 s",
        future.id: "dated 2031-01-01T00:00:00Z, which is in the future",
    } == series.left_out


def test_a_clock_that_is_an_hour_ahead_is_no_future() -> None:
    ahead = replace(record(0), at_utc="2026-11-23T01:00:00Z")
    assert 1 == len(only(ahead).points)


def test_a_metric_without_a_single_value_is_told_of(tmp_path: Path) -> None:
    history = open_history(tmp_path)
    history.add(record(0, metric(None), metric(1.0, quantile=0.5)))
    reading = read_series(history, now_s=NOW_S)
    assert [f"{ROUTE} response_time p50"] == [series.label for series in reading.series]
    name = f"{ROUTE} response_time p95 [agent-polling@9b2e41] on 5c1d7ab2"
    assert {name: "no value"} == reading.no_points


def test_a_unit_of_the_same_kind_is_converted_and_said() -> None:
    series = only(
        record(0, metric(12.0, unit="ms", interval=Interval(low=11.0, high=13.0), limit=200.0)),
        record(1, metric(0.013)),
    )
    assert ("s", [0.012, 0.013], 0.2) == (series.unit, values(series), series.points[0].limit)
    assert (0.011, 0.013) == (series.points[0].low, series.points[0].high)
    assert ("Its unit changed (ms, s): every value was converted to s.",) == series.notes


def test_a_unit_of_another_kind_is_a_new_series_and_said() -> None:
    older, newer = sorted(
        series_of([record(0, metric(12.0, unit="widgets")), record(1, metric(0.013))], now_s=NOW_S),
        key=lambda series: series.points[0].at_s,
    )
    assert ("widgets", f"{ROUTE} response_time (widgets) p95") == (older.unit, older.label)
    assert ("s", f"{ROUTE} response_time p95") == (newer.unit, newer.label)
    told = "Later runs tell it in s, which widgets does not convert to: those are a series of their own."
    assert (told,) == older.notes
    told = "Earlier runs told it in widgets, which does not convert: they are the series response_time (widgets)."
    assert (told,) == newer.notes


def test_a_change_of_name_is_followed() -> None:
    renames = {"/old/*": "/new/*", "latency": "response_time"}
    series = only(
        record(0, metric(1.0, subject="/old/a", metric="latency")),
        record(1, metric(2.0, subject="/new/a")),
        renames=renames,
    )
    assert ("/new/a response_time p95", [1.0, 2.0]) == (series.label, values(series))
    assert ("Some of its runs called it /old/a.", "Some of its runs called it latency.") == series.notes


def test_a_run_that_tells_both_names_counts_once() -> None:
    both = record(0, metric(1.0, subject="/old"), metric(2.0, subject="/new"))
    series = only(both, renames={"/old": "/new"})
    assert [1.0] == values(series)
    assert "1 of its runs told it twice: the first figure counts." in series.notes


def test_renames_go_to_the_end_of_a_chain_and_out_of_a_circle() -> None:
    assert "c" == rename("a", {"a": "b", "b": "c"})
    assert "b" == rename("a", {"a": "b", "b": "a"})
    assert "a[0]" == rename("a[0]", {"a*0": "b"})
    assert "new::y" == rename("old::y", {"old::*": "new::*"})


def test_filters_choose() -> None:
    other = record(1, metric(2.0, subject="/other"), scenario="burst", environment_key="e2", branch="topic")
    records = [record(0), other]

    def labels_of(**wanted: object) -> list[str]:
        found = series_of(records, wanted=SeriesFilter(**wanted), now_s=NOW_S)  # type: ignore[arg-type]
        return [series.label for series in found]

    mine, others = f"{ROUTE} response_time p95", "/other response_time p95"
    assert [mine, others] == labels_of()
    assert [others] == labels_of(environment="e2")
    assert [others] == labels_of(subjects=("/oth*",))
    assert [mine] == labels_of(scenarios=("agent-*",))
    assert [] == labels_of(metrics=("error_ratio",))
    assert [others] == labels_of(branch="topic")
    assert [others] == labels_of(since_s=NOW_S - 21.62 * 86400)


def test_controls_are_marked() -> None:
    series = series_of([record(0, metric(), metric(subject="control 1.0"))], controls=["control *"], now_s=NOW_S)
    assert [(f"{ROUTE} response_time p95", False), ("control 1.0 response_time p95", True)] == [
        (one.label, one.control) for one in series
    ]


def test_labels_say_what_tells_series_apart() -> None:
    def key(scenario: str, environment: str) -> SeriesKey:
        return SeriesKey(subject="/a", metric="m", quantile=0.999, scenario=scenario, environment_key=environment)

    one, two, three = key("s@1", "e1"), key("s@2", "e1"), key("s@2", "e2")
    assert {one: "/a m p99.9"} == labels([one])
    assert {one: "/a m p99.9 [s@1]", two: "/a m p99.9 [s@2]"} == labels([one, two])
    assert {two: "/a m p99.9 on e1", three: "/a m p99.9 on e2"} == labels([two, three])
    assert {
        one: "/a m p99.9 [s@1]",
        two: "/a m p99.9 [s@2] on e1",
        three: "/a m p99.9 on e2",
    } == labels([one, two, three])
    assert "/a m p99.9 [s@2] on e2" == full_name(three)


def test_patterns_know_the_star_only() -> None:
    assert matches("test_x[0]", ["test_*[0]"])
    assert not matches("test_x0", ["test_*[0]"])
    assert matches("a\nb", ["*"])


def test_units_of_other_tools() -> None:
    assert ("s", 1e-9) == canonical_unit("ns/iter")
    assert ("s", 1e-6) == canonical_unit("µs")
    assert ("per_s", 1.0) == canonical_unit("ops/sec")
    assert ("ratio", 0.01) == canonical_unit("%")
    assert ("bytes", 1048576.0) == canonical_unit("MiB")
    assert ("widgets", 1.0) == canonical_unit("widgets")


def test_a_series_is_the_same_from_records_and_from_a_history(tmp_path: Path) -> None:
    records = [record(n, metric(float(n)), metric(None, quantile=0.5)) for n in range(5)]
    history = open_history(tmp_path)
    for one in records:
        history.add(one)
    assert series_of(records, now_s=NOW_S) == read_series(history, now_s=NOW_S).series


def test_renames_are_read_from_pairs_and_a_file(tmp_path: Path) -> None:
    file = tmp_path / "renames.json"
    file.write_text('{"a": "b", "/old/*": "/new/*"}')
    assert {"a": "c", "/old/*": "/new/*", "x=y": "z"} == read_renames(["a=c", "x=y=z"], file)
    assert {} == read_renames([])


@pytest.mark.parametrize(
    ("pairs", "content", "why"),
    [
        (["a"], None, "option '--rename': not a change of name, got 'a', need OLD=NEW"),
        (["=b"], None, "not a change of name, got '=b'"),
        (["*a*=b"], None, "one * at most, and in the new name only when it is in the old one, got *a*=b"),
        (["a=*"], None, "one * at most"),
        ([], "[]", "not an object of old names and new ones"),
        ([], '{"a": 1}', "not an object of old names and new ones"),
        ([], "{", "not JSON"),
        ([], "", "can't be read: No such file or directory"),
    ],
)
def test_renames_that_are_none_are_refused(
    tmp_path: Path, pairs: list[str], content: str | None, why: str
) -> None:
    file = None if content is None else tmp_path / "renames.json"
    if file is not None and content:
        file.write_text(content)
    with pytest.raises(UsageError) as fault:
        read_renames(pairs, file)
    assert why in str(fault.value)
