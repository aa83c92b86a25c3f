"""
Keep one PostgreSQL server for exactly as long as its owner lives.

Run as a script by `harness.postgres`, in a session of its own, with nothing but the standard library::

    owner ──stdin: one line of JSON, then silence──▶ guard ──▶ initdb, then postgres
          ◀─stdout: one line of JSON──────────────

The guard ends the server and removes its folder when its stdin closes, when its owner's process is gone, when it
is told to terminate, or when the server ends by itself. A `kill -9` of the owner closes the pipe; one of the guard
makes the kernel end the server.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.01
_OWNER_POLL_S = 0.25
_PR_SET_PDEATHSIG = 1
_LOG_TAIL_LINES = 4
_READY_LINE = 7  # of postmaster.pid, counted from 0: "starting", "stopping", "ready" or "standby"


class _OwnerGoneError(Exception):
    """Nobody is left to answer to."""


class _StartError(Exception):
    """The server or its initdb failed; the text is for the owner."""


def main() -> int:
    """Read the order from stdin, keep the server, and return an exit code."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _terminate)
    line = sys.stdin.buffer.readline()
    if not line:
        return 1
    order = json.loads(line)
    server: subprocess.Popen[bytes] | None = None
    try:
        _initialise(order)
        server = _spawn(order, "server")
        _wait_until_ready(order, server)
        _answer({"ready": True})
        _keep(order, server)
    except _StartError as fault:
        _answer({"ready": False, "fault": str(fault)})
        return 1
    except _OwnerGoneError:
        # What it waits for: the server goes with its owner, below.
        pass
    finally:
        if server is not None:
            _stop(server)
        shutil.rmtree(order["folder"], ignore_errors=True)
    return 0


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise _OwnerGoneError


def _answer(message: dict[str, Any]) -> None:
    # An owner that died in the meantime is noticed by the next look at it.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(message).encode() + b"\n")


def _owner_is_gone(order: dict[str, Any], *, wait_s: float) -> bool:
    # The parent's id is looked at as well: a forked sibling of ours may hold the pipe open when the owner is dead.
    readable, _, _ = select.select([0], [], [], wait_s)
    return bool(readable) or os.getppid() != order["owner"]


def _spawn(order: dict[str, Any], step: str) -> "subprocess.Popen[bytes]":
    with Path(order["log"]).open("ab") as log:
        try:
            return subprocess.Popen(
                order[step],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=order["folder"],
                env=order["environment"],
                user=order["user"],
                group=order["group"],
                extra_groups=None if order["user"] is None else [],
                umask=0o077,
                preexec_fn=_end_with_guard,  # noqa: PLW1509  # the guard has one thread
            )
        except (OSError, subprocess.SubprocessError) as fault:
            raise _StartError(f"{step} could not be started: {fault}") from fault


def _end_with_guard() -> None:
    # Runs after the change of user, which would clear it. Elsewhere than on Linux the server itself notices within
    # a minute that its folder is gone.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)


def _initialise(order: dict[str, Any]) -> None:
    process = _spawn(order, "initdb")
    try:
        while process.poll() is None:
            if _owner_is_gone(order, wait_s=_POLL_S):
                raise _OwnerGoneError
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode != 0:
        raise _StartError(f"initdb ended with exit code {process.returncode}: {_log_tail(order)}")


def _wait_until_ready(order: dict[str, Any], server: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not _is_ready(Path(order["data"]) / "postmaster.pid"):
        if server.poll() is not None:
            raise _StartError(f"the server ended with exit code {server.returncode}: {_log_tail(order)}")
        if time.monotonic() > deadline_s:
            raise _StartError(f"the server was not ready within {START_TIMEOUT_S:.0f} s: {_log_tail(order)}")
        if _owner_is_gone(order, wait_s=_POLL_S):
            raise _OwnerGoneError


def _is_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready"


def _keep(order: dict[str, Any], server: "subprocess.Popen[bytes]") -> None:
    while server.poll() is None:
        if _owner_is_gone(order, wait_s=_OWNER_POLL_S):
            return


def _stop(server: "subprocess.Popen[bytes]") -> None:
    # SIGQUIT is PostgreSQL's immediate shutdown: no last checkpoint, for data that is thrown away in any case.
    for number in (signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_TIMEOUT_S)


def _log_tail(order: dict[str, Any]) -> str:
    try:
        lines = Path(order["log"]).read_text(errors="replace").split("\n")
    except OSError as fault:
        return f"no log: {fault}"
    return " / ".join([line.strip() for line in lines if line.strip()][-_LOG_TAIL_LINES:])


if __name__ == "__main__":
    sys.exit(main())
