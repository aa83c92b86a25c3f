"""The generator's own health: how much it works, how late its loop wakes and its polls leave, how large it is."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.model import GeneratorTick

PROBE_INTERVAL_S = 0.05
"""How often the event loop is asked to wake a probe [s]: a pause of this length does not go by unseen."""

TICK_INTERVAL_S = 1.0
"""How often a tick is recorded [s]."""


@dataclass(slots=True, kw_only=True)
class GeneratorMeter:
    """
    A fold over the wakes of a probe. It keeps no time and asks no process itself.

    Args:
        started_s: the present [s, any monotonic clock].
        cpu_s: returns the CPU time that the process has used so far [s].
        rss_bytes: returns its resident memory.
        worker: its name among several; None when it is alone.
    """

    started_s: float
    cpu_s: Callable[[], float]
    rss_bytes: Callable[[], int]
    worker: str | None = None
    _since_s: float = field(init=False)
    _since_cpu_s: float = field(init=False)
    _worst_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Begin the first tick."""
        self._since_s = self.started_s
        self._since_cpu_s = self.cpu_s()

    def woke(self, *, due_s: float, now_s: float) -> None:
        """
        Take in one wake.

        Args:
            due_s: when the probe had asked to be woken.
            now_s: when it was.
        """
        self._worst_s = max(self._worst_s, now_s - due_s)

    def tick_due(self, now_s: float) -> bool:
        """Return whether a tick has lasted its second."""
        return now_s - self._since_s >= TICK_INTERVAL_S

    def tick(
        self,
        *,
        now_s: float,
        t_s: float,
        start_lag_s: float | None = None,
        gc_pause_s: float | None = None,
        missed: int | None = None,
        connections: int | None = None,
    ) -> GeneratorTick:
        """
        Close a tick and begin the next.

        Args:
            now_s: the present, later than the last tick.
            t_s: the same instant in the run [s since its origin].
            start_lag_s: see `GeneratorTick`, as the three that follow.
            gc_pause_s: likewise.
            missed: likewise.
            connections: likewise.

        Returns:
            CPU use and the worst lateness since the last tick, and the memory now.
        """
        cpu_s = self.cpu_s()
        tick = GeneratorTick(
            t_s=round(t_s, 6),
            cpu_ratio=round((cpu_s - self._since_cpu_s) / (now_s - self._since_s), 6),
            loop_lag_s=round(self._worst_s, 6),
            rss_bytes=self.rss_bytes(),
            start_lag_s=None if start_lag_s is None else round(start_lag_s, 6),
            gc_pause_s=None if gc_pause_s is None else round(gc_pause_s, 6),
            missed=missed,
            connections=connections,
            worker=self.worker,
        )
        self._since_s, self._since_cpu_s, self._worst_s = now_s, cpu_s, 0.0
        return tick


class GarbageWatch:
    """
    Times each collection of garbage: nothing else runs meanwhile.

    Args:
        now_s: returns the present [s, any monotonic clock].
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_s: float | None = None
        self._worst_s = 0.0

    def start(self) -> None:
        """Begin to watch."""
        gc.callbacks.append(self.collecting)

    def stop(self) -> None:
        """End it."""
        gc.callbacks.remove(self.collecting)

    def collecting(self, phase: str, _: Mapping[str, int]) -> None:
        """Take notice of a collection that starts or stops, as `gc.callbacks` has it."""
        if phase == "start":
            self._began_s = self._now_s()
        elif self._began_s is not None:
            self._worst_s = max(self._worst_s, self._now_s() - self._began_s)
            self._began_s = None

    def take_worst_s(self) -> float:
        """Return the longest collection since this was last asked [s]."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s
