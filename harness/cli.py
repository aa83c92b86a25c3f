"""
The `harness` command: parse, build objects, call one function, map the outcome to an exit code.

Nothing heavy is imported before a command needs it, so that `harness --help` stays instant.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.errors import ExitCode, HarnessError, explain
from harness.units import parse_duration_s, parse_ratio

if TYPE_CHECKING:
    from harness.model import Result

_EPILOG = """\
exit codes:
  0 pass          every gate that could be judged passed
  1 own error     a file, a port, a database or a host was not to be had
  2 usage         the command line can't work
  3 fail          the data show that a limit is broken
  4 inconclusive  too few polls to tell
  5 invalid       the load generator itself was late, the target is not to blame

examples:
  harness run                                   the bundled master, 50 agents, a minute, a verdict
  harness run --host https://staging.example    the same against a target that runs already
  harness run --target-delay 600ms              see a gate fail
  harness report runs/20261123T083000Z-3f9a     draw a stored run's report again
"""

_RUN_EPILOG = """\
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


_EXIT_CODES = {
    "PASS": ExitCode.PASS,
    "FAIL": ExitCode.FAIL,
    "INCONCLUSIVE": ExitCode.INCONCLUSIVE,
    "INVALID": ExitCode.INVALID,
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Load tests, gates and reports for a deployment master that a fleet of agents polls.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"harness {harness.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_report(commands)
    _add_serve(commands)
    _add_seed(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        An `ExitCode`.
    """
    parser = build_parser()
    options = parser.parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except HarnessError as fault:
        print(f"harness: {fault}", file=sys.stderr)
        return fault.exit_code
    except KeyboardInterrupt:
        print("harness: stopped at once", file=sys.stderr)
        return ExitCode.OWN_ERROR
    except ModuleNotFoundError as fault:
        remedy = "pip install 'pollgauge[harness]'"
        missing = fault.name or str(fault)
        print(f"harness: {explain('package', missing, fault='not installed', remedy=remedy)}", file=sys.stderr)
        return ExitCode.OWN_ERROR


def entry_point() -> None:
    """Run the command line of this process and exit."""
    sys.exit(main())


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "run",
        help="start a target, poll it with a fleet of agents, judge, report",
        description="Start the bundled deployment master (or attach to a running one), let agents poll it, "
        "judge the targets and write a report. The verdict goes to stdout, progress to stderr.",
        epilog=_RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
        default="30s",
        metavar="TIME",
        help="a poll without an answer for so long has failed (default: 30s)",
    )
    target = parser.add_argument_group("target")
    target.add_argument(
        "-H",
        "--host",
        metavar="URL",
        help="base URL of a running target; without it the bundled master is started on a free port",
    )
    target.add_argument(
        "--database-url",
        metavar="URL",
        help="SQLAlchemy URL: the bundled master's database (default: a temporary SQLite file), or "
        "with --host the target's, asked for its query plans only",
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
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="folder that gets the run's own folder (default: runs)",
    )
    output.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    parser.set_defaults(command=_run)


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "report",
        help="draw a stored run's report again; judge a run that was killed on what it had",
        description="Print a stored run's verdict and write its plots and report.html anew.",
        epilog="examples:\n  harness report runs/20261123T083000Z-3f9a\n"
        "  harness report runs/20261123T083000Z-3f9a.partial\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run's folder")
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    parser.set_defaults(command=_report)


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from harness.backend.server import add_serve_arguments, run_server

    parser = commands.add_parser(
        "serve",
        help="run the bundled deployment master by hand",
        description="Run the bundled deployment master until Ctrl-C.",
        epilog="examples:\n  harness serve --port 8000\n  harness serve --port 8000 --delay 600ms\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_serve_arguments(parser)
    parser.set_defaults(command=run_server)


def _add_seed(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from harness.backend.seed import add_seed_arguments, run_seed

    parser = commands.add_parser(
        "seed",
        help="fill a database with agents and deployments",
        description="Create the schema and fill it with agents and deployments, the same ones for the same seed.",
        epilog="examples:\n  harness seed --database-url sqlite:///master.db --agents 50 --deployments 100000\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_seed_arguments(parser)
    parser.set_defaults(command=run_seed)


def _run(options: argparse.Namespace) -> int:
    # Checked before anything heavy is imported: a usage error answers at once.
    agents = options.agents
    interval_s = parse_duration_s(options.interval, name="--interval")
    warmup_s = None if options.warmup is None else parse_duration_s(options.warmup, name="--warmup")
    from harness.http import check_base_url
    from harness.interrupt import Interrupt
    from harness.run import RunOptions, execute, shortfall_text

    run_options = RunOptions(
        host=None if options.host is None else check_base_url(options.host, option="--host"),
        agents=agents,
        interval_s=interval_s,
        run_time_s=parse_duration_s(options.run_time, name="--run-time"),
        warmup_s=warmup_s,
        phase_model=options.phase_model,
        seed=options.seed,
        out=options.out,
        database_url=options.database_url,
        deployments=options.deployments,
        request_timeout_s=parse_duration_s(options.request_timeout, name="--request-timeout"),
        target_delay_s=parse_duration_s(options.target_delay, name="--target-delay"),
        target_error_ratio=parse_ratio(options.target_error_ratio, name="--target-error-ratio"),
    )
    shortfall = shortfall_text(run_options)
    if shortfall is not None:
        print(f"harness: {shortfall}", file=sys.stderr)
    with Interrupt().installed() as interrupt:
        outcome = execute(run_options, interrupt)
    return _show(outcome.result, outcome.directory.path, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    from harness.conclude import report_again

    return _show(report_again(options.run_dir), options.run_dir, as_json=options.json)


def _show(result: "Result", path: Path, *, as_json: bool) -> int:
    from rich.console import Console

    from harness.report.terminal import print_verdict
    from harness.rundir import encode

    if as_json:
        print(encode(result).decode())
    else:
        print_verdict(result, Console())
        print(f"report: {path / 'report.html'}")
    return _EXIT_CODES[result.verdict.status.value]
