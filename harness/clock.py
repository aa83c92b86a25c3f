"""Time as a dependency: whatever measures or waits takes a `Clock`, so that tests need no sleep."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of time. Tests bring their own."""

    def monotonic_s(self) -> float:
        """Return seconds that never step back, from an arbitrary origin."""

    def utc_now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""

    def sleep(self, duration_s: float) -> None:
        """Wait `duration_s` seconds (≥ 0)."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic_s(self) -> float:
        """Return `time.perf_counter`: the finest monotonic clock there is."""
        return time.perf_counter()

    def utc_now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)

    def sleep(self, duration_s: float) -> None:
        """Block this thread; a duration below zero waits not at all."""
        time.sleep(max(0.0, duration_s))
