"""The place where the hooks hand in what they saw; behind it stand the recorder and the log files."""

import asyncio
import itertools
import logging
import os
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from monitoring.capture.context import RequestContext, Statement
from monitoring.clock import Clock
from monitoring.metrics import Recorder
from monitoring.model import Observation, QueryObservation
from monitoring.rollup import OVERFLOW
from monitoring.settings import Settings

logger = logging.getLogger("monitoring")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:@/+=~-]{0,127}")
_SPILL_AT = 1000


class LineSink(Protocol):
    """Where log lines go."""

    dropped: int
    """Lines that could not be taken."""

    def submit(self, line: bytes) -> None:
        """Take one line, newline included; never wait."""

    def close(self, timeout_s: float) -> None:
        """Write what is waiting, for so long at most."""


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
        self.clock = clock
        self.recorder = recorder
        self.faults = 0
        self.last_fault: str | None = None
        self.request_lines: LineSink | None = None
        self.query_lines: LineSink | None = None
        self.format_request: Callable[[Observation], bytes] | None = None
        self.format_query: Callable[[QueryObservation], bytes] | None = None
        self.agent_routes = frozenset(settings.endpoint(name) for name in settings.endpoints)
        self._excluded: dict[str, bool] = {}
        self.renew_ids()

    def renew_ids(self) -> None:
        """Begin a new series of request ids; needed after a fork."""
        self._prefix = os.urandom(8).hex()
        self._numbers = itertools.count(int.from_bytes(os.urandom(2)))

    def new_id(self) -> str:
        """Make a request id: 16 digits of this process, and a number."""
        return f"{self._prefix}{next(self._numbers):08x}"

    def take_id(self, offered: bytes | None) -> str:
        """Return the id that a request brought when it is well-formed, a new one otherwise."""
        if offered is not None and _REQUEST_ID.fullmatch(offered):
            return offered.decode("ascii")
        return self.new_id()

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

    # ---- what the hooks hand in

    def request(self, observation: Observation, statements: Sequence[Statement], waits: Sequence[float]) -> None:
        """Take a request that has ended."""
        if self.excluded(observation.route):
            return
        self.recorder.request(observation, statements, waits)
        if self.request_lines is not None and self.format_request is not None:
            self.request_lines.submit(self.format_request(observation))
        if self.query_lines is not None:
            for statement in statements:
                self._log(statement, observation.request_id, observation.route)

    def statement(self, statement: Statement, context: RequestContext | None) -> None:
        """Take a statement at once: it stands outside a request, or came after its end."""
        route = context.route if context is not None else None
        if route is not None and self.excluded(route):
            return
        self.recorder.statement(statement, route)
        self._log(statement, context.request_id if context is not None else None, route)

    def spill(self, context: RequestContext) -> None:
        """Relieve a running request of its statements once they are many: its route counts, its total is kept."""
        if len(context.statements) < _SPILL_AT:
            return
        statements, context.statements = context.statements, []
        waits, context.waits = context.waits, []
        context.spilled_n += len(statements)
        context.driver_s += sum(statement.duration_s for statement in statements)
        context.spilled_wait_s += sum(waits)
        for statement in statements:
            self.recorder.statement(statement, None)
            self._log(statement, context.request_id, None)

    def exception_after_answer(self, context: RequestContext, method: str, name: str) -> None:
        """Count an exception of a background task; the request itself was answered."""
        if context.route is not None and not self.excluded(context.route):
            self.recorder.exception(method, context.route, name)

    def _log(self, statement: Statement, request_id: str | None, route: str | None) -> None:
        if self.query_lines is None or self.format_query is None:
            return
        observation = QueryObservation(
            time_s=statement.time_s,
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
        self.query_lines.submit(self.format_query(observation))


def on_event_loop() -> bool:
    """Tell whether this thread is running an event loop: a blocking call here holds everybody up."""
    return asyncio._get_running_loop() is not None  # documented for frameworks; get_running_loop raises


__all__ = ["OVERFLOW", "Hub", "LineSink", "on_event_loop"]
