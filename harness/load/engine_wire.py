"""
How a poll travels: connections are opened, kept while the target keeps them, watched, and given up.

The schedule is no business of this module, nor is what an answer means: `harness.load.engine` knows both.
"""

import ssl
from collections.abc import Callable

from harness.load import answers
from harness.load.endpoint import Endpoint
from harness.load.engine_answer import AnswerReader, BadHttpError, ClosedEarlyError, TooLongError
from harness.load.engine_link import Address, Link, Resolver
from harness.load.engine_poller import Poller

_ENDINGS = (ClosedEarlyError, ConnectionResetError, BrokenPipeError)
_BROKEN = (OSError, BadHttpError, TooLongError, ClosedEarlyError)


class Poll:
    """
    A poll in flight.

    Args:
        agent: index of its agent.
        intended_s: when it was meant to be sent [s since the run's origin].
        extra: whether it is sent besides the schedule.
        start_s: when it is sent [s since the run's origin].
        deadline_s: when it is given up [s since the run's origin].
        missed_s: intended starts of the polls that it is sent in the stead of.
        following_s: intended start of its agent's next poll [s since the run's origin]; None when it is the last.
        request_id: the id that the request carries.
        request: its bytes.
    """

    __slots__ = (
        *("addresses", "agent", "connect_s", "deadline_s", "end_s", "error", "extra", "following_s"),
        *("intended_s", "link", "missed_s", "new_connection", "opened_s", "reader", "refused", "request"),
        *("request_id", "retried", "start_s"),
    )

    def __init__(  # noqa: PLR0917  # by position: by name each call would make a dictionary
        self,
        agent: int,
        intended_s: float,
        extra: bool,  # noqa: FBT001  # likewise
        start_s: float,
        deadline_s: float,
        missed_s: tuple[float, ...],
        following_s: float | None,
        request_id: str,
        request: bytes,
    ) -> None:
        self.agent = agent
        self.intended_s = intended_s
        self.extra = extra
        self.start_s = start_s
        self.deadline_s = deadline_s
        self.missed_s = missed_s
        self.following_s = following_s
        self.request_id = request_id
        self.request = request
        self.end_s = 0.0
        self.error: str | None = None
        """Kind of error of the way there and back, known when it has ended."""
        self.link: Link | None = None
        self.reader: AnswerReader | None = None
        """There from the first byte of the answer on."""
        self.new_connection = False
        self.retried = False
        self.addresses: list[Address] = []
        self.refused: OSError | None = None
        self.opened_s = 0.0
        self.connect_s: float | None = None


class Wire:
    """
    The connections of a fleet, one for each agent that has one.

    Everything happens in callbacks on gevent's hub.

    Args:
        endpoint: where to.
        tls: context for https, shared by all connections; None for http.
        keeps_connections: whether a connection may serve several polls.
        now_s: returns the present [s since the run's origin].
        finish: takes a poll that has come to its end, and its kind of error; None for an answer that is whole.
        is_in_flight: whether a poll still waits for its end.
        on_fault: called when something here breaks that should not.
        poller: makes the poller.
        resolver: looks the endpoint's name up.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tls: ssl.SSLContext | None,
        keeps_connections: bool,
        now_s: Callable[[], float],
        finish: Callable[[Poll, str | None], None],
        is_in_flight: Callable[[Poll], bool],
        on_fault: Callable[[Exception], None],
        poller: Callable[[Callable[[int], None]], Poller],
        resolver: Resolver,
    ) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._keeps_connections = keeps_connections
        self._now_s = now_s
        self._finish = finish
        self._is_in_flight = is_in_flight
        self._on_fault = on_fault
        self._idle: dict[int, Link] = {}
        self._links: dict[int, Link] = {}
        self._poller = poller(self._on_ready)
        self._resolver = resolver

    @property
    def connections(self) -> int:
        """Connections that are open just now."""
        return len(self._links)

    def carry(self, poll: Poll) -> None:
        """Send a poll's request: over its agent's connection where that has one, else over a new one."""
        link = self._idle.pop(poll.agent, None)
        if link is None:
            self._connect(poll)
            return
        link.poll, poll.link = poll, link
        # Open, and watched for what comes: nearly always that is all there is to do.
        try:
            link.send(poll.request)
        except OSError as fault:
            self._broke(link, fault)
            return
        if link.unsent:
            self._poller.watch(link.handle, link.interest)

    def release(self, poll: Poll, *, answered: bool) -> None:
        """Part a poll that has come to its end from its connection, which is kept if it may be."""
        link, reader = poll.link, poll.reader
        if link is None:
            return
        link.poll = poll.link = None
        if answered and reader is not None and reader.keeps and self._keeps_connections:
            self._idle[poll.agent] = link
        else:
            self._close(link)

    def keeps(self, agent: int) -> bool:
        """Return whether an agent has a connection that waits for its next poll."""
        return agent in self._idle

    def drop(self, agent: int) -> None:
        """Close the connection that waits for an agent's next poll."""
        self._close(self._idle.pop(agent))

    def close(self) -> None:
        """Close every connection."""
        for link in list(self._links.values()):
            self._close(link)
        self._poller.close()

    def _connect(self, poll: Poll) -> None:
        poll.new_connection = True
        poll.opened_s = self._now_s()

        def take(found: tuple[Address, ...] | OSError) -> None:
            if not self._is_in_flight(poll):
                # Timed out while the name was looked up.
                return
            if isinstance(found, OSError):
                self._finish(poll, answers.kind_of(found))
                return
            poll.addresses = list(found)
            poll.refused = None
            self._connect_next(poll)

        self._resolver.ask(take)

    def _connect_next(self, poll: Poll) -> None:
        """Try the next of the target's addresses; without one the poll has failed."""
        while poll.addresses:
            family, address = poll.addresses.pop(0)
            link: Link | None = None
            try:
                link = Link(poll.agent, family, self._tls, self._endpoint.host)
                link.open(address)
            except OSError as fault:
                if link is not None:
                    link.close()
                poll.refused = poll.refused or fault
                continue
            link.poll, poll.link = poll, link
            self._links[link.handle] = link
            # Through at once, as connections within a machine are: that saves a turn of the loop.
            self._try(link, self._write)
            return
        self._finish(poll, answers.UNREACHABLE if poll.refused is None else answers.kind_of(poll.refused))

    def _on_ready(self, handle: int) -> None:
        link = self._links[handle]
        try:
            poll: Poll | None = link.poll
            if poll is None:
                self._look_at_idle(link)
            elif not link.connected or link.unsent:
                self._try(link, self._step)
            elif self._read(link, poll):
                self._finish(poll, None)
        except Exception as fault:  # noqa: BLE001  # the hub would print it and go on
            self._on_fault(fault)

    def _look_at_idle(self, link: Link) -> None:
        """Give up a connection that the target has ended, or on which it says what nobody asked for."""
        try:
            if link.receive() is None:
                return
        except OSError:
            # Broken off while idle is as good as ended: the next poll opens another.
            pass
        del self._idle[link.agent]
        self._close(link)

    def _try(self, link: Link, step: Callable[[Link], None]) -> None:
        """Take a step with a connection in use, and see to what may break."""
        try:
            step(link)
        except _BROKEN as fault:
            self._broke(link, fault)
            return
        if self._links.get(link.handle) is link:
            self._poller.watch(link.handle, link.interest)

    def _step(self, link: Link) -> None:
        poll: Poll = link.poll
        if not link.connected:
            link.confirm()
            if self._tls is not None:
                link.flush()
                link.receive()
            if self._tls is None or link.connected:
                self._write(link)
            return
        link.flush()
        if self._read(link, poll):
            self._finish(poll, None)

    def _read(self, link: Link, poll: Poll) -> bool:
        """Read what has come of an answer; return whether it is whole."""
        try:
            data = link.receive()
            if data is None:
                return False
            reader = poll.reader
            if data == b"":
                if reader is None:
                    raise ClosedEarlyError
                reader.end()
                return True
            if reader is None:
                reader = poll.reader = AnswerReader()
            return reader.feed(data)
        except _BROKEN as fault:
            self._broke(link, fault)
            return False

    def _write(self, link: Link) -> None:
        poll: Poll = link.poll
        if link.send(poll.request) and poll.connect_s is None and poll.new_connection:
            poll.connect_s = self._now_s() - poll.opened_s

    def _broke(self, link: Link, fault: Exception) -> None:
        poll: Poll = link.poll
        link.poll = poll.link = None
        self._close(link)
        if poll.reader is None and isinstance(fault, OSError) and poll.connect_s is None and poll.new_connection:
            # Not even open: the target may have another address.
            poll.refused = poll.refused or fault
            self._connect_next(poll)
            return
        if poll.reader is None and not poll.new_connection and isinstance(fault, _ENDINGS):
            # It was idle, and its end crossed the request on the wire: not one byte came.
            poll.retried = True
            self._connect(poll)
            return
        self._finish(poll, _kind_of(fault))

    def _close(self, link: Link) -> None:
        if self._links.pop(link.handle, None) is not None:
            self._poller.forget(link.handle)
        link.close()


def _kind_of(fault: Exception) -> str:
    if isinstance(fault, OSError):
        return answers.kind_of(fault)
    if isinstance(fault, TooLongError):
        return answers.TOO_LONG
    return answers.CONNECTION_CLOSED if isinstance(fault, ClosedEarlyError) else answers.BAD_HTTP
