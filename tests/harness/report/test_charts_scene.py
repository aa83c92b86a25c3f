"""The plots of what stands around the polls: what is drawn, and that it can be read."""

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from harness.columns import Columns
from harness.history_model import Comparison
from harness.model import PENDING_ROUTE, Direction, Finding, GeneratorTick, Interval, Pickup, Status, TargetTick
from harness.report.charts import write_plots
from harness.report.charts_fleet import draw_agents, draw_errors, draw_rates
from harness.report.charts_health import draw_connections, draw_generator
from harness.report.charts_scene import (
    binned_quantiles,
    cpu_cores,
    draw_drift,
    draw_fleet,
    draw_pickups,
    draw_target,
)
from harness.report.charts_split import draw_comparison, draw_split
from harness.report.charts_style import TimeAxis
from harness.report.charts_text import route_label
from harness.report.charts_times import draw_breakdown, draw_response_times
from harness.report.parts import Part, splits_of
from harness.report.traces import DriftSeries, Traces, Wave, active_steps, waves_of
from harness.shape import Shape
from tests.harness.report.test_charts import LIMITS, by_gid, labels_keep_apart, main_axes, shown_texts
from tests.harness.results import finding, fleet, gate, quantiles_of, result_of, ticks_of

TIME = TimeAxis(70.0, warmup_s=10.0)
STORM = TimeAxis(70.0, warmup_s=10.0, away_s=(20.0, 38.0))
RAMP = Shape(name="ramp", agents=50, parameters={"ramp_s": 40.0})
WAVES = {"wave_at_s": 15.0, "wave_every_s": 20.0}
GROWS = DriftSeries(
    name="memory",
    subject="target's memory",
    unit="bytes",
    times_s=tuple(range(10, 70, 5)),
    values=tuple(90e6 + 1e6 * k for k in range(12)),
    slope_per_s=2e5,
    change_ratio=0.115,
    drifts=True,
)


def connecting(columns: Columns, ratio: float = 1.0) -> Columns:
    opened = np.random.default_rng(5).random(len(columns)) < ratio
    took_s = np.where(opened, 0.0002 * np.exp(np.random.default_rng(6).normal(0, 1.5, len(columns))), np.nan)
    return replace(columns, new_connection=opened.astype(np.int64), connect_s=took_s)


def target_ticks(*, away: bool = False, n: int = 60) -> tuple[TargetTick, ...]:
    ticks = [
        TargetTick(
            t_s=t * 70 / n,
            rss_bytes=90_000_000 + 10_000 * t,
            connections=50,
            cpu_s=1.0 + 0.1 * t,
            open_files=77,
        )
        for t in range(n)
    ]
    return tuple(
        replace(tick, cpu_s=tick.cpu_s - 4.0 * (tick.t_s > 38))
        for tick in ticks
        if not (away and 20 < tick.t_s < 38)
    )


def workers_ticks(workers: int) -> tuple[GeneratorTick, ...]:
    return tuple(
        replace(
            tick,
            worker=f"a-machine-with-a-long-name/{number}",
            start_lag_s=0.001 * number,
            gc_pause_s=0.0002,
            missed=number,
            connections=25,
        )
        for number in range(workers)
        for tick in ticks_of()
    )


def pickups(n: int = 150, lost: int = 0) -> tuple[Pickup, ...]:
    rng = np.random.default_rng(4)
    created = 15.0 + rng.integers(0, 3, n) * 20.0 + rng.random(n)
    return tuple(
        Pickup(
            deployment=str(i),
            agent=f"agent-{i}",
            created_s=float(created[i]),
            fetched_s=None if i < lost else float(created[i] + 10 * rng.random()),
        )
        for i in range(n)
    )


def waves(n: int = 150, lost: int = 0) -> tuple[Wave, ...]:
    return waves_of(pickups(n, lost), WAVES, until_s=60.0)


def compared(
    change: float,
    *,
    metric: str = "response_time",
    direction: Direction = Direction.BELOW,
    status: Status = Status.PASS,
) -> Comparison:
    return Comparison(
        subject=PENDING_ROUTE,
        metric=metric,
        quantile=0.95 if metric == "response_time" else None,
        unit="s",
        direction=direction,
        status=status,
        baseline_n=12,
        contender_n=1,
        baseline=0.01,
        contender=0.01 * (1 + change),
        change_ratio=change,
        interval=Interval(low=change - 0.04, high=None),
        expected=None,
        limit_ratio=0.1,
        detectable_ratio=0.05,
        control=None,
        reason="because",
        remedy=None,
    )


def still(name: str, value: float, unit: str) -> DriftSeries:
    return DriftSeries(
        name=name,
        subject=name,
        unit=unit,
        times_s=(10.0, 20.0),
        values=(value, value),
        slope_per_s=None,
        change_ratio=None,
        drifts=False,
    )


def drift_findings() -> tuple[Finding, ...]:
    return (finding(gate("drift-memory", limit=0.05, unit="ratio", metric="drift"), Status.INCONCLUSIVE, 0.1),)


def figures() -> Iterator[tuple[str, Figure]]:
    """Draw every plot, in the shapes of data that ask most of it."""
    columns = fleet()
    for name, polls in {
        "some": columns,
        "failing": fleet(failing_ratio=0.5),
        "all failed": fleet(failing_ratio=1.0),
        "slow": fleet(median_s=0.5),
        "one": fleet(agents=1, run_time_s=10.0),
    }.items():
        yield (
            f"fleet {name}",
            draw_fleet(polls, active_steps(RAMP, 70.0), interval_s=10.0, time=TIME),
        )
        yield f"connections {name}", draw_connections(polls, interval_s=10.0, time=STORM)
        yield f"timed connections {name}", draw_connections(connecting(polls), interval_s=10.0, time=TIME)
        yield f"rates {name}", draw_rates(polls, intended_per_s=5.0, interval_s=10.0, time=STORM)
        yield f"response {name}", draw_response_times(polls, LIMITS, time=STORM)
        yield f"agents {name}", draw_agents(polls, LIMITS, interval_s=10.0, time=STORM)
    kinds = tuple(f"connection-refused-{i}" for i in range(9))
    yield "errors", draw_errors(fleet(failing_ratio=0.5, error_kinds=kinds), interval_s=10.0, time=STORM)
    limits = [("pickup-p95", 11.0), ("pickup-p50", 10.4)]
    yield "pickups", draw_pickups(waves(), limits, interval_s=10.0, time=TIME)
    yield "pickups lost", draw_pickups(waves(lost=30), limits, interval_s=10.0, time=STORM)
    yield "one lost pickup", draw_pickups(waves(1, 1), (), interval_s=10.0, time=TIME)
    yield "target", draw_target(target_ticks(), time=TIME)
    yield "restarted target", draw_target(target_ticks(away=True), time=STORM)
    yield "target once", draw_target(target_ticks(n=1), time=TIME)
    for workers in (1, 2, 5, 12):
        yield f"generator {workers}", draw_generator(workers_ticks(workers), time=STORM)
    series = (GROWS, still("connections", 0.0, "connections"), still("response-p95", 0.0123, "s"))
    yield "drift", draw_drift(series, drift_findings(), time=TIME)
    split = connecting(columns, 0.3)
    yield "split", draw_split(splits_of(split, quantiles_of(split.response_time_s)))
    blind = fleet(server_timing=False)
    yield "blind split", draw_split(splits_of(blind, quantiles_of(blind.response_time_s)))
    yield "comparison", draw_comparison([compared(0.02), compared(-0.4), compared(7.0, status=Status.FAIL)])
    yield "one comparison", draw_comparison([compared(0.0, metric="achieved_rate", status=Status.INCONCLUSIVE)])
    routes = [
        Part(name=name, p50=0.001, p95=0.2, p99=math.inf)
        for name in (f"GET {PENDING_ROUTE}", f"GET {PENDING_ROUTE} (unknown id)", "POST /" + "x" * 200)
    ]
    yield "routes", draw_breakdown(routes, title="Response time by route")


DRAWN = dict(figures())


@pytest.mark.parametrize("name", DRAWN)
def test_no_label_lies_on_another_or_outside_the_picture(name: str) -> None:
    labels_keep_apart(name, DRAWN[name])


@pytest.mark.parametrize("name", DRAWN)
def test_every_axis_names_its_unit_or_carries_it_in_its_ticks(name: str) -> None:
    figure = DRAWN[name]
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            ticks = [t.get_text() for t in axis.get_majorticklabels() if t.get_text() and t.get_visible()]
            carried = all(re.search(r" (µs|ms|s|∞)$|[a-z]{3}", tick) for tick in ticks)
            shared = axes is not figure.axes[-1] or name.startswith(("pickups", "one lost"))
            assert re.search(r"\[.+\]", axis.get_label_text()) or carried or not ticks or shared, (name, ticks)


def test_the_outage_is_shaded_and_named() -> None:
    figure = draw_response_times(fleet(), LIMITS, time=STORM)
    box = by_gid(figure, "away")[0].get_bbox()  # type: ignore[attr-defined]
    assert (20.0, 38.0) == (box.x0, box.x1)
    assert "target away" in [text.get_text() for text in shown_texts(figure)]
    assert [] == by_gid(draw_response_times(fleet(), LIMITS, time=TIME), "away")
    rates = draw_rates(fleet(), intended_per_s=5.0, interval_s=10.0, time=STORM)
    assert "target away" in [text.get_text() for text in main_axes(rates).get_legend().get_texts()]


def test_a_retry_is_not_intended_and_a_missed_poll_is() -> None:
    columns = fleet(agents=3)
    extra = np.zeros(len(columns), dtype=np.bool_)
    extra[:4] = True
    missed = columns.missing(np.array([10, 11]), columns.intended_start_s[[10, 11]] - 1.0)
    for polls, expected in ((replace(columns, extra=extra), len(columns) - 4), (missed, len(columns) + 2)):
        figure = draw_rates(polls, intended_per_s=0.3, interval_s=10.0, time=TIME)
        values, edges, _ = by_gid(figure, "intended")[0].get_data()  # type: ignore[attr-defined]
        assert math.isclose(expected, (values * np.diff(edges)).sum())


def test_the_schedules_rate_follows_the_fleet() -> None:
    edges, counts = active_steps(RAMP, 70.0)
    figure = draw_rates(fleet(), intended_per_s=5.0, interval_s=10.0, time=TIME, steps=(edges, counts / 10))
    values, drawn, _ = by_gid(figure, "schedule")[0].get_data()  # type: ignore[attr-defined]
    assert (0.1, 5.0) == (values[0], values[-1])
    assert 70.0 == drawn[-1]


def test_bins_with_few_polls_have_no_quantile() -> None:
    columns = fleet(agents=2)
    assert 0 == len(binned_quantiles(columns, np.arange(0.0, 71.0, 10.0))[0])
    middles, p50s, p95s = binned_quantiles(fleet(), np.array([0.0, 10.0, 70.0]))
    assert [5.0, 40.0] == middles.tolist()
    assert (p50s < p95s).all()


def test_each_pickup_is_a_point_each_lost_one_a_cross_and_the_shares_end_at_what_was_fetched() -> None:
    made = waves(lost=30)
    figure = draw_pickups(made, (), interval_s=10.0, time=TIME)
    points = sum(len(by_gid(figure, f"wave-{k}")[0].get_offsets()) for k in range(3))  # type: ignore[attr-defined]
    assert (120, 30) == (points, len(by_gid(figure, "lost")[0].get_offsets()))  # type: ignore[attr-defined]
    assert 80.0 == by_gid(figure, "share")[0].get_xdata()[-1]  # type: ignore[attr-defined]


def test_cpu_is_the_use_between_two_looks_and_unknown_over_a_restart() -> None:
    ticks = (
        TargetTick(t_s=1.0, rss_bytes=1, connections=0, cpu_s=1.0, open_files=1),
        TargetTick(t_s=3.0, rss_bytes=1, connections=0, cpu_s=2.0, open_files=1),
        TargetTick(t_s=4.0, rss_bytes=1, connections=0, cpu_s=0.5, open_files=1),
        TargetTick(t_s=5.0, rss_bytes=1, connections=0, cpu_s=0.75, open_files=1),
    )
    cores = cpu_cores(ticks)
    assert [True, False, True, False] == np.isnan(cores).tolist()
    assert [0.5, 0.25] == cores[[1, 3]].tolist()


def test_no_line_runs_through_an_outage() -> None:
    figure = draw_target(target_ticks(away=True), time=STORM)
    drawn = by_gid(figure, "target-1")[0].get_ydata()  # type: ignore[attr-defined]
    assert 1 == int(np.isnan(drawn).sum())


def test_a_generator_of_before_has_the_panels_that_it_tells() -> None:
    assert ["CPU\n[cores]", "Loop lag\n[ms]"] == [
        axes.get_ylabel() for axes in draw_generator(ticks_of(), time=TIME).axes
    ]


def test_each_worker_has_a_line_of_its_own_and_a_name() -> None:
    figure = draw_generator(workers_ticks(2), time=TIME)
    assert ["CPU", "Start lag", "Loop lag", "GC pause", "Missed", "Connections"] == [
        axes.get_ylabel().partition("\n")[0] for axes in figure.axes
    ]
    assert [2] * 6 == [len(axes.lines) for axes in figure.axes]
    styles = {line.get_linestyle() for line in figure.axes[0].lines}
    assert 2 == len(styles)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert 3 == len(labels)


def test_many_workers_are_thin_lines_without_names() -> None:
    figure = draw_generator(workers_ticks(12), time=TimeAxis(70.0))
    assert 12 == len(figure.axes[0].lines)
    assert ["each process"] == [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_a_series_has_its_line_its_change_and_its_verdict() -> None:
    figure = draw_drift((GROWS, still("files", 70.0, "files")), drift_findings(), time=TIME)
    line = by_gid(figure, "line-memory")[0].get_ydata()  # type: ignore[attr-defined]
    assert math.isclose(0.2 * 55, line[-1] - line[0])
    assert [] == by_gid(figure, "line-files")
    texts = [text.get_text() for text in shown_texts(figure)]
    assert "+11.5 %\nINCONCLUSIVE" in texts
    assert "?" in texts


def test_the_segments_of_a_bar_fill_it() -> None:
    split = connecting(fleet(), 0.3)
    splits = splits_of(split, quantiles_of(split.response_time_s))
    figure = draw_split(splits)
    for one in splits:
        widths = [
            by_gid(figure, f"split-{one.name}-{name.replace(' ', '-')}")[0].get_width()  # type: ignore[attr-defined]
            for name, _ in one.parts
        ]
        assert math.isclose(100.0, sum(widths))


def test_limits_stand_on_the_side_of_the_worse() -> None:
    """Which side that is stands in the record: an imported metric has a name that tells nobody."""
    figure = draw_comparison([compared(0.0), compared(0.0, metric="score", direction=Direction.ABOVE)])
    assert [0.1, 0.1] == list(by_gid(figure, "limit-0")[0].get_xdata())  # type: ignore[attr-defined]
    assert [-0.1, -0.1] == list(by_gid(figure, "limit-1")[0].get_xdata())  # type: ignore[attr-defined]
    both = draw_comparison([compared(0.0, direction=Direction.NEAR)])
    assert 2 == len(by_gid(both, "limit-0"))


def test_a_change_beyond_the_axis_is_an_arrow_at_its_end_with_its_size_in_figures() -> None:
    figure = draw_comparison([compared(7.0, status=Status.FAIL), compared(0.01)])
    arrow = by_gid(figure, "change-0")[0]
    assert ">" == arrow.get_marker()  # type: ignore[attr-defined]
    assert main_axes(figure).get_xlim()[1] == arrow.get_xdata()[0] == 1.0  # type: ignore[attr-defined]
    assert "×8" in [text.get_text() for text in main_axes(figure).texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /api/agents", "GET /api/agents"),
        (f"GET {PENDING_ROUTE}", "GET …/{agent_id}"),
        ("database", "database"),
        ("POST /" + "x" * 99, "POST /xxxxxxxxx…"),
    ],
)
def test_a_long_route_loses_its_first_folders_not_its_end(text: str, expected: str) -> None:
    assert expected == route_label(text, widest_in=1.4, size_pt=10)


def test_what_a_run_has_no_data_for_has_no_plot_and_leaves_none_behind(tmp_path: Path) -> None:
    columns = connecting(fleet(agents=5), 0.5)
    traces = Traces(target=target_ticks(), pickups=pickups(20), drift=(GROWS,), shape=RAMP)
    full = {plot.name for plot in write_plots(result_of(columns), columns, ticks_of(), tmp_path, traces=traces)}
    assert {"fleet", "pickups", "target", "drift", "connections", "split"} <= full
    bare = {plot.name for plot in write_plots(result_of(columns), columns, ticks_of(), tmp_path)}
    assert {"fleet", "pickups", "target", "drift"}.isdisjoint(bare)
    assert not {"fleet.png", "pickups.png"} & {path.name for path in tmp_path.iterdir()}


def test_other_routes_are_drawn_beside_the_polled_one(tmp_path: Path) -> None:
    columns = fleet(agents=3)
    result = result_of(columns)
    routed = replace(result, routes={"POST /api/deployments": result.summary})
    plots = {plot.name: plot for plot in write_plots(routed, columns, (), tmp_path)}
    assert plots["routes"].caption.startswith(
        "Of 2 routes GET /api/deployments/pending/{agent_id} had the largest"
    )
    assert "routes" not in {plot.name for plot in write_plots(result, columns, (), tmp_path)}
