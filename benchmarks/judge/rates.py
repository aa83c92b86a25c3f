"""How often a verdict is wrong when the truth lies exactly on the limit, measured through `judge` itself."""

from dataclasses import dataclass

import numpy as np

from benchmarks.judge.processes import Process
from harness.columns import Columns, Floats
from harness.judge.gates import Evidence, judge
from harness.judge.intervals import shows_beyond, shows_within
from harness.judge.summary import summarise
from harness.model import PENDING_ROUTE, Finding, Gate, SampleHeader, Status

AGENTS = 50
INTERVAL_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """
    Outcomes of many runs.

    Args:
        false_pass: share of runs judged PASS.
        false_fail: share of runs judged FAIL.
        naive_pass: share of runs that would pass if their polls were taken as independent.
        naive_fail: share of runs that would fail then.
        correlated: share of runs whose polls counted as fewer than they were.
    """

    false_pass: float
    false_fail: float
    naive_pass: float
    naive_fail: float
    correlated: float


def columns_from(response_time_s: Floats) -> Columns:
    """Return polls of fifty agents at 10 s, evenly spread, with the given response times in order of start."""
    n = len(response_time_s)
    start_s = np.arange(n, dtype=np.float64) * (INTERVAL_S / AGENTS)
    return Columns(
        agent=np.arange(n) % AGENTS,
        intended_start_s=start_s,
        start_s=start_s,
        end_s=start_s + response_time_s,
        status=np.full(n, 200),
        ok=np.ones(n, dtype=np.bool_),
        error=np.full(n, -1),
        bytes_in=np.full(n, 2),
        new_connection=np.zeros(n, dtype=np.int64),
        handler_s=np.full(n, np.nan),
        database_s=np.full(n, np.nan),
        pool_wait_s=np.full(n, np.nan),
        agents=tuple(f"agent-{i:02d}" for i in range(AGENTS)),
        error_kinds=(),
    )


def header() -> SampleHeader:
    """Return the header of a simulated run."""
    return SampleHeader(
        schema_version=1,
        origin_utc="2026-11-23T00:00:00Z",
        host="http://127.0.0.1",
        scenario="simulation",
        agents=AGENTS,
        interval_s=INTERVAL_S,
        seed=0,
        phase_model="uniform",
    )


def evidence_from(columns: Columns) -> Evidence:
    """Return the evidence of a run that holds nothing but these polls."""
    summary = summarise(
        columns,
        header=header(),
        window_start_s=0.0,
        window_end_s=len(columns) * INTERVAL_S / AGENTS,
        intended=len(columns),
    )
    return Evidence(
        summary=summary,
        columns=columns,
        agents=AGENTS,
        interval_s=INTERVAL_S,
        server=None,
        indexes=(),
        ticks=(),
        interrupted=False,
    )


def quantile_gate(quantile: float, limit_s: float) -> Gate:
    """Return a gate on a quantile of the response time."""
    return Gate(
        name=f"p{quantile * 100:g}",
        metric="response_time",
        subject=PENDING_ROUTE,
        limit=limit_s,
        unit="s",
        quantile=quantile,
    )


def findings_of(response_time_s: Floats, gates: list[Gate]) -> tuple[Finding, ...]:
    """Judge one run with these response times [s]."""
    return judge(gates, evidence_from(columns_from(response_time_s))).findings


def rates_on_the_limit(
    process: Process, *, n: int, quantiles: tuple[float, ...], runs: int, seed: int
) -> dict[float, Rates]:
    """
    Judge many runs whose true quantiles are the limits.

    Args:
        process: where the response times come from.
        n: polls a run.
        quantiles: one gate each.
        runs: how many runs.
        seed: of the first run; run i uses seed + i.

    Returns:
        Quantile → the rates of wrong verdicts.
    """
    gates = [quantile_gate(q, process.quantile(q)) for q in quantiles]
    wrong = np.zeros((len(gates), 5))
    for run in range(runs):
        values = process.draw(np.random.default_rng(seed + run), n)
        for i, finding in enumerate(findings_of(values, gates)):
            exceedances = finding.exceedances or 0
            allowed = round(1 - quantiles[i], 12)
            wrong[i] += (
                finding.status is Status.PASS,
                finding.status is Status.FAIL,
                shows_within(exceedances, n, allowed_ratio=allowed, confidence=finding.gate.confidence),
                shows_beyond(exceedances, n, allowed_ratio=allowed, confidence=finding.gate.confidence),
                finding.effective_n is not None and finding.effective_n < n,
            )
    return {
        q: Rates(
            false_pass=float(w[0]),
            false_fail=float(w[1]),
            naive_pass=float(w[2]),
            naive_fail=float(w[3]),
            correlated=float(w[4]),
        )
        for q, w in zip(quantiles, wrong / runs, strict=True)
    }
