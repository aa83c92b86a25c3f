"""
Which poll an agent sends next: the schedule's answer for an agent that may be late.

The rule, for one agent that has never more than one poll in flight:

1. While its next poll lies ahead, it waits for it.
2. When it becomes free (or wakes) after that instant, the poll is *owed*: it is sent at once, late, and timed from
   its intended start.
3. When several are owed, the newest is sent and the older ones are *missed*: each of them had its whole interval
   pass before it could be sent. A real agent that was held up asks once for its work, not once for every tick that
   it slept.
4. Whatever happened before, later polls keep their places: a late poll never shifts the schedule.

So every intended start is sent once or missed, and ``missed = intended - sent`` over any window.
"""

from harness.schedule import Schedule


class AgentPacing:
    """
    One agent's way through the schedule.

    Args:
        schedule: the whole fleet's.
        agent_index: which agent, 0..agents − 1.
    """

    __slots__ = ("_agent_index", "_next", "_schedule", "missed")

    def __init__(self, schedule: Schedule, agent_index: int) -> None:
        self._schedule = schedule
        self._agent_index = agent_index
        self._next = 0
        self.missed = 0
        """Polls that this agent has skipped so far."""

    def next_intended_s(self) -> float:
        """Return the intended start of the first poll neither sent nor missed [s since the run's origin]."""
        return self._schedule.intended_start_s(self._agent_index, self._next)

    def take(self, now_s: float, *, end_s: float | None = None) -> float | None:
        """
        Claim the poll to send at this instant, and count what is missed for it.

        Args:
            now_s: the present [s since the run's origin].
            end_s: end of the run; polls meant for later than this are never due. None for a run without an end.

        Returns:
            The intended start of the newest poll that is due [s since the run's origin], which counts as sent from
            now on; None when none is due.
        """
        due = self._schedule.count_until(self._agent_index, now_s)
        if end_s is not None:
            due = min(due, self._schedule.count_before(self._agent_index, end_s))
        if due <= self._next:
            return None
        newest = due - 1
        self.missed += newest - self._next
        self._next = due
        return self._schedule.intended_start_s(self._agent_index, newest)
