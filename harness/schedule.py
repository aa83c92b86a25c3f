"""
When each agent is meant to poll: a pure function of seed, agent, phase model, interval and jitter.

It stands on the ground floor because two rooms need it: the load, to send at these instants, and the judge, to
know how many polls a window should have held. All arithmetic is in whole microseconds, so that both get the same
float.
"""

import hashlib
import math
import random
from dataclasses import dataclass, field
from enum import StrEnum

from harness.errors import UsageError, explain
from harness.model import SampleHeader
from harness.shape import Shape, shape_of

_US_PER_S = 1_000_000
_SHORTEST_INTERVAL_S = 0.001
_HASH_BITS = 64
_LONGEST_S = 1e9
"""Thirty years: beyond this a float no longer tells one microsecond from the next."""


class PhaseModel(StrEnum):
    """How the agents' phases lie in the interval."""

    UNIFORM = "uniform"
    RANDOM = "random"
    SYNC = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """
    The intended starts of every poll of every agent, from the run's origin to eternity.

    Poll k (0, 1, 2 …) of agent i is meant to start at ``phase(i) + k × interval + jitter(i, k)``, with

    - uniform: the interval cut into as many equal slots as there are agents, dealt out by a shuffle from the seed;
    - random: a phase drawn evenly from the interval for each agent by itself, as a fleet started by hand has it;
    - sync: every agent at phase 0, the worst a restart of all machines can do.

    Args:
        seed: source of the shuffle, of random phases and of jitter.
        agents: fleet size, ≥ 1.
        interval_s: between two polls of one agent [s], ≥ 0.001; kept to the microsecond.
        phase_model: see above; a `PhaseModel` or its value.
        jitter_ratio: each start is put off by a share of the interval drawn evenly from 0 to this, 0..1.

    Raises:
        UsageError: a value outside its range.
    """

    seed: int
    agents: int
    interval_s: float
    phase_model: str = PhaseModel.UNIFORM
    jitter_ratio: float = 0.0
    _interval_us: int = field(init=False, repr=False, compare=False)
    _jitter_us: int = field(init=False, repr=False, compare=False)
    _phases_us: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the values and lay out the phases."""
        _check(self)
        interval_us = round(self.interval_s * _US_PER_S)
        object.__setattr__(self, "_interval_us", interval_us)
        object.__setattr__(self, "_jitter_us", round(self.jitter_ratio * interval_us))
        object.__setattr__(self, "_phases_us", _phases_us(self, interval_us))

    def phase_s(self, agent_index: int) -> float:
        """
        Return the agent's offset in the interval.

        Args:
            agent_index: 0..agents − 1.

        Returns:
            Seconds in [0, interval).
        """
        return self._phases_us[agent_index] / _US_PER_S

    def intended_start_s(self, agent_index: int, k: int) -> float:
        """
        Return when poll k of an agent is meant to start.

        Args:
            agent_index: 0..agents − 1.
            k: number of the poll, from 0.

        Returns:
            Seconds since the run's origin, on a grid of whole microseconds; strictly rising with k.
        """
        return self._intended_us(agent_index, k) / _US_PER_S

    def count_before(self, agent_index: int, instant_s: float) -> int:
        """
        Return how many polls of an agent are meant to start before an instant.

        It is at once the number of the first poll at or after that instant.

        Args:
            agent_index: 0..agents − 1.
            instant_s: seconds since the run's origin, finite.
        """
        return self._count_before_us(agent_index, _first_us_not_before(instant_s))

    def count_until(self, agent_index: int, instant_s: float) -> int:
        """Return how many polls of an agent are due at an instant: meant to start at or before it."""
        return self._count_before_us(agent_index, _first_us_not_before(math.nextafter(instant_s, math.inf)))

    def count_between(self, start_s: float, end_s: float, *, agent_index: int | None = None) -> int:
        """
        Return how many polls are meant to start in a window.

        Args:
            start_s: first instant of the window [s since the run's origin].
            end_s: the instant after it; a window that ends before it starts holds none.
            agent_index: of one agent; None for the whole fleet.

        Returns:
            The number of intended starts in [start_s, end_s).
        """
        if end_s <= start_s:
            return 0
        start_us, end_us = _first_us_not_before(start_s), _first_us_not_before(end_s)
        fleet = range(self.agents) if agent_index is None else (agent_index,)
        return sum(self._count_before_us(i, end_us) - self._count_before_us(i, start_us) for i in fleet)

    def _intended_us(self, agent_index: int, k: int) -> int:
        start_us = self._phases_us[agent_index] + k * self._interval_us
        if self._jitter_us:
            # A hash rather than a stream of random numbers: any poll's jitter is known without those before it.
            # The shift keeps it below `_jitter_us`, hence below the interval, hence the starts in order.
            name = f"{self.seed}/{agent_index}/{k}".encode()
            drawn = int.from_bytes(hashlib.blake2b(name, digest_size=_HASH_BITS // 8).digest())
            start_us += (drawn * self._jitter_us) >> _HASH_BITS
        return start_us

    def _count_before_us(self, agent_index: int, instant_us: int) -> int:
        # Ceiling division in whole numbers: polls whose start without jitter lies before the instant.
        count = max(0, -((self._phases_us[agent_index] - instant_us) // self._interval_us))
        # Jitter is shorter than the interval, so it can carry the last of them over the instant and no other.
        if self._jitter_us and count and self._intended_us(agent_index, count - 1) >= instant_us:
            count -= 1
        return count


def intended_in_window(header: SampleHeader, start_s: float, end_s: float) -> int:
    """
    Return how many polls the schedule of a stored run wanted in a window, of agents that took part just then.

    Args:
        header: first line of its samples file.
        start_s: first instant of the window [s since the run's origin].
        end_s: the instant after it [s since the run's origin].

    Returns:
        The number of intended starts in [start_s, end_s), sent or not.
    """
    schedule = Schedule(
        seed=header.seed,
        agents=header.agents,
        interval_s=header.interval_s,
        phase_model=header.phase_model,
        jitter_ratio=header.jitter_ratio,
    )
    return count_in_shape(schedule, shape_of(header), start_s, end_s)


def count_in_shape(schedule: Schedule, shape: Shape, start_s: float, end_s: float) -> int:
    """
    Return how many polls are meant to start in a window by agents that take part.

    Args:
        schedule: when each agent polls.
        shape: when each agent takes part.
        start_s: first instant of the window [s since the run's origin].
        end_s: the instant after it [s since the run's origin].

    Returns:
        The number of intended starts in [start_s, end_s) that lie in a window of their agent.
    """
    if shape.is_steady:
        return schedule.count_between(start_s, end_s)
    return sum(
        schedule.count_between(max(start_s, from_s), min(end_s, until_s), agent_index=index)
        for index in range(schedule.agents)
        for from_s, until_s in shape.windows(index)
    )


def _check(schedule: Schedule) -> None:
    if schedule.agents < 1:
        raise UsageError(explain("schedule", "agents", fault="no agents", got=schedule.agents, need="1 or more"))
    if not _SHORTEST_INTERVAL_S <= schedule.interval_s < math.inf:
        raise UsageError(
            explain(
                "schedule",
                "interval",
                fault="not a polling interval",
                got=f"{schedule.interval_s:g} s",
                need=f"{_SHORTEST_INTERVAL_S:g} s or more",
            )
        )
    if schedule.phase_model not in set(PhaseModel):
        raise UsageError(
            explain(
                "schedule",
                "phase model",
                fault="unknown",
                got=repr(schedule.phase_model),
                need=" or ".join(PhaseModel),
            )
        )
    if not 0.0 <= schedule.jitter_ratio <= 1.0:
        raise UsageError(
            explain("schedule", "jitter", fault="outside its range", got=schedule.jitter_ratio, need="0..1")
        )


def _phases_us(schedule: Schedule, interval_us: int) -> tuple[int, ...]:
    n = schedule.agents
    if schedule.phase_model == PhaseModel.SYNC:
        return (0,) * n
    # Only `random()` itself is promised to give the same numbers on every version of Python, `shuffle` is not.
    dice = random.Random(schedule.seed)  # noqa: S311  # reproducible on purpose, nothing secret
    drawn = [dice.random() for _ in range(n)]
    if schedule.phase_model == PhaseModel.RANDOM:
        return tuple(int(share * interval_us) for share in drawn)
    phases = [0] * n
    for slot, agent_index in enumerate(sorted(range(n), key=drawn.__getitem__)):
        phases[agent_index] = slot * interval_us // n
    return tuple(phases)


def _first_us_not_before(instant_s: float) -> int:
    """Return the first whole microsecond u with ``u / 1e6 >= instant_s``, comparing as floats do."""
    if not abs(instant_s) <= _LONGEST_S:
        raise ValueError(f"an instant of {instant_s} s lies beyond what a schedule can count")
    first_us = math.ceil(instant_s * _US_PER_S)
    # The product is rounded; one step either way makes up for it.
    while (first_us - 1) / _US_PER_S >= instant_s:
        first_us -= 1
    while first_us / _US_PER_S < instant_s:
        first_us += 1
    return first_us
