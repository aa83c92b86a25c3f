"""
Compare the histogram with its peers: ``python -m benchmarks.histograms [--rounds 15] [--store]``.

Each records the same 20,000 lognormal durations in turns; then p50, p95 and p99 are compared with the exact ones.
Peers that are not installed are named and left out: ``pip install hdrhistogram ddsketch prometheus-client``.
"""

import argparse
import importlib.metadata
import math
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import accumulate
from typing import Any

from benchmarks.results import Comparison, environment, now_utc, row_of, show
from monitoring.histogram import Histogram, nearest_rank

VALUES = 20_000
QUANTILES = (0.5, 0.95, 0.99)
BASELINE = "monitoring.histogram"
PROMETHEUS_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """
    A way of keeping durations.

    Args:
        name: for the table.
        make: returns an empty one, and how to record into it.
        read: returns a quantile [s].
        package: its distribution; None for what is ours or Python's.
    """

    name: str
    make: Callable[[], tuple[Any, Callable[[float], object]]]
    read: Callable[[Any, float], float]
    package: str | None = None


def contenders() -> list[Contender]:
    """Return the contenders that are installed."""
    made = [
        Contender(
            name=BASELINE,
            make=lambda: ((histogram := Histogram()), histogram.record),
            read=lambda histogram, q: histogram.quantile(q) or 0.0,
        ),
    ]
    if _installed("hdrhistogram"):
        hdr = import_module("hdrh.histogram").HdrHistogram
        made.append(
            Contender(
                name="hdrhistogram",
                make=lambda: ((one := hdr(1, 3_600_000_000, 2)), lambda value_s: one.record_value(value_s * 1e6)),
                read=lambda one, q: one.get_value_at_percentile(100 * q) / 1e6,
                package="hdrhistogram",
            )
        )
    if _installed("ddsketch"):
        sketch = import_module("ddsketch").DDSketch
        made.append(
            Contender(
                name="ddsketch",
                make=lambda: ((one := sketch(0.01)), one.add),
                read=lambda one, q: one.get_quantile_value(q),
                package="ddsketch",
            )
        )
    if _installed("prometheus-client"):
        client = import_module("prometheus_client")
        made.append(
            Contender(
                name="prometheus-client, default buckets",
                make=lambda: ((one := client.Histogram("d", "d", registry=None)), one.observe),
                read=_from_prometheus,
                package="prometheus-client",
            )
        )
    return made


def _from_prometheus(one: Any, q: float) -> float:
    """Return what ``histogram_quantile`` makes of the buckets: linear within the one that holds the rank."""
    counts: list[float] = list(accumulate(bucket.get() for bucket in one._buckets))
    rank = q * counts[-1]
    place = bisect_left(counts, rank)
    if place >= len(PROMETHEUS_BOUNDS_S):
        return PROMETHEUS_BOUNDS_S[-1]
    below = counts[place - 1] if place else 0.0
    low = PROMETHEUS_BOUNDS_S[place - 1] if place else 0.0
    return low + (PROMETHEUS_BOUNDS_S[place] - low) * (rank - below) / (counts[place] - below)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def ns_each(record: Callable[[float], object], values: Sequence[float]) -> float:
    """Return the CPU time of recording one value [ns]."""
    start_ns = time.process_time_ns()
    for value in values:
        record(value)
    return (time.process_time_ns() - start_ns) / len(values)


def compare(there: Sequence[Contender], rounds: int) -> Comparison:
    """Let the contenders record the same values in turns, and read their quantiles back."""
    spread = random.Random(1)
    values = [spread.lognormvariate(math.log(0.02), 1.0) for _ in range(VALUES)]
    times_ns: dict[str, list[float]] = {one.name: [] for one in there}
    kept: dict[str, Any] = {}
    for _ in range(rounds):
        for one in there:
            kept[one.name], record = one.make()
            times_ns[one.name].append(ns_each(record, values))
    ordered = sorted(values)
    rows = []
    for one in there:
        errors = [abs(one.read(kept[one.name], q) / ordered[nearest_rank(q, VALUES) - 1] - 1) for q in QUANTILES]
        note = f"quantiles off by up to {100 * max(errors):.2g} %"
        rows.append(row_of(one.name, times_ns[one.name], ours=one.name == BASELINE, note=note))
    return Comparison(
        name="histograms",
        title="keeping a duration",
        quantity="CPU time of one",
        unit="ns",
        baseline=BASELINE,
        smaller_is_better=True,
        rounds=rounds,
        rows=rows,
        command="python -m benchmarks.histograms --store",
        measured_utc=now_utc(),
        environment=environment(
            **{one.package: importlib.metadata.version(one.package) for one in there if one.package is not None}
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender (default: %(default)s)")
    parser.add_argument("--store", action="store_true", help="keep the result in benchmarks/results")
    chosen = parser.parse_args()
    show(compare(contenders(), chosen.rounds), keep=chosen.store)


if __name__ == "__main__":
    main()
