"""A soak's findings, on planted leaks."""

import math

import pytest

from harness.columns import columns_of
from harness.judge.soak import drift_finding, soak_series, with_findings
from harness.model import PENDING_ROUTE, Coverage, Sample, Status, TargetTick, Verdict


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


def series_by_name(growth_bytes: float = 0.0, slower_s: float = 0.0) -> dict[str, object]:
    columns = columns_of(poll(k, 0.01 + slower_s * k + 0.001 * math.sin(k * k)) for k in range(600))
    found = soak_series(columns, ticks(growth_bytes), from_s=0.0, until_s=600.0, slice_s=20.0)
    return {series.name: series for series in found}


def test_a_leak_of_memory_fails_and_says_how_fast() -> None:
    finding = drift_finding(series_by_name(growth_bytes=50_000.0)["memory"])
    assert Status.FAIL is finding.status
    assert finding.reason.startswith("the target's memory grows: 25.")
    assert "180 MB an hour" in finding.reason
    assert "the series in drift.json, beside what the target did in that time" == finding.remedy


def test_a_slow_decay_of_the_response_time_fails() -> None:
    assert Status.FAIL is drift_finding(series_by_name(slower_s=1e-5)["response-p95"]).status


def test_what_stands_still_passes() -> None:
    assert {Status.PASS} == {drift_finding(series).status for series in series_by_name().values()}


def test_memory_that_is_given_back_is_no_leak() -> None:
    finding = drift_finding(series_by_name(growth_bytes=-50_000.0)["memory"])
    assert Status.PASS is finding.status
    assert finding.reason.startswith("the target's memory shrinks: ")


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
    assert (
        Status.INCONCLUSIVE is with_findings(verdict, []).status
        or Status.PASS is with_findings(verdict, []).status
    )
