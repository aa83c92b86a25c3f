"""
Rollups of one key: what a route, a statement, an agent, a pool or a trouble spot went through.

Merging is associative and commutative, counts are exact, and distributions are histograms, never percentiles.
`monitoring.slot` holds all of them of one stretch of time.
"""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec

from monitoring.histogram import Histogram
from monitoring.model import Observation

OVERFLOW = "<overflow>"
"""Key of everything beyond the bound."""

MAX_EXCEPTIONS = 50


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


def encodable(text: str) -> str:
    r"""
    Return a text as UTF-8 can hold it: a lone surrogate becomes its escape, ``\ud800``.

    JSON brings such texts into Python, and file names do; what is stored or answered can't hold them.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def add(counts: dict[str, int], name: str, times: int, *, limit: int) -> None:
    """Add to a count by name; names beyond `limit` go to `OVERFLOW`."""
    if name not in counts:
        name = encodable(name)
        if name not in counts and len(counts) >= limit:
            name = OVERFLOW
    counts[name] = counts.get(name, 0) + times
