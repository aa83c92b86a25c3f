"""Agents that the target has never heard of, and that poll all the same."""

import secrets
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import gevent

from harness.load.behaviour import Behaviour, RunningFleet
from harness.load.caller import Caller, sample_of
from harness.model import PENDING_ROUTE

UNKNOWN_ROUTE = f"{PENDING_ROUTE} (unknown id)"
"""Name of their polls' samples: the polled route, and yet not among the polls that are judged."""


class Strangers(Behaviour):
    """
    Poll with unknown ids, each on a connection of its own.

    The right answer is a 404, or a 2xx of a target that knows everybody; anything else is an error of theirs.

    Args:
        count: how many.
        interval_s: between two polls of one [s].
        timeout_s: for one request [s].
        tls: context for https; None for http.
    """

    def __init__(self, *, count: int, interval_s: float, timeout_s: float, tls: ssl.SSLContext | None) -> None:
        self._count = count
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self._tls = tls
        self._pollers: list[Any] = []

    def started(self, fleet: RunningFleet) -> None:
        """Let them come, evenly spread over the interval."""
        # Of several processes that share a run, the one with the first agent sends them all.
        count = self._count if 0 in fleet.agent_indices else 0
        self._pollers = [gevent.spawn(self._poll, fleet, number) for number in range(count)]

    def stopped(self) -> None:
        """Send them away."""
        gevent.killall(self._pollers)

    def _poll(self, fleet: RunningFleet, number: int) -> None:
        stranger = f"stranger-{secrets.token_hex(6)}"
        path = fleet.endpoint.pending_path(stranger)
        caller = Caller(fleet.endpoint, self._tls, timeout_s=self._timeout_s)
        try:
            for intended_s in _ticks(self._interval_s * number / self._count, self._interval_s, fleet.now_s):
                if fleet.end_s is not None and intended_s >= fleet.end_s:
                    return
                gevent.sleep(max(0.0, intended_s - fleet.now_s()))
                request_id, start_s = fleet.next_request_id(), fleet.now_s()
                reply = caller.call("GET", path, request_id=request_id)
                sample = sample_of(
                    reply,
                    agent=stranger,
                    name=UNKNOWN_ROUTE,
                    method="GET",
                    intended_s=intended_s,
                    start_s=start_s,
                    end_s=fleet.now_s(),
                    request_id=request_id,
                    accepted=lambda status: status == 404 or 200 <= status <= 299,
                )
                fleet.record(sample)
        finally:
            caller.close()


def _ticks(first_s: float, interval_s: float, now_s: Callable[[], float]) -> Iterator[float]:
    """Yield instants an interval apart, leaving out those that passed while somebody was busy."""
    intended_s = first_s
    while True:
        yield intended_s
        intended_s += interval_s * max(1, int((now_s() - intended_s) // interval_s) + 1)
