"""
When each agent takes part in a run: a pure function of a name, a few numbers and the agent's index.

A schedule says when an agent polls, a shape says during which parts of the run it is there to do so. Polls that
the schedule puts outside an agent's windows are not intended, neither sent nor missed. Like the schedule it stands
on the ground floor: the load keeps to it, and the judge rebuilds it from the samples' header to count what was
meant.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.errors import UsageError, explain
from harness.model import SampleHeader

Window = tuple[float, float]
"""[from, until) in seconds since the run's origin; until may be infinite."""

_ALWAYS: tuple[Window, ...] = ((0.0, math.inf),)
_HASH_BYTES = 8
_LEAST_TURN_S = 1e-3


class ShapeName(StrEnum):
    """The shapes there are."""

    STEADY = "steady"
    RAMP = "ramp"
    SPIKE = "spike"
    CHURN = "churn"


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    ShapeName.STEADY: (),
    ShapeName.RAMP: ("ramp_s",),
    ShapeName.SPIKE: ("base_ratio", "spike_at_s", "spike_for_s"),
    ShapeName.CHURN: ("present_s", "absent_s", "horizon_s"),
}
"""The numbers that each shape is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """
    The windows in which each agent of a fleet takes part.

    - steady: everybody, always.
    - ramp: the agents join one after another, evenly over the first ``ramp_s`` seconds, and stay.
    - spike: a share ``base_ratio`` of the fleet is there always, the others only from ``spike_at_s`` on for
      ``spike_for_s`` seconds.
    - churn: each agent is there for a while and away for a while, by chance, with ``present_s`` and ``absent_s``
      as the mean lengths (exponentially distributed, so that nobody's coming tells of another's), up to
      ``horizon_s``, from where on it stays as it is.

    Args:
        name: a `ShapeName` or its value.
        agents: fleet size, ≥ 1.
        seed: of what happens by chance.
        parameters: exactly those of `PARAMETERS`, finite and ≥ 0.

    Raises:
        UsageError: an unknown name, a parameter missing, too many, or out of its range.
    """

    name: str = ShapeName.STEADY
    agents: int
    seed: int = 1
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the name and the numbers."""
        _check(self)

    @property
    def is_steady(self) -> bool:
        """Whether everybody is there always, so that nobody need ask."""
        return self.name == ShapeName.STEADY

    def windows(self, agent_index: int) -> tuple[Window, ...]:
        """
        Return when an agent takes part.

        Args:
            agent_index: 0..agents − 1.

        Returns:
            Windows in rising order that neither touch nor overlap; empty for an agent that never takes part.
        """
        p = self.parameters
        if self.name == ShapeName.RAMP:
            # The first is there from the start: a fleet of nobody is no stage of a ramp.
            return ((p["ramp_s"] * agent_index / self.agents, math.inf),)
        if self.name == ShapeName.SPIKE:
            if agent_index < math.ceil(p["base_ratio"] * self.agents):
                return _ALWAYS
            until_s = p["spike_at_s"] + p["spike_for_s"]
            return ((p["spike_at_s"], until_s),) if until_s > p["spike_at_s"] else ()
        if self.name == ShapeName.CHURN:
            return tuple(_turns(self, agent_index))
        return _ALWAYS

    def active_from_s(self, agent_index: int, instant_s: float) -> float | None:
        """
        Return the first instant at or after another at which an agent takes part.

        Args:
            agent_index: 0..agents − 1.
            instant_s: [s since the run's origin].

        Returns:
            `instant_s` itself inside a window, the next window's begin outside; None after the last.
        """
        if self.is_steady:
            return max(0.0, instant_s)
        for from_s, until_s in self.windows(agent_index):
            if instant_s < until_s:
                return max(from_s, instant_s)
        return None

    def is_active(self, agent_index: int, instant_s: float) -> bool:
        """Return whether an agent takes part at an instant [s since the run's origin]."""
        return self.active_from_s(agent_index, instant_s) == instant_s

    def active_agents(self, instant_s: float) -> int:
        """Return how many agents take part at an instant [s since the run's origin]."""
        if self.is_steady:
            return self.agents if instant_s >= 0 else 0
        return sum(self.is_active(index, instant_s) for index in range(self.agents))


def shape_of(header: SampleHeader) -> Shape:
    """
    Rebuild the shape of a stored run.

    Raises:
        UsageError: the header names a shape that this version does not know.
    """
    return Shape(
        name=header.shape, agents=header.agents, seed=header.seed, parameters=dict(header.shape_parameters)
    )


def _turns(shape: Shape, agent_index: int) -> Iterator[Window]:
    """Yield an agent's windows of presence: exponential turns, begun as if it had come and gone for ever."""
    p = shape.parameters
    present_s, absent_s, horizon_s = p["present_s"], p["absent_s"], p["horizon_s"]
    name = f"{shape.seed}/{agent_index}"
    # In the long run an agent is there for this share of the time, so that is the chance to find it at the origin.
    present = _drawn(name, 0) < present_s / (present_s + absent_s)
    from_s, turn = 0.0, 1
    while True:
        mean_s = present_s if present else absent_s
        until_s = from_s + max(_LEAST_TURN_S, -math.log(1.0 - _drawn(name, turn)) * mean_s)
        if present:
            yield from_s, math.inf if until_s >= horizon_s else until_s
        if until_s >= horizon_s:
            return
        from_s, turn, present = until_s, turn + 1, not present


def _drawn(name: str, number: int) -> float:
    """Return a number evenly drawn from [0, 1), known without those before it."""
    digest = hashlib.blake2b(f"{name}/{number}".encode(), digest_size=_HASH_BYTES).digest()
    # 53 bits: a float holds them all, and the quotient stays below 1.
    return (int.from_bytes(digest) >> 11) / (1 << 53)


def _check(shape: Shape) -> None:
    names = PARAMETERS.get(shape.name)
    if names is None:
        raise UsageError(explain("shape", shape.name, fault="unknown", need=" or ".join(PARAMETERS)))
    if shape.agents < 1:
        raise UsageError(explain("shape", shape.name, fault="no agents", got=shape.agents, need="1 or more"))
    if set(names) != set(shape.parameters):
        got = ", ".join(sorted(shape.parameters)) or "none"
        need = ", ".join(names) or "none"
        raise UsageError(explain("shape", shape.name, fault="other parameters than its own", got=got, need=need))
    for name, value in shape.parameters.items():
        most = 1.0 if name.endswith("_ratio") else math.inf
        # A turn of no length would never come to the horizon.
        least = _LEAST_TURN_S if name in {"present_s", "absent_s"} else 0.0
        if not (least <= value <= most and math.isfinite(value)):
            need = f"{least:g}..{most:g}" if most < math.inf else f"{least:g} or more"
            raise UsageError(explain("shape", shape.name, fault=f"{name} out of its range", got=value, need=need))
