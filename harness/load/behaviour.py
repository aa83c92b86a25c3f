"""
What a scenario does besides polling on schedule: retries, bursts, operators at work. Needs no Locust.

A `Behaviour` is asked at three places of a run::

    connects_to   before the agents' first connection: where to, really
    started       when the origin is set: greenlets of its own
    answered      after each poll: an extra poll, or None
    stopped       when nothing more is to be sent: its own files are closed

A behaviour decides and never sends a poll itself: the engine sends the extra ones as it sends all others.
"""

from collections.abc import Sequence
from typing import Protocol

from harness.errors import HarnessError
from harness.load.endpoint import Endpoint
from harness.model import Sample
from harness.rundir import RunDirectory


class RunningFleet(Protocol):
    """What a behaviour may know of the fleet that it belongs to."""

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The id of each agent, by index."""

    @property
    def agent_indices(self) -> Sequence[int]:
        """The agents that this process drives: all of them, unless several processes share the run."""

    @property
    def directory(self) -> RunDirectory:
        """The run's folder, for the names of its files: what is kept may have to go to another process first."""

    @property
    def endpoint(self) -> Endpoint:
        """The target, as the agents connect to it."""

    @property
    def end_s(self) -> float | None:
        """When the run ends [s since the run's origin]; None when that is not known yet."""

    def now_s(self) -> float:
        """Return the present [s since the run's origin]."""

    def next_request_id(self) -> str:
        """Return an id that no other request carries."""

    def record(self, sample: Sample) -> None:
        """Keep a request that the behaviour sent itself, by its own route template and method."""

    def keep(self, file: str, record: object) -> None:
        """Put a record at the end of a file of the run's folder, by the file's name."""

    def call_off(self, fault: HarnessError) -> None:
        """End the run at once, as by an interrupt; the fault is the last word and gives the exit code."""


class Behaviour:
    """Steady polling: nothing besides the schedule. The base of all others."""

    @property
    def wants_extra_polls(self) -> bool:
        """
        Whether `answered` may ask for an extra poll.

        It is called before the agent goes on then, in the midst of the polls; otherwise a moment later, when
        nothing waits for it.
        """
        return type(self).answered is not Behaviour.answered

    def connects_to(self, endpoint: Endpoint) -> Endpoint:
        """
        Return the endpoint that the agents are to connect to.

        Called once, before the origin, after the agents' ids are known. A behaviour that puts something between
        the agents and the target starts it here, and ends it in `stopped`.

        Args:
            endpoint: the target.
        """
        return endpoint

    def started(self, fleet: RunningFleet) -> None:
        """
        Take notice that the origin has been set; may spawn greenlets, and keeps them to end them in `stopped`.

        Args:
            fleet: the run.
        """

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:  # noqa: ARG002  # a base class's signature
        """
        Take notice of a poll that ended, and say whether an extra one is to follow.

        Called after each poll of the agents, extra ones included, interrupted ones not. It must not block.

        Args:
            agent_index: 0..agents − 1.
            sample: the poll.
            body: its answer as it came; empty without one.

        Returns:
            The instant at which an extra poll of this agent is wanted [s since the run's origin]; None leaves
            it to the schedule. The extra poll is sent then, or as soon as the agent is free, with that instant as
            its intended start and ``extra=True``; it takes the place of no scheduled poll. A scheduled poll that
            comes first is sent in its own right, and its outcome decides anew.
        """
        return None

    def stopped(self) -> None:
        """End what `connects_to` and `started` began, and close files. Called once, also when nothing was sent."""
