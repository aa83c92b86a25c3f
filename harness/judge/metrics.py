"""The registry of what a gate can be about."""

from collections.abc import Callable, Mapping

from harness.judge import client, pickups, server
from harness.judge.context import Context
from harness.judge.findings import Outcome
from harness.model import Gate

Evaluator = Callable[[Gate, Context], Outcome]

EVALUATORS: Mapping[str, Evaluator] = {
    "achieved_rate": client.achieved_rate,
    "answers": client.answers,
    "connections_per_poll": client.connections_per_poll,
    "error_ratio": client.error_ratio,
    "errors": client.errors,
    "handler_time": server.handler_time,
    "index": server.index,
    "lock_step_index": client.lock_step_index,
    "missed": client.missed,
    "missed_ratio": client.missed_ratio,
    "offered_rate": client.offered_rate,
    "poll_rate": client.poll_rate,
    "pool_use": server.pool_use,
    "pool_wait": server.pool_wait,
    "query_time": server.query_time,
    "response_time": client.response_time,
    "service_time": client.service_time,
    "start_lag": client.start_lag,
    "time_to_pickup": pickups.time_to_pickup,
}
"""Metric → the function that judges it."""
