"""Write a report's files into a run directory: the plots, and the page that holds them."""

from collections.abc import Sequence
from dataclasses import replace

from harness.columns import Columns
from harness.model import GeneratorTick, Result
from harness.report.charts import write_plots
from harness.report.context import QuantileBand, RunContext
from harness.report.html import render_html
from harness.report.traces import read_traces
from harness.rundir import RunDirectory, write_atomically


def write_report(
    result: Result,
    columns: Columns,
    ticks: Sequence[GeneratorTick],
    directory: RunDirectory,
    *,
    band: QuantileBand | None = None,
    context: RunContext | None = None,
    keep_alive: str | None = None,
) -> None:
    """
    Write ``plots/*.png`` and ``report.html``, each whole or not at all.

    Args:
        result: the finished run.
        columns: the samples of the whole run, the warm-up included.
        ticks: the generator's health; empty when unknown.
        directory: where to, and where what else the run left is read from.
        band: how sure the quantiles of the response time are; None when not known.
        context: the runs before this one; None without any.
        keep_alive: what the polls tell of the target's keep-alive, one sentence; None for nothing.

    Raises:
        HarnessError: the folder can't be written, or what else the run left makes no sense.
    """
    traces = replace(read_traces(directory), keep_alive=keep_alive)
    plots = write_plots(result, columns, ticks, directory.plots, band=band, context=context, traces=traces)
    write_atomically(
        directory.report, render_html(result, plots, context, columns=columns, traces=traces).encode()
    )
