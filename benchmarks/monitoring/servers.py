"""
What the layer costs a server: uvicorn in processes of their own, bare, with its access log, and with ours.

All three are alive through the whole run and take turns in changing order at answering the same number of requests
over keep-alive connections. A pause after each turn lets the threads finish, and the whole process's CPU clock
tells what the turn cost. The servers share one core and the load has the others.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.monitoring.peers import BARE
from benchmarks.monitoring.subjects import request_bytes
from benchmarks.monitoring.turns import Measured, keep, last_core, on_cores, other_cores, tell

SERVER = """
import sys
from pathlib import Path
import uvicorn
from sqlalchemy import create_engine
from benchmarks.monitoring.subjects import application
from monitoring import Settings, instrument
port, kind, folder, query = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), sys.argv[4] == "query"
engine = create_engine(f"sqlite:///{folder / 'x.db'}") if query else None
app = application(engine, threaded=query)
if kind == "ours":
    instrument(app, engine, Settings(log_dir=folder / "logs"))
uvicorn.run(app, port=port, log_level="info", access_log=kind == "access")
"""
SETTLE_S = 0.6
"""Longer than a line needs from a request's end to its file: a quarter of a second, and a fifth of one."""
_READY_S = 60.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def load(port: int, requests: int, connections: int = 8) -> None:
    async def agent(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        payload = request_bytes(number)
        for _ in range(requests // connections):
            writer.write(payload)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(agent(number) for number in range(connections)))


def cpu_of(pid: int) -> float:
    """Return the CPU time of a process, all of its threads that are or were [s]."""
    return time.clock_gettime((~pid << 3) | 2)  # the clock's number, as clock_getcpuclockid(3) makes it on Linux


@contextlib.contextmanager
def serving(kind: str, folder: Path, *, query: bool, cores: set[int]) -> Iterator[tuple[int, int]]:
    """Have a server run on these cores; gives its process id and port once it answers."""
    port = free_port()
    with (folder / f"{kind}.out").open("w") as out:
        arguments = [str(port), kind, str(folder), "query" if query else "none"]
        server = subprocess.Popen([sys.executable, "-c", SERVER, *arguments], stdout=out, stderr=out)
        try:
            keep(cores, server.pid)
            until_s = time.monotonic() + _READY_S
            while True:
                try:
                    asyncio.run(load(port, 8))
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > until_s:
                        raise RuntimeError(f"server: {(folder / f'{kind}.out').read_text()}") from None
                    time.sleep(0.1)
            yield server.pid, port
        finally:
            server.terminate()
            server.wait(10)


def turn_us(pid: int, port: int, requests: int) -> float:
    """Return what a turn costs a server [µs a request]."""
    before_s = cpu_of(pid)
    asyncio.run(load(port, requests))
    time.sleep(SETTLE_S)
    return (cpu_of(pid) - before_s) / requests * 1e6


def in_a_server(*, rounds: int, requests: int, query: bool) -> Measured:
    """Compare servers in processes of their own."""
    what = "sync route, one query on SQLite" if query else "async route, no query"
    print(f"\n== uvicorn in its own process: {what}, {requests} requests a turn, {rounds} turns each")
    kinds = {"bare": BARE, "access": "uvicorn's access log", "ours": "ours, everything on"}
    measured = Measured(ours={kinds["ours"]}, figures={name: [] for name in kinds.values()})
    cores, load_cores = last_core(), other_cores()
    with contextlib.ExitStack() as stack:
        stack.enter_context(on_cores(load_cores))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overhead-")))
        servers = {
            name: stack.enter_context(serving(kind, folder, query=query, cores=cores))
            for kind, name in kinds.items()
        }
        for pid, port in servers.values():
            turn_us(pid, port, requests // 2)
        names = list(servers)
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                measured.figures[name].append(turn_us(*servers[name], requests))
    tell(measured)
    return measured
