"""
Where a poll's time went: the quantiles of each part, and each quantile of the whole split into parts. Pure.

Quantiles of parts do not add up to the quantile of the whole. The split does: it is made of the polls whose
response times lie next to the quantile, so that it says what a poll at p95 spent its time with.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.columns import Bools, Columns, Floats
from harness.model import Quantiles, ServerFigures
from monitoring.histogram import Histogram, nearest_rank

_NEIGHBOURS_RATIO = 0.01
"""Polls on either side of a quantile that its split is made of, as a share of all, and no more than half of the
way to the end: those at p99 of 300 are one on either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """
    One part of the time of a poll.

    Args:
        name: what it is.
        p50: [s]; None when unknown.
        p95: likewise.
        p99: likewise.
    """

    name: str
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """
    What a quantile of the response time is made of.

    Args:
        name: ``p95``.
        value_s: the quantile [s], finite.
        polls: how many polls next to it the split is made of.
        parts: name → its part [s]; they add up to `value_s`.
    """

    name: str
    value_s: float
    polls: int
    parts: tuple[tuple[str, float], ...]


START_LAG, CONNECT, HANDLER, DATABASE, POOL_WAIT = "start lag", "connect", "handler", "database", "pool wait"
REST, SERVICE = "unexplained rest", "target and network"


def splits_of(seen: Columns, times: Quantiles) -> tuple[Split, ...]:
    """
    Split p50, p95 and p99 of the response time into what the polls next to them spent it with.

    The means of the neighbours' parts are scaled to the quantile itself, from which they differ by as much as the
    neighbours do. What the target did not tell of a poll is in its rest.

    Args:
        seen: the measured polls.
        times: their quantiles, failed polls infinite; one that has no end is left out.
    """
    polls = seen.with_missed()
    response = polls.response_time_s
    order = np.argsort(response, kind="stable")
    n = int(np.isfinite(response).sum())
    columns = _split_columns(polls)
    splits = []
    for name, q, value_s in (("p50", 0.5, times.p50), ("p95", 0.95, times.p95), ("p99", 0.99, times.p99)):
        if value_s is None or not math.isfinite(value_s) or n == 0:
            continue
        middle = min(nearest_rank(q, len(response)), n) - 1
        around = min(round(_NEIGHBOURS_RATIO * len(response)), int(min(q, 1 - q) * len(response) / 2))
        near = order[max(0, middle - around) : min(n, middle + around + 1)]
        means = [(part, float(values[near].mean())) for part, values in columns]
        whole = sum(mean for _, mean in means)
        scale = value_s / whole if whole > 0 else 0.0
        parts = tuple((part, mean * scale) for part, mean in means)
        splits.append(Split(name=name, value_s=value_s, polls=len(near), parts=parts))
    return tuple(splits)


def _split_columns(polls: Columns) -> list[tuple[str, Floats]]:
    """Return the parts of each poll [s], in the order it meets them: they add up to its response time."""
    connect = np.zeros(len(polls)) if polls.connect_s is None else np.nan_to_num(polls.connect_s)
    service = polls.end_s - polls.start_s
    connect = np.clip(connect, 0.0, service)
    parts = [(START_LAG, np.maximum(polls.start_lag_s, 0.0)), (CONNECT, connect)]
    if not np.isfinite(polls.handler_s).any():
        return [*parts, (SERVICE, service - connect)]
    handler = np.minimum(np.nan_to_num(polls.handler_s), service - connect)
    database = np.minimum(np.nan_to_num(polls.database_s), handler)
    pool_wait = np.minimum(np.nan_to_num(polls.pool_wait_s), handler - database)
    return [
        *parts,
        (HANDLER, handler - database - pool_wait),
        (DATABASE, database),
        (POOL_WAIT, pool_wait),
        (REST, service - connect - handler),
    ]


def time_parts(seen: Columns, server: ServerFigures | None, service: Quantiles) -> tuple[tuple[Part, ...], str]:
    """
    Return the quantiles of each part of the measured polls' time.

    With the target's own timing of every poll the parts are exact per poll; with the figures of its monitoring
    layer alone they are distributions side by side; with neither only the client's side is known.

    Args:
        seen: the measured polls.
        server: the target's figures for the same window; None when it gave none.
        service: service times of the answered polls.

    Returns:
        The parts in the order a poll meets them, empty when no poll was measured, and where the server's side
        came from, as a clause.
    """
    if len(seen) == 0:
        return (), "No poll was measured."
    first = [_part(START_LAG, seen.start_lag_s), *_connect_part(seen)]
    told = seen.ok & np.isfinite(seen.handler_s)
    if told.any():
        return (*first, *_timed_parts(seen, told)), _timed_source(int(told.sum()), len(seen))
    whole = Part(name="service time, whole", p50=service.p50, p95=service.p95, p99=service.p99)
    if server is None or server.handler is None or server.handler.n == 0:
        return (*first, whole), "the target told nothing of its own side"
    stored = (
        ("handler, whole", server.handler),
        ("database, per statement", server.query),
        ("pool wait, per connection", server.pool_wait),
    )
    parts = [_stored_part(name, histogram) for name, histogram in stored if histogram is not None]
    source = "the server's side is from the figures of its monitoring layer, not poll by poll"
    return (*first, whole, *parts), source


def connect_times(seen: Columns) -> Floats:
    """Return what opening a connection took, of the polls that opened one and were timed [s]."""
    return np.empty(0) if seen.connect_s is None else seen.connect_s[np.isfinite(seen.connect_s)]


def _connect_part(seen: Columns) -> list[Part]:
    times_s = connect_times(seen)
    return [_part("connect, where opened", times_s)] if len(times_s) else []


def _timed_parts(seen: Columns, told: Bools) -> list[Part]:
    handler, service = seen.handler_s[told], seen.service_time_s[told]
    connect = np.zeros(len(handler)) if seen.connect_s is None else np.nan_to_num(seen.connect_s[told])
    database, pool_wait = seen.database_s[told], seen.pool_wait_s[told]
    inner = np.nan_to_num(database) + np.nan_to_num(pool_wait)
    knows_inside = bool(np.isfinite(database).any() or np.isfinite(pool_wait).any())
    parts = [
        _part("handler without database" if knows_inside else "handler, whole", np.maximum(handler - inner, 0.0))
    ]
    for name, values in ((DATABASE, database), (POOL_WAIT, pool_wait)):
        known = values[np.isfinite(values)]
        if len(known):
            parts.append(_part(name, known))
    return [*parts, _part(REST, np.maximum(service - connect - handler, 0.0))]


def _timed_source(told: int, n: int) -> str:
    if told == n:
        return "the server's side is from its own timing of every poll"
    return f"the server's side is from its own timing of {told:,} of {n:,} polls"


def _part(name: str, values: Floats) -> Part:
    p50, p95, p99 = quantiles3(values)
    return Part(name=name, p50=p50, p95=p95, p99=p99)


def quantiles3(values: Floats) -> tuple[float, float, float]:
    """Return p50, p95 and p99 of at least one value, by nearest rank."""
    ordered = np.sort(values)
    p50, p95, p99 = (float(ordered[nearest_rank(q, len(ordered)) - 1]) for q in (0.5, 0.95, 0.99))
    return p50, p95, p99


def _stored_part(name: str, histogram: Histogram) -> Part:
    return Part(name=name, p50=histogram.quantile(0.5), p95=histogram.quantile(0.95), p99=histogram.quantile(0.99))


def route_parts(routes: Sequence[tuple[str, Quantiles]]) -> tuple[Part, ...]:
    """Return the response time of each route, as parts to be drawn side by side; those without a poll left out."""
    return tuple(Part(name=name, p50=q.p50, p95=q.p95, p99=q.p99) for name, q in routes if q.n)
