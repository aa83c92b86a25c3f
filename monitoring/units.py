"""
Text to time and back, for settings, query strings and the command line.

Inside, a duration is a float in seconds and an instant a float in seconds since the Unix epoch.
"""

import math
import re
from datetime import UTC, datetime

from monitoring.errors import UsageError, explain

_UNIT_S = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|min|s|m|h|d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LAST_S = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


def parse_duration_s(text: str, *, name: str = "duration") -> float:
    """
    Read a duration such as ``100ms``, ``60s``, ``5m``, ``1h30m`` or ``7d``; a bare number is seconds.

    Args:
        text: the duration as written.
        name: the setting or parameter it came from, for the error text.

    Returns:
        Seconds, ≥ 0.

    Raises:
        UsageError: the text is no duration, or a negative one.
    """
    duration_s = read_duration_s(text)
    if duration_s is not None:
        return duration_s
    raise UsageError(
        explain("duration", name, fault="not understood", got=repr(text), need="100ms, 60s, 5m or 7d")
    )


def read_duration_s(text: str) -> float | None:
    """Read a duration as `parse_duration_s` does; None when the text is none."""
    compact = text.replace(" ", "")
    if _NUMBER.fullmatch(compact):
        return float(compact)
    parts = list(_PART.finditer(compact))
    if parts and "".join(part.group(0) for part in parts) == compact:
        return math.fsum(float(part.group(1)) * _UNIT_S[part.group(2)] for part in parts)
    return None


def parse_instant_s(text: str, *, name: str = "instant") -> float:
    """
    Read an instant: ISO 8601 (UTC where it names no zone) or seconds since the Unix epoch.

    Args:
        text: the instant as written. A space before the zone is read as the ``+`` it was before a
            query string was decoded.
        name: the parameter it came from, for the error text.

    Returns:
        Seconds since the Unix epoch, in the years 1970 to 9999.

    Raises:
        UsageError: the text is neither, or an instant outside of these years.
    """
    instant_s = _read_instant_s(text.strip())
    if instant_s is None:
        raise UsageError(
            explain(
                "instant",
                name,
                fault="not understood",
                got=repr(text),
                need="ISO 8601 such as 2026-05-01T12:00:00Z, or seconds since the epoch",
            )
        )
    if not 0 <= instant_s <= _LAST_S:
        raise UsageError(
            explain("instant", name, fault="out of range", got=repr(text), need="the years 1970 to 9999")
        )
    return instant_s


def _read_instant_s(text: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        moment = datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", text))
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def utc(instant_s: float) -> datetime:
    """Return the instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant_s, UTC)
