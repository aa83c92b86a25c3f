"""Ctrl-C in two steps: the first ends the load cleanly and still writes, the second stops everything at once."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from harness.processes import kill_children

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite kill, and the terminal's closing."""

_ONE_REQUEST_S = 0.5
"""`timeout` signals a process and its group: two signals so close together are one wish."""


class Interrupt:
    """
    Whether the user asked to stop.

    While nothing is at stake a signal ends the program at once, as everywhere. Inside `graceful` the first one
    only sets `requested`, and whoever runs the load sees to a clean end.
    """

    def __init__(self) -> None:
        self.requested = False
        self._graceful = False
        self._asked_s = 0.0

    @contextmanager
    def installed(self) -> Iterator["Interrupt"]:
        """Take over SIGINT, SIGTERM and SIGHUP, and give them back at the end."""
        before: dict[signal.Signals, Any] = {number: signal.signal(number, self._take) for number in _SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def graceful(self) -> Iterator[None]:
        """Let the first signal only ask; what runs inside looks at `requested`."""
        self._graceful = True
        try:
            yield
        finally:
            self._graceful = False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        if self._graceful and not self.requested:
            self.requested = True
            self._asked_s = time.monotonic()
            return
        if self._graceful and time.monotonic() - self._asked_s < _ONE_REQUEST_S:
            return
        # Children are killed first, so that unwinding has nothing left to wait for.
        kill_children()
        raise KeyboardInterrupt
