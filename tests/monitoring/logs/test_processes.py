"""Several real processes on one set of files: nothing lost or torn, whoever rotates and whoever is killed."""

import contextlib
import gzip
import http.client
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.logs.reader import LogReading, LogRow

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

WRITE = """
import sys
from monitoring.logs.writer import RotatingWriter

path, name, n_lines, max_bytes, compress = sys.argv[1:]
writer = RotatingWriter(path, max_bytes=int(max_bytes), backups=2000, compress=compress == "gzip")
padding = "x" * 180
for number in range(int(n_lines)):
    while not writer.submit(f"{name} {number:08d} {padding}".encode()):
        writer.flush(60)
    if number % 500 == 499:
        writer.flush(60)
        print(number, flush=True)
assert writer.close(60)
assert writer.diverted == 0
"""
LINE_BYTES = 1 + 1 + 8 + 1 + 180 + 1


def start(
    path: Path, name: str, *, n_lines: int, max_bytes: int, compress: str = "plain"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), name, str(n_lines), str(max_bytes), compress],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


@contextlib.contextmanager
def ended(processes: list[subprocess.Popen[str]]) -> Iterator[None]:
    """Leave no process behind, whatever happens within."""
    try:
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def stored_lines(folder: Path) -> list[bytes]:
    lines: list[bytes] = []
    for path in folder.iterdir():
        content = path.read_bytes()
        lines += (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines(keepends=True)
    return lines


@pytest.mark.parametrize(
    ("n_lines", "max_bytes", "compress"),
    [
        pytest.param(25_000, 1_000_000, "plain", id="dozens of rotations"),
        pytest.param(4_000, 20_000, "plain", id="a race: a rotation every hundred lines"),
        pytest.param(10_000, 500_000, "gzip", id="compressed"),
    ],
)
def test_four_processes_lose_and_tear_nothing(tmp_path: Path, n_lines: int, max_bytes: int, compress: str) -> None:
    """Every line of every process stands in the files exactly once, whole, and no file outgrows its limit."""
    names = "abcd"
    processes = [
        start(tmp_path / "a.log", name, n_lines=n_lines, max_bytes=max_bytes, compress=compress) for name in names
    ]
    with ended(processes):
        for process in processes:
            process.communicate(timeout=120)
            assert process.returncode == 0
    lines = stored_lines(tmp_path)
    assert Counter(map(len, lines)) == {LINE_BYTES: 4 * n_lines}
    assert {line[:10] for line in lines} == {
        f"{name} {number:08d}".encode() for name in names for number in range(n_lines)
    }
    sizes = [path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".gz"]
    assert max(sizes) <= max_bytes
    assert len(list(tmp_path.iterdir())) >= 4 * n_lines * LINE_BYTES // max_bytes
    assert (len(list(tmp_path.glob("*.gz"))) > 0) == (compress == "gzip")


def test_a_killed_process_loses_at_most_its_last_batch_and_harms_nobody(tmp_path: Path) -> None:
    """The other three lose nothing, and rotation goes on: a dead process holds no lock."""
    n_lines, max_bytes = 25_000, 300_000
    victim = start(tmp_path / "a.log", "v", n_lines=1_000_000, max_bytes=max_bytes)
    others = [start(tmp_path / "a.log", name, n_lines=n_lines, max_bytes=max_bytes) for name in "abc"]
    with ended([victim, *others]):
        assert victim.stdout is not None
        flushed = 0
        while flushed < 5_000:
            flushed = int(victim.stdout.readline())
        victim.send_signal(signal.SIGKILL)
        flushed = max([flushed, *map(int, victim.stdout.read().split())])
        for process in others:
            process.communicate(timeout=120)
            assert process.returncode == 0
    lines = stored_lines(tmp_path)
    torn = [line for line in lines if len(line) != LINE_BYTES]
    assert len(torn) <= 1
    assert all(line.startswith(b"v") for line in torn)
    whole = [line[:10] for line in lines if len(line) == LINE_BYTES]
    assert sorted(line for line in whole if not line.startswith(b"v")) == [
        f"{name} {number:08d}".encode() for name in "abc" for number in range(n_lines)
    ]
    survived = sorted(int(line[2:]) for line in whole if line.startswith(b"v"))
    assert survived == list(range(len(survived)))
    assert len(survived) > flushed


def test_a_stopped_process_blocks_nobody(tmp_path: Path) -> None:
    """Wherever it stopped, perhaps with the lock in hand; when it goes on, its own lines arrive as well."""
    n_lines = 20_000
    stopped = start(tmp_path / "a.log", "s", n_lines=n_lines, max_bytes=200_000)
    other = start(tmp_path / "a.log", "a", n_lines=n_lines, max_bytes=200_000)
    with ended([stopped, other]):
        assert stopped.stdout is not None
        while int(stopped.stdout.readline()) < 2_000:
            pass
        stopped.send_signal(signal.SIGSTOP)
        other.communicate(timeout=120)
        stopped.send_signal(signal.SIGCONT)
        stopped.communicate(timeout=120)
        assert (stopped.returncode, other.returncode) == (0, 0)
    lines = stored_lines(tmp_path)
    assert Counter(map(len, lines)) == {LINE_BYTES: 2 * n_lines}
    assert len({line[:10] for line in lines}) == 2 * n_lines


WRITE_ROWS = """
import sys
from monitoring.logs.writer import RotatingWriter

path, name, compress = sys.argv[1:]
writer = RotatingWriter(path, max_bytes=40_000, backups=2000, compress=compress == "gzip")
for number in range(20_000):
    row = b'{"time":"2026-11-23T12:00:00Z","level":"INFO","logger":"x","agent":"%s","message":"%d"}'
    while not writer.submit(row % (name.encode(), number)):
        writer.flush(60)
    if number % 200 == 199:
        writer.flush(60)
assert writer.close(60)
"""


@pytest.mark.parametrize("compress", ["plain", "gzip"])
def test_reading_while_others_write_and_rotate_sees_every_line_once(tmp_path: Path, compress: str) -> None:
    """Whenever one looks, each process's lines are there from the first to some latest one, none twice."""
    path = tmp_path / "a.log"
    command = [sys.executable, "-c", WRITE_ROWS, str(path)]
    processes = [
        subprocess.Popen([*command, name, compress], stdout=subprocess.PIPE, text=True, cwd=ROOT) for name in "ab"
    ]
    looks = 0
    with ended(processes):
        running = True
        while running:
            running = any(process.poll() is None for process in processes)
            seen: dict[str | None, list[int]] = {"a": [], "b": []}
            reading = LogReading(path, LogRow)
            for rows in reading:
                for row in rows:
                    seen[row.agent].append(int(row.message or ""))
            assert (reading.coverage.bad_lines, reading.coverage.damaged) == (0, ())
            assert seen == {name: list(range(len(numbers))) for name, numbers in seen.items()}
            looks += 1
        assert [process.returncode for process in processes] == [0, 0]
    assert {name: len(numbers) for name, numbers in seen.items()} == {"a": 20_000, "b": 20_000}
    assert looks > 3


APPLICATION = """
import logging, os
from monitoring.logs.handler import LogFileHandler
from monitoring.logs.writer import RotatingWriter

writer = RotatingWriter("app.log", max_bytes=2000, backups=500)
logging.getLogger("uvicorn.error").addHandler(LogFileHandler(writer.submit))

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        writer.flush()
        await send({"type": "lifespan.shutdown.complete"})
        return
    writer.submit(b"%d %s" % (os.getpid(), scope["path"].encode()))
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})
"""


def test_four_uvicorn_workers_share_the_files(tmp_path: Path) -> None:
    """Every answered request has its line, whichever worker served it, after an ordinary stop."""
    (tmp_path / "application.py").write_text(textwrap.dedent(APPLICATION))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "application:app", "--workers", "4", "--no-access-log"]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with ended([server]):
        assert server.stderr is not None
        started = 0
        while started < 4:
            said = server.stderr.readline()
            assert said, "the server ended before it was ready"
            started += "Application startup complete" in said
        for number in range(400):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", f"/{number}")
            assert connection.getresponse().status == 204
            connection.close()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    lines = [line for path in tmp_path.glob("app.log*") for line in path.read_bytes().splitlines()]
    served = [line.split() for line in lines if not line.startswith(b"{")]
    assert sorted(int(path[1:]) for _, path in served) == list(range(400))
    assert len({worker for worker, _ in served}) > 1
