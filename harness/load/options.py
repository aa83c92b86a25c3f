"""Our options in Locust's own ``--help``, and back from what its parser read."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError, explain
from harness.http import check_base_url
from harness.load.command import LoadOptions
from harness.scenarios import DEFAULT_SCENARIO, add_parameters, read_values, scenario_kind, typed_values
from harness.schedule import PhaseModel
from harness.staging import (
    add_staging_options,
    check_agents_path,
    check_pending_route,
    check_rate,
    check_writes,
    most_per_s,
    read_abort_ratio,
    with_base_path,
)
from harness.units import parse_duration_s, parse_ratio

SPAWN_RATE_PER_S = 100.0
"""Users a second when none is asked for: a fleet of fifty is there at once. Locust warns above this."""

STOP_TIMEOUT_UNSET_S = -1.0
"""Stands for "not asked for", which Locust's own default of 0 could not be told from."""


def add_options(parser: argparse.ArgumentParser, scenario: str = DEFAULT_SCENARIO) -> None:
    """
    Add the groups of our options, and set defaults of Locust's own that suit a fleet.

    Args:
        parser: Locust's, as its event ``init_command_line_parser`` hands it out.
        scenario: its own parameters are among them.
    """
    group = parser.add_argument_group(
        "Agent polling", "A fleet of agents that poll on a schedule of their own. Durations: 600ms, 10s, 1m30s."
    )
    _add_schedule(group)
    _add_polls(group)
    _add_identity(group)
    _add_outcome(group)
    parser.add_argument_group("before the run").add_argument(
        "--dry-run", action="store_true", help="Say what would be sent where, and send nothing."
    )
    add_staging_options(parser)
    add_parameters(parser, {parameter.name: parameter for parameter in scenario_kind(scenario).parameters})
    parser.set_defaults(spawn_rate=SPAWN_RATE_PER_S, stop_timeout=STOP_TIMEOUT_UNSET_S)


def _add_schedule(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--interval",
        dest="poll_interval_s",
        metavar="<duration>",
        type=_duration("--interval"),
        default=10.0,
        help="Time between two polls of one agent. Defaults to 10s.",
    )
    group.add_argument(
        "--seed",
        dest="schedule_seed",
        metavar="<int>",
        type=int,
        default=1,
        help="Source of every random choice of the schedule. Defaults to 1.",
    )
    group.add_argument(
        "--phase-model",
        choices=[str(model) for model in PhaseModel],
        default=str(PhaseModel.UNIFORM),
        help="How the agents' polls lie in the interval: evenly spread, by chance, or all at once.",
    )
    group.add_argument(
        "--jitter",
        dest="jitter_ratio",
        metavar="<ratio>",
        type=_checked(parse_ratio, "--jitter"),
        default=0.0,
        help="Put each poll off by chance, by up to this share of the interval, such as 0.1. Defaults to 0.",
    )
    group.add_argument(
        "--warmup",
        dest="warmup_s",
        metavar="<duration>",
        type=_checked(parse_duration_s, "--warmup"),
        default=0.0,
        help="First part of the run, left out of the closing summary. Defaults to 0s.",
    )


def _add_polls(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--request-timeout",
        dest="request_timeout_s",
        metavar="<duration>",
        type=_duration("--request-timeout"),
        default=10.0,
        help="How long one poll may take, from connecting to its last byte. Defaults to 10s.",
    )
    group.add_argument(
        "--keep-alive",
        choices=["server", "off"],
        default="server",
        help="Keep a connection between polls as long as the server does, or close it after each poll.",
    )


def _add_identity(group: argparse._ActionsContainer) -> None:
    identity = group.add_mutually_exclusive_group()
    identity.add_argument(
        "--agents-file",
        metavar="<file>",
        type=Path,
        help="File with one agent id a line. Without it the target is asked (GET /api/agents).",
    )
    identity.add_argument(
        "--agent-id-prefix",
        metavar="<text>",
        help="Make agent ids up instead of asking the target: agent- gives agent-0001, agent-0002 ...",
    )


def _add_outcome(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--samples-dir",
        metavar="<folder>",
        type=Path,
        help="Folder for samples.jsonl and generator.jsonl. Defaults to runs/locust-<time>.",
    )
    group.add_argument(
        "--no-verdict",
        action="store_true",
        help="Leave the exit code to Locust's own rule, which is 1 for any failed request, and judge nothing.",
    )


def read_options(
    parsed: argparse.Namespace,
    *,
    host: str | None,
    agents: int,
    run_time_s: float | None,
    scenario: str = DEFAULT_SCENARIO,
) -> LoadOptions:
    """
    Turn what Locust's parser read into our own record.

    Args:
        parsed: Locust's options.
        host: base URL of the target, which the web UI may have changed since; None for none.
        agents: number of users asked for.
        run_time_s: length of the run when it is known beforehand [s].
        scenario: name of the scenario.

    Raises:
        UsageError: no host, or one that is no base URL; a warm-up as long as the run; a fleet beyond the ceiling
            on the rate; a scenario that writes where it may not.
    """
    host = _base_url(host, parsed.base_path)
    _check_warmup(parsed.warmup_s, run_time_s)
    most = most_per_s(parsed.max_rate, host)
    check_rate(agents=agents, interval_s=parsed.poll_interval_s, most=most)
    writes = scenario_kind(scenario).writes
    check_writes(scenario=scenario, writes=writes, host=host, allowed=parsed.allow_writes)
    return LoadOptions(
        host=host,
        agents=agents,
        interval_s=parsed.poll_interval_s,
        run_time_s=run_time_s,
        seed=parsed.schedule_seed,
        samples_dir=parsed.samples_dir,
        phase_model=parsed.phase_model,
        jitter_ratio=parsed.jitter_ratio,
        request_timeout_s=parsed.request_timeout_s,
        warmup_s=parsed.warmup_s,
        agents_file=parsed.agents_file,
        agent_id_prefix=parsed.agent_id_prefix,
        keep_alive=parsed.keep_alive != "off",
        scenario=scenario,
        parameters=read_values(scenario, typed_values(parsed)),
        agents_path=check_agents_path(parsed.agents_path),
        pending_route=check_pending_route(parsed.pending_route),
        header_env=tuple(parsed.header_env),
        ca_file=parsed.ca_file,
        insecure_token=parsed.insecure_token,
        allow_writes=parsed.allow_writes,
        most_per_s=most,
        abort_ratio=read_abort_ratio(parsed.abort_errors),
    )


def _base_url(host: str | None, base_path: str) -> str:
    if not host:
        remedy = "--host with the target's URL, http://127.0.0.1:8000"
        raise UsageError(explain("option", "--host", fault="missing", remedy=remedy))
    return with_base_path(check_base_url(host, option="--host"), base_path)


def _check_warmup(warmup_s: float, run_time_s: float | None) -> None:
    if run_time_s is not None and warmup_s >= run_time_s:
        raise UsageError(
            explain(
                "option",
                "--warmup",
                fault="leaves nothing of the run",
                got=f"{warmup_s:g} s",
                need=f"less than the run time of {run_time_s:g} s",
            )
        )


def _duration(name: str) -> Callable[[str], float]:
    def parse(text: str, *, name: str) -> float:
        duration_s = parse_duration_s(text, name=name)
        if not 0 < duration_s < math.inf:
            raise UsageError(explain("option", name, fault="no time at all", got=repr(text), need="more than 0 s"))
        return duration_s

    return _checked(parse, name)


def _checked(parse: Callable[..., float], name: str) -> Callable[[str], float]:
    """Make a parser of ours one of argparse's: its error text becomes argparse's."""

    def convert(text: str) -> float:
        try:
            return parse(text, name=name)
        except UsageError as fault:
            raise argparse.ArgumentTypeError(str(fault)) from fault

    return convert
