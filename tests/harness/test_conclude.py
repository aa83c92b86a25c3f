"""From stored samples to a stored result."""

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.conclude import conclude, conclude_again, draw, write_gates
from harness.errors import HarnessError
from harness.gatefiles import choose_gates
from harness.model import (
    PENDING_ROUTE,
    SCHEMA_VERSION,
    EarlyStop,
    GeneratorTick,
    Sample,
    SampleHeader,
    Status,
)
from harness.rundir import RunDirectory, encode, read_result

SHARED = "http://127.0.0.1:8000/api/agents has 3 agents for 50 users: several users poll with the same id"


def stored_run(folder: Path, **header: object) -> RunDirectory:
    """Write what plain Locust leaves of one poll."""
    values = {
        "schema_version": SCHEMA_VERSION,
        "origin_utc": datetime.datetime(2026, 11, 23, 8, tzinfo=datetime.UTC).isoformat(),
        "host": "http://127.0.0.1:8000",
        "scenario": "agent-polling",
        "agents": 50,
        "interval_s": 10.0,
        "seed": 1,
        "phase_model": "uniform",
    }
    sample = Sample(
        agent="node-0",
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=0.1,
        start_s=0.1,
        end_s=0.2,
        status=200,
        error=None,
        bytes_in=2,
        new_connection=True,
        request_id=None,
    )
    directory = RunDirectory(folder)
    lines = (encode(SampleHeader(**(values | header))), encode(sample))
    directory.samples.write_bytes(b"".join(line + b"\n" for line in lines))
    return directory


def test_what_the_fleet_warned_of_stands_in_the_result(tmp_path: Path) -> None:
    """A fleet of fifty users with three ids is told where the verdict is told, and not in locust.log alone."""
    directory = stored_run(tmp_path, warnings=(SHARED,))
    conclusion = conclude_again(tmp_path)
    assert SHARED == conclusion.result.warnings[0]
    assert SHARED == read_result(directory).warnings[0]
    assert None is draw(conclusion, directory)
    assert f"{SHARED}." in directory.report.read_text(encoding="utf-8")


def add_polls(directory: RunDirectory, *starts_s: float) -> None:
    """Add polls like the first at other instants."""
    first = directory.samples.read_bytes().splitlines()[1]
    with directory.samples.open("ab") as file:
        for at_s in starts_s:
            line = first.replace(b'"start_s":0.1', f'"start_s":{at_s}'.encode())
            line = line.replace(b'"intended_start_s":0.1', f'"intended_start_s":{at_s}'.encode())
            file.write(line.replace(b'"end_s":0.2', f'"end_s":{at_s + 0.1}'.encode()) + b"\n")


@pytest.mark.parametrize(
    ("run_time_s", "last_tick_s", "end_s"),
    [
        (25.0, 24.4, 25.0),  # ended as planned
        (25.0, 31.0, 25.0),  # and answers were waited for
        (60.0, 24.4, 24.4),  # ended by hand
        (None, 24.4, 24.4),  # until somebody ends it
        (60.0, 58.0, 60.0),
        (None, None, 20.1),  # a file of before: nothing tells but the last polls, which end it
    ],
)
def test_plain_locust_has_its_warm_up_and_its_whole_time(
    tmp_path: Path, run_time_s: float | None, last_tick_s: float | None, end_s: float
) -> None:
    """Agents that poll at once every five seconds leave five seconds without a poll before the end."""
    interval_s = 40.0 if last_tick_s == 58.0 else 5.0
    directory = stored_run(tmp_path, interval_s=interval_s, warmup_s=6.0, run_time_s=run_time_s)
    add_polls(directory, 5.1, 10.1, 15.1, 20.1)
    if last_tick_s is not None:
        ticks = (
            GeneratorTick(t_s=at_s, cpu_ratio=0.1, loop_lag_s=0.0, rss_bytes=1) for at_s in (1.0, last_tick_s)
        )
        directory.generator.write_bytes(b"".join(encode(tick) + b"\n" for tick in ticks))
    result = conclude_again(tmp_path).result
    assert (end_s, 6.0) == (result.run.scenario.run_time_s, result.run.scenario.warmup_s)
    assert (2 if last_tick_s is None else 3) == result.summary.sent


@pytest.mark.parametrize("keep_alive", [True, False])
def test_the_target_is_blamed_only_for_connections_that_it_closed(tmp_path: Path, *, keep_alive: bool) -> None:
    """With --keep-alive off every poll asks for the close of its connection, whatever the target would do."""
    directory = stored_run(tmp_path, keep_alive=keep_alive)
    add_polls(directory, *(k + 0.1 for k in range(1, 20)))
    conclusion = conclude_again(tmp_path)
    assert (1.0, keep_alive) == (
        conclusion.result.summary.new_connections_per_poll,
        conclusion.result.run.keep_alive,
    )
    blamed = [warning for warning in conclusion.result.warnings if "idle ones were closed" in warning]
    assert keep_alive == bool(blamed)
    assert None is draw(conclusion, directory)
    assert keep_alive == ("idle ones were closed" in directory.report.read_text(encoding="utf-8"))


def test_samples_of_before_there_were_warnings_are_read(tmp_path: Path) -> None:
    directory = stored_run(tmp_path)
    directory.samples.write_bytes(directory.samples.read_bytes().replace(b',"warnings":[]', b""))
    assert 2 == len(conclude_again(tmp_path).result.warnings)


NOT_TEXT = b'{"t_s":0.5,"cpu_ratio":0.1,"loop_lag_s":0.001,"rss_bytes":1000,"worker":"\xff"}\n'
TICK = b'{"t_s":0.5,"cpu_ratio":0.1,"loop_lag_s":0.001,"rss_bytes":1000}\n'


@pytest.mark.parametrize(
    ("content", "known"),
    [
        (None, False),
        (b"", False),
        (b"\x00garbage\n[]\n{}\n", False),
        (TICK[:30], False),
        (NOT_TEXT, False),
        (TICK, True),
    ],
)
def test_a_generator_of_unknown_health_is_said(tmp_path: Path, content: bytes | None, *, known: bool) -> None:
    """Without it a FAIL can't be told from an overloaded generator's; the polls are judged all the same."""
    directory = stored_run(tmp_path)
    if content is not None:
        directory.generator.write_bytes(content)
    warning = (
        "The load generator's own health is not known, generator.jsonl holds none of it: what it was late "
        "itself in noticing answers counts as the target's."
    )
    assert (not known) == (warning in conclude_again(tmp_path).result.warnings)


WHOLE_LINES = {
    "samples.jsonl": b"",
    "generator.jsonl": TICK,
    "notes.jsonl": b'{"t_s":1.0,"text":"A worker left"}\n',
    "target.jsonl": b"",
    "pickups.jsonl": b"",
}


@pytest.mark.parametrize("name", WHOLE_LINES)
def test_lines_that_can_not_be_read_are_counted_whatever_file_they_are_of(tmp_path: Path, name: str) -> None:
    """Half of the generator's ticks are not its health, and fewer pickups are not the truth."""
    stored_run(tmp_path)
    whole = WHOLE_LINES[name]
    with (tmp_path / name).open("ab") as file:
        file.write(whole + b'{"t_s": 1.5, "cp\n' + whole)
    assert f"1 line of {name} is torn or impossible, and left out." in conclude_again(tmp_path).result.warnings
    # Damage of after the verdict is told too, and what was told before is not told twice.
    with (tmp_path / name).open("ab") as file:
        file.write(b"\x00\n")
    warnings = conclude_again(tmp_path).result.warnings
    assert f"2 lines of {name} are torn or impossible, and left out." in warnings
    assert len(set(warnings)) == len(warnings)


def test_of_a_whole_file_nothing_is_said(tmp_path: Path) -> None:
    stored_run(tmp_path)
    for name, whole in WHOLE_LINES.items():
        with (tmp_path / name).open("ab") as file:
            file.write(whole)
    assert not [line for line in conclude_again(tmp_path).result.warnings if "torn" in line]


def with_routes(folder: Path) -> RunDirectory:
    """Add fifty requests of another route to a stored run."""
    directory = stored_run(folder)
    first = directory.samples.read_bytes().splitlines()[1]
    other = first.replace(f'"{PENDING_ROUTE}"'.encode(), b'"/api/agents"').replace(b'"GET"', b'"POST"')
    # The window of such a run ends where its last request begins.
    last = first.replace(b'"start_s":0.1', b'"start_s":1.0').replace(b'"end_s":0.2', b'"end_s":1.1')
    directory.samples.write_bytes(directory.samples.read_bytes() + (other + b"\n") * 50 + last + b"\n")
    return directory


def test_every_route_is_summarised_and_the_ungated_ones_are_named(tmp_path: Path) -> None:
    result = conclude_again(with_routes(tmp_path).path).result
    assert {"POST /api/agents": 50} == {route: summary.sent for route, summary in result.routes.items()}
    assert ("POST /api/agents",) == result.verdict.coverage.ungated
    assert (2, "the targets of the specification (8 gates)") == (result.summary.sent, result.gates_from)
    assert result == read_result(RunDirectory(tmp_path))


def test_a_run_that_was_killed_is_judged_by_the_gates_it_was_started_with(tmp_path: Path) -> None:
    directory = with_routes(tmp_path)
    gates = choose_gates(interval_s=10.0, texts=["POST /api/agents: p(95) < 200ms"], defaults=False)
    write_gates(directory, gates)
    result = conclude_again(tmp_path).result
    assert ("command line (1 gate)", gates.gates) == (
        result.gates_from,
        tuple(finding.gate for finding in result.verdict.findings),
    )
    assert ("GET /api/deployments/pending/{agent_id}",) == result.verdict.coverage.ungated


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not a GateSet record"),
        (b'{"schema_version": 99, "gates": [], "source": "x"}', "written by a newer version of the harness"),
    ],
)
def test_stored_gates_that_can_not_be_read_are_said(tmp_path: Path, content: bytes, said: str) -> None:
    with_routes(tmp_path)
    (tmp_path / "gates.json").write_bytes(content)
    with pytest.raises(HarnessError, match=said):
        conclude_again(tmp_path)


def test_a_run_that_the_gates_ended_is_judged_up_to_what_they_decided_on(tmp_path: Path) -> None:
    directory = with_routes(tmp_path)
    run = conclude_again(tmp_path).result.run
    stop = EarlyStop(status=Status.FAIL, gates=("p95",), judged_until_s=0.5, reason="The run was ended")
    stopped = replace(run, stop=stop, ended_s=60.0, scenario=replace(run.scenario, run_time_s=60.0))
    result = conclude(directory, run=stopped, reading=None).result
    assert (0.0, 0.5) == (result.summary.window_start_s, result.summary.window_end_s)
    assert "The run was ended." in result.warnings
    found = {finding.gate.name: finding for finding in result.verdict.findings}
    assert Status.FAIL is found["p95"].status
    assert found["p95"].reason.startswith("The run was ended; 1 of 2 polls took 200 ms or longer")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda whole: whole[:100],
            r"not a Result record: .*; try removing it, then 'harness report .*', which judges the samples anew",
        ),
        (lambda whole: b"\xff" + whole, r"not a Result record: .*; try removing it, then 'harness report "),
        (
            lambda whole: whole.replace(b'"schema_version":1', b'"schema_version":99', 1),
            r"newer version of the harness, got schema 99, need 1 or less; try a newer harness$",
        ),
    ],
)
def test_a_result_that_can_not_be_read_is_said_with_what_helps(
    tmp_path: Path, damage: Callable[[bytes], bytes], said: str
) -> None:
    """The samples are what counts, and they are there; the result of a newer version is not to be written over."""
    directory = stored_run(tmp_path)
    conclude_again(tmp_path)
    directory.result.write_bytes(damage(directory.result.read_bytes()))
    with pytest.raises(HarnessError, match=said):
        conclude_again(tmp_path)


def test_what_helps_a_damaged_result_works_and_keeps_the_gates_of_the_run(tmp_path: Path) -> None:
    """Under other gates the verdict might turn, and nobody would have asked for that."""
    directory = with_routes(tmp_path)
    write_gates(directory, choose_gates(interval_s=10.0, texts=["POST /api/agents: p(95) < 1us"], defaults=False))
    before = conclude_again(tmp_path).result
    directory.result.write_bytes(b"{")
    with pytest.raises(HarnessError, match=r"by the run's own gates$"):
        conclude_again(tmp_path)
    directory.result.unlink()
    after = conclude_again(tmp_path).result
    assert (before.verdict, before.gates_from) == (after.verdict, after.gates_from)


def test_a_damaged_result_without_samples_has_no_remedy(tmp_path: Path) -> None:
    """Nothing is left that a new verdict could come from: naming a command would send people in a circle."""
    directory = RunDirectory(tmp_path)
    directory.result.write_bytes(b"{")
    with pytest.raises(HarnessError, match=r"Input data was truncated; without samples.jsonl it can't be judged"):
        conclude_again(tmp_path)
