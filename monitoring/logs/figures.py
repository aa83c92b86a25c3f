"""What a pass over the log files yields: small frozen records, durations in seconds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFigures:
    """
    One route template and method.

    Args:
        route: route template.
        method: HTTP method.
        count: requests.
        server_errors: answers of 500 and above.
        client_errors: answers of 400 to 499.
        mean_s: mean duration; None when no line had one [s].
        p50_s: nearest-rank median, within 0.78 % [s].
        p95_s: nearest-rank quantile, within 0.78 % [s].
        p99_s: nearest-rank quantile, within 0.78 % [s].
        max_s: longest [s].
    """

    route: str
    method: str
    count: int
    server_errors: int
    client_errors: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFigures:
    """
    One statement, told apart by its parameterised text.

    Args:
        statement: the text.
        count: executions.
        errors: executions that raised.
        slow: executions above the slow-query threshold.
        total_s: all executions together [s].
        p50_s: nearest-rank median, within 0.78 % [s].
        p95_s: nearest-rank quantile, within 0.78 % [s].
        max_s: longest [s].
        routes: those that sent it, most often first, at most three.
    """

    statement: str
    count: int
    errors: int
    slow: int
    total_s: float
    p50_s: float | None
    p95_s: float | None
    max_s: float | None
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFigures:
    """
    One kind of error.

    Args:
        source: ``request`` for one that ended with status 500 or above, ``message`` for a record that the
            application logged as an error, ``query`` for a statement that raised.
        text: the exception's class or the status; of a message its first line with numbers written as ``#``.
        where: method and route, or name of the logger.
        count: how often.
        first: when first seen.
        last: when last seen.
        example: the message or statement it was seen with first; None for a request.
    """

    source: Literal["request", "message", "query"]
    text: str
    where: str
    count: int
    first: datetime
    last: datetime
    example: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingFigures:
    """
    When one agent sent its requests.

    Args:
        agent: its id.
        count: its requests.
        errors: of these, answered with 400 and above.
        first: when the first one arrived, UTC.
        last: when the last one arrived, UTC.
    """

    agent: str
    count: int
    errors: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFigures:
    """
    One agent that met errors.

    Args:
        agent: its id, as the path had it.
        count: its requests.
        server_errors: of these, answered with 500 and above.
        client_errors: of these, answered with 400 to 499.
        by_status: statuses of 400 and above to count, ascending.
    """

    agent: str
    count: int
    server_errors: int
    client_errors: int
    by_status: dict[int, int]
