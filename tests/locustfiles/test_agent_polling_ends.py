"""How a run of the scenario ends before its time: signals, kill -9, a full disk."""

import contextlib
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import ExitCode
from tests.harness.load.polled import polled_server
from tests.locustfiles.locusting import (
    Locust,
    errors,
    run,
)

pytestmark = pytest.mark.slow


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


@contextlib.contextmanager
def hanging_listener() -> Iterator[int]:
    """Listen and never answer: the backlog takes the connection."""

    with socket.create_server(("127.0.0.1", 0), backlog=5) as listener:
        yield listener.getsockname()[1]
