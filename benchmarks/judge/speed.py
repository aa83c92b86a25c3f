"""Time and memory of judging a million polls."""

import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import harness
from benchmarks.judge.processes import queue
from benchmarks.judge.rates import columns_from, evidence_from, header
from harness.conclude import conclude
from harness.environment import describe_environment
from harness.judge.gates import judge, spec_gates
from harness.model import (
    PENDING_ROUTE,
    SCHEMA_VERSION,
    Reading,
    Run,
    RunState,
    Sample,
    ServerTiming,
    Target,
    TargetKind,
)
from harness.rundir import RunDirectory, encode
from harness.scenario import make_scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """
    What judging cost.

    Args:
        wall_s: time to summarise, and to judge the specification's gates [s].
        cpu_s: processor time of the same [s].
        before_bytes: largest resident memory before, the columns of the polls included.
        after_bytes: largest resident memory of the whole process.
    """

    wall_s: float
    cpu_s: float
    before_bytes: int
    after_bytes: int


def measure(polls: int) -> Speed:
    """Summarise and judge one run of so many correlated polls."""
    # A hundredth, so that the times lie around the limits and nothing is skipped as far below them.
    columns = columns_from(queue(0.8).draw(np.random.default_rng(1), polls) / 100)
    before_bytes = _peak_bytes()
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    judge(spec_gates(interval_s=10.0), evidence_from(columns))
    return Speed(
        wall_s=time.perf_counter() - begun_s,
        cpu_s=time.process_time() - begun_cpu_s,
        before_bytes=before_bytes,
        after_bytes=_peak_bytes(),
    )


def measure_stored(polls: int) -> Speed:
    """Read, summarise and judge a stored run of so many polls; writing its files is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder))
        run = _write_run(directory, polls)
        reading = Reading(schema_version=SCHEMA_VERSION, server=None, indexes=(), target_death=None, notes=())
        before_bytes = _peak_bytes()
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        conclude(directory, run=run, reading=reading, written=False)
        return Speed(
            wall_s=time.perf_counter() - begun_s,
            cpu_s=time.process_time() - begun_cpu_s,
            before_bytes=before_bytes,
            after_bytes=_peak_bytes(),
        )


def _write_run(directory: RunDirectory, polls: int) -> Run:
    """Write the samples of ten thousand agents at 10 s, with timings of the target and ids of the requests."""
    agents, interval_s = 10_000, 10.0
    run_time_s = polls * interval_s / agents
    service_s = np.random.default_rng(1).lognormal(-5.5, 0.5, polls)
    with directory.samples.open("wb") as file:
        file.write(encode(replace(header(), agents=agents, interval_s=interval_s)) + b"\n")
        for i in range(polls):
            start_s, took_s = i * interval_s / agents, float(service_s[i])
            sample = Sample(
                agent=f"agent-{i % agents:05d}",
                name=PENDING_ROUTE,
                method="GET",
                intended_start_s=start_s,
                start_s=start_s + 0.0001,
                end_s=start_s + 0.0001 + took_s,
                status=200,
                error=None,
                bytes_in=212,
                new_connection=False,
                request_id=f"{i:032x}",
                server=ServerTiming(handler_s=took_s * 0.6, database_s=took_s * 0.3, pool_wait_s=1e-5),
            )
            file.write(encode(sample) + b"\n")
    scenario = make_scenario(
        name="agent-polling",
        agents=agents,
        interval_s=interval_s,
        run_time_s=run_time_s,
        warmup_s=0.0,
        phase_model="uniform",
        seed=1,
    )
    return Run(
        id="stored",
        schema_version=SCHEMA_VERSION,
        started_utc="2026-11-23T00:00:00Z",
        state=RunState.FINISHED,
        scenario=scenario,
        target=Target(kind=TargetKind.ATTACHED, url="http://127.0.0.1"),
        environment=describe_environment(),
        commit=None,
        dirty=None,
        harness_version=harness.__version__,
        ended_s=run_time_s,
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
