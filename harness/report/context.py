"""What a report can show besides its run: how sure the quantiles are, the baseline, the place in the trend."""

from dataclasses import dataclass

from harness.history_model import Comparison, Note, SeriesTrend


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantileBand:
    """
    Where each quantile of the response time lies with some confidence.

    Args:
        shares: q of each, ascending, in (0, 1).
        low_s: lower end of each [s]; None where the data can't bound it.
        high_s: upper end.
        confidence: of each interval by itself, 0..1.
        effective_n: what the polls are worth as independent ones.
    """

    shares: tuple[float, ...]
    low_s: tuple[float | None, ...]
    high_s: tuple[float | None, ...]
    confidence: float
    effective_n: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """
    A run beside the runs before it.

    Args:
        record: id of the run in the history.
        comparisons: with its baseline; empty when there is none.
        differences: what nobody chose but differs from the baseline, one sentence each.
        warnings: what a person should know of the comparison, one sentence each.
        place: the series of its p95 up to this run; None without earlier runs.
        notes: releases and events, for the chart.
    """

    record: str
    comparisons: tuple[Comparison, ...] = ()
    differences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    place: SeriesTrend | None = None
    notes: tuple[Note, ...] = ()
