"""One figure of one run: looked up among what the run told, else read off its distribution."""

import math

from harness.history.series_units import canonical_unit
from harness.history_model import HistoryRecord, Metric
from harness.judge.compare_rule import Figure

Key = tuple[str, str, float | None]
"""Subject, metric and quantile of a figure."""


def value_of(record: HistoryRecord, key: Key) -> float | None:
    """
    Return a figure of a run.

    A quantile that was not among the run's figures is read off its distribution, failures infinite.
    """
    for metric in record.metrics:
        if (metric.subject, metric.metric, metric.quantile) == key:
            # In the project's own unit: one run may have told milliseconds, another seconds.
            return None if metric.value is None else metric.value * canonical_unit(metric.unit)[1]
    subject, name, quantile = key
    for distribution in record.distributions:
        if quantile is not None and (distribution.subject, distribution.metric) == (subject, name):
            answered = distribution.n - distribution.failures
            rank = quantile * distribution.n
            return distribution.histogram.quantile(min(1.0, rank / answered)) if rank <= answered else math.inf
    return None


def figure_of(metric: Metric) -> Figure:
    """Return what a metric is a figure of, in the unit that `value_of` gives."""
    return Figure(
        subject=metric.subject,
        metric=metric.metric,
        quantile=metric.quantile,
        unit=canonical_unit(metric.unit)[0],
        direction=metric.direction,
    )
