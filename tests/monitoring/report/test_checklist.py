"""The checklists: every item passes, fails, and is unknown where nothing can be said."""

import json

import pytest

from monitoring.checklist import Checklist, IndexState, Item, Period, check, document, worst
from monitoring.reports.document import Document
from monitoring.reports.forms import as_json
from monitoring.reports.limits import CheckLimits, needed
from monitoring.reports.records import Agents, Report
from tests.monitoring.report.conftest import window
from tests.monitoring.report.healthy import (
    agent,
    agents,
    endpoint,
    error,
    figures,
    logs,
    pool,
    report,
    source,
    statement,
    timing,
    totals,
    with_now,
    with_pending,
)

DAILY = [
    *("coverage", "polls-per-agent", "p50", "p95", "p99", "query-time", "error-rate", "pool-use", "log-errors"),
]


def item(found: Report, name: str, *, period: Period = "daily", indexes: IndexState | None = None) -> Item:
    return next(one for one in check(found, period, indexes=indexes).items if one.name == name)


def outcome(found: Report, name: str, *, period: Period = "daily") -> tuple[str, str, str]:
    one = item(found, name, period=period)
    return one.status, one.figure, one.note


def test_a_healthy_day_passes_every_item() -> None:
    found = check(report(), "daily")
    assert [(name, "pass") for name in DAILY] == [(one.name, one.status) for one in found.items]
    assert ("pass", 0) == (found.status, found.exit_code)


def test_a_healthy_week_passes_every_item() -> None:
    indexes = IndexState(status="pass", present=4, expected=4, note="")
    found = check(report(before=figures()), "weekly", indexes=indexes)
    assert [*DAILY, "p95-trend", "p99-trend", "indexes"] == [one.name for one in found.items]
    assert ({"pass"}, 0) == ({one.status for one in found.items}, found.exit_code)


def test_nothing_held_is_unknown_throughout() -> None:
    """Unknown is not pass."""
    found = check(report(now=None, figures_from=None, logs=None), "weekly")
    assert {"unknown"} == {one.status for one in found.items}
    assert ("unknown", 4) == (found.status, found.exit_code)
    assert {"?", "0.00 %"} == {one.figure for one in found.items}


def test_no_request_at_all_is_unknown() -> None:
    quiet = report(
        now=figures(
            totals=totals(total_requests=0, error_rate=None),
            endpoints=(),
            statements=(),
            agents=Agents(seen=0, median_interval_s=None, listed=()),
        ),
        logs=logs(requests=0, by_status={}),
    )
    statuses = {one.name: one.status for one in check(quiet, "daily").items}
    unknown = {"polls-per-agent", "p50", "p95", "p99", "query-time", "error-rate"}
    assert unknown == {name for name, status in statuses.items() if status == "unknown"}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("p50", {"p50_ms": 49.9}, ("pass", "49.9 ms", "43,200 requests")),
        ("p50", {"p50_ms": 50.0}, ("fail", "50.0 ms", "43,200 requests")),
        ("p95", {"p95_ms": 199.0}, ("pass", "199 ms", "43,200 requests")),
        ("p95", {"p95_ms": 200.0}, ("fail", "200 ms", "43,200 requests")),
        ("p99", {"p99_ms": 499.0}, ("pass", "499 ms", "43,200 requests")),
        ("p99", {"p99_ms": 500.0}, ("fail", "500 ms", "43,200 requests")),
        ("p99", {"count": 298}, ("unknown", "15.0 ms", "298 requests, 299 are needed")),
        ("p99", {"count": 299}, ("pass", "15.0 ms", "299 requests")),
        ("p95", {"count": 58}, ("unknown", "9.00 ms", "58 requests, 59 are needed")),
        ("p50", {"count": 4}, ("unknown", "4.00 ms", "4 requests, 5 are needed")),
    ],
)
def test_response_times(name: str, changes: dict[str, float], expected: tuple[str, str, str]) -> None:
    assert expected == outcome(with_pending(response_time=timing(**changes)), name)  # type: ignore[arg-type]


@pytest.mark.parametrize(("q", "n"), [(0.50, 5), (0.90, 29), (0.95, 59), (0.99, 299), (0.999, 2995)])
def test_how_many_requests_a_quantile_needs(q: float, n: int) -> None:
    """Known figures of the binomial bound."""
    assert n == needed(q)


@pytest.mark.parametrize(
    ("total", "pending", "n", "expected"),
    [
        (0.0099, 0.0, 1000, ("pass", "0.99 %", "1,000 requests; all endpoints 0.99 %, the pending one 0.00 %")),
        (0.0100, 0.0, 1000, ("fail", "1.00 %", "1,000 requests; all endpoints 1.00 %, the pending one 0.00 %")),
        (0.0, 0.02, 1000, ("fail", "2.00 %", "1,000 requests; all endpoints 0.00 %, the pending one 2.00 %")),
        (0.0, 0.0, 298, ("unknown", "0.00 %", "298 requests, 299 are needed")),
        (1.0, 1.0, 1000, ("fail", "100.00 %", "1,000 requests; all endpoints 100.00 %, the pending one 100.00 %")),
    ],
)
def test_error_rate(total: float, pending: float, n: int, expected: tuple[str, str, str]) -> None:
    """The worse of all endpoints and the pending one counts."""
    found = with_now(totals=totals(error_rate=total, total_requests=n), endpoints=(endpoint(error_rate=pending),))
    assert expected == outcome(found, "error-rate")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"peak_checked_out": 11, "peak_usage_ratio": 0.79}, ("pass", "79.00 %", "sqlite: 11 of 15")),
        ({"peak_checked_out": 12, "peak_usage_ratio": 0.80}, ("fail", "80.00 %", "sqlite: 12 of 15")),
        ({"timeouts": 2}, ("fail", "20.00 %", "sqlite: 2 time-outs, 3 of 15")),
        ({"leaks": 1}, ("warn", "20.00 %", "sqlite: 1 possible leaks, 3 of 15")),
        ({"capacity": None, "peak_usage_ratio": None}, ("pass", "?", "sqlite: without a bound")),
        (
            {"capacity": None, "peak_usage_ratio": None, "pool_class": None},
            ("unknown", "?", "sqlite: its size is not known"),
        ),
    ],
)
def test_pool_use(changes: dict[str, object], expected: tuple[str, str, str]) -> None:
    assert expected == outcome(with_now(pools=(pool(**changes),)), "pool-use")


@pytest.mark.parametrize("pools", [None, ()])
def test_no_pool_is_unknown(pools: tuple[()] | None) -> None:
    assert ("unknown", "?", "no pool was watched") == outcome(with_now(pools=pools), "pool-use")


@pytest.mark.parametrize(
    ("median_s", "expected"),
    [(10.0, ("pass", "0.10")), (8.4, ("pass", "0.12")), (8.2, ("fail", "0.12")), (13.0, ("warn", "0.077"))],
)
def test_polls_of_the_fleet(median_s: float, expected: tuple[str, str]) -> None:
    assert expected == outcome(with_now(agents=agents(median_interval_s=median_s)), "polls-per-agent")[:2]


def test_single_agents_that_poll_too_fast_are_named() -> None:
    fast = agents(
        agent("a", interval_s=1.0), agent("b", interval_s=2.0), agent("c"), agent("d", requests=9, interval_s=0.1)
    )
    assert ("warn", "0.10", "4 agents, 2 too fast: a each 1 s, b each 2 s") == outcome(
        with_now(agents=fast), "polls-per-agent"
    )


def test_the_interval_can_be_another() -> None:
    limits = CheckLimits(interval_s=60.0)
    found = check(with_now(agents=agents(median_interval_s=60.0)), "daily", limits=limits)
    one = next(one for one in found.items if one.name == "polls-per-agent")
    assert ("warn", "0.0166667 ± 20%") == (one.status, one.limit)  # the healthy agents themselves poll each 10 s


def test_a_source_without_agents_is_unknown() -> None:
    assert (
        "unknown",
        "?",
        "the source does not tell agents apart; a report from the store does",
    ) == outcome(with_now(agents=None), "polls-per-agent")


def test_query_time_of_the_pending_endpoint() -> None:
    assert ("fail", "100 ms", "43,200 statements of the pending endpoint") == outcome(
        with_pending(query_time=timing(p99_ms=100.0)), "query-time"
    )
    assert ("unknown", "15.0 ms", "298 statements of the pending endpoint, 299 are needed") == outcome(
        with_pending(query_time=timing(298)), "query-time"
    )


def test_a_slow_statement_elsewhere_is_a_warning_that_names_it() -> None:
    slow = statement("SELECT slow", duration=timing(40, p99_ms=700.0))
    assert ("warn", "2.00 ms", "p99 700 ms, 40 times: SELECT slow") == outcome(
        with_now(statements=(statement(), slow)), "query-time"
    )


@pytest.mark.parametrize(
    ("p95_ms", "max_ms", "status"), [(5.0, 99.0, "pass"), (100.0, 300.0, "fail"), (5.0, 300.0, "unknown")]
)
def test_log_files_know_a_statement_s_p95_and_longest(p95_ms: float, max_ms: float, status: str) -> None:
    """That is enough where both lie on the same side of the limit."""
    logged = statement(duration=timing(p99_ms=None, p95_ms=p95_ms, max_ms=max_ms))
    found = with_now(endpoints=(endpoint(query_time=timing(0, p99_ms=None)),), statements=(logged,))
    assert status == item(found, "query-time").status


def test_errors_in_the_logs_are_a_warning_that_names_the_most_frequent() -> None:
    found = report(
        logs=logs(
            by_status={200: 90, 500: 9}, by_level={"ERROR": 2, "INFO": 5}, failed_queries=1, top_errors=(error(),)
        )
    )
    assert (
        "warn",
        "12",
        (
            "9 requests, 2 messages, 1 statements; most often (9): "
            "ValueError at GET /api/deployments/pending/{agent_id}"
        ),
    ) == outcome(found, "log-errors")


def test_logs_that_hold_a_part_pass_only_when_the_figures_of_the_rest_are_clean() -> None:
    part = (source("store"), source("request log", 0.5625))
    assert ("pass", "0", "13.5 h of 24 h are held; no server error in the figures of the rest") == outcome(
        report(sources=part), "log-errors"
    )
    failing = figures(totals=totals(error_rate=0.001))
    assert ("unknown", "0", "13.5 h of 24 h are held") == outcome(report(sources=part, now=failing), "log-errors")
    assert "unknown" == item(report(sources=part, figures_from="logs"), "log-errors").status


def test_a_window_that_is_not_held_whole_is_a_warning() -> None:
    half = with_now(window=window(-43200, 0))
    assert ("warn", "50.00 %", "12 h of 24 h are held: the service was down, or not monitored") == outcome(
        half, "coverage"
    )
    assert 0 == check(half, "daily").exit_code


@pytest.mark.parametrize(
    ("gaps_s", "expected"),
    [
        ([], ("pass", "100.00 %", "")),
        (
            [(-50_400, -46_800)],
            (
                "pass",
                "95.83 %",
                (
                    "nothing recorded from 2026-11-22 22:00 to 2026-11-22 23:00: "
                    "the service was down, or nobody asked it"
                ),
            ),
        ),
        (
            [(-50_400, -46_800), (-43_200, -7200)],
            (
                "warn",
                "54.17 %",
                (
                    "13 h of 24 h are held; nothing recorded from 2026-11-23 00:00 to 2026-11-23 10:00, "
                    "and 1 more such stretches: the service was down, or nobody asked it"
                ),
            ),
        ),
    ],
)
def test_gaps_are_no_coverage(gaps_s: list[tuple[float, float]], expected: tuple[str, str, str]) -> None:
    """A stretch in which nothing was recorded is not held, though the figures begin before and end after it."""
    store = source("store", quiet=tuple(window(*gap) for gap in gaps_s))
    assert expected == outcome(report(sources=(store, source())), "coverage")


def test_a_source_that_does_not_tell_of_gaps_says_so() -> None:
    logged = report(figures_from="logs", sources=(source(),))
    assert ("pass", "100.00 %", "gaps are not known to this source; the store tells of them") == outcome(
        logged, "coverage"
    )


@pytest.mark.parametrize(
    ("before_ms", "expected"),
    [
        (9.0, ("pass", "+0.0 %", "9.00 to 9.00 ms")),
        (7.5, ("pass", "+20.0 %", "7.50 to 9.00 ms")),
        (7.0, ("warn", "+28.6 %", "7.00 to 9.00 ms")),
        (18.0, ("pass", "-50.0 %", "18.0 to 9.00 ms")),
    ],
)
def test_trends(before_ms: float, expected: tuple[str, str, str]) -> None:
    before = figures(endpoints=(endpoint(response_time=timing(p95_ms=before_ms)),))
    assert expected == outcome(report(before=before), "p95-trend", period="weekly")


def test_a_trend_needs_the_week_before() -> None:
    assert ("unknown", "?", "0.00 % of the week before is held") == outcome(report(), "p99-trend", period="weekly")
    part = figures(window=window(-86400 - 8640, -86400))
    assert ("unknown", "+0.0 %", "15.0 to 15.0 ms; 10.00 % of the week before is held") == outcome(
        report(before=part), "p99-trend", period="weekly"
    )
    few = figures(endpoints=(endpoint(response_time=timing(100)),))
    assert ("unknown", "?", "15.0 to 15.0 ms; fewer than 299 requests in one of the weeks") == outcome(
        report(before=few), "p99-trend", period="weekly"
    )


def test_indexes_are_unknown_until_the_database_is_asked() -> None:
    assert (
        "unknown",
        "?",
        "the database was not asked: give --database-url URL, or run harness indexes",
    ) == outcome(report(), "indexes", period="weekly")
    asked = IndexState(status="fail", present=3, expected=4, note="one is missing")
    one = item(report(), "indexes", period="weekly", indexes=asked)
    assert ("fail", "3 of 4", "one is missing") == (one.status, one.figure, one.note)


@pytest.mark.parametrize(
    ("statuses", "status", "code"),
    [
        (("pass", "pass"), "pass", 0),
        (("pass", "warn"), "warn", 0),
        (("warn", "unknown"), "unknown", 4),
        (("unknown", "fail", "pass"), "fail", 3),
        ((), "unknown", 4),
    ],
)
def test_the_worst_item_decides(statuses: tuple[str, ...], status: str, code: int) -> None:
    assert status == worst(statuses)  # type: ignore[arg-type]
    whole = Checklist(period="daily", service="x", window=window(0, 1), status=status, items=())  # type: ignore[arg-type]
    assert code == whole.exit_code


def test_as_json() -> None:
    stored = json.loads(as_json(check(report(), "daily")))
    assert ("monitoring-checklist", 1, "daily", "pass") == (
        stored["kind"],
        stored["schema_version"],
        stored["period"],
        stored["status"],
    )
    assert {
        "name": "p95",
        "question": "response time p95 of the pending endpoint",
        "status": "pass",
        "figure": "9.00 ms",
        "value": 9.0,
        "limit": "< 200 ms",
        "note": "43,200 requests",
    } == stored["items"][3]


def test_as_a_document() -> None:
    found: Document = document(check(report(), "daily"), version="1.2.3")
    assert ("Monitoring checklist, daily: master-backend", "pass") == (found.title, found.tone)
    assert ("2026-11-22 12:00 to 2026-11-23 12:00 UTC. Every item passes.",) == found.lead
    assert len(DAILY) == len(found.sections[0].tables[0].rows)
