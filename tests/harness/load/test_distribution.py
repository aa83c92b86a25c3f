"""The master's side of a shared run, with workers that the test plays."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import msgspec
import pytest

from harness.errors import ExitCode, HarnessError
from harness.load import distribution, distribution_channel
from harness.load.command import LoadOptions
from harness.load.distribution import MasterRun
from harness.load.distribution_channel import CLOCK, END, PLAN, ChannelSink, UndeliveredError, spell_paths
from harness.load.plan import Plan, make_schedule
from harness.model import GeneratorTick, LoadNote
from harness.rundir import RunDirectory, read_lines, read_samples, read_ticks
from tests.harness.load.test_recorder import sample


class Runner:
    """Locust's master, with workers whose clocks run as the test says."""

    def __init__(self, **ahead_s: float) -> None:
        self.ahead_s = ahead_s
        self.clients: dict[str, Any] = {name: SimpleNamespace(state="ready") for name in ahead_s}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self.run: MasterRun | None = None
        self.boot = "another machine"
        self.asleep: set[str] = set()

    def get_worker_index(self, client: str) -> int:
        return list(self.ahead_s).index(client)

    def send_message(self, kind: str, data: dict[str, Any], client_id: str) -> None:
        self.sent.append((kind, client_id, data))
        if kind == CLOCK and self.run is not None and client_id not in self.asleep:
            here_s = time.perf_counter() + self.ahead_s[client_id]
            self.run.take_clock(told(client_id, sent_s=data["sent_s"], here_s=here_s, boot=self.boot))

    def plans(self) -> list[dict[str, Any]]:
        return [data for kind, _, data in self.sent if kind == PLAN]

    def told(self, client: str, **data: object) -> Any:
        """Return what a worker that has the plan says."""
        return told(client, run=self.plans()[0]["run"], **data)


def told(client: str, **data: object) -> Any:
    return SimpleNamespace(node_id=client, data=data)


def master(tmp_path: Path, runner: Runner, *, faults: list[HarnessError] | None = None) -> MasterRun:
    options = LoadOptions(
        host="http://127.0.0.1:9", agents=5, interval_s=1.0, run_time_s=60.0, seed=1, samples_dir=tmp_path
    )
    plan = Plan(
        options=options,
        schedule=make_schedule(options),
        shape=options.shape,
        agent_ids=tuple("abcde"),
        warnings=("known before",),
    )
    told_to: list[HarnessError] = [] if faults is None else faults
    made = MasterRun(plan, RunDirectory(tmp_path), post=runner, on_fault=told_to.append)
    runner.run = made
    return made


def test_agents_are_dealt_out_in_turn_and_told_when_to_begin(tmp_path: Path) -> None:
    """By each worker's own clock, whatever it shows."""
    runner = Runner(a_1=0.0, b_2=1000.0)
    run = master(tmp_path, runner)
    run.begin()
    first, second = runner.plans()
    assert [(plan["rank"], plan["of"], plan["worker"]) for plan in (first, second)] == [
        (0, 2, "a/0"),
        (1, 2, "b/1"),
    ]
    assert first["agent_ids"] == list("abcde")
    assert first["run_time_s"] == 60.0
    assert second["origin_s"] - first["origin_s"] == pytest.approx(1000.0, abs=0.01)
    assert 0 < first["origin_s"] - time.perf_counter() < 1.0
    run.finish()
    header = read_samples(tmp_path / "samples.jsonl").header
    assert (header.agents, header.warnings) == (5, ("known before",))


def test_one_machine_has_one_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "boot_id", lambda: "here/1")
    runner = Runner(a_1=0.003, b_2=0.0)
    runner.boot = "here/1"
    run = master(tmp_path, runner)
    run.begin()
    first, second = runner.plans()
    assert first["origin_s"] == second["origin_s"]
    run.finish()


def test_a_worker_that_does_not_answer_at_the_start_is_in_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "_READY_TIMEOUT_S", 0.01)
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"b_2"}
    run = master(tmp_path, runner)
    run.begin()
    run.finish()
    assert read_samples(tmp_path / "samples.jsonl").header.warnings[1:] == (
        "Worker b/1 did not answer when the run began: its 2 agents do not poll.",
    )


def lines(*records: object) -> bytes:
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)


def test_lines_of_all_workers_come_into_one_file_and_one_summary(tmp_path: Path) -> None:
    runner = Runner(a_1=0.0, b_2=0.0)
    run = master(tmp_path, runner)
    run.begin()
    tick = GeneratorTick(t_s=1.0, cpu_ratio=0.1, loop_lag_s=0.0, rss_bytes=1, worker="b/1")
    run.take_lines(runner.told("a_1", file="samples.jsonl", lines=lines(sample(1), sample(2))))
    run.take_lines(runner.told("b_2", file="samples.jsonl", lines=lines(sample(3, status=500, error="http-500"))))
    run.take_lines(runner.told("b_2", file="generator.jsonl", lines=lines(tick)))
    run.take_left(runner.told("a_1", retries=2, lost=0))
    run.take_left(runner.told("b_2", retries=1, lost=7))
    run.end_sending(1.0, at_s=0.9)
    words = run.finish() or ""
    assert "3 of " in words
    assert "1 failed (http-500 1)" in words
    assert "3 polls sent anew after an idle close" in words
    assert read_samples(tmp_path / "samples.jsonl").samples == (
        sample(1), sample(2), sample(3, status=500, error="http-500"),
    )  # fmt: skip
    assert read_ticks(tmp_path / "generator.jsonl") == (tick,)
    (note,) = read_lines(tmp_path / "notes.jsonl", LoadNote).records
    assert note.text == "Worker b/1 could not deliver 7 lines: they count as missed."


def test_a_file_name_from_elsewhere_is_no_path(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    runner = Runner(a_1=0.0)
    run = master(folder, runner)
    run.begin()
    run.take_lines(runner.told("a_1", file="../outside.jsonl", lines=b"{}\n"))
    run.finish()
    assert not (tmp_path / "outside.jsonl").exists()
    assert (folder / "outside.jsonl").read_bytes() == b"{}\n"


def test_it_is_over_when_every_worker_has_left_or_is_lost(tmp_path: Path) -> None:
    """Missing to Locust, or gone from its list: noted once, and not waited for."""
    runner = Runner(a_1=0.0, b_2=0.0, c_3=0.0)
    run = master(tmp_path, runner)
    assert run.is_done, "a run that has not begun has nothing to wait for"
    run.begin()
    run.end_sending(1.0, at_s=0.0)
    assert [kind for kind, _, _ in runner.sent].count(END) == 3
    assert not run.is_done
    run.take_left(runner.told("a_1", retries=0, lost=0))
    runner.clients["b_2"].state = "missing"
    assert not run.is_done
    del runner.clients["c_3"]
    while run.now_s() < 0:
        gevent.sleep(0.02)
    assert run.is_done
    assert run.is_done
    run.finish()
    notes = [note.text for note in read_lines(tmp_path / "notes.jsonl", LoadNote).records]
    assert notes == [
        f"Worker {name} with {agents} agents was lost, and last heard of at 0.0 s: "
        "polls that it has not told of count as missed."
        for name, agents in (("b/1", 2), ("c/2", 1))
    ]


def test_a_workers_fault_is_the_runs(tmp_path: Path) -> None:
    faults: list[HarnessError] = []
    runner = Runner(a_1=0.0)
    run = master(tmp_path, runner, faults=faults)
    run.begin()
    run.take_fault(runner.told("a_1", text="option '--ca-file': no such file", exit_code=2))
    gevent.sleep(0)
    run.finish()
    assert [(str(fault), fault.exit_code) for fault in faults] == [
        ("worker a/0: option '--ca-file': no such file", ExitCode.USAGE)
    ]


def test_who_did_not_answer_is_told_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock is not known: whatever it was told, it would poll at the wrong time, and the header denies it."""
    monkeypatch.setattr(distribution, "_READY_TIMEOUT_S", 0.01)
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"b_2"}
    run = master(tmp_path, runner)
    run.begin()
    assert [client for kind, client, _ in runner.sent if kind == PLAN] == ["a_1"]
    run.finish()


def test_nobody_waits_for_a_worker_that_is_lost_at_the_start(tmp_path: Path) -> None:
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"b_2"}
    run = master(tmp_path, runner)
    began = gevent.spawn(run.begin)
    gevent.sleep(0.1)
    assert run.is_beginning
    runner.clients["b_2"].state = "missing"
    began.get(timeout=5)
    assert (run.running, run.is_beginning) == (True, False)
    run.finish()


def test_without_any_answer_there_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "_READY_TIMEOUT_S", 0.01)
    faults: list[HarnessError] = []
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"a_1", "b_2"}
    run = master(tmp_path, runner, faults=faults)
    run.begin()
    gevent.sleep(0)
    assert run.finish() is None
    assert [str(fault) for fault in faults] == ["workers: none of 2 answered when the run was to begin"]
    assert runner.plans() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stop", [MasterRun.finish, lambda run: run.end_sending(1.0)])
def test_a_stop_while_the_clocks_are_compared_lets_nobody_go(tmp_path: Path, stop: Any) -> None:
    """Locust has told the workers to stop by then, and would not do so again."""
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"b_2"}
    run = master(tmp_path, runner)
    began = gevent.spawn(run.begin)
    gevent.sleep(0.1)
    stop(run)
    began.get(timeout=5)
    assert runner.plans() == []
    assert not run.running
    run.finish()


def test_a_start_that_is_announced_again_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locust announces it whenever a worker comes or goes, even while the clocks are being compared."""
    monkeypatch.setattr(distribution, "_WATCH_EVERY_S", 0.01)
    runner = Runner(a_1=0.0, b_2=0.0)
    runner.asleep = {"b_2"}
    run = master(tmp_path, runner)
    began = gevent.spawn(run.begin)
    gevent.sleep(0.1)
    runner.clients["host_3"] = SimpleNamespace(state="ready")
    run.begin()
    runner.clients["b_2"].state = "missing"
    began.get(timeout=5)
    run.begin()
    assert [client for kind, client, _ in runner.sent if kind == PLAN] == ["a_1"]
    gevent.sleep(0.1)
    run.finish()
    assert [record.message for record in caplog.records] == [
        "a worker on host came when the run had begun: it drives no agents before the next"
    ]


def test_who_speaks_of_another_run_is_not_heard(tmp_path: Path) -> None:
    """A worker that was cut off from the run before, or from a master before this one, goes on for a while."""
    faults: list[HarnessError] = []
    runner = Runner(a_1=0.0)
    run = master(tmp_path, runner, faults=faults)
    other = {"run": "another"}
    run.take_lines(told("a_1", **other, file="samples.jsonl", lines=lines(sample(1))))
    run.begin()
    run.take_lines(told("z_9", **other, file="samples.jsonl", lines=lines(sample(2))))
    run.take_left(told("a_1", **other, retries=2, lost=3))
    run.take_fault(told("a_1", **other, text="no such file", exit_code=2))
    gevent.sleep(0)
    run.end_sending(1.0, at_s=0.0)
    assert not run.is_done
    run.finish()
    assert read_samples(tmp_path / "samples.jsonl").samples == ()
    assert faults == []
    assert not (tmp_path / "notes.jsonl").exists()


class Channel:
    """Takes messages, or does not."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.open = True

    def send(self, _: str, data: dict[str, Any]) -> None:
        if not self.open:
            raise UndeliveredError("full")
        self.taken.append(data)

    def lines(self, file: str) -> list[bytes]:
        return b"".join(data["lines"] for data in self.taken if data["file"] == file).splitlines()


def test_lines_go_in_batches_of_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution_channel, "_BATCH_BYTES", 1000)
    channel = Channel()
    sink = ChannelSink(channel.send)
    for number in range(20):
        sink.append("samples.jsonl", sample(number))
    sink.append("samples.jsonl", sample(20, agent="x" * 3000))
    assert channel.taken == []
    sink.close()
    assert [len(data["lines"]) <= 1000 for data in channel.taken].count(False) == 1
    assert all(data["lines"].endswith(b"\n") for data in channel.taken)
    assert [msgspec.json.decode(line)["request_id"] for line in channel.lines("samples.jsonl")] == [
        f"r-{number}" for number in range(21)
    ]


def test_what_does_not_get_through_waits_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution_channel, "_BACKLOG_BYTES", 1000)
    channel = Channel()
    channel.open = False
    sink = ChannelSink(channel.send)
    for number in range(20):
        sink.append("samples.jsonl", sample(number))
        sink.flush()
    channel.open = True
    sink.flush()
    kept = len(channel.lines("samples.jsonl"))
    assert 3 <= kept < 10
    assert kept + sink.lost == 20
    assert sink.fault is None


def test_paths_among_the_options_travel_as_text() -> None:
    parsed = SimpleNamespace(samples_dir=Path("a b"), agents_file=None, users=5)
    spell_paths(parsed)
    assert vars(parsed) == {"samples_dir": "a b", "agents_file": None, "users": 5}
