"""
CPU that the monitoring layer adds to a request: in this process, and in a real server beside its access log.

In process: the same application bare, instrumented with everything on, and under whatever peers can be imported,
one short block after the other in changing order; CPU of the whole process, as the median of the ratios to the
bare block of the same round. What the layer leaves for its threads is done before its block ends: a thread that
works a moment later would be charged to somebody else's block.

Bare is measured twice: the application called directly, which is the least a request can cost, and driven by
uvicorn's own protocol over a transport that goes nowhere (httptools and uvloop where they can be imported), which
is what a request costs a server but for its system calls. There uvicorn's access log stands beside ours.

The server: see `benchmarks.monitoring.servers`. Where the system allows it, what is measured has one core.

    python -m benchmarks.monitoring.overhead [--rounds 40] [--block 1000] [--server] [--store]
    python -m benchmarks.plots    # pictures of what was stored
"""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import logging
import os
import shutil
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import uvicorn
from sqlalchemy import Engine, create_engine
from uvicorn.logging import AccessFormatter

from benchmarks.monitoring.peers import BARE, contenders
from benchmarks.monitoring.servers import in_a_server
from benchmarks.monitoring.subjects import Drive, application, by_uvicorn, directly, settle
from benchmarks.monitoring.turns import Measured, last_core, on_cores, tell
from benchmarks.results import Comparison, environment, now_utc, store
from monitoring import Handle, Settings, instrument


async def cpu_us(drive: Drive, requests: int, handle: Handle | None) -> float:
    start = time.process_time()
    await drive(requests)
    if handle is not None:
        settle(handle)
    return (time.process_time() - start) / requests * 1e6


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


COMPARISONS = {
    "monitoring_overhead": "a request, called directly, async route",
    "monitoring_overhead_query": "a request with one SQLite query, called directly, sync route",
    "monitoring_overhead_uvicorn": "a request through uvicorn's protocol, async route",
    "monitoring_overhead_server": "a request to a uvicorn process, async route",
    "monitoring_overhead_server_query": "a request with one SQLite query to a uvicorn process, sync route",
}

_SERVER = "monitoring_overhead_server"
_SERVER_QUERY = "monitoring_overhead_server_query"


def keep_result(name: str, measured: Measured, *, rounds: int, arguments: str) -> None:
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
    """Make one of the comparisons, on one core."""
    if comparison in {_SERVER, _SERVER_QUERY}:
        query = comparison == _SERVER_QUERY
        return in_a_server(rounds=max(3, rounds // 5), requests=1500 if query else 3000, query=query)
    with on_cores(last_core()):
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
                keep_result(
                    name, measured, rounds=len(measured.figures[BARE]), arguments=f"--only {name} {chosen} --store"
                )


if __name__ == "__main__":
    main()
