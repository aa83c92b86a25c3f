"""
The place where the hooks hand in what they saw; behind it stand the recorder and the log files.

A hook only puts an item into a queue, which costs a request next to nothing. A thread empties the queue a few
times a second: the same work, done in a row with everything in the processor's caches, is about three times
cheaper than in the middle of a request. Whoever asks for figures empties the queue first, so answers are complete.
"""

import asyncio
import itertools
import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from monitoring.capture.context import RequestContext, Statement
from monitoring.clock import Clock
from monitoring.metrics import Recorder
from monitoring.model import Observation, QueryObservation
from monitoring.settings import Settings

logger = logging.getLogger("monitoring")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:@/+=~-]{0,127}")
_CHUNK = 50
"""Items handled before other threads get a chance: about half a millisecond."""
_MAX_WAITING = 5000
"""Beyond this many, whoever adds one helps to empty the queue: figures are never dropped."""


class Item(Protocol):
    """Something that a hook saw."""

    def process(self) -> None:
        """Record it; called once, in the order of arrival."""


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
        """Whether somebody empties the queue; the first request sees to it."""
        self.faults = 0
        self.last_fault: str | None = None
        self.log_request: Callable[[Observation], object] | None = None
        """Writes the line of a request; None when requests are not logged."""
        self.log_query: Callable[[QueryObservation], object] | None = None
        """Writes the line of a statement; None when statements are not logged."""
        self.agent_routes = frozenset(settings.endpoint(name) for name in settings.endpoints)
        self._excluded: dict[str, bool] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what is waiting and begin a new series of request ids; needed after a fork."""
        self._queue: deque[Item | Observation] = deque()
        self._emptying = threading.Lock()
        self._prefix = os.urandom(8).hex()
        self._numbers = itertools.count(int.from_bytes(os.urandom(2), "big"))

    def take_id(self, offered: bytes) -> str:
        """Return the id that a request brought when it is well-formed, a new one otherwise."""
        return offered.decode("ascii") if _REQUEST_ID.fullmatch(offered) else self.new_id()

    def new_id(self) -> str:
        """Make a request id: 16 digits of this process, and a number."""
        return f"{self._prefix}{next(self._numbers):08x}"

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
        self.last_fault = f"{type(error).__name__}: {error}"
        if self.faults % 100 == 1:
            logger.warning("monitoring: a fault of its own was kept from the service", exc_info=error)

    # ---- the queue

    def put(self, item: "Item | Observation") -> None:
        """Take something that a hook saw; a request without statements is an observation and nothing more."""
        queue = self._queue
        queue.append(item)
        if len(queue) > _MAX_WAITING:
            self._help()

    def empty(self) -> None:
        """Record everything that is waiting, giving other threads a chance now and then."""
        with self._emptying:
            waiting = len(self._queue)
            while waiting > 0:
                self._process(_CHUNK)
                waiting -= _CHUNK
                if waiting > 0:
                    time.sleep(0)

    def _help(self) -> None:
        if self._emptying.acquire(blocking=False):
            try:
                self._process(_MAX_WAITING // 10)
            finally:
                self._emptying.release()

    def _process(self, most: int) -> None:
        queue = self._queue
        for _ in range(most):
            try:
                item = queue.popleft()
            except IndexError:
                return
            try:
                if isinstance(item, Observation):
                    self.record_request(item, (), (), 0.0)
                else:
                    item.process()
            except Exception as error:  # noqa: BLE001  # one that can't be recorded must not cost the others
                self.fault(error)

    # ---- what the items call when their time comes

    def record_request(
        self, observation: Observation, statements: Sequence[Statement], waits: Sequence[float], start_s: float
    ) -> None:
        """
        Record a request that is over.

        Args:
            observation: the request.
            statements: what it sent.
            waits: how long it waited for connections [s].
            start_s: its arrival by the monotonic clock, which the statements' times refer to.
        """
        self.recorder.request(observation, statements, waits)
        if self.log_request is not None:
            self.log_request(observation)
        if self.log_query is not None:
            offset_s = observation.time_s - start_s
            for statement in statements:
                self._log(statement, statement.start_s + offset_s, observation.request_id, observation.route)

    def record_statement(self, statement: Statement, time_s: float, context: RequestContext | None) -> None:
        """Record a statement that stands outside a request, or came after its end."""
        route = context.route if context is not None else None
        if route is not None and self.excluded(route):
            return
        self.recorder.statement(statement, time_s, route)
        self._log(statement, time_s, context.request_id if context is not None else None, route)

    def _log(self, statement: Statement, time_s: float, request_id: str | None, route: str | None) -> None:
        if self.log_query is not None:
            self.log_query(
                QueryObservation(
                    time_s=time_s,
                    engine=statement.engine,
                    statement=statement.text,
                    duration_s=statement.duration_s,
                    rows=statement.rows,
                    many=statement.many,
                    slow=statement.duration_s > self.settings.slow_query_s,
                    request_id=request_id,
                    route=route,
                    parameters=statement.parameters,
                    error=statement.error,
                )
            )


class BusyRequest:
    """A request that used the database."""

    __slots__ = ("_hub", "_observation", "_start_s", "_statements", "_waits")

    def __init__(
        self,
        hub: Hub,
        observation: Observation,
        statements: Sequence[Statement],
        waits: Sequence[float],
        start_s: float,
    ) -> None:
        self._hub = hub
        self._observation = observation
        self._statements = statements
        self._waits = waits
        self._start_s = start_s

    def process(self) -> None:
        """Record it."""
        self._hub.record_request(self._observation, self._statements, self._waits, self._start_s)


class LateError:
    """An exception that came after the answer, from a background task; the request itself was answered."""

    __slots__ = ("_hub", "_method", "_name", "_route")

    def __init__(self, hub: Hub, method: str, route: str, name: str) -> None:
        self._hub = hub
        self._method = method
        self._route = route
        self._name = name

    def process(self) -> None:
        """Count it."""
        if not self._hub.excluded(self._route):
            self._hub.recorder.exception(self._method, self._route, self._name)


class LooseStatement:
    """A statement that is not part of a running request."""

    __slots__ = ("_context", "_hub", "_statement", "_time_s")

    def __init__(self, hub: Hub, statement: Statement, time_s: float, context: RequestContext | None) -> None:
        self._hub = hub
        self._statement = statement
        self._time_s = time_s
        self._context = context

    def process(self) -> None:
        """Record it."""
        self._hub.record_statement(self._statement, self._time_s, self._context)


def on_event_loop() -> bool:
    """Tell whether this thread is running an event loop: a blocking call here holds everybody up."""
    # Documented for authors of frameworks; the public get_running_loop raises where there is none, at ten times
    # the price.
    return asyncio._get_running_loop() is not None
