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


class SelfMetrics(_Answer):
    """The monitoring layer about itself."""

    version: str
    started: datetime
    faults: int = Field(description="Exceptions inside the monitoring layer that were kept from the service.")
    dropped: int = Field(description="Events dropped because a bounded queue was full.")


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


class EndpointAnswer(_Answer):
    """`GET /api/metrics/pending-deployments`, and any other endpoint that settings name."""

    schema_version: int = SCHEMA_VERSION
    service: str
    window: Window
    endpoint: EndpointMetrics


class HealthCheck(_Answer):
    """One thing looked at."""

    status: Literal["pass", "warn", "fail"]
    observed: float | int | str | None = None
    unit: str | None = None
    output: str | None = Field(default=None, description="What is wrong, when something is.")


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
