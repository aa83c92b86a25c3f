"""How far a long look at a history is, on one line of a terminal, once it takes longer than two seconds."""

import contextlib
import shutil
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many are done, and of how many; 0 where that is not known."""

_AFTER_S = 2.0
_EVERY_S = 0.2


def silent(_what: str, _done: int, _of: int) -> None:
    """Take a progress that nobody looks at."""


class ProgressLine:
    """
    Call it with what is done, how many and of how many; leaves no trace when all are done, or when it ends.

    Args:
        stream: shown on, when it is a terminal; None for a closed one.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._clock = clock
        self._begin = self._last = clock()
        self._shown = ""

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show how far it is."""
        if self._stream is None:
            return
        if 0 < of <= done:
            # What is printed next must not stand behind it.
            self.clear()
            return
        now = self._clock()
        if now - self._begin < _AFTER_S or now - self._last < _EVERY_S:
            return
        self._last = now
        text = f"{what}: {done:,} of {of:,}" if of else f"{what}: {done:,}"
        # A line that wraps can't be redrawn in place.
        self._write(text[: shutil.get_terminal_size().columns - 1])

    def clear(self) -> None:
        """Take away what is shown."""
        if self._shown:
            self._write("")
            self._write("")

    def _write(self, text: str) -> None:
        # A terminal that was closed costs nobody the work.
        with contextlib.suppress(OSError):
            if self._stream is not None:
                self._stream.write(f"\r{text.ljust(len(self._shown))}")
                self._stream.flush()
                self._shown = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
