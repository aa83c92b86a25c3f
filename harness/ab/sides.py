"""The two sides of an A/B job: from words to the options of `harness run`."""

import argparse
import difflib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from harness.ab.rounds import Plan, Which
from harness.errors import UsageError, explain
from harness.options import RunOptions, read_run_options
from harness.run_arguments import add_run_arguments, add_work_arguments

_SHARED = {
    "agents": "--users",
    "interval": "--interval",
    "run_time": "--round-time",
    "warmup": "--warmup",
    "seed": "--seed",
}
"""What both sides have in common, lest they do different work: name in a namespace → option of `harness ab`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbOptions:
    """
    What `harness ab` was asked for.

    Args:
        common: options of `harness run` for both sides, as words.
        a: further ones for A.
        b: further ones for B.
        revisions: revisions of A and B; None when the sides differ in their options.
        out: folder that gets the job's folder.
        plan: how to compare.
    """

    common: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    revisions: tuple[str, str] | None
    out: Path
    plan: Plan


def side_options(options: AbOptions, which: Which, folder: Path) -> RunOptions:
    """
    Return the options of `harness run` for one side.

    Raises:
        UsageError: words that `harness run` does not know, or values that can't work.
    """
    parser = _parser(add_run_arguments)
    own = options.a if which is Which.A else options.b
    parsed = parser.parse_args([*options.common, *own, "--no-history", "--out", str(folder / which)])
    return replace(read_run_options(parsed), history=None)


def words_of_settings(text: str) -> tuple[str, ...]:
    """
    Turn settings such as ``target-delay=5ms, target-pool-size=5`` into words of a command line.

    Raises:
        UsageError: a part that is no ``name=value``, or a name that one side can't have for itself.
    """
    try:
        parts = shlex.split(text.replace(",", " "))
    except ValueError as fault:
        raise UsageError(explain("settings", text, fault=f"can't be read: {fault}")) from fault
    words: list[str] = []
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.lstrip("-")
        if not name or not equals:
            need = "options of harness run as name=value, such as target-delay=5ms"
            raise UsageError(explain("setting", part, fault="no name with a value", need=need))
        _check_name(name)
        words.append(f"--{name}={value}")
    return tuple(words)


def _check_name(name: str) -> None:
    work, known = _names(add_work_arguments), _names(add_run_arguments)
    if name not in known:
        near = difflib.get_close_matches(name, work, n=1)
        remedy = f"'{near[0]}'" if near else "harness run --help"
        raise UsageError(explain("setting", name, fault="no option of harness run", remedy=remedy))
    if known[name] in _SHARED:
        fault = "one for both sides, or they do different work"
        raise UsageError(explain("setting", name, fault=fault, remedy=_SHARED[known[name]]))
    if name not in work:
        fault = "about judging or output, and a leg is only measured"
        raise UsageError(explain("setting", name, fault=fault, need="an option of the load or the target"))


def _names(add: Callable[[argparse.ArgumentParser], None]) -> dict[str, str]:
    """Return the long options that a function adds: name → where its value is put."""
    return {
        option.removeprefix("--"): action.dest
        for action in _parser(add)._actions
        for option in action.option_strings
        if option.startswith("--")
    }


def _parser(add: Callable[[argparse.ArgumentParser], None]) -> "_Parser":
    parser = _Parser(prog="harness run", add_help=False, allow_abbrev=False)
    add(parser)
    return parser


class _Parser(argparse.ArgumentParser):
    """Argparse, with its errors as ours."""

    def error(self, message: str) -> None:  # type: ignore[override]  # raising is how we end, not exiting
        raise UsageError(explain("settings", fault=message, remedy="harness run --help"))
