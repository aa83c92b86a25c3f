"""
Memory of a monitored service under a scanner's eye: a million requests, every one of them different.

The application is driven in this process, with everything on (logs, statements, agents, the store on disk). In
turn come agents with made-up ids, paths that no route takes, statements with their values written into the text,
request ids of the client's own, and unhandled exceptions. Nothing of it may be kept for ever, so resident memory
(RSS) has to level off. Beside it stand the blocks that Python holds, which no page of freed memory blurs.

    python -m benchmarks.monitoring.memory [--requests 1000000] [--steps 10] [--bare]
"""

import argparse
import asyncio
import contextlib
import gc
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Engine, create_engine, text

from monitoring import Handle, Settings, instrument

PENDING = "/api/deployments/pending/{agent_id}"


def application(engine: Engine) -> FastAPI:
    """Build a master of three routes, one of which writes values into its SQL."""
    app = FastAPI()

    @app.get(PENDING)
    async def pending(agent_id: str) -> str:
        return agent_id

    @app.get("/literal/{value}")
    async def literal(value: int) -> int:
        # Past SQLAlchemy's own cache of compiled statements, which is bounded but large.
        with engine.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT {value}").scalar_one())

    @app.get("/fails/{value}")
    async def fails(value: int) -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT :value"), {"value": value})
        raise ValueError(f"planned {value}")

    return app


def path_of(number: int) -> str:
    """Return the path of a request; no two are the same."""
    kind = number % 4
    return (
        f"/api/deployments/pending/made-up-{number}",
        f"/wp-admin/{number}.php",
        f"/literal/{number}",
        f"/fails/{number}",
    )[kind]


async def call(app: Any, number: int) -> None:
    """Send one request and throw its answer away."""
    path = path_of(number)
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
        "headers": [(b"host", b"x"), (b"x-request-id", b"client-%d" % number)],
        "client": (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 50000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    with contextlib.suppress(ValueError):  # the planned one
        await app(scope, receive, send)


async def calls(app: Any, numbers: range) -> None:
    """Send many, one after the other."""
    for number in numbers:
        await call(app, number)


def rss_mb() -> float:
    """Return this process's resident memory [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def held_by(handle: Handle | None) -> str:
    """Return what this process holds for good: nothing waits, and nothing is being rolled up."""
    if handle is None or handle.monitor is None:
        gc.collect()
        return f"{rss_mb():8.1f} {sys.getallocatedblocks():10,}"
    with handle.monitor.reading() as store, store._lock:
        store.read_run()
        handle.monitor._files.flush()
        gc.collect()
        return f"{rss_mb():8.1f} {sys.getallocatedblocks():10,}"


def run(requests: int, steps: int, *, bare: bool) -> None:
    """Drive the application and print what it holds after each step."""
    folder = Path(tempfile.mkdtemp(prefix="memory-"))
    engine = create_engine(f"sqlite:///{folder / 'master.db'}")
    app = application(engine)
    handle = None if bare else instrument(app, engine, Settings(log_dir=folder / "logs"))
    print(f"{'requests':>10} {'RSS MB':>8} {'blocks':>10} {'store MB':>9} {'requests/s':>11}")
    each, rate_per_s = requests // steps, 0.0
    try:
        for step in range(steps + 1):
            held = held_by(handle)
            size = sum(one.stat().st_size for one in (folder / "logs").glob("*.sqlite*")) / 1e6
            print(f"{step * each:10,} {held} {size:9.1f} {rate_per_s:11,.0f}", flush=True)
            if step < steps:
                start_s = time.perf_counter()
                asyncio.run(calls(app, range(step * each, (step + 1) * each)))
                rate_per_s = each / (time.perf_counter() - start_s)
    finally:
        if handle is not None:
            handle.close()
        engine.dispose()
        shutil.rmtree(folder)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--bare", action="store_true", help="without monitoring, to compare with")
    asked = parser.parse_args()
    print(f"Python {sys.version.split()[0]}; {'bare' if asked.bare else 'monitored, everything on'}")
    run(asked.requests, asked.steps, bare=asked.bare)


if __name__ == "__main__":
    main()
