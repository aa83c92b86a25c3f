"""The endpoints. Each checks its input, does one operation in a worker thread and answers a typed body."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Response, status
from sqlalchemy import Connection

from harness.backend import operations
from harness.backend.bodies import (
    AgentAnswer,
    AgentIdPath,
    AgentRegistration,
    AgentsAnswer,
    CountAnswer,
    DeploymentAnswer,
    DeploymentHistoryAnswer,
    DeploymentIdPath,
    DeploymentOrder,
    DeploymentsAnswer,
    EventAnswer,
    Id,
    Instant,
    LimitQuery,
    Name,
    OffsetQuery,
    PendingAnswer,
    Problem,
    ProgressReport,
)
from harness.backend.database import Database
from harness.backend.faults import Faults
from harness.backend.sightings import Sightings
from harness.backend.states import DeploymentStatus
from harness.clock import Clock

Responses = dict[int | str, dict[str, Any]]

_UNKNOWN_AGENT: Responses = {404: {"model": Problem, "description": "No such agent."}}
_UNKNOWN_DEPLOYMENT: Responses = {404: {"model": Problem, "description": "No such deployment."}}
_TAKEN: Responses = {409: {"model": Problem, "description": "The id or the name is taken."}}
_ILLEGAL: Responses = {409: {"model": Problem, "description": "The change is not legal from the present state."}}
_TOO_LARGE: Responses = {413: {"model": Problem, "description": "The body is larger than 1 MB."}}
_UNAVAILABLE: Responses = {503: {"model": Problem, "description": "The database does not answer."}}


def agents_router(database: Database, clock: Clock) -> APIRouter:
    """Return the endpoints about agents."""
    router = APIRouter(prefix="/api/agents", tags=["agents"], responses=_UNAVAILABLE)

    @router.post("", status_code=status.HTTP_201_CREATED, responses=_TAKEN | _TOO_LARGE)
    async def register_agent(body: AgentRegistration) -> AgentAnswer:
        """Register an agent."""

        def work(connection: Connection) -> operations.Row:
            return operations.register_agent(
                connection, agent_id=body.id or uuid4().hex, name=body.name, now=clock.utc_now()
            )

        return AgentAnswer(**await database.write(work))

    @router.get("")
    async def list_agents(
        name: Annotated[Name | None, Query(description="Only the agent of this name.")] = None,
        limit: LimitQuery = 100,
        offset: OffsetQuery = 0,
    ) -> AgentsAnswer:
        """List the registered agents, ordered by id."""

        def work(connection: Connection) -> operations.Page:
            return operations.list_agents(connection, name=name, limit=limit, offset=offset)

        page = await database.read(work)
        return AgentsAnswer(agents=[AgentAnswer(**row) for row in page.rows], total=page.total or 0)

    return router


def deployments_router(database: Database, clock: Clock) -> APIRouter:
    """Return the endpoints about deployments, but for the polled one."""
    router = APIRouter(prefix="/api/deployments", tags=["deployments"], responses=_UNAVAILABLE)

    @router.post("", status_code=status.HTTP_201_CREATED, responses=_UNKNOWN_AGENT | _TOO_LARGE)
    async def create_deployment(body: DeploymentOrder, response: Response) -> DeploymentAnswer:
        """Order a deployment; it starts pending."""

        def work(connection: Connection) -> operations.Row:
            return operations.create_deployment(connection, **body.model_dump(), now=clock.utc_now())

        answer = DeploymentAnswer(**await database.write(work))
        response.headers["Location"] = f"/api/deployments/{answer.id}"
        return answer

    @router.get("")
    async def list_deployments(
        *,
        agent_id: Annotated[Id | None, Query(description="Only this agent's.")] = None,
        status: Annotated[DeploymentStatus | None, Query(description="Only those in this state.")] = None,
        since: Annotated[Instant | None, Query(description="Only those created at or after this.")] = None,
        until: Annotated[Instant | None, Query(description="Only those created before this.")] = None,
        limit: LimitQuery = 100,
        offset: OffsetQuery = 0,
    ) -> DeploymentsAnswer:
        """List deployments, the newest first."""

        def work(connection: Connection) -> operations.Page:
            return operations.list_deployments(
                connection,
                agent_id=agent_id,
                status=status,
                since=since,
                until=until,
                limit=limit,
                offset=offset,
            )

        page = await database.read(work)
        return DeploymentsAnswer(deployments=[DeploymentAnswer(**row) for row in page.rows], more=page.more)

    # Before the route of a single deployment, which would take "count" for its number.
    @router.get("/count")
    async def count_deployments(
        status: Annotated[DeploymentStatus, Query(description="The state to count.")],
    ) -> CountAnswer:
        """Count the deployments in one state."""

        def work(connection: Connection) -> int:
            return operations.count_deployments(connection, status)

        return CountAnswer(status=status, count=await database.read(work))

    @router.get("/{deployment_id}", responses=_UNKNOWN_DEPLOYMENT)
    async def read_deployment(deployment_id: DeploymentIdPath) -> DeploymentHistoryAnswer:
        """Read a deployment with everything that was reported about it."""

        def work(connection: Connection) -> tuple[operations.Row, Sequence[operations.Row]]:
            return operations.deployment_history(connection, deployment_id)

        deployment, events = await database.read(work)
        return DeploymentHistoryAnswer(
            deployment=DeploymentAnswer(**deployment), events=[EventAnswer(**event) for event in events]
        )

    @router.post("/{deployment_id}/progress", responses=_UNKNOWN_DEPLOYMENT | _ILLEGAL | _TOO_LARGE)
    async def report_progress(deployment_id: DeploymentIdPath, body: ProgressReport) -> DeploymentAnswer:
        """Report a deployment's progress. Of several reports of one change, one wins; the others get 409."""

        def work(connection: Connection) -> operations.Row:
            return operations.report_progress(connection, deployment_id, **body.model_dump(), now=clock.utc_now())

        return DeploymentAnswer(**await database.write(work))

    return router


def polled_router(database: Database, clock: Clock, sightings: Sightings, faults: Faults) -> APIRouter:
    """Return the one endpoint that every agent calls each ten seconds."""
    router = APIRouter(prefix="/api/deployments", tags=["deployments"], responses=_UNAVAILABLE)

    @router.get("/pending/{agent_id}", responses=_UNKNOWN_AGENT)
    async def pending_deployments(agent_id: AgentIdPath) -> PendingAnswer:
        """List what an agent still has to do, the oldest first."""
        await faults.strike()

        def work(connection: Connection) -> Sequence[operations.Row]:
            rows = operations.pending_deployments(connection, agent_id)
            faults.hold()
            return rows

        rows = await database.read(work)
        sightings.note(agent_id, clock.utc_now())
        return PendingAnswer(agent_id=agent_id, deployments=[DeploymentAnswer(**row) for row in rows])

    return router
