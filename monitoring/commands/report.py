"""
Report what a service did within a window: metrics, the pending endpoint, pools, log analysis, coverage.

Figures come from the store beside the log files, or from a running service (--url), or from the log files alone.
The service may be running or not, and copied files do as well.

Examples:
  monitoring report
  monitoring report --hours 12
  monitoring report --output reports/report_$(date +%Y%m%d_%H%M%S).html --keep 30 --index
  monitoring report --url http://127.0.0.1:8000 --hours 1
  monitoring report --logs copied/ --since 2026-11-23T08:00 --until 2026-11-23T09:30 --output report.html

Exit codes: 0 done, 1 a source or the output can't be used, 2 wrong usage.
"""

import argparse
import sys
from pathlib import Path

from monitoring.clock import SystemClock
from monitoring.reports.options import add_places, add_window


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``monitoring report``."""
    add_window(parser)
    add_places(parser)
    group = parser.add_argument_group("output")
    group.add_argument(
        "--format",
        choices=("text", "json", "html", "markdown"),
        help="default: by the name of the output, else text",
    )
    group.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write to this file (its folder is made) instead of the terminal",
    )
    group.add_argument(
        "--index",
        action="store_true",
        help="renew index.html beside FILE: a page that lists the reports of its folder, the newest first",
    )
    group.add_argument(
        "--keep",
        metavar="N",
        type=int,
        help="keep the newest N reports whose names differ from FILE in their digits only, remove older ones",
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Make the report and write it.

    Returns:
        0.

    Raises:
        UsageError: an argument that can't be used.
        MonitoringError: a source can't be read, or the output not written.
    """
    # Imported only now: --help stays instant.
    from monitoring.errors import UsageError, explain
    from monitoring.report import make_report
    from monitoring.reports import files, listing
    from monitoring.reports.arguments import places_from, window_from
    from monitoring.reports.forms import RENDERERS, as_json, format_for
    from monitoring.reports.progress import ProgressBar
    from monitoring.reports.sections import document
    from monitoring.units import utc

    now_s = SystemClock.wall_s()
    window = window_from(arguments, now_s)
    places = places_from(arguments)
    output: Path | None = arguments.output
    if arguments.keep is not None:
        if output is None:
            raise UsageError(explain("option", "--keep", fault="given without --output", need="both or none"))
        files.check_keep(output, arguments.keep)
    if arguments.index:
        if output is None:
            raise UsageError(explain("option", "--index", fault="given without --output", need="both or none"))
        listing.check_index(output)
    if output is not None:
        files.prepare(output)
    with ProgressBar() as bar:
        report = make_report(places, window, generated=utc(now_s), on_progress=bar)
    form = format_for(arguments.format, output)
    text = as_json(report) if form == "json" else RENDERERS[form](document(report))
    if output is None:
        sys.stdout.write(text)
        return 0
    files.write(output, text)
    removed = [] if arguments.keep is None else files.remove_old(output, arguments.keep)
    if arguments.index:
        listing.write_index(output.parent)
    if sys.stderr.isatty():
        gone = f", {len(removed)} old removed" if removed else ""
        sys.stderr.write(f"wrote {output}{gone}\n")
    return 0
