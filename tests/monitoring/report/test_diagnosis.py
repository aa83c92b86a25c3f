"""The four known problems: each found with its evidence and remedy, absent with what was looked at, or unknown."""

import json

import pytest

from monitoring.diagnosis import diagnose, document
from monitoring.reports.document import Document
from monitoring.reports.failing import look_for_errors
from monitoring.reports.forms import as_json
from monitoring.reports.limits import CheckLimits
from monitoring.reports.pool_causes import look_for_exhaustion, statement_ms
from monitoring.reports.problems import Problem
from monitoring.reports.records import Errors, Holder, Report
from monitoring.reports.slowness import look_for_slowness, time_shares
from tests.monitoring.report.healthy import (
    agent,
    agents,
    endpoint,
    error,
    failing_agent,
    figures,
    logs,
    pool,
    report,
    spot,
    statement,
    timing,
    totals,
    with_now,
    with_pending,
)
from tests.monitoring.report.past import ROUTE

LIMITS = CheckLimits()
KNOWN = [
    "High RPS on the pending deployment endpoint",
    "High response times",
    "High error rate",
    "Database pool exhaustion",
]


def problem(found: Report, name: str) -> Problem:
    return next(one for one in diagnose(found).problems if one.name == name)


def test_a_healthy_day_has_none_of_the_four() -> None:
    found = diagnose(report())
    assert [(title, "not found") for title in KNOWN] == [(one.title, one.status) for one in found.problems]
    assert ((), 0) == (found.found, found.exit_code)
    assert all(not one.evidence and not one.remedies and one.looked_at for one in found.problems)


def test_nothing_held_is_unknown_throughout() -> None:
    found = diagnose(report(now=None, figures_from=None, logs=None))
    assert ({"unknown"}, 4) == ({one.status for one in found.problems}, found.exit_code)


# ---- many polls


def test_agents_that_poll_too_fast_are_named() -> None:
    fast = agents(agent("a", interval_s=0.5, requests=900), agent("b", interval_s=5.0, requests=100), agent("c"))
    now = figures(agents=fast, endpoints=(endpoint(total_requests=2000),))
    before = figures(endpoints=(endpoint(requests_per_second=0.3),))
    found = problem(report(now=now, before=before), "polling")
    assert "found" == found.status
    assert "2,000 polls, 0.50 per second, of 3 agents; an agent should poll every 10 s" == found.looked_at
    assert (
        "2 agents poll too often and send 50.00 % of all polls.",
        "a polls every 500 ms, 20.0 times as often as it should: 900 polls.",
        "b polls every 5 s, 2.0 times as often as it should: 100 polls.",
        "The window before had 0.30 polls per second, this one 0.50.",
    ) == found.evidence
    assert "Set the polling interval of these agents to 10 s." == found.remedies[0]
    assert 3 == diagnose(report(now=now)).exit_code


@pytest.mark.parametrize("interval_s", [8.34, 10.0, 60.0])
def test_a_little_faster_is_no_problem(interval_s: float) -> None:
    assert "not found" == problem(with_now(agents=agents(agent(interval_s=interval_s))), "polling").status


def test_an_agent_of_a_few_requests_is_not_judged() -> None:
    """An agent that was restarted twice polls soon after each start."""
    assert "not found" == problem(with_now(agents=agents(agent(interval_s=1.0, requests=9))), "polling").status


def test_a_source_without_agents_cannot_tell() -> None:
    found = problem(with_now(agents=None), "polling")
    assert ("unknown", "43,200 polls, 0.50 per second; this source does not tell agents apart") == (
        found.status,
        found.looked_at,
    )


# ---- slow answers


def slow(**changes: object) -> Report:
    response = timing(mean_ms=300.0, p50_ms=280.0, p95_ms=600.0, p99_ms=900.0, max_ms=2000.0)
    return with_pending(response_time=response, **changes)


def test_a_slow_statement_is_named_with_its_remedy() -> None:
    bad = statement(
        "SELECT * FROM deployments", duration=timing(mean_ms=280.0, p95_ms=550.0, p99_ms=800.0), slow=43_000
    )
    one = slow(database_time=timing(mean_ms=285.0))
    assert one.now is not None
    now = figures(endpoints=one.now.endpoints, statements=(statement(), bad))
    found = look_for_slowness(report(now=now), LIMITS)
    assert (
        "p50 is 280 ms, limit 50 ms.",
        "p95 is 600 ms, limit 200 ms.",
        "p99 is 900 ms, limit 500 ms.",
        (
            "Of a mean of 300 ms, 95.00 % is database time, 0.03 % the wait for a connection, "
            "4.97 % everything else."
        ),
        "Slow statement: p95 550 ms, 60.0 ms at worst, 43,200 times, 43,000 slow: SELECT * FROM deployments",
    ) == found.evidence
    assert found.remedies[0].startswith("Check the plans of the statements above")
    assert "Look at the slow queries: grep '\"slow\":true' logs/database-queries.log." == found.remedies[1]
    assert 2 == len(found.remedies)


def test_many_quick_statements_point_at_the_database_too() -> None:
    found = look_for_slowness(slow(database_time=timing(mean_ms=100.0)), LIMITS)
    assert found.remedies[0].startswith("Check the plans of the statements above")


def test_waiting_for_connections_points_at_the_pool() -> None:
    found = look_for_slowness(slow(pool_wait=timing(mean_ms=290.0)), LIMITS)
    assert ("Requests wait for a connection: see the pool, and /api/health.",) == found.remedies


def test_time_that_is_neither_is_the_services_own() -> None:
    found = look_for_slowness(slow(), LIMITS)
    assert 1 == len(found.remedies)
    assert found.remedies[0].startswith("Most of the time is neither database nor pool")


def test_blocking_calls_and_repeated_statements_are_named_by_line() -> None:
    one = slow()
    assert one.now is not None
    spots = (spot(), spot(kind="n+1", site="app.py:20 in listing", most_at_once=50))
    found = look_for_slowness(report(now=figures(endpoints=one.now.endpoints, spots=spots)), LIMITS)
    assert (
        "A synchronous database call blocks the event loop at app.py:9 in pending: 7 times, 300 ms at worst."
        in found.evidence
    )
    assert f"{ROUTE} sends one statement up to 50 times in a request, at app.py:20 in listing." in found.evidence
    assert [
        "Use the async driver in async routes, or make these routes plain functions (def).",
        "Load the related rows in one statement: selectinload, or a join.",
    ] == list(found.remedies[:2])


def test_too_few_requests_to_tell() -> None:
    found = look_for_slowness(with_pending(response_time=timing(298)), LIMITS)
    assert ("unknown", True) == (found.status, found.looked_at.endswith("; it takes 299 requests to tell"))


def test_where_the_time_went_adds_up_and_is_unknown_from_logs() -> None:
    shares = time_shares(endpoint(response_time=timing(mean_ms=10.0), database_time=timing(mean_ms=4.0)))
    assert pytest.approx(1.0) == sum(shares.values())
    assert pytest.approx(0.4) == shares["database"]
    assert {} == time_shares(endpoint(database_time=timing(0), pool_wait=timing(0)))
    assert {} == time_shares(endpoint(response_time=timing(0, mean_ms=None)))


# ---- many errors


def failing(**changes: object) -> Report:
    errors = Errors(by_status={"404": 3, "500": 900}, by_exception={"IntegrityError": 900})
    return with_pending(error_rate=0.02, errors=errors, **changes)


def test_errors_by_status_exception_endpoint_message_and_agent() -> None:
    one = failing()
    analysis = logs(top_errors=(error(),), errors_by_agent=(failing_agent(s404=3, s500=40),))
    broken = statement(errors=900)
    assert one.now is not None
    now = figures(totals=one.now.totals, endpoints=one.now.endpoints, statements=(broken,))
    found = look_for_errors(report(now=now, logs=analysis), LIMITS)
    assert (
        "By status: 404: 3, 500: 900.",
        "By exception: IntegrityError: 900.",
        "GET /api/deployments/pending/{agent_id}: 2.00 % of 43,200 requests failed.",
        (
            "A statement failed 900 times: "
            "SELECT id FROM deployments WHERE agent_id = ? AND status = ? ORDER BY created_at"
        ),
        "Logged 9 times, last 2026-11-23 11:00:00: ValueError (GET /api/deployments/pending/{agent_id}).",
        "Agent ghost: 404: 3, 500: 40, of 100 requests logged.",
    ) == found.evidence
    assert (
        'Read the errors in the log: grep \'"level":"ERROR"\' logs/*.log.',
        "Constraints are violated: two writers race, or an agent sends the same thing twice.",
    ) == found.remedies


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("OperationalError", "Check the database: it refuses or loses connections, or its statements fail."),
        ("TimeoutError", "Requests gave up waiting, most likely for a connection: see the pool."),
    ],
)
def test_the_remedy_follows_the_exception(name: str, remedy: str) -> None:
    one = with_pending(error_rate=0.02, errors=Errors(by_exception={name: 900}))
    assert remedy in look_for_errors(one, LIMITS).remedies


def test_refused_polls_point_at_the_agent_ids() -> None:
    """A 404 is no error of the service, but agents that it does not know are a problem of the spec's list."""
    ghosts = agents(agent("ghost", errors=8000), agent())
    one = with_now(endpoints=(endpoint(client_error_rate=0.18),), agents=ghosts)
    found = look_for_errors(report(now=one.now, logs=None), LIMITS)
    assert ("found", ("Agent ghost: 8,000 of 8,640 requests.",)) == (found.status, found.evidence)
    assert ("Verify the agent ids: these agents ask for what the service does not know.",) == found.remedies


def test_too_few_requests_to_tell_an_error_rate() -> None:
    found = look_for_errors(with_now(totals=totals(total_requests=298)), LIMITS)
    assert ("unknown", True) == (found.status, found.looked_at.endswith("; it takes 299 requests to tell"))


def test_all_failed() -> None:
    found = diagnose(with_pending(error_rate=1.0, errors=Errors(by_status={"500": 43_200})))
    assert ["errors"] == [one.name for one in found.found]


# ---- an exhausted pool


FULL = {"peak_checked_out": 15, "peak_usage_ratio": 1.0, "timeouts": 40, "waiting": 25}


def exhausted(query_ms: float, **changes: object) -> Problem:
    hold = timing(1000, mean_ms=4600.0, p95_ms=12_000.0, max_ms=30_000.0)
    wait = timing(1000, p95_ms=6000.0, max_ms=30_000.0)
    fields = FULL | {"hold": hold, "wait": wait} | changes
    now = figures(pools=(pool(**fields),), statements=(statement(total_ms=query_ms * 1000),))
    return look_for_exhaustion(report(now=now), LIMITS)


def test_the_thread_and_pool_cliff_is_named() -> None:
    """Short statements, long holds, time-outs, fewer connections than threads: nobody can give one back."""
    found = exhausted(2.0)
    assert (
        "sqlite: 15 of 15 connections in use at the peak (100.00 %), limit 80%.",
        "sqlite: 40 callers got no connection; the longest wait was 30 s.",
        "sqlite: 25 callers were waiting for one when last heard of.",
        "sqlite: Connections are held for 4,600 ms on average, p95 12,000, 30,000 at worst.",
        (
            "This is the thread-and-pool cliff: "
            "statements take 2.00 ms of the 4,600 ms that a connection is held; "
            "all 40 threads of the synchronous routes wait for one of 15 connections, "
            "and giving one back takes a thread too."
        ),
    ) == found.evidence
    assert (
        "Open and close the session inside the route (with Session() …), not in a dependency with yield.",
        "Or give the pool as many connections as there are threads: pool_size=40.",
        "Watch it at /api/health.",
    ) == found.remedies


def test_what_hangs_in_the_cliff_is_no_leak() -> None:
    """It is held beyond the threshold too, but comes back."""
    assert "This is the thread-and-pool cliff" in exhausted(2.0, leaks=15).evidence[-1]


def test_slow_statements_keep_the_connections() -> None:
    found = exhausted(4000.0)
    assert (
        "The database keeps them: statements take 4,000 ms of the 4,600 ms that a connection is held."
        == found.evidence[-1]
    )
    assert found.remedies[0].startswith("Make the slow statements quicker first")


@pytest.mark.parametrize("changes", [{"timeouts": 0}, {"capacity": 60, "peak_checked_out": 60}])
def test_the_service_itself_keeps_the_connections(changes: dict[str, int]) -> None:
    """Without time-outs, or with as many connections as threads, it is no cliff."""
    found = exhausted(2.0, **changes)
    assert "The service keeps them while it does something else" in found.evidence[-1]
    assert "cliff" not in " ".join(found.evidence)


def test_leaks_are_named_by_the_line_that_took_them() -> None:
    holders = tuple(
        Holder(held_s=40.0 + n, site="app.py:30 in leak", route="/leak", request_id=f"r{n}", leaked=True)
        for n in range(4)
    )
    held = exhausted(2.0, holders=holders, leaks=4)
    assert (
        "When last heard of, 4 were out, taken at app.py:30 in leak, route /leak, held for up to 43 s, "
        "requests r0, r1, r2."
    ) in held.evidence
    assert "4 connections were held beyond the leak threshold: they look leaked." == held.evidence[-1]
    assert held.remedies[0].startswith("Close what is opened, at the places named above")


def test_a_leak_is_a_problem_before_the_pool_is_full() -> None:
    found = look_for_exhaustion(with_now(pools=(pool(leaks=1),)), LIMITS)
    assert ("found", "1 connections were held beyond the leak threshold: they look leaked.") == (
        found.status,
        found.evidence[-1],
    )


def test_without_statements_the_cause_is_left_open() -> None:
    found = look_for_exhaustion(with_now(pools=(pool(**FULL),), statements=None), LIMITS)
    assert (
        "Raise pool_size (and max_overflow) of the engine in database.py, as far as the database allows.",
        "Check for connections that are not closed.",
        "Watch it at /api/health.",
    ) == found.remedies


def test_a_pool_below_its_limit_is_none() -> None:
    found = look_for_exhaustion(report(), LIMITS)
    assert ("not found", "sqlite: peak 3 of 15, 0 time-outs, wait p95 0.20 ms") == (found.status, found.looked_at)


def test_a_pool_without_a_bound_is_none() -> None:
    found = look_for_exhaustion(with_now(pools=(pool(capacity=None, peak_usage_ratio=None),)), LIMITS)
    assert ("not found", "sqlite: peak 3 of no bound, 0 time-outs, wait p95 0.20 ms") == (
        found.status,
        found.looked_at,
    )


@pytest.mark.parametrize(
    ("pools", "why"),
    [
        (None, "the source does not tell of pools"),
        ((), "no pool was watched"),
        (
            (pool(capacity=None, peak_usage_ratio=None, pool_class=None),),
            "sqlite: peak 3 of ?, 0 time-outs, wait p95 0.20 ms; the size is not known",
        ),
    ],
)
def test_pools_that_nothing_is_known_of(pools: object, why: str) -> None:
    found = look_for_exhaustion(with_now(pools=pools), LIMITS)
    assert ("unknown", why) == (found.status, found.looked_at)


def test_statement_time_of_a_hold_needs_one_pool() -> None:
    assert None is statement_ms(figures(), (pool(), pool(engine="other")))
    assert None is statement_ms(figures(statements=()), (pool(),))
    assert None is statement_ms(figures(), (pool(hold=timing(0)),))
    assert 0.5 == statement_ms(figures(), (pool(),))


# ---- shown


def test_as_json() -> None:
    stored = json.loads(as_json(diagnose(failing())))
    assert ("monitoring-diagnosis", 1) == (stored["kind"], stored["schema_version"])
    assert ["not found", "not found", "found", "not found"] == [one["status"] for one in stored["problems"]]


@pytest.mark.parametrize(
    ("found", "lead", "tone"),
    [
        (report(), "None of the known problems found.", "pass"),
        (failing(), "1 of 4 known problems found.", "fail"),
        (
            with_now(pools=None),
            "None of the known problems found, but not all of them could be looked for.",
            "unknown",
        ),
    ],
)
def test_as_a_document(found: Report, lead: str, tone: str) -> None:
    shown: Document = document(diagnose(found), version="1.2.3")
    assert (f"2026-11-22 12:00 to 2026-11-23 12:00 UTC. {lead}", tone) == (shown.lead[0], shown.tone)


def test_what_was_found_comes_first() -> None:
    shown = document(diagnose(failing()), version="1.2.3")
    assert ["Found: High error rate", "Looked for besides"] == [section.title for section in shown.sections]
    assert 3 == len(shown.sections[1].items)
