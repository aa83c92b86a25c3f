"""
Slots: what a stretch of time held, in a form that merges and can be stored.

::

    Observation … ─▶ Slot (one second, one worker) ─▶ bytes ─▶ Slot (any window, all workers, all restarts)

A `Slot` is a set of rollups keyed by route, statement, agent, pool or trouble spot. The number of keys is bounded:
beyond the bound everything goes to one key, `OVERFLOW`, and no count is lost. Keys are texts that UTF-8 can hold:
one that can't be written would cost the whole second.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitoring.histogram import Histogram
from monitoring.model import Observation
from monitoring.rollup import (
    OVERFLOW,
    AgentRollup,
    Limits,
    PoolRollup,
    RouteRollup,
    SpotRollup,
    StatementRollup,
    encodable,
)

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WEBSOCKET", OVERFLOW}
)
MAX_SPOTS = 100

SpotKey = tuple[str, str, str, str]
"""``(kind, route, file:line, statement)``."""


class Slot:
    """All rollups of one stretch of time."""

    __slots__ = ("agents", "limits", "pools", "routes", "spots", "statements")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.routes: dict[tuple[str, str], RouteRollup] = {}
        self.statements: dict[str, StatementRollup] = {}
        self.agents: dict[str, AgentRollup] = {}
        self.pools: dict[str, PoolRollup] = {}
        self.spots: dict[SpotKey, SpotRollup] = {}

    def route(self, method: str, route: str) -> RouteRollup:
        """Return the rollup of a method and route template, made when new."""
        rollup = self.routes.get((method, route))
        if rollup is None:
            if method not in _METHODS:
                method = OVERFLOW
            route = encodable(route)
            if (method, route) not in self.routes and len(self.routes) >= self.limits.routes:
                method = route = OVERFLOW
            rollup = self.routes.setdefault((method, route), RouteRollup())
        return rollup

    def statement(self, statement: str) -> StatementRollup:
        """Return the rollup of a statement, made when new."""
        rollup = self.statements.get(statement)
        if rollup is None:
            statement = encodable(statement)
            if statement not in self.statements and len(self.statements) >= self.limits.statements:
                statement = OVERFLOW
            rollup = self.statements.setdefault(statement, StatementRollup())
        return rollup

    def agent(self, agent: str) -> AgentRollup:
        """Return the rollup of an agent, made when new."""
        rollup = self.agents.get(agent)
        if rollup is None:
            agent = encodable(agent)
            if agent not in self.agents and len(self.agents) >= self.limits.agents:
                agent = OVERFLOW
            rollup = self.agents.setdefault(agent, AgentRollup())
        return rollup

    def count_agents(self, observations: Sequence[Observation]) -> None:
        """Count requests under the agents that they name."""
        agents = self.agents
        for one in observations:
            name = one.agent
            if name is not None:
                agent = agents[name] if name in agents else self.agent(name)
                time_s = one.time_s
                agent.n += 1
                if one.status >= 400:
                    agent.errors += 1
                last_s = agent.last_s
                if last_s is None or time_s > last_s:
                    agent.last_s = time_s
                    if last_s is not None:  # mostly in order; a later one is not the first
                        continue
                if agent.first_s is None or time_s < agent.first_s:
                    agent.first_s = time_s

    def pool(self, engine: str) -> PoolRollup:
        """Return the rollup of an engine's pool, made when new."""
        rollup = self.pools.get(engine)
        if rollup is None:
            rollup = self.pools.setdefault(encodable(engine), PoolRollup())
        return rollup

    def spot(self, key: SpotKey) -> SpotRollup:
        """Return the rollup of a trouble spot, made when new."""
        rollup = self.spots.get(key)
        if rollup is None:
            kind, route, site, statement = key
            key = (kind, encodable(route), encodable(site), encodable(statement))
            if key not in self.spots and len(self.spots) >= MAX_SPOTS:
                key = (key[0], OVERFLOW, OVERFLOW, OVERFLOW)
            rollup = self.spots.setdefault(key, SpotRollup())
        return rollup

    def merge(self, other: "Slot") -> None:
        """Add everything of `other`."""
        for (method, route), route_rollup in other.routes.items():
            self.route(method, route).merge(route_rollup)
        for statement, statement_rollup in other.statements.items():
            self.statement(statement).merge(statement_rollup)
        for agent, agent_rollup in other.agents.items():
            self.agent(agent).merge(agent_rollup)
        for engine, pool_rollup in other.pools.items():
            self.pool(engine).merge(pool_rollup)
        for key, spot_rollup in other.spots.items():
            self.spot(key).merge(spot_rollup)

    def pack(self) -> bytes:
        """Return the stored form; `merge_packed` reads it."""
        return _ENCODER.encode(_pack(self))

    def merge_packed(self, stored: bytes) -> None:
        """
        Add a stored slot.

        Raises:
            msgspec.MsgspecError: not a stored slot.
        """
        wire = _DECODER.decode(stored)
        for route in wire.routes:
            _unpack_route(route, self.route(route.method, route.route))
        for statement in wire.statements:
            mine = self.statement(statement.statement)
            mine.add(statement.n, statement.errors, statement.slow, statement.rows)
            _unpack_histogram(statement.duration, mine.duration)
        for name, n, errors, first_s, last_s in wire.agents:
            self.agent(name).add(n, errors, first_s, last_s)
        for pool in wire.pools:
            _unpack_pool(pool, self.pool(pool.engine))
        for kind, where, line, text, n, worst, sum_s, max_s in wire.spots:
            self.spot((kind, where, line, text)).add(n, worst, sum_s, max_s)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it."""
        return not (self.routes or self.statements or self.agents or self.pools or self.spots)


# ---- The stored form: MessagePack arrays in the order of the fields. A new field goes to the end, with a default


class _WireHistogram(msgspec.Struct, array_like=True, gc=False):
    sum_s: float
    min_s: float | None
    max_s: float | None
    indexes: list[int]
    counts: list[int]


class _WireRoute(msgspec.Struct, array_like=True, gc=False):
    method: str
    route: str
    n: int
    client_errors: int
    server_errors: int
    queries: int
    by_status: dict[int, int]
    by_exception: dict[str, int]
    response: _WireHistogram
    database: _WireHistogram | None
    query: _WireHistogram | None
    pool_wait: _WireHistogram | None


class _WireStatement(msgspec.Struct, array_like=True, gc=False):
    statement: str
    n: int
    errors: int
    slow: int
    rows: int | None
    duration: _WireHistogram | None


class _WirePool(msgspec.Struct, array_like=True, gc=False):
    engine: str
    peak: int
    timeouts: int
    created: int
    invalidated: int
    leaks: int
    wait: _WireHistogram | None
    hold: _WireHistogram | None


class _WireSlot(msgspec.Struct, array_like=True, gc=False):
    routes: list[_WireRoute]
    statements: list[_WireStatement]
    agents: list[tuple[str, int, int, float | None, float | None]]
    pools: list[_WirePool]
    spots: list[tuple[str, str, str, str, int, int, float, float]]


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_WireSlot)


def _pack_histogram(histogram: Histogram) -> Any:
    if histogram.n == 0:
        return None
    indexes, counts = histogram.packed()
    return _WireHistogram(histogram.sum_s, histogram.min_s, histogram.max_s, indexes, counts)


def _unpack_histogram(wire: _WireHistogram | None, into: Histogram) -> None:
    if wire is not None:
        into.merge_counts(
            indexes=wire.indexes, counts=wire.counts, sum_s=wire.sum_s, min_s=wire.min_s, max_s=wire.max_s
        )


def _pack(slot: Slot) -> _WireSlot:
    return _WireSlot(
        routes=[_pack_route(method, route, rollup) for (method, route), rollup in slot.routes.items()],
        statements=[
            _WireStatement(text, one.n, one.errors, one.slow, one.rows, _pack_histogram(one.duration))
            for text, one in slot.statements.items()
        ],
        agents=[(name, one.n, one.errors, one.first_s, one.last_s) for name, one in slot.agents.items()],
        pools=[_pack_pool(engine, one) for engine, one in slot.pools.items()],
        spots=[(*key, one.n, one.worst, one.sum_s, one.max_s) for key, one in slot.spots.items()],
    )


def _pack_route(method: str, route: str, rollup: RouteRollup) -> _WireRoute:
    return _WireRoute(
        method,
        route,
        rollup.n,
        rollup.client_errors,
        rollup.server_errors,
        rollup.queries,
        rollup.by_status,
        rollup.by_exception,
        _pack_histogram(rollup.response) or _WireHistogram(0.0, None, None, [], []),
        _pack_histogram(rollup.database),
        _pack_histogram(rollup.query),
        _pack_histogram(rollup.pool_wait),
    )


def _pack_pool(engine: str, pool: PoolRollup) -> _WirePool:
    return _WirePool(
        engine,
        pool.peak,
        pool.timeouts,
        pool.created,
        pool.invalidated,
        pool.leaks,
        _pack_histogram(pool.wait),
        _pack_histogram(pool.hold),
    )


def _unpack_route(wire: _WireRoute, into: RouteRollup) -> None:
    into.n += wire.n
    into.client_errors += wire.client_errors
    into.server_errors += wire.server_errors
    into.queries += wire.queries
    for status, count in wire.by_status.items():
        into.by_status[status] = into.by_status.get(status, 0) + count
    for name, count in wire.by_exception.items():
        into.count_exception(name, count)
    _unpack_histogram(wire.response, into.response)
    _unpack_histogram(wire.database, into.database)
    _unpack_histogram(wire.query, into.query)
    _unpack_histogram(wire.pool_wait, into.pool_wait)


def _unpack_pool(wire: _WirePool, into: PoolRollup) -> None:
    into.peak = max(into.peak, wire.peak)
    into.timeouts += wire.timeouts
    into.created += wire.created
    into.invalidated += wire.invalidated
    into.leaks += wire.leaks
    _unpack_histogram(wire.wait, into.wait)
    _unpack_histogram(wire.hold, into.hold)


def merged(slots: Iterable[Slot], limits: Limits) -> Slot:
    """Return one slot with everything of `slots`."""
    total = Slot(limits)
    for slot in slots:
        total.merge(slot)
    return total
