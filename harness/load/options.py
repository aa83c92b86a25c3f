"""Our options in Locust's own ``--help``, and back from what its parser read."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError, explain
from harness.http import check_base_url
from harness.load.command import LoadOptions
from harness.schedule import PhaseModel
from harness.units import parse_duration_s, parse_ratio

SPAWN_RATE_PER_S = 100.0
"""Users a second when none is asked for: a fleet of fifty is there at once. Locust warns above this."""

STOP_TIMEOUT_UNSET_S = -1.0
"""Stands for "not asked for", which Locust's own default of 0 could not be told from."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """
    Add the group of our options, and set defaults of Locust's own that suit a fleet.

    Args:
        parser: Locust's, as its event ``init_command_line_parser`` hands it out.
    """
    group = parser.add_argument_group(
        "Agent polling", "A fleet of agents that poll on a schedule of their own. Durations: 600ms, 10s, 1m30s."
    )
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
        "--request-timeout",
        dest="request_timeout_s",
        metavar="<duration>",
        type=_duration("--request-timeout"),
        default=10.0,
        help="How long one poll may take, from connecting to its last byte. Defaults to 10s.",
    )
    group.add_argument(
        "--warmup",
        dest="warmup_s",
        metavar="<duration>",
        type=_checked(parse_duration_s, "--warmup"),
        default=0.0,
        help="First part of the run, left out of the closing summary. Defaults to 0s.",
    )
    group.add_argument(
        "--samples-dir",
        metavar="<folder>",
        type=Path,
        help="Folder for samples.jsonl and generator.jsonl. Defaults to runs/locust-<time>.",
    )
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
    parser.set_defaults(spawn_rate=SPAWN_RATE_PER_S, stop_timeout=STOP_TIMEOUT_UNSET_S)


def read_options(
    parsed: argparse.Namespace, *, host: str | None, agents: int, run_time_s: float | None
) -> LoadOptions:
    """
    Turn what Locust's parser read into our own record.

    Args:
        parsed: Locust's options.
        host: base URL of the target, which the web UI may have changed since; None for none.
        agents: number of users asked for.
        run_time_s: length of the run when it is known beforehand [s].

    Raises:
        UsageError: no host, or one that is no base URL; a warm-up as long as the run.
    """
    if not host:
        raise UsageError(
            explain(
                "option", "--host", fault="missing", remedy="--host with the target's URL, http://127.0.0.1:8000"
            )
        )
    if run_time_s is not None and parsed.warmup_s >= run_time_s:
        raise UsageError(
            explain(
                "option",
                "--warmup",
                fault="leaves nothing of the run",
                got=f"{parsed.warmup_s:g} s",
                need=f"less than the run time of {run_time_s:g} s",
            )
        )
    return LoadOptions(
        host=check_base_url(host, option="--host"),
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
