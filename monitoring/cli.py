"""
The `monitoring` command: parse, call one function, map the outcome to an exit code.

A subcommand is one entry in `COMMANDS`: its name, a line of help, and the module that has
``add_arguments(parser)`` and ``run(arguments) -> int``. The module is imported only when the subcommand is asked
for, so ``--help`` stays instant.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

from monitoring.errors import MonitoringError, explain


class Command(NamedTuple):
    """A subcommand: its name, its line in the help, its module, whose docstring is its own help."""

    name: str
    help: str
    module: str


COMMANDS: tuple[Command, ...] = (
    Command("metrics", "show the figures of a running service", "monitoring.commands.metrics"),
    Command("report", "report what a service did within a window", "monitoring.commands.report"),
    Command("check", "go through the daily or weekly checklist", "monitoring.commands.check"),
    Command("diagnose", "look for the known problems, with evidence and remedy", "monitoring.commands.diagnose"),
)

_EPILOG = """\
examples:
  monitoring metrics http://127.0.0.1:8000
  monitoring metrics http://127.0.0.1:8000 --endpoint pending-deployments --window 5m
  monitoring report --hours 24 --logs logs
  monitoring check --daily --logs logs
  monitoring diagnose --url http://127.0.0.1:8000
  monitoring COMMAND --help

exit codes: 0 done, 1 an error on the way, 2 wrong usage; a command may have more, see its help
"""


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command line.

    Args:
        argv: arguments without the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="monitoring",
        description="Look into a service that the monitoring layer watches.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    for command in COMMANDS:
        if command.name == chosen:
            module = import_module(command.module)
            own = subparsers.add_parser(
                command.name,
                help=command.help,
                description=module.__doc__,
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            module.add_arguments(own)
            own.set_defaults(run=module.run)
        else:
            subparsers.add_parser(command.name, help=command.help)
    parsed = parser.parse_args(arguments)
    if parsed.version:
        from monitoring.version import version

        sys.stdout.write(f"monitoring (pollgauge) {version()}\n")
        return 0
    if parsed.command is None:
        parser.print_help(sys.stderr)
        return 2
    return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    if sys.stdout is None:
        # Closed by whoever started us (>&-): a report may go to a file all the same.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # for as long as we live
    try:
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except MonitoringError as error:
        sys.stderr.write(f"monitoring: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        _write_no_more()
        return 0
    except OSError as error:
        if error.filename is not None:
            raise  # of its files each command tells itself: a fault of ours
        fault = explain("standard output", fault=f"can't be used ({error.strerror or error})")
        sys.stderr.write(f"monitoring: {fault}\n")
        _write_no_more()
        return MonitoringError.exit_code
    except KeyboardInterrupt:
        return 130
    return code


def _write_no_more() -> None:
    """Have what is still buffered go nowhere: at exit there would be a second error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def entry_point() -> None:
    """Run the command line of this process and exit."""
    sys.exit(main())
