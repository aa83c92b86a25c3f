"""
A wave of deployments: operators order one for every agent, agents find them in their polls and report progress.

Agents fetch with the polls that their schedule asks for, so the time to pickup holds what it holds in truth: a
part of an interval of waiting, and what the target adds. Only the orders and the reports are sent besides.
"""

import ssl
from typing import Any

import gevent
import msgspec

from harness.load.behaviour import Behaviour, RunningFleet
from harness.load.caller import Caller, Reply, sample_of
from harness.model import Pickup, Sample

ORDER_PATH = "/api/deployments"
"""Where operators order deployments."""

PROGRESS_ROUTE = "/api/deployments/{deployment_id}/progress"
"""Where agents report, as a route template."""

ARTIFACT = "pollgauge-load"
"""What is ordered: easy to find, and to delete, among a target's other deployments."""

_STEPS = ("in_progress", "succeeded")


class _Row(msgspec.Struct):
    id: int | str


class _Pending(msgspec.Struct):
    deployments: list[_Row]


_PENDING = msgspec.json.Decoder(_Pending)
_ROW = msgspec.json.Decoder(_Row)


def pending_ids(body: bytes) -> tuple[str, ...]:
    """Return the numbers of the deployments in the answer to a poll; none for an answer of another form."""
    try:
        return tuple(str(row.id) for row in _PENDING.decode(body).deployments)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


class PickupBook:
    """
    Who is to fetch what, and when it was fetched. A fold over orders and polls; keeps no time itself.

    An agent may fetch a deployment before its operator has read that it exists: what is seen while orders are
    under way is remembered until they are answered.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Pickup] = {}
        self._seen_early: dict[str, float] = {}
        self._under_way = 0

    def ordering(self) -> None:
        """Note that an order is being sent."""
        self._under_way += 1

    def ordered(self, deployment: str | None, agent: str, at_s: float) -> Pickup | None:
        """
        Note the answer to an order.

        Args:
            deployment: its number; None for an order that failed.
            agent: whom it is for.
            at_s: when the answer was read [s since the run's origin].

        Returns:
            The pickup, when the agent had been faster; None while it is waited for.
        """
        self._under_way -= 1
        pickup = None
        if deployment is not None:
            seen_s = self._seen_early.pop(deployment, None)
            created_s = round(at_s, 6)
            if seen_s is None:
                self._waiting[deployment] = Pickup(
                    deployment=deployment, agent=agent, created_s=created_s, fetched_s=None
                )
            else:
                pickup = Pickup(deployment=deployment, agent=agent, created_s=created_s, fetched_s=created_s)
        if self._under_way == 0:
            self._seen_early.clear()
        return pickup

    def polled(self, ids: tuple[str, ...], at_s: float) -> list[Pickup]:
        """
        Take in a poll's answer.

        Args:
            ids: the deployments in it.
            at_s: when it was read [s since the run's origin].

        Returns:
            Those of them that were waited for, in their order.
        """
        fetched = []
        for deployment in ids:
            waiting = self._waiting.pop(deployment, None)
            if waiting is not None:
                fetched.append(_fetched(waiting, at_s))
            elif self._under_way:
                self._seen_early.setdefault(deployment, at_s)
        return fetched

    def left(self) -> tuple[Pickup, ...]:
        """Return what nobody has fetched."""
        return tuple(self._waiting.values())


def _fetched(waiting: Pickup, at_s: float) -> Pickup:
    return Pickup(
        deployment=waiting.deployment,
        agent=waiting.agent,
        created_s=waiting.created_s,
        fetched_s=round(max(at_s, waiting.created_s), 6),
    )


class DeploymentWave(Behaviour):
    """
    Operators order, agents fetch and report.

    Args:
        at_s: when the first wave begins [s since the run's origin].
        every_s: between two waves [s]; 0 for one only.
        operators: people ordering at once, each on a connection of its own.
        step_s: between fetching and the first report, and between two reports [s].
        timeout_s: for one request [s].
        tls: context for https; None for http.
    """

    def __init__(
        self,
        *,
        at_s: float,
        every_s: float,
        operators: int,
        step_s: float,
        timeout_s: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._at_s = at_s
        self._every_s = every_s
        self._operators = operators
        self._step_s = step_s
        self._timeout_s = timeout_s
        self._tls = tls
        self._book = PickupBook()
        self._fleet: RunningFleet | None = None
        self._workers: list[Any] = []
        self._reporters: set[Any] = set()

    def started(self, fleet: RunningFleet) -> None:
        """Let the operators come."""
        self._fleet = fleet
        # Of several processes that share a run, each orders for its own agents, which fetch here.
        agents = tuple(dict.fromkeys(fleet.agent_ids[index] for index in fleet.agent_indices))
        self._workers = [
            gevent.spawn(self._order_waves, fleet, number, agents[number :: self._operators])
            for number in range(self._operators)
        ]

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:
        """Look for what was ordered, and let the agent report on it."""
        fleet = self._fleet
        if fleet is not None and sample.error is None:
            for pickup in self._book.polled(pending_ids(body), sample.end_s):
                self._keep(fleet, pickup, fleet.agent_ids[agent_index])
        return None

    def stopped(self) -> None:
        """Send everybody home, and write down what nobody has fetched."""
        gevent.killall(self._workers)
        gevent.killall(list(self._reporters))
        if self._fleet is not None:
            for pickup in self._book.left():
                self._fleet.keep(self._fleet.directory.pickups.name, pickup)

    def _order_waves(self, fleet: RunningFleet, number: int, agents: tuple[str, ...]) -> None:
        wave_s = self._at_s
        caller = Caller(fleet.endpoint, self._tls, timeout_s=self._timeout_s)
        try:
            while fleet.end_s is None or wave_s < fleet.end_s:
                gevent.sleep(max(0.0, wave_s - fleet.now_s()))
                for agent in agents:
                    if fleet.end_s is not None and fleet.now_s() >= fleet.end_s:
                        return
                    self._order(fleet, caller, number, agent)
                if self._every_s <= 0:
                    return
                wave_s += self._every_s
        finally:
            caller.close()

    def _order(self, fleet: RunningFleet, caller: Caller, number: int, agent: str) -> None:
        operator = f"operator-{number + 1}"
        order = {"agent_id": agent, "artifact": ARTIFACT, "version": "1.0.0", "created_by": operator}
        self._book.ordering()
        deployment = None
        try:
            reply = self._send(fleet, caller, path=ORDER_PATH, route=ORDER_PATH, sender=operator, body=order)
            deployment = _created_id(reply)
        finally:
            pickup = self._book.ordered(deployment, agent, fleet.now_s())
        if pickup is not None:
            self._keep(fleet, pickup, agent)

    def _keep(self, fleet: RunningFleet, pickup: Pickup, agent: str) -> None:
        fleet.keep(fleet.directory.pickups.name, pickup)
        reporter = gevent.spawn(self._report, fleet, agent, pickup.deployment)
        self._reporters.add(reporter)
        reporter.link(self._reporters.discard)

    def _report(self, fleet: RunningFleet, agent: str, deployment: str) -> None:
        """Report each step; a refused one ends the story, as it would an agent's."""
        path = PROGRESS_ROUTE.replace("{deployment_id}", deployment)
        caller = Caller(fleet.endpoint, self._tls, timeout_s=self._timeout_s)
        try:
            for status in _STEPS:
                gevent.sleep(self._step_s)
                report = {"status": status, "reported_by": agent}
                reply = self._send(fleet, caller, path=path, route=PROGRESS_ROUTE, sender=agent, body=report)
                if reply.status is None or not 200 <= reply.status <= 299:
                    return
        finally:
            caller.close()

    def _send(
        self, fleet: RunningFleet, caller: Caller, *, path: str, route: str, sender: str, body: dict[str, str]
    ) -> Reply:
        request_id, start_s = fleet.next_request_id(), fleet.now_s()
        reply = caller.call("POST", path, request_id=request_id, body=body)
        fleet.record(
            sample_of(
                reply,
                agent=sender,
                name=route,
                method="POST",
                intended_s=start_s,
                start_s=start_s,
                end_s=fleet.now_s(),
                request_id=request_id,
            )
        )
        return reply


def _created_id(reply: Reply) -> str | None:
    if reply.status is None or not 200 <= reply.status <= 299:
        return None
    try:
        return str(_ROW.decode(reply.body).id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
