"""What happens around the load while it runs: the target is watched, and taken away where the scenario says so."""

import urllib.parse

from harness.model import Scenario
from harness.outage import Outage
from harness.rundir import RunDirectory
from harness.target import RunningTarget
from harness.target_watch import TargetWatch

_WATCH_EVERY_S = 5.0
_MOST_LOOKS = 1000


class Scene:
    """
    Everything besides the load, for an owner that calls `look` several times a second.

    Args:
        target: ours, or one that somebody else runs, to which nothing is done.
        scenario: what is to happen.
        directory: the run's folder.
    """

    def __init__(self, target: RunningTarget, scenario: Scenario, directory: RunDirectory) -> None:
        process = target.process
        parameters = scenario.parameters
        self._warmup_s = scenario.warmup_s
        self._watch: TargetWatch | None = None
        self._outage: Outage | None = None
        self._is_ours = process is not None
        self._has_outage = "down_at_s" in parameters
        if process is None:
            return
        # A short run gets a look every half second, one of a day every minute and a half.
        every_s = min(max(_WATCH_EVERY_S / 10, scenario.run_time_s / _MOST_LOOKS), 90.0)
        self._watch = TargetWatch(lambda: process.child.pid, directory.target_ticks, every_s=every_s)
        if self._has_outage:
            self._outage = Outage(
                process,
                port=urllib.parse.urlsplit(target.record.url).port or 80,
                at_s=float(parameters["down_at_s"]),
                for_s=float(parameters["down_for_s"]),
            )

    @property
    def back_s(self) -> float | None:
        """When the target answered again [s since the run's origin]; None without an outage, or before its end."""
        return None if self._outage is None else self._outage.back_s

    @property
    def judged_from_s(self) -> float | None:
        """First instant that is judged [s since the run's origin]; None while an outage is still to be over."""
        if self._outage is not None and self.back_s is None:
            return None
        return max(self._warmup_s, self.back_s or 0.0)

    def look(self, elapsed_s: float) -> None:
        """Do what is due at this instant [s since the run's origin]."""
        if self._outage is not None:
            self._outage.look(elapsed_s)
        if self._watch is not None:
            self._watch.look(elapsed_s)

    def notes(self) -> tuple[str, ...]:
        """Return what a reader of the result should know of it, a sentence each."""
        if self._has_outage and not self._is_ours:
            return ("The target is not ours to restart: what came of the storm depends on who did, and when.",)
        outage = self._outage
        if outage is None or outage.away_s is None:
            return ()
        gone = f"The target was stopped at {outage.away_s:.1f} s"
        if outage.back_s is None:
            return (f"{gone} and had not come back by the end of the run.",)
        return (f"{gone} and answered again at {outage.back_s:.1f} s: judged is what was meant for later.",)
