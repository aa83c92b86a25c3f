"""
CPU that the monitoring layer adds to a request: in this process, and in a real server beside its access log.

In process: the same application bare, instrumented with everything on, and under whatever peers can be imported,
one short block after the other in changing order; CPU of the whole process, as the median of the ratios to the
bare block of the same round. What the layer leaves for its threads is done before its block ends: a thread that
works a moment later would be charged to somebody else's block.

Bare is measured twice: the application called directly, which is the least a request can cost, and driven by
uvicorn's own protocol over a transport that goes nowhere (httptools and uvloop where they can be imported), which
is what a request costs a server but for its system calls. There uvicorn's access log stands beside ours.

The server: uvicorn in a process of its own, bare, with its access log and with ours, all three alive through the
whole run. They take turns in changing order at answering the same number of requests over keep-alive connections.
A pause after each turn lets the threads finish, and the whole process's CPU clock tells what the turn cost.

    python -m benchmarks.monitoring.overhead [--rounds 40] [--block 1000] [--server] [--store]
    python -m benchmarks.plots    # pictures of what was stored
"""

import argparse
import asyncio
import contextlib
import gc
import importlib
import importlib.util
import logging
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from uvicorn.logging import AccessFormatter
from uvicorn.server import ServerState

from benchmarks.monitoring.peers import BARE, contenders
from benchmarks.results import Comparison, Row, environment, now_utc, store
from monitoring import Handle, Settings, instrument

PATH = "/api/deployments/pending/{agent_id}"


def application(engine: Engine | None, *, threaded: bool, telemetry: Mapping[str, Any] | None = None) -> FastAPI:
    # Only newer versions take it.
    chosen: dict[str, Any] = {} if telemetry is None else {"telemetry": telemetry}
    app = FastAPI(**chosen)

    def answer(agent_id: str) -> dict[str, Any]:
        if engine is None:
            return {"agent_id": agent_id, "deployments": []}
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT 1 WHERE :a <> 'x'"), {"a": agent_id})
            return {"agent_id": agent_id, "deployments": [row[0] for row in rows]}

    if threaded:
        app.get(PATH)(answer)
    else:

        @app.get(PATH)
        async def pending(agent_id: str) -> dict[str, Any]:
            return answer(agent_id)

    return app


async def call(app: Any, number: int) -> None:
    path = f"/api/deployments/pending/agent-{number % 50}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"agent/1"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    await app(scope, receive, send)


Drive = Callable[[int], Coroutine[Any, Any, None]]
"""Sends so many requests."""


def directly(app: Any) -> Drive:
    async def drive(requests: int) -> None:
        for number in range(requests):
            await call(app, number)

    return drive


class Nowhere(asyncio.Transport):
    """A connection whose other end swallows everything."""

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)}.get(name, default)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def by_uvicorn(app: Any, *, access_log: bool, connections: int = 8) -> Drive:
    """Return a drive through uvicorn's protocol; call within the loop."""
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    protocol_class: Any = config.http_protocol_class
    state = ServerState()
    # A server renews these once a second.
    state.default_headers = [(b"server", b"uvicorn"), (b"date", b"Mon, 23 Nov 2026 00:00:00 GMT")]
    protocols = []
    for _ in range(connections):
        protocol = protocol_class(config=config, server_state=state, app_state={})
        protocol.access_log = access_log
        protocol.connection_made(Nowhere())
        protocols.append(protocol)
    payloads = [request_bytes(number) for number in range(50)]

    async def drive(requests: int) -> None:
        for first in range(0, requests, connections):
            for number, protocol in enumerate(protocols, first):
                protocol.data_received(payloads[number % 50])
            await asyncio.sleep(0)
            while not all(protocol.cycle.response_complete for protocol in protocols):
                await asyncio.sleep(0)

    return drive


def request_bytes(number: int) -> bytes:
    return (
        f"GET /api/deployments/pending/agent-{number} HTTP/1.1\r\n"
        "Host: 127.0.0.1:8000\r\nUser-Agent: agent/1\r\nAccept: */*\r\n\r\n"
    ).encode()


async def cpu_us(drive: Drive, requests: int, handle: Handle | None) -> float:
    start = time.process_time()
    await drive(requests)
    if handle is not None:
        settle(handle)
    return (time.process_time() - start) / requests * 1e6


def settle(handle: Handle) -> None:
    """Have the layer's threads do now what they would do within a quarter of a second."""
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()


@dataclass(slots=True)
class Measured:
    """What one comparison found: CPU of each contender in each round [µs a request]."""

    drives: dict[str, Drive] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)

    def ratios(self, name: str) -> list[float]:
        """Return each round's ratio to the bare application in the same round."""
        return [value / bare for value, bare in zip(self.figures[name], self.figures[BARE], strict=True)]

    def rows(self) -> list[Row]:
        """Return it as it is stored: the bare median, and that times each one's median ratio."""
        base = statistics.median(self.figures[BARE])
        rows = []
        for name in self.figures:
            ratios = self.ratios(name)
            low, high = quartiles(ratios)
            rows.append(
                Row(
                    name=name,
                    value=base * statistics.median(ratios),
                    low=base * low,
                    high=base * high,
                    ours=name in self.ours,
                )
            )
        return rows + [Row(name=name, value=None, note=why) for name, why in self.missing.items()]


async def in_process(*, rounds: int, block: int, database: bool, threaded: bool) -> Measured:
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    measured = Measured()
    handles: dict[str, Handle] = {}
    engines: list[Engine] = []
    queries = "one query on SQLite" if database else "no query"
    print(f"\n== in process, called directly: {'sync' if threaded else 'async'} route, {queries}")
    for one in contenders(folder):
        engine = create_engine(f"sqlite:///{folder / 'x.db'}") if database else None
        try:
            telemetry = one.telemetry() if one.telemetry is not None else None
            app = application(engine, threaded=threaded, telemetry=telemetry)
            changed = one.change(app, engine)
            title = one.title
        except ImportError as error:
            print(f"   NOT MEASURED: {one.name} ({error})")
            measured.missing[one.name] = str(error)
            continue
        if engine is not None:
            engines.append(engine)
        if changed is not None:
            handles[title] = changed
        if one.ours:
            measured.ours.add(title)
        measured.drives[title] = directly(app)
    await take_turns(measured, handles, rounds=rounds, block=block)
    for handle in handles.values():
        handle.close()
    for engine in engines:
        engine.dispose()
    shutil.rmtree(folder)
    return measured


async def driven_by_uvicorn(*, rounds: int, block: int) -> Measured:
    """Compare with uvicorn's own access log, without sockets."""
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    parser = "httptools" if importlib.util.find_spec("httptools") else "h11"
    loop = type(asyncio.get_running_loop()).__module__.split(".")[0]
    with (folder / "access.log").open("w") as out:
        access = logging.getLogger("uvicorn.access")
        access.propagate = False
        access.setLevel(logging.INFO)
        handler = logging.StreamHandler(out)
        handler.setFormatter(AccessFormatter(uvicorn.config.LOGGING_CONFIG["formatters"]["access"]["fmt"]))
        access.addHandler(handler)
        print(f"\n== in process, driven by uvicorn's {parser} protocol on {loop}: async route, no query")
        app = application(None, threaded=False)
        monitored = application(None, threaded=False)
        handle = instrument(monitored, None, Settings(log_dir=folder / "ours"))
        measured = Measured(ours={"ours, everything on"})
        measured.drives = {
            BARE: by_uvicorn(app, access_log=False),
            "uvicorn's access log": by_uvicorn(app, access_log=True),
            "ours, everything on": by_uvicorn(monitored, access_log=False),
        }
        await take_turns(measured, {"ours, everything on": handle}, rounds=rounds, block=block)
        handle.close()
        access.removeHandler(handler)
    shutil.rmtree(folder)
    return measured


async def take_turns(measured: Measured, handles: dict[str, Handle], *, rounds: int, block: int) -> None:
    """Measure block by block in changing order, and print what was found."""
    drives = measured.drives
    for name, drive in drives.items():
        await cpu_us(drive, block, handles.get(name))
    figures = measured.figures = {name: [] for name in drives}
    names = list(drives)
    for number in range(rounds):
        gc.collect()
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            figures[name].append(await cpu_us(drives[name], block, handles.get(name)))
    tell(measured)


def tell(measured: Measured) -> None:
    """Print each contender beside the bare one."""
    figures = measured.figures
    for name, values in figures.items():
        ratios = measured.ratios(name)
        low, high = quartiles(ratios)
        print(
            f"   {name:46s} {statistics.median(values):7.1f} µs  least {min(values):7.1f}  "
            f"{statistics.median(ratios):5.2f}× bare ({low:.2f}–{high:.2f}), "
            f"least {min(values) / min(figures[BARE]):.2f}×"
        )


def quartiles(values: list[float]) -> tuple[float, float]:
    cut = statistics.quantiles(values, n=4)
    return cut[0], cut[2]


# ---- the server


SERVER = """
import sys
from pathlib import Path
import uvicorn
from sqlalchemy import create_engine
from benchmarks.monitoring.overhead import application
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
        payload = (
            f"GET /api/deployments/pending/agent-{number} HTTP/1.1\r\nHost: x\r\nUser-Agent: agent/1\r\n\r\n"
        ).encode()
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
def serving(kind: str, folder: Path, *, query: bool) -> Iterator[tuple[int, int]]:
    """Have a server run; gives its process id and port once it answers."""
    port = free_port()
    with (folder / f"{kind}.out").open("w") as out:
        arguments = [str(port), kind, str(folder), "query" if query else "none"]
        server = subprocess.Popen([sys.executable, "-c", SERVER, *arguments], stdout=out, stderr=out)
        try:
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
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overhead-")))
        servers = {name: stack.enter_context(serving(kind, folder, query=query)) for kind, name in kinds.items()}
        for pid, port in servers.values():
            turn_us(pid, port, requests // 2)
        names = list(servers)
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                measured.figures[name].append(turn_us(*servers[name], requests))
    tell(measured)
    return measured


COMPARISONS = {
    "monitoring_overhead": "a request, called directly, async route",
    "monitoring_overhead_query": "a request with one SQLite query, called directly, sync route",
    "monitoring_overhead_uvicorn": "a request through uvicorn's protocol, async route",
    "monitoring_overhead_server": "a request to a uvicorn process, async route",
    "monitoring_overhead_server_query": "a request with one SQLite query to a uvicorn process, sync route",
}

_SERVER = "monitoring_overhead_server"
_SERVER_QUERY = "monitoring_overhead_server_query"


def keep(name: str, measured: Measured, *, rounds: int, arguments: str) -> None:
    """Store a comparison for `benchmarks.plots`."""
    comparison = Comparison(
        name=name,
        title=COMPARISONS[name],
        quantity="CPU time, rounds' quartiles",
        unit="µs",
        baseline=BARE,
        smaller_is_better=True,
        rounds=rounds,
        rows=measured.rows(),
        command=f"python -m benchmarks.monitoring.overhead {arguments}",
        measured_utc=now_utc(),
        environment=environment(
            **{package: metadata.version(package) for package in ("fastapi", "starlette", "sqlalchemy", "uvicorn")}
        ),
    )
    print(f"   kept as {store(comparison).name}")


def run(comparison: str, *, rounds: int, block: int) -> Measured:
    """Make one of the comparisons."""
    if comparison in {_SERVER, _SERVER_QUERY}:
        query = comparison == _SERVER_QUERY
        return in_a_server(rounds=max(3, rounds // 5), requests=1500 if query else 3000, query=query)
    if comparison == "monitoring_overhead_uvicorn":
        loops: Any = asyncio
        if importlib.util.find_spec("uvloop"):
            loops = importlib.import_module("uvloop")
        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            return runner.run(driven_by_uvicorn(rounds=rounds, block=block))
    query = comparison == "monitoring_overhead_query"
    return asyncio.run(in_process(rounds=rounds, block=block, database=query, threaded=query))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="turns of each contender [≥ 2]")
    parser.add_argument("--block", type=int, default=1000, help="requests a turn")
    parser.add_argument("--only", choices=list(COMPARISONS), help="make this comparison alone")
    parser.add_argument("--server", action="store_true", help="also measure real servers")
    parser.add_argument("--store", action="store_true", help="keep the results in benchmarks/results")
    asked = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in environment().items()), f"load {os.getloadavg()[0]:.1f}")
    for name in COMPARISONS:
        if name == asked.only or (asked.only is None and (name not in {_SERVER, _SERVER_QUERY} or asked.server)):
            measured = run(name, rounds=asked.rounds, block=asked.block)
            if asked.store:
                chosen = f"--rounds {asked.rounds} --block {asked.block}"
                keep(
                    name, measured, rounds=len(measured.figures[BARE]), arguments=f"--only {name} {chosen} --store"
                )


if __name__ == "__main__":
    main()
