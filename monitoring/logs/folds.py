"""
The folds over log rows: add lists of rows in any order, then ask for figures.

Memory is bounded whatever the files hold: `MAX_KEYS` routes, statements, agents and kinds of errors are told
apart, and what comes after stands under `OTHERS`. Durations wait in plain lists and go into histograms by the
thousands, so that the loop over rows stays short.
"""

import re
from collections import Counter
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Final, Literal, TypeVar

from monitoring.histogram import Histogram
from monitoring.logs.figures import AgentFigures, ErrorFigures, PollingFigures, RouteFigures, StatementFigures
from monitoring.logs.reader import LogRow, QueryRow

MAX_KEYS: Final = 5_000
OTHERS: Final = "<others>"
UNKNOWN: Final = "<unknown>"

Source = Literal["request", "message", "query"]
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_ERROR_LEVELS: Final = frozenset({"ERROR", "CRITICAL"})
_BUFFERED_ROWS: Final = 50_000
_TEXT_CHARACTERS: Final = 200
_VARIABLE = re.compile(
    r"\b0x[0-9a-f]+\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{32}\b|\d+", re.IGNORECASE
)


class Bounded(dict[Key, Value]):
    """
    A dictionary that makes what is missing, up to `MAX_KEYS` entries; from then on some keys share one.

    Args:
        make: makes a value.
        others: answers the shared key for a key that finds no room.
    """

    def __init__(self, make: Callable[[], Value], *, others: Callable[[Key], Key]) -> None:
        super().__init__()
        self._make = make
        self._others = others

    def __missing__(self, key: Key) -> Value:
        if len(self) >= MAX_KEYS:
            key = self._others(key)
            if key in self:
                return self[key]
        value = self[key] = self._make()
        return value


class ErrorFold:
    """Kinds of errors, from requests, logged messages and statements."""

    def __init__(self) -> None:
        self._kinds: Bounded[tuple[Source, str, str], _Kind] = Bounded(
            _Kind, others=lambda key: (key[0], OTHERS, OTHERS)
        )

    def add(self, source: Source, text: str, where: str, *, time: datetime, example: str | None = None) -> None:
        """Count one error; the arguments are those of `ErrorFigures`."""
        kind = self._kinds[source, text, where]
        kind.count += 1
        kind.first = time if kind.first is None else min(kind.first, time)
        kind.last = time if kind.last is None else max(kind.last, time)
        kind.example = kind.example or example

    def top(self, n: int) -> tuple[ErrorFigures, ...]:
        """Return the `n` most frequent kinds, the more recent first among equals."""
        figures = [
            ErrorFigures(
                source=source,
                text=text,
                where=where,
                count=kind.count,
                first=kind.first,
                last=kind.last,
                example=kind.example,
            )
            for (source, text, where), kind in self._kinds.items()
            if kind.first is not None and kind.last is not None
        ]
        return tuple(sorted(figures, key=lambda kind: (-kind.count, -kind.last.timestamp(), kind.text))[:n])


class RequestFold:
    """
    Rows of the request log: requests, and what the application logged beside them.

    Args:
        errors: takes the errors among them.
    """

    def __init__(self, errors: ErrorFold) -> None:
        self.requests = 0
        self.messages = 0
        self._errors = errors
        self._statuses: Counter[int] = Counter()
        self._levels: Counter[str] = Counter()
        self._routes: Bounded[tuple[str | None, str | None], _Tally] = Bounded(
            _Tally, others=lambda _: (OTHERS, OTHERS)
        )
        self._agents: Bounded[str, _AgentTally] = Bounded(_AgentTally, others=lambda _: OTHERS)
        self._waiting = 0

    def add(self, rows: list[LogRow]) -> None:
        """Add rows."""
        routes, agents, statuses = self._routes, self._agents, self._statuses
        requests = 0
        for row in rows:
            status = row.status
            if status is None:
                self._add_message(row)
                continue
            requests += 1
            statuses[status] += 1
            tally = routes[row.route, row.method]
            if row.duration_ms is not None:
                tally.waiting_ms.append(row.duration_ms)
            if row.agent is not None:
                agents[row.agent].add(row, status)
            tally.count += 1
            if status >= 400:
                self._add_error(row, status, tally)
        self.requests += requests
        self._waiting += requests
        if self._waiting >= _BUFFERED_ROWS:
            self._settle()

    @property
    def by_status(self) -> dict[int, int]:
        """Status to count, ascending."""
        return dict(sorted(self._statuses.items()))

    @property
    def by_level(self) -> dict[str, int]:
        """Level of logged messages to count, most first."""
        return dict(self._levels.most_common())

    @property
    def by_route(self) -> dict[str, int]:
        """``METHOD route`` to count, most first."""
        counts = Counter({_place(*key): tally.count for key, tally in self._routes.items()})
        return dict(counts.most_common())

    def slowest_routes(self, n: int) -> tuple[RouteFigures, ...]:
        """Return the `n` routes of the largest p95."""
        self._settle()
        figures = [
            RouteFigures(
                route=route or UNKNOWN,
                method=method or UNKNOWN,
                count=tally.count,
                server_errors=tally.server_errors,
                client_errors=tally.client_errors,
                mean_s=tally.histogram.mean_s,
                p50_s=tally.histogram.quantile(0.5),
                p95_s=tally.histogram.quantile(0.95),
                p99_s=tally.histogram.quantile(0.99),
                max_s=tally.histogram.max_s,
            )
            for (route, method), tally in self._routes.items()
        ]
        return tuple(sorted(figures, key=lambda one: (-(one.p95_s or 0.0), one.route, one.method))[:n])

    def errors_by_agent(self, n: int) -> tuple[AgentFigures, ...]:
        """Return the `n` agents with the most answers of 400 and above."""
        figures = []
        for agent, tally in self._agents.items():
            statuses = tally.statuses
            errors = {status: count for status, count in sorted(statuses.items()) if status >= 400}
            if errors:
                server_errors = sum(count for status, count in errors.items() if status >= 500)
                figures.append(
                    AgentFigures(
                        agent=agent,
                        count=statuses.total(),
                        server_errors=server_errors,
                        client_errors=sum(errors.values()) - server_errors,
                        by_status=errors,
                    )
                )
        figures.sort(key=lambda one: (-one.server_errors - one.client_errors, one.agent))
        return tuple(figures[:n])

    def agents(self, n: int) -> tuple[PollingFigures, ...]:
        """Return the `n` agents with most requests; those beyond the bound stand for nobody and are left out."""
        figures = [
            PollingFigures(
                agent=agent,
                count=tally.statuses.total(),
                errors=sum(count for status, count in tally.statuses.items() if status >= 400),
                first=_arrival(tally.first),
                last=_arrival(tally.last),
            )
            for agent, tally in self._agents.items()
            if agent != OTHERS and tally.first is not None and tally.last is not None
        ]
        return tuple(sorted(figures, key=lambda one: (-one.count, one.agent))[:n])

    def _add_error(self, row: LogRow, status: int, tally: "_Tally") -> None:
        if status < 500:
            tally.client_errors += 1
            return
        tally.server_errors += 1
        text = row.exception or f"status {status}"
        self._errors.add("request", text, _place(row.route, row.method), time=row.time)

    def _add_message(self, row: LogRow) -> None:
        self.messages += 1
        self._levels[row.level] += 1
        if row.level in _ERROR_LEVELS:
            message = row.message or ""
            text = _VARIABLE.sub("#", message.strip().partition("\n")[0][:_TEXT_CHARACTERS])
            if row.exception is not None:
                text = f"{text} ({row.exception})"
            self._errors.add("message", text, row.logger, time=row.time, example=message)

    def _settle(self) -> None:
        self._waiting = 0
        for tally in self._routes.values():
            tally.settle()


class QueryFold:
    """
    Rows of the query log.

    Args:
        errors: takes the errors among them.
    """

    def __init__(self, errors: ErrorFold) -> None:
        self.queries = 0
        self.slow = 0
        self.failed = 0
        self._errors = errors
        self._statements: Bounded[str, _StatementTally] = Bounded(_StatementTally, others=lambda _: OTHERS)
        self._waiting = 0

    def add(self, rows: list[QueryRow]) -> None:
        """Add rows."""
        statements = self._statements
        for row in rows:
            tally = statements[row.statement]
            tally.count += 1
            tally.waiting_ms.append(row.duration_ms)
            tally.routes[row.route] += 1
            if row.slow:
                tally.slow += 1
                self.slow += 1
            if row.exception is not None:
                tally.errors += 1
                self.failed += 1
                where = row.route or UNKNOWN
                self._errors.add("query", row.exception, where, time=row.time, example=row.statement)
        self.queries += len(rows)
        self._waiting += len(rows)
        if self._waiting >= _BUFFERED_ROWS:
            self._settle()

    def slowest_statements(self, n: int) -> tuple[StatementFigures, ...]:
        """Return the `n` statements of the largest p95."""
        self._settle()
        figures = [
            StatementFigures(
                statement=statement,
                count=tally.count,
                errors=tally.errors,
                slow=tally.slow,
                total_s=tally.histogram.sum_s,
                p50_s=tally.histogram.quantile(0.5),
                p95_s=tally.histogram.quantile(0.95),
                max_s=tally.histogram.max_s,
                routes=tuple(route for route, _ in tally.routes.most_common() if route is not None)[:3],
            )
            for statement, tally in self._statements.items()
        ]
        return tuple(sorted(figures, key=lambda one: (-(one.p95_s or 0.0), one.statement))[:n])

    def _settle(self) -> None:
        self._waiting = 0
        for tally in self._statements.values():
            tally.settle()


class _Kind:
    __slots__ = ("count", "example", "first", "last")

    def __init__(self) -> None:
        self.count = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.example: str | None = None


class _Tally:
    __slots__ = ("client_errors", "count", "histogram", "server_errors", "waiting_ms")

    def __init__(self) -> None:
        self.count = 0
        self.server_errors = 0
        self.client_errors = 0
        self.waiting_ms: list[float] = []
        self.histogram = Histogram()

    def settle(self) -> None:
        record = self.histogram.record
        for duration_ms in self.waiting_ms:
            record(duration_ms / 1000)
        self.waiting_ms.clear()


class _AgentTally:
    __slots__ = ("first", "last", "statuses")

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        # The rows that ended first and last.
        self.first: LogRow | None = None
        self.last: LogRow | None = None

    def add(self, row: LogRow, status: int) -> None:
        self.statuses[status] += 1
        if self.last is None or row.time >= self.last.time:
            self.last = row
        if self.first is None or row.time < self.first.time:
            self.first = row


class _StatementTally(_Tally):
    __slots__ = ("errors", "routes", "slow")

    def __init__(self) -> None:
        super().__init__()
        self.errors = 0
        self.slow = 0
        # As many keys as there are routes, which the service itself keeps few.
        self.routes: Counter[str | None] = Counter()


def _arrival(row: LogRow) -> datetime:
    return row.time - timedelta(milliseconds=row.duration_ms or 0.0)


def _place(route: str | None, method: str | None) -> str:
    return f"{method or UNKNOWN} {route or UNKNOWN}"
