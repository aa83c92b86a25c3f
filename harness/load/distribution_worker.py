"""A worker's part of a shared run; see `harness.load.distribution`."""

import logging
from pathlib import Path
from typing import Any

import gevent

from harness.errors import HarnessError
from harness.load.behaviour import Behaviour
from harness.load.credentials import Destination
from harness.load.distribution_channel import LEFT, ChannelSink, Post, UndeliveredError, send_fault
from harness.load.fleet import Fleet, Report, Share
from harness.load.plan import Plan
from harness.rundir import RunDirectory

_log = logging.getLogger("pollgauge")

_SETTLE_S = 0.5


class WorkerPart:
    """
    A worker's part of a run.

    Args:
        data: the master's plan for it.
        plan: makes the whole plan of the agents' ids and the run time.
        destination: where to.
        behaviour: what the scenario does besides.
        post: reaches the master.
        report: see `Fleet`.
    """

    def __init__(
        self,
        data: dict[str, Any],
        plan: Plan,
        *,
        destination: Destination,
        behaviour: Behaviour,
        post: Post,
        report: Report,
    ) -> None:
        self.plan = plan
        self.directory = RunDirectory(Path())
        self._post = post
        self._id: str = data["run"]
        self._sink = ChannelSink(self._say)
        self._said_left = False
        self._watch: gevent.Greenlet | None = None
        self._origin_s: float = data["origin_s"]
        self.fleet = Fleet(
            plan,
            destination=destination,
            behaviour=behaviour,
            sink=self._sink,
            directory=self.directory,
            share=Share(rank=data["rank"], of=data["of"], worker=data["worker"]),
            report=report,
            on_fault=self._tell_fault,
        )

    @property
    def end_s(self) -> float | None:
        """See `harness.load.run.Run`."""
        return self.fleet.end_s

    @property
    def running(self) -> bool:
        """See `harness.load.run.Run`."""
        return self.fleet.running

    @property
    def is_done(self) -> bool:
        """See `harness.load.run.Run`."""
        return self.fleet.is_done

    def now_s(self) -> float:
        """See `harness.load.run.Run`."""
        return self.fleet.now_s()

    def begin(self) -> None:
        """See `harness.load.run.Run`."""
        self.fleet.begin(self._origin_s)
        self._watch = gevent.spawn(self._leave_when_done)

    def end_sending(self, grace_s: float, *, at_s: float | None = None) -> None:
        """See `harness.load.run.Run`."""
        self.fleet.end_sending(at_s)
        if not self.is_done:
            gevent.spawn_later(grace_s, self.finish)

    def flush(self) -> None:
        """See `harness.load.run.Run`."""
        self.fleet.flush()

    def finish(self) -> str | None:
        """See `harness.load.run.Run`; the summary is the master's."""
        self.fleet.finish()
        self._say_left()
        return None

    def _leave_when_done(self) -> None:
        self.fleet.wait_until_done()
        # What a behaviour's own greenlets have just finished comes with it.
        gevent.sleep(_SETTLE_S if self.fleet.has_behaviour else 0)
        self.fleet.flush()
        self._say_left()

    def _say_left(self) -> None:
        if not self._said_left:
            self._said_left = True
            try:
                self._say(LEFT, {"retries": self.fleet.retries, "lost": self._sink.lost})
            except UndeliveredError as fault:
                _log.warning("the master can't be told: %s", fault)

    def _tell_fault(self, fault: HarnessError) -> None:
        send_fault(self._post, fault, run=self._id)

    def _say(self, kind: str, data: dict[str, Any]) -> None:
        """Send the master a message of this run; see `Post.send_message`."""
        self._post.send_message(kind, {"run": self._id, **data})
