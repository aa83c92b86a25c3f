"""The command line that starts the load: Locust in a process of its own, with our scenario and options."""

import math
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError, explain
from harness.model import PENDING_ROUTE
from harness.scenarios import DEFAULT_SCENARIO, Values, all_parameters, scenario_kind, shape_of_scenario
from harness.schedule import PhaseModel
from harness.shape import Shape
from harness.staging import DEFAULT_AGENTS_PATH, LOOPBACK_MOST_PER_S

SCENARIO_FILE = scenario_kind(DEFAULT_SCENARIO).file
"""The default scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """
    What a fleet of polling agents needs to know.

    Args:
        host: base URL of the target, without credentials.
        agents: fleet size, ≥ 1.
        interval_s: between two polls of one agent [s].
        run_time_s: how long they poll, counted from the run's origin [s]; None until stopped.
        seed: of phases and jitter.
        samples_dir: folder for ``samples.jsonl`` and ``generator.jsonl``; None makes ``runs/locust-<utc>``.
        phase_model: how the agents' phases lie in the interval.
        jitter_ratio: longest delay of a single poll by chance, as a share of the interval, 0..1.
        request_timeout_s: for one poll, from connecting to its last byte [s].
        warmup_s: first part, polled but left out of Locust's closing summary [s].
        agents_file: file with one agent id a line; None asks the target.
        agent_id_prefix: makes ids up as prefix and four digits; None asks the target.
        keep_alive: whether a connection is kept between polls for as long as the target keeps it; False has each
            poll ask for its close.
        processes: how many share the agents; 1 drives them all.
        scenario: what the agents do besides polling, and when they take part: a name of `harness.scenarios`.
        parameters: the scenario's own, every one of them.
        agents_path: where the target is asked for its agents.
        pending_route: path that is polled, with ``{agent_id}`` in it.
        header_env: ``NAME=VARIABLE`` each: headers whose values are in the environment.
        ca_file: authorities to trust in place of the system's.
        insecure_token: whether secrets may go over plain http to another machine.
        allow_writes: whether the scenario may change the target's data.
        most_per_s: ceiling on the requests a second.
        abort_ratio: share of failed polls from which on the target counts as going down, 0 < ratio < 1; None
            never calls a run off.
    """

    host: str
    agents: int
    interval_s: float
    run_time_s: float | None
    seed: int
    samples_dir: Path | None
    phase_model: str = PhaseModel.UNIFORM
    jitter_ratio: float = 0.0
    request_timeout_s: float = 10.0
    warmup_s: float = 0.0
    agents_file: Path | None = None
    agent_id_prefix: str | None = None
    keep_alive: bool = True
    processes: int = 1
    scenario: str = DEFAULT_SCENARIO
    parameters: Values = field(default_factory=dict)
    agents_path: str = DEFAULT_AGENTS_PATH
    pending_route: str = PENDING_ROUTE
    header_env: tuple[str, ...] = ()
    ca_file: Path | None = None
    insecure_token: bool = False
    allow_writes: bool = False
    most_per_s: float = LOOPBACK_MOST_PER_S
    abort_ratio: float | None = 0.5

    @property
    def shape(self) -> Shape:
        """When each agent takes part."""
        return shape_of_scenario(
            self.scenario, self.parameters, agents=self.agents, seed=self.seed, run_time_s=self.run_time_s
        )


def locust_command(options: LoadOptions) -> list[str]:
    """
    Build the command that runs the load headless and leaves the judging to its caller.

    Failed polls do not make its exit code: it is 0 for a load that was driven to its end or stopped by SIGINT or
    SIGTERM, 1 for a fault of our own (an unreachable target at the start, a full disk), 2 for wrong options. The
    reason stands on the last line of its output.

    Args:
        options: what to drive; `run_time_s` in whole seconds, which is all that Locust reads.

    Returns:
        Program and arguments.

    Raises:
        UsageError: a run time that is no whole number of seconds.
    """
    command = [sys.executable, "-m", "locust", "--locustfile", str(scenario_kind(options.scenario).file)]
    command += ["--headless", "--only-summary", "--exit-code-on-error", "0", "--no-verdict", "--loglevel", "INFO"]
    command += ["--host", options.host, "--users", str(options.agents)]
    if options.run_time_s is not None:
        if options.run_time_s != math.floor(options.run_time_s) or options.run_time_s < 1:
            raise UsageError(
                explain(
                    "option",
                    "--run-time",
                    fault="not a number of whole seconds",
                    got=f"{options.run_time_s:g} s",
                    need="1 s or more",
                )
            )
        command += ["--run-time", f"{options.run_time_s:.0f}s"]
    command += ["--interval", _seconds(options.interval_s), "--seed", str(options.seed)]
    command += ["--phase-model", str(options.phase_model), "--jitter", repr(options.jitter_ratio)]
    command += ["--request-timeout", _seconds(options.request_timeout_s), "--warmup", _seconds(options.warmup_s)]
    if options.samples_dir is not None:
        command += ["--samples-dir", str(options.samples_dir)]
    if options.agents_file is not None:
        command += ["--agents-file", str(options.agents_file)]
    if options.agent_id_prefix is not None:
        command += [f"--agent-id-prefix={options.agent_id_prefix}"]
    if options.processes != 1:
        command += ["--processes", str(options.processes), *_own_channel()]
    if not options.keep_alive:
        command += ["--keep-alive", "off"]
    return command + _target_arguments(options) + _scenario_arguments(options)


def _target_arguments(options: LoadOptions) -> list[str]:
    """Return what is said of the target. No secret is among it: headers are named with their variables."""
    arguments = [f"--agents-path={options.agents_path}", f"--pending-path={options.pending_route}"]
    arguments += [f"--max-rate={options.most_per_s!r}"]
    arguments += [f"--abort-errors={0 if options.abort_ratio is None else options.abort_ratio!r}"]
    arguments += [f"--header-env={entry}" for entry in options.header_env]
    if options.ca_file is not None:
        arguments += [f"--ca-file={options.ca_file}"]
    if options.insecure_token:
        arguments += ["--insecure-token"]
    if options.allow_writes:
        arguments += ["--allow-writes"]
    return arguments


def _scenario_arguments(options: LoadOptions) -> list[str]:
    flags = all_parameters()
    return [
        f"{flags[name].flag}={value if isinstance(value, str) else _number(value)}"
        for name, value in options.parameters.items()
    ]


def _number(value: float) -> str:
    """Write a number so that it reads back as the same, a whole one without a point."""
    return str(int(value)) if value.is_integer() else _seconds(value)


def _own_channel() -> list[str]:
    """Return where Locust's processes meet: on this machine only, and not where another run's do."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


def _seconds(duration_s: float) -> str:
    """Write a duration as a bare number, so that it reads back as the same float."""
    # Not in scientific notation, which no duration is written in.
    return f"{duration_s:.9f}".rstrip("0").rstrip(".") if "e" in repr(duration_s) else repr(duration_s)
