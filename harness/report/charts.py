"""
Draw every plot of a report and write it: as PNG for people's hands, as SVG for the page.

`write_plots` is the one entry. Matplotlib is imported by this module and its ``charts_*`` neighbours only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.columns import Columns
from harness.model import GeneratorTick, Result
from harness.report.charts_output import save_png, to_svg
from harness.report.charts_plan import PLOT_NAMES, Material, Planned, plan
from harness.report.charts_trend import write_scene
from harness.report.context import QuantileBand, RunContext
from harness.report.traces import Traces
from harness.report.trend.chart import Settings, lay_out, titled
from harness.report.trend.groups import groups_of
from harness.report.trend.svg import StyleBook, scene_svg
from harness.report.trend.words import place_caption
from harness.rundir import atomic_path, cannot_write


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """
    One plot of a report, or the sentence that stands in its place.

    Args:
        name: name of its file without the suffix; unique in a report.
        title: heading.
        caption: what it shows for this run.
        path: the PNG; None where there was nothing to draw.
        svg: the same as an ``<svg>`` element for the page; None likewise.
    """

    name: str
    title: str
    caption: str
    path: Path | None
    svg: str | None


def write_plots(
    result: Result,
    columns: Columns,
    ticks: Sequence[GeneratorTick],
    folder: Path,
    *,
    band: QuantileBand | None = None,
    context: RunContext | None = None,
    traces: Traces | None = None,
) -> tuple[Plot, ...]:
    """
    Draw the plots of a report and write each as PNG.

    Args:
        result: the finished run.
        columns: its samples, the warm-up included.
        ticks: the generator's health; empty when unknown.
        folder: where the PNGs go; made when missing.
        band: how sure the quantiles of the response time are; None when not known.
        context: the runs before this one; None without any.
        traces: what the run's folder holds besides; None for nothing.

    Returns:
        The plots in the order of the page.

    Raises:
        HarnessError: the folder can't be written.
    """
    note = f"{result.run.scenario.name}, {result.run.id}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        material = Material(
            result=result, columns=columns, ticks=ticks, band=band, context=context, traces=traces or Traces()
        )
        plots = [_write(planned, folder, note) for planned in plan(material)]
        # What an earlier rendering drew and this one does not even mention is no longer true.
        for name in PLOT_NAMES - {plot.name for plot in plots}:
            (folder / f"{name}.png").unlink(missing_ok=True)
        return (*plots, *_place(context, folder))
    except OSError as fault:
        raise cannot_write(folder, fault) from fault


def _write(planned: Planned, folder: Path, note: str) -> Plot:
    path = folder / f"{planned.name}.png"
    if planned.draw is None:
        # What an earlier rendering drew there is no longer true.
        path.unlink(missing_ok=True)
        return Plot(name=planned.name, title=planned.title, caption=planned.caption, path=None, svg=None)
    figure = planned.draw()
    with atomic_path(path) as temporary:
        save_png(figure, temporary, note=note)
    svg = to_svg(figure, planned.name)
    return Plot(name=planned.name, title=planned.title, caption=planned.caption, path=path, svg=svg)


def _place(context: RunContext | None, folder: Path) -> tuple[Plot, ...]:
    """Draw where the run stands among those before it."""
    path = folder / "trend.png"
    if context is None or context.place is None:
        path.unlink(missing_ok=True)
        return ()
    (group,) = groups_of((context.place,))
    chart = lay_out(group, Settings(marked=context.record, plot_height=170.0), notes=context.notes)
    title, caption = "Place in the trend", place_caption(context.place, context.record)
    write_scene(titled(chart, f"{title}: {group.title}", caption), path.with_suffix(""), ("png",))
    book = StyleBook()
    svg = scene_svg(chart.scene, book, kind="trend")
    styled_svg = svg.replace(">", f"><style>{book.sheet()}</style>", 1)
    return (Plot(name="trend", title=title, caption=caption, path=path, svg=styled_svg),)
