"""The scenario as a user runs it: plain Locust in a process of its own against a real server in another."""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.load.command import SCENARIO_FILE, LoadOptions, locust_command
from harness.model import PENDING_ROUTE, LoadNote, ServerTiming
from harness.rundir import RunDirectory, StoredSamples, read_lines, read_samples, read_ticks
from harness.schedule import Schedule
from tests.harness.load.player import CERTIFICATE
from tests.harness.load.polled import polled_server

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Done:
    """A Locust process that has ended."""

    code: int
    output: str
    directory: RunDirectory

    @property
    def stored(self) -> StoredSamples:
        return read_samples(self.directory.samples)

    @property
    def last_line(self) -> str:
        return self.output.strip().splitlines()[-1]


class Locust:
    """A Locust process; use as a context manager."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        before: Callable[[], None] | None = None,
        headless: bool = True,
        own_group: bool = False,
        scenario: Path = SCENARIO_FILE,
    ) -> None:
        self.folder = folder
        self.log = folder / "output.txt"
        command = [sys.executable, "-m", "locust", "-f", str(scenario), *arguments]
        if headless:
            command += ["--headless", "--only-summary", "--samples-dir", str(folder / "samples")]
        self.directory = RunDirectory(folder / "samples")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=own_group,
                preexec_fn=before,  # noqa: PLW1509  # sets a limit and starts no thread
            )

    def __enter__(self) -> "Locust":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def wait_for_samples(self, lines: int, *, path: Path | None = None) -> None:
        """Wait until the samples file has as many lines, its header included."""
        path = path or self.directory.samples
        deadline_s = time.monotonic() + 60
        while not path.exists() or path.read_bytes().count(b"\n") < lines:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline_s, self.log.read_text()
            time.sleep(0.05)

    def end(self) -> Done:
        code = self.process.wait(timeout=90)
        return Done(code=code, output=self.log.read_text(), directory=self.directory)


def run(
    folder: Path, *arguments: str, before: Callable[[], None] | None = None, scenario: Path = SCENARIO_FILE
) -> Done:
    with Locust(folder, *arguments, "--no-verdict", before=before, scenario=scenario) as locust:
        return locust.end()


def intended(schedule: Schedule, end_s: float) -> list[float]:
    """Return every intended start before the end, in order."""
    return sorted(
        schedule.intended_start_s(agent, k)
        for agent in range(schedule.agents)
        for k in range(schedule.count_before(agent, end_s))
    )


def starts(stored: StoredSamples) -> list[float]:
    return sorted(sample.intended_start_s for sample in stored.samples)


def errors(stored: StoredSamples) -> dict[str | None, int]:
    return dict(Counter(sample.error for sample in stored.samples))


def opened(stored: StoredSamples) -> int:
    return sum(sample.new_connection is True for sample in stored.samples)


def test_fifty_agents_poll_on_their_schedule(tmp_path: Path) -> None:
    """Every intended poll is sent once and leaves one sample; the target counts the same connections and ids."""
    with polled_server("--agents", "50") as server:
        done = run(
            tmp_path,
            *("-u", "50", "-t", "3s", "--interval", "1s", "--seed", "5", "--host", server.url),
            *("--json-file", str(tmp_path / "locust")),
        )
        counts = server.counts()
    assert done.code == 0, done.output
    stored, schedule = done.stored, Schedule(seed=5, agents=50, interval_s=1.0)
    assert (stored.header.agents, stored.header.interval_s, stored.header.seed) == (50, 1.0, 5)
    assert (stored.header.host, stored.header.scenario) == (server.url, "agent-polling")
    assert datetime.fromisoformat(stored.header.origin_utc).tzinfo is not None
    assert stored.torn_lines == 0
    assert intended(schedule, 3.0) == starts(stored)
    assert errors(stored) == {None: 150}
    assert opened(stored) == counts["connections"] == 50
    assert len({sample.request_id for sample in stored.samples}) == counts["request_ids"] == counts["polls"] == 150
    assert {f"node-{n}": 3 for n in range(50)} == counts["by_agent"]
    for sample in stored.samples:
        assert sample.intended_start_s <= sample.start_s <= sample.end_s
        assert (sample.name, sample.method, sample.status, sample.bytes_in) == (PENDING_ROUTE, "GET", 200, 2)
        assert sample.server == ServerTiming(handler_s=0.0015, database_s=0.0005, pool_wait_s=0.00025)
    agent_of = {
        sample.intended_start_s % 1.0: sample.agent for sample in stored.samples if sample.intended_start_s < 1.0
    }
    assert len(set(agent_of.values())) == 50, "the phases are spread over the interval, one agent in each slot"
    assert len(read_ticks(done.directory.generator)) >= 1
    (row,) = json.loads((tmp_path / "locust.json").read_text())
    assert (row["name"], row["num_requests"], row["num_failures"]) == (PENDING_ROUTE, 150, 0), (
        "Locust's own tables"
    )
    assert "150 of 150 intended polls sent in 3.00 s by 50 agents, 0 missed, 0 failed\n" in done.output
    assert done.last_line == f"samples        {done.directory.samples}"


def test_agents_in_step_when_asked_for(tmp_path: Path) -> None:
    with polled_server() as server:
        done = run(
            tmp_path,
            *("-u", "10", "-t", "2s", "--interval", "1s", "--phase-model", "sync", "--host", server.url),
        )
    assert starts(done.stored) == [0.0] * 10 + [1.0] * 10


def test_a_stall_is_not_hidden(tmp_path: Path) -> None:
    """
    Polls held up are sent late and timed from their intended start, the older ones are missed, and afterwards the
    schedule is where it was.
    """
    with polled_server("--agents", "20", "--stall-at", "1.25", "--stall-for", "1.75") as server:
        done = run(tmp_path, "-u", "20", "-t", "4s", "--interval", "500ms", "--host", server.url)
        counts = server.counts()
    stored = done.stored
    every = intended(Schedule(seed=1, agents=20, interval_s=0.5), 4.0)
    assert set(starts(stored)) <= set(every)
    assert len(set(starts(stored))) == len(stored.samples) == counts["polls"]
    missed = len(every) - len(stored.samples)
    assert 20 <= missed <= 60, "two or three polls of each agent had their whole interval pass in the stall"
    assert f", {missed} missed, 0 failed\n" in done.output
    assert max(sample.response_time_s for sample in stored.samples) > 1.2
    owed = [sample for sample in stored.samples if sample.start_lag_s > 0.1]
    assert len(owed) >= 10, "the polls owed after the stall waited for it, and their response time says so"
    assert all(sample.response_time_s >= sample.service_time_s + 0.1 for sample in owed)


@pytest.mark.parametrize(
    ("arguments", "timeout", "kinds"),
    [
        # a success that is no JSON, as a proxy's page is none
        (("--body", "<html>"), "10s", {"bad-json": 20}),
        # no answer in time
        (("--delay", "30"), "400ms", {"timeout": 20}),
    ],
)
def test_a_bad_answer_is_an_error_of_its_kind(
    tmp_path: Path, arguments: tuple[str, ...], timeout: str, kinds: dict[str, int]
) -> None:
    with polled_server(*arguments) as server:
        done = run(
            tmp_path,
            *("-u", "10", "-t", "1s", "--interval", "500ms", "--request-timeout", timeout, "--host", server.url),
            *("--agent-id-prefix", "agent-"),
        )
    assert kinds == errors(done.stored)
    assert done.code == 1, "Locust's own rule: any failed request"


def test_a_target_that_dies_leaves_a_sample_for_each_poll(tmp_path: Path) -> None:
    with polled_server("--agents", "20", "--exit-after", "30") as server:
        done = run(tmp_path, "-u", "20", "-t", "2s", "--interval", "500ms", "--host", server.url)
    stored = done.stored
    assert intended(Schedule(seed=1, agents=20, interval_s=0.5), 2.0) == starts(stored)
    kinds = errors(stored)
    assert kinds[None] == 29
    assert set(kinds) <= {None, "connection-refused", "connection-closed", "connection-reset"}
    assert "51 failed" in done.output


@pytest.mark.parametrize(
    ("arguments", "connections"),
    [
        # kept open: one for each agent
        ((), 10),
        # closed after each answer
        (("--close-each",), 20),
        # closed between two polls, as uvicorn does with agents that come each ten seconds
        (("--close-idle", "0.2"), 20),
    ],
)
def test_connections_are_counted(tmp_path: Path, arguments: tuple[str, ...], connections: int) -> None:
    with polled_server("--agents", "10", *arguments) as server:
        done = run(tmp_path, "-u", "10", "-t", "2s", "--interval", "1s", "--host", server.url)
        counts = server.counts()
    assert errors(done.stored) == {None: 20}
    assert opened(done.stored) == counts["connections"] == connections
    assert counts["polls"] == 20


def test_a_close_that_crosses_a_poll_is_repeated_and_told(tmp_path: Path) -> None:
    """The idle-close race is the client's to handle: no error, one sample, and the count in the summary."""
    with polled_server("--agents", "20", "--drop-every", "7") as server:
        done = run(tmp_path, "-u", "20", "-t", "2s", "--interval", "500ms", "--host", server.url)
        counts = server.counts()
    assert errors(done.stored) == {None: 80}
    repeated = counts["polls"] - 80
    assert repeated > 5
    assert opened(done.stored) == counts["connections"] == 20 + repeated
    assert f"{repeated} polls sent anew after an idle close\n" in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_and_keeps_every_sample(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C once: polls in flight get their answer, everything is written, the exit code is Locust's 0."""
    with polled_server("--agents", "20", "--delay", "0.3") as server:
        with Locust(
            tmp_path, "-u", "20", "-t", "60s", "--interval", "1s", "--host", server.url, "--no-verdict"
        ) as locust:
            locust.wait_for_samples(30)
            locust.process.send_signal(number)
            done = locust.end()
        counts = server.counts()
    stored = done.stored
    assert done.code == 0, done.output
    assert errors(stored) == {None: counts["polls"]}
    assert len(stored.samples) == counts["request_ids"]
    assert stored.torn_lines == 0
    assert "Traceback" not in done.output
    assert done.last_line == f"samples        {done.directory.samples}"


def test_polls_that_hang_when_the_run_is_ended_are_called_interrupted(tmp_path: Path) -> None:
    with (
        polled_server("--agents", "5", "--delay", "60") as server,
        Locust(
            tmp_path, "-u", "5", "-t", "60s", "--interval", "1s", "--request-timeout", "50s", "--host", server.url
        ) as locust,
    ):
        locust.wait_for_samples(1)
        while server.counts()["polls"] < 5:
            time.sleep(0.05)
        locust.process.send_signal(signal.SIGINT)
        done = locust.end()
    assert errors(done.stored) == {"interrupted": 5}
    assert done.code in {ExitCode.INCONCLUSIVE, ExitCode.INVALID}, "broken off: no failure of the target"


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with (
        polled_server("--agents", "5", "--delay", "60") as server,
        Locust(tmp_path, "-u", "5", "-t", "60s", "--interval", "1s", "--host", server.url) as locust,
    ):
        locust.wait_for_samples(1)
        while server.counts()["polls"] < 1:
            time.sleep(0.02)
        locust.process.send_signal(signal.SIGINT)
        while "Ending the run" not in locust.log.read_text():
            time.sleep(0.02)
        locust.process.send_signal(signal.SIGINT)
        done = locust.end()
    assert done.code == 130
    assert "Traceback" not in done.output


def test_a_signal_while_the_target_is_asked_for_its_agents(tmp_path: Path) -> None:
    """Before the first poll there is nothing to keep, and nothing is left."""
    with hanging_listener() as port, Locust(tmp_path, "-u", "1", "--host", f"http://127.0.0.1:{port}") as locust:
        while "Starting Locust" not in locust.log.read_text():
            time.sleep(0.02)
        time.sleep(0.2)
        locust.process.send_signal(signal.SIGINT)
        done = locust.end()
    assert done.code == 130
    assert "Traceback" not in done.output
    assert not done.directory.path.exists()


def test_kill_9_leaves_a_readable_file(tmp_path: Path) -> None:
    """At most the last half second of samples is gone, and at most the last line is torn."""
    with polled_server("--agents", "20") as server:
        with Locust(tmp_path, "-u", "20", "--interval", "200ms", "--host", server.url) as locust:
            locust.wait_for_samples(100)
            locust.process.kill()
            done = locust.end()
        counts = server.counts()
    assert done.code == -signal.SIGKILL
    stored = done.stored
    assert stored.torn_lines <= 1
    # The polls of two intervals between two flushes, and as many again for a slow machine.
    assert counts["polls"] - 400 <= len(stored.samples) <= counts["polls"]
    assert len(stored.samples) >= 99


def test_a_full_disk_ends_the_run_with_one_line(tmp_path: Path) -> None:
    """Exit 1, the file named last of all, and whole lines up to there."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    with polled_server("--agents", "20") as server:
        done = run(
            tmp_path,
            *("-u", "20", "-t", "60s", "--interval", "200ms", "--host", server.url),
            before=small_files,
        )
    assert done.code == 1
    assert done.last_line == (
        f"agent-polling: file '{done.directory.samples}': can't be written: File too large; "
        "try another folder with --out, or free space"
    )
    assert done.output.count("can't be written") == 1
    assert done.stored.torn_lines == 0
    assert len(done.stored.samples) > 30


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        # no target named
        ((), 2, "option '--host': missing; try --host with the target's URL, http://127.0.0.1:8000"),
        # nobody there
        (
            ("--host", "http://127.0.0.1:9"),
            1,
            "target 'http://127.0.0.1:9': no answer: connection-refused; try starting it, or another --host",
        ),
    ],
)
def test_what_cannot_work_is_told_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    """No traceback, nothing left behind, and the reason on the last line."""
    log = tmp_path / "output.txt"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "locust", "-f", str(SCENARIO_FILE), "--headless", *arguments],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=60,
            check=False,
        )
    assert code == done.returncode
    assert log.read_text().strip().splitlines()[-1] == f"agent-polling: {text}"
    assert "Traceback" not in log.read_text()
    assert [log] == list(tmp_path.iterdir())


def test_a_folder_with_samples_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "samples.jsonl").write_text("precious")
    done = run(tmp_path, "--host", "http://127.0.0.1:9", "--agent-id-prefix", "a")
    assert done.code == 1
    assert done.last_line == (
        f"agent-polling: folder '{tmp_path / 'samples'}': holds the samples of another run; "
        "try another --samples-dir"
    )
    assert done.directory.samples.read_text() == "precious"


def test_a_target_without_a_list_gets_made_up_ids(tmp_path: Path) -> None:
    with polled_server() as server:
        done = run(tmp_path, "-u", "3", "-t", "1s", "--interval", "1s", "--host", server.url)
    assert {sample.agent for sample in done.stored.samples} == {"agent-0001", "agent-0002", "agent-0003"}
    warning = (
        f"{server.url}/api/agents answered 404: polling with made-up ids agent-0001 to "
        "agent-0003; name the real ones with --agents-file"
    )
    assert f"WARNING/pollgauge: {warning}\n" in done.output
    assert (warning,) == done.stored.header.warnings


def test_fewer_agents_than_users_are_told_in_the_samples(tmp_path: Path) -> None:
    """Fifty users that share three ids are no fleet of fifty: what reads the samples must be able to say so."""
    with polled_server("--agents", "1") as server:
        done = run(tmp_path, "-u", "3", "-t", "1s", "--interval", "1s", "--host", server.url)
    assert (
        f"{server.url}/api/agents has 1 agent for 3 users: several users poll with the same id",
    ) == done.stored.header.warnings


def test_a_target_is_verified_by_default(tmp_path: Path) -> None:
    """A certificate nobody vouches for ends the run before its first poll; SSL_CERT_FILE makes one known."""
    with polled_server("--agents", "3", "--certificate", str(CERTIFICATE), scheme="https") as server:
        refused = run(tmp_path, "-u", "3", "-t", "1s", "--host", server.url)
        os.environ["SSL_CERT_FILE"] = str(CERTIFICATE)
        try:
            done = run(tmp_path, "-u", "3", "-t", "1s", "--interval", "1s", "--host", server.url)
        finally:
            del os.environ["SSL_CERT_FILE"]
    assert refused.code == 1
    assert refused.last_line == (
        f"agent-polling: target '{server.url}': no answer: tls; try --ca-file with the authority's certificate, "
        "or the name that the certificate is for"
    )
    assert errors(done.stored) == {None: 3}


def test_the_harness_runs_it_by_its_own_command(tmp_path: Path) -> None:
    """Failed polls are the harness's to judge: the exit code is 0, and the folder may exist already."""
    directory = RunDirectory(tmp_path / "run.partial")
    directory.path.mkdir()
    with polled_server("--agents", "5", "--status", "500") as server:
        command = locust_command(
            LoadOptions(
                host=server.url, agents=5, interval_s=0.5, run_time_s=2.0, seed=3, samples_dir=directory.path
            )
        )
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    stored = read_samples(directory.samples)
    assert intended(Schedule(seed=3, agents=5, interval_s=0.5), 2.0) == starts(stored)
    assert errors(stored) == {"http-500": 20}


def test_the_web_ui_starts_runs_one_after_another(tmp_path: Path) -> None:
    """Started by Locust's UI instead of its command line: a folder of its own for the run, closed at its end."""
    with (
        polled_server("--agents", "5") as server,
        Locust(
            tmp_path,
            *("-u", "5", "-t", "2s", "--interval", "500ms", "--host", server.url),
            *("--no-verdict", "--autostart", "--autoquit", "0", "--web-host", "127.0.0.1", "--web-port", "0"),
            headless=False,
        ) as locust,
    ):
        done = locust.end()
    assert done.code == 0, done.output
    (folder,) = (tmp_path / "runs").iterdir()
    stored = read_samples(folder / "samples.jsonl")
    assert intended(Schedule(seed=1, agents=5, interval_s=0.5), 2.0) == starts(stored)
    assert "20 of 20 intended polls sent" in done.output


HEALTHY = {ExitCode.PASS, ExitCode.INCONCLUSIVE}
"""A healthy target on a busy machine: never failed, perhaps undecided."""


def judged(folder: Path, *arguments: str) -> Done:
    with Locust(folder, *arguments) as locust:
        return locust.end()


def test_one_failed_poll_does_not_fail_a_run_whose_gates_allow_it(tmp_path: Path) -> None:
    """Locust's own rule would; the gates set the exit code, and say so last of all."""
    with polled_server("--agents", "50", "--fail-once", "7") as server:
        done = judged(tmp_path, "-u", "50", "-t", "4s", "--interval", "500ms", "--host", server.url)
    assert errors(done.stored) == {None: 399, "http-500": 1}
    assert done.code in HEALTHY, done.output
    assert f"exit code {done.code}" in done.output
    assert (done.directory.path / "result.json").exists()


def test_gates_that_fail_set_the_exit_code(tmp_path: Path) -> None:
    with polled_server("--agents", "20", "--status", "500") as server:
        done = judged(
            tmp_path, "-u", "20", "-t", "3s", "--interval", "200ms", "--abort-errors", "0", "--host", server.url
        )
    assert done.code == ExitCode.FAIL
    assert "FAIL error-ratio: " in done.output


def test_processes_share_one_run(tmp_path: Path) -> None:
    """One schedule, one file, one verdict; each worker polls with its own agents, and its ticks carry its name."""
    with polled_server("--agents", "50") as server:
        done = judged(tmp_path, "-u", "50", "-t", "4s", "--interval", "500ms", *shared(), "--host", server.url)
        counts = server.counts()
    assert done.code in HEALTHY, done.output
    assert intended(Schedule(seed=1, agents=50, interval_s=0.5), 4.0) == starts(done.stored)
    assert errors(done.stored) == {None: 400}
    assert counts["polls"] == counts["request_ids"] == 400
    assert counts["connections"] == opened(done.stored) == 50
    ticks = read_ticks(done.directory.generator)
    assert {(tick.worker or "").partition("/")[2] for tick in ticks} == {"0", "1"}
    assert {tick.connections for tick in ticks[-2:]} == {25}
    assert "400 of 400 intended polls sent in 4.00 s by 50 agents, 0 missed, 0 failed\n" in done.output


def test_a_start_that_overtakes_a_workers_preparation_waits_for_it(tmp_path: Path) -> None:
    """
    A worker hears its master before it has been asked to get ready; on a busy machine the start comes first.

    And Locust's clock for the run time is over before the worker is ready: the run has its whole time, even so.
    """
    scenario = tmp_path / "slow_to_get_ready.py"
    scenario.write_text(
        "import gevent\nfrom locust import events\n"
        "@events.init.add_listener\n"
        "def dawdle(environment, **_):\n"
        "    gevent.sleep(4 if environment.parsed_options.worker else 0)\n"
        "from locustfiles.agent_polling import DeploymentAgent\n"
    )
    with polled_server("--agents", "20") as server:
        done = run(
            tmp_path,
            *("-u", "20", "-t", "2s", "--interval", "500ms", *shared(), "--host", server.url),
            scenario=scenario,
        )
        counts = server.counts()
    assert done.code == 0, done.output
    assert "Traceback" not in done.output
    assert intended(Schedule(seed=1, agents=20, interval_s=0.5), 2.0) == starts(done.stored)
    assert counts["connections"] == 20


@pytest.mark.parametrize(("survivors", "code"), [(1, ExitCode.PASS), (0, ExitCode.OWN_ERROR)])
def test_workers_that_leave_during_the_start(tmp_path: Path, survivors: int, code: ExitCode) -> None:
    """Those that stay poll with their share, and the header says what is missing; without any there is no run."""
    scenario = tmp_path / "dies_getting_ready.py"
    scenario.write_text(
        "import os\nfrom pathlib import Path\nfrom locust import events\n"
        "@events.init.add_listener\n"
        "def die(environment, **_):\n"
        "    if environment.parsed_options.worker:\n"
        "        with open('born', 'a') as born:\n"
        "            born.write('x')\n"
        f"        if Path('born').stat().st_size > {survivors}:\n"
        "            os._exit(1)\n"
        "from locustfiles.agent_polling import DeploymentAgent\n"
    )
    with polled_server("--agents", "20") as server:
        done = run(
            tmp_path,
            *("-u", "20", "-t", "2s", "--interval", "500ms", *shared(), "--host", server.url),
            scenario=scenario,
        )
        counts = server.counts()
    assert done.code == code, done.output
    assert counts["polls"] == 40 * survivors
    if survivors:
        (warning,) = done.stored.header.warnings
        assert re.fullmatch(r"Worker .* did not answer when the run began: its 10 agents do not poll\.", warning)
    else:
        assert done.last_line == "agent-polling: workers: none of 2 answered when the run was to begin"
        assert not done.directory.samples.exists()


def test_a_run_that_no_worker_came_for_leaves_nothing(tmp_path: Path) -> None:
    """Or it could not be tried again with the same folder."""
    with polled_server("--agents", "5") as server:
        done = run(
            tmp_path,
            *("-u", "5", "-t", "2s", "--host", server.url, "--master", "--expect-workers-max-wait", "1"),
            *shared()[2:-2],
        )
    assert done.code == 1
    assert "Gave up waiting for workers to connect" in done.output
    assert "Traceback" not in done.output
    assert list(done.directory.path.iterdir()) == []


def shared() -> list[str]:
    """Return options for two processes that meet where no other test's do."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    return [
        "--processes",
        "2",
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        port,
        "--master-port",
        port,
    ]


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_dies_is_told_and_its_polls_count_as_missed(tmp_path: Path) -> None:
    with (
        polled_server("--agents", "20") as server,
        Locust(tmp_path, "-u", "20", "-t", "9s", "--interval", "500ms", *shared(), "--host", server.url) as locust,
    ):
        locust.wait_for_samples(40)
        os.kill(children_of(locust.process)[0], signal.SIGKILL)
        done = locust.end()
    (note,) = read_lines(done.directory.notes, LoadNote).records
    assert re.fullmatch(
        r"Worker .*/[01] with 10 agents was lost, and last heard of at \d\.\d s: "
        r"polls that it has not told of count as missed\.",
        note.text,
    )
    assert note.text in done.output
    polled = Counter(sample.agent for sample in done.stored.samples if sample.intended_start_s >= 8.0)
    assert polled == dict.fromkeys(polled, 2)
    assert len(polled) == 10, "the other worker's agents polled to the end"
    assert done.code not in {ExitCode.PASS, ExitCode.OWN_ERROR}, done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_shared_run_and_keeps_every_sample(tmp_path: Path, number: signal.Signals) -> None:
    """As a terminal sends it: to all processes at once."""
    with (
        polled_server("--agents", "20", "--delay", "0.2") as server,
        Locust(
            tmp_path,
            *("-u", "20", "-t", "60s", "--interval", "500ms", *shared(), "--no-verdict"),
            *("--host", server.url),
            own_group=True,
        ) as locust,
    ):
        locust.wait_for_samples(60)
        workers = children_of(locust.process)
        os.killpg(locust.process.pid, number)
        done = locust.end()
        counts = server.counts()
    assert done.code == 0, done.output
    assert errors(done.stored) == {None: counts["polls"]}
    assert not any(is_alive(pid) for pid in workers)
    # A second signal that meets a worker while Python shuts down makes gevent print its own SystemExit there.
    # None of our code may stand in a traceback.
    assert "/harness/" not in done.output.partition("Traceback")[2]


def test_workers_do_not_outlive_a_master_that_is_killed(tmp_path: Path) -> None:
    with polled_server("--agents", "20") as server:
        with Locust(
            tmp_path, "-u", "20", "-t", "60s", "--interval", "200ms", *shared(), "--host", server.url
        ) as locust:
            locust.wait_for_samples(60)
            workers = children_of(locust.process)
            locust.process.kill()
            done = locust.end()
        deadline_s = time.monotonic() + 10
        while any(is_alive(pid) for pid in workers):
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
    assert done.stored.torn_lines <= 1
    assert len(done.stored.samples) >= 59


def test_help_has_a_group_of_our_own(tmp_path: Path) -> None:
    """Started as a program, the scenario shows its options; Locust shows its own only, and names near misses."""
    done = subprocess.run(
        [sys.executable, str(SCENARIO_FILE), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    ours = done.stdout.partition("Agent polling:")[2]
    for option in ("--interval", "--seed", "--phase-model", "--samples-dir", "--request-timeout", "--warmup"):
        assert option in ours
    near_miss = run(tmp_path, "--intervall", "1s")
    assert near_miss.code == 2
    assert "Did you mean '--interval'?" in near_miss.output


@contextlib.contextmanager
def hanging_listener() -> Iterator[int]:
    """Listen and never answer: the backlog takes the connection."""

    with socket.create_server(("127.0.0.1", 0), backlog=5) as listener:
        yield listener.getsockname()[1]
