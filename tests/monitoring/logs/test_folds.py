from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.histogram import Histogram
from monitoring.logs import folds
from monitoring.logs.figures import AgentFigures, ErrorFigures, PollingFigures, RouteFigures, StatementFigures
from monitoring.logs.folds import OTHERS, ErrorFold, QueryFold, RequestFold
from monitoring.logs.reader import LogRow, QueryRow

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def poll(after_s: float = 0.0, **changes: Any) -> LogRow:
    fields: dict[str, Any] = {
        "time": NOON + timedelta(seconds=after_s),
        "level": "INFO",
        "logger": "monitoring.request",
        "method": "GET",
        "route": "/pending",
        "status": 200,
        "duration_ms": 4.0,
        "agent": "agent-1",
    }
    return LogRow(**fields | changes)


def message(text: str, after_s: float = 0.0, **changes: Any) -> LogRow:
    fields: dict[str, Any] = {
        "time": NOON + timedelta(seconds=after_s),
        "level": "ERROR",
        "logger": "master",
        "message": text,
    }
    return LogRow(**fields | changes)


def select(after_s: float = 0.0, **changes: Any) -> QueryRow:
    fields: dict[str, Any] = {
        "time": NOON + timedelta(seconds=after_s),
        "level": "INFO",
        "logger": "monitoring.query",
        "statement": "SELECT 1",
        "duration_ms": 2.0,
        "route": "/pending",
    }
    return QueryRow(**fields | changes)


def fold_requests(*rows: LogRow) -> tuple[RequestFold, ErrorFold]:
    errors = ErrorFold()
    fold = RequestFold(errors)
    fold.add(list(rows))
    return fold, errors


def fold_queries(*rows: QueryRow) -> tuple[QueryFold, ErrorFold]:
    errors = ErrorFold()
    fold = QueryFold(errors)
    fold.add(list(rows))
    return fold, errors


def test_no_rows_no_figures() -> None:
    requests, errors = fold_requests()
    queries, _ = fold_queries()
    assert (requests.requests, requests.messages, queries.queries, queries.slow, queries.failed) == (0,) * 5
    assert (requests.by_status, requests.by_level, requests.by_route) == ({}, {}, {})
    assert (requests.slowest_routes(9), requests.errors_by_agent(9), requests.agents(9)) == ((), (), ())
    assert (queries.slowest_statements(9), errors.top(9)) == ((), ())


def test_one_request() -> None:
    requests, errors = fold_requests(poll())
    assert (requests.requests, requests.by_status, requests.by_route) == (1, {200: 1}, {"GET /pending": 1})
    assert requests.slowest_routes(9) == (
        RouteFigures(
            route="/pending",
            method="GET",
            count=1,
            server_errors=0,
            client_errors=0,
            mean_s=0.004,
            p50_s=0.004,
            p95_s=0.004,
            p99_s=0.004,
            max_s=0.004,
        ),
    )
    assert (errors.top(9), requests.errors_by_agent(9)) == ((), ())
    arrived = NOON - timedelta(milliseconds=4)
    assert requests.agents(9) == (PollingFigures(agent="agent-1", count=1, errors=0, first=arrived, last=arrived),)


def test_all_failed() -> None:
    requests, errors = fold_requests(*(poll(number, status=503) for number in range(3)))
    assert requests.by_status == {503: 3}
    assert requests.slowest_routes(9)[0].server_errors == 3
    assert requests.errors_by_agent(9) == (
        AgentFigures(agent="agent-1", count=3, server_errors=3, client_errors=0, by_status={503: 3}),
    )
    assert [("agent-1", 3, 3)] == [(one.agent, one.count, one.errors) for one in requests.agents(9)]
    assert errors.top(9) == (
        ErrorFigures(
            source="request",
            text="status 503",
            where="GET /pending",
            count=3,
            first=NOON,
            last=NOON + timedelta(seconds=2),
            example=None,
        ),
    )


def test_the_slowest_routes_come_first_with_true_quantiles() -> None:
    """A histogram's quantile, not an average of anything; routes of one path and two methods are two."""
    rows = [poll(duration_ms=float(number)) for number in range(1, 101)]
    rows += [poll(method="POST", duration_ms=500.0), poll(route="/health", duration_ms=0.5)]
    requests, _ = fold_requests(*rows)
    slowest = requests.slowest_routes(2)
    assert [(one.method, one.route, one.count) for one in slowest] == [
        ("POST", "/pending", 1),
        ("GET", "/pending", 100),
    ]
    assert slowest[1].p95_s == Histogram.of([number / 1000 for number in range(1, 101)]).quantile(0.95)
    assert slowest[1].p95_s == pytest.approx(0.095, rel=0.0078)
    assert requests.by_route == {"GET /pending": 100, "POST /pending": 1, "GET /health": 1}


def test_errors_are_told_apart_by_exception_and_route() -> None:
    rows = [poll(number, status=500, exception="TimeoutError") for number in range(3)]
    rows += [
        poll(9, status=500, exception="LookupError"),
        poll(9, status=500, route="/other", exception="KeyError"),
    ]
    rows += [poll(status=404), poll(status=499)]
    requests, errors = fold_requests(*rows)
    assert [(one.text, one.where, one.count) for one in errors.top(9)] == [
        ("TimeoutError", "GET /pending", 3),
        ("KeyError", "GET /other", 1),
        ("LookupError", "GET /pending", 1),
    ]
    assert requests.by_status == {404: 1, 499: 1, 500: 5}


def test_agents_with_the_most_errors_come_first() -> None:
    rows = [poll(agent="good") for _ in range(9)]
    rows += [poll(agent="unknown", status=404) for _ in range(3)]
    rows += [poll(agent="unlucky", status=status) for status in (200, 500, 404)]
    rows += [poll(agent=None, status=500)]
    requests, _ = fold_requests(*rows)
    assert requests.errors_by_agent(9) == (
        AgentFigures(agent="unknown", count=3, server_errors=0, client_errors=3, by_status={404: 3}),
        AgentFigures(agent="unlucky", count=3, server_errors=1, client_errors=1, by_status={404: 1, 500: 1}),
    )
    assert len(requests.errors_by_agent(1)) == 1


def test_messages_that_differ_in_numbers_only_are_one_kind() -> None:
    """Only errors are kinds of errors; an example keeps the numbers."""
    rows = [
        message("agent 7 lost after 30.5 s\nTraceback of 12 lines", 2.0, exception="TimeoutError"),
        message("agent 12 lost after 4.0 s", 1.0, exception="TimeoutError"),
        message("request 5f0c2b1a-1111-2222-3333-0123456789ab failed at 0x7f00", level="CRITICAL"),
        message("careful", level="WARNING"),
        message("hello", level="INFO"),
    ]
    requests, errors = fold_requests(*rows)
    assert (requests.requests, requests.messages) == (0, 5)
    assert requests.by_level == {"ERROR": 2, "CRITICAL": 1, "WARNING": 1, "INFO": 1}
    assert errors.top(9) == (
        ErrorFigures(
            source="message",
            text="agent # lost after #.# s (TimeoutError)",
            where="master",
            count=2,
            first=NOON + timedelta(seconds=1),
            last=NOON + timedelta(seconds=2),
            example="agent 7 lost after 30.5 s\nTraceback of 12 lines",
        ),
        ErrorFigures(
            source="message",
            text="request # failed at #",
            where="master",
            count=1,
            first=NOON,
            last=NOON,
            example="request 5f0c2b1a-1111-2222-3333-0123456789ab failed at 0x7f00",
        ),
    )


def test_the_more_recent_of_equal_errors_comes_first() -> None:
    _, errors = fold_requests(message("old", 1.0), message("new", 2.0), message("older", 0.0))
    assert [one.text for one in errors.top(2)] == ["new", "old"]


def test_statements() -> None:
    rows = [select(duration_ms=1.0, route="/a"), select(duration_ms=3.0), select(duration_ms=2.0)]
    rows += [
        select(5, statement="INSERT", duration_ms=900.0, slow=True, exception="IntegrityError"),
        select(6, statement="INSERT", duration_ms=800.0, slow=True, exception="IntegrityError", route=None),
    ]
    queries, errors = fold_queries(*rows)
    assert (queries.queries, queries.slow, queries.failed) == (5, 2, 2)
    assert queries.slowest_statements(9) == (
        StatementFigures(
            statement="INSERT",
            count=2,
            errors=2,
            slow=2,
            total_s=0.9 + 0.8,
            p50_s=Histogram.of([0.8, 0.9]).quantile(0.5),
            p95_s=0.9,
            max_s=0.9,
            routes=("/pending",),
        ),
        StatementFigures(
            statement="SELECT 1",
            count=3,
            errors=0,
            slow=0,
            total_s=0.001 + 0.003 + 0.002,
            p50_s=Histogram.of([0.001, 0.002, 0.003]).quantile(0.5),
            p95_s=0.003,
            max_s=0.003,
            routes=("/pending", "/a"),
        ),
    )
    assert [(one.source, one.text, one.where, one.example) for one in errors.top(9)] == [
        ("query", "IntegrityError", "<unknown>", "INSERT"),
        ("query", "IntegrityError", "/pending", "INSERT"),
    ]


def test_only_the_routes_that_send_a_statement_most_are_named() -> None:
    rows = [select(route=f"/{number}") for number in range(1, 6) for _ in range(number)]
    queries, _ = fold_queries(*rows)
    assert queries.slowest_statements(1)[0].routes == ("/5", "/4", "/3")


def test_what_a_foreign_writer_left_out_is_unknown_not_nought() -> None:
    requests, _ = fold_requests(poll(route=None, method=None, duration_ms=None))
    (figures,) = requests.slowest_routes(9)
    assert (figures.route, figures.method, figures.count) == ("<unknown>", "<unknown>", 1)
    assert (figures.mean_s, figures.p95_s, figures.max_s) == (None, None, None)


def test_an_agents_first_and_last_request_are_those_of_its_arrivals_in_any_order_of_lines() -> None:
    """Several workers write one file, so lines stand only nearly in order; their time is the end of a request."""
    requests, _ = fold_requests(
        poll(20, duration_ms=500.0),
        poll(40),
        poll(0, duration_ms=2000.0),
        poll(30, status=404),
        poll(5, agent="agent-2", duration_ms=None),
        poll(7, agent=None),
    )
    assert requests.agents(9) == (
        PollingFigures(
            agent="agent-1",
            count=4,
            errors=1,
            first=NOON - timedelta(seconds=2),
            last=NOON + timedelta(seconds=39.996),
        ),
        PollingFigures(
            agent="agent-2", count=1, errors=0, first=NOON + timedelta(seconds=5), last=NOON + timedelta(seconds=5)
        ),
    )
    assert ["agent-1"] == [one.agent for one in requests.agents(1)]


def test_memory_is_bounded_and_nothing_is_lost_from_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scanner's million agents and a message that never repeats end up under one key."""
    monkeypatch.setattr(folds, "MAX_KEYS", 3)
    rows = [
        poll(route=f"/{number}", agent=f"agent-{number}", status=500, exception=f"E{number}")
        for number in range(9)
    ]
    requests, errors = fold_requests(*rows, *rows)
    assert requests.by_route == {f"{OTHERS} {OTHERS}": 12, "GET /0": 2, "GET /1": 2, "GET /2": 2}
    assert [(one.agent, one.count) for one in requests.errors_by_agent(9)] == [
        (OTHERS, 12),
        ("agent-0", 2),
        ("agent-1", 2),
        ("agent-2", 2),
    ]
    # Those that share a key have no first and last request of their own.
    assert ["agent-0", "agent-1", "agent-2"] == [one.agent for one in requests.agents(9)]
    assert sum(one.count for one in errors.top(99)) == 18
    assert errors.top(1)[0].text == OTHERS
    queries, _ = fold_queries(*(select(statement=f"SELECT {number}") for number in range(9)))
    assert sorted((one.statement, one.count) for one in queries.slowest_statements(9)) == [
        (OTHERS, 6),
        ("SELECT 0", 1),
        ("SELECT 1", 1),
        ("SELECT 2", 1),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["/a", "/b"]), st.sampled_from([200, 404, 500]), st.floats(0.0, 1e5)),
        max_size=50,
    ),
    st.integers(1, 10),
    st.integers(1, 60),
)
def test_figures_do_not_depend_on_how_rows_come_in(
    requests: list[tuple[str, int, float]], size: int, buffered: int
) -> None:
    """In lists of any length, with histograms filled at any moment."""
    rows = [poll(route=route, status=status, duration_ms=ms) for route, status, ms in requests]
    whole, whole_errors = fold_requests(*rows)
    errors = ErrorFold()
    parts = RequestFold(errors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "_BUFFERED_ROWS", buffered)
        for begin in range(0, len(rows), size):
            parts.add(rows[begin : begin + size])
    assert parts.requests == whole.requests
    assert parts.by_status == whole.by_status
    assert parts.slowest_routes(9) == whole.slowest_routes(9)
    assert parts.errors_by_agent(9) == whole.errors_by_agent(9)
    assert errors.top(9) == whole_errors.top(9)
    assert sum(parts.by_status.values()) == len(rows)
