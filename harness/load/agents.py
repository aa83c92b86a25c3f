"""
The fleet as Locust sees it: one user a process, many agents in its tables.

``-u 10000`` asks Locust for ten thousand users. It deals them out to its workers, counts them and shows them; what
runs in each process is one `PollingAgent` whose task is the engine. Importing this imports Locust, which patches
the standard library.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import gevent.event
from locust import User, task
from locust.dispatch import UsersDispatcher
from locust.exception import RPCError
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner

from harness.errors import HarnessError, explain
from harness.load.distribution_channel import UndeliveredError

_log = logging.getLogger("pollgauge")


class Station(Protocol):
    """Where the one user of a process goes to work."""

    def drive(self, until: gevent.event.Event) -> None:
        """
        Drive the agents of this process.

        Args:
            until: set when Locust wants the user to stop; returns once the polls in flight are through.
        """


class PollingAgent(User):
    """
    The agents of a process, each of which asks for its pending deployments on its own schedule.

    One of these stands for all of them, whatever the number that Locust was asked for.
    """

    abstract = True
    station: ClassVar[Station | None] = None
    """Of the run that is on."""

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        if self.station is None:
            raise HarnessError(
                explain("agent", fault="no run has been prepared", remedy="running the scenario with locust -f")
            )
        self._station: Station = self.station
        self._stop_asked = gevent.event.Event()

    def stop(self, force: bool = False) -> bool:  # noqa: FBT001, FBT002  # Locust's signature
        """Take notice of Locust's wish; see `User.stop`."""
        self._stop_asked.set()
        return bool(super().stop(force))

    @task
    def poll(self) -> None:
        """Drive the agents until the run is over."""
        self._station.drive(self._stop_asked)


class _FleetRunner(Runner):
    """What Locust's runners count and start, with one user for all agents of a class."""

    _agents: ClassVar[dict[str, int]] = {}

    @property
    def user_classes_count(self) -> dict[str, int]:
        """Users of each class: agents where they are agents."""
        counts: dict[str, int] = super().user_classes_count
        return {name: self._agents.get(name, count) for name, count in counts.items()}

    @property
    def user_count(self) -> int:
        """Users and agents altogether."""
        return sum(self.user_classes_count.values())

    def spawn_users(self, user_classes_spawn_count: dict[str, int], wait: bool = False) -> Any:  # noqa: FBT001, FBT002  # Locust's signature
        """Add agents, and the user that drives them with the first."""
        real = {}
        for name, count in user_classes_spawn_count.items():
            if not self._is_fleet(name):
                real[name] = count
            elif count:
                if not self._agents.get(name):
                    real[name] = 1
                self._agents[name] = self._agents.get(name, 0) + count
        return super().spawn_users(real, wait)

    def stop_users(self, user_classes_stop_count: dict[str, int]) -> None:
        """Take agents away, and the user that drives them with the last."""
        real = {}
        for name, count in user_classes_stop_count.items():
            if not self._is_fleet(name):
                real[name] = count
            elif count and count >= self._agents.get(name, 0):
                real[name] = 1
        try:
            super().stop_users(real)
        finally:
            for name, count in user_classes_stop_count.items():
                if name in self._agents:
                    self._agents[name] = max(0, self._agents[name] - count)

    def _is_fleet(self, name: str) -> bool:
        return issubclass(self.user_classes_by_name[name], PollingAgent)


class _LocalFleetRunner(_FleetRunner, LocalRunner):
    """A run in one process."""


class _WorkerFleetRunner(_FleetRunner, WorkerRunner):
    """A worker's part of a run."""


class FleetDispatcher(UsersDispatcher):
    """
    Deals all users out at once, and none while a fleet is at work.

    A ramp of users is not what starts the agents: their schedule and shape are.
    """

    fleet_size: ClassVar[int | None] = None
    """Agents of the run that is on; None between runs."""

    def new_dispatch(
        self, target_user_count: int, spawn_rate: float, user_classes: list[type[User]] | None = None
    ) -> None:
        """See `UsersDispatcher`."""
        if self.fleet_size is not None and target_user_count != self.fleet_size:
            _log.warning("the fleet of %d is complete and stays so while it runs", self.fleet_size)
            target_user_count = self.fleet_size
        at_once = float(max(spawn_rate, target_user_count, 1))
        super().new_dispatch(target_user_count, at_once, user_classes)


class RunnerPost:
    """
    Locust's own channel; see `harness.load.distribution_channel.Post`.

    Args:
        runner: a master or a worker.
    """

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    @property
    def clients(self) -> Mapping[str, Any]:
        """See `Post`."""
        clients: Mapping[str, Any] = self._runner.clients
        return clients

    def get_worker_index(self, client_id: str) -> int:
        """See `Post`."""
        return int(self._runner.get_worker_index(client_id))

    def send_message(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """See `Post`."""
        try:
            self._runner.send_message(kind, data, client_id)
        except RPCError as fault:
            raise UndeliveredError(str(fault)) from fault


def adopt(environment: Any) -> None:
    """
    Make Locust's runner one that counts agents and starts one user for all of them.

    Args:
        environment: Locust's, before anything was started.
    """
    environment.dispatcher_class = FleetDispatcher
    runner = environment.runner
    runner.__class__ = {LocalRunner: _LocalFleetRunner, WorkerRunner: _WorkerFleetRunner}.get(
        type(runner), type(runner)
    )
    if not isinstance(runner, MasterRunner):
        runner._agents = {}
