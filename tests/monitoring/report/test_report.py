"""One report from a store, from log files, from a running service: the same figures, and what each really held."""

import copy
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import monitoring.report
from monitoring.checklist import check
from monitoring.errors import MonitoringError
from monitoring.report import Places, make_report, point_width_s
from monitoring.reports.fold import per_s
from monitoring.reports.forms import as_json
from monitoring.reports.records import Report
from monitoring.reports.sections import document
from tests.monitoring.logs.builders import request
from tests.monitoring.report.conftest import places, reported, window
from tests.monitoring.report.past import NOON_S, PENDING, Past, holder, pool_state

Make = Callable[..., Past]


@pytest.fixture(scope="module")
def built_hour(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """An hour of three agents: 1,080 polls, six more fail, six more are refused; don't change it."""
    service = Past(tmp_path_factory.mktemp("hour") / "logs").fleet(3600)
    for number in range(6):
        service.poll(600 + number, "agent-0002", status=500, exception="ValueError", duration_s=0.4)
        service.poll(660 + number, "ghost", status=404, duration_s=0.001)
    service.message(700, "disk 7 is full")
    service.write(3600)
    return service


@pytest.fixture
def hour(built_hour: Past, tmp_path: Path) -> Past:
    """A copy of it."""
    twin = copy.copy(built_hour)
    twin.folder = tmp_path / "logs"
    shutil.copytree(built_hour.folder, twin.folder)
    return twin


def test_the_figures_of_a_store(hour: Past) -> None:
    report = reported(hour.folder, 0, 3600)
    one = report.pending_now
    assert report.now is not None
    assert one is not None
    assert ("store", window(0, 3600)) == (report.figures_from, report.now.window)
    assert (1092, 1092 / 3600) == (one.total_requests, one.requests_per_second)
    assert (6 / 1092, 6 / 1092) == (one.error_rate, one.client_error_rate)
    assert ({"404": 6, "500": 6}, {"ValueError": 6}) == (one.errors.by_status, one.errors.by_exception)
    assert (1092, pytest.approx(4.0, rel=0.01)) == (one.response_time.count, one.response_time.p50_ms)
    assert pytest.approx(400, rel=0.01) == one.response_time.max_ms
    assert one.total_requests == report.now.totals.total_requests


def test_agents_statements_and_pools_of_a_store(hour: Past) -> None:
    now = reported(hour.folder, 0, 3600).now
    assert now is not None
    assert now.agents is not None
    assert now.statements is not None
    assert now.pools is not None
    assert (4, pytest.approx(10.0, rel=0.02)) == (now.agents.seen, now.agents.median_interval_s)
    assert [("agent-0002", 6), ("ghost", 6)] == [
        (one.agent, one.errors) for one in now.agents.listed if one.errors
    ]
    assert [(1092, 0)] == [(one.duration.count, one.slow) for one in now.statements]
    pool = now.pools[0]
    assert ("QueuePool", 15, 1, 1 / 15, 0) == (
        pool.pool_class,
        pool.capacity,
        pool.peak_checked_out,
        pool.peak_usage_ratio,
        pool.checked_out,
    )


def test_the_log_analysis_beside_it(hour: Past) -> None:
    report = reported(hour.folder, 0, 3600)
    assert report.logs is not None
    assert (1092, {200: 1080, 404: 6, 500: 6}) == (report.logs.requests, report.logs.by_status)
    assert [("request", 6), ("message", 1)] == [(one.source, one.count) for one in report.logs.top_errors]
    assert ["store", "request log", "query log"] == [source.name for source in report.sources]
    assert all(source.held_ratio > 0.99 and not source.note for source in report.sources)


def test_the_pieces_of_the_window_add_up(hour: Past) -> None:
    report = reported(hour.folder, 0, 3600)
    assert (1092, 6) == (sum(one.requests for one in report.points), sum(one.errors for one in report.points))
    assert 3600 == sum(one.length_s for one in report.points)
    assert 120 == len(report.points)
    assert pytest.approx(400, rel=0.01) == max(one.p99_ms or 0 for one in report.points)


def test_log_files_alone_give_the_same_counts(hour: Past) -> None:
    """And what they can't tell is unknown: pools, percentiles over several routes."""
    stored, logged = reported(hour.folder, 0, 3600), reported(hour.folder, 0, 3600, store=False)
    assert "logs" == logged.figures_from
    assert logged.now is not None
    assert stored.now is not None
    assert logged.pending_now is not None
    assert stored.pending_now is not None
    assert stored.now.totals.total_requests == logged.now.totals.total_requests
    assert stored.now.totals.errors.by_status == logged.now.totals.errors.by_status
    assert stored.pending_now.error_rate == logged.pending_now.error_rate
    assert stored.pending_now.response_time.p99_ms == pytest.approx(
        logged.pending_now.response_time.p99_ms, rel=0.01
    )
    assert logged.now.pools is None
    assert stored.now.agents is not None
    assert logged.now.agents is not None
    assert stored.now.agents.seen == logged.now.agents.seen
    assert stored.now.agents.median_interval_s == pytest.approx(logged.now.agents.median_interval_s, abs=1e-3)
    for one, other in zip(stored.now.agents.listed, logged.now.agents.listed, strict=True):
        assert (one.agent, one.requests, one.errors) == (other.agent, other.requests, other.errors)
        assert one.interval_s == pytest.approx(other.interval_s, abs=1e-3)
    assert (None, ()) == (logged.pending_now.queries_per_request, logged.points)


def test_rotated_and_compressed_logs_are_read(hour: Past) -> None:
    lines = hour.log_path.read_bytes().splitlines(keepends=True)
    hour.log_path.with_name("master-backend.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:500])))
    hour.log_path.with_name("master-backend.log.1").write_bytes(b"".join(lines[500:900]))
    hour.log_path.write_bytes(b"".join(lines[900:]))
    report = reported(hour.folder, 0, 3600, store=False)
    assert report.now is not None
    assert 1092 == report.now.totals.total_requests


def test_a_stretch_that_nobody_holds_is_said(hour: Past) -> None:
    report = reported(hour.folder, -3600 * 23, 3600)
    assert report.now is not None
    assert window(0, 3600) == report.now.window
    assert [pytest.approx(1 / 24, abs=1e-4)] * 3 == [source.held_ratio for source in report.sources]
    assert pytest.approx(1092 / 3600) == report.now.totals.requests_per_second


def test_bad_lines_are_counted_in_the_coverage(hour: Past) -> None:
    with hour.log_path.open("ab") as file:
        file.write(b'{"time": "2026-11\n127.0.0.1 - GET / 200\n')
        file.write(b"2026-11-23T12:00:00.000000Z INFO monitoring.request request_id=1\n")
    notes = {source.name: source.note for source in reported(hour.folder, 0, 3600).sources}
    assert notes["request log"] == (
        "2 lines are torn, corrupt or another tool's; 1 lines are in the text form, which is not read back"
    )


def test_the_window_before_is_compared(past: Make) -> None:
    service = past().fleet(3600, agents=1)
    for after_s in range(3600, 7200, 5):
        service.poll(after_s + 0.5, duration_s=0.008)
    service.write(7200)
    changes = {one.name: one for one in reported(service.folder, 3600, 7200).changes}
    rps, p95 = changes[f"{PENDING}: requests_per_second"], changes[f"{PENDING}: p95_ms"]
    assert (0.1, 0.2, pytest.approx(1.0)) == (rps.before, rps.now, rps.change_ratio)
    assert pytest.approx(1.0, rel=0.02) == p95.change_ratio
    assert (0.0, 0.0, None) == (
        changes["all: error_rate"].before,
        changes["all: error_rate"].now,
        changes["all: error_rate"].change_ratio,
    )


def test_without_a_window_before_there_is_nothing_to_compare(hour: Past) -> None:
    report = reported(hour.folder, 0, 3600)
    assert (None, ()) == (report.before, report.changes)


def test_logs_are_compared_with_what_they_hold_of_the_window_before(past: Make) -> None:
    service = past().fleet(7200, agents=1)
    service.write(7200)
    report = reported(service.folder, 3600, 7200, store=False)
    assert report.before is not None
    assert (360, 360) == (
        report.before.totals.total_requests,
        report.now.totals.total_requests if report.now else None,
    )


def test_an_outage_between_two_requests_is_not_covered(past: Make) -> None:
    """Up for five minutes at both ends of six hours: the store's ends are those of the window."""
    service = past()
    for start_s in (0, 21300):
        for after_s in range(0, 300, 10):
            service.poll(start_s + after_s + 1)
    service.write(21600)
    report = reported(service.folder, 0, 21600)
    store = report.sources[0]
    assert store.quiet is not None
    assert [(300, 21300)] == [
        (round(gap.since.timestamp() - NOON_S, -2), round(gap.until.timestamp() - NOON_S, -2))
        for gap in store.quiet
    ]
    assert 1.0 == store.held_ratio
    [stored] = [one for one in json.loads(as_json(report))["sources"] if one["name"] == "store"]
    assert 1 == len(stored["quiet"])
    covered = check(report, "daily").items[0]
    assert ("coverage", "warn", pytest.approx(600 / 21600, abs=0.01)) == (
        covered.name,
        covered.status,
        covered.value,
    )
    assert covered.note.endswith(store.note)


def test_no_request_is_unknown_and_not_zero(past: Make) -> None:
    service = past()
    service.write(3600)
    report = reported(service.folder, 0, 3600)
    assert report.now is not None
    totals = report.now.totals
    assert (0, 0.0, None, None) == (
        totals.total_requests,
        totals.requests_per_second,
        totals.error_rate,
        totals.response_time.p99_ms,
    )
    assert report.pending_now is None


def test_one_request(past: Make) -> None:
    service = past()
    service.poll(1.5)
    service.write(60)
    report = reported(service.folder, 0, 60)
    assert report.now is not None
    assert report.now.agents is not None
    assert (1, None) == (report.now.totals.total_requests, report.now.agents.listed[0].interval_s)


def test_all_failed(past: Make) -> None:
    service = past().fleet(60, status=500, exception="ValueError")
    service.write(60)
    one = reported(service.folder, 0, 60).pending_now
    assert one is not None
    assert (1.0, 0.0) == (one.error_rate, one.client_error_rate)


def test_a_websocket_s_life_is_no_response_time(past: Make) -> None:
    service = past().fleet(60, agents=1)
    service.recorder.request(request(method="WEBSOCKET", route="/ws", duration_s=30.0, agent=None), [], [])
    service.write(60)
    report = reported(service.folder, 0, 60)
    assert report.now is not None
    totals = report.now.totals
    assert (7, 6) == (totals.total_requests, totals.response_time.count)
    assert pytest.approx(4.0, rel=0.01) == totals.response_time.max_ms


def test_rates_of_a_window_without_length_are_unknown() -> None:
    assert (None, 0.5) == (per_s(3, 0.0), per_s(3, 6.0))


def test_holders_are_those_when_the_service_was_last_heard_of(past: Make) -> None:
    service = past().fleet(60)
    service.pools = [pool_state(checked_out=2, waiting=3, holders=[holder(held_s=1.0), holder(held_s=9.0)])]
    service.write(60)
    report = reported(service.folder, 0, 60)
    assert report.now is not None
    assert report.now.pools is not None
    pool = report.now.pools[0]
    assert pool.holders is not None
    assert (2, 3, [9.0, 1.0]) == (pool.checked_out, pool.waiting, [one.held_s for one in pool.holders])


def test_a_store_that_cannot_be_read_is_a_note_and_the_logs_answer(hour: Past) -> None:
    hour.store_path.write_bytes(b"junk" * 1000)
    report = reported(hour.folder, 0, 3600)
    assert ("logs", f"store '{hour.store_path}': can't be read (file is not a database)") == (
        report.figures_from,
        report.sources[0].note,
    )
    assert document(report).lead[1] == (
        "Figures are from the log files: no store could be read, and no service was asked."
    )


def test_a_store_that_was_asked_for_has_to_be_readable(hour: Past) -> None:
    hour.store_path.write_bytes(b"junk" * 1000)
    asked = Places(service="x", logs=hour.folder, store=hour.store_path, store_wanted=True)
    with pytest.raises(MonitoringError, match="file is not a database"):
        make_report(asked, window(0, 3600), generated=window(0, 3600).until)


def test_progress_is_told(hour: Past) -> None:
    seen: list[tuple[int, int]] = []
    asked = window(0, 3600)
    make_report(
        places(hour.folder),
        asked,
        generated=asked.until,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] == hour.log_path.stat().st_size + hour.query_path.stat().st_size


# ---- nothing to report on


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        reported(tmp_path / "nowhere", 0, 60)
    assert str(error.value) == (
        f"logs '{tmp_path}/nowhere': no such folder; try --logs DIR of the service, or --url URL"
    )


def test_a_query_log_that_two_services_share(hour: Past) -> None:
    """Its statements can't be told apart, so its line says whose they are too."""
    assert [""] == [one.note for one in reported(hour.folder, 0, 3600).sources if one.name == "query log"]
    (hour.folder / "billing.metrics.sqlite").touch()
    notes = {one.name: one.note for one in reported(hour.folder, 0, 3600).sources}
    assert {
        "store": "",
        "request log": "",
        "query log": "holds the statements of billing too",
    } == notes


def test_a_folder_of_another_service(past: Make) -> None:
    other = past(service="billing")  # type: ignore[arg-type]
    other.poll(1)
    other.write(60)
    with pytest.raises(MonitoringError) as error:
        reported(other.folder, 0, 60)
    assert str(error.value) == (
        f"service 'master-backend': no log and no store in '{other.folder}', only billing.log, "
        "billing.metrics.sqlite; try --service NAME, --logs DIR or --url URL"
    )


def test_a_query_log_alone_is_read(past: Make) -> None:
    service = past()
    service.poll(1.5)
    service.write(60)
    service.log_path.unlink()
    report = reported(service.folder, 0, 60, store=False)
    assert report.logs is not None
    # The store lies there, but was not to be looked at.
    assert (None, 1) == (report.figures_from, report.logs.queries)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        reported(tmp_path, 0, 60)
    assert str(error.value) == (
        f"service 'master-backend': no log and no store in '{tmp_path}'; "
        "try --service NAME, --logs DIR or --url URL"
    )


def test_logs_of_another_tool(tmp_path: Path) -> None:
    (tmp_path / "master-backend.log").write_text("127.0.0.1 GET / 200\n" * 5)
    with pytest.raises(MonitoringError) as error:
        reported(tmp_path, 0, 60, store=False)
    path = tmp_path / "master-backend.log"
    assert f"{path}: 5 lines are torn, corrupt or another tool's" in str(error.value)
    assert str(error.value).startswith(f"logs '{tmp_path}': nothing of ours can be read (")


# ---- a running service


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    queries: list[dict[str, str]] = []

    def fetch(base_url: str, path: str, *, query: dict[str, str], token: str | None, timeout_s: float) -> Any:
        assert ("http://master:8000", "/api/metrics", "secret", 30.0) == (base_url, path, token, timeout_s)
        queries.append(query)
        return ANSWERS[len(queries) - 1]

    monkeypatch.setattr(monitoring.report, "fetch", fetch)
    return queries


def answer(n: int, since: str, until: str) -> dict[str, Any]:
    spread = {"count": n, "mean_ms": 4.0, "p50_ms": 4.0, "p95_ms": 5.0, "p99_ms": 6.0, "max_ms": 9.0}
    common = {
        "total_requests": n,
        "requests_per_second": n / 3600,
        "response_time": spread if n else {"count": 0},
        "error_rate": 0.0,
        "client_error_rate": 0.0,
        "errors": {"by_status": {}, "by_exception": {}},
    }
    agent = {"agent": "a", "requests": n, "errors": 0, "interval_s": 10.0, "silent_for_s": 1.0}
    agent |= {"first_seen": since, "last_seen": until}
    statement = {"statement": "SELECT 1", "count": n, "errors": 0, "slow": 0, "rows": None, "total_ms": 1.0}
    statement |= {"duration": spread}
    return {
        "schema_version": 1,
        "service": "billing",
        "window": {"since": since, "until": until, "length_s": 1.0, "resolution_s": 1.0},
        "totals": common,
        "endpoints": [{**common, "method": "GET", "route": "/x", "something_new": 1}],
        "database_pools": [],
        "monitoring": {},
        "statements": {"by_total_time": [statement], "by_p95": [statement], "by_count": [], "distinct": 1},
        "agents": {
            "seen": 7,
            "median_interval_s": 9.5,
            "fastest": [agent],
            "most_silent": [agent],
            "most_errors": [],
        },
        "trouble_spots": [],
    }


ANSWERS = [
    answer(10, "2026-11-23T12:30:00Z", "2026-11-23T13:00:00Z"),
    answer(0, "2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
]


def from_service(**changes: Any) -> Report:
    asked = window(0, 3600)
    service = Places(service="master-backend", logs=None, store=None, url="http://master:8000", token="secret")
    return make_report(service, asked, generated=asked.until)


def test_a_running_service_answers_for_both_windows(asked: list[dict[str, str]]) -> None:
    report = from_service()
    assert [
        {"since": "2026-11-23T12:00:00+00:00", "until": "2026-11-23T13:00:00+00:00"},
        {"since": "2026-11-23T11:00:00+00:00", "until": "2026-11-23T12:00:00+00:00"},
    ] == asked
    assert ("service", "billing") == (report.figures_from, report.service)
    assert report.now is not None
    assert report.now.agents is not None
    assert (10, window(1800, 3600)) == (report.now.totals.total_requests, report.now.window)
    assert (7, 9.5, ["a"]) == (
        report.now.agents.seen,
        report.now.agents.median_interval_s,
        [one.agent for one in report.now.agents.listed],
    )
    assert ["SELECT 1"] == [one.statement for one in report.now.statements or ()]
    assert (None, 0.5) == (report.before, report.sources[0].held_ratio)


def test_rates_of_no_request_are_unknown(asked: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint answers 0 there."""
    monkeypatch.setitem(ANSWERS[0], "totals", answer(0, "", "")["totals"])
    now = from_service().now
    assert now is not None
    assert (None, None) == (now.totals.error_rate, now.totals.client_error_rate)


def test_an_answer_in_another_form(asked: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ANSWERS[0], "totals", {"total_requests": "many"})
    with pytest.raises(MonitoringError) as error:
        from_service()
    assert str(error.value).startswith("service 'http://master:8000': answers in another form (")
    assert str(error.value).endswith("); try the version it runs")


# ---- as JSON


def test_json_can_be_read_back(hour: Past) -> None:
    report = reported(hour.folder, 0, 3600)
    stored = json.loads(as_json(report))
    assert ("monitoring-report", 1) == (stored["kind"], stored["schema_version"])
    assert report == msgspec.convert(stored, Report, strict=False)


@pytest.mark.parametrize(
    ("length_s", "finest_s", "width_s"),
    [
        pytest.param(60, 1, 10, id="a minute"),
        pytest.param(3600, 1, 30, id="an hour"),
        pytest.param(86400, 60, 900, id="a day"),
        pytest.param(7 * 86400, 60, 7200, id="a week"),
        pytest.param(3600, 3600, 3600, id="an hour of long ago"),
        pytest.param(400 * 86400, 3600, 604800, id="all there is"),
        pytest.param(10_000 * 86400, 1, 604800, id="more than there can be"),
    ],
)
def test_pieces_are_few_and_never_finer_than_what_is_stored(length_s: float, finest_s: int, width_s: int) -> None:
    assert width_s == point_width_s(length_s, finest_s=finest_s)
