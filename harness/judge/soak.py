"""A soak's verdict: the series that must not grow, cut into slices, and a finding for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from harness.columns import Columns
from harness.judge.drift import CONFIDENCE, LEAST_POINTS, Drift, drift_of
from harness.judge.gates import status_of
from harness.model import Coverage, Finding, Gate, Interval, Status, TargetTick, Verdict
from harness.units import format_duration, format_ratio

RESPONSE_LIMIT_RATIO = 0.2
"""Growth of a response time over the run that matters."""

RESOURCE_LIMIT_RATIO = 0.05
"""Growth of memory, connections and files over the run that matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One watched quantity.

    Args:
        name: short and unique, such as ``memory``.
        subject: what it is, in words.
        unit: of the values.
        limit_ratio: growth over the run that matters, relative to the median.
        times_s: the middle of each slice [s since the run's origin].
        values: one for each slice.
    """

    name: str
    subject: str
    unit: str
    limit_ratio: float
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
        Series(
            name=name,
            subject=subject,
            unit="s",
            limit_ratio=RESPONSE_LIMIT_RATIO,
            **_sliced(times_s, values_s, edges, slice_s, q),
        )
        for name, subject, q in (
            ("response-p50", "median response time", 0.5),
            ("response-p95", "p95 of the response time", 0.95),
        )
    ]
    if ticks:
        for name, subject, unit, values in (
            ("memory", "target's memory", "bytes", [float(tick.rss_bytes) for tick in ticks]),
            ("connections", "target's connections", "connections", [float(tick.connections) for tick in ticks]),
            ("files", "target's open files", "files", [float(tick.open_files) for tick in ticks]),
        ):
            sliced = _sliced(ticked, np.array(values), edges, slice_s, 0.5)
            found.append(Series(name=name, subject=subject, unit=unit, limit_ratio=RESOURCE_LIMIT_RATIO, **sliced))
    return tuple(found)


def drift_finding(series: Series) -> Finding:
    """
    Judge one series: what surely grows fails, what surely does not grow by as much as the limit passes.

    Args:
        series: see `soak_series`.
    """
    drift = drift_of(series.times_s, series.values, least_ratio=series.limit_ratio)
    low, high = _relative(drift, drift.change_low), _relative(drift, drift.change_high)
    status, reason, remedy = _judged(series, drift, high)
    return Finding(
        gate=Gate(
            name=f"drift-{series.name}",
            metric="drift",
            subject=series.subject,
            limit=series.limit_ratio,
            unit="ratio",
            confidence=CONFIDENCE,
        ),
        status=status,
        measured=drift.change_ratio,
        interval=None if low is None or high is None else Interval(low=low, high=high),
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


def _relative(drift: Drift, change: float | None) -> float | None:
    return change / abs(drift.median) if change is not None and drift.median else None


def _judged(series: Series, drift: Drift, high: float | None) -> tuple[Status, str, str | None]:
    if drift.p is None or drift.change is None or drift.change_high is None or drift.slope_per_s is None:
        reason = f"{drift.n} slices of the {series.subject} tell no drift from noise, {LEAST_POINTS} are needed"
        return Status.INCONCLUSIVE, f"{reason}.", "a longer run, or a shorter --slice"
    change = format_ratio(drift.change_ratio) if high is not None else _amount(series, drift.change)
    growth = f"growth of the {series.subject}: {change} over the run, {_amount(series, drift.slope_per_s * 3600)}"
    if drift.drifts and drift.change > 0:
        reason = f"{growth} an hour; noise looks so in 1 of {1 / max(drift.p, 1e-9):,.0f} runs"
        return Status.FAIL, f"{reason}.", "the series in drift.json, beside what the target did in that time"
    most = format_ratio(high) if high is not None else _amount(series, drift.change_high)
    # Where the median is 0 nothing is relative to it, and any growth matters.
    if high < series.limit_ratio if high is not None else drift.change_high <= 0:
        return Status.PASS, f"{growth} an hour, and surely no more than {most} over the run.", None
    reason = f"{growth} an hour, but noise as large as here may hide up to {most} over the run"
    return Status.INCONCLUSIVE, f"{reason}.", _longer(series, drift, high)


def _longer(series: Series, drift: Drift, high: float | None) -> str:
    """Return how long a run would pass whose series does not grow: noise shrinks with the root of its length."""
    if high is None or drift.change_ratio is None:
        return "a longer run"
    noise_ratio = high - drift.change_ratio
    length_s = series.times_s[-1] - series.times_s[0]
    # A tenth more than what would just do.
    needed_s = 1.1 * length_s * max(1.1, (noise_ratio / series.limit_ratio) ** 2)
    return f"a run of about {format_duration(needed_s)} on a machine as noisy, if nothing grows"


def _amount(series: Series, value: float) -> str:
    if series.unit == "s":
        return f"{'-' if value < 0 else ''}{format_duration(abs(value))}"
    if series.unit == "bytes":
        return f"{value / 1e6:.3g} MB"
    return f"{value:.3g} {series.unit}"


class _Slices(TypedDict):
    times_s: tuple[float, ...]
    values: tuple[float, ...]


def _sliced(
    times_s: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    edges: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    slice_s: float,
    q: float,
) -> _Slices:
    """Return the quantile of each slice that holds a value."""
    order = np.argsort(times_s, kind="stable")
    times_s, values = times_s[order], values[order]
    firsts, lasts = np.searchsorted(times_s, edges), np.searchsorted(times_s, edges + slice_s)
    kept = [
        (float(edge + slice_s / 2), float(np.quantile(values[first:last], q, method="inverted_cdf")))
        for edge, first, last in zip(edges, firsts, lasts, strict=True)
        if last > first
    ]
    return _Slices(times_s=tuple(time_s for time_s, _ in kept), values=tuple(value for _, value in kept))
