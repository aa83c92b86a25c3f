"""
The options about a target that others use as well: how to get in, where to knock, how much is too much. Light.

`harness run` and plain Locust declare the same ones from here, and check them by the same rules.
"""

import argparse
import math
import re
import urllib.parse
from pathlib import Path

from harness.credentials import TOKEN_VARIABLE, is_loopback
from harness.errors import UsageError, explain
from harness.model import PENDING_ROUTE
from harness.units import parse_ratio

DEFAULT_AGENTS_PATH = "/api/agents"
"""Where a target is asked for its agents."""

DEFAULT_MOST_PER_S = 1000.0
"""Ceiling on the requests to another machine. A fleet of fifty agents sends five a second."""

LOOPBACK_MOST_PER_S = 100_000.0
"""Ceiling on this machine, where nobody else is harmed: more than one process can send."""

DEFAULT_ABORT_RATIO = "50%"

_PATH = re.compile(r"/[!-~]*")


def add_staging_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about a target that others use as well."""
    group = parser.add_argument_group(
        "target of others",
        f"A token is read from ${TOKEN_VARIABLE}, other headers from the variables that --header-env names.\n"
        "Certificates are always verified.",
    )
    group.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="PEM file of the authorities to trust (default: the system's)"
    )
    group.add_argument(
        "--header-env",
        action="append",
        default=[],
        metavar="NAME=VARIABLE",
        help="send a header whose value is in an environment variable; may be repeated",
    )
    group.add_argument(
        "--insecure-token",
        action="store_true",
        help="send the token and headers over plain http to another machine",
    )
    group.add_argument(
        "--base-path", default="", metavar="PATH", help="put before every path of the target, such as /master"
    )
    group.add_argument(
        "--pending-path",
        dest="pending_route",
        default=PENDING_ROUTE,
        metavar="PATH",
        help=f"path that agents poll (default: {PENDING_ROUTE})",
    )
    group.add_argument(
        "--agents-path",
        default=DEFAULT_AGENTS_PATH,
        metavar="PATH",
        help=f"path of the list of agents (default: {DEFAULT_AGENTS_PATH})",
    )
    group.add_argument(
        "--allow-writes",
        action="store_true",
        help="let a scenario that orders deployments change a running target's data",
    )
    group.add_argument(
        "--max-rate",
        type=float,
        metavar="N",
        help=f"most requests a second (default: {DEFAULT_MOST_PER_S:g}, to this machine {LOOPBACK_MOST_PER_S:g})",
    )
    group.add_argument(
        "--abort-errors",
        default=DEFAULT_ABORT_RATIO,
        metavar="RATIO",
        help="call the run off when the evidence is overwhelming that more than this share of the polls fails "
        f"(default: {DEFAULT_ABORT_RATIO}; 0 never does)".replace("%", "%%"),
    )


def read_abort_ratio(text: str) -> float | None:
    """
    Read ``--abort-errors``.

    Returns:
        0 < ratio < 1; None for never.

    Raises:
        UsageError: no ratio, or all of them.
    """
    ratio = parse_ratio(text, name="--abort-errors")
    if ratio >= 1.0:
        raise UsageError(
            explain(
                "option", "--abort-errors", fault="no share is more than all", got=repr(text), need="below 100%"
            )
        )
    return ratio or None


def with_base_path(host: str, base_path: str) -> str:
    """
    Return a base URL with a path at its end.

    Args:
        host: base URL without a slash at its end.
        base_path: begins with a slash; empty for none.

    Raises:
        UsageError: no such path.
    """
    if not base_path.strip("/"):
        return host
    return host + _path(base_path, "--base-path").rstrip("/")


def check_pending_route(path: str) -> str:
    """
    Check the path that agents poll.

    Raises:
        UsageError: no path, or the agent's id has no place in it.
    """
    _path(path, "--pending-path")
    if path.count("{agent_id}") != 1:
        raise UsageError(
            explain(
                "option", "--pending-path", fault="no place for the agent's id", got=path, need="one {agent_id}"
            )
        )
    return path


def check_agents_path(path: str) -> str:
    """Check the path of the list of agents; see `check_pending_route` for errors."""
    return _path(path, "--agents-path")


def most_per_s(asked: float | None, host: str | None) -> float:
    """
    Return the ceiling on the requests a second.

    Args:
        asked: what ``--max-rate`` says; None for the default.
        host: base URL of the target; None for the embedded one.

    Raises:
        UsageError: no rate.
    """
    if asked is None:
        local = host is None or is_loopback(urllib.parse.urlsplit(host).hostname or "")
        return LOOPBACK_MOST_PER_S if local else DEFAULT_MOST_PER_S
    if not 0 < asked <= 1e6:
        raise UsageError(explain("option", "--max-rate", fault="not a rate", got=f"{asked:g}", need="0.001..1e6"))
    return asked


def check_rate(*, agents: int, interval_s: float, most: float) -> None:
    """
    Refuse a fleet that would send more than the ceiling lets pass.

    Raises:
        UsageError: it would.
    """
    rate_per_s = agents / interval_s
    if rate_per_s > most:
        raise UsageError(
            explain(
                "option",
                "--max-rate",
                fault=f"{agents} agents every {interval_s:g} s send more than the ceiling",
                got=f"{rate_per_s:g} requests/s",
                need=f"{most:g} or fewer",
                remedy=f"fewer agents, a longer interval, or --max-rate {math.ceil(rate_per_s)} if that may be",
            )
        )


def check_writes(*, scenario: str, writes: bool, host: str | None, allowed: bool) -> None:
    """
    Refuse to change the data of a target that is not ours, unless that was asked for.

    Raises:
        UsageError: the scenario writes, and it was not.
    """
    if writes and host is not None and not allowed:
        raise UsageError(
            explain(
                "scenario",
                scenario,
                fault=f"orders deployments and reports progress, which changes the data at {host}",
                remedy="--allow-writes if that may be, or no --host: the reference master is free for it",
            )
        )


def _path(path: str, option: str) -> str:
    if not _PATH.fullmatch(path) or "?" in path or "#" in path or "//" in path:
        raise UsageError(explain("option", option, fault="not a path", got=repr(path), need="a form such as /api"))
    return path
