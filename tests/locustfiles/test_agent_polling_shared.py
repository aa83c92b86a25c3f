"""The scenario over several processes: one schedule, one file, and what becomes of those that die."""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.model import LoadNote
from harness.rundir import read_lines, read_ticks
from harness.schedule import Schedule
from tests.harness.load.polled import polled_server
from tests.locustfiles.locusting import HEALTHY, Locust, errors, intended, judged, opened, run, shared, starts

pytestmark = pytest.mark.slow


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


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
