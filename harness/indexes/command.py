"""`harness indexes`: audit the indexes of a database, and the statements of its query log."""

import argparse
from pathlib import Path

from harness.errors import ExitCode, UsageError, explain

EPILOG = """\
Nothing is written to the database: every statement is only explained, in a read-only transaction with a time-out.
What might help is tried on a copy: of the schema (SQLite, in memory), or of up to 10,000 rows of the tables
concerned (PostgreSQL, on a server of our own that is removed afterwards). --no-trial copies and proposes nothing.

examples:
  harness indexes --database-url sqlite:///master.db
  harness indexes --database-url sqlite:///master.db --queries logs/database-queries.log
  harness indexes --database-url postgresql+psycopg://user@host/master --html audit.html

exit codes: 0 nothing wrong, 3 a fault with a known cure, 4 too little could be judged, 1 own error, 2 usage
"""


def add_indexes_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness indexes`, which `run_indexes` reads."""
    parser.add_argument(
        "--database-url",
        required=True,
        metavar="URL",
        help="the database to audit: SQLite, or PostgreSQL 12 and newer",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help="the service's database-queries.log; rotated and compressed ones beside it are read too",
    )
    parser.add_argument(
        "--top", type=int, default=50, metavar="N", help="statements explained, by total time (default: 50)"
    )
    parser.add_argument("--no-trial", action="store_true", help="try no index, copy nothing")
    parser.add_argument("--json", action="store_true", help="print the audit as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the audit as one HTML page as well")


def run_indexes(options: argparse.Namespace) -> int:
    """
    Audit as the options say, print the outcome on stdout, and return the exit code.

    Raises:
        HarnessError: the database or the log can't be read, or the page not be written.
    """
    if options.top < 1:
        raise UsageError(explain("option", "--top", fault="too small", got=options.top, need="1 or more"))
    # Heavy, so that --help stays instant.
    from harness.ci.command import print_safely
    from harness.indexes.opening import open_database
    from harness.indexes.render import render_html, render_json, render_text
    from harness.indexes.workload import read_workload
    from harness.indexes.workload_audit import audit_workload
    from harness.rundir import write_atomically

    workload = read_workload(options.queries) if options.queries is not None else None
    with open_database(options.database_url) as database:
        audit = audit_workload(database, workload, top=options.top, trial=not options.no_trial)
    text = render_json(audit) if options.json else render_text(audit)
    print_safely(lambda: print(text))
    # After the text: a folder that can't be written costs the page, and not the audit.
    if options.html is not None:
        write_atomically(options.html, render_html(audit).encode())
    return ExitCode[audit.status.name]
