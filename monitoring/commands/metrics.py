"""
Show the figures of a running service.

Examples:
  monitoring metrics http://127.0.0.1:8000
  monitoring metrics http://127.0.0.1:8000 --endpoint pending-deployments --window 5m
  MONITORING_TOKEN=… monitoring metrics https://master.example --token-env MONITORING_TOKEN --json
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.client import VISIBLE, fetch
from monitoring.errors import UsageError, explain
from monitoring.units import parse_duration_s

_LONGEST_WAIT_S = 86400.0

_COLUMNS = (
    "requests",
    "per s",
    "mean",
    "p50",
    "p95",
    "p99",
    "max",
    "errors",
    "4xx",
    "db p95",
    "wait p95",
    "route",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``monitoring metrics``."""
    parser.add_argument("url", metavar="URL", help="base URL of the service, such as http://127.0.0.1:8000")
    parser.add_argument("--endpoint", metavar="NAME", help="only this named endpoint, such as pending-deployments")
    parser.add_argument("--window", metavar="DURATION", help="only the last 60s, 5m, 24h …; default: since start")
    parser.add_argument("--json", action="store_true", help="print the answer as it came")
    parser.add_argument("--token-env", metavar="VAR", help="environment variable that holds the bearer token")
    parser.add_argument("--prefix", default="/api", help="path before /metrics (default: %(default)s)")
    parser.add_argument(
        "--timeout", default="5s", metavar="DURATION", help="how long to wait (default: %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    """
    Fetch and print.

    Returns:
        0.

    Raises:
        UsageError: an argument that can't be used.
        MonitoringError: the service can't be reached, or gives no answer of ours.
    """
    query: dict[str, str] = {}
    if arguments.window is not None:
        parse_duration_s(arguments.window, name="--window")
        query["window"] = arguments.window
    path = f"{arguments.prefix}/metrics"
    if arguments.endpoint is not None:
        path += f"/{arguments.endpoint}"
    answer = fetch(
        arguments.url,
        path,
        query=query,
        token=token_from(arguments.token_env),
        timeout_s=timeout_from(arguments.timeout),
    )
    sys.stdout.write(json.dumps(answer, indent=2) + "\n" if arguments.json else render(answer))
    return 0


def token_from(variable: str | None) -> str | None:
    """
    Return the token that an environment variable holds; None when no variable is named.

    Raises:
        UsageError: the variable is not set, or holds what can't be sent; it is not shown.
    """
    if variable is None:
        return None
    token = os.environ.get(variable)
    if not token:
        raise UsageError(
            explain("option", "--token-env", fault="variable not set", got=variable, remedy=f"export {variable}=…")
        )
    if not VISIBLE.fullmatch(token):
        raise UsageError(
            explain(
                "option", "--token-env", fault=f"{variable} holds no token", need="ASCII letters, digits and signs"
            )
        )
    return token


def timeout_from(text: str) -> float:
    """
    Return how long to wait for a service [s].

    Raises:
        UsageError: no duration, or one that nobody can wait.
    """
    timeout_s = parse_duration_s(text, name="--timeout")
    if not 0 < timeout_s <= _LONGEST_WAIT_S:
        raise UsageError(
            explain(
                "option", "--timeout", fault="out of range", got=repr(text), need="more than 0s and at most 1d"
            )
        )
    return timeout_s


def render(answer: Mapping[str, Any]) -> str:
    """Return an answer of ``/api/metrics`` or ``/api/metrics/{name}`` as a table."""
    window = answer["window"]
    lines = [f"{answer['service']}: {_span(window['length_s'])} since {window['since']} (times in ms)"]
    endpoints = [answer["endpoint"]] if "endpoint" in answer else answer["endpoints"]
    rows = [_row(one) for one in endpoints]
    if "totals" in answer:
        rows.append(_row({**answer["totals"], "route": "all", "method": ""}))
    lines += ["", *_table([_COLUMNS, *rows])]
    for one in endpoints:
        counts = {**one["errors"]["by_status"], **one["errors"]["by_exception"]}
        if counts:
            shown = ", ".join(f"{name}: {count}" for name, count in counts.items())
            lines.append(f"errors of {one['method']} {one['route']}: {shown}")
    for pool in answer.get("database_pools", ()):
        lines.append(_pool_line(pool))
    own = answer.get("monitoring")
    if own is not None:
        lines += _own_lines(own)
    return "\n".join(lines) + "\n"


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    response = one["response_time"]
    return (
        f"{one['total_requests']:,}",
        f"{one['requests_per_second']:.2f}",
        *(_ms(response[name]) for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")),
        f"{one['error_rate']:.2%}",
        f"{one['client_error_rate']:.2%}",
        _ms(one["database_time"]["p95_ms"]) if "database_time" in one else "",
        _ms(one["pool_wait"]["p95_ms"]) if "pool_wait" in one else "",
        f"{one['method']} {one['route']}".strip(),
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows with their columns lined up; the last one is text, the others are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


def _pool_line(pool: Mapping[str, Any]) -> str:
    capacity = "no bound" if pool["capacity"] is None else str(pool["capacity"])
    peak = "" if pool["peak_usage_ratio"] is None else f" ({pool['peak_usage_ratio']:.0%})"
    return (
        f"pool {pool['engine']}: {pool['checked_out']} of {capacity} out, peak {pool['peak_checked_out']}{peak}, "
        f"wait p95 {_ms(pool['wait']['p95_ms'])}, hold p95 {_ms(pool['hold']['p95_ms'])}, "
        f"time-outs {pool['timeouts']}"
    )


def _own_lines(own: Mapping[str, Any]) -> list[str]:
    """Return what the layer says about itself, when it is not well."""
    counts = [f"{own[name]} {name}" for name in ("faults", "dropped", "diverted") if own.get(name)]
    lines = [f"monitoring itself: {', '.join(counts)}"] if counts else []
    lines += [f"monitoring itself: {own[name]}" for name in ("store_trouble", "log_trouble") if own.get(name)]
    return lines


def _ms(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _span(length_s: float) -> str:
    for unit, width_s in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if length_s >= 2 * width_s:
            return f"{length_s / width_s:.1f} {unit}"
    return f"{length_s:.1f} s"
