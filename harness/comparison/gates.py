"""Gates of the form ``p95 vs baseline < +10%``: each gets its comparison with the history."""

from collections.abc import Sequence

from harness.comparison.figures import Key, value_of
from harness.comparison.levels import PresentLevels
from harness.comparison.sources import read_past
from harness.errors import HarnessError
from harness.history.series_names import quantile_text
from harness.history.store import open_history
from harness.history_model import Comparison, HistoryRecord
from harness.judge.baseline import choose_baseline
from harness.judge.catalogue import METRICS
from harness.judge.compare import MOST_BASELINE, compare, not_comparable
from harness.judge.compare_rule import Figure
from harness.model import PENDING_ROUTE, Gate
from harness.recording import figure_key


def compare_gates(
    gates: Sequence[Gate], contender: HistoryRecord, history: str | None
) -> tuple[dict[str, Comparison], tuple[str, ...]]:
    """
    Compare what the gates are about with the baseline of each.

    Args:
        gates: any; those that are not against a baseline are passed over.
        contender: the run, as its record; its distributions serve quantiles that are not among its figures.
        history: as `open_history` takes it; None where none is kept.

    Returns:
        Name of a gate → its comparison, one for each gate against a baseline whatever is missing; and what a
        person should know besides, one sentence each.
    """
    wanted = [gate for gate in gates if gate.against_baseline]
    if not wanted:
        return {}, ()
    if history is None:
        remedy = "--history with the folder or URL of the history"
        return {gate.name: _missing(gate, contender, "no history is kept", remedy) for gate in wanted}, ()
    if not contender.complete:
        fault = "the run did not come to its end"
        return {gate.name: _missing(gate, contender, fault, "a whole run") for gate in wanted}, ()
    try:
        past = read_past(open_history(history), before=contender, distributions=True)
    except HarnessError as fault:
        remedy = "the history, or another one with --history"
        return {gate.name: _missing(gate, contender, str(fault), remedy) for gate in wanted}, ()
    chosen = choose_baseline(past.records, contender)
    levels = PresentLevels(chosen.records, past.acceptances)
    warnings = list(chosen.warnings)
    if past.left_out:
        warnings.append(f"{len(past.left_out)} records of the history could not be read: harness history doctor.")
    comparisons = {}
    for gate in wanted:
        key = _key(gate, contender)
        if value_of(contender, key) is None:
            comparisons[gate.name] = _unmeasured(gate, key, contender)
            continue
        runs = levels.cut(key, chosen.records, warnings)[-MOST_BASELINE:]
        comparisons[gate.name] = compare(
            [value_of(record, key) for record in runs],
            [value_of(contender, key)],
            figure=_figure(gate, contender),
            limit_ratio=gate.limit,
            confidence=gate.confidence,
        )
    return comparisons, tuple(dict.fromkeys(warnings))


def _key(gate: Gate, contender: HistoryRecord) -> Key:
    return figure_key(gate, {metric.subject for metric in contender.metrics} - {PENDING_ROUTE})


def _unmeasured(gate: Gate, key: Key, contender: HistoryRecord) -> Comparison:
    """Return the outcome for a figure that the contender's record does not hold; it says which ones it does."""
    subject, name, quantile = key
    held = [_called(metric.metric, metric.quantile) for metric in contender.metrics if metric.subject == subject]
    if held:
        remedy = f"a figure of it that the record holds: {', '.join(held)}"
    else:
        subjects = dict.fromkeys(metric.subject for metric in contender.metrics)
        remedy = f"a gate on what the record holds figures of: {', '.join(subjects) or 'nothing'}"
    return not_comparable(
        figure=_figure(gate, contender),
        limit_ratio=gate.limit,
        reason=f"nothing to compare: the run's record holds no {_called(name, quantile)} of {subject}",
        remedy=remedy,
    )


def _called(metric: str, quantile: float | None) -> str:
    return f"{metric} {quantile_text(quantile)}".strip()


def _figure(gate: Gate, contender: HistoryRecord) -> Figure:
    subject, name, _ = _key(gate, contender)
    units = [metric.unit for metric in contender.metrics if (metric.subject, metric.metric) == (subject, name)]
    return Figure(
        subject=subject,
        metric=name,
        quantile=gate.quantile,
        unit=units[0] if units else METRICS[gate.metric].unit,
        direction=gate.direction,
    )


def _missing(gate: Gate, contender: HistoryRecord, fault: str, remedy: str) -> Comparison:
    return not_comparable(
        figure=_figure(gate, contender),
        limit_ratio=gate.limit,
        reason=f"nothing to compare with: {fault}",
        remedy=remedy,
    )
