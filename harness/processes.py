"""
Processes that the harness starts and is answerable for: none of them outlives it.

Each child leads a session of its own, so that Ctrl-C reaches only the harness, which then stops its children in
order. On Linux the kernel ends them when the harness is killed outright.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError, explain

_PR_SET_PDEATHSIG = 1

_running: "set[Child]" = set()


class Child:
    """A running process with its output in a file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.pid = process.pid
        self.log = log
        self._process = process

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end; None when the time is up and it still runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and everything it started; nothing happens when it is gone."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def stop(self, *, grace_s: float) -> int | None:
        """
        End it: SIGTERM, and SIGKILL when it still runs after `grace_s` seconds.

        Returns:
            Its exit code.
        """
        if self.exit_code() is None:
            self.signal(signal.SIGTERM)
            if self.wait(grace_s) is None:
                self.signal(signal.SIGKILL)
        code = self.wait(5.0)
        # Children of the child, if any are left in its group.
        self.signal(signal.SIGKILL)
        _running.discard(self)
        return code

    def last_words(self, lines: int = 1) -> str:
        """Return the last lines it wrote that are not empty, joined into one."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return " ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def start_child(
    name: str, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """
    Start a process whose output goes to a file.

    Args:
        name: for error texts.
        command: program and arguments; no shell is involved.
        log: file for its output and errors, appended to.
        environment: added to ours.

    Raises:
        HarnessError: the program or the file can't be opened.
    """
    try:
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                # The harness has one thread while it starts children: code between fork and exec is safe.
                preexec_fn=die_with_parent,  # noqa: PLW1509
            )
    except OSError as fault:
        raise HarnessError(explain("process", name, fault=f"can't be started: {fault}")) from fault
    child = Child(name, process, log)
    _running.add(child)
    return child


def kill_children() -> None:
    """Kill every child that was started and not yet stopped, without waiting for any."""
    for child in _running:
        child.signal(signal.SIGKILL)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone; on Linux, elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
