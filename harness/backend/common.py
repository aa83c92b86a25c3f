"""
The polled endpoint as most tutorials build it, and as it should not be built: an example to be seen under load.

A sync route takes its session from a dependency. The dependency's end, which gives the connection back, needs a
worker thread of its own, and all forty may be waiting for a connection: then nobody can give one back, and all
wait until the pool's thirty seconds are up. It takes more polls at one instant than there are threads and
connections together, 55 by default: 50 at once were all answered within 0.2 s, 60 took 30 s and 37 of them failed.
A restart of the master, after which every agent asks at once, is enough. Never the default.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.backend.bodies import AgentIdPath, DeploymentAnswer, PendingAnswer
from harness.backend.config import BackendConfig
from harness.backend.database import make_engine
from harness.backend.faults import Faults
from harness.backend.operations import pending_deployments

# SQLAlchemy's defaults, which nobody changes before it is too late.
_POOL_SIZE = 5
_MAX_OVERFLOW = 10
_POOL_TIMEOUT_S = 30.0


def make_common_engine(config: BackendConfig) -> Engine:
    """Make an engine with SQLAlchemy's own pool; see `make_engine` for errors."""
    sized = replace(config, pool_size=_POOL_SIZE, max_overflow=_MAX_OVERFLOW)
    return make_engine(sized, pool_timeout_s=_POOL_TIMEOUT_S)


def common_polled_router(engine: Engine, faults: Faults) -> APIRouter:
    """Return the polled endpoint, with a session from a dependency."""
    router = APIRouter(prefix="/api/deployments", tags=["deployments"])

    def session() -> Iterator[Session]:
        with Session(engine) as opened:
            yield opened

    @router.get("/pending/{agent_id}", dependencies=[Depends(faults.strike)])
    def pending(agent_id: AgentIdPath, opened: Annotated[Session, Depends(session)]) -> PendingAnswer:
        """List what an agent still has to do, the oldest first."""
        rows = pending_deployments(opened.connection(), agent_id)
        return PendingAnswer(agent_id=agent_id, deployments=[DeploymentAnswer(**row) for row in rows])

    return router
