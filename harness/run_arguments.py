"""The options of `harness run`, declared; `harness.options` reads them. Light to import."""

import argparse
import os
from pathlib import Path

from harness.backend.config import DATABASE_URL_VARIABLE, DESIGNS
from harness.ci.options import add_output_arguments
from harness.project import add_history_argument
from harness.scenarios import DEFAULT_SCENARIO, add_parameters, all_parameters
from harness.staging import add_staging_options

_AGENTS = 50

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


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness run`, which `harness.options.read_run_options` reads."""
    add_work_arguments(parser)
    _add_gates(parser, told=True)
    _add_output(parser)
    add_output_arguments(parser)


def add_search_arguments(parser: argparse.ArgumentParser, *, first_fleet: int) -> None:
    """
    Add the options of `harness run` for a search of many runs, which `harness.options.read_run_options` reads.

    Those that are about a single run are not told, and still read: the search can say what to take instead.

    Args:
        parser: gets them.
        first_fleet: default of its size.
    """
    _add_one_run(parser.add_argument_group(), told=False)
    load = parser.add_argument_group("load")
    add_agents_argument(load, default=first_fleet, text="first fleet")
    _add_polling(load)
    _add_target(parser)
    add_staging_options(parser)
    _add_gates(parser, told=False)
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
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


def add_work_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those options of `harness run` that say what is done to which target, not how it is judged or told."""
    load = parser.add_argument_group("load")
    _add_one_run(load, told=True)
    add_agents_argument(load)
    _add_polling(load)
    _add_target(parser)
    add_staging_options(parser)
    add_parameters(parser, all_parameters())


def add_agents_argument(
    parser: argparse._ActionsContainer, *, default: int = _AGENTS, text: str = "number of agents"
) -> None:
    """Add the size of the fleet, under the name that Locust gives it and under ours."""
    parser.add_argument(
        "-u",
        "--users",
        "--agents",
        dest="agents",
        type=int,
        default=default,
        metavar="N",
        help=f"{text} (default: {default})",
    )


def _add_gates(parser: argparse.ArgumentParser, *, told: bool) -> None:
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
        "looks"
        if told
        else argparse.SUPPRESS,
    )


def _add_one_run(load: argparse._ActionsContainer, *, told: bool) -> None:
    texts = {
        "scenario": f"what the agents do; harness scenarios lists them (default: {DEFAULT_SCENARIO})",
        "dry_run": "say what would be sent where, and send and start nothing",
        "run_time": "length of the load, the warm-up included (default: the scenario's, 70s for agent-polling)",
    }
    texts = texts if told else dict.fromkeys(texts, argparse.SUPPRESS)
    load.add_argument("--scenario", default=DEFAULT_SCENARIO, metavar="NAME", help=texts["scenario"])
    load.add_argument("--dry-run", action="store_true", help=texts["dry_run"])
    load.add_argument("-t", "--run-time", metavar="DURATION", help=texts["run_time"])


def _add_polling(load: argparse._ActionsContainer) -> None:
    load.add_argument(
        "--interval", default="10s", metavar="DURATION", help="between two polls of an agent (default: 10s)"
    )
    load.add_argument("--warmup", metavar="DURATION", help="first part that is not judged (default: one interval)")
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
        metavar="DURATION",
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
        help="base URL of a running target; without it the reference master is started on a free port, as the "
        "embedded target",
    )
    target.add_argument(
        "--database-url",
        default=os.environ.get(DATABASE_URL_VARIABLE) or None,
        metavar="URL",
        help="SQLAlchemy URL: the reference master's database (default: a temporary SQLite file), or "
        f"with --host the target's, asked for its query plans only; ${DATABASE_URL_VARIABLE} keeps a password off "
        "the command line",
    )
    target.add_argument(
        "--deployments",
        type=int,
        default=100_000,
        metavar="N",
        help="rows to fill the reference master's database with (default: 100000)",
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
    _add_faults(target)


def _add_faults(target: argparse._ActionsContainer) -> None:
    """Add what makes the embedded target another or a worse one on purpose."""
    target.add_argument(
        "--target-design",
        choices=DESIGNS,
        default=DESIGNS[0],
        help="how the reference master's polled endpoint is built; common hangs when sixty agents come at once "
        "(default: reference)",
    )
    target.add_argument(
        "--target-delay",
        default="0s",
        metavar="DURATION",
        help="artificial delay in the reference master's polled handler (default: 0s)",
    )
    target.add_argument(
        "--target-error-ratio",
        default="0%",
        metavar="RATIO",
        help="artificial share of 500 answers of the reference master (default: 0%%)",
    )
    target.add_argument(
        "--target-pool-size",
        type=int,
        metavar="N",
        help="connections that the reference master's pool may open, none beyond (default: 8, and 4 beyond)",
    )
    target.add_argument(
        "--target-hold",
        default="0s",
        metavar="DURATION",
        help="how long each poll keeps its connection in the reference master after its query (default: 0s)",
    )
    target.add_argument(
        "--target-drop-index",
        metavar="NAME",
        help="leave the reference master without this index; not with --database-url, where it would stay dropped",
    )
