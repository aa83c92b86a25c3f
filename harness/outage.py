"""An outage on purpose: the embedded target's process is stopped in the middle of a run, and started again."""

from collections.abc import Callable
from pathlib import Path

from harness.processes import Child

_STOP_GRACE_S = 5.0


class TargetProcess:
    """
    The embedded target's process, or the one that took its place.

    Args:
        start: starts it on the given port; 0 takes a free one.
        ready: file that is there while it answers.
    """

    def __init__(self, start: Callable[[int], Child], ready: Path) -> None:
        self._start = start
        self._ready = ready
        self.child = start(0)
        self._is_away = False

    @property
    def answers(self) -> bool:
        """Whether it has said that it answers."""
        return not self._is_away and self._ready.exists()

    def stop(self) -> None:
        """End it, as an operator does."""
        self._is_away = True
        self.child.stop(grace_s=_STOP_GRACE_S)
        self._ready.unlink(missing_ok=True)

    def restart(self, port: int) -> None:
        """Start it again; it answers some time later."""
        self.child = self._start(port)
        self._is_away = False

    def exit_code(self) -> int | None:
        """Return the exit code of one that ended by itself; None while it runs, or is away on purpose."""
        return None if self._is_away else self.child.exit_code()


class Outage:
    """
    The course of one outage: an owner calls `look` again and again with the time.

    Args:
        process: the target's.
        port: that it shall come back on.
        at_s: when it is stopped [s since the run's origin].
        for_s: how long it stays away [s].
    """

    def __init__(self, process: TargetProcess, *, port: int, at_s: float, for_s: float) -> None:
        self._process = process
        self._port = port
        self._at_s = at_s
        self._for_s = for_s
        self.away_s: float | None = None
        """When it was gone [s since the run's origin]; None before."""
        self.back_s: float | None = None
        """When it answered again [s since the run's origin]; None before."""
        self._is_restarted = False

    def look(self, elapsed_s: float) -> None:
        """
        Do what is due.

        Args:
            elapsed_s: the present [s since the run's origin].
        """
        if self.away_s is None:
            if elapsed_s >= self._at_s:
                self.away_s = elapsed_s
                self._process.stop()
        elif not self._is_restarted:
            if elapsed_s >= self.away_s + self._for_s:
                self._is_restarted = True
                self._process.restart(self._port)
        elif self.back_s is None and self._process.answers:
            self.back_s = elapsed_s
