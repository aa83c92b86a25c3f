"""
Running the application in uvicorn: one process, or several that share the port.

The port is claimed before anything else, so that a taken one is said at once; then the database is brought up to
date; then the server starts, and only when it answers is it announced.
"""

import asyncio
import contextlib
import errno
import functools
import json
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.supervisors import Multiprocess

from harness.backend.app import create_app
from harness.backend.config import BackendConfig, Listening
from harness.backend.database import make_sole_engine
from harness.backend.schema import drop_index, upgrade
from harness.errors import HarnessError, UsageError, explain
from monitoring.errors import MonitoringError
from monitoring.process import is_alive

KEEP_ALIVE_S = 75
"""How long an idle connection is kept. Agents come each ten seconds: uvicorn's 5 s would be too short."""

_BACKLOG = 2048
_GRACE_S = 2
_PARENT_CHECK_S = 0.5
_WORKER_START_S = 30.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _StoppedError(Exception):
    """A signal came before the server took them over."""


def serve(config: BackendConfig, listening: Listening) -> int:
    """
    Serve until SIGTERM or SIGINT. To be called in the main thread.

    Returns:
        0 after a clean stop.

    Raises:
        UsageError: the host or the database URL can't be used.
        HarnessError: the port is taken, the database can't be used, or the application doesn't start.
    """
    try:
        with _stop_at_once(), _claim(listening) as claimed:
            _prepare(config)
            if listening.parent_pid is not None:
                _end_with(listening.parent_pid)
            with _announcer(claimed, listening) as announce:
                if listening.workers == 1:
                    _serve_alone(config, claimed, announce)
                else:
                    _serve_together(config, listening.workers, claimed, announce)
    except _StoppedError:
        # Told to stop before it served: that is an end, and no fault.
        pass
    return 0


def _prepare(config: BackendConfig) -> None:
    # A thousand agents are a thousand files, and many systems start a process with 1,024.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    engine = make_sole_engine(config.database_url)
    try:
        upgrade(engine)
        if config.drop_index is not None:
            drop_index(engine, config.drop_index)
    finally:
        engine.dispose()


def _serve_alone(config: BackendConfig, claimed: socket.socket, announce: Callable[[], None]) -> None:
    try:
        app = create_app(config)
    except MonitoringError as fault:
        raise UsageError(str(fault)) from fault
    server = _Server(_settings(lambda: _quiet_when_cut_off(app)), announce)
    try:
        server.run(sockets=[claimed])
    except SystemExit as ended:
        raise _no_start() from ended


def _serve_together(
    config: BackendConfig, workers: int, claimed: socket.socket, announce: Callable[[], None]
) -> None:
    factory = functools.partial(_worker_app, config, os.getpid())
    _Workers(_settings(factory, workers=workers), claimed, announce).run()


def _settings(factory: Callable[[], ASGIApp], *, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
        factory=True,
        workers=workers,
        lifespan="on",
        # The monitoring layer writes a better line for each request, and at a lower price.
        access_log=False,
        log_level=logging.WARNING,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        # Idle connections are closed at once; this is for requests under way.
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
    )


def _worker_app(config: BackendConfig, supervisor_pid: int) -> ASGIApp:
    _end_with(supervisor_pid)
    return _quiet_when_cut_off(create_app(config))


def _quiet_when_cut_off(app: ASGIApp) -> ASGIApp:
    """
    Spare a person the traceback of a request that the server's stop cut off.

    Only that stop cancels requests, after `_GRACE_S`; uvicorn then answers a 500 for the missing response.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return answer


class _Server(uvicorn.Server):
    """A server that says when it answers, and for which a signal is no failure."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as usual, then announce."""
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take signals while serving, and don't raise them again afterwards: a stop is a success."""
        with _handlers(self.handle_exit):
            yield


class _Workers(Multiprocess):
    """Several servers on one socket, announced when all of them answer."""

    def __init__(self, config: uvicorn.Config, claimed: socket.socket, announce: Callable[[], None]) -> None:
        super().__init__(config, [claimed])
        self._announce_ready = announce

    def init_processes(self) -> None:
        """Start the workers and wait until they answer; a signal or a worker's end stops the waiting."""
        super().init_processes()
        deadline_s = time.monotonic() + _WORKER_START_S
        for process in self.processes:
            while not process.is_ready(timeout=1):
                if self.signal_queue:
                    return
                if not process.process.is_alive() or time.monotonic() > deadline_s:
                    self.terminate_all()
                    self.join_all()
                    raise _no_start()
                time.sleep(0.02)
        self._announce_ready()


def _no_start() -> HarnessError:
    return HarnessError(explain("server", fault="the application did not start; the reason stands above"))


@contextmanager
def _claim(listening: Listening) -> Iterator[socket.socket]:
    """Bind and listen, so that the port is ours from here on; connections wait until the server takes them."""
    where = f"{listening.host}:{listening.port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(
            listening.host, listening.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        claimed = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except socket.gaierror as fault:
        raise UsageError(
            explain("option", "--host", fault=f"no such address: {fault.strerror}", got=listening.host)
        ) from fault
    except OSError as fault:
        port = "another --port, or 0 for a free one"
        remedy = port if fault.errno != errno.EADDRNOTAVAIL else "a --host that is this machine's"
        raise HarnessError(
            explain(
                "address", where, fault=f"can't be listened on: {os.strerror(fault.errno or 0)}", remedy=remedy
            )
        ) from fault
    with claimed:
        yield claimed


@contextmanager
def _announcer(claimed: socket.socket, listening: Listening) -> Iterator[Callable[[], None]]:
    """Yield what tells the world that the server answers; the ready file is there exactly as long as it does."""
    file = listening.ready_file
    if file is not None:
        _clear(file)
    url = _url(claimed)

    def announce() -> None:
        if file is not None:
            written = file.with_name(f".{file.name}.{os.getpid()}")
            written.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n", encoding="utf-8")
            written.replace(file)
        sys.stderr.write(f"harness: the deployment master answers at {url}\n")
        sys.stderr.flush()

    try:
        yield announce
    finally:
        if file is not None:
            file.unlink(missing_ok=True)


def _clear(file: Path) -> None:
    """Make room for the ready file: one left over by a server that was killed would be taken for ours."""
    if not (file.parent.is_dir() and os.access(file.parent, os.W_OK)):
        raise _no_ready_file("its folder can't be written", file, need="an existing folder")
    try:
        # A folder can't be replaced, and a device or a pipe must not be: as root, it would be gone.
        if file.exists() and not file.is_file():
            raise _no_ready_file("not a file", file, need="a path that is free, or a file's")
        file.unlink(missing_ok=True)
    except OSError as fault:
        raise _no_ready_file(f"can't be replaced: {fault.strerror}", file) from fault


def _no_ready_file(fault: str, file: Path, *, need: str | None = None) -> HarnessError:
    return HarnessError(explain("option", "--ready-file", fault=fault, got=file, need=need))


def _url(claimed: socket.socket) -> str:
    host, port = claimed.getsockname()[:2]
    # The address of no host in particular can be listened on, but not be called.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared with, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _handlers(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextmanager
def _stop_at_once() -> Iterator[None]:
    """Let a signal end the preparations, which leave nothing half-done, until the server takes signals itself."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _StoppedError

    with _handlers(stop):
        yield


def _end_with(pid: int) -> None:
    """Stop this process, as by SIGTERM, soon after the process `pid` is gone."""
    is_parent = os.getppid() == pid

    def watch() -> None:
        # A dead parent that nobody has waited for yet still has its number, but no longer us as its child.
        while os.getppid() == pid if is_parent else is_alive(pid):
            time.sleep(_PARENT_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
