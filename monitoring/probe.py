"""
Whether a database answers: asked on a connection outside the pool, in a thread of its own, with a deadline.

A probe that goes through the pool hangs exactly when the pool is exhausted, and one on the event loop hangs the
service with it. Here a database that never answers costs one waiting thread, not one for every question.
"""

import asyncio
import threading
from dataclasses import dataclass

from sqlalchemy.util import greenlet_spawn

from monitoring.capture.pool import PoolCapture
from monitoring.clock import Clock

_NOT_ASKED = "not asked: the engine's creator gives the service's own connection, which a ping would disturb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """
    What a probe found.

    Args:
        duration_s: time to connect, ask and disconnect [s]; None when no answer came in time, or for no question.
        error: why there is no answer; None when there is one, or nothing was asked.
        note: why nothing was asked; None when it was.
    """

    duration_s: float | None
    error: str | None
    note: str | None = None


class Probe:
    """
    Ping the database of one engine.

    Args:
        pool: the capture of its pool: knows how to make a connection like the pool's, outside of it.
        clock: where the time comes from.
        deadline_s: longest that callers are willing to wait, for the error text [s].
        cache_s: age up to which the last answer is given again [s].
    """

    def __init__(self, pool: PoolCapture, *, clock: Clock, deadline_s: float, cache_s: float) -> None:
        self.name = pool.name
        self._pool = pool
        self._clock = clock
        self._deadline_s = deadline_s
        self._cache_s = cache_s
        self._lock = threading.Lock()
        self._running: threading.Event | None = None
        self._last: tuple[float, Ping] | None = None

    def start(self) -> None:
        """Ask, unless a fresh answer is there or the last question is still open; returns at once."""
        with self._lock:
            if self._running is None and not self._fresh():
                self._running = threading.Event()
                threading.Thread(target=self._run, name=f"monitoring-ping-{self.name}", daemon=True).start()

    def result(self, timeout_s: float) -> Ping:
        """Return the answer, waiting so long at most [s]."""
        with self._lock:
            running = self._running
        if running is not None and not running.wait(timeout_s):
            return Ping(duration_s=None, error=f"no answer within {self._deadline_s:g} s")
        with self._lock:
            return self._last[1] if self._last is not None else Ping(duration_s=None, error="not asked")

    def _fresh(self) -> bool:
        return self._last is not None and self._clock.monotonic_s() - self._last[0] < self._cache_s

    def _run(self) -> None:
        start_s = self._clock.monotonic_s()
        try:
            if self._pool.engine.dialect.is_async:
                # A loop of its own: the service's may be busy, and its connections belong to it.
                asked = asyncio.run(greenlet_spawn(self._pool.ping))
            else:
                asked = self._pool.ping()
            if asked:
                ping = Ping(duration_s=self._clock.monotonic_s() - start_s, error=None)
            else:
                ping = Ping(duration_s=None, error=None, note=_NOT_ASKED)
        except Exception as error:  # noqa: BLE001  # whatever the driver raises is the finding
            # The type only: a driver's message may hold the connection's address and user.
            ping = Ping(duration_s=None, error=type(error).__name__)
        with self._lock:
            self._last = (self._clock.monotonic_s(), ping)
            running, self._running = self._running, None
        if running is not None:
            running.set()
