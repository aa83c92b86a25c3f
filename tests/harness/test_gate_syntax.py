"""Gates as text: what is read, what is refused and with which words, and that writing and reading are inverse."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.gate_syntax import parse_gate, with_unique_names
from harness.gate_text import format_gate, name_of, quantity_text
from harness.judge.catalogue import METRICS, Kind, nearest_metric
from harness.judge.gates import spec_gates
from harness.load.answers import ERROR_KINDS
from harness.model import PENDING_ROUTE, Direction, Gate


def gate(**changes):
    whole = {"name": "p95", "metric": "response_time", "subject": PENDING_ROUTE, "limit": 0.2, "unit": "s"}
    return Gate(**({"quantile": 0.95} | whole | changes))


P95 = gate()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /api/deployments/pending/{agent_id}: p(95) < 200ms", P95),
        ("p(95) < 200ms", P95),
        ("p95<0.2s", P95),
        ("  p( 95 )\n<   200 ms ", P95),
        ("response_time p95 < 200ms", P95),
        ("/api/deployments/pending/{agent_id}: p95 < 200ms", P95),
        ("get /api/deployments/pending/{agent_id}:p95<200ms", P95),
        ("med < 50ms", gate(name="p50", quantile=0.5, limit=0.05)),
        ("max < 1m30s", gate(name="max", quantile=1.0, limit=90.0)),
        ("p(99.9) < 2s", gate(name="p99.9", quantile=0.999, limit=2.0)),
        ("p(100) < 2s", gate(name="max", quantile=1.0, limit=2.0)),
        ("service_time max < 2s", gate(name="service-time-max", metric="service_time", quantile=1.0, limit=2.0)),
        (
            "POST /files/{path:path}: p95 < 200ms",
            gate(name="POST /files/{path:path} p95", subject="POST /files/{path:path}"),
        ),
        (
            "error_ratio < 1%",
            gate(name="error-ratio", metric="error_ratio", quantile=None, limit=0.01, unit="ratio"),
        ),
        (
            "error_ratio(timeout) == 0%",
            gate(
                name="error-ratio-timeout",
                metric="error_ratio",
                quantile=None,
                limit=0.0,
                unit="ratio",
                kind="timeout",
            ),
        ),
        (
            "errors(504) < 3",
            gate(name="errors-http-504", metric="errors", quantile=None, limit=3.0, unit="count", kind="http-504"),
        ),
        (
            "answers(5XX) == 0",
            gate(
                name="answers-5xx",
                metric="answers",
                quantile=None,
                limit=0.0,
                unit="count",
                kind="5xx",
                direction=Direction.NEAR,
                tolerance_ratio=0.0,
            ),
        ),
        (
            "poll_rate within 10% of 0.1/s",
            gate(
                name="poll-rate",
                metric="poll_rate",
                quantile=None,
                limit=0.1,
                unit="per_s",
                direction=Direction.NEAR,
                tolerance_ratio=0.1,
            ),
        ),
        (
            "achieved_rate > 288/min",
            gate(
                name="achieved-rate-above",
                metric="achieved_rate",
                quantile=None,
                limit=4.8,
                unit="per_s",
                direction=Direction.ABOVE,
            ),
        ),
        (
            "p95 vs baseline < +10%",
            gate(name="p95-vs-baseline", limit=0.1, unit="ratio", against_baseline=True),
        ),
        (
            "achieved_rate vs. baseline > −5%",
            gate(
                name="achieved-rate-above-vs-baseline",
                metric="achieved_rate",
                quantile=None,
                limit=0.05,
                unit="ratio",
                direction=Direction.ABOVE,
                against_baseline=True,
            ),
        ),
        (
            "p(95) < 200ms, confidence 99%, on_inconclusive = pass, abort_on_fail, optional",
            replace(P95, confidence=0.99, on_inconclusive="pass", abort_on_fail=True, optional=True),
        ),
        (
            "index(idx_deployment_agent_status_created)",
            gate(
                name="idx_deployment_agent_status_created",
                metric="index",
                subject="idx_deployment_agent_status_created",
                quantile=None,
                limit=1.0,
                unit="index",
                direction=Direction.NEAR,
                tolerance_ratio=0.0,
            ),
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_gate_is_read(text, expected):
    assert expected == parse_gate(text)


def test_a_name_that_is_given_is_kept():
    assert "slow tail" == parse_gate("p95 < 200ms", name="slow tail").name


def test_the_interval_stands_for_a_rate():
    text = "poll_rate within 10% of 1/interval"
    assert 0.5 == parse_gate(text, interval_s=2.0).limit
    assert (
        f"gate '{text}': the polling interval is not known here, got '1/interval', "
        "need a rate such as 0.1/s or 6/min" == refusal(text)
    )


def refusal(text):
    with pytest.raises(UsageError) as fault:
        parse_gate(text)
    return str(fault.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty, need a form such as 'p(95) < 200ms'"),
        ("p95", "no comparison in it, got 'p95', need a form such as 'p(95) < 200ms'"),
        ("< 200ms", "no figure before the comparison, got '', need a form such as 'p(95) < 200ms'"),
        (
            "p95 < 200",
            "a limit without a unit, got '200', need a duration such as 200ms or 2s; try '200ms'",
        ),
        ("error_ratio < 0.015", "a limit without a unit, got '0.015', need a percentage such as 1%; try '1.5%'"),
        ("error_ratio < 1", "a limit without a unit, got '1', need a percentage such as 1%; try '1%'"),
        ("P95 < 1s", "quantiles are written small, got 'P95'; try 'p95'"),
        ("P(95) < 1s", "quantiles are written small, got 'P'; try 'p'"),
        (
            "p99.99999999999999999999 < 1s",
            "quantile out of range, got p(99.99999999999999999999), need p(N) with 0 < N <= 100",
        ),
        (
            "poll_rate within 5% of 1/intervl",
            "not a limit for this metric, got '1/intervl', need a rate such as 0.1/s or 6/min; try '1/interval'",
        ),
        (
            "p95 vs basline < +10%",
            (
                "no figure before the comparison, got 'p95 vs basline', need a form such as 'p(95) < 200ms'; "
                "try '… vs baseline < +10%'"
            ),
        ),
        ("pool_use < 80", "a limit without a unit, got '80', need a percentage such as 1%; try '80%'"),
        (
            "achieved_rate > 5",
            "a limit without a unit, got '5', need a rate such as 0.1/s or 6/min; try '5/s'",
        ),
        (
            "poll_rate within 10 of 0.1/s",
            "a limit without a unit, got '10', need a percentage such as 1%; try '10%'",
        ),
        ("missed < 1.5", "no whole number, got '1.5', need a whole number"),
        ("p95 < 5%", "not a limit for this metric, got '5%', need a duration such as 200ms or 2s"),
        ("p95 < nan", "not a limit for this metric, got 'nan', need a duration such as 200ms or 2s"),
        ("p95 < -5ms", "not a limit for this metric, got '-5ms', need a duration such as 200ms or 2s"),
        ("lock_step_index < 40%", "not a limit for this metric, got '40%', need a plain number"),
        ("respons_time p95 < 1s", "unknown metric, got 'respons_time'; try 'response_time'"),
        ("rps > 5/s", "unknown metric, got 'rps'; try 'achieved_rate'"),
        ("zzz < 5", f"unknown metric, got 'zzz', need one of {', '.join(METRICS)}"),
        ("index < 1", "an index has no limit, need 'index(idx_deployment_agent_status_created)'"),
        ("index()", "an index has a name and no route, need 'index(idx_deployment_agent_status_created)'"),
        (
            "GET /x: index(a)",
            "an index has a name and no route, need 'index(idx_deployment_agent_status_created)'",
        ),
        (
            "avg < 200ms",
            (
                "'avg' can't be judged honestly: a failed request has no duration that could enter it, and no "
                "bound for it holds without assuming a distribution; try 'p(50)'"
            ),
        ),
        (
            "service_time < 200ms",
            "'service_time' is a distribution, need a quantile; try 'service_time p(95) < …'",
        ),
        ("pool_use p95 < 80%", "'pool_use' is no distribution, got 'p95', need no quantile"),
        ("p(0) < 1s", "quantile out of range, got p(0), need p(N) with 0 < N <= 100"),
        ("p101 < 1s", "quantile out of range, got p(101), need p(N) with 0 < N <= 100"),
        (
            "p95 <= 200ms",
            "an operator that gates don't have, got '<=', need one of <, >, == and 'within N% of'; try '<'",
        ),
        ("p95 != 1s", "an operator that gates don't have, got '!=', need one of <, >, == and 'within N% of'"),
        ("error_ratio == 1%", "a share can't be shown to be exactly something, need '<', or '== 0%'"),
        ("response_time(timeout) p95 < 1s", "'response_time' takes nothing in brackets, got '(timeout)'"),
        ("errors(timout) < 1", "unknown kind of error, got 'timout'; try 'timeout'"),
        (
            "errors(zzz) < 1",
            (
                "unknown kind of error, got 'zzz', need one of http-5xx, http-503 …, "
                + ", ".join(sorted(ERROR_KINDS))
            ),
        ),
        ("answers(700) < 1", "no HTTP status, got '700', need such as 200 or 5xx"),
        ("GET /x p95 < 2ms", "a route without a colon after it, need 'GET /route: p(95) < 200ms'"),
        (
            "FETCH /x: p95 < 1s",
            "unknown method, got 'FETCH', need one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        (
            "http_req_duration: p(95) < 200ms",
            (
                "no route before the colon, got 'http_req_duration', need one with a /; "
                "try 'response_time p(95) < 200ms'"
            ),
        ),
        ("zzz: p95 < 1s", "no route before the colon, got 'zzz', need one with a /"),
        ("p95 vs baseline", "no change after 'vs baseline', need 'p95 vs baseline < +10%'"),
        (
            "p95 vs baseline < 10",
            "a limit without a unit, got '< 10', need a percentage; try 'p95 vs baseline < +10%'",
        ),
        (
            "p95 vs baseline > -10%",
            "not a bound on a change for the worse, got '> -10%', need 'p95 vs baseline < +10%'",
        ),
        (
            "achieved_rate vs baseline < +10%",
            "not a bound on a change for the worse, got '< +10%', need 'achieved_rate vs baseline > -10%'",
        ),
        (
            "p95 < 1s, on_inconclusive maybe",
            "unknown value of on_inconclusive, got 'maybe', need 'fail' or 'pass'",
        ),
        ("p95 < 1s, confidence 99", "a limit without a unit, got '99', need a percentage such as 1%; try '99%'"),
        (
            "p95 < 1s, confidence 0.99",
            "a limit without a unit, got '0.99', need a percentage such as 1%; try '99%'",
        ),
        ("p95 < 1s, confidence x", "a limit without a unit, got 'x', need a percentage such as 1%"),
        (
            "p95 < 1s, optionl",
            (
                "unknown option, got 'optionl', need one of confidence N%, on_inconclusive fail|pass, "
                "abort_on_fail, optional; try 'optional'"
            ),
        ),
        (
            "p95 < 1s, abrt",
            (
                "unknown option, got 'abrt', need one of confidence N%, on_inconclusive fail|pass, "
                "abort_on_fail, optional"
            ),
        ),
    ],
    ids=lambda given: given,
)
def test_what_can_not_be_read_is_refused_in_words_that_help(text, said):
    assert f"gate '{text}': {said}" == refusal(text)


def test_a_very_long_text_is_shown_in_part():
    assert "…': no comparison in it" in refusal("p" * 10_000)[:260]


quantiles = st.integers(1, 100_000).map(lambda n: n / 100_000)
limits = st.floats(0, 1e7, allow_nan=False) | st.floats(0, 1, allow_nan=False)
routes = st.sampled_from([PENDING_ROUTE, "/api/agents", "POST /api/agents", "GET /files/{path:path}"])
kinds = st.none() | st.sampled_from(["timeout", "http-5xx", "http-404"])


@st.composite
def gates(draw):
    metric = draw(st.sampled_from(sorted(METRICS)))
    facts = METRICS[metric]
    if metric == "index":
        return parse_gate(f"index({draw(st.sampled_from(['a', 'idx_b']))})")
    quantile = draw(quantiles) if facts.kind is Kind.QUANTILE else None
    against = draw(st.booleans())
    limit = draw(st.integers(0, 10**9).map(float)) if facts.unit == "count" and not against else draw(limits)
    direction, tolerance = Direction.BELOW, None
    if against:
        direction = Direction.ABOVE if facts.better is Direction.NEAR else Direction.BELOW
    elif facts.kind is Kind.PLAIN:
        direction = draw(st.sampled_from(Direction))
        tolerance = draw(limits) if direction is Direction.NEAR else None
    statuses = st.none() | st.sampled_from(["200", "5xx"])
    return Gate(
        name="",
        metric=metric,
        subject=draw(routes),
        limit=limit,
        unit="ratio" if against else facts.unit,
        direction=direction,
        quantile=quantile,
        tolerance_ratio=tolerance,
        confidence=draw(st.floats(0.5, 0.9999)),
        against_baseline=against,
        on_inconclusive=draw(st.sampled_from(["fail", "pass"])),
        abort_on_fail=draw(st.booleans()),
        kind=draw(statuses if metric == "answers" else kinds) if facts.selects else None,
        optional=draw(st.booleans()),
    )


@given(gates())
def test_a_gate_that_was_written_reads_back_to_the_last_bit(of):
    named = replace(of, name=name_of(of))
    assert named == parse_gate(format_gate(named))


@given(st.text(max_size=60) | st.text("p(95)<>=200ms%/: ,_+-", max_size=60))
def test_any_text_is_a_gate_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        assert isinstance(parse_gate(text), Gate)


def test_the_targets_of_the_specification_can_be_written():
    assert [
        "p(50) < 50ms",
        "p(95) < 200ms",
        "p(99) < 500ms",
        "error_ratio < 1%",
        "poll_rate within 10% of 0.1/s",
        "query_time p(99) < 100ms, optional",
        "pool_use < 80%, optional",
        "index(idx_deployment_agent_status_created), optional",
    ] == [format_gate(of) for of in spec_gates(interval_s=10.0)]


def test_quantities_are_written_short():
    assert ["0s", "0.5ms", "1s", "90s"] == [quantity_text(value, "s") for value in (0.0, 0.0005, 1.0, 90.0)]
    assert ["0.1%", "100%"] == [quantity_text(value, "ratio") for value in (0.001, 1.0)]
    assert ["3", "0.25"] == [quantity_text(3.0, "count"), quantity_text(0.25, "number")]


def test_equal_names_are_numbered():
    assert ["a", "a-2", "b", "a-3"] == [
        of.name for of in with_unique_names(tuple(replace(P95, name=name) for name in ("a", "a", "b", "a")))
    ]


def test_near_misses():
    assert ["response_time", "pool_use", "error_ratio", "response_time", None] == [
        nearest_metric(word) for word in ("Response-Time", "pool_usage", "eror_ratio", "latency", "qqqq")
    ]
