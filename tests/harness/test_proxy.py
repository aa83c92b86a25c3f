"""A bad network, with real connections through a real proxy process."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from harness.proxy import Conditions


@contextlib.contextmanager
def echo_server() -> Iterator[int]:
    """Answer whatever comes with the same bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve(connected: socket.socket) -> None:
            with connected, contextlib.suppress(OSError):
                while data := connected.recv(65536):
                    connected.sendall(data)

        def accept() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    connected, _ = listening.accept()
                    threading.Thread(target=serve, args=(connected,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listening.getsockname(), 1).close()
        thread.join(5)


@contextlib.contextmanager
def proxied(port: int, **conditions: float) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    command = [
        sys.executable,
        "-m",
        "harness.proxy",
        Conditions(host="127.0.0.1", port=port, **conditions).to_json(),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline()), process
        finally:
            process.stdin.close()
            assert 0 == process.wait(10)
            assert process.stderr is not None
            assert b"" == process.stderr.read()


def dial(door: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door), 10)


def is_reset(connected: socket.socket, content: bytes = b"") -> bool:
    """Return whether the connection ends in a reset when something is sent and the answer awaited."""
    try:
        connected.sendall(content)
        connected.recv(1)
    except ConnectionResetError:
        return True
    return False


def ask(connected: socket.socket, content: bytes) -> bytes:
    connected.sendall(content)
    answer = b""
    while len(answer) < len(content):
        part = connected.recv(65536)
        if not part:
            break
        answer += part
    return answer


def test_bytes_pass_whole_and_in_order() -> None:
    content = bytes(range(256)) * 2000
    with echo_server() as port, proxied(port, latency_jitter_s=0.01) as (door, _), dial(door) as connected:
        assert content == ask(connected, content)


def test_latency_is_added_in_each_direction() -> None:
    """There and back at 100 ms each: never sooner, which is all that a busy machine lets us say."""
    with echo_server() as port, proxied(port, latency_s=0.1) as (door, _), dial(door) as connected:
        began_s = time.monotonic()
        assert b"x" == ask(connected, b"x")
        assert time.monotonic() - began_s >= 0.2


def test_bandwidth_is_kept() -> None:
    with (
        echo_server() as port,
        proxied(port, bandwidth_bytes_per_s=100_000.0) as (door, _),
        dial(door) as connected,
    ):
        began_s = time.monotonic()
        ask(connected, b"x" * 30_000)
        assert time.monotonic() - began_s >= 0.3


def test_every_request_is_reset_when_all_are_to_be() -> None:
    with echo_server() as port, proxied(port, reset_ratio=1.0) as (door, _), dial(door) as connected:
        assert is_reset(connected, b"x")


def test_a_cut_resets_every_connection_and_the_next_ones_pass() -> None:
    with echo_server() as port, proxied(port) as (door, process), contextlib.ExitStack() as stack:
        open_ones = [stack.enter_context(dial(door)) for _ in range(3)]
        assert [b"x"] * 3 == [ask(connected, b"x") for connected in open_ones]
        assert process.stdin is not None
        process.stdin.write(b"cut\n")
        process.stdin.flush()
        for connected in open_ones:
            assert is_reset(connected)
        with dial(door) as fresh:
            assert b"y" == ask(fresh, b"y")


def test_a_target_that_is_away_shows_as_a_connection_that_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    # On the loopback the end may come before connecting has returned: that shows it as well.
    with proxied(port) as (door, _), contextlib.suppress(ConnectionResetError), dial(door) as connected:
        assert is_reset(connected)


def test_it_is_told_by_one_argument() -> None:
    """Nothing of it is secret: it stands on a command line."""
    told = json.loads(Conditions(host="h", port=1).to_json())
    assert {
        "host",
        "port",
        "latency_s",
        "latency_jitter_s",
        "bandwidth_bytes_per_s",
        "reset_ratio",
        "seed",
    } == set(told)
