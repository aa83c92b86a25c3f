"""Time as a dependency, so that tests need no sleep."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that tells the date and may step, one that never steps back."""

    def wall_s(self) -> float:
        """Return seconds since the Unix epoch."""

    def monotonic_s(self) -> float:
        """Return seconds that never step back, from an arbitrary origin."""


class SystemClock:
    """The machine's own clocks. Its methods are the C functions themselves: they stand on the hot path."""

    wall_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.perf_counter)
