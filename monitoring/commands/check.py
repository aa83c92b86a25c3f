"""
Go through the daily or the weekly checklist: each item with its figure, its limit and pass, warn, fail or unknown.

With --database-url the weekly list also asks `harness indexes`, where the harness is installed, to explain every
statement of the query log.

The daily list looks at the last 24 hours, the weekly one at the last seven days and the seven before them.

Examples:
  monitoring check --daily
  monitoring check --weekly --database-url sqlite:///master.db
  monitoring check --daily --url http://127.0.0.1:8000 --json

Exit codes: 0 every item passes or warns, 3 an item failed, 4 none failed but one is unknown (unknown is not pass),
1 a source can't be read, 2 wrong usage.
"""

import argparse
import sys

from monitoring.clock import SystemClock
from monitoring.reports.options import add_places


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``monitoring check``."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--daily", dest="period", action="store_const", const="daily", help="the last 24 hours")
    which.add_argument("--weekly", dest="period", action="store_const", const="weekly", help="the last seven days")
    parser.add_argument("--until", metavar="TIME", help="up to this instant (default: now); for copied files")
    parser.add_argument(
        "--interval",
        default="10s",
        metavar="DURATION",
        help="how often an agent should poll (default: %(default)s)",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        help="look into this database whether the indexes are there and used (weekly; nothing is changed)",
    )
    parser.add_argument("--json", action="store_true", help="print the checklist as JSON")
    add_places(parser)


def run(arguments: argparse.Namespace) -> int:
    """
    Make a report of the period, judge it and print the checklist.

    Returns:
        0, 3 or 4.

    Raises:
        UsageError: an argument that can't be used.
        MonitoringError: a source can't be read.
    """
    # Imported only now: --help stays instant.
    from monitoring.checklist import HOURS, check, document
    from monitoring.errors import UsageError, explain
    from monitoring.logfiles import QUERY_LOG
    from monitoring.report import make_report
    from monitoring.reports.arguments import limits_from, places_from, window_from
    from monitoring.reports.audit import audit_indexes, with_audit
    from monitoring.reports.forms import as_json
    from monitoring.reports.indexes import look_at_indexes
    from monitoring.reports.progress import ProgressBar
    from monitoring.reports.text import render
    from monitoring.units import utc
    from monitoring.version import version

    if arguments.database_url is not None and arguments.period != "weekly":
        raise UsageError(
            explain("option", "--database-url", fault="not part of the daily list", remedy="--weekly")
        )
    now_s = SystemClock.wall_s()
    arguments.hours = arguments.since = None
    window = window_from(arguments, now_s, default_h=HOURS[arguments.period])
    limits = limits_from(arguments)
    places = places_from(arguments)
    with ProgressBar() as bar:
        report = make_report(places, window, generated=utc(now_s), on_progress=bar)
    indexes = None
    if arguments.database_url is not None:
        statements = [] if report.now is None else [one.statement for one in report.now.statements or ()]
        indexes = look_at_indexes(arguments.database_url, statements)
        query_log = places.logs / QUERY_LOG if places.logs is not None else None
        indexes = with_audit(indexes, audit_indexes(arguments.database_url, query_log))
    checklist = check(report, arguments.period, limits=limits, indexes=indexes)
    sys.stdout.write(as_json(checklist) if arguments.json else render(document(checklist, version=version())))
    return checklist.exit_code
