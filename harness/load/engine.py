"""
The engine: one process drives tens of thousands of agents, most of them idle, without a greenlet for any.

::

    heap of (intended start, agent) ─▶ a timer on gevent's hub ─▶ send ─▶ sockets ready ─▶ answer ─▶ heap
                                                                                             └─▶ pass_on ─▶ Sample

Polls are sent and answers read in callbacks on the hub, which may not block. An idle agent is one number in the
heap, one in the pacing, its id, and its connection while the target keeps one.

What a callback does costs two to three times what it costs in a row of its like, because the process has slept
before it. So a callback does what can't wait, and the rest is done for many polls at a time, by `Engine.pass_on`.
"""

import heapq
import logging
import math
import re
import ssl
import urllib.parse
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.event

from harness.errors import HarnessError, explain
from harness.load import answers
from harness.load.behaviour import Behaviour
from harness.load.endpoint import Endpoint
from harness.load.engine_link import Resolver
from harness.load.engine_outcome import sample_of
from harness.load.engine_poller import Poller, make_poller
from harness.load.engine_wire import Poll, Wire
from harness.load.pacing import FleetPacing
from harness.model import Sample

_log = logging.getLogger("pollgauge")

_US_PER_S = 1_000_000
# An agent's index in the lower bits of a heap entry: a number compares faster than a pair and takes less room.
_AGENT_BITS = 24
_AGENT_MASK = (1 << _AGENT_BITS) - 1
_LEAST_TIMEOUT_S = 0.001
_MARK = "-agent-goes-here-"
_PLAIN = re.compile("[A-Za-z0-9._~-]*")
"""What quoting leaves as it is."""
_MOST_SENT_AT_ONCE = 64


class Engine:
    """
    Sends each poll at its time and keeps what became of it.

    Args:
        agent_ids: the id of each agent of the fleet, by index.
        mine: indices of the agents that this process drives.
        pacing: when each is to poll.
        endpoint: where to.
        tls: context for https, shared by all connections; None for http.
        request_timeout_s: for one poll, from look-up to last byte [s].
        keeps_connections: whether a connection may serve several polls.
        behaviour: what the scenario does besides.
        now_s: returns the present [s since the run's origin].
        next_request_id: returns an id that no other poll carries.
        record: takes each poll that was sent; called on the hub or by `pass_on`, must not block.
        on_fault: called once when the engine itself breaks.
        poller: made by `make_poller` unless a test brings its own.
    """

    def __init__(
        self,
        *,
        agent_ids: Sequence[str],
        mine: Sequence[int],
        pacing: FleetPacing,
        endpoint: Endpoint,
        tls: ssl.SSLContext | None,
        request_timeout_s: float,
        keeps_connections: bool,
        behaviour: Behaviour,
        now_s: Callable[[], float],
        next_request_id: Callable[[], str],
        record: Callable[[Sample], None],
        on_fault: Callable[[HarnessError], None],
        poller: Callable[[Callable[[int], None]], Poller] = make_poller,
    ) -> None:
        self.retries = 0
        """Polls that were sent anew after an idle close."""
        self._worst_lag_s = 0.0
        self.done = gevent.event.Event()
        """Set when every agent has sent its last poll and has its answer, and the end has come."""
        self._agent_ids = agent_ids
        # Nearly always no id needs quoting, and then they are the same ones.
        self._paths = agent_ids if all(map(_PLAIN.fullmatch, agent_ids)) else [_quote(one) for one in agent_ids]
        self._mine = mine
        self._pacing = pacing
        self._endpoint = endpoint
        # All but the agent's and the request's id is the same in every request.
        self._before_id, self._after_id = endpoint.get_prefix(endpoint.pending_path(_MARK)).split(_MARK.encode())
        self._timeout_s = request_timeout_s
        self._behaviour = behaviour
        self._agents_stay = pacing.is_steady
        self._tells_behaviour = type(behaviour).answered is not Behaviour.answered
        self._asks_behaviour = behaviour.wants_extra_polls
        self._ended: deque[Poll] = deque()
        self._now_s = now_s
        self._next_request_id = next_request_id
        self._record = record
        self._on_fault = on_fault
        self._end_s: float | None = None
        self._heap: list[int] = []
        self._extras: dict[int, float] = {}
        self._in_flight: dict[int, Poll] = {}
        self._loop = gevent.get_hub().loop
        self._timer: Any = None
        self._timer_for_s = math.inf
        self._timer_due_s = math.inf
        self._wire = Wire(
            endpoint,
            tls=tls,
            keeps_connections=keeps_connections,
            now_s=now_s,
            finish=self._finish,
            is_in_flight=lambda poll: self._in_flight.get(poll.agent) is poll,
            on_fault=self._break,
            poller=poller,
            resolver=Resolver(endpoint),
        )
        self._running = False

    @property
    def missed(self) -> int:
        """Polls that were skipped so far."""
        return self._pacing.missed

    @property
    def connections(self) -> int:
        """Connections that are open just now."""
        return self._wire.connections

    def take_worst_lag_s(self) -> float:
        """Return the longest since this was last asked that a poll whose agent was free waited to be sent [s]."""
        worst_s, self._worst_lag_s = self._worst_lag_s, 0.0
        return worst_s

    def start(self, *, end_s: float | None) -> None:
        """
        Begin: the clock runs, or will in a moment.

        Args:
            end_s: polls meant for then or later are not sent [s since the run's origin]; None for no end.
        """
        self._end_s = end_s
        heap = self._heap
        for agent in self._mine:
            intended_s = self._pacing.next_intended_s(agent)
            if intended_s is not None:
                heap.append(_entry(intended_s, agent))
        heapq.heapify(heap)
        self._running = True
        self._arm()

    def end(self, end_s: float) -> None:
        """Call off every poll meant for an instant or later; those in flight go on. [s since the run's origin]."""
        if self._running:
            self._end_s = end_s
            self._arm()
        else:
            self.done.set()

    def abort(self) -> None:
        """Break off what is in flight, and close everything. Each poll so ended leaves an interrupted sample."""
        self._running = False
        for poll in list(self._in_flight.values()):
            self._finish(poll, answers.INTERRUPTED)
        self._stop_timer()
        self._wire.close()
        self.done.set()

    def pass_on(self, most: int | None = None) -> bool:
        """
        Hand polls that have ended to `record`, oldest first. To be called often, and once more at the end.

        Args:
            most: how many at most; None for all of them.

        Returns:
            Whether there are more.
        """
        ended = self._ended
        try:
            for _ in range(len(ended) if most is None else min(most, len(ended))):
                poll = ended.popleft()
                sample, body = sample_of(poll, self._agent_ids[poll.agent])
                self._record(sample)
                if self._tells_behaviour and poll.error != answers.INTERRUPTED:
                    self._behaviour.answered(poll.agent, sample, body)
        except Exception as fault:  # noqa: BLE001  # whoever keeps the samples would die of it, and the run go on
            self._break(fault)
        return bool(ended)

    # The clock

    def _arm(self) -> None:
        """Set the timer to what comes first: a poll, a time-out, or the end."""
        if not self._running:
            return
        next_s = _instant_s(self._heap[0]) if self._heap else math.inf
        if self._end_s is not None and next_s >= self._end_s:
            next_s = math.inf
            if not self._in_flight:
                next_s = self._end_s
        if self._in_flight:
            next_s = min(next_s, next(iter(self._in_flight.values())).deadline_s)
        if self._timer is not None and next_s == self._timer_for_s:
            return
        self._stop_timer()
        if next_s == math.inf:
            return
        now_s = self._now_s()
        # What should have been sent already has waited for its agent, not for us: lag counts from now.
        self._timer_for_s, self._timer_due_s = next_s, max(next_s, now_s)
        self._timer = self._loop.timer(self._timer_due_s - now_s)
        self._timer.start(self._on_timer, update=True)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        self._timer_for_s = math.inf
        if timer is not None:
            timer.stop()
            timer.close()

    def _on_timer(self) -> None:
        self._stop_timer()
        try:
            now_s = self._send_due(self._now_s())
            self._time_out(now_s)
            if self._end_s is not None and now_s >= self._end_s and not self._in_flight and not self._is_owed():
                self._running = False
                self.done.set()
        except Exception as fault:  # noqa: BLE001  # the hub would print it and go on
            self._break(fault)
        self._arm()

    def _is_owed(self) -> bool:
        """Return whether a poll meant for before the end is still to be sent."""
        return bool(self._heap) and self._end_s is not None and _instant_s(self._heap[0]) < self._end_s

    def _send_due(self, now_s: float) -> float:
        """Send what is due at an instant; return the present after it."""
        heap, end_s = self._heap, self._end_s
        latest_s = now_s if end_s is None else min(now_s, math.nextafter(end_s, -math.inf))
        sent = 0
        # Sockets get their turn after so many.
        while heap and sent < _MOST_SENT_AT_ONCE and (heap[0] >> _AGENT_BITS) / _US_PER_S <= latest_s:
            self._send_next(heapq.heappop(heap) & _AGENT_MASK, now_s)
            now_s = self._now_s()
            sent += 1
        if sent and now_s - self._timer_due_s > self._worst_lag_s:
            self._worst_lag_s = now_s - self._timer_due_s
        return now_s

    def _time_out(self, now_s: float) -> None:
        while self._in_flight:
            # In the order of their starts, which is the order of their deadlines.
            poll = next(iter(self._in_flight.values()))
            if poll.deadline_s > now_s:
                return
            self._finish(poll, answers.TIMEOUT)

    def _break(self, fault: Exception) -> None:
        _log.error("the load engine broke", exc_info=fault)
        self._running = False
        self._on_fault(HarnessError(explain("load engine", fault=f"broke: {type(fault).__name__}: {fault}")))
        self.done.set()

    # One poll, from its time to its sample

    def _send_next(self, agent: int, now_s: float) -> None:
        """Send what an agent is due to send; nothing when it is early."""
        pacing = self._pacing
        intended_s = pacing.take(agent, now_s, end_s=self._end_s)
        missed_s = pacing.skipped_s
        extra_s = self._extras.pop(agent, None) if self._extras else None
        extra = intended_s is None
        if intended_s is None:
            if extra_s is None or extra_s > now_s:
                if extra_s is not None:
                    self._extras[agent] = extra_s
                self._wait(agent)
                return
            intended_s, missed_s = extra_s, ()
        request_id = self._next_request_id()
        request = b"%b%b%b%b\r\n\r\n" % (
            self._before_id,
            self._paths[agent].encode(),
            self._after_id,
            request_id.encode(),
        )
        end_s = self._end_s
        deadline_s = now_s + self._timeout_s if end_s is None or now_s <= end_s else self._late_deadline_s(now_s)
        poll = Poll(agent, intended_s, extra, now_s, deadline_s, missed_s, pacing.following_s, request_id, request)
        self._in_flight[agent] = poll
        self._wire.carry(poll)

    def _late_deadline_s(self, start_s: float) -> float:
        """Return when a poll is given up that is sent after the run's end: it gets what is left of its time."""
        end_s = start_s if self._end_s is None else self._end_s
        return max(start_s + _LEAST_TIMEOUT_S, end_s + self._timeout_s)

    def _wait(self, agent: int) -> None:
        """Put an agent back to wait for what it is to send next, if anything."""
        next_s = self._pacing.next_intended_s(agent)
        extra_s = self._extras.get(agent) if self._extras else None
        if extra_s is not None:
            next_s = extra_s if next_s is None else min(next_s, extra_s)
        if next_s is not None:
            heapq.heappush(self._heap, _entry(next_s, agent))

    def _finish(self, poll: Poll, error: str | None) -> None:
        """Take in that a poll has ended, and let its agent go on."""
        poll.end_s = self._now_s()
        poll.error = error
        agent = poll.agent
        del self._in_flight[agent]
        self._wire.release(poll, answered=error is None)
        self.retries += poll.retried
        interrupted = error == answers.INTERRUPTED
        if self._asks_behaviour:
            sample, body = sample_of(poll, self._agent_ids[agent])
            self._record(sample)
            if not interrupted:
                self._ask_behaviour(agent, sample, body)
        else:
            self._ended.append(poll)
        if interrupted:
            return
        if not self._agents_stay and self._wire.keeps(agent):
            next_s = self._pacing.next_intended_s(agent)
            if self._pacing.leaves_between(agent, poll.intended_s, next_s):
                self._wire.drop(agent)
        # A poll that is owed by now is found at the heap's top, and sent before anything else is waited for.
        if self._asks_behaviour:
            self._wait(agent)
            self._arm()
            return
        following_s = poll.following_s
        if following_s is not None:
            heapq.heappush(self._heap, _entry(following_s, agent))
        # Nearly always the timer is set to something that comes first, and will be set anew then.
        if following_s is None or following_s < self._timer_for_s or self._is_last(following_s):
            self._arm()

    def _is_last(self, following_s: float) -> bool:
        """Return whether nothing is in flight, and no poll comes that the end does not forestall."""
        return self._end_s is not None and following_s >= self._end_s and not self._in_flight

    def _ask_behaviour(self, agent: int, sample: Sample, body: bytes) -> None:
        extra_s = self._behaviour.answered(agent, sample, body)
        if extra_s is None:
            self._extras.pop(agent, None)
        else:
            self._extras[agent] = extra_s


def _entry(instant_s: float, agent: int) -> int:
    # The schedule's instants lie on whole microseconds, and come back from here unchanged.
    return (round(instant_s * _US_PER_S) << _AGENT_BITS) | agent


def _instant_s(entry: int) -> float:
    return (entry >> _AGENT_BITS) / _US_PER_S


def _quote(agent_id: str) -> str:
    return urllib.parse.quote(agent_id, safe="")
