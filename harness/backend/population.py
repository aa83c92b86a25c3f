"""
Which rows a seeded database holds: a pure function of a few numbers, the same on every machine and database.

Draws come from NumPy's `RandomState`, whose streams are frozen for good; one stream a purpose, so that the size of
a block changes nothing. Instants are whole microseconds, which both databases keep.

Source: NEP 19 (numpy.org), for the promise that `RandomState` streams never change.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from harness.backend.states import DeploymentStatus

SEED_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
"""The instant at which a seeded history ends, unless another one is given."""

REGISTERED_BY_SEED = "seed"
MAX_PENDING = 6
"""Most deployments that one agent has pending, whatever the size of the table."""

_HISTORY = timedelta(days=90)
_BLOCK_ROWS = 20_000
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_WORK_US = 15 * 60 * 1_000_000
_SUCCEEDED_RATIO = 0.93
_FAILED_RATIO = 0.045
_IN_PROGRESS_RATIO = 0.3
_MINOR_VERSIONS = 40
_PATCHES = 8
_ARTIFACTS = (
    "auth-service",
    "billing-api",
    "catalogue",
    "config-sync",
    "edge-proxy",
    "image-store",
    "log-shipper",
    "message-bus",
    "metrics-relay",
    "session-cache",
    "updater",
    "web-frontend",
)
_PEOPLE = ("ci", "ci", "ci", "release-train", "operator")
_STATES = tuple(DeploymentStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """
    What to make.

    Args:
        agents: fleet size that the deployments are spread over, ≥ 1 when there are deployments.
        first_deployment: id of the first deployment to make, ≥ 1.
        deployments: how many to make, ≥ 0.
        seed: source of every choice.
        instant: end of the history, aware; every instant lies in the 90 days before it.
    """

    agents: int
    first_deployment: int
    deployments: int
    seed: int
    instant: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentBlock:
    """
    Some rows of the deployments table, by column, each as plain a value as drivers take fastest.

    Instants are microseconds since the Unix epoch.
    """

    id: list[int]
    agent_id: list[str]
    artifact: list[str]
    version: list[str]
    status: list[str]
    created_by: list[str]
    created_us: NDArray[np.int64]
    updated_us: NDArray[np.int64]


def agent_id(number: int) -> str:
    """Return the id of the agent with a number from 1: ``agent-0001``."""
    return f"agent-{number:04d}"


def agent_name(number: int) -> str:
    """Return the name of the agent with a number from 1: ``edge-0001``."""
    return f"edge-{number:04d}"


def registration_instant(instant: datetime) -> datetime:
    """Return when the seeded fleet was registered, given the end of the history: a day before its beginning."""
    return instant - _HISTORY - timedelta(days=1)


def deployment_blocks(population: Population) -> Iterator[DeploymentBlock]:
    """
    Yield the deployments in order of their ids, which is the order of their creation.

    Most are done. A few agents get most of them (the k-th busiest a share in proportion to k^-0.75). The newest of
    each agent are pending, `MAX_PENDING` at most and as many whatever the table's size; the one before them may be
    in progress.
    """
    owners = _owners(population)
    still_open = _still_open(owners, population)
    details = {
        name: _stream(population, name) for name in ("time", "outcome", "work", "patch", "artifact", "person")
    }
    ids = _texts(agent_id(number) for number in range(1, population.agents + 1))
    for first in range(0, population.deployments, _BLOCK_ROWS):
        count = min(_BLOCK_ROWS, population.deployments - first)
        draws = {name: stream.random_sample(count) for name, stream in details.items()}
        states = _outcomes(draws["outcome"])
        for index, status in still_open.items():
            if first <= index < first + count:
                states[index - first] = _STATES.index(status)
        created_us, updated_us = _instants(population, first, states, draws)
        minors = np.arange(first, first + count) * _MINOR_VERSIONS // population.deployments
        yield DeploymentBlock(
            id=list(range(population.first_deployment + first, population.first_deployment + first + count)),
            agent_id=ids[owners[first : first + count]].tolist(),
            artifact=_pick(_ARTIFACTS, draws["artifact"]),
            version=_VERSIONS[minors * _PATCHES + _choice(_PATCHES, draws["patch"])].tolist(),
            status=_STATE_TEXTS[states].tolist(),
            created_by=_pick(_PEOPLE, draws["person"]),
            created_us=created_us,
            updated_us=updated_us,
        )


def _stream(population: Population, purpose: str) -> np.random.RandomState:
    name = f"{population.seed}/{population.first_deployment}/{purpose}"
    return np.random.RandomState(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))


def _owners(population: Population) -> NDArray[np.intp]:
    """Return the index of the agent that each deployment is for; some are drawn much oftener than others."""
    if not population.deployments:
        return np.zeros(0, dtype=np.intp)
    busiest = np.argsort(_stream(population, "busiest").random_sample(population.agents), kind="stable")
    root = np.sqrt(np.arange(1, population.agents + 1, dtype=np.float64))
    # rank^-0.75 out of square roots, which are exact to the last bit on every machine, as powers are not.
    bounds = np.cumsum(1 / (root * np.sqrt(root)))
    draws = _stream(population, "owners").random_sample(population.deployments) * bounds[-1]
    # A product rounded up to the total would lie beyond the last bound.
    ranks = np.minimum(np.searchsorted(bounds, draws, side="right"), population.agents - 1)
    owners: NDArray[np.intp] = busiest[ranks]
    return owners


def _still_open(owners: NDArray[np.intp], population: Population) -> dict[int, DeploymentStatus]:
    """Return the state of those deployments that are not done: row index → state."""
    wanted: list[list[DeploymentStatus]] = []
    for number in range(1, population.agents + 1):
        draw = random.Random(f"{population.seed}/{agent_id(number)}").random  # noqa: S311  # repeatable, not secret
        appetite = draw()
        pending = int(appetite * appetite * (MAX_PENDING + 1))
        running = 1 if draw() < _IN_PROGRESS_RATIO else 0
        # Taken from the end, going back in time: the pending ones are newer than the one in progress.
        wanted.append([DeploymentStatus.IN_PROGRESS] * running + [DeploymentStatus.PENDING] * pending)
    missing = sum(len(states) for states in wanted)
    found: dict[int, DeploymentStatus] = {}
    for index, owner in zip(range(len(owners) - 1, -1, -1), owners[::-1].tolist(), strict=True):
        if missing == 0:
            break
        if wanted[owner]:
            found[index] = wanted[owner].pop()
            missing -= 1
    return found


def _outcomes(draws: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index in `_STATES` of a finished deployment's outcome."""
    failed = draws >= _SUCCEEDED_RATIO
    cancelled = draws >= _SUCCEEDED_RATIO + _FAILED_RATIO
    succeeded_at = _STATES.index(DeploymentStatus.SUCCEEDED)
    # The three outcomes stand side by side in the enum, in this order.
    return succeeded_at + failed.astype(np.intp) + cancelled.astype(np.intp)


def _instants(
    population: Population, first: int, states: NDArray[np.intp], draws: dict[str, NDArray[np.float64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the rows of a block were created and last changed [µs since the Unix epoch]."""
    end_us = (population.instant - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND
    step_us = (_HISTORY // _MICROSECOND) / population.deployments
    index = np.arange(first, first + len(states))
    created_us = end_us - _HISTORY // _MICROSECOND + ((index + draws["time"]) * step_us).astype(np.int64)
    # Squared: most are quick, few are slow.
    work_us = (draws["work"] * draws["work"] * _LONGEST_WORK_US).astype(np.int64)
    work_us[states == _STATES.index(DeploymentStatus.PENDING)] = 0
    return created_us, np.minimum(created_us + work_us, end_us)


def _texts(values: Iterator[str]) -> NDArray[np.object_]:
    # Of objects: picking by index then copies references, and the driver gets plain str.
    return np.array(list(values), dtype=object)


def _choice(count: int, draws: NDArray[np.float64]) -> NDArray[np.intp]:
    return (draws * count).astype(np.intp)


def _pick(values: tuple[str, ...], draws: NDArray[np.float64]) -> list[str]:
    picked: list[str] = _texts(iter(values))[_choice(len(values), draws)].tolist()
    return picked


_STATE_TEXTS = _texts(status.value for status in _STATES)
_VERSIONS = _texts(f"2.{minor}.{patch}" for minor in range(_MINOR_VERSIONS) for patch in range(_PATCHES))
