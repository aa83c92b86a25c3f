"""A judged run becomes a record that later runs can be compared with, and that can be judged under other gates."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from harness.columns import Columns
from harness.conclude import Conclusion
from harness.gate_syntax import parse_gate
from harness.history.store import open_history, read_records
from harness.history_model import HistoryRecord, Metric
from harness.judge.evidence import Evidence
from harness.judge.gates import judge
from harness.model import PENDING_ROUTE, RunState, Status, Target, TargetKind
from harness.recording import record_of, record_of_path, record_run, work_digest
from harness.rundir import RunDirectory, encode
from tests.harness.results import INDEX, fleet, result_of, run_of, summary_of


def conclusion(columns: Columns | None = None, **other: object) -> Conclusion:
    polls = fleet() if columns is None else columns
    return Conclusion(result=result_of(polls, **other), columns=polls, ticks=())  # type: ignore[arg-type]


def judged(polls: Columns, *texts: str) -> Conclusion:
    """Judge these polls by these gates."""
    made = conclusion(polls)
    evidence = Evidence(
        summary=made.result.summary,
        columns=polls,
        agents=50,
        interval_s=10.0,
        server=made.result.server,
        indexes=made.result.indexes,
        ticks=(),
        interrupted=False,
    )
    verdict = judge([parse_gate(text) for text in texts], evidence)
    return replace(made, result=replace(made.result, verdict=verdict))


def figure(record: HistoryRecord, metric: str, quantile: float | None = None) -> Metric:
    (found,) = (m for m in record.metrics if (m.metric, m.quantile) == (metric, quantile))
    return found


def test_a_record_says_what_was_run_where_and_how_it_went() -> None:
    record = record_of(conclusion(), report="../run/report.html")
    run = run_of()
    assert (run.id, run.started_utc, "harness", run.commit, False) == (
        record.id,
        record.at_utc,
        record.source,
        record.commit,
        record.dirty,
    )
    assert (Status.PASS, True, (), "0.1.0", "../run/report.html") == (
        record.status,
        record.complete,
        record.notes,
        record.version,
        record.report,
    )
    assert ("5c1d7ab2", "agent-polling") == (record.environment_key, record.scenario)
    assert {"cpu", "cores", "python", "platform", "locust"} <= record.environment.keys()
    assert "embedded, sqlite 3.45.1, 100,000 deployments" == record.target


def test_figures_carry_what_their_gates_said() -> None:
    made = conclusion()
    record = record_of(made)
    p95 = figure(record, "response_time", 0.95)
    assert (made.result.summary.response_time.p95, "s", 0.2, 0) == (
        p95.value,
        p95.unit,
        p95.limit,
        p95.exceedances,
    )
    assert (p95.interval is not None, p95.n) == (True, 300)
    assert None is figure(record, "service_time", 0.95).limit
    assert (0.01, "ratio") == (figure(record, "error_ratio").limit, figure(record, "error_ratio").unit)
    (index,) = (m for m in record.metrics if m.metric == "index")
    assert (INDEX, 1.0) == (index.subject, index.value)
    assert 6 / 40 == figure(record, "pool_use").value
    assert {"handler_time", "query_time", "pool_wait"} <= {m.metric for m in record.metrics}
    names = [(m.subject, m.metric, m.quantile) for m in record.metrics]
    assert len(names) == len(set(names))


def test_each_kind_of_error_is_a_figure_of_its_own() -> None:
    """A gate on one kind of error says nothing of all of them."""
    texts = ("error_ratio(timeout) < 1%", "errors(http-5xx) < 3", "errors(timeout) < 100", "answers(404) == 0")
    record = record_of(judged(fleet(failing_ratio=0.1), *texts))
    every = figure(record, "error_ratio")
    failed = figure(record, "errors(http-5xx)").value
    assert (None, None) == (every.limit, every.interval)
    assert (0.0, 0.01) == (
        figure(record, "error_ratio(timeout)").value,
        figure(record, "error_ratio(timeout)").limit,
    )
    assert (failed, 3.0) == ((every.value or 0) * (every.n or 0), figure(record, "errors(http-5xx)").limit)
    assert (0.0, 100.0) == (figure(record, "errors(timeout)").value, figure(record, "errors(timeout)").limit)
    assert 0.0 == figure(record, "answers(404)").value
    assert not {"errors", "answers"} & {m.metric for m in record.metrics}


@pytest.mark.parametrize(
    "asked",
    [
        *("errors", "errors(http-5xx)", "errors(timeout)", "error_ratio(http-500)", "missed", "lock_step_index"),
        *("answers", "answers(200)", "answers(5xx)"),
    ],
)
def test_what_a_gate_against_the_baseline_asks_for_is_what_a_limit_would_be_held_to(asked: str) -> None:
    polls = fleet(failing_ratio=0.1, error_kinds=("http-500", "timeout"))
    limit = "50%" if asked.startswith("error_ratio") else "1000000"
    worse = "> -10%" if asked.startswith("answers") else "< +10%"
    known = figure(record_of(judged(polls, f"{asked} < {limit}")), asked)
    found = figure(record_of(judged(polls, f"{asked} vs baseline {worse}")), asked)
    assert None is not found.value
    assert (known.value, known.unit, None) == (found.value, found.unit, found.limit)


def with_route(made: Conclusion, route: str, polls: Columns) -> Conclusion:
    return replace(made, result=replace(made.result, routes={**made.result.routes, route: summary_of(polls)}))


def test_other_routes_are_recorded_in_few_figures() -> None:
    """A service may have many of them, and a record is kept for good."""
    polls = fleet(failing_ratio=0.02, seed=2)
    summary = summary_of(polls)
    record = record_of(with_route(conclusion(), "GET /api/agents", polls))
    times, ratio = summary.response_time, summary.failed / summary.sent
    assert {
        ("response_time", 0.5): times.p50,
        ("response_time", 0.95): times.p95,
        ("response_time", 0.99): times.p99,
        ("error_ratio", None): ratio,
    } == {(m.metric, m.quantile): m.value for m in record.metrics if m.subject == "GET /api/agents"}


@pytest.mark.parametrize("route", ["/api/agents", "GET /api/agents"])
@pytest.mark.parametrize(
    ("asked", "metric"),
    [("service_time p(95)", "service_time"), ("errors(timeout)", "errors(timeout)"), ("errors", "errors")],
)
def test_what_a_gate_asks_of_another_route_is_recorded_as_that_routes(route: str, asked: str, metric: str) -> None:
    polls = fleet(failing_ratio=0.1, error_kinds=("http-500", "timeout"), seed=2)
    made = judged(fleet(), f"{route}: {asked} vs baseline < +10%")
    record = record_of(with_route(made, "GET /api/agents", polls))
    summary = summary_of(polls)
    expected = {
        "service_time": summary.service_time.p95,
        "errors(timeout)": summary.errors_by_kind["timeout"],
        "errors": summary.failed,
    }
    assert [("GET /api/agents", expected[metric])] == [
        (m.subject, m.value) for m in record.metrics if m.metric == metric and m.subject != PENDING_ROUTE
    ]


def test_a_gate_with_the_method_is_about_the_polled_route() -> None:
    record = record_of(judged(fleet(), f"GET {PENDING_ROUTE}: p(95) < 150ms"))
    assert 0.15 == figure(record, "response_time", 0.95).limit


def test_the_distributions_can_be_judged_under_a_new_limit() -> None:
    made = conclusion(fleet(failing_ratio=0.1))
    record = record_of(made)
    (held,) = (d for d in record.distributions if d.metric == "response_time")
    seen = made.columns.window(10, 70)
    failed = int((~seen.ok).sum())
    assert (len(seen), failed, len(seen) - failed) == (held.n, held.failures, held.histogram.n)
    assert (held.tau or 0) >= 1
    limit_s = 0.006
    slow = int((seen.response_time_s[seen.ok] >= limit_s).sum())
    assert slow <= held.histogram.count_at_least(limit_s) <= slow + 8
    assert math.isinf(figure(record, "response_time", 0.99).value or 0)


def test_a_run_without_a_poll_is_a_record_all_the_same() -> None:
    record = record_of(conclusion(fleet(agents=0)))
    assert Status.INCONCLUSIVE is record.status
    assert {"handler_time"} & {d.metric for d in record.distributions} == set()
    assert all(m.value is not None or m.limit is not None for m in record.metrics)


def test_a_run_that_was_cut_off_is_no_baseline() -> None:
    cut = conclusion(run=run_of(state=RunState.INTERRUPTED))
    assert (False, ("The run was interrupted: it is no baseline.",)) == (
        record_of(cut).complete,
        record_of(cut).notes,
    )
    killed = conclusion(run=run_of(state=RunState.RUNNING))
    assert ("The run ended before its time: it is no baseline.",) == record_of(killed).notes


def test_a_folder_of_any_name_gives_an_id() -> None:
    record = record_of(conclusion(run=run_of(id="my run (1)")))
    assert record.id.startswith("20261123T083000Z-")
    assert record.id == record_of(conclusion(run=run_of(id="my run (1)"))).id


def test_runs_of_other_targets_are_other_work() -> None:
    run = run_of()
    attached = Target(kind=TargetKind.ATTACHED, url="http://a.example", database="sqlite 3.45.1")
    digests = [
        work_digest(run),
        work_digest(run_of(target=replace(run.target, deployments=1000))),
        work_digest(run_of(target=replace(run.target, database="postgresql 18.6"))),
        work_digest(run_of(target=attached)),
        work_digest(run_of(target=replace(attached, url="http://b.example"))),
        work_digest(run_of(target=replace(run.target, pool_size=2))),
        work_digest(run_of(target=replace(run.target, design="common"))),
        work_digest(replace(run, keep_alive=False)),
    ]
    assert len(digests) == len(set(digests))
    same = [
        replace(run.target, url="http://127.0.0.1:2"),
        replace(run.target, version="2", delay_s=0.6, error_ratio=0.1),
        replace(run.target, hold_s=0.04, dropped_index=INDEX),
        replace(run.target, database="sqlite 3.46.0"),
    ]
    assert {work_digest(run)} == {work_digest(run_of(target=target)) for target in same}
    grown = replace(attached, deployments=5)
    assert work_digest(run_of(target=attached)) == work_digest(run_of(target=grown))


def test_a_fault_that_was_injected_is_told_and_settings_are_none() -> None:
    target = run_of().target
    spoilt = replace(target, delay_s=0.6, error_ratio=0.05, hold_s=0.04, dropped_index="idx_a")
    told = "delayed by 0.6 s, 5.00% artificial errors, connections held 0.04 s, without idx_a"
    record = record_of(conclusion(run=run_of(target=spoilt)))
    assert told == record.injected
    assert (f"A fault was put into the target on purpose ({told}): the run is no baseline.",) == record.notes
    assert record.target is not None
    assert record.target.endswith(told)
    other = record_of(conclusion(run=run_of(target=replace(target, pool_size=2, design="common"))))
    assert (None, ()) == (other.injected, other.notes)
    assert other.target is not None
    assert other.target.endswith("pool of 2, design common")


def test_a_run_is_kept_with_a_link_to_its_report(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "runs" / "one")
    recording = record_run(conclusion(), directory, tmp_path / "runs" / "history")
    assert None is recording.fault
    (kept,) = read_records(open_history(tmp_path / "runs" / "history")).records
    assert ("../one/report.html", recording.record) == (kept.report, kept)


def test_a_history_that_can_not_be_written_is_a_fault_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = record_run(conclusion(), RunDirectory(tmp_path), tmp_path / "file")
    assert None is recording.record
    assert "is a file, need a folder" in str(recording.fault)
    recording = record_run(conclusion(), RunDirectory(tmp_path), "postgresql://u:secret@127.0.0.1:1/x")
    assert "secret" not in f"{recording.fault}{recording.where}"


def test_a_result_alone_is_a_record_without_the_clients_distributions(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(encode(conclusion().result))
    history = open_history(tmp_path / "history")
    record = record_of_path(path, history)
    assert ({"handler_time", "query_time", "pool_wait"}, None) == (
        {d.metric for d in record.distributions},
        record.report,
    )
    assert PENDING_ROUTE in {m.subject for m in record.metrics}


@pytest.mark.parametrize("quantile", [0.5, 0.95, 0.99])
def test_quantiles_of_the_record_are_those_of_the_result(quantile: float) -> None:
    made = conclusion()
    expected = getattr(made.result.summary.response_time, f"p{quantile * 100:.0f}")
    assert expected == figure(record_of(made), "response_time", quantile).value
