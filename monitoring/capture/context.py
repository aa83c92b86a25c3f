"""
What belongs to the request being handled, found from anywhere below it.

A context variable carries it: anyio copies the context into the threads of sync routes, and SQLAlchemy's greenlets
run in the context of the task that made them.
"""

import heapq
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, final

import msgspec

from monitoring.histogram import Histogram
from monitoring.model import Observation


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


MAX_TEXTS = 1000
"""Statements that a long request tells apart among those spilled; the most frequent stay."""


class Spilled(msgspec.Struct, eq=False):
    """What is left in a long request of the statements and waits that it was relieved of; bounded."""

    durations: Histogram = msgspec.field(default_factory=Histogram)
    waits: Histogram = msgspec.field(default_factory=Histogram)
    texts: dict[str, tuple[int, float, str | None]] = msgspec.field(default_factory=dict)
    """Of each statement how often it was sent, how long that took together [s], and where from."""

    def add(self, statements: list[Statement], waits: list[float]) -> None:
        """Count these."""
        self.durations.record_many([one.duration_s for one in statements])
        self.waits.record_many(waits)
        texts = self.texts
        for one in statements:
            n, sum_s, site = texts.get(one.text, (0, 0.0, None))
            texts[one.text] = (n + 1, sum_s + one.duration_s, one.site or site)
        if len(texts) > MAX_TEXTS:
            self.texts = dict(heapq.nlargest(MAX_TEXTS, texts.items(), key=lambda item: item[1][0]))


class Work(msgspec.Struct, eq=False, gc=False):
    """
    What a request had databases do; made with the first of it.

    Not looked at by the garbage collector either: it holds lists of statements and numbers.
    """

    statements: list[Statement] = msgspec.field(default_factory=list)
    waits: list[float] = msgspec.field(default_factory=list)
    """How long it waited for connections, one for each checkout [s]."""
    database_s: float = 0.0
    """Time in database calls, commits and rollbacks and spilled statements included [s]."""
    pool_wait_s: float = 0.0
    """Time spent waiting for connections, spilled waits included [s]."""
    spilled_n: int = 0
    spilled: Spilled | None = None
    """What it was relieved of; None for nothing."""

    @property
    def queries(self) -> int:
        """Statements sent."""
        return self.spilled_n + len(self.statements)


@final
class Worked(msgspec.Struct, frozen=True, gc=False):
    """
    A request that is over and had databases do something, as it waits to be recorded; others are an `Observation`.

    Args:
        observation: the request.
        work: what it had done.
        offset_s: what turns its monotonic times into wall-clock times [s].
    """

    observation: Observation
    work: Work
    offset_s: float = 0.0


class RequestContext(msgspec.Struct, eq=False):
    """
    Time and statements of one request, gathered while it runs.

    A struct, because one is made for every request, and C sets its fields. Not frozen: things gather here.
    """

    hub: Any
    """The `Hub` that it is handed in to."""
    request_id: str
    scope: MutableMapping[str, Any]
    """Its scope until it is over; then an empty one."""
    time_s: float
    start_s: float
    root_path: str
    """What `scope` had before routing."""
    route: str | None = None
    """Route template; known once the request has been recorded."""
    work: Work | None = None
    """What it had databases do; None for nothing yet."""
    done: bool = False
    """Set when the request is over; whatever comes later (background tasks) is recorded by itself."""

    def wall_s(self, monotonic_s: float) -> float:
        """Return the wall clock's time of an instant during the request [s since the epoch]."""
        return self.time_s + (monotonic_s - self.start_s)

    def begin_work(self) -> Work:
        """Return what it has databases do, for the first time."""
        self.work = work = Work()
        return work


current: ContextVar[RequestContext | None] = ContextVar("monitoring_request", default=None)
