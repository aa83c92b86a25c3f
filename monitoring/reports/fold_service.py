"""From a running service's answer to a report's figures. Pure."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from monitoring.reports.records import Agent, Agents, Endpoint, Figures, Pool, Spot, Statement, Totals, Window

Record = TypeVar("Record")


def figures_of_answer(answer: Mapping[str, Any]) -> Figures:
    """
    Return what ``GET /api/metrics`` answered. Fields that this version doesn't know are left alone.

    Raises:
        msgspec.ValidationError: not in the form of the endpoint.
    """
    window = _convert(answer.get("window"), Window)
    totals = _convert(answer.get("totals"), Totals)
    endpoints = _convert(answer.get("endpoints"), tuple[Endpoint, ...])
    return Figures(
        window=window,
        totals=_without_empty_rates(totals),
        endpoints=tuple(_without_empty_rates(one) for one in endpoints),
        pools=_convert(answer.get("database_pools"), tuple[Pool, ...]),
        statements=_answered_statements(answer.get("statements")),
        agents=_answered_agents(answer.get("agents")),
        spots=_convert(answer.get("trouble_spots"), tuple[Spot, ...] | None),  # type: ignore[arg-type]
    )


def _answered_statements(answer: Any) -> tuple[Statement, ...] | None:
    """Return the service's statements by total time, each once; it answers with the first few in three orders."""
    if not isinstance(answer, Mapping):
        return None
    lists = [_convert(answer.get(name), tuple[Statement, ...]) for name in ("by_total_time", "by_p95", "by_count")]
    found = {one.statement: one for one in itertools.chain(*lists)}
    return tuple(sorted(found.values(), key=lambda one: (-one.total_ms, one.statement)))


def _answered_agents(answer: Any) -> Agents | None:
    if not isinstance(answer, Mapping):
        return None
    lists = [_convert(answer.get(name), tuple[Agent, ...]) for name in ("fastest", "most_silent", "most_errors")]
    found = {one.agent: one for one in itertools.chain(*lists)}
    return Agents(
        seen=_convert(answer.get("seen"), int),
        median_interval_s=_convert(answer.get("median_interval_s"), float | None),  # type: ignore[arg-type]
        listed=tuple(sorted(found.values(), key=lambda one: (-one.requests, one.agent))),
    )


Counted = TypeVar("Counted", bound=Totals)


def _without_empty_rates(totals: Counted) -> Counted:
    """Return the same with the error rates of no requests unknown; the endpoint answers 0 there."""
    if totals.total_requests:
        return totals
    return replace(totals, error_rate=None, client_error_rate=None)


def _convert(value: Any, kind: type[Record]) -> Record:
    return msgspec.convert(value, kind)
