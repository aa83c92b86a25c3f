"""
The `harness` command: parse, call one function, map the outcome to an exit code.

A command's module is imported when the command is asked for, and what is heavy when it runs, so that
`harness --help` stays instant.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import harness
from harness.errors import ExitCode, HarnessError, explain

_NEGATIVE = re.compile(r"-\d")
_SHORT = re.compile(r"-[A-Za-z]")

_EPILOG = """\
exit codes:
  0 pass          every gate that could be judged passed
  1 own error     a file, a port, a database or a host was not to be had
  2 usage         the command line can't work
  3 fail          the data show that a limit is broken
  4 inconclusive  too few polls to tell
  5 invalid       the load generator itself was late, the target is not to blame

examples:
  harness run                                   the reference master, 50 agents, a minute, a verdict
  harness run --host https://staging.example    the same against a target that runs already
  harness run --target-delay 600ms              see a gate fail
  harness report runs/20261123T083000Z-3f9a     draw a stored run's report again
"""

REPORT_EPILOG = (
    "examples:\n  harness report runs/20261123T083000Z-3f9a\n  harness report runs/20261123T083000Z-3f9a.partial\n"
)
SERVE_EPILOG = "examples:\n  harness serve --port 8000\n  harness serve --port 8000 --delay 600ms\n"
SEED_EPILOG = "examples:\n  harness seed --database-url sqlite:///master.db --agents 50 --deployments 100000\n"


class _Command(NamedTuple):
    """
    A subcommand: what its help says, who declares its options, who runs it.

    The last three are references, ``module:name``: to a text, a function that takes the parser, and one that takes
    what was parsed and returns the exit code.
    """

    name: str
    help: str
    description: str
    epilog: str
    add_arguments: str
    run: str


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """
    Return the parser of all commands.

    Args:
        only: name of the command whose options are declared, the others being known by name; None declares all.
    """
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Load tests, gates and reports for a deployment master that a fleet of agents polls.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"harness {harness.__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        asked = only in {None, command.name}
        own = subparsers.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            # The option costs more than all the rest of a parser that is there for its name.
            add_help=asked,
        )
        if asked:
            own.epilog = _load(command.epilog)
            _load(command.add_arguments)(own)
            own.set_defaults(command=_load(command.run))
    return parser


def _load(reference: str) -> Any:
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        An `ExitCode`.
    """
    words = _join_negative(sys.argv[1:] if argv is None else argv)
    # Before its command the line takes options without values only.
    name = next((word for word in words if not word.startswith("-")), "")
    try:
        options = build_parser(name).parse_args(words)
        run: Callable[[argparse.Namespace], int] = options.command
        Path.cwd()
        return run(options)
    except HarnessError as fault:
        _say(str(fault))
        return fault.exit_code
    except KeyboardInterrupt:
        _say("stopped at once")
        return ExitCode.OWN_ERROR
    except OSError as fault:
        what = "working directory" if isinstance(fault, FileNotFoundError) and not fault.filename else "system"
        _say(explain(what, fault=f"can't be used: {fault.strerror or fault}"))
        return ExitCode.OWN_ERROR
    except ModuleNotFoundError as fault:
        missing = fault.name or str(fault)
        _say(explain("package", missing, fault="not installed", remedy="pip install 'pollgauge[harness]'"))
        return ExitCode.OWN_ERROR


def entry_point() -> None:
    """Run the command line of this process and exit."""
    sys.exit(main())


def _run(parsed: argparse.Namespace) -> int:
    from harness.ci.options import read_output_options
    from harness.listing.command import show_dry_run
    from harness.options import read_run_options

    options = read_run_options(parsed)
    if parsed.dry_run:
        return show_dry_run(options, as_json=parsed.json)
    outputs = read_output_options(parsed)
    from harness.ci.command import show_result
    from harness.interrupt import Interrupt
    from harness.run import execute, shortfall_text

    shortfall = shortfall_text(options)
    if shortfall is not None:
        _say(shortfall)
    with Interrupt().installed() as interrupt:
        outcome = execute(options, interrupt)
    recording = outcome.recording
    if recording is not None and recording.fault is not None:
        _say(f"the run is not in the history: {recording.fault}")
    return show_result(
        outcome.result,
        outputs,
        as_json=parsed.json,
        report=outcome.directory.report if outcome.drawing_fault is None else None,
        fault=outcome.drawing_fault,
    )


def _add_report_arguments(parser: argparse.ArgumentParser) -> None:
    from harness.ci.options import add_output_arguments
    from harness.project import add_history_argument

    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run's folder")
    add_history_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")
    add_output_arguments(parser)


def _report(parsed: argparse.Namespace) -> int:
    from harness.ci.command import show_result
    from harness.ci.options import read_output_options
    from harness.conclude import conclude_again, draw
    from harness.project import history_place
    from harness.rundir import RunDirectory
    from harness.trending.context import run_context

    outputs = read_output_options(parsed)
    directory = RunDirectory(parsed.run_dir)
    conclusion = conclude_again(parsed.run_dir)
    fault = draw(conclusion, directory, run_context(conclusion, history_place(parsed.history)))
    report = directory.report if fault is None else None
    return show_result(conclusion.result, outputs, as_json=parsed.json, report=report, fault=fault)


def _join_negative(arguments: Sequence[str]) -> list[str]:
    """Join ``--interval -1s`` and ``-t -1s`` to one word: argparse takes what starts with a dash for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and _NEGATIVE.match(word) and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += f"={word}"
        elif joined and _NEGATIVE.match(word) and _SHORT.fullmatch(joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _say(text: str) -> None:
    print(f"harness: {text}", file=sys.stderr)


_COMMANDS = (
    _Command(
        name="run",
        help="start a target, poll it with a fleet of agents, judge, report",
        description="Start the reference deployment master (or attach to a running one), let agents poll it,\n"
        "judge the targets and write a report. The verdict goes to stdout, progress to stderr.",
        epilog="harness.run_arguments:RUN_EPILOG",
        add_arguments="harness.run_arguments:add_run_arguments",
        run="harness.cli:_run",
    ),
    _Command(
        name="scenarios",
        help="list what the agents can be made to do",
        description="List the scenarios that harness run and plain Locust can drive.",
        epilog="harness.listing.command:EPILOG",
        add_arguments="harness.listing.command:add_scenarios_arguments",
        run="harness.listing.command:run_scenarios",
    ),
    _Command(
        name="report",
        help="draw a stored run's report again; judge a run that was killed on what it had",
        description="Print a stored run's verdict and write its plots and report.html anew.",
        epilog="harness.cli:REPORT_EPILOG",
        add_arguments="harness.cli:_add_report_arguments",
        run="harness.cli:_report",
    ),
    _Command(
        name="compare",
        help="compare runs with their baseline: surely no worse, surely worse, or neither",
        description="Compare runs with earlier ones. The run is the unit; what differs besides is named first.",
        epilog="harness.comparison.command:EPILOG",
        add_arguments="harness.comparison.command:add_compare_arguments",
        run="harness.comparison.command:run_compare",
    ),
    _Command(
        name="trend",
        help="what became of every metric over the runs: charts, changes, an exit code",
        description="Judge the series of the history and draw them; accept a change; note a release.",
        epilog="harness.trending.command:EPILOG",
        add_arguments="harness.trending.command:add_trend_arguments",
        run="harness.trending.command:run_trend",
    ),
    _Command(
        name="gate",
        help="judge a stored run, or pytest-benchmark's JSON, under other gates without load",
        description="Judge a stored run under other gates, or pytest-benchmark's JSON. Nothing is started.",
        epilog="harness.gating.command:EPILOG",
        add_arguments="harness.gating.command:add_gate_arguments",
        run="harness.gating.command:run_gate",
    ),
    _Command(
        name="schema",
        help="print the JSON schema of what a command writes",
        description="Print the JSON schema (draft 2020-12) of what a command writes.",
        epilog="harness.schemas.command:EPILOG",
        add_arguments="harness.schemas.command:add_schema_arguments",
        run="harness.schemas.command:run_schema",
    ),
    _Command(
        name="selftest",
        help="see the gates trip for known faults, and hold without any",
        description="Put known faults into the reference master, and show that exactly the right gates trip.",
        epilog="harness.selftest.command:EPILOG",
        add_arguments="harness.selftest.command:add_selftest_arguments",
        run="harness.selftest.command:run_selftest",
    ),
    _Command(
        name="ab",
        help="measure two targets, revisions or settings in one job, interleaved, and say which is worse",
        description="Measure A and B in one job, in short rounds and in a random order.",
        epilog="harness.ab.command:EPILOG",
        add_arguments="harness.ab.command:add_ab_arguments",
        run="harness.ab.command:run_ab_command",
    ),
    _Command(
        name="capacity",
        help="find the largest fleet that the target serves within the limits",
        description="Try fleets until one breaks, and bisect: the largest that holds, the smallest that breaks.",
        epilog="harness.capacity.command:EPILOG",
        add_arguments="harness.capacity.command:add_capacity_arguments",
        run="harness.capacity.command:run_capacity",
    ),
    _Command(
        name="init",
        help="write a gate file to begin with",
        description="Write gates.toml with the targets of the specification and comments. Asks nothing.",
        epilog="harness.init.command:EPILOG",
        add_arguments="harness.init.command:add_init_arguments",
        run="harness.init.command:run_init",
    ),
    _Command(
        name="serve",
        help="run the reference deployment master by hand",
        description="Run the reference deployment master until Ctrl-C.",
        epilog="harness.cli:SERVE_EPILOG",
        add_arguments="harness.backend.server:add_serve_arguments",
        run="harness.backend.server:run_server",
    ),
    _Command(
        name="seed",
        help="fill a database with agents and deployments",
        description="Create the schema and fill it with agents and deployments, the same ones for the same seed.",
        epilog="harness.cli:SEED_EPILOG",
        add_arguments="harness.backend.seed:add_seed_arguments",
        run="harness.backend.seed:run_seed",
    ),
    _Command(
        name="history",
        help="look at, add to, thin, hand on and examine the kept runs",
        description="Keep one record a run, and read what became of the figures over time.",
        epilog="harness.history.command:EPILOG",
        add_arguments="harness.history.command:add_history_arguments",
        run="harness.history.command:run_history",
    ),
    _Command(
        name="indexes",
        help="ask a database how it serves the queries it gets",
        description="Explain the queries of a database, and say which indexes are missing, idle or double.",
        epilog="harness.indexes.command:EPILOG",
        add_arguments="harness.indexes.command:add_indexes_arguments",
        run="harness.indexes.command:run_indexes",
    ),
)
