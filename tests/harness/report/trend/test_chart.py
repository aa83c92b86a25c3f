"""Charts as scenes: labels keep apart, everything stands inside, what was found is drawn as what it is."""

from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from harness.history_model import SeriesTrend
from harness.report.trend.chart import NARROW, WIDTH, Chart, Settings, lay_out, titled
from harness.report.trend.groups import groups_of
from harness.report.trend.overview import cell, sheets
from harness.report.trend.scene import Area, Bars, Label, Line, Marks, Scene
from harness.report.trend.words import chart_caption, place_caption
from tests.harness.report.trend.shapes import SHAPES, is_finite, notes_for
from tests.harness.trends import BEGIN_S, DAY_S, judged, noisy, note, quantile_trio, record_id, series_of_values

LOOKS = {
    "by time": Settings(),
    "in order": Settings(by_time=False),
    "log": Settings(scale="log"),
    "linear": Settings(scale="linear"),
    "narrow": Settings(width=NARROW),
    "narrow in order": Settings(width=NARROW, by_time=False),
}


def chart_of(series: tuple[SeriesTrend, ...], settings: Settings | None = None, **other: object) -> Chart:
    (group,) = groups_of(series)
    return lay_out(group, settings or Settings(), **other)  # type: ignore[arg-type]


def starts_of(series: tuple[SeriesTrend, ...]) -> dict[str, float]:
    starts = {p.record: p.at_s for one in series for p in one.series.points}
    lost = [record for one in series for record in one.series.left_out]
    return starts | {record: BEGIN_S + (31 + i) * DAY_S for i, record in enumerate(lost)}


def assert_readable(scene: Scene) -> None:
    """No label lies on another, and all of them inside the picture."""
    for label in scene.labels:
        left, top, right, bottom = label.box
        assert left >= -1, label
        assert top >= -1, label
        assert right <= scene.width + 1, (label, right)
        assert bottom <= scene.height + 1, label
    for one, other in combinations(scene.labels, 2):
        a, b = one.box, other.box
        apart = a[2] - 1 <= b[0] or b[2] - 1 <= a[0] or a[3] - 1 <= b[1] or b[3] - 1 <= a[1]
        assert apart, (one, other)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", SHAPES)
def test_no_label_lies_on_another_or_outside_the_picture(name: str, look: str) -> None:
    chart = chart_of(SHAPES[name], LOOKS[look], notes=notes_for(name), runs=starts_of(SHAPES[name]))
    assert_readable(chart.scene)


@pytest.mark.parametrize("name", SHAPES)
def test_every_coordinate_is_inside_the_picture(name: str) -> None:
    scene = chart_of(SHAPES[name], notes=notes_for(name)).scene
    for item in scene.items:
        if isinstance(item, Label):
            continue
        places = [(x, y) for x, a, b in item.spans for y in (a, b)] if isinstance(item, Bars) else item.places
        for x, y in places:
            assert is_finite(x)
            assert is_finite(y)
            assert -1 <= x <= scene.width + 1, item
            assert -1 <= y <= scene.height + 1, item


@pytest.mark.parametrize("name", SHAPES)
def test_titles_and_sheets_are_readable_too(name: str) -> None:
    (group,) = groups_of(SHAPES[name])
    chart = lay_out(group, Settings())
    assert_readable(titled(chart, group.title, chart_caption(group.members)))
    assert_readable(cell(group, Settings()))
    (sheet,) = sheets((group,), Settings(), title=group.title * 3, subtitle="x" * 900)
    assert_readable(sheet)


def test_a_sheet_holds_sixty_charts_and_the_next_one_the_rest() -> None:
    series = [judged(series_of_values(noisy(6, 1.0), subject=f"s{i}")) for i in range(61)]
    found = sheets(groups_of(series), Settings(), title="Trend", subtitle="")
    assert ["Trend, sheet 1 of 2", "Trend, sheet 2 of 2"] == [sheet.labels[0].text for sheet in found]
    assert found[0].height > found[1].height


def marks_of(scene: Scene, shape: str) -> list[Marks]:
    return [item for item in scene.items if isinstance(item, Marks) and item.shape == shape]


def test_each_run_is_one_mark_and_its_interval_one_stroke() -> None:
    chart = chart_of((judged(series_of_values(noisy(40, 0.01))),), Settings(key=False))
    assert [40] == [len(marks.places) for marks in marks_of(chart.scene, "dot")]
    assert [40] == [len(item.spans) for item in chart.scene.items if isinstance(item, Bars)]
    assert 40 == len(chart.hits[0])


def test_an_outlier_is_hollow_and_stands_apart_from_the_runs() -> None:
    values = noisy(40, 0.01)
    values[7] = 0.0115
    chart = chart_of((judged(series_of_values(values), outliers=[7]),), Settings(key=False))
    filled, hollow = marks_of(chart.scene, "dot")
    assert (39, 1) == (len(filled.places), len(hollow.places))
    assert "surface" == hollow.look.fill
    assert [7] == [i for i, hit in enumerate(chart.hits[0]) if hit.outlier]


def test_an_outlier_beyond_the_axis_stands_at_its_edge_with_its_value() -> None:
    chart = chart_of(SHAPES["huge outlier"])
    assert [(chart.board.top,)] == [tuple(y for _, y in marks.places) for marks in marks_of(chart.scene, "up")]
    assert "277h46m" in [label.text for label in chart.scene.labels]
    assert chart.board.up.high < 0.1


def stems(chart: Chart) -> list[Line]:
    """Return the lines that run down to the bottom of the plot, but for those of notes."""
    return [
        item
        for item in chart.scene.items
        if isinstance(item, Line) and item.look.width == 1.6 and item.places[-1][1] == chart.board.bottom
    ]


def test_confirmed_and_suspected_changes_differ_in_more_than_colour() -> None:
    chart = chart_of(SHAPES["gaps, outliers and lost runs"], Settings(key=False))
    solid, dashed = stems(chart)
    assert () == solid.look.dash
    assert () != dashed.look.dash
    heads = [marks.look.fill for marks in marks_of(chart.scene, "down")]
    assert ["vermillion", "surface"] == heads
    texts = [label.text for label in chart.scene.labels]
    assert any("worse" in text for text in texts)
    assert any("suspected" in text for text in texts)


def test_a_change_is_labelled_with_its_size_and_commit() -> None:
    chart = chart_of((judged(series_of_values([1.0] * 20 + [1.2] * 20), [(20, "confirmed")]),))
    commit = chart.hits[0][20].point.commit
    assert commit is not None
    assert f"+20.0 % worse, {commit[:7]}" in [label.text for label in chart.scene.labels]


def test_changes_of_several_quantiles_at_one_run_share_a_flag() -> None:
    chart = chart_of(quantile_trio())
    told = [label.text for label in chart.scene.labels if "worse" in label.text]
    assert 1 == len(told)
    assert told[0].startswith("p95 +")
    assert ", p99 +" in told[0]


def test_the_stretch_a_change_can_lie_in_is_shaded() -> None:
    chart = chart_of(
        (judged(series_of_values([1.0] * 20 + [1.2] * 20), [(20, "confirmed")]),), Settings(key=False)
    )
    by_run = {hit.point.record: hit.x for hit in chart.hits[0]}
    shaded = [item for item in chart.scene.items if isinstance(item, Area) and item.look.fill == "vermillion"]
    change = SHAPES["three quantiles"][0]
    assert change.changes == ()
    assert [(by_run[record_id(18)], by_run[record_id(21)])] == [(a.places[0][0], a.places[1][0]) for a in shaded]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("three quantiles", True),  # the medians lie apart: equal relative changes shall look alike
        ("nine decades", True),
        ("gaps, outliers and lost runs", False),
        ("zeros among others", False),
        ("below zero", False),
        ("constant", False),
    ],
)
def test_the_data_choose_the_scale(name: str, expected: bool) -> None:  # noqa: FBT001  # of a table
    assert expected == chart_of(SHAPES[name]).board.up.is_log


def test_zeros_on_a_logarithmic_axis_stand_in_a_lane_below_it() -> None:
    chart = chart_of(SHAPES["zeros among others"], Settings(scale="log"))
    zero = [hit.y for hit in chart.hits[0] if hit.point.value == 0]
    rest = [hit.y for hit in chart.hits[0] if hit.point.value > 0]
    assert 1 == len(set(zero))
    assert min(zero) > max(rest)
    assert "0" in [label.text for label in chart.scene.labels]


def test_values_below_zero_keep_a_linear_axis_whatever_is_asked() -> None:
    assert not chart_of(SHAPES["below zero"], Settings(scale="log")).board.up.is_log


def test_a_limit_that_is_near_is_drawn_and_one_far_away_told_with_an_arrow() -> None:
    near = chart_of((judged(series_of_values(noisy(30, 0.01), limit=0.011)),), Settings(key=False))
    far = chart_of(SHAPES["limit far above"], Settings(key=False))

    def limits(chart: Chart) -> int:
        return sum(isinstance(item, Line) and item.look.stroke == "vermillion" for item in chart.scene.items)

    assert 2 == limits(near)  # the line, and the leader of its label
    assert 0 == limits(far)
    assert "limit 11 ms" in [label.text for label in near.scene.labels]
    assert "↑ limit 50 s" in [label.text for label in far.scene.labels]


def test_a_limit_that_was_moved_makes_two_lines() -> None:
    chart = chart_of(SHAPES["limits that moved"], Settings(key=False))
    dashed = [item for item in chart.scene.items if isinstance(item, Line) and item.look.dash == (6, 4)]
    assert 2 == len({line.places[0][1] for line in dashed})


def test_runs_without_a_value_are_marked_on_the_axis() -> None:
    series = SHAPES["gaps, outliers and lost runs"]
    chart = chart_of(series, Settings(key=False, by_time=False), runs=starts_of(series))
    (crosses,) = marks_of(chart.scene, "cross")
    assert 3 == len(crosses.places)
    assert {chart.board.bottom} == {y for _, y in crosses.places}


def test_a_gap_is_shaded_told_and_the_median_dotted_through_it() -> None:
    chart = chart_of(SHAPES["gaps, outliers and lost runs"], Settings(key=False))
    assert "26 days without a run" in [label.text for label in chart.scene.labels]
    dotted = [item for item in chart.scene.items if isinstance(item, Line) and item.look.dash == (2, 4)]
    assert 1 == len(dotted)
    in_order = chart_of(SHAPES["gaps, outliers and lost runs"], Settings(by_time=False))
    assert () == in_order.board.along.gaps


def test_a_drifting_segment_is_slanted() -> None:
    chart = chart_of(SHAPES["drift"], Settings(key=False))
    heavy = [item for item in chart.scene.items if isinstance(item, Line) and item.look.width == 2.4]
    assert all(line.places[0][1] > line.places[-1][1] for line in heavy)


def test_two_thousand_runs_are_a_band_and_keep_what_was_found() -> None:
    series = SHAPES["two thousand runs"]
    chart = chart_of(series, Settings(key=False))
    assert all(len(hits) < 700 for hits in chart.hits)
    for one, hits in zip(series, chart.hits, strict=True):
        kept = {hit.point.record for hit in hits}
        values = [p.value for p in one.series.points]
        for i in (0, 1999, values.index(min(values)), values.index(max(values)), *(c.index for c in one.changes)):
            assert one.series.points[i].record in kept


def test_in_order_the_runs_stand_side_by_side_whatever_their_times() -> None:
    chart = chart_of(SHAPES["gaps, outliers and lost runs"], Settings(by_time=False))
    xs = [hit.x for hit in chart.hits[0]]
    steps = {round(b - a, 6) for a, b in pairwise(xs)}
    assert 1 == len(steps)


def test_runs_that_only_one_series_has_stand_at_their_place() -> None:
    long = judged(series_of_values(noisy(10, 1.0), quantile=0.5))
    other = series_of_values(noisy(10, 2.0), quantile=0.95)
    extra = replace(other.points[4], record="x", at_s=other.points[4].at_s + 60)
    short = judged(replace(other, points=(*other.points[2:5], extra, *other.points[5:])))
    chart = chart_of((long, short), Settings(by_time=False))
    places = chart.board.along.places
    assert 11 == len(places)
    assert places[other.points[4].record] < places["x"] < places[other.points[5].record]


def test_the_marked_run_has_a_ring_and_a_word() -> None:
    series = SHAPES["three quantiles"]
    chart = chart_of(series, Settings(marked=record_id(59)))
    assert "this run" in [label.text for label in chart.scene.labels]
    (ring,) = [marks for marks in marks_of(chart.scene, "dot") if marks.look.fill is None]
    assert 3 == len(ring.places)
    assert "this run" not in [label.text for label in chart_of(series, Settings(marked="?")).scene.labels]


def test_releases_and_notes_stand_where_they_happened_and_not_beyond_the_runs() -> None:
    chart = chart_of(
        quantile_trio(), notes=(note(10, "v1", is_release=True), note(-3, "before"), note(900, "after"))
    )
    texts = [label.text for label in chart.scene.labels]
    assert "v1" in texts
    assert {"before", "after"}.isdisjoint(texts)
    (diamond,) = marks_of(chart.scene, "diamond")
    by_run = {hit.point.record: hit.x for hit in chart.hits[0]}
    assert [by_run[record_id(10)]] == pytest.approx([x for x, _ in diamond.places])


def test_the_key_explains_what_is_used_and_no_more() -> None:
    plain = [
        label.text for label in chart_of((judged(series_of_values([1.0] * 20, interval_ratio=None)),)).scene.labels
    ]
    assert {"a run", "median of a segment"} <= set(plain)
    assert {"outlier", "limit", "confirmed change", "suspected change"}.isdisjoint(plain)
    full = [label.text for label in chart_of(SHAPES["gaps, outliers and lost runs"]).scene.labels]
    assert {"outlier", "limit", "confirmed change", "suspected change", "run without a value"} <= set(full)


def test_widths_are_those_asked_for() -> None:
    assert WIDTH == chart_of(quantile_trio()).scene.width
    assert NARROW == chart_of(quantile_trio(), Settings(width=NARROW)).scene.width


def test_the_place_of_a_run_in_words() -> None:
    one = judged(series_of_values([0.010, 0.011] * 10 + [0.020], commits=False))
    told = place_caption(one, record_id(20))
    assert told.startswith(
        "p95 of this run was 20.0 ms; the median of its segment of 21 runs is 11.0 ms, and it lies above"
    )
    first = judged(series_of_values([0.01] * 9 + [0.02]), [(9, "suspected")])
    assert "it is the first run of its segment" in place_caption(first, record_id(9))
    assert "The segment began after" in place_caption(first, record_id(9))
