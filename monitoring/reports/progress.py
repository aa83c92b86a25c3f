"""A bar for reading that takes a while: on a terminal only, and only once a second has passed."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

_SHOW_AFTER_S = 1.0
_REDRAW_EVERY_S = 0.1
_WIDTH = 30


class ProgressBar:
    """
    Show how far reading is. Used as a context manager, it is wiped out at the end.

    Args:
        stream: where to draw, by default the error output; nothing is drawn when it is no terminal.
        monotonic_s: the clock [s].
    """

    def __init__(self, stream: TextIO | None = None, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._monotonic_s = monotonic_s
        self._wanted = self._stream.isatty()
        self._next_s = monotonic_s() + _SHOW_AFTER_S
        self._drawn = False

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        """Take note of what has been read, of how much [bytes]."""
        if not self._wanted or total_bytes <= 0:
            return
        now_s = self._monotonic_s()
        if now_s < self._next_s:
            return
        self._next_s = now_s + _REDRAW_EVERY_S
        ratio = min(1.0, done_bytes / total_bytes)
        filled = round(ratio * _WIDTH)
        bar = "#" * filled + "." * (_WIDTH - filled)
        self._stream.write(f"\rreading logs [{bar}] {ratio:4.0%} of {total_bytes / 1e6:,.0f} MB\x1b[K")
        self._stream.flush()
        self._drawn = True
