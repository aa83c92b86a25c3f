"""
CPU that the monitoring layer adds to a request: in this process, and in a real server beside its access log.

In process: the same application bare, instrumented with everything on, and under whatever peers can be imported,
one short block after the other in changing order; CPU of the whole process, as the median of the ratios to the
bare block of the same round. What the layer leaves for its threads is done before its block ends: a thread that
works a moment later would be charged to somebody else's block.

Bare is measured twice: the application called directly, which is the least a request can cost, and driven by
uvicorn's own protocol over a transport that goes nowhere (httptools and uvloop where they can be imported), which
is what a request costs a server but for its system calls. There uvicorn's access log stands beside ours. The
server: uvicorn in a process of its own, answering the same number of requests over keep-alive connections.

    python -m benchmarks.monitoring.overhead [--rounds 40] [--block 1000] [--server] [--scrape]
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import logging
import logging.handlers
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from importlib import metadata
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text
from uvicorn.logging import AccessFormatter
from uvicorn.server import ServerState

from monitoring import Handle, Settings, instrument
from monitoring.api import Api, View
from monitoring.model import Observation
from monitoring.monitor import Monitor

PATH = "/api/deployments/pending/{agent_id}"


def application(engine: Engine | None, *, threaded: bool) -> FastAPI:
    app = FastAPI()

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


# ---- the contenders: each takes the application and changes it


def ours(folder: Path) -> Callable[[FastAPI, Engine | None], Handle]:
    return lambda app, engine: instrument(app, engine, Settings(log_dir=folder / "ours"))


def ours_without_logs(folder: Path) -> Callable[[FastAPI, Engine | None], Handle]:
    return lambda app, engine: instrument(
        app, engine, Settings(log_dir=folder / "quiet", log_requests=False, log_queries=False)
    )


def stdlib_logging(folder: Path) -> Callable[[FastAPI, Engine | None], None]:
    """The usual home-made middleware: BaseHTTPMiddleware and a RotatingFileHandler."""

    def change(app: FastAPI, _: Engine | None) -> None:
        logger = logging.getLogger(f"bench-{id(app)}")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        logger.addHandler(
            logging.handlers.RotatingFileHandler(folder / f"{id(app)}.log", maxBytes=10_000_000, backupCount=5)
        )

        @app.middleware("http")
        async def log(request: Any, call_next: Any) -> Any:
            start = time.perf_counter()
            answer = await call_next(request)
            logger.info(
                "%s %s %s %.6f", request.method, request.url.path, answer.status_code, time.perf_counter() - start
            )
            return answer

    return change


def instrumentator(app: FastAPI, _: Engine | None) -> None:
    module = importlib.import_module("prometheus_fastapi_instrumentator")
    client = importlib.import_module("prometheus_client")
    module.Instrumentator(registry=client.CollectorRegistry()).instrument(app)


def starlette_exporter(app: FastAPI, _: Engine | None) -> None:
    module = importlib.import_module("starlette_exporter")
    app.add_middleware(module.PrometheusMiddleware, app_name=f"bench{id(app)}", group_paths=True)


def opentelemetry(app: FastAPI, _: Engine | None) -> None:
    contrib = importlib.import_module("opentelemetry.instrumentation.fastapi")
    sdk = importlib.import_module("opentelemetry.sdk.metrics")
    reader = importlib.import_module("opentelemetry.sdk.metrics.export")
    traces = importlib.import_module("opentelemetry.sdk.trace")
    meters = sdk.MeterProvider(metric_readers=[reader.InMemoryMetricReader()])
    contrib.FastAPIInstrumentor.instrument_app(app, meter_provider=meters, tracer_provider=traces.TracerProvider())


def contenders(folder: Path) -> dict[str, Callable[[FastAPI, Engine | None], Any] | None]:
    return {
        "bare": None,
        "ours, everything on": ours(folder),
        "ours, no log files": ours_without_logs(folder),
        "home-made logging middleware": stdlib_logging(folder),
        "prometheus-fastapi-instrumentator": instrumentator,
        "starlette-exporter": starlette_exporter,
        "opentelemetry-fastapi (traces, metrics)": opentelemetry,
    }


async def in_process(*, rounds: int, block: int, database: bool, threaded: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    drives: dict[str, Drive] = {}
    handles: dict[str, Handle] = {}
    engines: list[Engine] = []
    queries = "one query on SQLite" if database else "no query"
    print(f"\n== in process, called directly: {'sync' if threaded else 'async'} route, {queries}")
    for name, change in contenders(folder).items():
        engine = create_engine(f"sqlite:///{folder / 'x.db'}") if database else None
        app = application(engine, threaded=threaded)
        try:
            changed = change(app, engine) if change is not None else None
        except ImportError as error:
            print(f"   NOT MEASURED: {name} ({error})")
            continue
        if engine is not None:
            engines.append(engine)
        if isinstance(changed, Handle):
            handles[name] = changed
        drives[name] = directly(app)
    await take_turns(drives, handles, rounds=rounds, block=block)
    for handle in handles.values():
        handle.close()
    for engine in engines:
        engine.dispose()
    shutil.rmtree(folder)


async def driven_by_uvicorn(*, rounds: int, block: int) -> None:
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
        drives = {
            "bare": by_uvicorn(app, access_log=False),
            "uvicorn's access log": by_uvicorn(app, access_log=True),
            "ours, everything on": by_uvicorn(monitored, access_log=False),
        }
        await take_turns(drives, {"ours, everything on": handle}, rounds=rounds, block=block)
        handle.close()
        access.removeHandler(handler)
    shutil.rmtree(folder)


async def take_turns(drives: dict[str, Drive], handles: dict[str, Handle], *, rounds: int, block: int) -> None:
    """Measure block by block in changing order, and print each contender beside the bare one."""
    for name, drive in drives.items():
        await cpu_us(drive, block, handles.get(name))
    figures: dict[str, list[float]] = {name: [] for name in drives}
    names = list(drives)
    for number in range(rounds):
        gc.collect()
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            figures[name].append(await cpu_us(drives[name], block, handles.get(name)))
    for name, values in figures.items():
        ratios = [value / bare for value, bare in zip(values, figures["bare"], strict=True)]
        low, high = quartiles(ratios)
        print(
            f"   {name:42s} {statistics.median(values):7.1f} µs  least {min(values):7.1f}  "
            f"{statistics.median(ratios):5.2f}× bare ({low:.2f}–{high:.2f}), "
            f"least {min(values) / min(figures['bare']):.2f}×"
        )


def quartiles(values: list[float]) -> tuple[float, float]:
    cut = statistics.quantiles(values, n=4)
    return cut[0], cut[2]


# ---- the server


SERVER = """
import os, sys
from pathlib import Path
import uvicorn
from benchmarks.monitoring.overhead import application
from monitoring import Settings, instrument
app = application(None, threaded=False)
if sys.argv[2] == "ours":
    instrument(app, None, Settings(log_dir=Path(sys.argv[3])))
uvicorn.run(app, port=int(sys.argv[1]), log_level="info", access_log=sys.argv[2] == "access")
"""


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
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_cpu_us(kind: str, folder: Path, requests: int) -> float:
    port = free_port()
    with (folder / f"{kind}.out").open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), kind, str(folder / "logs")], stdout=out, stderr=out
        )
        try:
            for _ in range(100):
                try:
                    asyncio.run(load(port, 800))
                    break
                except OSError:
                    time.sleep(0.1)
            before = cpu_of(server.pid)
            asyncio.run(load(port, requests))
            return (cpu_of(server.pid) - before) / requests * 1e6
        finally:
            server.terminate()
            server.wait(10)


def in_a_server(*, rounds: int, requests: int) -> None:
    print(f"\n== uvicorn in its own process, {requests} requests a round, {rounds} rounds")
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    kinds = ("bare", "access", "ours")
    figures: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds[number % 3 :] + kinds[: number % 3]:
            figures[kind].append(server_cpu_us(kind, folder, requests))
    names = {"bare": "no log at all", "access": "uvicorn's access log", "ours": "ours, everything on"}
    for kind, values in figures.items():
        ratio = statistics.median(value / bare for value, bare in zip(values, figures["bare"], strict=True))
        print(f"   {names[kind]:42s} {statistics.median(values):7.1f} µs a request  {ratio:5.2f}×")
    shutil.rmtree(folder)


# ---- answering


def scrape(*, routes: int = 30, workers: int = 4, seconds: int = 60) -> None:
    """Time `/api/metrics` over many routes and workers, as it is asked every few seconds."""
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    monitors = [Monitor(Settings(log_dir=folder), []) for _ in range(workers)]
    for monitor in monitors:
        monitor.store()
    api = Api(monitors[0])
    times: list[float] = []
    for second in range(seconds):
        for monitor in monitors:
            for route in range(routes):
                for status in (200, 200, 200, 404):
                    monitor.hub.recorder.request(
                        Observation(
                            time_s=time.time(),
                            request_id="x",
                            method="GET",
                            route=f"/route/{route}",
                            path="/",
                            status=status,
                            duration_s=0.001 * (1 + (second * 37 + route) % 100),
                            database_time_s=0.0005,
                            queries=1,
                            pool_wait_s=0.0,
                            client=None,
                            agent=None,
                            exception=None,
                            bytes_out=0,
                        ),
                        [],
                        [0.0001],
                    )
            monitor.flush()
        start = time.perf_counter()
        api.metrics_answer(View()).model_dump_json()
        times.append((time.perf_counter() - start) * 1e3)
    print(f"\n== /api/metrics, {routes} routes, {workers} workers, asked every second")
    print(f"   median {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
    for monitor in monitors:
        monitor.close()
    shutil.rmtree(folder)


def environment() -> None:
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown CPU",
    )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("fastapi", "starlette", "sqlalchemy"))
    print(f"{platform.python_implementation()} {platform.python_version()}, {versions}")
    print(f"{model}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--block", type=int, default=1000)
    parser.add_argument("--server", action="store_true", help="also measure a real server")
    parser.add_argument("--scrape", action="store_true", help="also time /api/metrics")
    asked = parser.parse_args()
    environment()
    for database, threaded in ((False, False), (False, True), (True, True)):
        asyncio.run(in_process(rounds=asked.rounds, block=asked.block, database=database, threaded=threaded))
    loops: Any = asyncio
    if importlib.util.find_spec("uvloop"):
        loops = importlib.import_module("uvloop")
    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        runner.run(driven_by_uvicorn(rounds=asked.rounds, block=asked.block))
    if asked.server:
        in_a_server(rounds=5, requests=8000)
    if asked.scrape:
        scrape()


if __name__ == "__main__":
    main()
