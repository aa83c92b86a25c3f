"""Gates on every route of a run, near misses, and which routes no gate is about."""

from dataclasses import replace

import pytest

from harness.columns import columns_of
from harness.gate_syntax import parse_gate
from harness.judge.evidence import RouteEvidence
from harness.judge.gates import judge, spec_gates
from harness.judge.summary import summarise
from harness.model import ServerTiming, Status
from tests.harness.judge.support import (
    INTERVAL_S,
    RUN_TIME_S,
    WARMUP_S,
    evidence,
    failed,
    finding,
    header,
    healthy_samples,
    poll,
    spoil,
    took,
)


def route(samples):
    columns = columns_of(samples)
    inside = columns.window(WARMUP_S, RUN_TIME_S)
    summary = summarise(
        columns, header=header(), window_start_s=WARMUP_S, window_end_s=RUN_TIME_S, intended=len(inside)
    )
    return RouteEvidence(columns=columns, summary=summary)


def requests(name="/api/agents", method="GET", n=300, took_s=0.0, **changes):
    return [
        poll(i % 50, WARMUP_S + i * 60 / n, took_s + took(i), name=name, method=method, **changes)
        for i in range(n)
    ]


def several(**others):
    given = {
        "GET /api/agents": route(requests()),
        "POST /api/agents": route(requests(method="POST", took_s=0.3)),
        "PATCH /api/deployments/{id}": route(requests("/api/deployments/{id}", "PATCH")),
    }
    return evidence(others=given | others)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        (
            "GET /api/agents: p(95) < 200ms",
            Status.PASS,
            "0 of 300 requests took 200 ms or longer; with 95 % confidence fewer than 0.994 % do, 5 % are allowed",
        ),
        (
            "POST /api/agents: p(95) < 200ms",
            Status.FAIL,
            (
                "300 of 300 requests took 200 ms or longer; with 95 % confidence more than 99.01 % do, "
                "5 % are allowed"
            ),
        ),
        (
            "/api/deployments/{id}: error_ratio < 1%",
            Status.PASS,
            "0 of 300 requests failed; with 95 % confidence fewer than 0.994 % do, 1 % are allowed",
        ),
        (
            "GET /api/deployments/pending/{agent_id}: p(95) < 200ms",
            Status.PASS,
            "0 of 300 polls took 200 ms or longer; with 95 % confidence fewer than 0.994 % do, 5 % are allowed",
        ),
        (
            "PATCH /api/deployments/{id}: poll_rate within 10% of 0.1/s",
            Status.PASS,
            "50 agents completed 300 requests in 60 s, 0.1 a second each; 0.09 to 0.11 are allowed",
        ),
        (
            "POST /api/agents: achieved_rate > 4/s",
            Status.PASS,
            "300 requests completed in 60 s, 5 a second; above 4 a second is wanted",
        ),
        (
            "POST /api/agents: missed == 0",
            Status.INCONCLUSIVE,
            "no schedule says how many requests of this route there should have been",
        ),
        (
            "/api/agents: p(95) < 200ms",
            Status.INCONCLUSIVE,
            (
                "/api/agents was requested in several ways, GET /api/agents and POST /api/agents: a gate is about "
                "one of them"
            ),
        ),
        (
            "GET /api/agnets: p(95) < 200ms",
            Status.INCONCLUSIVE,
            (
                "no request of GET /api/agnets in this run, which requested "
                "GET /api/deployments/pending/{agent_id}, GET /api/agents, POST /api/agents and 1 more"
            ),
        ),
    ],
)
def test_a_gate_is_judged_on_its_route(text, status, reason):
    found = finding(parse_gate(text), several())
    assert (status, reason) == (found.status, found.reason)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("GET /api/agnets: p(95) < 1s", "'GET /api/agents', if that was meant"),
        (
            "/api/deployment/pending/{agent_id}: max < 1s",
            "'/api/deployments/pending/{agent_id}', if that was meant",
        ),
        ("/zzz: max < 1s", "a gate on what the run polls, or a scenario that polls what the gate names"),
        ("/api/agents: max < 1s", "the method before the route, such as 'GET /api/agents: …'"),
    ],
)
def test_the_near_miss_is_named(text, remedy):
    assert remedy == finding(parse_gate(text), several()).remedy


def test_a_gate_that_matches_nothing_never_passes():
    """Not even where the gate lets inconclusive findings pass: nothing at all was seen."""
    gates = [parse_gate("p95 < 200ms"), parse_gate("GET /api/agnets: p95 < 1s, on_inconclusive pass")]
    assert Status.INCONCLUSIVE is judge(gates, several()).status


def test_the_coverage_names_the_routes_without_a_gate():
    assert () == judge(spec_gates(interval_s=INTERVAL_S), evidence()).coverage.ungated
    verdict = judge([*spec_gates(interval_s=INTERVAL_S), parse_gate("GET /api/agents: p95 < 1s")], several())
    assert ("POST /api/agents", "PATCH /api/deployments/{id}") == verdict.coverage.ungated
    alone = judge([parse_gate("/api/deployments/{id}: p95 < 1s")], several())
    assert (
        "GET /api/deployments/pending/{agent_id}",
        "GET /api/agents",
        "POST /api/agents",
    ) == alone.coverage.ungated


def test_a_route_that_was_requested_in_the_warm_up_only_is_empty():
    quiet = {"GET /quiet": route([poll(0, 1.0, name="/quiet")])}
    found = finding(parse_gate("/quiet: p95 < 1s"), several(**quiet))
    assert (Status.INCONCLUSIVE, "no poll of /quiet in the measured window") == (found.status, found.reason)
    assert "GET /quiet" not in judge([parse_gate("p95 < 1s")], several(**quiet)).coverage.ungated


def test_the_handler_time_of_another_route_is_what_its_answers_told():
    told = {"GET /told": route(requests("/told", server=ServerTiming(handler_s=0.05)))}
    found = finding(parse_gate("/told: handler_time p95 < 100ms"), several(**told))
    assert (Status.PASS, 300, 0.05) == (found.status, found.n, found.measured)
    silent = finding(parse_gate("GET /api/agents: handler_time p95 < 100ms"), several())
    assert Status.INCONCLUSIVE is silent.status
    assert silent.reason.endswith("no answer of GET /api/agents told its handler time either")
    some = [*requests("/told", n=100, server=ServerTiming(handler_s=0.05)), *requests("/told", n=20)]
    found = finding(parse_gate("/told: handler_time p95 < 100ms"), several(**{"GET /told": route(some)}))
    assert found.reason.endswith("; 20 more requests without such a time")


def test_the_targets_own_figures_are_of_the_polled_route():
    found = finding(parse_gate("GET /api/agents: query_time p95 < 100ms"), several())
    assert Status.INCONCLUSIVE is found.status
    assert "the target's figures were asked for /api/deployments/pending/{agent_id} alone" == found.reason


def test_what_was_sent_besides_the_schedule_is_not_missed_and_not_too_much():
    """Fifty retries: as many polls as were wanted, and none of the extra ones excuses a missing one."""
    samples = healthy_samples()
    extras = [poll(i, 20.0 + i / 100, 0.02, extra=True) for i in range(50)]
    of = evidence([*samples, *extras], intended=300)
    assert 0 == of.summary.missed
    assert Status.PASS is finding(parse_gate("missed == 0"), of).status
    assert Status.PASS is finding(parse_gate("p99 < 500ms"), of).status
    short = evidence([*samples[:-50], *extras], intended=300)
    assert (50, 50) == (short.summary.missed, finding(parse_gate("missed == 0"), short).measured)


@pytest.mark.parametrize(
    ("text", "status", "measured", "reason"),
    [
        ("errors < 5", Status.PASS, 4, "4 of 300 polls failed; below 5 is wanted"),
        ("errors < 4", Status.FAIL, 4, "4 of 300 polls failed; below 4 is wanted"),
        ("errors(timeout) == 0", Status.FAIL, 1, "1 of 300 polls failed with timeout; 0 to 0 are allowed"),
        ("errors(http-5xx) < 4", Status.PASS, 3, "3 of 300 polls failed with http-5xx; below 4 is wanted"),
        ("errors(503) < 2", Status.PASS, 1, "1 of 300 polls failed with http-503; below 2 is wanted"),
        ("errors(dns) == 0", Status.PASS, 0, "0 of 300 polls failed with dns; 0 to 0 are allowed"),
        ("answers > 298", Status.PASS, 299, "299 of 300 polls were answered; above 298 is wanted"),
        ("answers(5xx) == 0", Status.FAIL, 3, "3 of 300 polls were answered with 5xx; 0 to 0 are allowed"),
        ("answers(200) > 290", Status.PASS, 296, "296 of 300 polls were answered with 200; above 290 is wanted"),
        (
            "error_ratio(timeout) < 5%",
            Status.PASS,
            1 / 300,
            "1 of 300 polls failed with timeout; with 95 % confidence fewer than 1.57 % do, 5 % are allowed",
        ),
        (
            "error_ratio(http-5xx) == 0%",
            Status.FAIL,
            0.01,
            "3 of 300 polls failed with http-5xx; none may",
        ),
    ],
)
def test_errors_are_counted_by_their_kind(text, status, measured, reason):
    samples = spoil(healthy_samples(), [10, 80], failed)
    samples = spoil(samples, [150], lambda s: failed(s, "http-503", 503))
    samples = spoil(samples, [220], lambda s: failed(s, "timeout", None))
    found = finding(parse_gate(text), evidence(samples))
    assert (status, reason) == (found.status, found.reason)
    assert measured == pytest.approx(found.measured)


def test_errors_of_the_generator_itself_are_no_fault_of_the_target():
    samples = spoil(healthy_samples(), [10, 80], lambda s: failed(s, "generator-limit", None))
    found = finding(parse_gate("errors == 0"), evidence(samples))
    assert Status.INVALID is found.status
    assert (
        "2 of 300 polls failed, 2 of them for want of the load generator's own sockets, ports or memory"
        == found.reason
    )


@pytest.mark.parametrize(
    "text",
    [
        "errors == 0",
        "answers(5xx) == 0",
        "offered_rate > 1/s",
        "achieved_rate > 1/s",
        "lock_step_index < 0.5",
        "start_lag p95 < 1s",
        "connections_per_poll < 1",
        "error_ratio(timeout) == 0%",
        "max < 1s",
    ],
)
def test_no_polls_are_never_a_pass(text):
    found = finding(parse_gate(text), evidence([]))
    assert (Status.INCONCLUSIVE, None) == (found.status, found.measured)


def test_rates_bunching_and_start_lag():
    of = evidence()
    assert Status.PASS is finding(parse_gate("offered_rate within 1% of 5/s"), of).status
    assert (
        "the phases of the agents in 300 polls have the index"
        in finding(parse_gate("lock_step_index < 0.1"), of).reason
    )
    assert Status.PASS is finding(parse_gate("start_lag p95 < 10ms"), of).status
    late = evidence([replace(s, start_s=s.start_s + 0.5, end_s=s.end_s + 0.5) for s in healthy_samples()])
    assert Status.INVALID is finding(parse_gate("start_lag p95 < 10ms"), late).status
