"""The legal changes of a deployment's state, each one and no other."""

import itertools

import pytest

from harness.backend.states import DeploymentStatus, predecessors

LEGAL = {
    ("pending", "in_progress"),
    ("pending", "cancelled"),
    ("in_progress", "succeeded"),
    ("in_progress", "failed"),
}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(DeploymentStatus, DeploymentStatus)])
def test_exactly_the_documented_changes_are_legal(before: DeploymentStatus, after: DeploymentStatus) -> None:
    assert ((before.value, after.value) in LEGAL) == (before in predecessors(after))
