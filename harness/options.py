"""The options of `harness run`: declared, read into a record, refused where they can't work. Light to import."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.backend.config import DATABASE_URL_VARIABLE
from harness.ci.options import add_output_arguments
from harness.errors import UsageError, explain
from harness.project import add_history_argument, history_place
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
        history: folder or URL of the history that the run is recorded in; None for none.
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
    history: str | None = None


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness run`, which `read_run_options` reads."""
    _add_load(parser)
    _add_target(parser)
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


def _add_load(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("load")
    load.add_argument(
        "-u",
        "--users",
        "--agents",
        dest="agents",
        type=int,
        default=50,
        metavar="N",
        help="number of agents (default: 50)",
    )
    load.add_argument(
        "--interval", default="10s", metavar="TIME", help="between two polls of an agent (default: 10s)"
    )
    load.add_argument(
        "-t",
        "--run-time",
        default="70s",
        metavar="TIME",
        help="length of the load, the warm-up included (default: 70s)",
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

    return RunOptions(
        host=None if parsed.host is None else check_base_url(parsed.host, option="--host"),
        agents=parsed.agents,
        interval_s=parse_duration_s(parsed.interval, name="--interval"),
        run_time_s=parse_duration_s(parsed.run_time, name="--run-time"),
        warmup_s=None if parsed.warmup is None else parse_duration_s(parsed.warmup, name="--warmup"),
        phase_model=parsed.phase_model,
        seed=parsed.seed,
        out=parsed.out,
        database_url=parsed.database_url,
        deployments=parsed.deployments,
        request_timeout_s=parse_duration_s(parsed.request_timeout, name="--request-timeout"),
        target_delay_s=parse_duration_s(parsed.target_delay, name="--target-delay"),
        target_error_ratio=parse_ratio(parsed.target_error_ratio, name="--target-error-ratio"),
        target_pool_size=parsed.target_pool_size,
        target_hold_s=parse_duration_s(parsed.target_hold, name="--target-hold"),
        target_drop_index=parsed.target_drop_index,
        history=None if parsed.no_history else history_place(parsed.history, out=parsed.out),
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
        name="agent-polling",
        agents=options.agents,
        interval_s=options.interval_s,
        run_time_s=options.run_time_s,
        warmup_s=options.interval_s if options.warmup_s is None else options.warmup_s,
        phase_model=options.phase_model,
        seed=options.seed,
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
    artificial = artificial or pool_size is not None or dropped is not None
    interval = f"{options.interval_s:g} s"
    wrong = (
        (options.agents < 1, "--agents", "no agents", options.agents, "1 or more"),
        (options.agents > _MOST_AGENTS, "--agents", "too many", options.agents, f"{_MOST_AGENTS} or fewer"),
        (options.interval_s < 0.001, "--interval", "not a time to wait", interval, "1 ms or more"),
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
