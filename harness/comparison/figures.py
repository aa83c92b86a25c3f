"""One figure of one run: looked up among what the run told, else read off its distribution."""

import difflib
import math
from collections.abc import Collection, Sequence

from harness.history.series_names import matches
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


def without_match(patterns: Sequence[str], names: Collection[str]) -> dict[str, str]:
    """Return the patterns that fit none of these names: pattern → that, and which name may be meant."""
    fit_nothing = [pattern for pattern in patterns if not any(matches(name, (pattern,)) for name in names)]
    near = {pattern: difflib.get_close_matches(pattern, names, n=1) for pattern in fit_nothing}
    return {
        pattern: "fits no figure that was measured" + (f"; did you mean '{found[0]}'" if found else "")
        for pattern, found in near.items()
    }
