"""The target's own figures for the measured window, asked of its monitoring layer when the load is over."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError

from harness.credentials import NO_ACCESS, Access
from harness.errors import HarnessError
from harness.http import get_json
from harness.model import ServerFigures
from harness.units import format_duration
from monitoring.histogram import Histogram
from monitoring.schemas import Distribution, EndpointAnswer, MetricsAnswer

_TIMEOUT_S = 10.0
_TOLERATED_STEP_S = 2.0
"""As far a clock may have been slewed by its time service without anybody having to know [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReading:
    """
    What came of asking the target for its figures.

    Args:
        figures: None when it has no monitoring layer, or none that could be read.
        raw: its answers as they came, for ``server.json``; None when there are none.
        note: why there are no figures, or what a reader should know; None when all is well.
    """

    figures: ServerFigures | None
    raw: dict[str, Any] | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWindow:
    """
    A part of a run as wall clocks show it.

    Args:
        since: its start, UTC, by our clock as it is now.
        until: its end.
        notes: what a reader of the target's figures should know, a sentence each.
    """

    since: datetime
    until: datetime
    notes: tuple[str, ...] = ()


def window_by_clock(
    origin: datetime, *, from_s: float, until_s: float, step_s: float, shared: bool
) -> ClockWindow:
    """
    Find a part of a run on wall clocks, one of which may have been set while it went on.

    A target on another machine has kept its own clock: the window is counted by ours as it is now, whose distance
    from the target's can still be asked for. One on this machine was set as well, nobody knows when, and has
    recorded some of the run under each time: the window is widened to hold both.

    Args:
        origin: what our clock showed at the run's origin.
        from_s: start of the part [s since the origin].
        until_s: its end.
        step_s: by how much our clock was set since, forward being positive [s].
        shared: whether the target goes by our clock.
    """
    since, until = origin + timedelta(seconds=from_s), origin + timedelta(seconds=until_s)
    if abs(step_s) <= _TOLERATED_STEP_S:
        return ClockWindow(since=since, until=until)
    step = timedelta(seconds=step_s)
    told = f"The clock of this machine was set {format_duration(abs(step_s))} {'ahead' if step_s > 0 else 'back'}"
    if not shared:
        note = f"{told} during the run: the target's own figures were asked for by the target's clock."
        return ClockWindow(since=since + step, until=until + step, notes=(note,))
    note = (
        f"{told} during the run, and the target's with it: its own figures may hold more than the measured polls."
    )
    return ClockWindow(since=min(since, since + step), until=max(until, until + step), notes=(note,))


def read_server_figures(
    url: str, *, since: datetime, until: datetime, access: Access = NO_ACCESS
) -> ServerReading:
    """
    Ask for the window's figures. A target without them is no error: it is said and lived with.

    Args:
        url: base URL of the target.
        since: start of the measured window, UTC, by our clock.
        until: its end.
        access: what lets us in.

    Returns:
        Figures, raw answers, and a note when something is missing.
    """
    try:
        skew_s = _clock_skew_s(url, access)
        query = urlencode(
            {
                "since": _iso(since, skew_s),
                "until": _iso(until, skew_s),
                "histograms": "true",
            }
        )
        polled = get_json(f"{url}/api/metrics/pending-deployments?{query}", timeout_s=_TIMEOUT_S, access=access)
        service = get_json(f"{url}/api/metrics?{query}", timeout_s=_TIMEOUT_S, access=access)
    except HarnessError as fault:
        return ServerReading(figures=None, raw=None, note=f"the target's own figures could not be read: {fault}")
    if polled.status != 200 or service.status != 200:
        codes = f"{polled.status} and {service.status}"
        note = (
            f"the target has no monitoring layer that answers: /api/metrics gave {codes}; the report lacks the "
            "handler's and queries' times, waits for the pool and its use"
        )
        return ServerReading(figures=None, raw=None, note=note)
    raw = {"pending_deployments": polled.body, "metrics": service.body}
    try:
        figures = parse_server_figures(raw)
    except ValueError as fault:
        return ServerReading(
            figures=None, raw=raw, note=f"the target's figures have another form: {str(fault).lstrip(': ')}"
        )
    return ServerReading(figures=figures, raw=raw, note=None)


def parse_server_figures(raw: dict[str, Any]) -> ServerFigures:
    """
    Make figures of the answers as `read_server_figures` stored them.

    Raises:
        ValueError: another form than the monitoring layer's.
    """
    try:
        polled = EndpointAnswer.model_validate(raw["pending_deployments"])
        service = MetricsAnswer.model_validate(raw["metrics"])
    except KeyError as fault:
        raise ValueError(f"no {fault}") from fault
    except ValidationError as fault:
        first = fault.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from fault
    endpoint = polled.endpoint
    # The pool that comes closest to its end is the one that matters.
    pools = sorted(service.database_pools, key=lambda pool: pool.peak_usage_ratio or 0.0)
    pool = pools[-1] if pools else None
    return ServerFigures(
        window_s=polled.window.length_s,
        requests=endpoint.total_requests,
        errors=round(endpoint.error_rate * endpoint.total_requests),
        handler=_histogram(endpoint.response_time),
        query=_histogram(endpoint.query_time),
        pool_wait=_histogram(endpoint.pool_wait),
        pool_size=pool.capacity if pool else None,
        pool_peak=pool.peak_checked_out if pool else None,
    )


def _histogram(distribution: Distribution) -> Histogram | None:
    return None if distribution.histogram is None else Histogram.from_json(distribution.histogram)


def _clock_skew_s(url: str, access: Access) -> float:
    """Return the target's clock minus ours, 0 where they agree to the second that a Date header can tell."""
    before = datetime.now(UTC).timestamp()
    answered_s = get_json(f"{url}/api/health", timeout_s=_TIMEOUT_S, access=access).date_epoch_s
    after = datetime.now(UTC).timestamp()
    if answered_s is None:
        return 0.0
    # A Date header is cut to whole seconds, so the target's instant lies in [answered, answered + 1).
    if before - 1.5 <= answered_s <= after + 0.5:
        return 0.0
    return answered_s + 0.5 - (before + after) / 2


def _iso(instant: datetime, skew_s: float) -> str:
    return (instant + timedelta(seconds=skew_s)).astimezone(UTC).isoformat().replace("+00:00", "Z")
