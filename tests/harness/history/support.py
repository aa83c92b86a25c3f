"""Records that are made up, and small."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from harness.history.records import new_id, utc_text
from harness.history_model import HISTORY_SCHEMA_VERSION, Acceptance, Distribution, HistoryRecord, Metric, Note
from harness.model import Interval, Status
from monitoring.histogram import Histogram

START = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
NOW_S = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
ROUTE = "/api/deployments/pending/{agent_id}"


def metric(value: float | None = 0.012, **other: object) -> Metric:
    given = {"subject": ROUTE, "metric": "response_time", "quantile": 0.95, "value": value, "unit": "s"} | other
    return Metric(**given)  # type: ignore[arg-type]


def distribution() -> Distribution:
    return Distribution(
        subject=ROUTE,
        metric="response_time",
        unit="s",
        n=4,
        failures=1,
        tau=1.5,
        histogram=Histogram.of([0.010, 0.012, 0.012]),
    )


def record(number: int = 0, *metrics: Metric, **other: object) -> HistoryRecord:
    """Return the record of a run, one an hour."""
    at = START + timedelta(hours=number)
    made = HistoryRecord(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=new_id(at, str(number).encode()),
        at_utc=utc_text(at),
        source="harness",
        commit=f"{number:040x}",
        commit_utc=utc_text(at - timedelta(hours=1)),
        dirty=False,
        branch="main",
        version="1.2.0",
        environment_key="5c1d7ab2",
        environment={"cpu": "Example CPU", "python": "CPython 3.11.7"},
        scenario="agent-polling",
        scenario_digest="9b2e41c0ffee",
        target="embedded, sqlite 3.45.1",
        status=Status.PASS,
        report="../report.html",
        metrics=metrics or (metric(interval=Interval(low=0.011, high=None), limit=0.2, n=4, exceedances=1),),
    )
    return replace(made, **other)  # type: ignore[arg-type]


def acceptance(number: int = 0) -> Acceptance:
    at = START + timedelta(hours=number)
    return Acceptance(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=new_id(at, b"acceptance"),
        at_utc=utc_text(at),
        series="*",
        record=record(number).id,
        reason="the new index",
    )


def note(number: int = 0, text: str = "release 1.2") -> Note:
    at = START + timedelta(hours=number)
    return Note(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=new_id(at, text.encode()),
        at_utc=utc_text(at),
        text=text,
        is_release=True,
    )
