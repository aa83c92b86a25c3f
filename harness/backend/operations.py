"""What the master does with its database: one function an operation, each on a connection inside a transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Select, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from harness.backend.models import Agent, Deployment, DeploymentEvent
from harness.backend.queries import AGENT_PARAMETER, AGENT_STATEMENT, DEPLOYMENT_COLUMNS, PENDING_STATEMENT
from harness.backend.states import DeploymentStatus, predecessors

Row = Mapping[Any, Any]

REGISTERED_BY_ITSELF = "agent"


class NotFoundError(Exception):
    """There is no such agent or deployment."""


class ConflictError(Exception):
    """The change is not legal in the state that the database is in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """
    One page of rows.

    Args:
        rows: column name → value.
        total: rows on all pages; None when that was not counted.
        more: whether there is a next page.
    """

    rows: Sequence[Row]
    total: int | None
    more: bool


def register_agent(connection: Connection, *, agent_id: str, name: str, now: datetime) -> Row:
    """
    Enter an agent.

    Raises:
        ConflictError: its id or its name is taken.
    """
    row = {
        "id": agent_id,
        "name": name,
        "registered_by": REGISTERED_BY_ITSELF,
        "registered_at": now,
        "last_seen_at": None,
    }
    try:
        connection.execute(insert(Agent).values(**row))
    except IntegrityError as fault:
        raise ConflictError(
            f"an agent with the id '{agent_id}' or the name '{name}' is registered already"
        ) from fault
    return row


def list_agents(connection: Connection, *, name: str | None, limit: int, offset: int) -> Page:
    """Return a page of the agents, ordered by id; the one of a name where given."""
    count = select(func.count()).select_from(Agent)
    statement = select(*Agent.__table__.columns).order_by(Agent.id)
    if name is not None:
        count = count.where(Agent.name == name)
        statement = statement.where(Agent.name == name)
    total = connection.execute(count).scalar_one()
    rows = _rows(connection, statement.limit(limit).offset(offset))
    return Page(rows=rows, total=total, more=offset + len(rows) < total)


def create_deployment(
    connection: Connection, *, agent_id: str, artifact: str, version: str, created_by: str, now: datetime
) -> Row:
    """
    Order a deployment; it starts ``pending``.

    Raises:
        NotFoundError: the agent is unknown.
    """
    _require_agent(connection, agent_id)
    row = {
        "agent_id": agent_id,
        "artifact": artifact,
        "version": version,
        "status": DeploymentStatus.PENDING,
        "created_by": created_by,
        "created_at": now,
        "updated_at": now,
    }
    result = connection.execute(insert(Deployment).values(**row))
    key = result.inserted_primary_key
    return {"id": key[0] if key is not None else None, **row}


def count_deployments(connection: Connection, status: DeploymentStatus) -> int:
    """Return how many deployments are in a state."""
    statement = select(func.count()).select_from(Deployment).where(Deployment.status == status)
    return connection.execute(statement).scalar_one()


def list_deployments(
    connection: Connection,
    *,
    agent_id: str | None,
    status: DeploymentStatus | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    offset: int,
) -> Page:
    """Return a page of the deployments, the newest first, of one agent, state or time of creation where given."""
    statement = select(*DEPLOYMENT_COLUMNS).order_by(Deployment.created_at.desc(), Deployment.id.desc())
    if agent_id is not None:
        statement = statement.where(Deployment.agent_id == agent_id)
    if status is not None:
        statement = statement.where(Deployment.status == status)
    if since is not None:
        statement = statement.where(Deployment.created_at >= since)
    if until is not None:
        statement = statement.where(Deployment.created_at < until)
    # One row too many tells whether there is more; counting a million rows would take longer than the page.
    rows = _rows(connection, statement.limit(limit + 1).offset(offset))
    return Page(rows=rows[:limit], total=None, more=len(rows) > limit)


def pending_deployments(connection: Connection, agent_id: str) -> Sequence[Row]:
    """
    Return what an agent still has to do, the oldest first.

    Raises:
        NotFoundError: the agent is unknown.
    """
    rows = _rows(connection, PENDING_STATEMENT, {AGENT_PARAMETER: agent_id})
    if not rows:
        # Only an agent with nothing to do may be an unknown one: the others cost one statement.
        _require_agent(connection, agent_id)
    return rows


def deployment_history(connection: Connection, deployment_id: int) -> tuple[Row, Sequence[Row]]:
    """
    Return a deployment and what was reported about it, the oldest first.

    Raises:
        NotFoundError: there is no such deployment.
    """
    deployment = _deployment(connection, deployment_id)
    events = select(
        DeploymentEvent.status, DeploymentEvent.reported_by, DeploymentEvent.reported_at, DeploymentEvent.message
    )
    events = events.where(DeploymentEvent.deployment_id == deployment_id).order_by(DeploymentEvent.id)
    return deployment, _rows(connection, events)


def report_progress(
    connection: Connection,
    deployment_id: int,
    *,
    status: DeploymentStatus,
    reported_by: str,
    message: str | None,
    now: datetime,
) -> Row:
    """
    Change a deployment's state and keep who said so.

    Of several reports of one change that come at once, exactly one wins: the state is compared and changed in one
    statement, and the others find it changed.

    Raises:
        NotFoundError: there is no such deployment.
        ConflictError: the change is not legal from its present state.
    """
    change = (
        update(Deployment)
        .where(Deployment.id == deployment_id, Deployment.status.in_(sorted(predecessors(status))))
        .values(status=status, updated_at=now)
    )
    # The change comes first and the look at what was wrong after it: in SQLite, a transaction that reads before
    # it writes fails at once when somebody else wrote in between.
    changed = cast("CursorResult[Any]", connection.execute(change)).rowcount
    deployment = _deployment(connection, deployment_id)
    if not changed:
        present = deployment["status"]
        raise ConflictError(f"deployment {deployment_id} can't change from {present} to {status}")
    connection.execute(
        insert(DeploymentEvent).values(
            deployment_id=deployment_id, status=status, reported_by=reported_by, reported_at=now, message=message
        )
    )
    return deployment


def record_sightings(connection: Connection, sightings: Mapping[str, datetime]) -> None:
    """
    Note when agents were last seen; an older instant never replaces a newer one.

    Args:
        connection: inside a transaction.
        sightings: agent id → instant of its latest poll; not empty.
    """
    statement = (
        update(Agent)
        .where(
            Agent.id == bindparam("seen_id"),
            or_(
                Agent.last_seen_at.is_(None),
                Agent.last_seen_at < bindparam("seen_at", type_=Agent.last_seen_at.type),
            ),
        )
        .values(last_seen_at=bindparam("seen_at", type_=Agent.last_seen_at.type))
    )
    # In one order everywhere, so that two workers that write the same agents don't lock each other out.
    rows = [{"seen_id": agent_id, "seen_at": sightings[agent_id]} for agent_id in sorted(sightings)]
    connection.execute(statement, rows)


def _require_agent(connection: Connection, agent_id: str) -> None:
    if connection.execute(AGENT_STATEMENT, {AGENT_PARAMETER: agent_id}).first() is None:
        raise NotFoundError(f"there is no agent with the id '{agent_id}'")


def _deployment(connection: Connection, deployment_id: int) -> Row:
    found = _rows(connection, select(*DEPLOYMENT_COLUMNS).where(Deployment.id == deployment_id))
    if not found:
        raise NotFoundError(f"there is no deployment {deployment_id}")
    return found[0]


def _rows(
    connection: Connection, statement: Select[*tuple[Any, ...]], parameters: Row | None = None
) -> Sequence[Row]:
    return connection.execute(statement, parameters).mappings().all()
