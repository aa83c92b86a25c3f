"""
Rollups: what a stretch of time held, in a form that merges.

::

    Observation … ─▶ Slot (one second, one worker) ─▶ bytes ─▶ Slot (any window, all workers, all restarts)

A `Slot` is a set of rollups keyed by route, statement, agent, pool or trouble spot. Merging is associative and
commutative, counts are exact, and distributions are histograms, never percentiles. The number of keys is bounded:
beyond the bound everything goes to one key, `OVERFLOW`, and no count is lost.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitoring.histogram import Histogram
from monitoring.model import Observation

OVERFLOW = "<overflow>"
"""Key of everything beyond the bound."""

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WEBSOCKET", OVERFLOW}
)
MAX_EXCEPTIONS = 50
MAX_SPOTS = 100


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many keys of each kind are told apart."""

    routes: int = 256
    agents: int = 1000
    statements: int = 500


class RouteRollup:
    """One method and route template: counts and distributions."""

    __slots__ = (
        "by_exception",
        "by_status",
        "client_errors",
        "database",
        "n",
        "pool_wait",
        "queries",
        "query",
        "response",
        "server_errors",
    )

    def __init__(self) -> None:
        self.n = 0
        self.client_errors = 0
        self.server_errors = 0
        self.queries = 0
        self.by_status: dict[int, int] = {}
        self.by_exception: dict[str, int] = {}
        self.response = Histogram()
        self.database = Histogram()
        self.query = Histogram()
        self.pool_wait = Histogram()

    def record(self, observations: Sequence[Observation]) -> None:
        """
        Count requests; their statements and waits are recorded beside them.

        Raises:
            ValueError, TypeError: a duration or status that is none; then nothing is counted.
        """
        statuses = Counter([one.status for one in observations])
        server_errors = sum(count for status, count in statuses.items() if status >= 500)
        client_errors = sum(count for status, count in statuses.items() if 400 <= status < 500)
        worked = [one for one in observations if one.queries]
        durations_s = [one.duration_s for one in observations]
        if worked:
            if not math.isfinite(sum(durations_s)):  # before the other histogram has changed
                raise ValueError("duration: not finite")
            self.database.record_many([one.database_time_s for one in worked])
        self.response.record_many(durations_s)
        self.n += len(observations)
        self.server_errors += server_errors
        self.client_errors += client_errors
        for status, count in statuses.items():
            self.by_status[status] = self.by_status.get(status, 0) + count
        for one in worked:
            self.queries += one.queries
        for one in observations:
            if one.exception is not None:
                self.count_exception(one.exception)

    def count_exception(self, name: str, times: int = 1) -> None:
        """Count an exception by its class; only so many classes are told apart."""
        add(self.by_exception, name, times, limit=MAX_EXCEPTIONS)

    def merge(self, other: "RouteRollup") -> None:
        """Add everything of `other`."""
        self.n += other.n
        self.client_errors += other.client_errors
        self.server_errors += other.server_errors
        self.queries += other.queries
        for status, count in other.by_status.items():
            self.by_status[status] = self.by_status.get(status, 0) + count
        for name, count in other.by_exception.items():
            self.count_exception(name, count)
        self.response.merge(other.response)
        self.database.merge(other.database)
        self.query.merge(other.query)
        self.pool_wait.merge(other.pool_wait)


class StatementRollup:
    """One statement: how often, how long, how it ended."""

    __slots__ = ("duration", "errors", "n", "rows", "slow")

    def __init__(self) -> None:
        self.n = 0
        self.errors = 0
        self.slow = 0
        self.rows: int | None = None
        self.duration = Histogram()

    def merge(self, other: "StatementRollup") -> None:
        """Add everything of `other`."""
        self.add(other.n, other.errors, other.slow, other.rows)
        self.duration.merge(other.duration)

    def add(self, n: int, errors: int, slow: int, rows: int | None) -> None:
        """Add counts; `rows` is None where the driver doesn't say."""
        self.n += n
        self.errors += errors
        self.slow += slow
        if rows is not None:
            self.rows = (self.rows or 0) + rows


class AgentRollup:
    """One agent on the routes that name it: how many requests, between which instants."""

    __slots__ = ("errors", "first_s", "last_s", "n")

    def __init__(self) -> None:
        self.n = 0
        self.errors = 0
        self.first_s: float | None = None
        self.last_s: float | None = None

    def merge(self, other: "AgentRollup") -> None:
        """Add everything of `other`."""
        self.add(other.n, other.errors, other.first_s, other.last_s)

    def add(self, n: int, errors: int, first_s: float | None, last_s: float | None) -> None:
        """Add `n` requests that arrived between two instants [s since the epoch]."""
        self.n += n
        self.errors += errors
        if first_s is not None and (self.first_s is None or first_s < self.first_s):
            self.first_s = first_s
        if last_s is not None and (self.last_s is None or last_s > self.last_s):
            self.last_s = last_s


class PoolRollup:
    """One engine's pool: the peak is the fullest that any one worker's pool was."""

    __slots__ = ("created", "hold", "invalidated", "leaks", "peak", "timeouts", "wait")

    def __init__(self) -> None:
        self.peak = 0
        self.timeouts = 0
        self.created = 0
        self.invalidated = 0
        self.leaks = 0
        self.wait = Histogram()
        self.hold = Histogram()

    def merge(self, other: "PoolRollup") -> None:
        """Add everything of `other`; of two peaks the larger one stands."""
        self.peak = max(self.peak, other.peak)
        self.timeouts += other.timeouts
        self.created += other.created
        self.invalidated += other.invalidated
        self.leaks += other.leaks
        self.wait.merge(other.wait)
        self.hold.merge(other.hold)

    @property
    def empty(self) -> bool:
        """Whether nothing happened and nothing was held."""
        return not (self.peak or self.timeouts or self.created or self.invalidated or self.wait.n or self.hold.n)


class SpotRollup:
    """A place in the service's code where something is done that should not be."""

    __slots__ = ("max_s", "n", "sum_s", "worst")

    def __init__(self) -> None:
        self.n = 0
        self.worst = 0
        self.sum_s = 0.0
        self.max_s = 0.0

    def record(self, *, count: int, duration_s: float) -> None:
        """Count one occurrence: `count` statements in it, which took `duration_s` together."""
        self.add(1, count, duration_s, duration_s)

    def merge(self, other: "SpotRollup") -> None:
        """Add everything of `other`."""
        self.add(other.n, other.worst, other.sum_s, other.max_s)

    def add(self, n: int, worst: int, sum_s: float, max_s: float) -> None:
        """Add `n` occurrences."""
        self.n += n
        self.worst = max(self.worst, worst)
        self.sum_s += sum_s
        self.max_s = max(self.max_s, max_s)


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
            if (method, route) not in self.routes and len(self.routes) >= self.limits.routes:
                method = route = OVERFLOW
            rollup = self.routes.setdefault((method, route), RouteRollup())
        return rollup

    def statement(self, statement: str) -> StatementRollup:
        """Return the rollup of a statement, made when new."""
        rollup = self.statements.get(statement)
        if rollup is None:
            if len(self.statements) >= self.limits.statements:
                statement = OVERFLOW
            rollup = self.statements.setdefault(statement, StatementRollup())
        return rollup

    def agent(self, agent: str) -> AgentRollup:
        """Return the rollup of an agent, made when new."""
        rollup = self.agents.get(agent)
        if rollup is None:
            if len(self.agents) >= self.limits.agents:
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
            rollup = self.pools[engine] = PoolRollup()
        return rollup

    def spot(self, key: SpotKey) -> SpotRollup:
        """Return the rollup of a trouble spot, made when new."""
        rollup = self.spots.get(key)
        if rollup is None:
            if len(self.spots) >= MAX_SPOTS:
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


def add(counts: dict[str, int], name: str, times: int, *, limit: int) -> None:
    """Add to a count by name; names beyond `limit` go to `OVERFLOW`."""
    if name not in counts and len(counts) >= limit:
        name = OVERFLOW
    counts[name] = counts.get(name, 0) + times


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
