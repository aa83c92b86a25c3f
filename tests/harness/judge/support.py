"""Builders of evidence: a healthy run of fifty agents, to be spoilt in one place by each test."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from harness.columns import Columns, columns_of
from harness.judge.evidence import Evidence
from harness.judge.gates import judge, spec_gates
from harness.judge.summary import summarise
from harness.model import (
    PENDING_ROUTE,
    Finding,
    Gate,
    GeneratorTick,
    IndexEvidence,
    Sample,
    SampleHeader,
    ServerFigures,
)
from monitoring.histogram import Histogram

AGENTS = 50
INTERVAL_S = 10.0
WARMUP_S = 10.0
RUN_TIME_S = 70.0


def header(**changes: Any) -> SampleHeader:
    whole: dict[str, Any] = {
        "schema_version": 1,
        "origin_utc": "2026-11-23T08:30:00Z",
        "host": "http://127.0.0.1:8000",
        "scenario": "agent-polling",
        "agents": AGENTS,
        "interval_s": INTERVAL_S,
        "seed": 1,
        "phase_model": "uniform",
    }
    return SampleHeader(**(whole | changes))


def poll(agent: int = 0, intended_s: float = 0.0, took_s: float = 0.020, **changes: Any) -> Sample:
    """One poll, sent on time and answered well unless `changes` say otherwise."""
    start_s = changes.pop("start_s", intended_s)
    whole: dict[str, Any] = {
        "agent": f"agent-{agent:03d}",
        "name": PENDING_ROUTE,
        "method": "GET",
        "intended_start_s": intended_s,
        "start_s": start_s,
        "end_s": start_s + took_s,
        "status": 200,
        "error": None,
        "bytes_in": 2,
        "new_connection": False,
        "request_id": None,
    }
    return Sample(**(whole | changes))


def failed(sample: Sample, error: str = "http-500", status: int | None = 500) -> Sample:
    return replace(sample, error=error, status=status)


def schedule(
    *, agents: int = AGENTS, interval_s: float = INTERVAL_S, run_time_s: float = RUN_TIME_S
) -> list[tuple[int, float]]:
    """Return (agent, intended start) of every poll, phases spread evenly, by time."""
    polls = []
    for turn in range(int(run_time_s / interval_s) + 1):
        for agent in range(agents):
            intended_s = (turn + agent / agents) * interval_s
            if intended_s < run_time_s - 1e-9:
                polls.append((agent, intended_s))
    return polls


def took(index: int) -> float:
    """Service times between 10 and 29 ms that neither repeat nor drift."""
    return 0.010 + (index * 7919 % 997) / 997 * 0.019


def healthy_samples(**shape: Any) -> list[Sample]:
    return [poll(agent, intended_s, took(i)) for i, (agent, intended_s) in enumerate(schedule(**shape))]


def spoil(samples: list[Sample], which: Iterable[int], change: Callable[[Sample], Sample]) -> list[Sample]:
    """Return the samples with some of the measured ones changed; `which` counts from the first measured one."""
    first = sum(s.intended_start_s < WARMUP_S for s in samples)
    changed = list(samples)
    for index in which:
        changed[first + index] = change(changed[first + index])
    return changed


def slow(response_time_s: float) -> Callable[[Sample], Sample]:
    return lambda s: replace(s, end_s=s.intended_start_s + response_time_s)


def server(**changes: Any) -> ServerFigures:
    histogram = Histogram.of([0.002] * 600)
    whole: dict[str, Any] = {
        "window_s": 60.0,
        "requests": 300,
        "errors": 0,
        "handler": Histogram.of([0.010] * 300),
        "query": histogram,
        "pool_wait": Histogram.of([0.0001] * 300),
        "pool_size": 15,
        "pool_peak": 3,
    }
    return ServerFigures(**(whole | changes))


def index(**changes: Any) -> IndexEvidence:
    whole: dict[str, Any] = {
        "statement": "SELECT … WHERE agent_id = ? AND status = ? ORDER BY created_at",
        "expected_index": "idx_deployment_agent_status_created",
        "served": True,
        "plan": "SEARCH deployments USING INDEX idx_deployment_agent_status_created",
    }
    return IndexEvidence(**(whole | changes))


def evidence(
    samples: list[Sample] | None = None,
    *,
    intended: int | None = None,
    window_end_s: float = RUN_TIME_S,
    columns: Columns | None = None,
    **changes: Any,
) -> Evidence:
    """Evidence of a run over the given samples; of a healthy run without any."""
    if columns is None:
        columns = columns_of(healthy_samples() if samples is None else samples)
    if intended is None:
        intended = sum(WARMUP_S <= at_s < window_end_s for _, at_s in schedule())
    summary = summarise(
        columns,
        header=header(),
        window_start_s=WARMUP_S,
        window_end_s=window_end_s,
        intended=intended,
    )
    whole: dict[str, Any] = {
        "summary": summary,
        "columns": columns,
        "agents": AGENTS,
        "interval_s": INTERVAL_S,
        "server": server(),
        "indexes": (index(),),
        "ticks": tuple(
            GeneratorTick(t_s=float(t), cpu_ratio=0.1, loop_lag_s=0.0, rss_bytes=50_000_000) for t in range(1, 71)
        ),
        "interrupted": False,
    }
    return Evidence(**(whole | changes))


def spec_gate(name: str) -> Gate:
    return next(gate for gate in spec_gates(interval_s=INTERVAL_S) if gate.name == name)


def finding(gate: str | Gate, of: Evidence) -> Finding:
    """Judge one gate, which has to get an outcome."""
    verdict = judge([spec_gate(gate) if isinstance(gate, str) else gate], of)
    assert verdict.coverage.not_judged == {}
    return verdict.findings[0]
