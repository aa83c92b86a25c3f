"""The command line that starts the load: Locust in a process of its own, with our scenario and options."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError, explain
from harness.schedule import PhaseModel

SCENARIO_FILE = Path(__file__).resolve().parents[2] / "locustfiles" / "agent_polling.py"
"""The scenario, beside the package both in a checkout and in an installation."""


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
    command = [sys.executable, "-m", "locust", "--locustfile", str(SCENARIO_FILE)]
    command += ["--headless", "--only-summary", "--exit-code-on-error", "0", "--loglevel", "INFO"]
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
    return command


def _seconds(duration_s: float) -> str:
    """Write a duration as a bare number, so that it reads back as the same float."""
    # Not in scientific notation, which no duration is written in.
    return f"{duration_s:.9f}".rstrip("0").rstrip(".") if "e" in repr(duration_s) else repr(duration_s)
