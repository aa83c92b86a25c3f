"""How far the drawing is, on one line of a terminal, once it takes longer than two seconds."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_AFTER_S = 2.0
_EVERY_S = 0.2


class DrawingProgress:
    """
    Call it with what is drawn, how many are done and of how many; leaves no trace when it ends.

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
        now = self._clock()
        if self._stream is None or now - self._begin < _AFTER_S or now - self._last < _EVERY_S:
            return
        self._last = now
        self._show(f"drawing {what}: {done:,} of {of:,}")

    def _show(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(f"\r{text.ljust(len(self._shown))}")
            self._stream.flush()
            self._shown = text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None and self._shown:
            self._stream.write(f"\r{' ' * len(self._shown)}\r")
            self._stream.flush()
