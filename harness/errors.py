"""
The errors that reach a person, and the exit codes that reach a shell.

Every text reads ``<what> '<name>': <fault>, got <value>, need <range>; try <remedy>``: what is wrong,
with which value, what would be right and what to do.
"""

from enum import IntEnum


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


def explain(
    what: str,
    name: str | None = None,
    *,
    fault: str,
    got: object = None,
    need: str | None = None,
    remedy: str | None = None,
) -> str:
    """
    Build an error text in the one form the project uses.

    Args:
        what: the thing at fault, such as ``option`` or ``database``.
        name: its name, shown in quotes.
        fault: what is wrong with it, a clause without a full stop.
        got: the offending value; left out when None.
        need: the range or form that would have been right.
        remedy: a command or a step that helps.

    Returns:
        One line, without a full stop at its end.
    """
    text = f"{what} '{name}': {fault}" if name is not None else f"{what}: {fault}"
    if got is not None:
        text += f", got {got}"
    if need is not None:
        text += f", need {need}"
    if remedy is not None:
        text += f"; try {remedy}"
    # One line whatever the parts hold: a driver's message often has several.
    return " ".join(text.split())
