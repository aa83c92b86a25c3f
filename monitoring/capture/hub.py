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
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Protocol

import msgspec

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

    def process(self, hub: "Hub") -> None:
        """Record it; called once, in the order of arrival."""


class EndedRequest(msgspec.Struct, frozen=True, gc=False):
    """
    A request that is over, as its hook left it: whatever can be worked out later is.

    It refers to nothing that leads back to the scope, and the garbage collector does not look at it: hundreds of
    requests, kept alive for a moment each, would make collecting several times dearer than all of this.
    """

    time_s: float
    start_s: float
    """Arrival by the monotonic clock, which the statements' times refer to [s]."""
    end_s: float
    request_id: str
    method: str
    route: str
    path: str
    path_params: MutableMapping[str, Any]
    client: Sequence[Any] | None
    status: int
    exception: str | None
    bytes_out: int
    statements: Sequence[Statement]
    waits: Sequence[float]
    driver_s: float
    spilled_n: int
    spilled_wait_s: float

    def process(self, hub: "Hub") -> None:
        """Record it."""
        method, route = self.method, self.route
        if hub.excluded(route):
            return
        agent = None
        if (method, route) in hub.agent_routes:
            named = self.path_params.get(hub.agent_parameter)
            agent = str(named)[:128] if named is not None else None
        client, statements, waits = self.client, self.statements, self.waits
        database_time_s, pool_wait_s = self.driver_s, self.spilled_wait_s
        for statement in statements:
            database_time_s += statement.duration_s
        for wait_s in waits:
            pool_wait_s += wait_s
        observation = Observation(
            time_s=self.time_s,
            request_id=self.request_id,
            method=method,
            route=route,
            path=self.path,
            status=self.status,
            duration_s=self.end_s - self.start_s,
            database_time_s=database_time_s,
            queries=self.spilled_n + len(statements),
            pool_wait_s=pool_wait_s,
            client=client[0] if client else None,
            agent=agent,
            exception=self.exception,
            bytes_out=self.bytes_out,
        )
        hub.record_request(observation, statements, waits, self.start_s)


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
        self.id_header = settings.request_id_header.lower().encode("ascii")
        """The name of the header that carries request ids, as ASGI writes it."""
        self.agent_parameter = settings.agent_parameter
        self.agent_routes = frozenset(settings.endpoint(name) for name in settings.endpoints)
        self._excluded: dict[str, bool] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what is waiting and begin a new series of request ids; needed after a fork."""
        self._queue: deque[Item] = deque()
        self._emptying = threading.Lock()
        # 16 digits of this process, and a number. All of it runs in C: this happens in every request.
        pattern = f"{os.urandom(8).hex()}%08x"
        self.new_id = map(pattern.__mod__, itertools.count(int.from_bytes(os.urandom(2), "big"))).__next__
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
        self.last_fault = f"{type(error).__name__}: {error}"
        if self.faults % 100 == 1:
            logger.warning("monitoring: a fault of its own was kept from the service", exc_info=error)

    # ---- the queue

    def put(self, item: Item) -> None:
        """Take something that a hook saw."""
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
                item.process(self)
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


class LateError:
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


class LooseStatement:
    """A statement that is not part of a running request."""

    __slots__ = ("_context", "_statement", "_time_s")

    def __init__(self, statement: Statement, time_s: float, context: RequestContext | None) -> None:
        self._statement = statement
        self._time_s = time_s
        self._context = context

    def process(self, hub: Hub) -> None:
        """Record it."""
        hub.record_statement(self._statement, self._time_s, self._context)


def on_event_loop() -> bool:
    """Tell whether this thread is running an event loop: a blocking call here holds everybody up."""
    # Documented for authors of frameworks; the public get_running_loop raises where there is none, at ten times
    # the price.
    return asyncio._get_running_loop() is not None
