"""
Contenders that take turns: what each round found, and the processor cores they run on.

Where the system allows it, everything compared runs on one core. A move from core to core, and a thread waking on
the other one, cost tens of microseconds at random, which is more than most of what is compared.
"""

import contextlib
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.monitoring.peers import BARE
from benchmarks.monitoring.subjects import Drive
from benchmarks.results import Row


@dataclass(slots=True)
class Measured:
    """What one comparison found: CPU of each contender in each round [µs a request]."""

    drives: dict[str, Drive] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ours: set[str] = field(default_factory=set)

    def ratios(self, name: str) -> list[float]:
        """Return each round's ratio to the bare application in the same round."""
        return [value / bare for value, bare in zip(self.figures[name], self.figures[BARE], strict=True)]

    def rows(self) -> list[Row]:
        """Return it as it is stored: the bare median, and that times each one's median ratio."""
        base = statistics.median(self.figures[BARE])
        rows = []
        for name in self.figures:
            ratios = self.ratios(name)
            low, high = quartiles(ratios)
            rows.append(
                Row(
                    name=name,
                    value=base * statistics.median(ratios),
                    low=base * low,
                    high=base * high,
                    ours=name in self.ours,
                )
            )
        return rows + [Row(name=name, value=None, note=why) for name, why in self.missing.items()]


def tell(measured: Measured) -> None:
    """Print each contender beside the bare one."""
    figures = measured.figures
    for name, values in figures.items():
        ratios = measured.ratios(name)
        low, high = quartiles(ratios)
        print(
            f"   {name:46s} {statistics.median(values):7.1f} µs  least {min(values):7.1f}  "
            f"{statistics.median(ratios):5.2f}× bare ({low:.2f}–{high:.2f}), "
            f"least {min(values) / min(figures[BARE]):.2f}×"
        )


def quartiles(values: list[float]) -> tuple[float, float]:
    cut = statistics.quantiles(values, n=4)
    return cut[0], cut[2]


# ---- cores


def last_core() -> set[int]:
    """Return the core that what is measured runs on; all there are where they can't be told apart."""
    cores = _cores()
    return {max(cores)} if cores else set()


def other_cores() -> set[int]:
    """Return the cores for whoever sends the load; with one core that one."""
    cores = _cores()
    return (cores - last_core()) or cores


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, on these cores; an empty set changes nothing."""
    before = _cores()
    keep(cores)
    try:
        yield
    finally:
        keep(before)


def keep(cores: set[int], pid: int = 0) -> None:
    """Have a process that has one thread yet, for 0 this thread, run on these cores; see `on_cores`."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, cores)


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
