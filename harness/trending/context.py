"""A run among the runs before it: from its record and a history to what its report shows of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from harness.comparison.comparing import Settings, compare_records
from harness.comparison.sources import read_past
from harness.conclude import Conclusion
from harness.errors import HarnessError
from harness.history.series import series_of
from harness.history.store import open_history
from harness.history.trend import judge_trend
from harness.history_model import HistoryRecord
from harness.model import PENDING_ROUTE
from harness.recording import record_of
from harness.report.context import RunContext

_QUANTILE = 0.95


def run_context(conclusion: Conclusion, where: str | Path | None) -> RunContext | None:
    """
    Compare a run with its baseline, and find its place in the trend of its p95.

    Args:
        conclusion: the judged run; it need not be in the history.
        where: the history, as `open_history` takes it; None where none is kept.

    Returns:
        None without a history or without a run in it before this one. A history that can't be read costs nobody a
        report: the fault is a warning of it.
    """
    if where is None:
        return None
    record = record_of(conclusion)
    try:
        history = open_history(where)
        past = read_past(history, before=record)
        notes = history.notes()
    except HarnessError as fault:
        return RunContext(record=record.id, warnings=(f"The history could not be read: {fault}.",))
    if not past.records:
        return None
    compared = compare_records(
        past.records, (record,), settings=Settings(), segmented=True, acceptances=past.acceptances
    )
    at_s = datetime.fromisoformat(record.at_utc).timestamp()
    series = [
        one
        for one in series_of(_alike((*past.records, record), record), now_s=at_s)
        if len(one.points) > 1 and one.points[-1].record == record.id
    ]
    judged = judge_trend(series, acceptances=past.acceptances, now_s=at_s).series
    return RunContext(
        record=record.id,
        comparisons=compared.comparisons,
        differences=compared.differences,
        warnings=compared.warnings,
        place=judged[0] if judged else None,
        notes=notes,
    )


def _alike(records: tuple[HistoryRecord, ...], like: HistoryRecord) -> Iterator[HistoryRecord]:
    """Yield the records of the same work on the same kind of machine, with the one figure that is drawn."""
    for record in records:
        same = (record.scenario_digest, record.environment_key) == (like.scenario_digest, like.environment_key)
        if same:
            yield _with_one_figure(record)


def _with_one_figure(record: HistoryRecord) -> HistoryRecord:
    metrics = tuple(
        metric
        for metric in record.metrics
        if (metric.subject, metric.metric, metric.quantile) == (PENDING_ROUTE, "response_time", _QUANTILE)
    )
    return replace(record, metrics=metrics, distributions=())
