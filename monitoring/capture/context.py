"""
What belongs to the request being handled, found from anywhere below it.

A context variable carries it: anyio copies the context into the threads of sync routes, and SQLAlchemy's greenlets
run in the context of the task that made them.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

import msgspec


class Statement(msgspec.Struct, frozen=True, gc=False):
    """
    One execution, as the hook saw it. Times are monotonic: the wall clock is not asked for every statement.

    Not looked at by the garbage collector: thousands wait in the queue, and none can be part of a cycle.
    """

    start_s: float
    duration_s: float
    engine: str
    text: str
    rows: int | None
    many: bool
    error: str | None
    parameters: str | None
    site: str | None
    blocking: bool


class RequestContext:
    """
    Time and statements of one request, gathered while it runs.

    A plain class whose defaults stand on the class: setting few attributes is what makes it cheap to build.
    """

    route: str | None = None
    """Route template; known once the request has been recorded."""
    driver_s = 0.0
    """Commits, rollbacks and spilled statements [s]: database time beside that of `statements`."""
    spilled_n = 0
    spilled_wait_s = 0.0
    done = False
    """Set when the request is over; whatever comes later (background tasks) is recorded by itself."""

    def __init__(
        self, hub: object, request_id: str, scope: MutableMapping[str, Any], time_s: float, start_s: float
    ) -> None:
        self.hub = hub
        self.request_id = request_id
        self.scope = scope
        self.time_s = time_s
        self.start_s = start_s
        self.root_path: str = scope.get("root_path", "")
        self.statements: list[Statement] = []
        self.waits: list[float] = []

    def wall_s(self, monotonic_s: float) -> float:
        """Return the wall clock's time of an instant during the request [s since the epoch]."""
        return self.time_s + (monotonic_s - self.start_s)

    def database_s(self) -> float:
        """Return the time in database calls so far [s]."""
        total = self.driver_s
        for statement in self.statements:
            total += statement.duration_s
        return total

    def pool_wait_s(self) -> float:
        """Return the time spent waiting for connections so far [s]."""
        return self.spilled_wait_s + sum(self.waits)


current: ContextVar[RequestContext | None] = ContextVar("monitoring_request", default=None)
