"""What every fold from a source to a report's figures needs, and the comparison of two windows. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

from monitoring.histogram import Histogram
from monitoring.reports.records import Agent, Agents, Change, Figures, Timing, Totals, Window

FEWEST_REQUESTS = 10
"""An agent that sent fewer has no interval worth judging."""


def timing(histogram: Histogram) -> Timing:
    """Return a histogram in a few numbers."""

    def quantile_ms(q: float) -> float | None:
        value_s = histogram.quantile(q)
        return None if value_s is None else value_s * 1e3

    return Timing(
        count=histogram.n,
        mean_ms=ms_of(histogram.mean_s),
        p50_ms=quantile_ms(0.50),
        p95_ms=quantile_ms(0.95),
        p99_ms=quantile_ms(0.99),
        max_ms=ms_of(histogram.max_s),
    )


def agents_of(found: Sequence[Agent]) -> Agents:
    """Return the agents together, with the median of those intervals that are worth judging."""
    intervals_s = [
        one.interval_s for one in found if one.interval_s is not None and one.requests >= FEWEST_REQUESTS
    ]
    return Agents(
        seen=len(found),
        median_interval_s=median(intervals_s) if intervals_s else None,
        listed=tuple(sorted(found, key=lambda one: (-one.requests, one.agent))),
    )


def changes(now: Figures | None, before: Figures | None, pending: str) -> tuple[Change, ...]:
    """
    Compare two windows of the same length.

    Args:
        now: the later one; None when nothing is known of it.
        before: the earlier one; None likewise.
        pending: ``METHOD /route`` of the endpoint whose response times are compared too.
    """
    if now is None or before is None:
        return ()
    pairs: list[tuple[str, Totals | None, Totals | None]] = [
        ("all", now.totals, before.totals),
        (pending, now.endpoint(pending), before.endpoint(pending)),
    ]
    return tuple(change for label, one, other in pairs for change in _changes(label, one, other))


def _changes(label: str, now: Totals | None, before: Totals | None) -> Iterable[Change]:
    for name in ("requests_per_second", "error_rate"):
        yield _change(f"{label}: {name}", getattr(before, name, None), getattr(now, name, None))
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        past = None if before is None else getattr(before.response_time, name)
        present = None if now is None else getattr(now.response_time, name)
        yield _change(f"{label}: {name}", past, present)


def _change(name: str, before: float | None, now: float | None) -> Change:
    ratio = now / before - 1 if now is not None and before else None
    return Change(name=name, before=before, now=now, change_ratio=ratio)


def window_of(since_s: float, until_s: float) -> Window:
    """Return a window from two instants [s since the epoch]; one that a stepping clock turned round is empty."""
    since = datetime.fromtimestamp(since_s, UTC)
    return Window(since=since, until=max(since, datetime.fromtimestamp(until_s, UTC)))


def told(quiet: Sequence[Window]) -> str:
    """Say when nothing was recorded: the longest of some stretches, and how many more there are."""
    longest = max(quiet, key=lambda one: one.length_s)
    more = f", and {len(quiet) - 1} more such stretches" if len(quiet) > 1 else ""
    return (
        f"nothing recorded from {longest.since:%Y-%m-%d %H:%M} to {longest.until:%Y-%m-%d %H:%M}{more}: "
        "the service was down, or nobody asked it"
    )


def before(window: Window) -> Window:
    """Return the window of the same length that ends where this one begins."""
    return Window(since=window.since - timedelta(seconds=window.length_s), until=window.since)


def per_s(n: int, length_s: float) -> float | None:
    """Return a rate [per s]; None for a window without length."""
    return n / length_s if length_s > 0 else None


def ratio(part: int, whole: int) -> float | None:
    """Return part / whole, 0..1; None when there is no whole."""
    return part / whole if whole else None


def ms_of(value_s: float | None) -> float | None:
    """Return seconds as milliseconds; unknown stays unknown."""
    return None if value_s is None else value_s * 1e3


def utc_of(instant_s: float | None) -> datetime | None:
    """Return an instant [s since the epoch] as an aware datetime; unknown stays unknown."""
    return None if instant_s is None else datetime.fromtimestamp(instant_s, UTC)
