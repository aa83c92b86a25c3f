"""The target's own figures: read, missing, or of another form, and never a reason to lose a run."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harness.figures import ClockWindow, parse_server_figures, read_server_figures, window_by_clock
from harness.model import ServerFigures
from monitoring.histogram import Histogram
from tests.harness.servers import http_server

JSON = "application/json"
NOW = datetime.now(UTC)
WINDOW = {"since": "2026-11-23T08:30:10Z", "until": "2026-11-23T08:31:10Z", "length_s": 60.0, "resolution_s": 1.0}


def distribution(*durations_s: float) -> dict[str, Any]:
    return {"count": len(durations_s), "histogram": Histogram.of(durations_s).to_json()}


ERRORS: dict[str, Any] = {"by_status": {"500": 3}, "by_exception": {}}
ENDPOINT = {
    "route": "/api/deployments/pending/{agent_id}",
    "method": "GET",
    "total_requests": 300,
    "requests_per_second": 5.0,
    "response_time": distribution(0.004, 0.005),
    "database_time": distribution(),
    "query_time": distribution(0.001),
    "pool_wait": {"count": 0},
    "error_rate": 0.01,
    "client_error_rate": 0.0,
    "errors": ERRORS,
}


def pool(peak: int) -> dict[str, Any]:
    return {
        "engine": "main",
        "pool_class": "QueuePool",
        "size": 5,
        "max_overflow": 10,
        "capacity": 15,
        "checked_out": 0,
        "overflow": 0,
        "peak_checked_out": peak,
        "usage_ratio": 0.0,
        "peak_usage_ratio": peak / 15,
        "timeouts": 0,
        "wait": {"count": 0},
        "hold": {"count": 0},
    }


POLLED = {"service": "master", "window": WINDOW, "endpoint": ENDPOINT}
SERVICE = {
    "service": "master",
    "window": WINDOW,
    "totals": {
        "total_requests": 300,
        "requests_per_second": 5.0,
        "response_time": {"count": 0},
        "error_rate": 0.01,
        "client_error_rate": 0.0,
        "errors": ERRORS,
    },
    "endpoints": [],
    "database_pools": [pool(3), pool(1)],
    "monitoring": {"version": "0.1.0", "started": "2026-11-23T08:00:00Z", "faults": 0, "dropped": 0},
}


def monitored(path: str) -> tuple[int, str, bytes]:
    body = POLLED if "pending-deployments" in path else SERVICE
    return 200, JSON, json.dumps(body).encode()


def read(url: str) -> Any:
    return read_server_figures(url, since=NOW - timedelta(seconds=60), until=NOW)


def test_figures_are_those_of_the_polled_route_and_the_fullest_pool() -> None:
    with http_server(monitored) as url:
        reading = read(url)
    expected = ServerFigures(
        window_s=60.0,
        requests=300,
        errors=3,
        handler=Histogram.of([0.004, 0.005]),
        query=Histogram.of([0.001]),
        pool_wait=None,
        pool_size=15,
        pool_peak=3,
    )
    assert (expected, None) == (reading.figures, reading.note)
    assert expected == parse_server_figures(reading.raw)


def test_the_window_is_asked_for_with_histograms() -> None:
    asked: list[str] = []

    def record(path: str) -> tuple[int, str, bytes]:
        asked.append(path)
        return monitored(path)

    with http_server(record) as url:
        read(url)
    query = parse_qs(urlsplit(next(path for path in asked if "pending" in path)).query)
    assert (["true"], [(NOW).isoformat().replace("+00:00", "Z")]) == (query["histograms"], query["until"])


def test_a_target_without_monitoring_is_said_and_lived_with() -> None:
    with http_server(lambda _: (404, JSON, b"{}")) as url:
        reading = read(url)
    assert (None, None) == (reading.figures, reading.raw)
    assert (
        "the target has no monitoring layer that answers: /api/metrics gave 404 and 404; "
        "the report lacks the handler's and queries' times, waits for the pool and its use"
    ) == reading.note


def test_figures_of_another_form_are_kept_and_said() -> None:
    with http_server(lambda _: (200, JSON, b'{"something": "else"}')) as url:
        reading = read(url)
    assert reading.figures is None
    assert {"pending_deployments", "metrics"} == set(reading.raw)
    assert reading.note.startswith("the target's figures have another form: ")


@pytest.mark.parametrize("missing", ["pending_deployments", "metrics"])
def test_half_an_answer_is_no_answer(missing: str) -> None:
    whole = {"pending_deployments": POLLED, "metrics": SERVICE}
    with pytest.raises(ValueError, match=missing):
        parse_server_figures({key: value for key, value in whole.items() if key != missing})


def test_a_target_that_is_gone_is_a_note() -> None:
    with http_server(monitored) as url:
        pass
    assert read(url).note.startswith("the target's own figures could not be read: target '")


ORIGIN = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def at(second: float) -> datetime:
    return ORIGIN + timedelta(seconds=second)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("step_s", [0.0, 1.5, -2.0])
def test_a_clock_that_nobody_set_is_believed(step_s: float, *, shared: bool) -> None:
    """Nor is one that its time service pushed a little."""
    window = window_by_clock(ORIGIN, from_s=10.0, until_s=70.0, step_s=step_s, shared=shared)
    assert window == ClockWindow(since=at(10), until=at(70))


@pytest.mark.parametrize(("step_s", "told"), [(3600.0, "1h00m ahead"), (-3600.0, "1h00m back")])
def test_a_target_elsewhere_is_asked_for_what_was_measured_whatever_our_clock_did(
    step_s: float, told: str
) -> None:
    """The instants are those of our clock as it is now, from which the target's is told."""
    window = window_by_clock(ORIGIN, from_s=10.0, until_s=70.0, step_s=step_s, shared=False)
    assert (window.since, window.until) == (at(10 + step_s), at(70 + step_s))
    (note,) = window.notes
    assert note == (
        f"The clock of this machine was set {told} during the run: "
        "the target's own figures were asked for by the target's clock."
    )


@pytest.mark.parametrize(
    ("step_s", "since_s", "until_s", "told"),
    [(20.0, 10.0, 90.0, "20.0 s ahead"), (-20.0, -10.0, 70.0, "20.0 s back")],
)
def test_a_target_on_this_machine_is_asked_for_both_times(
    step_s: float, since_s: float, until_s: float, told: str
) -> None:
    window = window_by_clock(ORIGIN, from_s=10.0, until_s=70.0, step_s=step_s, shared=True)
    assert (window.since, window.until) == (at(since_s), at(until_s))
    (note,) = window.notes
    assert note == (
        f"The clock of this machine was set {told} during the run, and the target's with it: "
        "its own figures may hold more than the measured polls."
    )
