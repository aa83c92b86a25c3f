"""From a judged run and a history to what its report shows of the runs before it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.conclude import Conclusion
from harness.history.store import open_history
from harness.history_model import HistoryRecord
from harness.model import Status
from harness.recording import record_of
from harness.trending.context import run_context
from tests.harness.results import fleet, result_of

COLUMNS = fleet()
RUN = Conclusion(result=result_of(COLUMNS), columns=COLUMNS, ticks=())


def earlier(n: int, **other: object) -> list[HistoryRecord]:
    """Return records of n runs like this one, a day apart, each a little different."""
    record = record_of(RUN)
    begin = datetime.fromisoformat(record.at_utc)
    found = []
    for i in range(n):
        at = (begin - timedelta(days=n - i)).astimezone(UTC)
        metrics = tuple(
            replace(m, value=None if m.value is None else m.value * (1 + 0.004 * (i % 5)), interval=None)
            for m in record.metrics
        )
        made = replace(
            record,
            id=f"{at:%Y%m%dT%H%M%SZ}-{i:04x}",
            at_utc=at.isoformat().replace("+00:00", "Z"),
            metrics=metrics,
            distributions=(),
        )
        found.append(replace(made, **other))  # type: ignore[arg-type]
    return found


def history_of(folder: Path, records: list[HistoryRecord]) -> Path:
    history = open_history(folder)
    for record in records:
        history.add(record)
    return folder


def test_a_run_is_compared_and_placed_at_the_end_of_its_series(tmp_path: Path) -> None:
    context = run_context(RUN, history_of(tmp_path / "h", earlier(15)))
    assert context is not None
    assert context.place is not None
    points = context.place.series.points
    assert (16, RUN.result.run.id, RUN.result.run.id) == (len(points), points[-1].record, context.record)
    assert 0.95 == context.place.series.key.quantile
    p95 = next(one for one in context.comparisons if (one.metric, one.quantile) == ("response_time", 0.95))
    assert (15, Status.PASS) == (p95.baseline_n, p95.status)


def test_a_run_that_is_in_the_history_already_counts_once(tmp_path: Path) -> None:
    folder = history_of(tmp_path / "h", [*earlier(3), record_of(RUN)])
    context = run_context(RUN, folder)
    assert context is not None
    assert context.place is not None
    assert 4 == len(context.place.series.points)


def test_runs_of_other_work_or_other_machines_are_no_place(tmp_path: Path) -> None:
    others = [*earlier(3, scenario_digest="other"), *earlier(3, environment_key="other")]
    renamed = [replace(record, id=f"{record.id[:-4]}{i:04x}") for i, record in enumerate(others)]
    context = run_context(RUN, history_of(tmp_path / "h", renamed))
    assert context is not None
    assert context.place is None


def test_without_a_history_or_a_run_before_there_is_no_context(tmp_path: Path) -> None:
    assert run_context(RUN, None) is None
    assert run_context(RUN, tmp_path / "none") is None
    assert run_context(RUN, history_of(tmp_path / "h", [record_of(RUN)])) is None


def test_a_history_that_cannot_be_read_is_a_warning_and_costs_no_report(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    context = run_context(RUN, tmp_path / "file")
    assert context is not None
    assert context.place is None
    assert "The history could not be read: " in context.warnings[0]
