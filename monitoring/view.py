"""The stretch of time that a request to the endpoints asks for."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitoring.errors import UsageError, explain
from monitoring.units import parse_duration_s, parse_instant_s


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """
    What is to be shown.

    Args:
        since_s: [s since the epoch]; None for the start of the run.
        until_s: [s since the epoch]; None for now.
        histograms: whether the answer carries histograms.
    """

    since_s: float | None = None
    until_s: float | None = None
    histograms: bool = False


def view_of(query: Mapping[str, str], now_s: float) -> View:
    """
    Read the query parameters ``window``, ``since``, ``until`` and ``histograms``; others are left aside.

    Args:
        query: the parameters.
        now_s: the time [s since the epoch].

    Raises:
        UsageError: one that can't be used, or an empty or turned window, or one that lies in the future.
    """
    since, until, length = query.get("since"), query.get("until"), query.get("window")
    until_s = parse_instant_s(until, name="until") if until is not None else None
    end_s = now_s if until_s is None else min(until_s, now_s)
    since_s = parse_instant_s(since, name="since") if since is not None else None
    if length is not None:
        if since is not None:
            raise UsageError(explain("parameter", "window", fault="given together with since", need="one of them"))
        length_s = parse_duration_s(length, name="window")
        if end_s - length_s >= end_s:  # too short for a clock to tell, too
            raise UsageError(explain("parameter", "window", fault="empty", got=repr(length), need="more than 0s"))
        since_s = max(0.0, end_s - length_s)
    if since is not None and since_s is not None and since_s >= end_s:
        raise UsageError(explain("parameter", "since", fault="not before the end of the window", got=repr(since)))
    return View(since_s=since_s, until_s=until_s, histograms=_flag(query.get("histograms"), name="histograms"))


def _flag(text: str | None, *, name: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text is None:
        return False
    try:
        return known[text.lower()]
    except KeyError:
        raise UsageError(
            explain("parameter", name, fault="not understood", got=repr(text), need="true or false")
        ) from None
