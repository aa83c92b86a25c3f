"""Records with defaults, so that a test names only what it is about."""

from typing import Any

from monitoring.model import Observation, QueryObservation

NOON_S = 1_795_435_200.0
"""2026-11-23T12:00:00Z."""


def request(**changes: Any) -> Observation:
    """A poll that went well, over at noon and 4.213 ms."""
    fields: dict[str, Any] = {
        "time_s": NOON_S,
        "request_id": "5f0c2b",
        "method": "GET",
        "route": "/api/deployments/pending/{agent_id}",
        "path": "/api/deployments/pending/agent-0042",
        "status": 200,
        "duration_s": 0.004213,
        "database_time_s": 0.0012,
        "queries": 2,
        "pool_wait_s": 0.00001,
        "client": "127.0.0.1",
        "agent": "agent-0042",
        "exception": None,
        "bytes_out": 345,
    }
    return Observation(**fields | changes)


def query(**changes: Any) -> QueryObservation:
    """A quick SELECT within a request."""
    fields: dict[str, Any] = {
        "time_s": NOON_S,
        "engine": "main",
        "statement": "SELECT 1",
        "duration_s": 0.0005,
        "rows": 1,
        "many": False,
        "slow": False,
        "request_id": "5f0c2b",
        "route": "/api/health",
        "parameters": None,
        "error": None,
    }
    return QueryObservation(**fields | changes)
