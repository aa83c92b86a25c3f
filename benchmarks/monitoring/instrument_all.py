"""
A pytest plugin that instruments every application of somebody else's test suite, before its routes are added.

FastAPI's and Starlette's source archives hold their suites; unpacked, with what they need installed::

    cd fastapi-0.165.0
    PYTHONPATH=$REPOSITORY:$REPOSITORY/benchmarks/monitoring python -m pytest tests -p instrument_all

(Not by its full name: these archives have folders called ``benchmarks`` themselves.) What fails here and not
without the plugin is a difference that monitoring makes; docs/monitoring.md lists those that are meant. At the end
it tells how many applications it saw, and which faults were kept from them.
"""

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette

from monitoring import Settings, instrument
from monitoring.monitor import Monitor

FOLDER = Path(tempfile.mkdtemp(prefix="instrument-all-"))
# Hidden from OpenAPI documents, which these suites compare word by word, and out of the way of their own paths.
SETTINGS = Settings(log_dir=FOLDER, store=False, openapi=False, api_prefix="/__monitoring")
# Not the handles: they would keep every application alive.
monitors: list[Monitor] = []


def instrumenting(cls: type[Starlette], original: Any) -> Any:
    """Return an ``__init__`` that instruments what it has made, once: FastAPI is a Starlette."""

    @functools.wraps(original)
    def init(self: Starlette, *args: Any, **named: Any) -> None:
        original(self, *args, **named)
        if cls is FastAPI or not isinstance(self, FastAPI):
            monitor = instrument(self, None, SETTINGS).monitor
            if monitor is not None:
                monitors.append(monitor)

    return init


for kind in (FastAPI, Starlette):
    kind.__init__ = instrumenting(kind, kind.__init__)  # type: ignore[method-assign]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was seen."""
    for monitor in monitors:
        monitor.close()
    log = FOLDER / "master-backend.log"
    lines = sum(path.read_bytes().count(b"\n") for path in FOLDER.glob(f"{log.name}*"))
    faults = {monitor.hub.last_fault for monitor in monitors if monitor.hub.faults}
    terminalreporter.write_line(
        f"{len(monitors)} applications instrumented, {lines} requests logged, faults: {faults}"
    )
    shutil.rmtree(FOLDER, ignore_errors=True)
