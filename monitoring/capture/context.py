"""
What belongs to the request being handled, found from anywhere below it.

A context variable carries it: anyio copies the context into the threads of sync routes, and SQLAlchemy's greenlets
run in the context of the task that made them.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, NamedTuple


class Statement(NamedTuple):
    """One execution, as the hook saw it. The route is not known yet."""

    time_s: float
    engine: str
    text: str
    duration_s: float
    rows: int | None
    many: bool
    error: str | None
    parameters: str | None
    site: str | None
    blocking: bool


class RequestContext:
    """Time and statements of one request, gathered while it runs."""

    __slots__ = (
        "done",
        "driver_s",
        "hub",
        "request_id",
        "route",
        "scope",
        "spilled_n",
        "spilled_wait_s",
        "start_s",
        "statements",
        "time_s",
        "waits",
    )

    def __init__(
        self, hub: object, request_id: str, scope: MutableMapping[str, Any], time_s: float, start_s: float
    ) -> None:
        self.hub = hub
        self.request_id = request_id
        self.scope = scope
        self.time_s = time_s
        self.start_s = start_s
        self.route: str | None = None
        self.statements: list[Statement] = []
        self.waits: list[float] = []
        self.driver_s = 0.0
        """Commits, rollbacks and spilled statements [s]: database time beside that of `statements`."""
        self.spilled_n = 0
        self.spilled_wait_s = 0.0
        self.done = False
        """Set once the request is recorded; whatever comes later (background tasks) is recorded by itself."""

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
