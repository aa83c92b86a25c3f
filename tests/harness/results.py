"""
Made-up but lifelike results, for every test that renders or stores one.

`fleet` makes the polls of a run as columns; `result_of` makes the Result that a judge could have made of them.
Both are deterministic.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.columns import Columns
from harness.model import (
    PENDING_ROUTE,
    SCHEMA_VERSION,
    Coverage,
    Direction,
    Environment,
    Finding,
    Gate,
    GeneratorTick,
    IndexEvidence,
    Interval,
    Quantiles,
    Result,
    Run,
    RunState,
    Scenario,
    ServerFigures,
    Status,
    Summary,
    Target,
    TargetKind,
    Verdict,
)
from monitoring.histogram import Histogram, nearest_rank

NO_POLL = "no poll was measured"
INDEX = "idx_deployment_agent_status_created"


def fleet(
    *,
    agents: int = 50,
    interval_s: float = 10.0,
    run_time_s: float = 70.0,
    phase_model: str = "uniform",
    median_s: float = 0.004,
    spread: float = 0.35,
    failing_ratio: float = 0.0,
    error_kinds: tuple[str, ...] = ("http-500",),
    stall: tuple[float, float] | None = None,
    server_timing: bool = True,
    agent_ids: tuple[str, ...] | None = None,
    seed: int = 7,
) -> Columns:
    """
    Make the polls of a fleet, ordered by start.

    Args:
        agents: fleet size; 0 for no polls at all.
        interval_s: seconds between two polls of one agent.
        run_time_s: how long the agents poll.
        phase_model: ``uniform`` or ``sync``.
        median_s: median service time.
        spread: standard deviation of its logarithm.
        failing_ratio: share of polls that fail, 0..1.
        error_kinds: kinds to draw failures from, in turn.
        stall: ``(start, end)`` in which the target answers nobody; polls wait for its end.
        server_timing: whether the target told its own times.
        agent_ids: ids to use instead of made-up ones.
        seed: source of the randomness.
    """
    rng = np.random.default_rng(seed)
    phases = np.zeros(agents) if phase_model == "sync" else (np.arange(agents) + 0.5) / max(agents, 1) * interval_s
    phases = rng.permutation(phases)
    rounds = np.arange(math.ceil(run_time_s / interval_s))
    intended = (phases[:, None] + rounds[None, :] * interval_s).ravel()
    agent = np.repeat(np.arange(agents), len(rounds))
    kept = intended < run_time_s
    intended, agent = intended[kept], agent[kept]
    n = len(intended)
    start = intended + rng.gamma(2.0, 0.0002, n)
    service = median_s * np.exp(rng.normal(0.0, spread, n))
    end = start + service
    if stall is not None:
        held = (start >= stall[0]) & (start < stall[1])
        end = np.where(held, stall[1] + service, end)
    failed = rng.random(n) < failing_ratio
    error = np.where(failed, np.arange(n) % len(error_kinds), -1)
    order = np.lexsort((agent, start))
    unknown = np.full(n, np.nan)
    handler = service * rng.uniform(0.55, 0.8, n)
    ids = agent_ids or tuple(f"agent-{i:03d}" for i in range(agents))
    return Columns(
        agent=agent[order].astype(np.int64),
        intended_start_s=intended[order],
        start_s=start[order],
        end_s=end[order],
        status=np.where(failed, 500, 200)[order].astype(np.int64),
        ok=~failed[order],
        error=error[order].astype(np.int64),
        bytes_in=np.full(n, 212, dtype=np.int64),
        new_connection=(intended < interval_s)[order].astype(np.int64),
        handler_s=(handler if server_timing else unknown)[order],
        database_s=(handler * rng.uniform(0.2, 0.4, n) if server_timing else unknown)[order],
        pool_wait_s=(rng.gamma(1.5, 0.00003, n) if server_timing else unknown)[order],
        agents=ids,
        error_kinds=error_kinds if failed.any() else (),
    )


def quantiles_of(values: NDArray[np.float64]) -> Quantiles:
    """Return the nearest-rank quantiles of any values, infinite ones included."""
    n = len(values)
    if n == 0:
        return Quantiles(n=0, mean=None, p50=None, p95=None, p99=None, max=None)
    ordered = np.sort(values)
    finite = ordered[np.isfinite(ordered)]
    p50, p95, p99 = (float(ordered[nearest_rank(q, n) - 1]) for q in (0.5, 0.95, 0.99))
    mean = float(finite.mean()) if len(finite) else None
    return Quantiles(n=n, mean=mean, p50=p50, p95=p95, p99=p99, max=float(ordered[-1]))


def summary_of(columns: Columns, *, run_time_s: float = 70.0, warmup_s: float = 10.0, missed: int = 0) -> Summary:
    """Return the figures of the measured part, as a judge would have counted them."""
    seen = columns.window(warmup_s, run_time_s)
    sent, completed = len(seen), int(seen.ok.sum())
    counts = {kind: int((seen.error == i).sum()) for i, kind in enumerate(columns.error_kinds)}
    length_s = run_time_s - warmup_s
    return Summary(
        window_start_s=warmup_s,
        window_end_s=run_time_s,
        intended=sent + missed,
        sent=sent,
        completed=completed,
        failed=sent - completed,
        missed=missed,
        offered_per_s=sent / length_s,
        achieved_per_s=completed / length_s,
        response_time=quantiles_of(seen.response_time_s),
        service_time=quantiles_of(seen.service_time_s[seen.status > 0]),
        start_lag=quantiles_of(seen.start_lag_s),
        errors_by_kind={kind: count for kind, count in counts.items() if count},
        new_connections_per_poll=float(seen.new_connection.mean()) if sent else None,
        lock_step_index=0.02 if len(columns.agents) > 1 and sent else None,
    )


def ticks_of(run_time_s: float = 70.0) -> tuple[GeneratorTick, ...]:
    """Return one tick a second of a generator in good health."""
    rng = np.random.default_rng(3)
    return tuple(
        GeneratorTick(
            t_s=t + 1.0,
            cpu_ratio=float(0.04 + 0.02 * rng.random()),
            loop_lag_s=float(rng.gamma(2.0, 0.0004)),
            rss_bytes=96_000_000,
        )
        for t in range(int(run_time_s))
    )


def gate(name: str, *, limit: float, unit: str = "s", quantile: float | None = None, **other: object) -> Gate:
    """Return a gate on the polled route."""
    given = {"metric": "response_time", "subject": PENDING_ROUTE} | other
    return Gate(name=name, limit=limit, unit=unit, quantile=quantile, **given)  # type: ignore[arg-type]


def finding(of: Gate, status: Status = Status.PASS, measured: float | None = None, **other: object) -> Finding:
    """Return a finding with a reason that fits its status."""
    given: dict[str, object] = {
        "interval": None if measured is None else Interval(low=measured * 0.93, high=measured * 1.08),
        "n": 300,
        "effective_n": 300.0,
        "exceedances": 0,
        "reason": "0 of 300 polls reached the limit; with 95 % confidence fewer than 0.994 % do",
        "remedy": None,
    } | other
    return Finding(gate=of, status=status, measured=measured, **given)  # type: ignore[arg-type]


def findings_of(summary: Summary, *, agents: int = 50) -> tuple[Finding, ...]:
    """Return the outcome of the usual gates, judged by the point estimate alone: enough to draw from."""
    found = [
        _quantile_finding(name, q, limit_s, value_s, summary.sent)
        for name, q, limit_s, value_s in (
            ("p50", 0.50, 0.050, summary.response_time.p50),
            ("p95", 0.95, 0.200, summary.response_time.p95),
            ("p99", 0.99, 0.500, summary.response_time.p99),
        )
    ]
    ratio = summary.failed / summary.sent if summary.sent else None
    found.append(
        finding(
            gate("error-ratio", limit=0.01, unit="ratio", metric="error_ratio"),
            _below(ratio, 0.01),
            ratio,
            interval=None if ratio is None else Interval(low=ratio * 0.8, high=min(1.0, ratio * 1.2 + 0.0099)),
            n=summary.sent,
            effective_n=float(summary.sent),
            exceedances=summary.failed,
            reason=f"{summary.failed} of {summary.sent} polls failed" if summary.sent else NO_POLL,
        )
    )
    length_s = summary.window_end_s - summary.window_start_s
    agent_rate = summary.sent / length_s / agents if summary.sent else None
    found.append(
        finding(
            gate(
                "poll-rate",
                limit=0.1,
                unit="per_s",
                metric="poll_rate",
                direction=Direction.NEAR,
                tolerance_ratio=0.1,
            ),
            Status.PASS if summary.sent else Status.INCONCLUSIVE,
            agent_rate,
            interval=None,
            n=summary.sent,
            effective_n=None,
            exceedances=None,
            reason=f"{agents} agents completed {summary.completed} polls" if summary.sent else NO_POLL,
        )
    )
    found.append(
        finding(
            gate("pending-index", limit=1, unit="index", metric="index", subject=INDEX),
            Status.PASS,
            1.0,
            interval=None,
            n=1,
            effective_n=None,
            exceedances=None,
            reason=f"the plan searches {INDEX}",
        )
    )
    return tuple(found)


def verdict_of(findings: tuple[Finding, ...], not_judged: Mapping[str, str] | None = None) -> Verdict:
    """Put findings together, the worst one winning."""
    ranks = (Status.FAIL, Status.INVALID, Status.INCONCLUSIVE, Status.PASS)
    seen = {f.status for f in findings}
    status = next((s for s in ranks if s in seen), Status.INCONCLUSIVE)
    judged = tuple(f.gate.name for f in findings)
    return Verdict(
        status=status, findings=findings, coverage=Coverage(judged=judged, not_judged=dict(not_judged or {}))
    )


def run_of(*, agents: int = 50, run_time_s: float = 70.0, warmup_s: float = 10.0, **other: object) -> Run:
    """Return the record of a finished run against an embedded target."""
    scenario = Scenario(
        name="agent-polling",
        agents=agents,
        interval_s=10.0,
        run_time_s=run_time_s,
        warmup_s=warmup_s,
        phase_model="uniform",
        seed=7,
        digest="9b2e41c0",
    )
    run = Run(
        id="20261123T083000Z-3f9a",
        schema_version=SCHEMA_VERSION,
        started_utc="2026-11-23T08:30:00Z",
        state=RunState.FINISHED,
        scenario=scenario,
        target=Target(
            kind=TargetKind.EMBEDDED,
            url="http://127.0.0.1:40123",
            version="0.1.0",
            database="sqlite 3.45.1",
            deployments=100_000,
        ),
        environment=Environment(
            key="5c1d7ab2",
            cpu="Example CPU @ 2.40GHz",
            cores=2,
            memory_bytes=8_000_000_000,
            platform="Linux 6.8 x86_64",
            python="CPython 3.11.7",
            packages={"locust": "2.47.0", "fastapi": "0.165.0"},
        ),
        commit="40afc1795a3be1d1e9b4d3a0c5a1e0f6a7b8c9d0",
        dirty=False,
        harness_version="0.1.0",
    )
    return replace(run, **other)  # type: ignore[arg-type]


def server_of(columns: Columns) -> ServerFigures:
    """Return what a target would have told of these polls."""
    told = np.isfinite(columns.handler_s)
    return ServerFigures(
        window_s=60.0,
        requests=len(columns),
        errors=int((columns.status >= 500).sum()),
        handler=Histogram.of(columns.handler_s[told].tolist()),
        query=Histogram.of((columns.database_s[told] / 2).tolist()),
        pool_wait=Histogram.of(columns.pool_wait_s[told].tolist()),
        pool_size=40,
        pool_peak=6,
    )


def indexes_of(*, served: bool | None = True, note: str | None = None) -> tuple[IndexEvidence, ...]:
    """Return the evidence about the pending query."""
    return (
        IndexEvidence(
            statement="SELECT * FROM deployments WHERE agent_id = ? AND status = ? ORDER BY created_at",
            expected_index=INDEX,
            served=served,
            plan=f"SEARCH deployments USING INDEX {INDEX} (agent_id=? AND status=?)",
            note=note,
        ),
    )


def result_of(
    columns: Columns, *, run_time_s: float = 70.0, warmup_s: float = 10.0, missed: int = 0, **other: object
) -> Result:
    """Return the Result of these polls; every part can be replaced by name."""
    summary = summary_of(columns, run_time_s=run_time_s, warmup_s=warmup_s, missed=missed)
    result = Result(
        schema_version=SCHEMA_VERSION,
        run=run_of(agents=max(len(columns.agents), 1), run_time_s=run_time_s, warmup_s=warmup_s),
        summary=summary,
        server=server_of(columns.window(warmup_s, run_time_s)),
        indexes=indexes_of(),
        verdict=verdict_of(findings_of(summary, agents=max(len(columns.agents), 1))),
        warnings=(),
    )
    return replace(result, **other)  # type: ignore[arg-type]


def _below(measured: float | None, limit: float) -> Status:
    if measured is None:
        return Status.INCONCLUSIVE
    return Status.PASS if measured < limit else Status.FAIL


def _quantile_finding(name: str, q: float, limit_s: float, value_s: float | None, n: int) -> Finding:
    status = _below(value_s, limit_s)
    of = gate(name, limit=limit_s, quantile=q)
    if status is Status.INCONCLUSIVE:
        return finding(of, status, None, n=0, effective_n=0.0, reason=NO_POLL, remedy="a longer run")
    if status is Status.FAIL:
        reason = f"more polls than 1 in {round(1 / (1 - q))} took {limit_s * 1e3:.0f} ms or longer"
        return finding(of, status, value_s, n=n, effective_n=float(n), reason=reason, remedy="a faster target")
    return finding(of, status, value_s, n=n, effective_n=float(n))
