"""`harness compare` as a user runs it, over records in a history, and the gates against a baseline."""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.cli import main
from harness.comparison.differences import differences
from harness.comparison.figures import value_of
from harness.comparison.gates import compare_gates
from harness.gate_syntax import parse_gate
from harness.history.store import open_history
from harness.history_model import Acceptance, Distribution, HistoryRecord, Metric
from harness.judge.metrics import EVALUATORS
from harness.model import PENDING_ROUTE, Direction, Gate, Status
from monitoring.histogram import Histogram


def metric(
    value, *, name="response_time", quantile=0.95, unit="s", direction=Direction.BELOW, subject=PENDING_ROUTE
):
    return Metric(subject=subject, metric=name, quantile=quantile, value=value, unit=unit, direction=direction)


def record(number, p95_s=0.1, **changes):
    whole = {
        "schema_version": 1,
        "id": f"20260101T{number // 60:02d}{number % 60:02d}00Z-{number:04x}",
        "at_utc": f"2026-01-01T{number // 60:02d}:{number % 60:02d}:00Z",
        "source": "harness",
        "commit": f"{number:040x}",
        "dirty": False,
        "environment_key": "here",
        "environment": {"python": "CPython 3.11.9"},
        "scenario": "agent-polling",
        "scenario_digest": "aaa",
        "target": "embedded",
        "status": Status.PASS,
        "metrics": (metric(p95_s), metric(0.0, name="error_ratio", quantile=None, unit="ratio")),
    }
    return HistoryRecord(**(whole | changes))


def values(n, *, seed=1, level=0.1):
    return (level * np.exp(np.random.default_rng(seed).normal(0, 0.03, n))).tolist()


@pytest.fixture
def history(tmp_path):
    return open_history(tmp_path / "history")


def fill(history, many):
    for one in many:
        history.add(one)


def run(capsys, history, *words):
    code = main(["compare", "--history", history.where, *words])
    shown = capsys.readouterr()
    assert "" == shown.err
    return code, shown.out


def baseline_and(history, contender, n=20):
    fill(history, [record(i, v) for i, v in enumerate(values(n))])
    history.add(contender)
    return contender.id


@pytest.mark.parametrize(("p95_s", "code"), [(0.1, 0), (0.14, 3), (0.1085, 4)])
def test_a_run_is_compared_with_the_history(capsys, history, p95_s, code):
    name = baseline_and(history, record(100, p95_s))
    found, shown = run(capsys, history, "--contender", name)
    assert code == found
    assert "runs          20 in the baseline, 1 contender." in shown
    assert {0: "PASS", 3: "FAIL", 4: "INCONCLUSIVE"}[code] in shown.splitlines()[-1]


def test_the_baseline_begins_after_the_last_change(capsys, history):
    """An older level, twice as slow, would let a regression pass."""
    slow = [record(i, v) for i, v in enumerate(values(20, level=0.2))]
    fill(history, [*slow, *(record(20 + i, v) for i, v in enumerate(values(12, seed=2)))])
    history.add(record(100, 0.15))
    code, shown = run(capsys, history, "--contender", record(100).id, "--json")
    (p95, _) = json.loads(shown)["comparisons"]
    assert (3, "FAIL", 12) == (code, p95["status"], p95["baseline_n"])


def test_an_unaccepted_regression_in_the_baseline_is_said(capsys, history):
    fast = [record(i, v) for i, v in enumerate(values(20))]
    fill(history, [*fast, *(record(20 + i, v) for i, v in enumerate(values(12, seed=2, level=0.2)))])
    history.add(record(100, 0.2))
    told = json.loads(run(capsys, history, "--contender", record(100).id, "--json")[1])
    (warning,) = told["warnings"]
    assert warning.startswith(f"The baseline of {PENDING_ROUTE} response_time p95 begins at {record(20).id}")
    assert warning.endswith("with a regression that nobody accepted.")
    history.add_acceptance(
        Acceptance(
            schema_version=1,
            id="20260102T000000Z-aaaa",
            at_utc="2026-01-02T00:00:00Z",
            series="*",
            record=record(20).id,
            reason="wanted",
        )
    )
    assert [] == json.loads(run(capsys, history, "--contender", record(100).id, "--json")[1])["warnings"]


def test_runs_that_do_not_belong_are_left_out_by_name(capsys, history):
    odd = [
        record(30, complete=False),
        record(31, scenario="other"),
        record(32, environment_key="there"),
        record(33, status=Status.INVALID),
    ]
    fill(history, odd)
    name = baseline_and(history, record(100))
    left_out = json.loads(run(capsys, history, "--contender", name, "--json")[1])["left_out"]
    assert [
        "it did not come to its end",
        "it is of another scenario: other instead of agent-polling",
        "it was made on another kind of machine, or with another Python",
        "its load generator was at fault",
    ] == [left_out[one.id] for one in odd]


def test_later_runs_are_no_baseline(capsys, history):
    fill(history, [record(200 + i, v) for i, v in enumerate(values(20))])
    name = baseline_and(history, record(100), n=5)
    told = json.loads(run(capsys, history, "--contender", name, "--json")[1])
    assert [record(i).id for i in range(5)] == told["baseline"]


def test_named_runs_are_the_baseline(capsys, history):
    fill(history, [record(i, v) for i, v in enumerate(values(5))])
    history.add(record(100, 0.2))
    names = [record(i).id for i in range(4)]
    code, shown = run(capsys, history, "--baseline", *names, "--contender", record(100).id)
    assert 3 == code
    assert "4 in the baseline" in shown


@pytest.mark.parametrize("n", [0, 1])
def test_without_a_baseline_nothing_can_be_said(capsys, history, n):
    name = baseline_and(history, record(100), n=n)
    code, shown = run(capsys, history, "--contender", name)
    assert 4 == code
    assert ("there is no baseline" if n == 0 else "1 run can't tell how far runs lie apart") in shown


def test_a_contender_that_is_not_there_is_named(capsys, history, tmp_path):
    code, shown = run(capsys, history, "--contender", "nix", str(tmp_path))
    assert 4 == code
    assert "neither a run's folder nor a record" in shown
    assert "no run's folder" in shown
    assert "INCONCLUSIVE  Nothing could be compared." in shown


@pytest.mark.parametrize("short", ["latest", record(100).id[:-2]])
def test_a_contender_goes_by_its_short_name(capsys, history, short):
    name = baseline_and(history, record(100))
    code, shown = run(capsys, history, "--contender", short, "--json")
    assert (0, [name]) == (code, json.loads(shown)["contenders"])


def test_a_history_that_can_t_be_read_is_not_one_without_the_run(capsys, tmp_path):
    (tmp_path / "history.db").write_text("no database, and long enough to be seen as none")
    words = ["--history", f"sqlite:///{tmp_path}/history.db", "--contender", "20260101"]
    assert 4 == main(["compare", *words])
    shown = " ".join(capsys.readouterr().out.split())
    assert "can't be used: file is not a database" in shown
    assert "neither" not in shown


def test_a_contender_that_did_not_end_is_not_judged(capsys, history):
    name = baseline_and(history, record(100, complete=False))
    code, shown = run(capsys, history, "--contender", name)
    assert 4 == code
    assert "as a contender: it did not come to its end." in " ".join(shown.split())


def test_a_failed_figure_is_endless_in_json(capsys, history):
    name = baseline_and(history, record(100, float("inf")))
    code, shown = run(capsys, history, "--contender", name, "--json")
    assert (3, "inf") == (code, json.loads(shown)["comparisons"][0]["contender"])


def test_nan_and_missing_figures_are_left_out(capsys, history):
    fill(history, [record(i, v) for i, v in enumerate([None, float("nan"), *values(10)])])
    history.add(record(100))
    told = json.loads(run(capsys, history, "--contender", record(100).id, "--json")[1])
    assert 10 == told["comparisons"][0]["baseline_n"]
    name = record(101, metrics=()).id
    history.add(record(101, metrics=()))
    code, shown = run(capsys, history, "--contender", name)
    assert 4 == code
    assert "the contender has none that was asked for" in shown


def test_units_are_brought_together(capsys, history):
    milliseconds = [record(i, metrics=(metric(1000 * v, unit="ms"),)) for i, v in enumerate(values(12))]
    fill(history, milliseconds)
    history.add(record(100, 0.1))
    code, shown = run(capsys, history, "--contender", record(100).id, "--metric", "response_time")
    assert 0 == code, shown


def test_differences_are_named_first(capsys, history):
    name = baseline_and(history, record(100, environment={"python": "CPython 3.12.1"}, dirty=True))
    shown = " ".join(run(capsys, history, "--contender", name)[1].split())
    assert shown.startswith("differs python: CPython 3.11.9 in the baseline, CPython 3.12.1 in the contender.")
    assert "uncommitted changes: 1 of 1 contenders had them on top of 000000000000." in shown


def test_many_values_of_one_fact_are_counted():
    baseline = [record(i, version=str(i)) for i in range(6)]
    (told,) = differences(baseline, [record(100, version="9")])
    assert told == "version of the target: 0 or 1 or 2 or 3 or 2 others in the baseline, 9 in the contender."
    assert () == differences([], [record(1)])


def test_a_control_is_used(capsys, history):
    pairs = zip(values(20, seed=4, level=1.0), np.random.default_rng(5).normal(2, 0.01, 20).tolist(), strict=True)
    frozen = [
        record(i, metrics=(metric(v), metric(v * twice, subject="frozen"))) for i, (v, twice) in enumerate(pairs)
    ]
    fill(history, frozen)
    history.add(record(100, metrics=(metric(1.3), metric(2.6, subject="frozen"))))
    code, shown = run(capsys, history, "--contender", record(100).id, "--control", "frozen", "--json")
    (one,) = json.loads(shown)["comparisons"]
    assert "frozen" == one["control"]
    assert 3 != code


def test_patterns_that_fit_nothing_are_named(capsys, history):
    """A mistyped control would leave the machine's doing to the code, and nobody would know."""
    name = baseline_and(history, record(100))
    words = ["--metric", "respons_time", "--metric", "error_*", "--control", "frozen", "--json"]
    told = json.loads(run(capsys, history, "--contender", name, *words)[1])
    assert {
        "metric 'respons_time'": "fits no figure that was measured; did you mean 'response_time'",
        "control 'frozen'": "fits no figure that was measured",
    } == told["left_out"]
    assert ["error_ratio"] == [one["metric"] for one in told["comparisons"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "ten"], "option '--limit': not a ratio"),
        (["--confidence", "100%"], "option '--confidence': out of range, got 100%, need 50% to below 100%"),
    ],
)
def test_options_that_can_t_work_are_named(capsys, history, words, said):
    assert 2 == main(["compare", "--history", history.where, "--contender", "x", *words])
    assert said in capsys.readouterr().err


def test_a_narrow_or_plain_terminal_gets_blocks_in_ascii(capsys, history, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    name = baseline_and(history, record(100, 0.14))
    shown = run(capsys, history, "--contender", name)[1]
    assert "p95  FAIL" in shown
    assert max(map(len, shown.splitlines()[:-1])) <= 50


GATE = Gate(
    name="p95-vs-baseline",
    metric="response_time",
    subject=PENDING_ROUTE,
    limit=0.10,
    unit="ratio",
    quantile=0.95,
    against_baseline=True,
)


def test_gates_against_a_baseline_get_their_comparison(history):
    fill(history, [record(i, v) for i, v in enumerate(values(20))])
    told, warnings = compare_gates(
        [GATE, replace(GATE, name="p95", against_baseline=False)], record(100, 0.2), history.where
    )
    assert ["p95-vs-baseline"] == list(told)
    assert (Status.FAIL, 20, "s") == (told["p95-vs-baseline"].status, told["p95-vs-baseline"].baseline_n, "s")
    assert () == warnings


def of_errors(number, every, timeouts=None):
    told = {"error_ratio": every, "error_ratio(timeout)": timeouts}
    figures = [metric(value, name=name, quantile=None, unit="ratio") for name, value in told.items()]
    return record(number, metrics=tuple(one for one in figures if one.value is not None))


def test_a_gate_on_one_kind_of_error_is_held_against_that_kind(history):
    """Fewer errors in all, and all of them time-outs."""
    spread = values(20, level=0.05)
    fill(history, [of_errors(i, 2 * v, 0.1 * v) for i, v in enumerate(spread)])
    gate = parse_gate("error_ratio(timeout) vs baseline < +10%")
    told = compare_gates([gate], of_errors(100, 0.05, 0.05), history.where)[0][gate.name]
    assert (Status.FAIL, "error_ratio(timeout)", "ratio") == (told.status, told.metric, told.unit)
    assert (pytest.approx(np.mean(spread) * 0.1), 0.05) == (told.baseline, told.contender)


def test_runs_that_did_not_tell_the_kinds_apart_are_no_baseline_of_one(history):
    fill(history, [of_errors(i, v) for i, v in enumerate(values(20))])
    gate = parse_gate("error_ratio(timeout) vs baseline < +10%")
    told = compare_gates([gate], of_errors(100, 0.1, 0.1), history.where)[0][gate.name]
    assert Status.INCONCLUSIVE is told.status
    assert told.reason.startswith("there is no baseline")
    assert told.reason.endswith("; 20 runs of the baseline had no usable value")


@pytest.mark.parametrize("route", ["/api/agents", "GET /api/agents"])
def test_a_gate_on_another_route_is_held_against_that_route(history, route):
    def one(number, p95_s):
        return record(number, metrics=(metric(0.1), metric(p95_s, subject="GET /api/agents")))

    fill(history, [one(i, v) for i, v in enumerate(values(20, level=0.2))])
    gate = parse_gate(f"{route}: p(95) vs baseline < +10%")
    told = compare_gates([gate], one(100, 0.3), history.where)[0][gate.name]
    assert (Status.FAIL, "GET /api/agents", 0.3) == (told.status, told.subject, pytest.approx(told.contender))


@pytest.mark.parametrize(
    ("text", "fault", "remedy"),
    [
        (
            "GET /api/agents: p(90) vs baseline < +10%",
            "response_time p90 of GET /api/agents",
            "a figure of it that the record holds: response_time p95, error_ratio",
        ),
        (
            "/api/agent: errors(timeout) vs baseline < +10%",
            "errors(timeout) of /api/agent",
            f"a gate on what the record holds figures of: {PENDING_ROUTE}, GET /api/agents, POST /api/agents",
        ),
        (
            "/api/agents: p(95) vs baseline < +10%",
            "response_time p95 of /api/agents",
            f"a gate on what the record holds figures of: {PENDING_ROUTE}, GET /api/agents, POST /api/agents",
        ),
    ],
)
def test_a_figure_that_no_record_holds_is_named(history, text, fault, remedy):
    of_get = (metric(0.1, subject="GET /api/agents"),)
    of_get += (metric(0.1, name="error_ratio", quantile=None, unit="ratio", subject="GET /api/agents"),)
    contender = record(100, metrics=(metric(0.1), *of_get, metric(0.1, subject="POST /api/agents")))
    fill(history, [record(i) for i in range(5)])
    gate = parse_gate(text)
    told = compare_gates([gate], contender, history.where)[0][gate.name]
    assert Status.INCONCLUSIVE is told.status
    assert f"nothing to compare: the run's record holds no {fault}" == told.reason
    assert remedy == told.remedy


@pytest.mark.parametrize(
    ("contender", "has_history", "reason"),
    [
        (record(100), False, "nothing to compare with: no history is kept"),
        (record(100, complete=False), True, "nothing to compare with: the run did not come to its end"),
        (record(100), True, "there is no baseline: 3 are needed, 10 are good"),
    ],
)
def test_a_gate_without_a_baseline_is_inconclusive(history, contender, has_history, reason):
    told, _ = compare_gates([GATE], contender, history.where if has_history else None)
    assert (Status.INCONCLUSIVE, reason) == (told[GATE.name].status, told[GATE.name].reason)


def test_a_history_that_can_t_be_read_costs_no_traceback(tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    told, _ = compare_gates([GATE], record(100), str(file))
    assert Status.INCONCLUSIVE is told[GATE.name].status
    assert told[GATE.name].reason.startswith("nothing to compare with: ")


def test_no_gate_against_a_baseline_reads_nothing():
    assert ({}, ()) == compare_gates([replace(GATE, against_baseline=False)], record(1), "/nowhere")


def test_a_quantile_that_was_not_told_is_read_off_the_distribution():
    distribution = Distribution(
        subject=PENDING_ROUTE,
        metric="response_time",
        unit="s",
        n=100,
        failures=4,
        tau=None,
        histogram=Histogram.of([0.01] * 90 + [0.2] * 6),
    )
    one = record(1, metrics=(), distributions=(distribution,))
    assert pytest.approx(0.01, rel=0.02) == value_of(one, (PENDING_ROUTE, "response_time", 0.5))
    assert pytest.approx(0.2, rel=0.02) == value_of(one, (PENDING_ROUTE, "response_time", 0.95))
    assert float("inf") == value_of(one, (PENDING_ROUTE, "response_time", 0.99))
    assert value_of(one, (PENDING_ROUTE, "error_ratio", None)) is None
    assert "response_time" in EVALUATORS
