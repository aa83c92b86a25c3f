"""Quantities as the sentences of a verdict write them: short, without trailing zeros."""

from harness.units import format_duration


def percent(ratio: float) -> str:
    """Write a ratio as a percentage with up to three digits: ``0.994 %``, ``1 %``; near 100 with four."""
    return f"{ratio * 100:.4g} %" if 0.99 < ratio < 1 else f"{_short(ratio * 100)} %"


def duration(duration_s: float) -> str:
    """Write a duration with up to three digits: ``500 ms``, ``71 s``; from 100 s on as ``23m25s``."""
    if duration_s >= 100:
        return format_duration(duration_s)
    if duration_s >= 1 or duration_s == 0:
        return f"{_short(duration_s)} s"
    return f"{_short(duration_s * 1e3)} ms"


def number(value: float) -> str:
    """Write a number with up to three digits, whole from 1,000 on: ``0.1``, ``2,995``."""
    return f"{value:,.0f}" if abs(value) >= 1000 else _short(value)


def count(n: int, noun: str) -> str:
    """Write a count with its noun: ``1 poll``, ``1,049 polls``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _short(value: float) -> str:
    return f"{value:.3g}"
