"""
The place where the hooks hand in what they saw; behind it stand the recorder and the log files.

A hook only puts an item into a queue, which costs a request next to nothing. A thread empties the queue a few
times a second: the same work, done in a row with everything in the processor's caches, is about three times
cheaper than in the middle of a request. Whoever asks for figures empties the queue first, so answers are complete.
"""

import asyncio
import itertools
import logging
import operator
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self

from monitoring.capture.context import RequestContext, Statement, Worked
from monitoring.clock import Clock
from monitoring.metrics import Recorder
from monitoring.model import Observation, QueryObservation
from monitoring.rollup import encodable
from monitoring.settings import Settings

logger = logging.getLogger("monitoring")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:@/+=~-]{0,127}")
_TAILS = tuple(f"{number:02x}" for number in range(256))
_CHUNK = 100
"""Items handled before other threads get a chance: about half a millisecond."""
MAX_WAITING = 5000
"""Beyond this many, whoever adds one helps to empty the queue: figures are never dropped."""


class Item:
    """Something that a hook saw, other than a request that is over."""

    __slots__ = ()

    def process(self, hub: "Hub") -> None:
        """Record it."""
        raise NotImplementedError

    @classmethod
    def process_all(cls, items: "Sequence[Self]", hub: "Hub") -> None:
        """Record several of its kind, in the order of their arrival."""
        for item in items:
            try:
                item.process(hub)
            except Exception as error:  # noqa: BLE001  # one that can't be recorded must not cost the others
                hub.fault(error)


class Hub:
    """
    What all hooks of one instrumented service share.

    Args:
        settings: what was chosen.
        clock: where the time comes from.
        recorder: takes the figures.
    """

    def __init__(self, settings: Settings, *, clock: Clock, recorder: Recorder) -> None:
        self.settings = settings
        self.wall_s = clock.wall_s
        self.monotonic_s = clock.monotonic_s
        self.recorder = recorder
        self.server_timing = settings.server_timing
        self.started = False
        """Whether somebody empties the queue; the first request sees to it, or a statement outside of one."""
        self.start: Callable[[], object] | None = None
        """
        Has somebody empty the queue. It takes locks: not to be called where a connection comes back, which may be
        in the middle of a garbage collection.
        """
        self.faults = 0
        self.last_fault: str | None = None
        self.log_requests: Callable[[Sequence[Observation]], object] | None = None
        """Writes the lines of requests; None when requests are not logged."""
        self.log_queries: Callable[[Sequence[QueryObservation]], object] | None = None
        """Writes the lines of statements; None when statements are not logged."""
        self.id_header = settings.request_id_header.lower().encode("ascii")
        """The name of the header that carries request ids, as ASGI writes it."""
        self.agent_parameter = settings.agent_parameter
        self.agent_routes: dict[str, set[str]] = {}
        """Route templates that name an agent, and the methods for which they do."""
        for name in settings.endpoints:
            method, route = settings.endpoint(name)
            self.agent_routes.setdefault(route, set()).add(method)
        self._slow_query_s = settings.slow_query_s
        self._excluded: dict[str, bool] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what is waiting and begin a new series of request ids; needed after a fork."""
        self.waiting: deque[Item | Observation | Worked] = deque()
        """What waits to be recorded; `put` adds to it."""
        self.recording = threading.Lock()
        """Held by whoever empties the queue, or makes figures of what it held."""
        # 22 digits of this process and the time, and two that count. All of it runs in C: this happens in every
        # request, and putting two texts together takes a fifth of the time of formatting a number.
        number = itertools.count(int.from_bytes(os.urandom(2), "big"))
        heads = map(f"{os.urandom(8).hex()}%06x".__mod__, number)
        runs = itertools.chain.from_iterable(map(itertools.repeat, heads, itertools.repeat(len(_TAILS))))
        self.new_id = map(operator.add, runs, itertools.cycle(_TAILS)).__next__
        """Makes a request id."""

    def take_id(self, offered: bytes) -> str:
        """Return the id that a request brought when it is well-formed, a new one otherwise."""
        return offered.decode("ascii") if _REQUEST_ID.fullmatch(offered) else self.new_id()

    def excluded(self, route: str) -> bool:
        """Tell whether requests to this route are neither counted nor logged."""
        known = self._excluded.get(route)
        if known is None:
            known = self.settings.excludes(route)
            if len(self._excluded) < self.settings.max_routes:
                self._excluded[route] = known
        return known

    def fault(self, error: Exception) -> None:
        """Count an exception of our own that was kept from the service; the first of each hundred is logged."""
        self.faults += 1
        self.last_fault = encodable(f"{type(error).__name__}: {error}")  # it may quote anything
        if self.faults % 100 == 1:
            logger.warning("monitoring: a fault of its own was kept from the service", exc_info=error)

    # ---- the queue

    def put(self, item: Item | Observation | Worked) -> None:
        """Take something that a hook saw. What the garbage collector may call adds to `waiting` by itself."""
        waiting = self.waiting
        waiting.append(item)
        if len(waiting) > MAX_WAITING:
            self.help()

    def empty(self) -> None:
        """Record everything that is waiting, giving other threads a chance now and then."""
        with self.recording:
            waiting = len(self.waiting)
            while waiting > 0:
                self._process(_CHUNK)
                waiting -= _CHUNK
                if waiting > 0:
                    time.sleep(0)

    def help(self) -> None:
        """Empty some of the queue, unless somebody is at it: another thread, or what this very call interrupts."""
        # The garbage collector ends forgotten coroutines wherever it runs, and their end comes here: amid
        # recording it must not wait for a lock that its own thread holds.
        if not self.recorder.busy and self.recording.acquire(blocking=False):
            try:
                self._process(MAX_WAITING // 10)
            finally:
                self.recording.release()

    def _process(self, most: int) -> None:
        take = self.waiting.popleft
        observations: list[Observation] = []
        worked: list[Worked] = []
        others: dict[type[Item], list[Item]] = {}
        for _ in range(min(most, len(self.waiting))):
            item = take()
            if type(item) is Observation:
                observations.append(item)
            elif type(item) is Worked:
                observations.append(item.observation)
                worked.append(item)
            else:
                others.setdefault(type(item), []).append(item)
        for kind, items in others.items():
            kind.process_all(items, self)
        if observations:
            self._record(observations, worked)

    def _record(self, observations: Sequence[Observation], worked: Sequence[Worked]) -> None:
        """Record requests that are over."""
        excluded = self.excluded
        routes = {one.route for one in observations}
        if any(map(excluded, routes)):
            observations = [one for one in observations if not excluded(one.route)]
            worked = [one for one in worked if not excluded(one.observation.route)]
        self.recorder.requests(observations, self.fault)
        if worked:
            self.recorder.work(worked, self.fault)
        if self.log_requests is not None:
            self._guarded(self.log_requests, observations)
        if self.log_queries is not None and worked:
            line = self._line
            lines = []
            for one in worked:
                seen, offset_s = one.observation, one.offset_s
                request_id, route = seen.request_id, seen.route
                for statement in one.work.statements:
                    lines.append(line(statement, statement.start_s + offset_s, request_id, route))  # noqa: PERF401  # nested, and shorter so
            self._guarded(self.log_queries, lines)

    def _guarded(self, log: Callable[[Sequence[Any]], object], observations: Sequence[Any]) -> None:
        """Have lines written, all or none; when one can't be, the others are by themselves."""
        try:
            log(observations)
        except Exception as error:  # noqa: BLE001  # see above
            if len(observations) < 2:
                self.fault(error)
                return
            for one in observations:
                self._guarded(log, [one])

    # ---- what the items call when their time comes

    def record_statement(self, statement: Statement, time_s: float, context: RequestContext | None) -> None:
        """Record a statement that stands outside a request, or came after its end."""
        route = context.route if context is not None else None
        if route is not None and self.excluded(route):
            return
        self.recorder.statement(statement, time_s, route)
        if self.log_queries is not None:
            request_id = context.request_id if context is not None else None
            self.log_queries([self._line(statement, time_s, request_id, route)])

    def _line(
        self, statement: Statement, time_s: float, request_id: str | None, route: str | None
    ) -> QueryObservation:
        duration_s = statement.duration_s
        return QueryObservation(
            time_s,
            statement.engine,
            statement.text,
            duration_s,
            statement.rows,
            statement.many,
            duration_s > self._slow_query_s,
            request_id,
            route,
            statement.parameters,
            statement.error,
        )


class LateError(Item):
    """An exception that came after the answer, from a background task; the request itself was answered."""

    __slots__ = ("_method", "_name", "_route")

    def __init__(self, method: str, route: str, name: str) -> None:
        self._method = method
        self._route = route
        self._name = name

    def process(self, hub: Hub) -> None:
        """Count it."""
        if not hub.excluded(self._route):
            hub.recorder.exception(self._method, self._route, self._name)


class LooseStatement(Item):
    """A statement that is not part of a running request."""

    __slots__ = ("_context", "_statement", "_time_s")

    def __init__(self, statement: Statement, time_s: float, context: RequestContext | None) -> None:
        self._statement = statement
        self._time_s = time_s
        self._context = context

    def process(self, hub: Hub) -> None:
        """Record it."""
        hub.record_statement(self._statement, self._time_s, self._context)


running_loop = asyncio._get_running_loop
"""
Return the event loop that this thread is running, None for none: a blocking call on one holds everybody up.

Documented for authors of frameworks; the public one raises where there is none, at ten times the price.
"""
