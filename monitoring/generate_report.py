"""
The report as a script of its own: ``python -m monitoring.generate_report``, the same as ``monitoring report``.

A service that wants ``python generate_report.py`` in its own folder puts two lines there::

    from monitoring.generate_report import entry_point
    entry_point()
"""

import sys
from collections.abc import Sequence

from monitoring import cli


def main(argv: Sequence[str] | None = None) -> int:
    """
    Make a report.

    Args:
        argv: arguments of ``monitoring report``; by default those of the process.

    Returns:
        The exit code.
    """
    return cli.main(["report", *(sys.argv[1:] if argv is None else argv)])


def entry_point() -> None:
    """Make a report of this process's arguments and exit."""
    sys.exit(main())


if __name__ == "__main__":
    entry_point()
