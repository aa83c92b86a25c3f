"""The plots: what is drawn, that it can be read, and that no shape of data breaks one."""

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from harness.columns import Columns
from harness.model import GeneratorTick, Quantiles
from harness.report.captions import ResponseLimit, response_limits
from harness.report.charts import write_plots
from harness.report.charts_fleet import bin_edges, draw_agents, draw_errors, draw_rates
from harness.report.charts_health import draw_generator
from harness.report.charts_output import to_svg
from harness.report.charts_style import TimeAxis, thin, tick_duration
from harness.report.charts_text import label_text
from harness.report.charts_times import draw_breakdown, draw_distribution, draw_response_times
from harness.report.parts import Part, time_parts
from harness.report.trend.placing import spread
from tests.harness.results import fleet, result_of, ticks_of

LIMITS = tuple(ResponseLimit(quantile=q, limit_s=s) for q, s in ((0.5, 0.05), (0.95, 0.2), (0.99, 0.5)))
HOSTILE = (
    "<script>alert(1)</script>",
    'agent"onload=x',
    "$x^2$ $",
    "_hidden",
    "a\nb\x1b[31m",
    "\U0001f600 \u0561\ue000 é",
    "#0072b2",
    "W" * 200,
)
SHAPES: dict[str, dict[str, object]] = {
    "healthy": {},
    "no polls": {"agents": 0},
    "one poll": {"agents": 1, "run_time_s": 10.0},
    "one agent": {"agents": 1},
    "twelve agents": {"agents": 12},
    "some failed": {"failing_ratio": 0.04, "error_kinds": ("http-500", "timeout", "connection-reset")},
    "all failed": {"failing_ratio": 1.0, "server_timing": False},
    "many kinds": {"failing_ratio": 0.5, "error_kinds": tuple(f"http-{500 + i}" for i in range(11))},
    "stall of 40 s": {"stall": (25.0, 65.0)},
    "everything slow": {"median_s": 0.6},
    "1 ms": {"median_s": 0.0008, "spread": 0.02},
    "lock-step": {"phase_model": "sync"},
    "no server timing": {"server_timing": False},
    "hostile names": {"agents": 8, "agent_ids": HOSTILE, "failing_ratio": 0.4, "error_kinds": HOSTILE},
    "1,000 agents": {"agents": 1000, "run_time_s": 20.0, "failing_ratio": 0.01},
    "200,000 polls": {"agents": 1000, "run_time_s": 2000.0},
}

SLOW_SHAPE = pytest.param("200,000 polls", marks=pytest.mark.slow)


def figures(columns: Columns, *, run_time_s: float = 70.0) -> Iterator[tuple[str, Figure]]:
    """Draw every plot that these polls allow."""
    result = result_of(columns, run_time_s=run_time_s, warmup_s=min(10.0, run_time_s / 2))
    summary = result.summary
    seen = columns.window(summary.window_start_s, summary.window_end_s)
    time = TimeAxis(run_time_s, warmup_s=summary.window_start_s)
    if len(columns):
        yield "response", draw_response_times(columns, LIMITS, time=time)
        yield "rates", draw_rates(columns, intended_per_s=len(columns) / run_time_s, interval_s=10.0, time=time)
        yield "agents", draw_agents(columns, LIMITS, interval_s=10.0, time=time)
    if len(seen):
        answered = seen.service_time_s[seen.status > 0]
        yield "distribution", draw_distribution(seen.response_time_s, answered, summary.response_time, LIMITS)
        yield "breakdown", draw_breakdown(time_parts(seen, result.server, summary.service_time)[0])
    if not columns.ok.all():
        yield "errors", draw_errors(columns, interval_s=10.0, time=time)
    yield "generator", draw_generator(ticks_of(run_time_s), time=time)


def shown_texts(figure: Figure) -> list[Text]:
    """Return every text that is drawn: ticks outside the limits are not."""
    texts: list[Text] = list(figure.texts)
    for axes in figure.axes:
        texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            slack = (high - low) * 1e-6
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            texts += [tick.label1 for tick in ticks if low - slack <= tick.get_loc() <= high + slack]
        if axes.get_legend() is not None:
            texts += axes.get_legend().get_texts()
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def by_gid(figure: Figure, gid: str) -> list[Artist]:
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def main_axes(figure: Figure) -> Axes:
    return figure.axes[0]


def labels_keep_apart(name: str, figure: Figure) -> None:
    """Draw a figure, and check that no text lies on another or outside the picture."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    # Of a label with a leader only the words count. The picture without a pixel at its edge, and boxes without
    # one at theirs: touching is not overlapping.
    width, height = figure.bbox.width, figure.bbox.height
    boxes = [
        (text.get_text(), Text.get_window_extent(text, canvas.get_renderer())) for text in shown_texts(figure)
    ]
    for text, box in boxes:
        assert box.x0 >= -1, (name, text)
        assert box.y0 >= -1, (name, text)
        assert box.x1 <= width + 1, (name, text, box.x1, width)
        assert box.y1 <= height + 1, (name, text, box.y1, height)
    for (one, a), (other, b) in combinations(boxes, 2):
        apart = a.x1 - 1 <= b.x0 or b.x1 - 1 <= a.x0 or a.y1 - 1 <= b.y0 or b.y1 - 1 <= a.y0
        assert apart, (name, one, other)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "200,000 polls"] + [SLOW_SHAPE])
def test_no_label_lies_on_another_or_outside_the_picture(shape: str) -> None:
    run_time_s = float(SHAPES[shape].get("run_time_s", 70.0))  # type: ignore[arg-type]
    for name, figure in figures(fleet(**SHAPES[shape]), run_time_s=run_time_s):  # type: ignore[arg-type]
        labels_keep_apart(name, figure)


@pytest.mark.parametrize("shape", ["healthy", "one poll", "everything slow", "1 ms", SLOW_SHAPE])
def test_every_axis_names_its_unit_or_carries_it_in_its_ticks(shape: str) -> None:
    run_time_s = float(SHAPES[shape].get("run_time_s", 70.0))  # type: ignore[arg-type]
    for name, figure in figures(fleet(**SHAPES[shape]), run_time_s=run_time_s):  # type: ignore[arg-type]
        FigureCanvasAgg(figure).draw()
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                label = axis.get_label_text()
                ticks = [t.get_text() for t in axis.get_majorticklabels() if t.get_text()]
                carried = all(re.search(r" (µs|ms|s)$|^agent-|[a-z]{4}", tick) for tick in ticks)
                assert re.search(r"\[.+\]", label) or carried or not ticks, (name, label, ticks)


def test_each_poll_is_one_point_and_each_failure_one_cross_at_the_top() -> None:
    columns = fleet(failing_ratio=0.04)
    figure = draw_response_times(columns, LIMITS, time=TimeAxis(70.0, warmup_s=10.0))
    polls, failures = by_gid(figure, "polls")[0], by_gid(figure, "failures")[0]
    failed = int((~columns.ok).sum())
    assert 350 - failed == len(polls.get_offsets())  # type: ignore[attr-defined]
    assert failed == len(failures.get_offsets()) > 0  # type: ignore[attr-defined]
    lane = figure.axes[1].get_position()
    assert lane.y0 > main_axes(figure).get_position().y1


def test_points_stand_at_intended_start_and_response_time() -> None:
    columns = fleet(agents=3)
    figure = draw_response_times(columns, LIMITS, time=TimeAxis(70.0, warmup_s=10.0))
    offsets = by_gid(figure, "polls")[0].get_offsets()  # type: ignore[attr-defined]
    assert np.allclose(columns.intended_start_s, offsets[:, 0])
    assert np.allclose(columns.response_time_s, offsets[:, 1])


def test_no_failure_no_lane() -> None:
    assert 1 == len(draw_response_times(fleet(), LIMITS, time=TimeAxis(70.0, warmup_s=10.0)).axes)


def test_limits_are_drawn_in_and_labelled_directly() -> None:
    figure = draw_response_times(fleet(), LIMITS, time=TimeAxis(70.0, warmup_s=10.0))
    for limit in LIMITS:
        line = by_gid(figure, f"limit-{limit.name}")[0]
        assert [limit.limit_s] * 2 == list(line.get_ydata())  # type: ignore[attr-defined]
    written = [text.get_text() for text in main_axes(figure).texts]
    assert ["p50 limit 50 ms", "p95 limit 200 ms", "p99 limit 500 ms"] == sorted(
        text for text in written if "limit" in text
    )


def test_limits_close_together_keep_their_labels_apart() -> None:
    close = [
        ResponseLimit(quantile=q, limit_s=s) for q, s in ((0.5, 0.2), (0.9, 0.2), (0.95, 0.201), (0.99, 0.202))
    ]
    figure = draw_response_times(fleet(), close, time=TimeAxis(70.0))
    heights = sorted(text.xyann[1] for text in main_axes(figure).texts if "limit" in text.get_text())  # type: ignore[attr-defined]
    assert all(b - a > 0.04 for a, b in pairwise(heights))


@pytest.mark.parametrize(
    ("median_s", "limits", "scale"),
    [(0.004, LIMITS, "log"), (0.4, LIMITS[2:], "linear"), (0.004, (), "linear")],
)
def test_the_axis_is_logarithmic_where_the_range_asks_for_it(
    median_s: float, limits: tuple[ResponseLimit, ...], scale: str
) -> None:
    columns = fleet(median_s=median_s, spread=0.1)
    axes = main_axes(draw_response_times(columns, limits, time=TimeAxis(70.0, warmup_s=10.0)))
    assert scale == axes.get_yscale()
    assert ("(log scale)" in axes.get_ylabel()) == (scale == "log")


@pytest.mark.parametrize(
    ("end_s", "expected"), [(70.0, "[s]"), (180.0, "[s]"), (600.0, "[min]"), (7200.0, "[min]"), (90_000.0, "[h]")]
)
def test_time_is_in_the_unit_that_fits_the_run(end_s: float, expected: str) -> None:
    figure = draw_rates(fleet(), intended_per_s=5.0, interval_s=10.0, time=TimeAxis(end_s))
    assert main_axes(figure).get_xlabel().endswith(expected)
    assert TimeAxis(end_s).of(np.array([end_s]))[0] <= 181


@pytest.mark.parametrize("draw", ["response", "rates", "agents", "generator"])
def test_the_warm_up_is_shaded_to_its_end_and_absent_without_one(draw: str) -> None:
    figure = dict(figures(fleet()))[draw]
    assert math.isclose(10.0, by_gid(figure, "warmup")[0].get_bbox().x1)  # type: ignore[attr-defined]
    columns = fleet()
    none = draw_response_times(columns, LIMITS, time=TimeAxis(70.0))
    assert [] == by_gid(none, "warmup")


def test_the_distribution_marks_the_summarys_quantiles_not_its_own() -> None:
    told = Quantiles(n=300, mean=0.1, p50=0.011, p95=0.022, p99=math.inf, max=math.inf)
    seen = fleet().response_time_s
    figure = draw_distribution(seen, seen, told, LIMITS)
    assert [0.011] == list(by_gid(figure, "measured-p50")[0].get_ydata())  # type: ignore[attr-defined]
    assert [0.022] == list(by_gid(figure, "measured-p95")[0].get_ydata())  # type: ignore[attr-defined]
    assert [] == by_gid(figure, "measured-p99")
    written = [text.get_text() for text in main_axes(figure).texts]
    assert {"p50 11.0 ms", "p95 22.0 ms", "limit 50 ms", "limit 200 ms", "limit 500 ms"} == set(written)


@pytest.mark.parametrize("n", [1, 2, 20, 300, 2000, 2001, 50_000])
def test_the_curve_passes_through_the_nearest_rank_quantiles(n: int) -> None:
    values = np.sort(np.random.default_rng(n).lognormal(-5, 1, n))
    figure = draw_distribution(values, values, result_of(fleet()).summary.response_time, LIMITS)
    line = by_gid(figure, "response")[0]
    x, y = (np.asarray(v) for v in (line.get_xdata(), line.get_ydata()))  # type: ignore[attr-defined]
    assert len(x) <= 2100
    assert "steps-post" == line.get_drawstyle()  # type: ignore[attr-defined]
    for q in (0.5, 0.95):
        drawn = y[np.searchsorted(x, -math.log10(1 - q), side="left") - 1]
        rank = max(1, math.ceil(q * n - 1e-9))
        near = values[max(0, rank - 1 - n // 300) : rank + n // 300]
        assert near.min() <= drawn <= near.max()


def test_the_curve_leaves_the_plot_where_the_failed_share_begins() -> None:
    response = np.concatenate((np.full(90, 0.004), np.full(10, np.inf)))
    figure = draw_distribution(response, np.full(100, 0.004), result_of(fleet()).summary.response_time, LIMITS)
    line = by_gid(figure, "response")[0]
    assert math.isclose(1.0, max(line.get_xdata()))  # type: ignore[attr-defined]  # 90 % is one nine
    assert math.isclose(1.0, by_gid(figure, "failed")[0].get_bbox().x0)  # type: ignore[attr-defined]
    assert "failed: 10.0 %" in [text.get_text() for text in main_axes(figure).get_legend().get_texts()]


@pytest.mark.parametrize("end_s", [70.0, 65.0, 67.3])
def test_rates_count_every_poll_once_whatever_the_bins(end_s: float) -> None:
    columns = fleet(agents=3, run_time_s=end_s, failing_ratio=0.1)
    figure = draw_rates(columns, intended_per_s=0.3, interval_s=10.0, time=TimeAxis(end_s, warmup_s=10.0))
    inside = columns.end_s <= end_s
    for gid, expected in (("intended", len(columns)), ("achieved", int((columns.ok & inside).sum()))):
        values, edges, _ = by_gid(figure, gid)[0].get_data()  # type: ignore[attr-defined]
        assert math.isclose(expected, (values * np.diff(edges)).sum())


def test_a_burst_after_a_stall_does_not_flatten_the_rest_and_is_told() -> None:
    figure = draw_rates(
        fleet(stall=(25.0, 65.0)), intended_per_s=5.0, interval_s=10.0, time=TimeAxis(70.0, warmup_s=10.0)
    )
    assert 30.0 == main_axes(figure).get_ylim()[1]
    assert "cut off here; the highest bin has 205/s" in [text.get_text() for text in main_axes(figure).texts]


def test_errors_stack_by_kind_commonest_first_and_the_rest_as_one() -> None:
    columns = fleet(failing_ratio=0.5, error_kinds=tuple(f"http-{500 + i}" for i in range(11)))
    figure = draw_errors(columns, interval_s=10.0, time=TimeAxis(70.0))
    labels = [text.get_text() for text in main_axes(figure).get_legend().get_texts()]
    counts = [int(label.rpartition(": ")[2]) for label in labels]
    assert 7 == len(labels)
    assert sorted(counts[:-1], reverse=True) == counts[:-1]
    assert labels[-1].startswith("5 other kinds: ")
    assert int((~columns.ok).sum()) == sum(counts)
    assert int((~columns.ok).sum()) == round(sum(bar.get_height() for bar in main_axes(figure).patches))
    hatches = {bars[0].get_hatch() for bars in main_axes(figure).containers}  # type: ignore[index]
    assert 7 == len(hatches)


def test_agents_stand_on_rows_in_the_order_of_their_phase() -> None:
    columns = fleet(agents=5)
    figure = draw_agents(columns, LIMITS, interval_s=10.0, time=TimeAxis(70.0, warmup_s=10.0))
    FigureCanvasAgg(figure).draw()
    first = {
        columns.agents[a]: s for a, s in zip(columns.agent[::-1], columns.intended_start_s[::-1], strict=True)
    }
    labels = [t.get_text() for t in main_axes(figure).get_yticklabels()]
    assert sorted(first, key=lambda agent: first[agent]) == labels


def test_polls_are_told_apart_by_the_limits_they_kept_in_colour_and_marker() -> None:
    columns = fleet(stall=(25.0, 65.0), failing_ratio=0.05)
    figure = draw_agents(columns, LIMITS, interval_s=10.0, time=TimeAxis(70.0))
    labels = [text.get_text() for text in main_axes(figure).get_legend().get_texts()]
    assert ["under 50 ms", "500 ms and more", "failed"] == [
        label.partition(":")[0] for label in labels if not label.startswith(("under 200", "under 500"))
    ]
    assert len(columns) == sum(int(label.rpartition(": ")[2]) for label in labels)
    marks = [found for i in range(len(labels)) for found in by_gid(figure, f"class-{i}")]
    assert len(marks) == len({mark.get_paths()[0].vertices.tobytes() for mark in marks})  # type: ignore[attr-defined]


def test_agents_without_limits_are_answered_or_failed() -> None:
    figure = draw_agents(fleet(failing_ratio=0.1), (), interval_s=10.0, time=TimeAxis(70.0))
    labels = [text.get_text().partition(":")[0] for text in main_axes(figure).get_legend().get_texts()]
    assert ["answered", "failed"] == labels


def test_a_long_poll_has_a_line_to_its_end() -> None:
    columns = fleet(stall=(25.0, 65.0))
    figure = draw_agents(columns, LIMITS, interval_s=10.0, time=TimeAxis(70.0))
    segments = by_gid(figure, "waits")[0].get_segments()  # type: ignore[attr-defined]
    assert int((columns.end_s - columns.intended_start_s > 0.28).sum()) == len(segments)
    assert max(segment[:, 0].max() for segment in segments) < 66


def test_the_parts_of_a_poll_add_up_to_its_response_time_where_each_is_known() -> None:
    columns = fleet(agents=1, run_time_s=20.0).window(10.0, 20.0)
    parts, source = time_parts(columns, None, result_of(fleet()).summary.service_time)
    assert ["start lag", "handler without database", "database", "pool wait", "unexplained rest"] == [
        part.name for part in parts
    ]
    assert math.isclose(columns.response_time_s[0], sum(part.p95 for part in parts if part.p95 is not None))
    assert "the server's side is from its own timing of every poll" == source


def test_parts_come_from_the_servers_figures_where_polls_carry_none() -> None:
    columns = fleet()
    blind = fleet(server_timing=False)
    result = result_of(columns)
    parts, source = time_parts(blind, result.server, result.summary.service_time)
    assert [
        "start lag",
        "service time, whole",
        "handler, whole",
        "database, per statement",
        "pool wait, per connection",
    ] == [part.name for part in parts]
    assert "not poll by poll" in source
    bare, why = time_parts(blind, None, result.summary.service_time)
    assert ["start lag", "service time, whole"] == [part.name for part in bare]
    assert "the target told nothing of its own side" == why


def test_parts_that_were_not_told_are_not_invented() -> None:
    columns = replace(fleet(), database_s=np.full(350, np.nan), pool_wait_s=np.full(350, np.nan))
    parts, _ = time_parts(columns, None, result_of(fleet()).summary.service_time)
    assert ["start lag", "handler, whole", "unexplained rest"] == [part.name for part in parts]


def test_parts_tell_how_many_polls_they_rest_on() -> None:
    columns = fleet(failing_ratio=0.1)
    _, source = time_parts(columns, None, result_of(columns).summary.service_time)
    assert f"the server's side is from its own timing of {int(columns.ok.sum())} of 350 polls" == source


def test_the_breakdown_writes_the_figures_beside_the_marks_and_unknown_as_a_question() -> None:
    figure = draw_breakdown((Part(name="database", p50=0.0, p95=0.002, p99=None),))
    written = [text.get_text() for text in main_axes(figure).texts]
    assert ["p50", "0 ms", "p95", "2.00 ms", "p99", "?"] == written
    assert 0 == len(by_gid(figure, "parts-p99")[0].get_xdata())  # type: ignore[attr-defined]


def test_the_breakdown_bears_a_part_without_end() -> None:
    figure = draw_breakdown((Part(name="start lag", p50=0.001, p95=math.inf, p99=math.inf),))
    FigureCanvasAgg(figure).draw()
    assert "∞" in [text.get_text() for text in main_axes(figure).texts]


def test_health_of_a_generator_that_ticked_once() -> None:
    tick = GeneratorTick(t_s=1.0, cpu_ratio=1.7, loop_lag_s=2.5, rss_bytes=1)
    figure = draw_generator((tick,), time=TimeAxis(70.0))
    assert ["CPU\n[cores]", "Loop lag\n[s]"] == [axes.get_ylabel() for axes in figure.axes]
    assert [[1.7], [2.5]] == [list(axes.lines[0].get_ydata()) for axes in figure.axes]


@given(st.floats(0.5, 1e5), st.floats(0.0, 1e4), st.floats(0.1, 600.0))
def test_bins_are_equal_round_and_cover_the_run(end_s: float, rate_per_s: float, interval_s: float) -> None:
    edges = bin_edges(end_s, rate_per_s, interval_s)
    assert (0.0, end_s) == (edges[0], edges[-1])
    assert 2 <= len(edges) <= 100
    widths = np.diff(edges)
    assert np.allclose(widths[:-1], widths[0])
    if len(widths) > 1:
        assert 0.499 * widths[0] <= widths[-1] <= 1.501 * widths[0]


@pytest.mark.parametrize(
    ("end_s", "rate_per_s", "interval_s", "expected"),
    [
        (70.0, 5.0, 10.0, 1.0),  # fifty agents: five polls a second
        (30.0, 4.0, 5.0, 5.0),  # two seconds would do, but would beat against five
        (20.0, 0.1, 10.0, 20.0),  # one agent: few polls, few bins
        (70.0, 5.0, 7.3, 1.0),  # nothing fits: the narrowest that is wide enough
        (7200.0, 5.0, 10.0, 120.0),
        (1e9, 5.0, 10.0, 129 * 86400.0),  # thirty years: no more bins than of an hour
    ],
)
def test_bins_keep_step_with_the_interval(
    end_s: float, rate_per_s: float, interval_s: float, expected: float
) -> None:
    assert math.isclose(expected, bin_edges(end_s, rate_per_s, interval_s)[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.1))
def test_spread_labels_keep_their_distance_their_order_and_the_picture(places: list[float], gap: float) -> None:
    placed = spread(places, gap, 0.0, 1.0)
    ordered = sorted(placed)
    assert all(b - a > gap - 1e-9 for a, b in pairwise(ordered))
    assert all(
        placed[i] <= placed[j] for i in range(len(places)) for j in range(len(places)) if places[i] < places[j]
    )
    assert ordered[-1] <= 1 + 1e-9


@given(st.integers(0, 20_000), st.integers(0, 100))
def test_thinned_points_stand_for_all_of_them(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random(n), rng.integers(0, 5, n).astype(float)
    kept, counts = thin(x, y, columns=50, rows=20)
    assert n == counts.sum()
    assert len(kept) == len(set(kept.tolist())) == len(counts)
    if n > 6000:
        assert len(kept) <= 50 * 20
        assert set(y) == set(y[kept])


@pytest.mark.parametrize(
    ("value_s", "expected"), [(1e-6, "1 µs"), (0.0005, "500 µs"), (0.001, "1 ms"), (0.2, "200 ms"), (10.0, "10 s")]
)
def test_ticks_have_no_needless_digits(value_s: float, expected: str) -> None:
    assert expected == tick_duration(value_s)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent-007", "agent-007"),
        ("_private", " _private"),
        ("a\nb", "a b"),
        ("\u6f22\ue000", "??"),
        ("$x^2$", "$x^2$"),
        ("i" * 40, "i" * 27 + "…"),
        ("W" * 40, "W" * 8 + "…"),
    ],
)
def test_labels_from_outside_are_plain_drawable_and_no_wider_than_their_room(text: str, expected: str) -> None:
    assert expected == label_text(text, widest_in=1.0, size_pt=8.0)


def test_a_label_without_room_is_empty() -> None:
    assert "" == label_text("agent", widest_in=0.0, size_pt=8.0)


def test_no_setting_of_the_process_leaks_in_or_out() -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"text.usetex": False, "axes.spines.top": True, "font.size": 30}):
        figure = draw_rates(fleet(), intended_per_s=5.0, interval_s=10.0, time=TimeAxis(70.0))
    assert not main_axes(figure).spines["top"].get_visible()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some settings warn when merely read
        assert before == dict(mpl.rcParams)


def test_an_svg_has_no_ids_colours_or_addresses_of_its_own() -> None:
    columns = fleet(failing_ratio=0.04)
    svg = to_svg(draw_response_times(columns, LIMITS, time=TimeAxis(70.0, warmup_s=10.0)), "one")
    assert svg.startswith('<svg aria-hidden="true"')
    assert svg.endswith("</svg>")
    assert all(name.startswith("one-") for name in re.findall(r'\bid="([^"]+)"', svg))
    assert all(name.startswith("one-") for name in re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    assert {"http://www.w3.org/1999/xlink", "http://www.w3.org/2000/svg"} == set(
        re.findall(r'https?://[^"]+', svg)
    )
    assert "var(--plot-blue)" in svg
    assert "#0072b2" not in svg


def test_the_same_figure_gives_the_same_svg() -> None:
    one, two = (
        to_svg(draw_rates(fleet(), intended_per_s=5.0, interval_s=10.0, time=TimeAxis(70.0)), "x")
        for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize(
    "shape",
    ["healthy", "no polls", "one poll", "all failed", "stall of 40 s", "hostile names", SLOW_SHAPE],
)
def test_every_shape_of_run_gives_every_plot_or_the_sentence_in_its_place(shape: str, tmp_path: Path) -> None:
    run_time_s = float(SHAPES[shape].get("run_time_s", 70.0))  # type: ignore[arg-type]
    columns = fleet(**SHAPES[shape])  # type: ignore[arg-type]
    result = result_of(columns, run_time_s=run_time_s, warmup_s=min(10.0, run_time_s / 2))
    plots = write_plots(result, columns, ticks_of(run_time_s), tmp_path / "plots")
    names = [plot.name for plot in plots]
    polled = ["response-time", "distribution", "rates", "errors", "agents"]
    assert polled == names[:5]
    split = ["split"] if result.summary.response_time.p50 not in {None, math.inf} else []
    rest = ["connections"] if result.summary.sent else []
    assert [*split, "breakdown", *rest, "generator"] == names[5:]
    for plot in plots:
        assert plot.caption.endswith("."), plot.caption
        assert (plot.path is None) == (plot.svg is None)
        if plot.path is not None:
            assert plot.path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
            assert 5_000 < plot.path.stat().st_size < 700_000
        if plot.svg is not None:
            assert len(plot.svg) < 400_000
    drawn = {plot.path.name for plot in plots if plot.path is not None}
    assert drawn == {path.name for path in (tmp_path / "plots").iterdir()}


def test_without_a_failure_errors_are_a_sentence(tmp_path: Path) -> None:
    columns = fleet()
    errors = next(p for p in write_plots(result_of(columns), columns, (), tmp_path) if p.name == "errors")
    assert (None, None) == (errors.path, errors.svg)
    assert "No poll failed, so there is nothing to draw." == errors.caption


def test_without_polls_or_ticks_nothing_is_drawn(tmp_path: Path) -> None:
    columns = fleet(agents=0)
    plots = write_plots(result_of(columns), columns, (), tmp_path)
    assert [None] * 7 == [plot.path for plot in plots]
    assert "No poll was sent." == plots[0].caption
    assert "The load generator left no record of its own health." == plots[-1].caption
    assert [] == list(tmp_path.iterdir())


def test_a_run_with_polls_in_its_warm_up_only_draws_what_there_is(tmp_path: Path) -> None:
    columns = fleet(run_time_s=8.0)
    plots = {p.name: p for p in write_plots(result_of(columns), columns, (), tmp_path)}
    assert plots["response-time"].path is not None
    assert "No poll was measured." == plots["distribution"].caption
    assert "No poll was measured." == plots["breakdown"].caption


def test_limits_follow_the_judged_gates() -> None:
    assert LIMITS == response_limits(result_of(fleet()))


@pytest.mark.parametrize("agents", [1, 3])
@pytest.mark.parametrize("place", ["end", "all", "intended", "handler", "nowhere"])
def test_an_hour_of_thirty_years_breaks_no_plot(tmp_path: Path, agents: int, place: str) -> None:
    """Samples that were tampered with or torn may hold any time up to 1e9 s: a picture, and no traceback."""
    made = fleet(agents=agents, run_time_s=10.0, failing_ratio=0.3 if agents > 1 else 0.0)
    fields = {
        "end": ("end_s",),
        "all": ("intended_start_s", "start_s", "end_s"),
        "intended": ("intended_start_s",),
        "handler": ("handler_s", "database_s"),
        "nowhere": (),
    }[place]
    columns = replace(made, **{field: np.append(getattr(made, field)[:-1], 1e9) for field in fields})
    if place == "nowhere":
        columns = replace(made, end_s=made.intended_start_s, start_s=made.intended_start_s)
    ticks = (GeneratorTick(t_s=1e9, cpu_ratio=0.0, loop_lag_s=1e9, rss_bytes=1),)
    result = result_of(columns, run_time_s=10.0, warmup_s=0.0)
    assert any(plot.path is not None for plot in write_plots(result, columns, ticks, tmp_path))
