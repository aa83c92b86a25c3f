"""What the endpoints take and answer, checked at the edge and documented in the OpenAPI document."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from harness.backend.models import ARTIFACT_LENGTH, MESSAGE_LENGTH, NAME_LENGTH
from harness.backend.states import DeploymentStatus

_LARGEST_ROW_ID = 2**63 - 1
_LARGEST_OFFSET = 2**31 - 1

# Controls, marks that change the direction of text or have no width, and line separators: two names that look the
# same, or a log line that reads otherwise than it is.
_UNSEEN = r"\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}"

# Ids stand in paths and log lines; a NUL, which PostgreSQL can't store, is kept out on the way.
_ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"
_PRINTABLE_PATTERN = rf"^[^{_UNSEEN}]*[^{_UNSEEN}\p{{Z}}][^{_UNSEEN}]*$"
"""Nothing unseen, and something besides spaces."""
_TEXT_PATTERN = r"^[^\x00]*$"

Id = Annotated[str, StringConstraints(pattern=_ID_PATTERN, min_length=1, max_length=NAME_LENGTH)]
Name = Annotated[str, StringConstraints(pattern=_PRINTABLE_PATTERN, max_length=NAME_LENGTH)]
Artifact = Annotated[str, StringConstraints(pattern=_PRINTABLE_PATTERN, max_length=ARTIFACT_LENGTH)]
Message = Annotated[str, StringConstraints(pattern=_TEXT_PATTERN, max_length=MESSAGE_LENGTH)]


def _in_utc(instant: datetime) -> datetime:
    """Return an instant in UTC; the first and last hours of the calendar have none in every zone."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the calendar in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
AgentIdPath = Annotated[Id, Path(description="Id of a registered agent.")]
DeploymentIdPath = Annotated[int, Path(ge=1, le=_LARGEST_ROW_ID, description="Number of a deployment.")]
LimitQuery = Annotated[int, Query(ge=1, le=1000, description="Most rows to answer.")]
OffsetQuery = Annotated[int, Query(ge=0, le=_LARGEST_OFFSET, description="Rows to leave out first.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class AgentRegistration(_Body):
    """Body of `POST /api/agents`."""

    name: Name = Field(description="Unique; a host name, for one.", examples=["edge-0001"])
    id: Id | None = Field(default=None, description="Chosen by the agent; made by the master when left out.")


class AgentAnswer(_Answer):
    """A registered agent."""

    id: str
    name: str
    registered_by: str
    registered_at: datetime
    last_seen_at: datetime | None = Field(description="Its latest poll, some seconds late; null before the first.")


class AgentsAnswer(_Answer):
    """One page of the agents, ordered by id."""

    agents: list[AgentAnswer]
    total: int = Field(description="Agents on all pages.")


class DeploymentOrder(_Body):
    """Body of `POST /api/deployments`."""

    agent_id: Id
    artifact: Artifact = Field(examples=["billing-api"])
    version: Name = Field(examples=["1.4.27"])
    created_by: Name = Field(description="Who asks for it.", examples=["ci"])


class DeploymentAnswer(_Answer):
    """A deployment."""

    id: int
    agent_id: str
    artifact: str
    version: str
    status: DeploymentStatus
    created_by: str
    created_at: datetime
    updated_at: datetime


class DeploymentsAnswer(_Answer):
    """One page of the deployments, the newest first."""

    deployments: list[DeploymentAnswer]
    more: bool = Field(description="Whether there is a next page.")


class CountAnswer(_Answer):
    """How many deployments are in a state."""

    status: DeploymentStatus
    count: int


class PendingAnswer(_Answer):
    """What an agent still has to do."""

    agent_id: str
    deployments: list[DeploymentAnswer] = Field(description="Pending ones, the oldest first.")


class ProgressReport(_Body):
    """Body of `POST /api/deployments/{deployment_id}/progress`."""

    status: DeploymentStatus = Field(
        description="pending → in_progress or cancelled; in_progress → succeeded or failed; nothing else is legal."
    )
    reported_by: Name = Field(description="Who says so: the agent's id, or an operator.", examples=["agent-0001"])
    message: Message | None = None


class EventAnswer(_Answer):
    """What was reported about a deployment, by whom and when."""

    status: DeploymentStatus
    reported_by: str
    reported_at: datetime
    message: str | None


class DeploymentHistoryAnswer(_Answer):
    """A deployment with everything that was reported about it, the oldest first."""

    deployment: DeploymentAnswer
    events: list[EventAnswer]
