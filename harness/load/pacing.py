"""
Which poll an agent sends next: the schedule's answer for an agent that may be late.

The rule, for an agent that has never more than one poll in flight:

1. While its next poll lies ahead, it waits for it.
2. When it becomes free (or wakes) after that instant, the poll is *owed*: it is sent at once, late, and timed from
   its intended start.
3. When several are owed, the newest is sent and the older ones are *missed*: each of them had its whole interval
   pass before it could be sent. A real agent that was held up asks once for its work, not once for every tick that
   it slept.
4. Whatever happened before, later polls keep their places: a late poll never shifts the schedule.

So every intended start is sent once or missed, and ``missed = intended - sent`` over any window. Instants at which
the shape has an agent away are no intended starts.
"""

import math
from array import array

from harness.schedule import Schedule
from harness.shape import Shape, Window

_NEVER = -1
_ALWAYS: tuple[Window, ...] = ((0.0, math.inf),)


class FleetPacing:
    """
    The way of each agent through the schedule: eight bytes an agent.

    Args:
        schedule: the whole fleet's.
        shape: when each agent takes part; None for always.
    """

    def __init__(self, schedule: Schedule, shape: Shape | None = None) -> None:
        self._schedule = schedule
        self._shape = None if shape is None or shape.is_steady else shape
        self._windows: dict[int, tuple[Window, ...]] = {}
        # The number of each agent's next poll.
        self._next = array("q", bytes(8 * schedule.agents))
        if self._shape is not None:
            for agent_index in range(schedule.agents):
                self._next[agent_index] = self._first_present(agent_index, 0)
        self.missed = 0
        """Polls that were skipped so far."""
        self.skipped_s: tuple[float, ...] = ()
        """Intended starts of those that the last `take` skipped, oldest first [s since the run's origin]."""
        self.following_s: float | None = None
        """Intended start of the poll after the one that the last `take` claimed; None when it claimed the last."""

    @property
    def is_steady(self) -> bool:
        """Whether every agent is there always."""
        return self._shape is None

    def next_intended_s(self, agent_index: int) -> float | None:
        """
        Return the intended start of an agent's first poll neither sent nor missed.

        Returns:
            Seconds since the run's origin; None when the agent takes part no more.
        """
        k = self._next[agent_index]
        return None if k == _NEVER else self._schedule.intended_start_s(agent_index, k)

    def take(self, agent_index: int, now_s: float, *, end_s: float | None = None) -> float | None:
        """
        Claim the poll that an agent is to send at this instant, and count what it missed for it.

        Args:
            agent_index: 0..agents − 1.
            now_s: the present [s since the run's origin].
            end_s: end of the run; polls meant for then or later are never due. None for a run without an end.

        Returns:
            The intended start of the newest poll that is due [s since the run's origin], which counts as sent from
            now on; None when none is due.
        """
        schedule, k = self._schedule, self._next[agent_index]
        self.skipped_s = ()
        if k == _NEVER:
            return None
        intended_s = schedule.intended_start_s(agent_index, k)
        if intended_s > now_s or (end_s is not None and intended_s >= end_s):
            return None
        if self._shape is None:
            # Nearly always the next but one lies ahead, and nothing needs counting.
            self.following_s = schedule.intended_start_s(agent_index, k + 1)
            if self.following_s <= now_s:
                due = schedule.count_until(agent_index, now_s)
                if end_s is not None:
                    due = min(due, schedule.count_before(agent_index, end_s))
                self.missed += due - 1 - k
                self.skipped_s = tuple(schedule.intended_start_s(agent_index, i) for i in range(k, due - 1))
                k = due - 1
                intended_s = schedule.intended_start_s(agent_index, k)
                self.following_s = schedule.intended_start_s(agent_index, k + 1)
            self._next[agent_index] = k + 1
            return intended_s
        skipped_s: list[float] = []
        while True:
            k = self._next[agent_index] = self._first_present(agent_index, k + 1)
            following_s = self.next_intended_s(agent_index)
            if following_s is None or following_s > now_s or (end_s is not None and following_s >= end_s):
                self.missed += len(skipped_s)
                self.skipped_s = tuple(skipped_s)
                self.following_s = following_s
                return intended_s
            skipped_s.append(intended_s)
            intended_s = following_s

    def leaves_between(self, agent_index: int, from_s: float, until_s: float | None) -> bool:
        """
        Return whether an agent goes away between two instants.

        Args:
            agent_index: 0..agents − 1.
            from_s: an instant at which it is there [s since the run's origin].
            until_s: a later one at which it is there; None for the end of time.
        """
        if self.is_steady:
            return False
        latest_s = math.inf if until_s is None else until_s
        return any(
            from_s < gone_s <= latest_s for _, gone_s in self._present(agent_index) if math.isfinite(gone_s)
        )

    def _present(self, agent_index: int) -> tuple[Window, ...]:
        if self._shape is None:
            return _ALWAYS
        windows = self._windows.get(agent_index)
        if windows is None:
            windows = self._windows[agent_index] = self._shape.windows(agent_index)
        return windows

    def _first_present(self, agent_index: int, k: int) -> int:
        """Return the first poll from number k on at whose time the agent is there."""
        schedule = self._schedule
        for from_s, until_s in self._present(agent_index):
            k = max(k, schedule.count_before(agent_index, from_s))
            if schedule.intended_start_s(agent_index, k) < until_s:
                return k
        return _NEVER
