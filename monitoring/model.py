"""
The records at the head of the server-side flow.

::

    request / query / pool event ─▶ Observation ─▶ Rollup ─▶ store ─▶ metrics, report, checklist

They are made on the hot path, so they are msgspec structs: frozen, a third of a dataclass's cost to build. `None`
is unknown and never 0. All take keywords; the first two are made for every request and statement, and there by
position, which costs half.
"""

from typing import final

import msgspec


@final
class Observation(msgspec.Struct, frozen=True, gc=False):
    """
    One request that the service handled (or lost).

    Args:
        time_s: wall clock at its arrival [s since the Unix epoch].
        request_id: taken from ``X-Request-ID`` or made.
        method: HTTP method, ``WEBSOCKET`` for a websocket.
        route: route template with mounts in front; ``<unmatched>`` where no route took it.
        path: the path as sent.
        status: HTTP status; 499 when the client went away first; 500 for an unhandled exception.
        duration_s: from arrival to the last byte handed to the server, or the failure [s].
        database_time_s: time within database calls [s].
        queries: statements sent.
        pool_wait_s: time spent waiting for pooled connections [s].
        client: address of the peer; None when the server gave none.
        agent: agent id from the path parameters; None when the route has none.
        exception: class of the exception that ended it; None for none.
        bytes_out: bytes of the body sent.
    """

    time_s: float
    request_id: str
    method: str
    route: str
    path: str
    status: int
    duration_s: float
    database_time_s: float
    queries: int
    pool_wait_s: float
    client: str | None
    agent: str | None
    exception: str | None
    bytes_out: int


class QueryObservation(msgspec.Struct, frozen=True, gc=False):
    """
    One statement that the service sent to its database.

    Args:
        time_s: wall clock when it was sent [s since the Unix epoch].
        engine: name of the engine it went through.
        statement: the parameterised text, which is also its fingerprint.
        duration_s: time in the driver's execute call [s].
        rows: rows returned or changed; None when the driver doesn't say.
        many: whether it was an executemany.
        slow: whether it took longer than the slow-query threshold.
        request_id: of the request it served; None outside of one.
        route: of the request it served; None outside of one or not yet known.
        parameters: only when settings ask for it, redacted; None otherwise.
        error: class of the exception it raised; None for none.
    """

    time_s: float
    engine: str
    statement: str
    duration_s: float
    rows: int | None
    many: bool
    slow: bool
    request_id: str | None
    route: str | None
    parameters: str | None
    error: str | None


class Holder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A pooled connection that somebody has at the moment.

    Args:
        engine: name of the engine.
        since_s: when it was handed out [s since the Unix epoch].
        held_s: how long ago that was [s].
        site: ``file:line in function`` of the code that took it.
        request_id: of the request it was taken in; None outside of one.
        route: route template of that request; None when not known (yet) or outside of one.
        leaked: whether it is held for longer than the leak threshold.
    """

    engine: str
    since_s: float
    held_s: float
    site: str
    request_id: str | None
    route: str | None
    leaked: bool


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """
    One engine's pool in one worker, at the moment.

    Args:
        engine: name of the engine.
        pool_class: class of the pool.
        size: connections kept; None for a pool without bounds.
        max_overflow: connections beyond that; None for no bound.
        checked_out: connections that somebody has.
        overflow: connections open beyond `size`.
        waiting: callers waiting for a connection.
        holders: who has them, longest first, so many at most.
    """

    engine: str
    pool_class: str
    size: int | None
    max_overflow: int | None
    checked_out: int
    overflow: int
    waiting: int
    holders: list[Holder]

    @property
    def capacity(self) -> int | None:
        """Connections that the pool may open; None for no bound."""
        return None if self.size is None or self.max_overflow is None else self.size + self.max_overflow


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a worker says about itself once a second.

    Args:
        pools: its pools.
        faults: exceptions of the monitoring layer that were kept from the service.
        last_fault: the latest of them; None for none.
        dropped: log lines and seconds of figures dropped because a bound was reached.
        diverted: log lines that went to standard error because their file couldn't be written.
        log_trouble: what keeps a log file from being written or rotated now; None when all is well.
    """

    pools: list[PoolState]
    faults: int
    last_fault: str | None
    dropped: int
    diverted: int = 0
    log_trouble: str | None = None
