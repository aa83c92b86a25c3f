"""The server as its own process: ready file, stops, faults, and every error in one line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

import harness
from harness.backend import serving
from harness.backend.seed import seed
from harness.backend.server import Listening
from harness.errors import ExitCode, HarnessError

TIMEOUT_S = 40.0


class Server:
    """A started server."""

    def __init__(self, process: subprocess.Popen[str], ready: Path) -> None:
        self.process = process
        self.ready = ready

    def wait_ready(self) -> dict[str, Any]:
        """Return the ready file's content."""
        deadline_s = time.monotonic() + TIMEOUT_S
        while not self.ready.exists():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        told: dict[str, Any] = json.loads(self.ready.read_text())
        return told

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, said


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []
    url = f"sqlite:///{tmp_path / 'master.db'}"
    seed(url, agents=2, deployments=20)

    def run(*options: str) -> Server:
        ready = tmp_path / "ready.json"
        command = [sys.executable, "-m", "harness.backend", "--port", "0", "--ready-file", str(ready)]
        command += ["--log-dir", str(tmp_path / "logs"), *options]
        environment = {**os.environ, "HARNESS_DATABASE_URL": url}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        servers.append(Server(process, ready))
        return servers[-1]

    yield run
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def get(url: str) -> tuple[int, Any]:
    with urlopen(url, timeout=TIMEOUT_S) as answer:
        return answer.status, json.loads(answer.read())


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_when_it_says_so_and_stops_cleanly(
    start: Callable[..., Server], number: signal.Signals
) -> None:
    """An idle keep-alive connection does not hold the stop up, and nothing but the address is said."""
    server = start()
    told = server.wait_ready()
    assert server.process.pid == told["pid"]
    assert (200, "agent-0001") == (
        (answer := get(f"{told['url']}/api/deployments/pending/agent-0001"))[0],
        answer[1]["agent_id"],
    )
    host, port = told["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as idle:
        idle.sendall(b"GET /api/agents HTTP/1.1\r\nHost: master\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        code, said = server.end(number)
    assert (0, f"harness: the deployment master answers at {told['url']}\n") == (code, said)
    assert not server.ready.exists()


def test_a_ready_file_of_a_killed_server_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    """It is gone before the new server is announced, and nothing is left at the end."""
    file = tmp_path / "ready.json"
    file.write_text('{"url": "http://127.0.0.1:1", "pid": 1}')
    with socket.create_server(("127.0.0.1", 0)) as claimed:
        with serving._announcer(claimed, Listening(ready_file=file)) as announce:
            assert not file.exists()
            announce()
            url = f"http://127.0.0.1:{claimed.getsockname()[1]}"
            assert {"url": url, "pid": os.getpid()} == json.loads(file.read_text())
        assert [] == list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_request_that_the_stop_cuts_off_is_no_traceback(start: Callable[..., Server]) -> None:
    server = start("--delay", "1h")
    told = server.wait_ready()
    host, port = told["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as agent:
        agent.sendall(b"GET /api/deployments/pending/agent-0001 HTTP/1.1\r\nHost: master\r\n\r\n")
        # Only what arrived before the stop can be cut off by it.
        get(f"{told['url']}/api/agents")
        code, said = server.end()
        assert agent.recv(12) == b"HTTP/1.1 500"
    assert 0 == code
    assert "Traceback" not in said


@pytest.mark.slow
def test_several_workers_share_the_port_and_stop_with_their_supervisor(start: Callable[..., Server]) -> None:
    server = start("--workers", "2")
    told = server.wait_ready()
    assert server.process.pid == told["pid"]
    assert 200 == get(f"{told['url']}/api/deployments/pending/agent-0001")[0]
    code, said = server.end()
    assert (0, f"harness: the deployment master answers at {told['url']}\n") == (code, said)


@pytest.mark.slow
def test_workers_do_not_outlive_a_killed_supervisor(start: Callable[..., Server]) -> None:
    server = start("--workers", "2")
    server.wait_ready()
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) >= 2
    server.process.kill()
    wait_until(lambda: not any(alive(int(child)) for child in children))


def test_it_ends_with_the_process_it_was_told_to(start: Callable[..., Server]) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    server = start("--parent-pid", str(owner.pid))
    server.wait_ready()
    owner.communicate(b"\n")
    server.process.communicate(timeout=TIMEOUT_S)
    assert 0 == server.process.returncode


def test_the_artificial_faults_reach_the_poll(start: Callable[..., Server]) -> None:
    server = start("--delay", "50ms", "--error-ratio", "100%")
    told = server.wait_ready()
    host, port = told["url"].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as agent:
        began_s = time.monotonic()
        agent.sendall(b"GET /api/deployments/pending/agent-0001 HTTP/1.1\r\nHost: master\r\n\r\n")
        assert agent.recv(12) == b"HTTP/1.1 500"
        assert time.monotonic() - began_s >= 0.05
    assert 0 == server.end()[0]


def failure(start: Callable[..., Server], *options: str) -> tuple[int, str]:
    server = start(*options)
    _, said = server.process.communicate(timeout=TIMEOUT_S)
    assert not server.ready.exists()
    return server.process.returncode, said


def test_a_port_in_use_is_said_in_one_line(start: Callable[..., Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = (
            f"harness: address '127.0.0.1:{port}': can't be listened on: Address already in use; "
            "try another --port, or 0 for a free one\n"
        )
        assert (1, expected) == failure(start, "--port", str(port))


def test_an_address_of_another_machine_is_said_in_one_line(start: Callable[..., Server]) -> None:
    expected = (
        "harness: address '192.0.2.1:0': can't be listened on: Cannot assign requested address; "
        "try a --host that is this machine's\n"
    )
    assert (1, expected) == failure(start, "--host", "192.0.2.1")


def test_a_server_that_is_not_there_is_said_in_one_line(start: Callable[..., Server]) -> None:
    code, said = failure(start, "--database-url", "postgresql+psycopg://u:geheim@127.0.0.1:1/x")
    assert (1, 1) == (code, said.count("\n"))
    assert said.startswith("harness: database 'postgresql+psycopg://u:***@127.0.0.1:1/x': can't be used: ")
    assert "geheim" not in said


def test_a_setting_of_the_monitoring_layer_that_is_wrong_is_said_in_one_line(
    start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITORING_MAX_ROUTES", "none")
    code, said = failure(start)
    assert (2, 1) == (code, said.count("\n"))
    assert "MONITORING_MAX_ROUTES" in said


def test_a_ready_file_nobody_can_write_is_said_in_one_line(start: Callable[..., Server], tmp_path: Path) -> None:
    file = tmp_path / "no" / "ready.json"
    expected = (
        f"harness: option '--ready-file': its folder can't be written, got {file}, need an existing folder\n"
    )
    assert (1, expected) == failure(start, "--ready-file", str(file))


def refused_ready_file(file: Path) -> str:
    with (
        socket.create_server(("127.0.0.1", 0)) as claimed,
        pytest.raises(HarnessError) as caught,
        serving._announcer(claimed, Listening(ready_file=file)),
    ):
        pass
    assert ExitCode.OWN_ERROR == caught.value.exit_code
    return str(caught.value)


def test_a_ready_file_below_a_file_is_said_in_one_line(start: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    file = tmp_path / "notes" / "ready.json"
    expected = f"option '--ready-file': its folder can't be written, got {file}, need an existing folder"
    assert (1, f"harness: {expected}\n") == failure(start, "--ready-file", str(file))
    assert expected == refused_ready_file(file)
    assert "mine" == (tmp_path / "notes").read_text()


def test_a_ready_file_that_is_a_folder_or_a_pipe_is_left_as_it_is(tmp_path: Path) -> None:
    """A device would be deleted as well, by a user who may."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file in (Path("/"), Path(), tmp_path, pipe):
        assert (
            f"option '--ready-file': not a file, got {file}, need a path that is free, or a file's"
            == refused_ready_file(file)
        )
    assert pipe.is_fifo()


def test_a_ready_file_with_too_long_a_name_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 300)
    assert f"option '--ready-file': can't be replaced: File name too long, got {file}" == refused_ready_file(file)


def test_a_working_directory_that_is_gone_is_said_in_one_line(tmp_path: Path) -> None:
    script = (
        "import os, sys; from harness.backend.__main__ import main;"
        "os.rmdir(os.getcwd()); sys.argv[1:] = ['--port', '0']; sys.exit(main())"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(Path(harness.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    expected = "harness: working directory: can't be used: No such file or directory\n"
    assert (1, "", expected) == (done.returncode, done.stdout, done.stderr)
