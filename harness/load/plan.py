"""What a run is going to do, settled before its first poll: when, who, and where the files go."""

import logging
import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import HarnessError, explain
from harness.load.command import LoadOptions
from harness.load.credentials import Destination
from harness.load.discovery import identify_agents
from harness.load.recording import check_unused
from harness.model import SCHEMA_VERSION, SampleHeader
from harness.rundir import RunDirectory
from harness.schedule import Schedule
from harness.shape import Shape

_log = logging.getLogger("pollgauge")

_FILES_BESIDES = 64
"""Open files that are no agent's connection: logs, samples, Locust's own sockets."""

_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    A run, before it begins.

    Args:
        options: what was asked for.
        schedule: when each agent polls.
        shape: when each takes part.
        agent_ids: who they are, by index.
        warnings: what a person should know, a sentence each.
    """

    options: LoadOptions
    schedule: Schedule
    shape: Shape
    agent_ids: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def header(self, origin: datetime, *, warnings: tuple[str, ...] = ()) -> SampleHeader:
        """
        Return the first line of the samples.

        Args:
            origin: wall clock at the run's origin, in UTC.
            warnings: further ones.
        """
        return SampleHeader(
            schema_version=SCHEMA_VERSION,
            origin_utc=origin.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            host=self.options.host,
            scenario=self.options.scenario,
            agents=self.schedule.agents,
            interval_s=self.schedule.interval_s,
            seed=self.schedule.seed,
            phase_model=str(self.schedule.phase_model),
            jitter_ratio=self.schedule.jitter_ratio,
            warnings=(*self.warnings, *warnings),
            shape=self.shape.name,
            shape_parameters=self.shape.parameters,
            keep_alive=self.options.keep_alive,
            warmup_s=self.options.warmup_s,
            run_time_s=self.options.run_time_s,
        )


def make_plan(options: LoadOptions, destination: Destination) -> Plan:
    """
    Find out who the agents are, and lay out what they do.

    Raises:
        UsageError: options that can't work.
        HarnessError: no answer from the target.
    """
    schedule = make_schedule(options)
    who = identify_agents(options, destination.endpoint, destination.tls)
    return Plan(options=options, schedule=schedule, shape=options.shape, agent_ids=who.ids, warnings=who.warnings)


def make_schedule(options: LoadOptions) -> Schedule:
    """Return the schedule that the options describe; see `Schedule` for errors."""
    return Schedule(
        seed=options.seed,
        agents=options.agents,
        interval_s=options.interval_s,
        phase_model=options.phase_model,
        jitter_ratio=options.jitter_ratio,
    )


def prepare_directory(options: LoadOptions) -> RunDirectory:
    """
    Make the folder for the samples: the one asked for, or a new one named by the time.

    Raises:
        HarnessError: it can't be made or written, or holds a run already.
    """
    path = options.samples_dir
    if path is None:
        path = Path("runs") / f"locust-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        reason = f"can't be made: {fault.strerror or fault}"
        raise HarnessError(explain("folder", str(path), fault=reason, remedy="another --samples-dir")) from fault
    directory = RunDirectory(path)
    check_unused(directory)
    return directory


def raise_file_limit(agents: int) -> tuple[str, ...]:
    """
    Allow this process as many open files as its agents may need, as far as the machine lets it.

    Args:
        agents: how many this process drives; each may hold a connection.

    Returns:
        What stands in the way of that, a sentence each.
    """
    need = agents + _FILES_BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    warnings = []
    if soft != resource.RLIM_INFINITY and soft < need:
        warnings.append(
            f"This machine allows a process {hard} open files, and {agents} agents may hold a connection each: "
            f"polls beyond that fail as generator-limit; raise the hard limit (ulimit -Hn {need}), share the "
            "agents among --processes, or let each poll have a connection of its own with --keep-alive off."
        )
    ports = _local_ports()
    if ports is not None and ports < agents:
        warnings.append(
            f"This machine has {ports} ports for connections to one address, and {agents} agents may hold one "
            "each: polls beyond that fail as generator-limit; widen net.ipv4.ip_local_port_range, use several "
            "machines, or let each poll have a connection of its own with --keep-alive off."
        )
    return tuple(warnings)


def _local_ports() -> int | None:
    """Return how many connections can be open to one address and port; None where the system does not tell."""
    try:
        first, last = _PORTS.read_text().split()
    except (OSError, ValueError):
        return None
    return int(last) - int(first) + 1
