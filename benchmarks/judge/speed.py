"""Time and memory of judging a million polls."""

import resource
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.judge.processes import queue
from benchmarks.judge.rates import columns_from, evidence_from
from harness.judge.gates import judge, spec_gates


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


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
