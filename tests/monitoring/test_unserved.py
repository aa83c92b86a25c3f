"""An instrumented engine in a process that gets no message through its own layer has its figures and lines."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text

from monitoring import Handle, Settings
from monitoring.clock import SystemClock
from monitoring.opening import open_store
from monitoring.rollup import Limits
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client

ROOT = Path(__file__).parents[2]

SERVICE = """
import sys
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from monitoring import Settings, instrument

engine = create_engine("sqlite:///service.db")
app = FastAPI()
instrument(app, engine, Settings(log_dir="logs"))

def work(statement, times):
    engine.dispose(close=False)
    for _ in range(times):
        with engine.connect() as connection:
            connection.execute(text(statement))
"""


def run(folder: Path, script: str, *arguments: str) -> None:
    (folder / "service.py").write_text(SERVICE)
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        # From 3.12 on, Python warns of forking beside a thread, which is what some of these scripts are about.
        [sys.executable, "-W", "ignore::DeprecationWarning", "script.py", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def logged(folder: Path) -> dict[str, int]:
    """Return how many lines there are of each statement."""
    counts: dict[str, int] = {}
    for line in (folder / "logs" / "database-queries.log").read_text().splitlines():
        statement = json.loads(line)["statement"]
        counts[statement] = counts.get(statement, 0) + 1
    return counts


def stored(folder: Path) -> dict[str, int]:
    """Return how often the store says that each statement was sent."""
    clock = SystemClock()
    store = open_store(folder / "logs" / "master-backend.metrics.sqlite", clock=clock, limits=Limits())
    try:
        slot = store.read(clock.wall_s() - 600, clock.wall_s() + 1).slot
    finally:
        store.close()
    return {statement: rollup.n for statement, rollup in slot.statements.items()}


def test_a_script_that_ends_within_a_moment(tmp_path: Path) -> None:
    run(tmp_path, "from service import work\nwork('SELECT 1', 100)\n")
    assert logged(tmp_path) == stored(tmp_path) == {"SELECT 1": 100}


def test_a_script_that_sends_its_last_statement_as_it_ends(tmp_path: Path) -> None:
    """An exit handler of its own, registered first, runs last: its line is written, and no thread is started."""
    script = """
        import atexit
        from service import work
        atexit.register(work, "SELECT 2", 1)
        work("SELECT 1", 1)
    """
    run(tmp_path, "\n".join(line.strip() for line in script.splitlines()))
    assert logged(tmp_path) == {"SELECT 1": 1, "SELECT 2": 1}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("busy", ["idle", "busy"])
def test_a_multiprocessing_child(tmp_path: Path, method: str, busy: str) -> None:
    """Also of a parent that has been at it: what the child inherits is the parent's, and stays there."""
    script = """
import multiprocessing, sys
from service import work

if __name__ == "__main__":
    method, busy = sys.argv[1:]
    if busy == "busy":
        work("SELECT 'parent'", 10)
    child = multiprocessing.get_context(method).Process(target=work, args=("SELECT 'child'", 100))
    child.start()
    child.join()
    sys.exit(child.exitcode)
"""
    run(tmp_path, script, method, busy)
    expected = {"SELECT 'child'": 100} | ({"SELECT 'parent'": 10} if busy == "busy" else {})
    assert logged(tmp_path) == stored(tmp_path) == expected


def test_an_instrumented_application_mounted_in_another(
    engine: Engine, settings: Settings, install: Callable[..., tuple[Client, Handle]]
) -> None:
    """The outer layer measures its requests; its statements are recorded by its own, which nothing else starts."""
    inner = master(engine)
    _, handle = install(inner, engine, settings.model_copy(update={"service": "inner"}))
    outer = FastAPI()
    outer.mount("/in", inner)
    client, _ = install(outer, None, settings.model_copy(update={"service": "outer"}))
    assert client.get("/in/api/deployments/pending/a").status == 200
    assert handle.monitor is not None
    assert handle.monitor.hub.started


def test_a_worker_that_serves_nobody_keeps_nothing(
    engine: Engine, install: Callable[..., tuple[Client, Handle]], clock: Any
) -> None:
    """Seconds are stored as they pass; a slot for each of them had stayed in memory for ever."""
    _, handle = install(FastAPI(), engine, clock=clock)
    monitor = handle.monitor
    assert monitor is not None
    for _ in range(5):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        clock.advance(1.0)
    assert monitor.hub.started
    with monitor.reading() as store:
        assert store.read_run().statements["SELECT 1"].n == 5
    assert monitor.hub.recorder.waiting_s == 0
