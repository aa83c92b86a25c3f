"""Gates on what the target and its database say of themselves."""

from dataclasses import replace

import pytest

from harness.gate_syntax import parse_gate
from harness.judge.gates import judge
from harness.model import Status
from monitoring.histogram import Histogram
from tests.harness.judge.support import evidence, finding, healthy_samples, index, server, spec_gate, spoil


def not_judged(gate, of):
    verdict = judge([gate], of)
    assert verdict.findings == ()
    return verdict.coverage.not_judged[gate.name]


def test_quick_statements_pass():
    query = finding("query-time", evidence())
    assert (query.status, query.n, query.exceedances) == (Status.PASS, 600, 0)
    assert query.measured == pytest.approx(0.002)
    assert query.interval is None
    assert query.reason == (
        "0 of 600 statements took 100 ms or longer; with 95 % confidence fewer than 0.498 % do, 1 % are allowed"
    )


def test_slow_statements_fail():
    figures = server(query=Histogram.of([0.002] * 580 + [0.2] * 20))
    query = finding("query-time", evidence(server=figures))
    assert (query.status, query.exceedances) == (Status.FAIL, 20)
    assert query.measured == pytest.approx(0.2)
    assert "database-queries.log" in query.remedy


def test_too_few_statements_leave_it_open():
    query = finding("query-time", evidence(server=server(query=Histogram.of([0.002] * 100), window_s=10.0)))
    assert query.status == Status.INCONCLUSIVE
    assert query.remedy == "a longer run: about 199 more statements (19.9 s at 10 a second) would settle it"


def test_a_bucket_that_holds_the_limit_neither_passes_nor_fails():
    """99.9 ms share a bucket with 100 ms: all 600 may exceed, and none surely does."""
    figures = server(query=Histogram.of([0.0999] * 599 + [0.1001]))
    query = finding("query-time", evidence(server=figures))
    assert query.status == Status.INCONCLUSIVE
    assert query.exceedances == 600
    assert query.remedy == (
        "another limit, or a change to the target: this share can't be told from the allowed one"
    )


def test_the_polls_autocorrelation_stands_in_for_the_statements():
    """Spells of slow polls: statements near the limit count as fewer, statements far below it do not."""
    samples = spoil(
        healthy_samples(),
        range(300),
        lambda s: replace(s, end_s=s.start_s + (0.15 if s.intended_start_s % 20 < 10 else 0.05)),
    )
    near = evidence(samples, server=server(query=Histogram.of([0.02, 0.04] * 300)))
    assert finding("query-time", near).effective_n < 120
    constant = evidence(samples, server=server(query=Histogram.of([0.04] * 600)))
    assert finding("query-time", constant).effective_n == 600
    far = evidence(samples, server=server(query=Histogram.of([0.002] * 600)))
    assert finding("query-time", far).effective_n == 600
    reached = evidence(samples, server=server(query=Histogram.of([0.002] * 599 + [0.2])))
    assert finding("query-time", reached).effective_n < 120


def test_no_statements_are_never_a_pass():
    query = finding("query-time", evidence(server=server(query=Histogram())))
    assert (query.status, query.measured) == (Status.INCONCLUSIVE, None)
    assert query.reason == "the target measured no statement in 60 s"


def test_statements_without_polls_are_judged_on_their_own():
    assert finding("query-time", evidence([])).status == Status.PASS


def test_figures_without_statements_are_not_judged():
    reason = not_judged(spec_gate("query-time"), evidence(server=server(query=None)))
    assert reason == "the target's figures hold no durations of its statements"


@pytest.mark.parametrize(
    ("metric", "field", "noun"), [("handler_time", "handler", "request"), ("pool_wait", "pool_wait", "checkout")]
)
def test_handler_and_pool_wait_are_gated_the_same_way(metric, field, noun):
    gate = replace(spec_gate("query-time"), name=metric, metric=metric)
    assert finding(gate, evidence()).status == Status.PASS
    slow = finding(gate, evidence(server=server(**{field: Histogram.of([0.3] * 300)})))
    assert slow.status == Status.FAIL
    assert slow.reason.startswith(f"300 of 300 {noun}s took 100 ms or longer")


@pytest.mark.parametrize(
    ("peak", "status"), [(0, Status.PASS), (11, Status.PASS), (12, Status.FAIL), (15, Status.FAIL)]
)
def test_eighty_per_cent_of_the_pool_is_the_edge(peak, status):
    pool = finding("pool-use", evidence(server=server(pool_peak=peak)))
    assert (pool.status, pool.measured) == (status, peak / 15)


def test_pool_use_says_what_was_counted():
    pool = finding("pool-use", evidence(server=server(pool_peak=12)))
    assert pool.reason == "12 of 15 connections were checked out at once, 80 %; below 80 % is wanted"
    assert pool.remedy == (
        "a larger pool_size in database.py, or the connections that are held too long (/api/health)"
    )


def test_an_unknown_pool_is_not_judged():
    assert not_judged(spec_gate("pool-use"), evidence(server=server(pool_size=None))) == (
        "the target's figures hold no pool use: its connection pool has no bound"
    )
    assert not_judged(spec_gate("pool-use"), evidence(server=server(pool_peak=None))) == (
        "the target's figures hold no pool use: it gave no peak of its pool"
    )


def test_a_pool_that_served_nothing_is_no_pass():
    pool = finding("pool-use", evidence(server=server(requests=0, pool_peak=0)))
    assert pool.status == Status.INCONCLUSIVE
    assert pool.reason == "the target handled no poll in the measured window"


def test_a_plan_that_searches_the_index_passes():
    found = finding("pending-index", evidence())
    assert (found.status, found.measured) == (Status.PASS, 1.0)
    assert found.reason == (
        "the plan searches idx_deployment_agent_status_created: "
        "SEARCH deployments USING INDEX idx_deployment_agent_status_created"
    )


def test_one_statement_that_does_not_fails():
    scan = index(served=False, plan="SCAN deployments USING INDEX idx_deployment_created_at")
    found = finding("pending-index", evidence(indexes=(index(), scan)))
    assert (found.status, found.measured) == (Status.FAIL, 0.5)
    assert found.reason == (
        "the plan does not search idx_deployment_agent_status_created: "
        "SCAN deployments USING INDEX idx_deployment_created_at"
    )
    assert found.remedy == (
        "an index idx_deployment_agent_status_created on the columns that the specification names"
    )


@pytest.mark.parametrize(
    "fault",
    [
        "there is no index idx_deployment_agent_status_created",
        "index idx_deployment_agent_status_created is on (status), not on (agent_id, status, created_at)",
        "index idx_deployment_agent_status_created is partial: it holds only some of the rows",
    ],
)
def test_what_is_wrong_with_the_index_comes_before_the_plan(fault):
    """A plan may search an index of the right name and the wrong columns: that alone would tell nothing."""
    plan = "SCAN deployments USING INDEX idx_deployment_agent_status_created"
    found = finding("pending-index", evidence(indexes=(index(served=False, plan=plan, note=fault),)))
    assert found.status == Status.FAIL
    assert found.reason == f"{fault}; the plan: {plan}"


def test_a_note_that_shows_the_plan_is_not_followed_by_it():
    fault = "all rows are read: SCAN deployments"
    found = finding("pending-index", evidence(indexes=(index(served=False, plan="SCAN deployments", note=fault),)))
    assert found.reason == fault


def test_a_plan_that_could_not_be_judged_is_left_out_with_its_note():
    unknown = index(served=None, note="12 rows are too few for the planner to care")
    assert not_judged(spec_gate("pending-index"), evidence(indexes=(unknown,))) == unknown.note
    assert not_judged(spec_gate("pending-index"), evidence(indexes=(index(served=None),))) == (
        "the query plan could not be judged"
    )
    assert finding("pending-index", evidence(indexes=(unknown, index()))).status == Status.PASS


def test_plans_of_other_indexes_do_not_count():
    other = index(expected_index="idx_deployment_status")
    assert not_judged(spec_gate("pending-index"), evidence(indexes=(other,))) == (
        "no statement that was explained is meant for idx_deployment_agent_status_created, "
        "only for idx_deployment_status"
    )


def test_an_index_that_no_statement_is_meant_for_is_a_finding_with_the_near_miss():
    gate = parse_gate("index(idx_deployment_agent_created)")
    found = finding(gate, evidence())
    assert (Status.INCONCLUSIVE, 0) == (found.status, found.n)
    assert (
        "no statement that was explained is meant for idx_deployment_agent_created, only for "
        "idx_deployment_agent_status_created" == found.reason
    )
    assert "'index(idx_deployment_agent_status_created)', if that was meant" == found.remedy
