"""A soak's findings, on planted leaks."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from harness.columns import columns_of
from harness.judge.soak import Series, drift_finding, soak_series, with_findings
from harness.model import PENDING_ROUTE, Coverage, Sample, Status, TargetTick, Verdict
from harness.units import format_ratio


def poll(k: int, took_s: float, *, error: str | None = None) -> Sample:
    return Sample(
        agent="a",
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=float(k),
        start_s=float(k),
        end_s=k + took_s,
        status=None if error else 200,
        error=error,
        bytes_in=2,
        new_connection=False,
        request_id=None,
    )


def ticks(growth_bytes: float) -> list[TargetTick]:
    return [
        TargetTick(
            t_s=float(k),
            rss_bytes=int(100e6 + growth_bytes * k + 1e5 * math.sin(k * k)),
            connections=50,
            cpu_s=k / 10,
            open_files=70,
        )
        for k in range(600)
    ]


def series_by_name(growth_bytes: float = 0.0, slower_s: float = 0.0) -> dict[str, Series]:
    columns = columns_of(poll(k, 0.01 + slower_s * k + 0.001 * math.sin(k * k)) for k in range(600))
    found = soak_series(columns, ticks(growth_bytes), from_s=0.0, until_s=600.0, slice_s=20.0)
    return {series.name: series for series in found}


def test_a_leak_of_memory_fails_and_says_how_fast() -> None:
    finding = drift_finding(series_by_name(growth_bytes=50_000.0)["memory"])
    assert Status.FAIL is finding.status
    assert finding.reason.startswith("growth of the target's memory: 25.")
    assert "180 MB an hour" in finding.reason
    assert "the series in drift.json, beside what the target did in that time" == finding.remedy


def test_a_slow_decay_of_the_response_time_fails() -> None:
    assert Status.FAIL is drift_finding(series_by_name(slower_s=1e-5)["response-p95"]).status


def test_what_stands_still_passes() -> None:
    found = {name: drift_finding(series) for name, series in series_by_name().items()}
    assert {Status.PASS} == {finding.status for finding in found.values()}
    assert (
        "growth of the target's connections: 0 % over the run, 0 connections an hour, and surely no more than 0 % "
        "over the run." == found["connections"].reason
    )


def test_noise_that_could_hide_a_drift_is_no_pass() -> None:
    """Nothing grows, but slices that differ by half can't show it."""
    dice = np.random.default_rng(1)
    values = tuple(float(value) for value in 0.01 * dice.lognormal(sigma=0.5, size=40))
    series = Series(
        name="response-p50",
        subject="median response time",
        unit="s",
        limit_ratio=0.2,
        times_s=tuple(60.0 * k for k in range(40)),
        values=values,
    )
    finding = drift_finding(series)
    assert Status.INCONCLUSIVE is finding.status
    assert finding.interval is not None
    assert finding.interval.high is not None
    assert finding.interval.high > 0.2
    assert f"may hide up to {format_ratio(finding.interval.high)} over the run." in finding.reason
    assert re.fullmatch(r"a run of about .+ on a machine as noisy, if nothing grows", finding.remedy or "")
    longer_s = 60.0 * 40 * 30
    calm = replace(
        series,
        times_s=tuple(longer_s / 1200 * k for k in range(1200)),
        values=tuple(float(value) for value in 0.01 * dice.lognormal(sigma=0.5, size=1200)),
    )
    assert Status.PASS is drift_finding(calm).status


def test_where_nothing_was_open_any_growth_matters() -> None:
    times_s = tuple(float(k) for k in range(40))
    flat = Series(
        name="files",
        subject="target's open files",
        unit="files",
        limit_ratio=0.05,
        times_s=times_s,
        values=(0.0,) * 40,
    )
    assert Status.PASS is drift_finding(flat).status
    rises = replace(flat, values=tuple([0.0] * 24 + [float(k) for k in range(16)]))
    assert Status.INCONCLUSIVE is drift_finding(rises).status


def test_memory_that_is_given_back_is_no_leak() -> None:
    finding = drift_finding(series_by_name(growth_bytes=-50_000.0)["memory"])
    assert Status.PASS is finding.status
    assert finding.reason.startswith("growth of the target's memory: -")
    assert finding.measured is not None
    assert finding.measured < -0.2


def test_slices_hold_what_was_meant_for_them() -> None:
    columns = columns_of([poll(1, 0.2), poll(2, 0.4), poll(25, 0.6), poll(26, 9.0, error="timeout")])
    p50 = soak_series(columns, (), from_s=0.0, until_s=60.0, slice_s=20.0)[0]
    assert ((10.0, 30.0), (pytest.approx(0.2), pytest.approx(0.6))) == (p50.times_s, p50.values)


def test_another_ones_target_shows_its_answers_only() -> None:
    found = soak_series(columns_of([]), (), from_s=0.0, until_s=60.0, slice_s=20.0)
    assert ["response-p50", "response-p95"] == [series.name for series in found]
    finding = drift_finding(found[0])
    assert Status.INCONCLUSIVE is finding.status
    assert "0 slices of the median response time tell no drift from noise, 10 are needed." == finding.reason


def test_a_verdict_rests_on_the_findings_too() -> None:
    verdict = Verdict(status=Status.PASS, findings=(), coverage=Coverage(judged=("p50",), not_judged={}))
    leak = drift_finding(series_by_name(growth_bytes=50_000.0)["memory"])
    joined = with_findings(verdict, [leak])
    assert (Status.FAIL, ("p50", "drift-memory")) == (joined.status, joined.coverage.judged)
    assert Status.INCONCLUSIVE is with_findings(verdict, []).status, "nothing judged is no pass"
