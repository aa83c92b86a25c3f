"""What a verdict is made from."""

from dataclasses import dataclass

from harness.columns import Columns
from harness.model import PENDING_ROUTE, GeneratorTick, IndexEvidence, ServerFigures, Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    Everything known about a run that a gate may ask for.

    Args:
        summary: the figures of the measured window; the window itself is taken from it.
        columns: the samples. Those outside the window are not judged, but tell whether an agent was still busy
            with its previous poll; without them the first poll of each agent has no predecessor.
        agents: fleet size, ≥ 1.
        interval_s: polling interval of each agent, > 0 [s].
        server: the target's own figures; None when it gave none.
        indexes: how the database serves the hot queries; empty when it could not be asked.
        ticks: the generator's own health.
        interrupted: whether the run ended before its time.
        target_death: how the target ended while it was being polled, as a clause; None when it lived, or when that
            can't be known.
        lost: whether the run was killed before the target and its database were asked: what they would have said
            is then undecided rather than left out.
        subject: route template of the samples.
    """

    summary: Summary
    columns: Columns
    agents: int
    interval_s: float
    server: ServerFigures | None
    indexes: tuple[IndexEvidence, ...]
    ticks: tuple[GeneratorTick, ...]
    interrupted: bool
    target_death: str | None = None
    lost: bool = False
    subject: str = PENDING_ROUTE
