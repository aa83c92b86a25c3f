"""The statements of the polled route, in one place: the service sends them and the index audit explains them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute

from harness.backend.models import AGENT_STATUS_CREATED_INDEX, Agent, Deployment
from harness.backend.states import DeploymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledStatement:
    """
    A statement that every poll may send, and the index that has to serve it.

    Args:
        name: for people.
        statement: with a bound agent id.
        table: the table it reads.
        index: name of the index; None for the primary key, whose index every database names in its own way.
    """

    name: str
    statement: Select[Any]
    table: str
    index: str | None


def deployment_columns() -> tuple[InstrumentedAttribute[Any], ...]:
    """Return the columns of a deployment as the endpoints answer them."""
    return (
        Deployment.id,
        Deployment.agent_id,
        Deployment.artifact,
        Deployment.version,
        Deployment.status,
        Deployment.created_by,
        Deployment.created_at,
        Deployment.updated_at,
    )


def pending_statement(agent_id: str) -> Select[Any]:
    """
    Return the query of ``GET /api/deployments/pending/{agent_id}``: what the agent still has to do, oldest first.

    Args:
        agent_id: id of the agent; unknown ones have no rows.
    """
    return (
        select(*deployment_columns())
        .where(Deployment.agent_id == agent_id, Deployment.status == DeploymentStatus.PENDING)
        .order_by(Deployment.created_at)
    )


def agent_statement(agent_id: str) -> Select[str]:
    """
    Return the query that tells an agent with nothing to do from an unknown one.

    Args:
        agent_id: id to look for.
    """
    return select(Agent.id).where(Agent.id == agent_id)


def polled_statements(agent_id: str = "agent-0001") -> tuple[PolledStatement, ...]:
    """
    Return every statement of the polled route, the hot one first.

    Args:
        agent_id: bound value; plans don't depend on whether it exists.
    """
    return (
        PolledStatement(
            name="pending deployments of an agent",
            statement=pending_statement(agent_id),
            table=Deployment.__tablename__,
            index=AGENT_STATUS_CREATED_INDEX,
        ),
        PolledStatement(
            name="agent by id",
            statement=agent_statement(agent_id),
            table=Agent.__tablename__,
            index=None,
        ),
    )
