"""
What a report holds, as data. Renderers show it; the checklist and the diagnosis judge it.

Names are those of the metrics endpoints where they mean the same. `None` is unknown and never 0: an error rate of
no requests is None, and so is a list that the source has nothing to say about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from monitoring.loganalysis import LogAnalysis

SCHEMA_VERSION = 1
"""Of the JSON form. It rises when a field changes its meaning or goes; a new field leaves it alone."""

KIND = "monitoring-report"

SourceName = Literal["store", "service", "logs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    A stretch of time.

    Args:
        since: its begin, UTC.
        until: its end, UTC, not before `since`.
    """

    since: datetime
    until: datetime

    @property
    def length_s(self) -> float:
        """Its length [s]."""
        return (self.until - self.since).total_seconds()

    def part_of(self, asked: "Window") -> float:
        """Return which part of another window this one covers, 0..1; 0 when that one is empty."""
        if asked.length_s <= 0:
            return 0.0
        shared_s = (min(self.until, asked.until) - max(self.since, asked.since)).total_seconds()
        return max(0.0, shared_s) / asked.length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """
    Durations in a few numbers; quantiles are within 1 % of the nearest-rank value.

    Args:
        count: how many durations.
        mean_ms: arithmetic mean [ms]; this and the following None when there are none.
        p50_ms: median [ms].
        p95_ms: 95th percentile [ms].
        p99_ms: 99th percentile [ms].
        max_ms: longest [ms].
    """

    count: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """
    Where errors came from.

    Args:
        by_status: HTTP status of 400 and above -> count.
        by_exception: class of an unhandled exception -> count.
    """

    by_status: Mapping[str, int] = field(default_factory=dict)
    by_exception: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """
    All endpoints together.

    Args:
        total_requests: how many.
        requests_per_second: over the time that was covered; None when that has no length.
        response_time: of all of them, websockets left out.
        error_rate: answers of 500 and above or without an answer / total, 0..1; None without requests.
        client_error_rate: answers of 400..499 / total, 0..1; None without requests.
        errors: the same, broken down.
    """

    total_requests: int
    requests_per_second: float | None
    response_time: Timing
    error_rate: float | None
    client_error_rate: float | None
    errors: Errors = field(default_factory=Errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Totals):
    """
    One method and route template.

    Args:
        method: HTTP method.
        route: route template.
        database_time: per request: all database calls together.
        query_time: per statement.
        pool_wait: per checkout: time until a connection was handed out.
        queries_per_request: mean; None when unknown.
    """

    method: str
    route: str
    database_time: Timing = field(default_factory=Timing)
    query_time: Timing = field(default_factory=Timing)
    pool_wait: Timing = field(default_factory=Timing)
    queries_per_request: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """
    One SQL statement.

    Args:
        statement: its parameterised text.
        total_ms: time in it altogether [ms].
        duration: per execution.
        slow: executions above the slow-query threshold; None when unknown.
        errors: executions that raised; None when unknown.
        rows: rows returned or changed altogether; None when unknown.
    """

    statement: str
    total_ms: float
    duration: Timing
    slow: int | None = None
    errors: int | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """
    One agent, as its requests show it.

    Args:
        agent: its id.
        requests: how many.
        errors: of these, answered with 400 and above.
        first_seen: when the first one came.
        last_seen: when the last one came.
        interval_s: mean time from one to the next [s]; None for fewer than two.
    """

    agent: str
    requests: int
    errors: int
    first_seen: datetime | None
    last_seen: datetime | None
    interval_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents:
    """
    The agents seen on the named endpoints.

    Args:
        seen: how many.
        median_interval_s: of the agents' own mean intervals [s]; None when no agent has one.
        listed: each of them, most requests first; a running service lists only the fastest, the most silent and
            those that met most errors.
    """

    seen: int
    median_interval_s: float | None
    listed: tuple[Agent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """
    A connection that somebody had when the service was last heard of.

    Args:
        held_s: for how long by then [s].
        site: ``file:line in function`` that took it.
        route: route template of its request; None when unknown.
        request_id: of that request; None outside of one.
        leaked: whether it is held for longer than the leak threshold.
    """

    held_s: float
    site: str
    route: str | None = None
    request_id: str | None = None
    leaked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """
    One engine's connection pool; sizes and use are those of the fullest worker.

    Args:
        engine: name of the engine.
        pool_class: class of the pool; None when unknown.
        capacity: connections that it may open; None for no bound, or when unknown.
        checked_out: connections that somebody had when last heard of; None when unknown.
        peak_checked_out: most at once within the window.
        peak_usage_ratio: that / capacity; None without a bound.
        timeouts: requests for a connection that timed out.
        wait: time until a connection was handed out.
        hold: time until it came back.
        created: connections opened; None when unknown.
        invalidated: connections thrown away as broken; None when unknown.
        leaks: connections held beyond the leak threshold; None when unknown.
        waiting: callers waiting for one when last heard of; None when unknown.
        holders: who had one by then, longest first; None when unknown.
    """

    engine: str
    pool_class: str | None
    capacity: int | None
    checked_out: int | None
    peak_checked_out: int
    peak_usage_ratio: float | None
    timeouts: int
    wait: Timing
    hold: Timing
    created: int | None = None
    invalidated: int | None = None
    leaks: int | None = None
    waiting: int | None = None
    holders: tuple[Holder, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """
    A place in the service's code where something is done that should not be.

    Args:
        kind: ``blocking`` (a synchronous database call on the event loop) or ``n+1``.
        route: route template; empty outside of a request.
        site: ``file:line in function``.
        statement: the statement it is about.
        occurrences: how often.
        most_at_once: most executions in one request.
        total_ms: time in them altogether [ms].
        max_ms: longest occurrence [ms].
    """

    kind: str
    route: str
    site: str
    statement: str
    occurrences: int
    most_at_once: int
    total_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    A short piece of the window, for the course of things over time.

    Args:
        since: its begin.
        length_s: its length [s].
        requests: to all routes.
        errors: of these, answered with 500 and above.
        p50_ms: of the named endpoint's response time [ms]; this and the following None without requests.
        p95_ms: likewise.
        p99_ms: likewise.
    """

    since: datetime
    length_s: float
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """
    What one source says about one window.

    Args:
        window: the part that it really covers.
        totals: all endpoints together.
        endpoints: each of them, the busiest first.
        pools: connection pools; None when the source doesn't tell. So for the following.
        statements: by total time, longest first; a running service lists only the most expensive.
        agents: who polled.
        spots: trouble spots, by time.
    """

    window: Window
    totals: Totals
    endpoints: tuple[Endpoint, ...]
    pools: tuple[Pool, ...] | None = None
    statements: tuple[Statement, ...] | None = None
    agents: Agents | None = None
    spots: tuple[Spot, ...] | None = None

    def endpoint(self, target: str) -> Endpoint | None:
        """Return the figures of ``METHOD /route``; None when it had no request."""
        return next((one for one in self.endpoints if f"{one.method} {one.route}" == target), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    A source that was looked into, and what it really held.

    Args:
        name: ``store``, ``service``, ``request log`` or ``query log``.
        location: file or URL.
        held: what it holds, within the window asked for or not; None for nothing.
        held_ratio: part of the window asked for that lies between its ends, 0..1; gaps are not taken off.
        quiet: stretches of that part in which nothing was recorded, five minutes or longer, in order of time: the
            service was down, or nobody asked it anything; None when the source doesn't tell.
        note: what a reader has to know about it; empty when all is well.
    """

    name: str
    location: str
    held: Window | None
    held_ratio: float
    quiet: tuple[Window, ...] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One figure, now and in the window of the same length before.

    Args:
        name: of the figure, with its unit in it.
        before: None when unknown.
        now: None when unknown.
        change_ratio: now / before - 1; None when it can't be told.
    """

    name: str
    before: float | None
    now: float | None
    change_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """
    The whole report.

    Args:
        kind: always `KIND`, which tells the file apart from any other.
        schema_version: of this form.
        generated: when it was made, UTC.
        version: of this library.
        service: name of the service.
        window: the window asked for.
        figures_from: the source of `now` and `before`; None when no source had any.
        pending: ``METHOD /route`` of the endpoint that the checks are about.
        now: figures of the window; None when no source had any.
        before: figures of the window of the same length before it; None likewise.
        changes: from `before` to `now`.
        points: the window in short pieces, in order; empty when the source doesn't tell.
        logs: log analysis; None when there was no log file.
        sources: what was looked into, and what it held.
    """

    kind: str = KIND
    schema_version: int = SCHEMA_VERSION
    generated: datetime
    version: str
    service: str
    window: Window
    figures_from: SourceName | None
    pending: str
    now: Figures | None
    before: Figures | None
    changes: tuple[Change, ...]
    points: tuple[Point, ...]
    logs: LogAnalysis | None
    sources: tuple[Source, ...]

    @property
    def pending_now(self) -> Endpoint | None:
        """Figures of the endpoint that the checks are about; None when there were no requests to it."""
        return None if self.now is None else self.now.endpoint(self.pending)

    @property
    def pending_before(self) -> Endpoint | None:
        """The same of the window before."""
        return None if self.before is None else self.before.endpoint(self.pending)
