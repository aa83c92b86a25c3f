"""The samples of a run that goes on, and what the gates say of them."""

import json
from dataclasses import replace

import pytest

from harness.cli import main
from harness.gate_syntax import parse_gate
from harness.model import PENDING_ROUTE, GeneratorTick, Sample, SampleHeader, Status
from harness.rundir import RunDirectory, encode, read_run
from harness.scenario import make_scenario
from harness.watching import RunWatch

HEADER = SampleHeader(
    schema_version=1,
    origin_utc="2026-11-23T08:00:00+00:00",
    host="http://127.0.0.1:8000",
    scenario="agent-polling",
    agents=50,
    interval_s=1.0,
    seed=1,
    phase_model="uniform",
)
SCENARIO = make_scenario(
    name="agent-polling",
    agents=50,
    interval_s=1.0,
    run_time_s=60.0,
    warmup_s=1.0,
    phase_model="uniform",
    seed=1,
)
GATE = parse_gate("p95 < 200ms, abort_on_fail")


def polls(seconds, *, took_s, name=PENDING_ROUTE):
    for i in range(seconds * 50):
        start_s = i / 50
        yield Sample(
            agent=f"node-{i % 50}",
            name=name,
            method="GET",
            intended_start_s=start_s,
            start_s=start_s,
            end_s=start_s + took_s + i % 17 / 1000,
            status=200,
            error=None,
            bytes_in=2,
            new_connection=False,
            request_id=None,
        )


def watch(folder, *gates, settling=False, since_s=lambda: 1.0):
    directory = RunDirectory(folder)
    directory.samples.write_bytes(encode(HEADER) + b"\n")
    return RunWatch(gates, SCENARIO, directory, settling=settling, since_s=since_s)


def fed(of, samples):
    for sample in samples:
        of.take(sample)
    return of


def test_a_run_whose_gate_has_surely_failed_need_not_go_on(tmp_path):
    stop = fed(watch(tmp_path, GATE), polls(10, took_s=0.4)).look(10.0)
    assert (Status.FAIL, ("p95",), 10.0) == (stop.status, stop.gates, stop.judged_until_s)


def test_a_healthy_run_goes_on_and_ends_when_it_is_settled_where_that_was_asked_for(tmp_path):
    assert None is fed(watch(tmp_path, GATE), polls(10, took_s=0.01)).look(10.0)
    settled = fed(watch(tmp_path, GATE, settling=True), polls(10, took_s=0.01)).look(10.0)
    assert (Status.PASS, 8.0) == (settled.status, settled.judged_until_s)


def test_samples_are_taken_in_between_looks(tmp_path):
    of = watch(tmp_path, GATE)
    given = list(polls(20, took_s=0.4))
    assert None is fed(of, [replace(s, end_s=s.start_s + 0.01) for s in given[:300]]).look(6.0)
    assert Status.FAIL is fed(of, given[300:]).look(20.0).status


def test_nobody_watches_what_no_gate_could_end(tmp_path):
    of = watch(tmp_path, replace(GATE, abort_on_fail=False))
    assert of.is_idle
    assert None is fed(of, polls(10, took_s=0.4)).look(10.0)


def test_an_outage_is_waited_for(tmp_path):
    assert None is fed(watch(tmp_path, GATE, since_s=lambda: None), polls(10, took_s=0.4)).look(10.0)


def test_the_generators_own_pauses_end_no_run(tmp_path):
    of = fed(watch(tmp_path, GATE), polls(10, took_s=0.4))
    ticks = [GeneratorTick(t_s=float(t), cpu_ratio=1.0, loop_lag_s=0.5, rss_bytes=1) for t in range(1, 12)]
    RunDirectory(tmp_path).generator.write_bytes(b"\n".join(map(encode, ticks)))
    assert None is of.look(10.0)


def test_gates_on_another_route_are_watched_too(tmp_path):
    gate = parse_gate("GET /slow: p95 < 200ms, abort_on_fail")
    of = fed(watch(tmp_path, gate), polls(10, took_s=0.01))
    stop = fed(of, polls(10, took_s=0.4, name="/slow")).look(10.0)
    assert ("GET /slow p95",) == stop.gates


@pytest.mark.slow
def test_a_real_run_ends_when_its_gate_has_surely_failed(tmp_path, capsys):
    """Fifty agents poll a target that takes 400 ms: a plan of a minute and a half ends in seconds, with a FAIL."""
    arguments = ["run", "--deployments", "200", "--interval", "1s", "--run-time", "90s", "--target-delay", "400ms"]
    arguments += ["--gate", "p95 < 200ms, abort_on_fail", "--out", str(tmp_path), "--no-history", "--json"]
    assert 3 == main(arguments)
    result = json.loads(capsys.readouterr().out)
    stop = result["run"]["stop"]
    assert ("FAIL", ["p95"]) == (stop["status"], stop["gates"])
    assert stop["judged_until_s"] < 45
    assert (
        "the targets of the specification (8 gates), command line (1 gate, in place of p95)"
        == result["gates_from"]
    )
    assert [f"{stop['reason']}."] == [text for text in result["warnings"] if text.startswith("The run was ended")]
    (folder,) = tmp_path.iterdir()
    assert "finished" == read_run(RunDirectory(folder)).state
