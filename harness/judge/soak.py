"""A soak's verdict: the series that must not grow, cut into slices, and a finding for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.columns import Columns
from harness.judge.drift import ALPHA, LEAST_POINTS, LEAST_RATIO, Drift, drift_of
from harness.judge.gates import status_of
from harness.model import Coverage, Finding, Gate, Status, TargetTick, Verdict
from harness.units import format_duration, format_number, format_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One watched quantity.

    Args:
        name: short and unique, such as ``memory``.
        subject: what it is, in words.
        unit: of the values.
        times_s: the middle of each slice [s since the run's origin].
        values: one for each slice.
    """

    name: str
    subject: str
    unit: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]


def soak_series(
    columns: Columns, ticks: Sequence[TargetTick], *, from_s: float, until_s: float, slice_s: float
) -> tuple[Series, ...]:
    """
    Cut what was measured into slices.

    Args:
        columns: the polls.
        ticks: the embedded target's; empty for another's, of which only its answers are known.
        from_s: begin of what counts [s since the run's origin].
        until_s: its end.
        slice_s: length of a slice [s].

    Returns:
        Median and p95 of the response time of answered polls, and the target's memory, connections and files.
        Slices without a value are left out.
    """
    edges = np.arange(from_s, until_s - slice_s / 2, slice_s)
    answered = columns.where(columns.ok)
    times_s, values_s = answered.intended_start_s, answered.end_s - answered.intended_start_s
    ticked = np.array([tick.t_s for tick in ticks])
    found = [
        _sliced("response-p50", "median response time", "s", times_s, values_s, edges, slice_s, 0.5),
        _sliced("response-p95", "p95 of the response time", "s", times_s, values_s, edges, slice_s, 0.95),
    ]
    if ticks:
        for name, subject, unit, values in (
            ("memory", "target's memory", "bytes", [float(tick.rss_bytes) for tick in ticks]),
            ("connections", "target's connections", "connections", [float(tick.connections) for tick in ticks]),
            ("files", "target's open files", "files", [float(tick.open_files) for tick in ticks]),
        ):
            found.append(_sliced(name, subject, unit, ticked, np.array(values), edges, slice_s, 0.5))
    return tuple(found)


def drift_finding(series: Series) -> Finding:
    """
    Judge one series: growing is a failure, shrinking and standing still are not.

    Args:
        series: see `soak_series`.
    """
    drift = drift_of(series.times_s, series.values)
    status, reason, remedy = _judged(series, drift)
    return Finding(
        gate=Gate(
            name=f"drift-{series.name}", metric="drift", subject=series.subject, limit=LEAST_RATIO, unit="ratio"
        ),
        status=status,
        measured=drift.change_ratio,
        interval=None,
        n=drift.n,
        effective_n=None,
        exceedances=None,
        reason=reason,
        remedy=remedy,
    )


def with_findings(verdict: Verdict, findings: Sequence[Finding]) -> Verdict:
    """Return a verdict that rests on further findings too."""
    every = (*verdict.findings, *findings)
    judged = (*verdict.coverage.judged, *(finding.gate.name for finding in findings))
    coverage: Coverage = replace(verdict.coverage, judged=judged)
    return replace(verdict, status=status_of(every), findings=every, coverage=coverage)


def _judged(series: Series, drift: Drift) -> tuple[Status, str, str | None]:
    if drift.p is None or drift.change is None or drift.slope_per_s is None:
        reason = f"{drift.n} slices of the {series.subject} tell no drift from noise, {LEAST_POINTS} are needed"
        return Status.INCONCLUSIVE, f"{reason}.", "a longer run, or a shorter --slice"
    grew = f"{format_ratio(drift.change_ratio)} over the run, {_amount(series, drift.slope_per_s * 3600)} an hour"
    if drift.drifts and drift.change > 0:
        reason = f"the {series.subject} grows: {grew}; noise looks so in 1 of {1 / max(drift.p, 1e-9):,.0f} runs"
        return Status.FAIL, f"{reason}.", "the series in drift.json, beside what the target did in that time"
    told = "shrinks" if drift.drifts else "does not drift"
    return Status.PASS, f"the {series.subject} {told}: {grew} (p {format_number(drift.p)}, {ALPHA:g} asked).", None


def _amount(series: Series, value: float) -> str:
    if series.unit == "s":
        return f"{'-' if value < 0 else ''}{format_duration(abs(value))}"
    if series.unit == "bytes":
        return f"{value / 1e6:.3g} MB"
    return f"{value:.3g} {series.unit}"


def _sliced(  # noqa: PLR0917  # one call, above
    name: str,
    subject: str,
    unit: str,
    times_s: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    edges: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    slice_s: float,
    q: float,
) -> Series:
    order = np.argsort(times_s, kind="stable")
    times_s, values = times_s[order], values[order]
    firsts, lasts = np.searchsorted(times_s, edges), np.searchsorted(times_s, edges + slice_s)
    kept = [
        (float(edge + slice_s / 2), float(np.quantile(values[first:last], q, method="inverted_cdf")))
        for edge, first, last in zip(edges, firsts, lasts, strict=True)
        if last > first
    ]
    return Series(
        name=name,
        subject=subject,
        unit=unit,
        times_s=tuple(time_s for time_s, _ in kept),
        values=tuple(value for _, value in kept),
    )
