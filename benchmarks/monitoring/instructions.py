"""
Count the instructions that each contender adds to a request: the measure that a busy machine can't disturb.

Each contender runs in a process of its own under valgrind's callgrind, which is switched on after a warm-up. What
the layer leaves for its threads is done, and counted, before it is switched off. Its clocks are counters, and its
threads wait for that end: a request takes fifty times as long here, and work of once a second would be in it fifty
times too often. A system call is one instruction here, and a cache miss costs nothing: CPU time is what
`benchmarks.monitoring.overhead` measures. Needs valgrind.

    python -m benchmarks.monitoring.instructions [--requests 480] [--store]
"""

import argparse
import asyncio
import gc
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from sqlalchemy import create_engine

from benchmarks.monitoring.peers import BARE, contenders
from benchmarks.monitoring.subjects import application, by_uvicorn, directly, settle
from benchmarks.results import Comparison, Row, environment, now_utc, store
from monitoring import monitor
from monitoring.clock import SystemClock

KINDS = {
    "direct": "a request, called directly, async route",
    "uvicorn": "a request through uvicorn's protocol, async route",
    "query": "a request with one SQLite query, called directly, sync route",
}
NOT_MEASURED = 9


async def serve(kind: str, number: int, requests: int) -> None:
    """Run one contender; to be called under callgrind."""
    stop_time()
    folder = Path(tempfile.mkdtemp(prefix="instructions-"))
    one = contenders(folder)[number]
    engine = create_engine(f"sqlite:///{folder / 'x.db'}") if kind == "query" else None
    app = application(
        engine, threaded=kind == "query", telemetry=one.telemetry() if one.telemetry is not None else None
    )
    handle = one.change(app, engine)
    drive = by_uvicorn(app, access_log=False) if kind == "uvicorn" else directly(app)
    await drive(48)
    if handle is not None:
        settle(handle)
    gc.collect()
    switch("on")
    await drive(requests)
    if handle is not None:
        settle(handle)
    switch("off")
    shutil.rmtree(folder)
    os._exit(0)  # an interpreter's end under callgrind takes longer than all of this


def stop_time() -> None:
    """Have the layer's time go on by its own calls alone, a tenth of a millisecond or two a request."""
    monitor.EMPTY_EVERY_S = 3600.0
    # As the real ones, they run in C.
    SystemClock.wall_s = itertools.count(float(int(time.time())), 2e-5).__next__  # type: ignore[assignment]
    SystemClock.monotonic_s = itertools.count(1000.0, 2e-5).__next__  # type: ignore[assignment]


def switch(state: str) -> None:
    """Switch counting on or off, from outside of this process's own instructions."""
    subprocess.run(["callgrind_control", "-i", state, str(os.getpid())], check=True, capture_output=True)


def count(kind: str, number: int, requests: int) -> float | None:
    """Return the instructions a request of one contender; None where it can't be imported."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        done = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"),
                *(sys.executable, "-m", "benchmarks.monitoring.instructions", "--serve", str(number)),
                *("--kind", kind, "--requests", str(requests)),
            ],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode == NOT_MEASURED:
            return None
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        totals = [line for line in out.read_text().splitlines() if line.startswith(("totals:", "summary:"))]
        return int(totals[-1].split()[1]) / requests


def compare(kind: str, requests: int) -> Comparison:
    """Count all contenders."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        everybody = contenders(Path(folder))
    base = 0.0
    for number, one in enumerate(everybody):
        found = count(kind, number, requests)
        name = one.title if found is not None else one.name
        base = base or found or 0.0
        rows.append(
            Row(
                name=name,
                value=None if found is None else found / 1000,
                ours=one.ours,
                note="not installed" if found is None else None,
            )
        )
        print(f"   {name:46s} " + ("not installed" if found is None else f"{found:12,.0f}  {found / base:5.3f}×"))
    return Comparison(
        name=f"monitoring_instructions_{kind}",
        title=KINDS[kind],
        quantity="instructions",
        unit="thousands",
        baseline=BARE,
        smaller_is_better=True,
        rounds=1,
        rows=rows,
        command="python -m benchmarks.monitoring.instructions --store",
        measured_utc=now_utc(),
        environment=environment(
            **{package: metadata.version(package) for package in ("fastapi", "starlette", "sqlalchemy", "uvicorn")}
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=480)
    parser.add_argument("--kind", choices=list(KINDS), help="this one alone")
    parser.add_argument("--store", action="store_true", help="keep the results in benchmarks/results")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is not None:
        try:
            asyncio.run(serve(asked.kind, asked.serve, asked.requests))
        except ImportError:
            sys.exit(NOT_MEASURED)
    for kind in KINDS if asked.kind is None else (asked.kind,):
        print(f"\n== {KINDS[kind]}")
        comparison = compare(kind, asked.requests)
        if asked.store:
            print(f"   kept as {store(comparison).name}")


if __name__ == "__main__":
    main()
