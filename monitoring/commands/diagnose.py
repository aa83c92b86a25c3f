"""
Look for the four known problems: many polls, slow answers, many errors, an exhausted connection pool.

What is found is shown with its evidence (which agents, statements, lines of code, holders of connections) and its
remedy; what is not, with what was looked at.

Examples:
  monitoring diagnose
  monitoring diagnose --hours 1 --url http://127.0.0.1:8000
  monitoring diagnose --logs copied/ --since 2026-11-23T08:00 --json

Exit codes: 0 none found, 3 a problem found, 4 none found but one could not be looked for,
1 a source can't be read, 2 wrong usage.
"""

import argparse
import sys

from monitoring.clock import SystemClock
from monitoring.reports.options import add_places, add_window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``monitoring diagnose``."""
    parser.add_argument(
        "--interval",
        default="10s",
        metavar="DURATION",
        help="how often an agent should poll (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the diagnosis as JSON")
    add_window(parser)
    add_places(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Make a report of the window, look for problems and print the diagnosis.

    Returns:
        0, 3 or 4.

    Raises:
        UsageError: an argument that can't be used.
        MonitoringError: a source can't be read.
    """
    # Imported only now: --help stays instant.
    from monitoring.diagnosis import diagnose, document
    from monitoring.report import make_report
    from monitoring.reports.arguments import limits_from, places_from, window_from
    from monitoring.reports.forms import as_json
    from monitoring.reports.progress import ProgressBar
    from monitoring.reports.text import render
    from monitoring.units import utc
    from monitoring.version import version

    now_s = SystemClock.wall_s()
    window = window_from(arguments, now_s)
    limits = limits_from(arguments)
    places = places_from(arguments)
    with ProgressBar() as bar:
        report = make_report(places, window, generated=utc(now_s), on_progress=bar)
    diagnosis = diagnose(report, limits=limits)
    sys.stdout.write(as_json(diagnosis) if arguments.json else render(document(diagnosis, version=version())))
    return diagnosis.exit_code
