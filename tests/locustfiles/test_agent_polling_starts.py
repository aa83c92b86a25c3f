"""How a run of the scenario starts: usage, ids, certificates, the harness's command, the web UI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.load.command import SCENARIO_FILE, LoadOptions, locust_command
from harness.rundir import RunDirectory, read_samples
from harness.schedule import Schedule
from tests.harness.load.player import CERTIFICATE
from tests.harness.load.polled import polled_server
from tests.locustfiles.locusting import Locust, errors, intended, run, starts

pytestmark = pytest.mark.slow


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
