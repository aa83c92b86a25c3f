"""A finished search as a record of the history, so that the capacity has a trend of its own."""

import json
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import harness
from harness.capacity_model import Capacity
from harness.environment import describe_branch, describe_commit, describe_commit_time
from harness.history.records import new_id
from harness.history.store import open_history
from harness.history_model import HISTORY_SCHEMA_VERSION, HistoryRecord, Metric
from harness.model import PENDING_ROUTE, Direction, Interval
from harness.recording import changed_settings, environment_of, injected_text, target_text

METRIC = "capacity"


def record_capacity(capacity: Capacity, where: str | Path) -> HistoryRecord | None:
    """
    Keep what a search found in a history.

    Args:
        capacity: the answer.
        where: as `open_history` takes it.

    Returns:
        The record; None where no fleet held, which is no figure.

    Raises:
        HarnessError: the history can't be written.
    """
    record = record_of_capacity(capacity)
    if record is not None:
        open_history(where).add(record)
    return record


def record_of_capacity(capacity: Capacity) -> HistoryRecord | None:
    """Make the record of a search; None where no fleet held."""
    if capacity.agents is None:
        return None
    commit, dirty = describe_commit(Path())
    return HistoryRecord(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=new_id(datetime.fromisoformat(capacity.at_utc), capacity.id.encode()),
        at_utc=capacity.at_utc,
        source="harness",
        commit=commit,
        commit_utc=None if commit is None else describe_commit_time(Path(), commit),
        dirty=dirty,
        branch=describe_branch(Path()),
        version=capacity.target.version,
        environment_key=capacity.environment.key,
        environment=environment_of(capacity.environment),
        scenario=METRIC,
        scenario_digest=_digest(capacity),
        target=target_text(capacity.target),
        status=capacity.status,
        metrics=(
            Metric(
                subject=PENDING_ROUTE,
                metric=METRIC,
                quantile=None,
                value=float(capacity.agents),
                unit="count",
                direction=Direction.ABOVE,
                interval=Interval(
                    low=float(capacity.agents),
                    high=None if capacity.fails_at is None else float(capacity.fails_at),
                ),
                limit=None if capacity.wanted is None else float(capacity.wanted),
            ),
        ),
        notes=capacity.warnings,
        injected=injected_text(capacity.target),
        extra={"harness": harness.__version__, "search": capacity.id},
    )


def _digest(capacity: Capacity) -> str:
    """Return what is equal for searches of the same kind: interval, gates, the target and its settings."""
    target = capacity.target
    described = [capacity.interval_s, sorted(capacity.gates), target.kind, target.database, target.deployments]
    described += changed_settings(target, keep_alive=capacity.keep_alive)
    return sha256(json.dumps(described).encode()).hexdigest()[:12]
