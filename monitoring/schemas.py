"""
What the endpoints answer, as typed models: the contract between a service and whoever reads its figures.

The models are pydantic because they stand at the edge: FastAPI documents them, clients validate with them.
Names carry their units. `None` is unknown and never 0.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Window(_Answer):
    """The stretch of time that figures are about."""

    since: datetime = Field(description="First instant covered, UTC.")
    until: datetime = Field(description="Last instant covered, UTC.")
    length_s: float = Field(description="until - since [s].")
    resolution_s: float = Field(description="Width of the finest rollup the answer was made from [s].")


class Distribution(_Answer):
    """Durations in a few numbers [ms]; quantiles within 1 % of the nearest-rank value."""

    count: int
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None
    histogram: dict[str, Any] | None = Field(
        default=None, description="Stored form of the histogram, on request (?histograms=true)."
    )


class ErrorBreakdown(_Answer):
    """Where errors came from."""

    by_status: dict[str, int] = Field(description="HTTP status (400 and above) -> count.")
    by_exception: dict[str, int] = Field(description="Class of an unhandled exception -> count.")


class EndpointMetrics(_Answer):
    """One route template and method."""

    route: str
    method: str
    total_requests: int
    requests_per_second: float = Field(description="total_requests / window length.")
    response_time: Distribution
    database_time: Distribution = Field(description="Per request: all database calls together.")
    query_time: Distribution = Field(description="Per statement, of the statements sent while serving this route.")
    pool_wait: Distribution = Field(description="Per checkout: time until a connection was handed out.")
    queries_per_request: float | None = None
    error_rate: float = Field(description="Answers of 500 and above or without an answer / total, 0..1.")
    client_error_rate: float = Field(description="Answers of 400..499 / total, 0..1.")
    errors: ErrorBreakdown


class HolderMetrics(_Answer):
    """Who has a connection at the moment."""

    since: datetime
    held_s: float
    site: str = Field(description="file:line of the code that took it.")
    request_id: str | None = None
    route: str | None = None
    leaked: bool = Field(description="Whether it is held for longer than the leak threshold.")


class PoolMetrics(_Answer):
    """One engine's connection pool."""

    engine: str
    pool_class: str
    size: int | None = Field(description="Connections kept; None for a pool without bounds.")
    max_overflow: int | None = Field(description="Connections beyond size; None for no bound.")
    capacity: int | None = Field(description="size + max_overflow; None for no bound.")
    checked_out: int
    overflow: int = Field(description="Connections open beyond size right now, never below 0.")
    peak_checked_out: int = Field(description="Most at once within the window.")
    usage_ratio: float | None = Field(description="checked_out / capacity, 0..1.")
    peak_usage_ratio: float | None
    timeouts: int = Field(description="Requests for a connection that timed out, within the window.")
    wait: Distribution
    hold: Distribution
    waiting: int = Field(default=0, description="Callers waiting for a connection right now, all workers.")
    created: int = Field(default=0, description="Connections opened within the window.")
    invalidated: int = Field(default=0, description="Connections thrown away as broken within the window.")
    leaks: int = Field(default=0, description="Connections found held for too long within the window.")
    workers: int = Field(default=1, description="Workers that have such a pool; sizes and use are of the fullest.")
    checked_out_all_workers: int = Field(default=0, description="checked_out, summed over the workers.")
    holders: list[HolderMetrics] = Field(default=[], description="Who has the connections, longest first.")


class StatementMetrics(_Answer):
    """One statement, told apart by its parameterised text."""

    statement: str
    count: int
    errors: int
    slow: int = Field(description="Executions beyond the slow-query threshold.")
    rows: int | None = Field(description="Rows returned or changed, where the driver says.")
    total_ms: float
    duration: Distribution


class TopStatements(_Answer):
    """The statements that matter most, in three orders, so many of each at most."""

    distinct: int
    count: int
    slow: int
    by_total_time: list[StatementMetrics]
    by_p95: list[StatementMetrics]
    by_count: list[StatementMetrics]


class AgentMetrics(_Answer):
    """One agent on the named endpoints."""

    agent: str
    requests: int
    errors: int = Field(description="Answers of 400 and above.")
    first_seen: datetime
    last_seen: datetime
    interval_s: float | None = Field(description="Mean time between two requests; None below two.")
    silent_for_s: float = Field(description="Time from the last request to the end of the window.")


class AgentsMetrics(_Answer):
    """All agents on the named endpoints."""

    seen: int
    requests: int
    median_interval_s: float | None = Field(description="Of the agents' own mean intervals.")
    silent: int = Field(description="Agents silent for more than three times their interval.")
    fastest: list[AgentMetrics] = Field(description="Shortest interval first.")
    most_silent: list[AgentMetrics] = Field(description="Of the silent ones, longest silence first.")
    most_errors: list[AgentMetrics] = Field(description="Of those with errors, most first.")


class TroubleSpot(_Answer):
    """A line of the service's code that should not do what it does."""

    kind: Literal["n+1", "blocking"] = Field(
        description="n+1: the same statement many times in one request; "
        "blocking: a synchronous database call on the event loop."
    )
    route: str = Field(description="Route template; empty outside of a request.")
    site: str = Field(description="file:line of the code.")
    statement: str
    occurrences: int
    most_at_once: int = Field(description="Statements in the worst request.")
    total_ms: float
    max_ms: float


class WorkerMetrics(_Answer):
    """A process that serves the run."""

    pid: int
    started: datetime
    seen: datetime = Field(description="When it last wrote to the store.")


class SelfMetrics(_Answer):
    """The monitoring layer about itself."""

    version: str
    started: datetime
    faults: int = Field(description="Exceptions inside the monitoring layer that were kept from the service.")
    dropped: int = Field(
        description="Log lines lost because a queue was full or standard error gone, and seconds of figures that "
        "could not be stored for an hour."
    )
    diverted: int = Field(
        default=0, description="Log lines that went to standard error because their file couldn't be written."
    )
    log_trouble: str | None = Field(
        default=None, description="What keeps a log file from being written or rotated now."
    )
    last_fault: str | None = Field(default=None, description="The latest of the faults.")
    store: str | None = Field(default=None, description="File that keeps the figures; None for memory only.")
    store_trouble: str | None = Field(default=None, description="Why figures are not kept on disk as wanted.")
    workers: list[WorkerMetrics] = Field(default=[], description="Workers that are alive.")


class Totals(_Answer):
    """All endpoints together."""

    total_requests: int
    requests_per_second: float
    response_time: Distribution
    error_rate: float
    client_error_rate: float
    errors: ErrorBreakdown


class MetricsAnswer(_Answer):
    """`GET /api/metrics`."""

    schema_version: int = SCHEMA_VERSION
    service: str
    window: Window
    totals: Totals
    endpoints: list[EndpointMetrics]
    database_pools: list[PoolMetrics]
    monitoring: SelfMetrics
    statements: TopStatements | None = None
    agents: AgentsMetrics | None = None
    trouble_spots: list[TroubleSpot] = []


class EndpointAnswer(_Answer):
    """`GET /api/metrics/pending-deployments`, and any other endpoint that settings name."""

    schema_version: int = SCHEMA_VERSION
    service: str
    window: Window
    endpoint: EndpointMetrics


class LivenessAnswer(_Answer):
    """`GET /api/health/live`: that the process answers, and nothing else."""

    status: Literal["pass"] = "pass"


class HealthCheck(_Answer):
    """One thing looked at."""

    status: Literal["pass", "warn", "fail"]
    observed: float | int | str | None = None
    unit: str | None = None
    output: str | None = Field(
        default=None, description="What is wrong, when something is; why nothing was asked."
    )


class HealthAnswer(_Answer):
    """`GET /api/health`, after the health+json draft."""

    status: Literal["pass", "warn", "fail"]
    version: str | None = None
    service: str
    uptime_s: float
    total_requests: int
    requests_per_second: float = Field(description="Over the last minute, or since start where that is shorter.")
    error_rate: float
    database_pools: list[PoolMetrics]
    checks: dict[str, HealthCheck]


class ProblemAnswer(_Answer):
    """Why there is no other answer."""

    detail: str
