"""What a verdict is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.columns import Columns
from harness.history_model import Comparison
from harness.model import (
    PENDING_ROUTE,
    EarlyStop,
    GeneratorTick,
    IndexEvidence,
    Pickup,
    ServerFigures,
    Summary,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEvidence:
    """
    What is known of a route that the schedule does not plan.

    Args:
        columns: its samples, of the whole run.
        summary: its figures; ``intended`` is what was sent, because nothing else is known.
    """

    columns: Columns
    summary: Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """
    Everything known about a run that a gate may ask for.

    Args:
        summary: the figures of the measured window; the window itself is taken from it.
        columns: the samples. Those outside the window are not judged, but tell whether an agent was still busy
            with its previous poll; without them the first poll of each agent has no predecessor.
        agents: fleet size, > 0; where agents come and go, how many were to be there on average.
        interval_s: polling interval of each agent, > 0 [s].
        server: the target's own figures; None when it gave none.
        indexes: how the database serves the hot queries; empty when it could not be asked.
        ticks: the generator's own health.
        interrupted: whether the run ended before its time.
        target_death: how the target ended while it was being polled, as a clause; None when it lived, or when that
            can't be known.
        lost: whether the run was killed before the target and its database were asked: what they would have said
            is then undecided rather than left out.
        subject: route template of the samples, with a method before it but for the polled one.
        others: the other routes that were requested, by method and template.
        planned: whether the schedule says how many of the samples there should have been.
        pickups: how deployments came to their agents; empty where none was ordered.
        comparisons: name of a gate against the baseline → what came of it; None when nobody compared.
        settling: whether the run was to end as soon as every gate is settled, so that bounds have to hold however
            often one looks.
        watching: whether this is a look at a run that still goes on.
        stop: why the gates ended it before its time; None when they did not.
        keep_alive: whether polls left it to the target when their connections are closed.
        called_off: that and why the load ended itself to spare a target that went down, as a clause; None when it
            did not.
    """

    summary: Summary
    columns: Columns
    agents: float
    interval_s: float
    server: ServerFigures | None
    indexes: tuple[IndexEvidence, ...]
    ticks: tuple[GeneratorTick, ...]
    interrupted: bool
    target_death: str | None = None
    lost: bool = False
    subject: str = PENDING_ROUTE
    others: Mapping[str, RouteEvidence] = field(default_factory=dict)
    planned: bool = True
    pickups: tuple[Pickup, ...] = ()
    comparisons: Mapping[str, Comparison] | None = None
    settling: bool = False
    watching: bool = False
    stop: EarlyStop | None = None
    keep_alive: bool = True
    called_off: str | None = None
