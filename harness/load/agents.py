"""The agents as Locust users. Importing this imports Locust, which patches the standard library."""

import time
import urllib.parse
from typing import ClassVar

from locust import User, task

from harness.errors import HarnessError, explain
from harness.load import answers
from harness.load.connection import Connection, Exchange
from harness.load.fleet import Fleet
from harness.load.pacing import AgentPacing
from harness.model import PENDING_ROUTE, Sample

_MS_PER_S = 1000.0
_FOREVER_S = 1e8


class PollError(Exception):
    """A failed poll, by its kind, as Locust's own tables show it."""


class PollingAgent(User):
    """
    An agent that asks for its pending deployments on its own schedule, and leaves one Sample for each poll.

    Locust runs it as a task and a wait: the wait ends at the next intended start, so that a stopped run kills
    waiting agents at once and lets polls in flight finish.
    """

    abstract = True
    fleet: ClassVar[Fleet | None] = None
    """The run that new agents join."""

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        if self.fleet is None:
            raise HarnessError(
                explain("agent", fault="no run has been prepared", remedy="running the scenario with locust -f")
            )
        self._fleet: Fleet = self.fleet
        self._index = self._fleet.enrol()
        if self._index is not None:
            agent_id = self._fleet.agent_ids[self._index]
            path = PENDING_ROUTE.replace("{agent_id}", urllib.parse.quote(agent_id, safe=""))
            self._agent_id = agent_id
            self._pacing = AgentPacing(self._fleet.schedule, self._index)
            self._connection = Connection(self._fleet.endpoint, self._fleet.tls)
            self._request = self._fleet.endpoint.get_prefix(path)
            self._left = False

    def on_start(self) -> None:
        """Wait for the origin, and then for the first poll."""
        self._fleet.wait_until_ready()
        self.wait()  # type: ignore[no-untyped-call]  # Locust types some of its methods

    def on_stop(self) -> None:
        """Give the connection back."""
        if self._index is not None:
            self._connection.close()

    def wait_time(self) -> float:
        """Return how long to wait for the next poll [s]; for ever after the last one."""
        fleet = self._fleet
        if self._index is None or not fleet.running:
            return _FOREVER_S
        intended_s = self._pacing.next_intended_s()
        if fleet.end_s is not None and intended_s >= fleet.end_s:
            if not self._left:
                self._left = True
                fleet.left()
            return _FOREVER_S
        return max(0.0, intended_s - fleet.now_s())

    @task
    def poll(self) -> None:
        """Send the poll that is due, if one is."""
        fleet = self._fleet
        intended_s = self._pacing.take(fleet.now_s(), end_s=fleet.end_s)
        if intended_s is None:
            # Woken a hair early: the loop's timer and the clock are two.
            return
        request_id = fleet.next_request_id()
        exchange = Exchange(error=answers.INTERRUPTED)
        start_s = fleet.now_s()
        try:
            exchange = self._connection.exchange(
                self._request + request_id.encode() + b"\r\n\r\n", timeout_s=self._timeout_s(start_s)
            )
        finally:
            # Also when the run's end kills this greenlet in mid-poll: it was sent, so it leaves a Sample.
            self._keep(exchange, intended_s=intended_s, start_s=start_s, request_id=request_id)

    def _timeout_s(self, start_s: float) -> float:
        """Return how long a poll may take: polls sent after the run's end get what is left of the time to stop."""
        timeout_s = self._fleet.options.request_timeout_s
        if self._fleet.end_s is None or start_s <= self._fleet.end_s:
            return timeout_s
        return max(0.001, self._fleet.end_s + timeout_s - start_s)

    def _keep(self, exchange: Exchange, *, intended_s: float, start_s: float, request_id: str) -> None:
        end_s = self._fleet.now_s()
        error, status = exchange.error, exchange.status
        interrupted = error == answers.INTERRUPTED
        if error is None and status is not None:
            error = answers.judge_answer(status, exchange.body)
        if exchange.retried:
            self._fleet.retries += 1
        sample = Sample(
            agent=self._agent_id,
            name=PENDING_ROUTE,
            method="GET",
            intended_start_s=intended_s,
            start_s=round(start_s, 6),
            end_s=round(end_s, 6),
            status=status,
            error=error,
            bytes_in=len(exchange.body),
            new_connection=None if interrupted else exchange.new_connection,
            request_id=request_id,
            server=exchange.server,
        )
        self._fleet.record(sample)
        if interrupted:
            return
        # Locust's own tables show the same response time as ours: from the intended start.
        self.environment.events.request.fire(
            request_type="GET",
            name=PENDING_ROUTE,
            response_time=sample.response_time_s * _MS_PER_S,
            response_length=sample.bytes_in,
            response=None,
            context={},
            exception=None if error is None else PollError(error),
            start_time=time.time() - sample.service_time_s,
            url=self._fleet.options.host,
        )
