"""
Our own hot paths, judged as ratios: ``pytest benchmarks/guards`` or ``make guard``.

The limits were set on CPython 3.11 and 3.13, and tried on 3.12; `benchmarks/guards/__init__.py` says how.
"""

import gc
import time

import pytest

from benchmarks.guards.work import GUARDS, Guard, Work, prepared
from harness.model import Gate, Status
from harness.ratios import judge_ratio, median_ratio

ROUNDS = 31
REMEDIES = {
    Status.FAIL: "what was changed on this path; python -m cProfile shows where the time goes",
    Status.INCONCLUSIVE: "a quieter machine",
}


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_hot_path(guard: Guard, request: pytest.FixtureRequest) -> None:
    """A hot path costs no more than it did: the interval of its median ratio reaches below the limit."""
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("guards were NOT run: --benchmark-disable")
    with prepared(guard) as (work, divisor):
        ratio = median_ratio([one_round(work, divisor, turn=number % 2) for number in range(ROUNDS)])
    gate = Gate(name="guard", metric="cpu_ratio", subject=guard.name, limit=guard.limit, unit="ratio")
    finding = judge_ratio(ratio, gate, subject=guard.name, remedies=REMEDIES)
    print(f"\n{finding.status.value}: {finding.reason}")
    assert Status.FAIL is not finding.status, finding


def one_round(work: Work, divisor: Work, *, turn: int) -> float:
    """Return the CPU time of the work over that of the divisor; which goes first changes from round to round."""
    gc.collect()
    if turn:
        below_s = cpu_s(divisor)
        return cpu_s(work) / below_s
    above_s = cpu_s(work)
    return above_s / cpu_s(divisor)


def cpu_s(work: Work) -> float:
    """Return the CPU time of this process during the work [s]."""
    start_s = time.process_time()
    work()
    return time.process_time() - start_s
