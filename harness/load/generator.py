"""The generator's own health: how much it works, how late its event loop wakes, how large it has grown."""

from collections.abc import Callable
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
    """

    started_s: float
    cpu_s: Callable[[], float]
    rss_bytes: Callable[[], int]
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

    def tick(self, *, now_s: float, t_s: float) -> GeneratorTick:
        """
        Close a tick and begin the next.

        Args:
            now_s: the present, later than the last tick.
            t_s: the same instant in the run [s since its origin].

        Returns:
            CPU use and the worst lateness since the last tick, and the memory now.
        """
        cpu_s = self.cpu_s()
        tick = GeneratorTick(
            t_s=round(t_s, 6),
            cpu_ratio=round((cpu_s - self._since_cpu_s) / (now_s - self._since_s), 6),
            loop_lag_s=round(self._worst_s, 6),
            rss_bytes=self.rss_bytes(),
        )
        self._since_s, self._since_cpu_s, self._worst_s = now_s, cpu_s, 0.0
        return tick
