"""
The errors that reach a person, and the exit codes that reach a shell.

Every text reads ``<what> '<name>': <fault>, got <value>, need <range>; try <remedy>``: what is wrong,
with which value, what would be right and what to do.
"""

from enum import IntEnum

from monitoring.errors import explain

__all__ = ["ExitCode", "HarnessError", "UsageError", "explain"]


class ExitCode(IntEnum):
    """What `harness` tells the shell."""

    PASS = 0
    OWN_ERROR = 1
    USAGE = 2
    FAIL = 3
    INCONCLUSIVE = 4
    INVALID = 5


class HarnessError(Exception):
    """Something outside the command line kept the work from being done: a host, a file, a database."""

    exit_code = ExitCode.OWN_ERROR


class UsageError(HarnessError):
    """The command was called with a value that can't work, whatever the machine."""

    exit_code = ExitCode.USAGE
