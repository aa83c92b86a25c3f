"""How the embedded target fares while it is polled: its memory, connections and CPU, every few seconds."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # publishes no types

from harness.model import TargetTick
from harness.rundir import cannot_write, encode


class TargetWatch:
    """
    Takes a look at a process and those it started, and writes down what it saw.

    Args:
        pid: returns the process's number just now; it changes when the target is restarted.
        path: file to append to, one `TargetTick` a line.
        every_s: time between two looks [s].
    """

    def __init__(self, pid: Callable[[], int], path: Path, *, every_s: float) -> None:
        self._pid = pid
        self._path = path
        self._every_s = every_s
        self._next_s = 0.0

    def look(self, elapsed_s: float) -> None:
        """
        Take a look, when it is time for one.

        Args:
            elapsed_s: the present [s since the run's origin].

        Raises:
            HarnessError: the file can't be written.
        """
        if elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + self._every_s
        # A target that has just ended is looked at elsewhere.
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            tick = tick_of(self._pid(), elapsed_s)
            try:
                with self._path.open("ab") as file:
                    file.write(encode(tick) + b"\n")
            except OSError as fault:
                raise cannot_write(self._path, fault) from fault


def tick_of(pid: int, t_s: float) -> TargetTick:
    """
    Look at a process and those it started.

    Args:
        pid: its number.
        t_s: the present [s since the run's origin].

    Raises:
        psutil.NoSuchProcess: it is gone.
    """
    top: Any = psutil.Process(pid)
    family = [top, *top.children(recursive=True)]
    rss_bytes = sum(member.memory_info().rss for member in family)
    cpu_s = sum(sum(member.cpu_times()[:2]) for member in family)
    connections = sum(
        connection.status == psutil.CONN_ESTABLISHED
        for member in family
        for connection in member.net_connections(kind="tcp")
    )
    files = sum(member.num_fds() for member in family)
    return TargetTick(
        t_s=round(t_s, 3),
        rss_bytes=rss_bytes,
        connections=connections,
        cpu_s=round(cpu_s, 3),
        open_files=files,
    )
