"""
The errors that reach a person, in one form.

``<what> '<name>': <fault>, got <value>, need <range>; try <remedy>``
"""


class MonitoringError(Exception):
    """Something outside the call kept the work from being done: a host, a file, a store."""

    exit_code = 1


class UsageError(MonitoringError):
    """A value was given that can't work, whatever the machine."""

    exit_code = 2


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
        what: the thing at fault, such as ``setting`` or ``store``.
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
