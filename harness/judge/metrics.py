"""The registry of what a gate can be about."""

from collections.abc import Callable, Mapping

from harness.judge import client, server
from harness.judge.context import Context
from harness.judge.findings import Outcome
from harness.model import Gate

Evaluator = Callable[[Gate, Context], Outcome]

EVALUATORS: Mapping[str, Evaluator] = {
    "connections_per_poll": client.connections_per_poll,
    "error_ratio": client.error_ratio,
    "handler_time": server.handler_time,
    "index": server.index,
    "missed_ratio": client.missed_ratio,
    "poll_rate": client.poll_rate,
    "pool_use": server.pool_use,
    "pool_wait": server.pool_wait,
    "query_time": server.query_time,
    "response_time": client.response_time,
    "service_time": client.service_time,
}
"""Metric → the function that judges it."""
