"""A run's report beside the runs before it: baseline, place in the trend, band of the quantiles."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from harness.conclude import Conclusion, response_band
from harness.history_model import Comparison
from harness.model import Interval, Status
from harness.report import captions
from harness.report.charts import Plot, write_plots
from harness.report.charts_times import draw_distribution
from harness.report.context import QuantileBand, RunContext
from harness.report.html import render_html
from tests.harness.report.test_charts import LIMITS, by_gid
from tests.harness.report.test_html import Page
from tests.harness.results import fleet, result_of, ticks_of
from tests.harness.trends import judged, noisy, note, record_id, series_of_values

COMPARED = Comparison(
    subject="/api/deployments/pending/{agent_id}",
    metric="response_time",
    quantile=0.95,
    unit="s",
    status=Status.FAIL,
    baseline_n=12,
    contender_n=1,
    baseline=0.010,
    contender=0.014,
    change_ratio=0.4,
    interval=Interval(low=0.31, high=0.49),
    expected=Interval(low=0.0095, high=0.0105),
    limit_ratio=0.1,
    detectable_ratio=0.089,
    control=None,
    reason="worse by at least 31.0 % <b>",
    remedy=None,
)
PLACE = judged(series_of_values(noisy(40, 0.0118, seed=2), limit=0.2))
CONTEXT = RunContext(
    record=record_id(39),
    comparisons=(COMPARED,),
    differences=("the commit differs",),
    warnings=("2 records could not be read",),
    place=PLACE,
    notes=(note(3, "v1"),),
)


def band_of(**shape: object) -> QuantileBand | None:
    columns = fleet(**shape)  # type: ignore[arg-type]
    return response_band(Conclusion(result=result_of(columns), columns=columns, ticks=()))


def test_the_band_holds_the_curve_and_widens_towards_the_end() -> None:
    columns = fleet()
    band = band_of()
    assert band is not None
    values = np.sort(columns.window(10.0, 70.0).response_time_s)
    for q, low, high in zip(band.shares, band.low_s, band.high_s, strict=True):
        rank = min(len(values) - 1, int(q * len(values)))
        assert low is None or low <= values[rank]
        assert high is None or values[max(rank - 1, 0)] <= high
    assert band.high_s[-1] is None
    assert (0.95, True) == (band.confidence, 0 < band.effective_n <= len(values))
    assert list(band.shares) == sorted(band.shares)


def test_no_poll_and_one_poll_have_no_band() -> None:
    assert band_of(agents=0) is None
    assert band_of(agents=1, run_time_s=10.0) is None


def test_failed_polls_leave_the_band_open_above() -> None:
    band = band_of(failing_ratio=0.6)
    assert band is not None
    assert band.high_s[len(band.high_s) // 2] is None


def test_the_band_is_drawn_and_told() -> None:
    columns = fleet(failing_ratio=0.04)
    result = result_of(columns)
    band = response_band(Conclusion(result=result, columns=columns, ticks=()))
    assert band is not None
    seen = columns.window(10.0, 70.0)
    figure = draw_distribution(
        seen.response_time_s, seen.service_time_s[seen.status > 0], result.summary.response_time, LIMITS, band=band
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    assert 1 == len(by_gid(figure, "band"))
    assert 1 == len(by_gid(figure, "band-open"))
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert "95 % confidence" in [text.get_text() for text in legend.get_texts()]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in legend.get_texts()]
    assert all(box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height for box in boxes)
    assert "Each quantile lies in the pale band with 95 % confidence" in captions.distribution(result, band)
    assert "it has no upper end yet." in captions.distribution(result, band)


def test_two_intervals_of_one_quantile_say_which_is_which() -> None:
    """The band holds with both ends together, a gate's interval with each: in one report they differ."""
    columns = fleet()
    result = result_of(columns)
    band = response_band(Conclusion(result=result, columns=columns, ticks=()))
    assert captions.distribution(result, band).endswith(
        ". A gate's interval may differ: its ends hold each by itself, and it is made for the gate's limit."
    )
    told = " ".join(Page(render_html(result, ())).text)
    assert "the interval that decided, each of its ends by itself as sure as the gate asks" in told


def test_the_comparison_stands_in_the_page_as_text() -> None:
    page = Page(render_html(result_of(fleet()), (), CONTEXT))
    text = " ".join(page.text)
    for told in (
        "Against the baseline",
        "Response time p95",
        "10.0 ms (12 runs)",
        "9.50 ms to 10.5 ms",
        "+40.0 %",
        "+31.0 % to +49.0 %",
        "8.90 %",
        "Worse by at least 31.0 % <b>.",
        "The commit differs.",
        "2 records could not be read.",
    ):
        assert told in text, told


def test_what_is_not_known_of_a_comparison_is_a_question_and_never_a_number() -> None:
    bare = replace(
        COMPARED,
        status=Status.INCONCLUSIVE,
        baseline=None,
        baseline_n=0,
        change_ratio=None,
        interval=None,
        expected=None,
        detectable_ratio=None,
        remedy="3 runs",
    )
    beside = replace(CONTEXT, comparisons=(COMPARED, bare))
    text = " ".join(Page(render_html(result_of(fleet()), (), beside)).text)
    assert "? (0 runs)" in text
    assert "3 runs." in text


def test_without_any_baseline_one_sentence_says_so() -> None:
    bare = replace(
        COMPARED, baseline=None, baseline_n=0, change_ratio=None, reason="there is none", remedy="3 runs"
    )
    several = replace(CONTEXT, comparisons=(bare, replace(bare, quantile=0.5)))
    words = Page(render_html(result_of(fleet()), (), several)).words
    assert "No figure could be compared. There is none. Remedy: 3 runs. The commit differs." in words


def test_without_a_history_nothing_is_said_of_a_baseline() -> None:
    assert "Against the baseline" not in render_html(result_of(fleet()), ())
    nothing = RunContext(record="x", warnings=("The history could not be read: torn.",))
    page = render_html(result_of(fleet()), (), nothing)
    assert "No figure could be compared." in page
    assert "The history could not be read: torn." in page


def drawn(tmp_path: Path, context: RunContext | None) -> dict[str, Plot]:
    columns = fleet(agents=3)
    plots = write_plots(result_of(columns), columns, ticks_of(), tmp_path, context=context)
    return {plot.name: plot for plot in plots}


def test_the_place_in_the_trend_is_a_plot_with_the_run_marked(tmp_path: Path) -> None:
    plot = drawn(tmp_path, CONTEXT)["trend"]
    assert plot.path == tmp_path / "trend.png"
    assert plot.path.stat().st_size > 10_000
    assert plot.svg is not None
    assert ">this run</text>" in plot.svg
    assert plot.caption.startswith("p95 of this run was ")
    page = render_html(result_of(fleet()), (plot,), CONTEXT)
    assert [] == [attributes for tag, attributes in Page(page).tags if tag == "script"]


def test_a_plot_of_an_earlier_drawing_goes_when_there_is_no_place(tmp_path: Path) -> None:
    drawn(tmp_path, CONTEXT)
    assert "trend" not in drawn(tmp_path, replace(CONTEXT, place=None))
    assert not (tmp_path / "trend.png").exists()
    assert "trend" not in drawn(tmp_path, None)
