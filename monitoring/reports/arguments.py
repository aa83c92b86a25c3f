"""What the shared options mean: a window, and the places to look into."""

import argparse
import math
from datetime import datetime, timedelta
from pathlib import Path

from monitoring.commands.metrics import timeout_from, token_from
from monitoring.errors import UsageError, explain
from monitoring.report import Places
from monitoring.reports.limits import CheckLimits
from monitoring.reports.records import Window
from monitoring.settings import Settings
from monitoring.units import parse_duration_s, parse_instant_s, utc

LONGEST_H = 400 * 24
"""Figures are kept for 400 days."""


def window_from(arguments: argparse.Namespace, now_s: float, *, default_h: float = 24.0) -> Window:
    """
    Return the window that was asked for, in whole seconds.

    Args:
        arguments: what `monitoring.reports.options.add_window` added.
        now_s: the time [s since the epoch].
        default_h: length when nothing was asked for [h].

    Raises:
        UsageError: an empty or turned window, one that begins in the future, or too long a one.
    """
    hours = _hours(arguments.hours)
    if hours is not None and arguments.since is not None:
        raise UsageError(explain("option", "--hours", fault="given together with --since", need="one of them"))
    now = utc(math.floor(now_s))
    until = now if arguments.until is None else min(now, _instant("--until", arguments.until))
    if arguments.since is None:
        return Window(since=until - timedelta(hours=default_h if hours is None else hours), until=until)
    since = _instant("--since", arguments.since)
    if since >= until:
        end = "now" if until == now else f"--until {until:%Y-%m-%dT%H:%M:%SZ}"
        raise UsageError(explain("option", "--since", fault=f"not before {end}", got=repr(arguments.since)))
    if until - since > timedelta(hours=LONGEST_H):
        raise UsageError(
            explain(
                "option",
                "--since",
                fault="too long ago",
                got=repr(arguments.since),
                need=f"at most {LONGEST_H // 24} days before the end: figures are kept no longer",
            )
        )
    return Window(since=since, until=until)


def _hours(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    # A second is the finest there is.
    if not 1 / 3600 <= hours <= LONGEST_H:
        raise UsageError(
            explain(
                "option",
                "--hours",
                fault="out of range",
                got=text,
                need=f"at least 0.0003 (a second) and at most {LONGEST_H} "
                f"({LONGEST_H // 24} days: figures are kept no longer)",
            )
        )
    return hours


def _instant(name: str, text: str) -> datetime:
    return utc(math.floor(parse_instant_s(text, name=name)))


def places_from(arguments: argparse.Namespace) -> Places:
    """
    Return where to look: what was asked for, else what the service's own settings say.

    Raises:
        UsageError: a value that can't be used.
    """
    if arguments.url is not None and arguments.store is not None:
        raise UsageError(explain("option", "--url", fault="given together with --store", need="one of them"))
    chosen = {} if arguments.service is None else {"service": arguments.service}
    chosen |= {} if arguments.prefix is None else {"api_prefix": arguments.prefix}
    settings = Settings.load(**chosen)
    logs: Path | None = arguments.logs if arguments.logs is not None else settings.log_dir
    store: Path | None = arguments.store
    if store is None:
        # A folder that was named holds copied files, and the store among them.
        store = settings.store_path if arguments.logs is None else arguments.logs / settings.store_path.name
    if arguments.url is not None:
        # What lies here need not belong to that service.
        logs, store = arguments.logs, None
    endpoints = settings.endpoints
    pending = endpoints.get("pending-deployments") or next(iter(endpoints.values()), "")
    return Places(
        service=settings.service,
        logs=logs,
        store=store,
        store_wanted=arguments.store is not None,
        url=arguments.url,
        prefix=settings.api_prefix,
        token=token_from(arguments.token_env),
        timeout_s=timeout_from(arguments.timeout),
        pending=pending,
    )


def limits_from(arguments: argparse.Namespace) -> CheckLimits:
    """
    Return the limits to judge with: those of the specification, and the polling interval asked for.

    Raises:
        UsageError: an interval of zero, or none at all.
    """
    interval_s = parse_duration_s(arguments.interval, name="--interval")
    if interval_s <= 0:
        raise UsageError(
            explain("option", "--interval", fault="empty", got=repr(arguments.interval), need="more than 0s")
        )
    return CheckLimits(interval_s=interval_s)
