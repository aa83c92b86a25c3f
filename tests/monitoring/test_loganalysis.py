from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitoring.loganalysis import LogAnalysis, analyse_logs
from monitoring.logs.lines import LogLine, format_log, format_query, format_request, instant
from monitoring.logs.reader import Coverage
from monitoring.logs.rotation import RotatingFile
from tests.monitoring.logs.builders import NOON_S, query, request

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def write(folder: Path) -> tuple[Path, Path]:
    """Two hundred polls a minute apart, one in ten failing, each with a statement; rotated and compressed."""
    paths = folder / "master-backend.log", folder / "database-queries.log"
    files = [RotatingFile(path, max_bytes=8_000, backups=9, max_age_s=None, compress=True) for path in paths]
    for number in range(200):
        time_s = NOON_S + number * 60
        failed = number % 10 == 9
        files[0].append(
            format_request(
                request(
                    time_s=time_s,
                    status=500 if failed else 200,
                    exception="OperationalError" if failed else None,
                    agent=f"agent-{number % 4}",
                )
            )
            + b"\n"
        )
        if failed:
            logged = LogLine(
                time=instant(time_s), level="ERROR", logger="master", message=f"poll {number} failed", source="a:1"
            )
            files[0].append(format_log(logged) + b"\n")
        error = "OperationalError" if failed else None
        files[1].append(format_query(query(time_s=time_s, slow=failed, error=error)) + b"\n")
        for file in files:
            file.compress_some()
    for file in files:
        while file.compressing:
            file.compress_some()
        file.close()
    return paths


def test_a_folder_of_logs_is_analysed(tmp_path: Path) -> None:
    request_log, query_log = write(tmp_path)
    assert len(list(tmp_path.glob("*.gz"))) >= 4
    analysis = analyse_logs(request_log, query_log)
    assert (analysis.requests, analysis.messages, analysis.queries) == (200, 20, 200)
    assert analysis.by_status == {200: 180, 500: 20}
    assert analysis.errors_by_status == {500: 20}
    assert analysis.server_error_ratio == 0.1
    assert analysis.by_level == {"ERROR": 20}
    assert analysis.by_route == {"GET /api/deployments/pending/{agent_id}": 200}
    assert (analysis.slow_queries, analysis.failed_queries) == (20, 20)
    assert [(one.statement, one.count) for one in analysis.slowest_statements] == [("SELECT 1", 200)]
    assert [(one.source, one.text, one.count) for one in analysis.top_errors] == [
        ("request", "OperationalError", 20),
        ("query", "OperationalError", 20),
        ("message", "poll # failed", 20),
    ]
    assert [(one.agent, one.count, one.server_errors) for one in analysis.errors_by_agent] == [
        ("agent-1", 50, 10),
        ("agent-3", 50, 10),
    ]
    assert analysis.request_coverage.rows == 220
    assert analysis.query_coverage.rows == 200
    assert analysis.query_coverage.damaged == ()


def test_a_window_is_cut_and_files_outside_are_skipped(tmp_path: Path) -> None:
    request_log, query_log = write(tmp_path)
    since, until = NOON + timedelta(minutes=150), NOON + timedelta(minutes=169.9)
    analysis = analyse_logs(request_log, query_log, since=since, until=until)
    assert (analysis.since, analysis.until) == (since, until)
    assert (analysis.requests, analysis.messages, analysis.queries) == (20, 2, 20)
    assert analysis.query_coverage.files_skipped >= 1
    assert analysis.query_coverage.held_ratio(since, until) == 1.0


def test_lists_are_as_long_as_asked_for(tmp_path: Path) -> None:
    request_log, query_log = write(tmp_path)
    analysis = analyse_logs(request_log, query_log, top=1)
    assert (len(analysis.top_errors), len(analysis.errors_by_agent)) == (1, 1)
    assert analyse_logs(request_log, query_log, top=0).top_errors == ()


def test_nothing_is_an_answer(tmp_path: Path) -> None:
    analysis = analyse_logs(tmp_path / "a.log", tmp_path / "b.log")
    assert analysis == LogAnalysis(
        since=None,
        until=None,
        requests=0,
        by_status={},
        by_route={},
        messages=0,
        by_level={},
        slowest_routes=(),
        queries=0,
        slow_queries=0,
        failed_queries=0,
        slowest_statements=(),
        top_errors=(),
        errors_by_agent=(),
        agents=(),
        request_coverage=Coverage(),
        query_coverage=Coverage(),
    )
    assert analysis.server_error_ratio is None


def test_progress_rises_to_the_whole(tmp_path: Path) -> None:
    request_log, query_log = write(tmp_path)
    told: list[tuple[int, int]] = []
    analyse_logs(request_log, query_log, on_progress=lambda done, total: told.append((done, total)))
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert told == sorted(told)
    assert {total for _, total in told} == {on_disk}
    assert told[-1] == (on_disk, on_disk)


def test_a_bound_without_time_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^until: no time zone, got 2026-11-23T12:00:00, need an aware time$"):
        analyse_logs(tmp_path / "a.log", tmp_path / "b.log", until=NOON.replace(tzinfo=None))
