"""The life of a deployment: its states and the changes that are legal between them."""

from enum import StrEnum


class DeploymentStatus(StrEnum):
    """Where a deployment stands."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


_PREDECESSORS: dict[DeploymentStatus, frozenset[DeploymentStatus]] = {
    DeploymentStatus.PENDING: frozenset(),
    DeploymentStatus.IN_PROGRESS: frozenset({DeploymentStatus.PENDING}),
    DeploymentStatus.SUCCEEDED: frozenset({DeploymentStatus.IN_PROGRESS}),
    DeploymentStatus.FAILED: frozenset({DeploymentStatus.IN_PROGRESS}),
    DeploymentStatus.CANCELLED: frozenset({DeploymentStatus.PENDING}),
}


def predecessors(status: DeploymentStatus) -> frozenset[DeploymentStatus]:
    """
    Return the states from which a deployment may change to `status`.

    Empty for ``pending``: a deployment is created in it and never comes back to it.
    """
    return _PREDECESSORS[status]
