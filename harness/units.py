"""
Text to quantity and back: durations, ratios and rates, as flags, gate files and reports write them.

Inside the project a duration is a float in seconds and a ratio a float in 0..1; units exist at the edges only.
"""

import math
from datetime import UTC, datetime

from harness.errors import UsageError, explain
from monitoring.units import read_duration_s


def parse_duration_s(text: str, *, name: str = "duration") -> float:
    """
    Read a duration such as ``600ms``, ``10s``, ``1m30s`` or ``2h``.

    A bare number is seconds, as Locust reads ``-t 70``.

    Args:
        text: the duration as written.
        name: the option it came from, for the error text.

    Returns:
        Seconds, ≥ 0.

    Raises:
        UsageError: the text is no duration, or a negative one.
    """
    duration_s = read_duration_s(text)
    if duration_s is not None:
        return duration_s
    raise UsageError(
        explain("option", name, fault="not a duration", got=repr(text), need="a form such as 600ms, 10s or 1m30s")
    )


def parse_ratio(text: str, *, name: str = "ratio") -> float:
    """
    Read a ratio such as ``5%`` or ``0.05``.

    Args:
        text: the ratio as written.
        name: the option it came from, for the error text.

    Returns:
        A float in 0..1.

    Raises:
        UsageError: the text is no number, or outside 0..1.
    """
    stripped = text.strip()
    scale = 1.0
    if stripped.endswith("%"):
        stripped, scale = stripped[:-1].strip(), 0.01
    try:
        ratio = float(stripped) * scale
    except ValueError:
        ratio = math.nan
    if not 0.0 <= ratio <= 1.0:
        raise UsageError(
            explain("option", name, fault="not a ratio", got=repr(text), need="0..1 or 0%..100%, such as 5%")
        )
    return ratio


def parse_instant(text: str, *, name: str) -> datetime:
    """
    Read an instant in ISO 8601; one without an offset is taken as UTC.

    Args:
        text: the instant as written.
        name: the option it came from, for the error text.

    Returns:
        The instant, aware, in UTC.

    Raises:
        UsageError: the text is no instant, or one that UTC has no date for.
    """
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as fault:
        need = "ISO 8601 such as 2026-11-23T08:30:00Z"
        raise UsageError(explain("option", name, fault="not a time", got=repr(text), need=need)) from fault


def format_duration(duration_s: float | None) -> str:
    """
    Write a duration for people, three digits in the unit that fits: ``4.21 ms``, ``1.50 s``, ``2m10s``.

    Args:
        duration_s: seconds, or None for unknown.

    Returns:
        The text; ``?`` for None, ``∞`` for an infinite duration (an error or a time-out has no end).
    """
    if duration_s is None or math.isnan(duration_s):
        return "?"
    if math.isinf(duration_s):
        return "∞"
    if duration_s >= 100:
        return _format_long(duration_s)
    if duration_s >= 1:
        return f"{_three_digits(duration_s)} s"
    if duration_s >= 1e-3 or duration_s == 0:
        return f"{_three_digits(duration_s * 1e3)} ms"
    return f"{_three_digits(duration_s * 1e6)} µs"


def format_ratio(ratio: float | None) -> str:
    """
    Write a ratio as a percentage with three significant digits: ``0.993 %``.

    Args:
        ratio: 0..1 or beyond, or None for unknown.

    Returns:
        The text; ``?`` for None.
    """
    return "?" if ratio is None or math.isnan(ratio) else f"{_three_digits(ratio * 100)} %"


def format_number(value: float | None) -> str:
    """Write a plain number with three significant digits, ``?`` for None."""
    return "?" if value is None or math.isnan(value) else _three_digits(value)


def format_count(count: int | None) -> str:
    """Write a count with thousands separated by commas, ``?`` for None."""
    return "?" if count is None else f"{count:,}"


def _format_long(duration_s: float) -> str:
    total_s = round(duration_s)
    hours, rest = divmod(total_s, 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{seconds:02d}s"


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    # The magnitude once rounded: 9.9999 is 10.0 and not 10.00.
    magnitude = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return f"{value:.{max(0, 2 - magnitude)}f}"
