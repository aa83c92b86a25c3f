"""The options of `harness run`: declared, read into a record, refused where they can't work. Light to import."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backend.config import DATABASE_URL_VARIABLE, DESIGNS
from harness.ci.options import add_output_arguments
from harness.credentials import NO_ACCESS, Access, read_access
from harness.errors import UsageError, explain
from harness.model import PENDING_ROUTE
from harness.project import add_history_argument, history_place
from harness.scenarios import (
    DEFAULT_SCENARIO,
    Values,
    add_parameters,
    all_parameters,
    read_values,
    scenario_kind,
    typed_values,
)
from harness.staging import (
    DEFAULT_AGENTS_PATH,
    LOOPBACK_MOST_PER_S,
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

if TYPE_CHECKING:
    from harness.model import Scenario

_MOST_AGENTS = 100_000
_MOST_ROWS = 100_000_000

RUN_EPILOG = """\
examples:
  harness run
  harness run --agents 50 --interval 10s --run-time 70s
  harness run --host http://127.0.0.1:8000
  harness run --database-url postgresql+psycopg://user@127.0.0.1/master
  harness run --target-delay 600ms              a handler that sleeps: ends in FAIL, exit code 3
  harness run --target-error-ratio 5%           a target that answers one poll in twenty with a 500
  harness run --json > verdict.json
  harness run --gate 'p(95) < 100ms' --gate 'error_ratio < 0.1%, abort_on_fail'
  harness run --gates strict.toml --stop-when-settled

The first --warmup of the run time is sent but not judged. p99 needs 299 judged polls: 50 agents at 10 s
give 300 in 60 s, so 70 s of run time with a warm-up of 10 s is the shortest that can pass.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """
    What `harness run` was asked for.

    Args:
        host: base URL of a running target; None starts the embedded one.
        agents: fleet size.
        interval_s: polling interval of an agent [s].
        run_time_s: length of the load, the warm-up included [s].
        warmup_s: first part that is not judged [s]; None is one interval.
        phase_model: how the agents' phases lie in the interval.
        seed: of the schedule and of the embedded target's rows.
        out: folder that gets the run's folder.
        database_url: of the embedded target's database, or of an attached target's to be asked for its plans.
        deployments: rows that an embedded target's database is filled with.
        request_timeout_s: for one poll [s].
        target_delay_s: artificial delay in the embedded target [s].
        target_error_ratio: artificial share of errors in the embedded target, 0..1.
        target_pool_size: connections that the embedded target's pool may open; None for its default.
        target_hold_s: how long each poll keeps its connection in the embedded target [s].
        target_drop_index: index that the embedded target is left without; None for none.
        target_design: how the embedded target's polled endpoint is built.
        scenario: name of one of `harness.scenarios`.
        parameters: the scenario's own, every one of them.
        access: token, headers and authorities, for an attached target.
        header_env: the headers as they were named, to be read anew from the environment by the load.
        insecure_token: whether secrets may go over plain http to another machine.
        agents_path: where an attached target lists its agents.
        pending_route: path that is polled.
        agents_file: file with one agent id a line; None asks the target.
        agent_id_prefix: makes ids up; None asks the target.
        allow_writes: whether the scenario may change an attached target's data.
        most_per_s: ceiling on the requests a second.
        abort_ratio: share of failed polls from which on the target counts as going down; None for never.
        history: folder or URL of the history that the run is recorded in; None for none.
        gates_file: gate file; None looks for one.
        gate_texts: gates of the command line.
        default_gates: whether gates that nobody named count too.
        processes: how many processes share the agents; 1 drives them all.
        keep_alive: whether a connection is kept between polls for as long as the target keeps it.
        stop_when_settled: whether the run may end as soon as every gate on its samples is settled.
    """

    host: str | None
    agents: int
    interval_s: float
    run_time_s: float
    warmup_s: float | None
    phase_model: str
    seed: int
    out: Path
    database_url: str | None
    deployments: int
    request_timeout_s: float
    target_delay_s: float
    target_error_ratio: float
    target_pool_size: int | None = None
    target_hold_s: float = 0.0
    target_drop_index: str | None = None
    target_design: str = "reference"
    scenario: str = DEFAULT_SCENARIO
    parameters: Values = field(default_factory=dict)
    access: Access = NO_ACCESS
    header_env: tuple[str, ...] = ()
    insecure_token: bool = False
    agents_path: str = DEFAULT_AGENTS_PATH
    pending_route: str = PENDING_ROUTE
    agents_file: Path | None = None
    agent_id_prefix: str | None = None
    processes: int = 1
    keep_alive: bool = True
    allow_writes: bool = False
    most_per_s: float = LOOPBACK_MOST_PER_S
    abort_ratio: float | None = 0.5
    history: str | None = None
    gates_file: Path | None = None
    gate_texts: tuple[str, ...] = ()
    default_gates: bool = True
    stop_when_settled: bool = False


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness run`, which `read_run_options` reads."""
    add_work_arguments(parser)
    _add_gates(parser)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder that gets the run's own folder (default: runs)",
    )
    output.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    add_history_argument(output)
    output.add_argument("--no-history", action="store_true", help="do not record the run in a history")
    add_output_arguments(parser)


def add_work_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those options of `harness run` that say what is done to which target, not how it is judged or told."""
    _add_load(parser)
    _add_target(parser)
    add_staging_options(parser)
    add_parameters(parser, all_parameters())


def add_agents_argument(parser: argparse._ActionsContainer) -> None:
    """Add the size of the fleet, under the name that Locust gives it and under ours."""
    parser.add_argument(
        "-u",
        "--users",
        "--agents",
        dest="agents",
        type=int,
        default=50,
        metavar="N",
        help="number of agents (default: 50)",
    )


def _add_gates(parser: argparse.ArgumentParser) -> None:
    gates = parser.add_argument_group("gates")
    gates.add_argument(
        "--gate",
        dest="gate_texts",
        action="append",
        default=[],
        metavar="TEXT",
        help="a gate such as 'p(95) < 200ms' or 'GET /api/agents: error_ratio < 1%%'; any number. Each takes the "
        "place of one on the same figure",
    )
    gates.add_argument(
        "--gates",
        dest="gates_file",
        type=Path,
        metavar="FILE",
        help="gate file (default: gates.toml, else [tool.harness] in pyproject.toml, else the specification's)",
    )
    gates.add_argument(
        "--no-default-gates", action="store_true", help="judge the gates of --gates and --gate and no others"
    )
    gates.add_argument(
        "--stop-when-settled",
        action="store_true",
        help="end the run as soon as every gate on its polls is settled, by bounds that hold however often one "
        "looks",
    )


def _add_load(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("load")
    load.add_argument(
        "--scenario",
        default=DEFAULT_SCENARIO,
        metavar="NAME",
        help=f"what the agents do; harness scenarios lists them (default: {DEFAULT_SCENARIO})",
    )
    load.add_argument(
        "--dry-run", action="store_true", help="say what would be sent where, and send and start nothing"
    )
    add_agents_argument(load)
    load.add_argument(
        "--interval", default="10s", metavar="TIME", help="between two polls of an agent (default: 10s)"
    )
    load.add_argument(
        "-t",
        "--run-time",
        metavar="TIME",
        help="length of the load, the warm-up included (default: the scenario's, 70s for agent-polling)",
    )
    load.add_argument("--warmup", metavar="TIME", help="first part that is not judged (default: one interval)")
    load.add_argument(
        "--phase-model",
        choices=("uniform", "random", "sync"),
        default="uniform",
        help="where in the interval each agent polls: spread evenly, at random, all at once (default: uniform)",
    )
    load.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="source of every random choice, rows of the embedded target included (default: 1)",
    )
    load.add_argument(
        "--request-timeout",
        default="10s",
        metavar="TIME",
        help="a poll without an answer for so long has failed (default: 10s)",
    )
    load.add_argument(
        "--processes",
        type=int,
        default=1,
        metavar="N",
        help="processes that share the agents; one drives 10,000 polls a second (default: 1)",
    )
    load.add_argument(
        "--keep-alive",
        choices=("server", "off"),
        default="server",
        help="keep a connection between polls as the server does, or close it after each (default: server)",
    )


def _add_target(parser: argparse.ArgumentParser) -> None:
    target = parser.add_argument_group("target")
    target.add_argument(
        "-H",
        "--host",
        metavar="URL",
        help="base URL of a running target; without it the bundled master is started on a free port",
    )
    target.add_argument(
        "--database-url",
        default=os.environ.get(DATABASE_URL_VARIABLE) or None,
        metavar="URL",
        help="SQLAlchemy URL: the bundled master's database (default: a temporary SQLite file), or "
        f"with --host the target's, asked for its query plans only; ${DATABASE_URL_VARIABLE} keeps a password off "
        "the command line",
    )
    target.add_argument(
        "--deployments",
        type=int,
        default=100_000,
        metavar="N",
        help="rows to fill the bundled master's database with (default: 100000)",
    )
    identity = target.add_mutually_exclusive_group()
    identity.add_argument(
        "--agents-file",
        type=Path,
        metavar="FILE",
        help="agent ids, one a line (default: the target is asked)",
    )
    identity.add_argument(
        "--agent-id-prefix", metavar="TEXT", help="make agent ids up: agent- gives agent-0001, agent-0002 ..."
    )
    target.add_argument(
        "--target-design",
        choices=DESIGNS,
        default=DESIGNS[0],
        help="how the bundled master's polled endpoint is built; common hangs when sixty agents come at once "
        "(default: reference)",
    )
    target.add_argument(
        "--target-delay",
        default="0s",
        metavar="TIME",
        help="artificial delay in the bundled master's polled handler (default: 0s)",
    )
    target.add_argument(
        "--target-error-ratio",
        default="0%",
        metavar="RATIO",
        help="artificial share of 500 answers of the bundled master (default: 0%%)",
    )
    target.add_argument(
        "--target-pool-size",
        type=int,
        metavar="N",
        help="connections that the bundled master's pool may open, none beyond (default: 8, and 4 beyond)",
    )
    target.add_argument(
        "--target-hold",
        default="0s",
        metavar="TIME",
        help="how long each poll keeps its connection in the bundled master after its query (default: 0s)",
    )
    target.add_argument(
        "--target-drop-index",
        metavar="NAME",
        help="leave the bundled master without this index; not with --database-url, where it would stay dropped",
    )


def read_run_options(parsed: argparse.Namespace) -> RunOptions:
    """
    Turn what argparse read into a record.

    Raises:
        UsageError: a duration, a ratio or a URL is none.
    """
    from harness.http import check_base_url

    host = None
    if parsed.host is not None:
        host = with_base_path(check_base_url(parsed.host, option="--host"), parsed.base_path)
    run_time = scenario_kind(parsed.scenario).run_time if parsed.run_time is None else parsed.run_time
    return RunOptions(
        host=host,
        agents=parsed.agents,
        interval_s=parse_duration_s(parsed.interval, name="--interval"),
        run_time_s=parse_duration_s(run_time, name="--run-time"),
        warmup_s=None if parsed.warmup is None else parse_duration_s(parsed.warmup, name="--warmup"),
        phase_model=parsed.phase_model,
        seed=parsed.seed,
        processes=parsed.processes,
        keep_alive=parsed.keep_alive != "off",
        out=parsed.out,
        database_url=parsed.database_url,
        deployments=parsed.deployments,
        request_timeout_s=parse_duration_s(parsed.request_timeout, name="--request-timeout"),
        target_delay_s=parse_duration_s(parsed.target_delay, name="--target-delay"),
        target_error_ratio=parse_ratio(parsed.target_error_ratio, name="--target-error-ratio"),
        target_pool_size=parsed.target_pool_size,
        target_hold_s=parse_duration_s(parsed.target_hold, name="--target-hold"),
        target_drop_index=parsed.target_drop_index,
        target_design=parsed.target_design,
        scenario=parsed.scenario,
        parameters=read_values(parsed.scenario, typed_values(parsed)),
        access=read_access(
            host=host,
            header_env=parsed.header_env,
            ca_file=parsed.ca_file,
            insecure_token=parsed.insecure_token,
        ),
        header_env=tuple(parsed.header_env),
        insecure_token=parsed.insecure_token,
        agents_path=check_agents_path(parsed.agents_path),
        pending_route=check_pending_route(parsed.pending_route),
        agents_file=parsed.agents_file,
        agent_id_prefix=parsed.agent_id_prefix,
        allow_writes=parsed.allow_writes,
        most_per_s=most_per_s(parsed.max_rate, host),
        abort_ratio=read_abort_ratio(parsed.abort_errors),
        history=None if parsed.no_history else history_place(parsed.history, out=parsed.out),
        gates_file=parsed.gates_file,
        gate_texts=tuple(parsed.gate_texts),
        default_gates=not parsed.no_default_gates,
        stop_when_settled=parsed.stop_when_settled,
    )


def check_options(options: RunOptions) -> "Scenario":
    """
    Refuse what can't work before anything is started.

    Returns:
        The scenario that the options describe.

    Raises:
        UsageError: the first value that can't work, by the name of its option.
    """
    from harness.scenario import make_scenario

    _check_ranges(options)
    scenario = make_scenario(
        name=options.scenario,
        agents=options.agents,
        interval_s=options.interval_s,
        run_time_s=options.run_time_s,
        warmup_s=options.interval_s if options.warmup_s is None else options.warmup_s,
        phase_model=options.phase_model,
        seed=options.seed,
        parameters=options.parameters,
    )
    check_rate(agents=options.agents, interval_s=options.interval_s, most=options.most_per_s)
    check_writes(
        scenario=options.scenario,
        writes=scenario_kind(options.scenario).writes,
        host=options.host,
        allowed=options.allow_writes,
    )
    if scenario.measured_s < scenario.interval_s:
        least_s = scenario.warmup_s + scenario.interval_s
        raise UsageError(
            explain(
                "option",
                "--run-time",
                fault="after the warm-up there is less than one polling interval left to measure",
                got=f"{options.run_time_s:g} s with {scenario.warmup_s:g} s of warm-up",
                need=f"{least_s:g} s or more",
                remedy=f"--run-time {least_s + 5 * scenario.interval_s:g}s",
            )
        )
    return scenario


def _check_ranges(options: RunOptions) -> None:
    whole_seconds = options.run_time_s == int(options.run_time_s)
    pool_size, dropped = options.target_pool_size, options.target_drop_index
    artificial = options.target_delay_s > 0 or options.target_error_ratio > 0 or options.target_hold_s > 0
    artificial = artificial or pool_size is not None or dropped is not None or options.target_design != DESIGNS[0]
    interval = f"{options.interval_s:g} s"
    wrong = (
        (options.agents < 1, "--agents", "no agents", options.agents, "1 or more"),
        (options.agents > _MOST_AGENTS, "--agents", "too many", options.agents, f"{_MOST_AGENTS} or fewer"),
        (options.interval_s < 0.001, "--interval", "not a time to wait", interval, "1 ms or more"),
        (not 1 <= options.processes <= 256, "--processes", "out of range", options.processes, "1..256"),
        (options.seed < 0, "--seed", "below zero", options.seed, "0 or more"),
        (options.deployments < 0, "--deployments", "less than none", options.deployments, "0 or more"),
        (
            options.deployments > _MOST_ROWS,
            "--deployments",
            "too many",
            options.deployments,
            f"{_MOST_ROWS} or fewer",
        ),
        (options.request_timeout_s <= 0, "--request-timeout", "no time at all", "0 s", "more than 0 s"),
        (
            pool_size is not None and not 1 <= pool_size <= 1000,
            "--target-pool-size",
            "out of range",
            pool_size,
            "1..1000",
        ),
        (not whole_seconds, "--run-time", "no whole seconds", f"{options.run_time_s:g} s", "a form such as 70s"),
    )
    for is_wrong, option, fault, got, need in wrong:
        if is_wrong:
            raise UsageError(explain("option", option, fault=fault, got=got, need=need))
    if options.host is not None and artificial:
        fault = "options that begin with --target are for the embedded target only"
        raise UsageError(explain("option", "--host", fault=fault, remedy="leaving one of them out"))
    if options.database_url is not None and dropped is not None:
        fault = "the index would stay dropped in a database that is somebody's"
        raise UsageError(
            explain("option", "--target-drop-index", fault=fault, remedy="leaving --database-url out")
        )
