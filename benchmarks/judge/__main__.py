"""Print the figures of docs/verdicts.md: how often a verdict is wrong, and what judging costs."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.judge.looks import looks_at, point_estimate_ends
from benchmarks.judge.processes import Process, autoregressive, independent, queue
from benchmarks.judge.rates import rates_on_the_limit
from benchmarks.judge.speed import measure, measure_stored
from harness.judge.intervals import shows_beyond, shows_within, smallest_n

QUANTILES = (0.50, 0.95, 0.99)
CASES: tuple[tuple[Process, int, int], ...] = (
    (independent(), 300, 2000),
    (independent(), 1000, 1000),
    (independent(), 10_000, 400),
    (autoregressive(0.3), 300, 1000),
    (autoregressive(0.5), 300, 1000),
    (autoregressive(0.7), 300, 1000),
    (autoregressive(0.9), 300, 1000),
    (autoregressive(0.9, spread=1.0), 300, 1000),
    (autoregressive(0.9, spread=2.0), 300, 1000),
    (queue(0.8), 300, 1000),
    (queue(0.8), 1000, 1000),
    (queue(0.8), 20_000, 400),
    (queue(0.9), 300, 1000),
    (queue(0.9), 20_000, 400),
)
"""Source, polls a run, runs."""
LOOKS: tuple[tuple[Process, int, int], ...] = (
    (independent(), 10_000, 100),
    (autoregressive(0.9), 5_000, 100),
    (queue(0.8), 20_000, 100),
    (queue(0.9), 20_000, 60),
)
"""The same, for runs that are watched."""


def print_tables() -> None:
    """Print how many polls a gate needs, and where its verdicts begin."""
    print("Smallest n that passes at 95 %, by exceedances k:")
    ks = (0, 1, 2, 3, 5, 10, 20)
    print("        " + "".join(f"{f'k={k}':>9}" for k in ks))
    for q in (0.5, 0.9, 0.95, 0.99, 0.999):
        cells = (smallest_n(k, allowed_ratio=round(1 - q, 12), confidence=0.95) for k in ks)
        print(f"  {f'p{q * 100:g}':6}" + "".join(f"{cell or 0:9,}" for cell in cells))
    print("Largest k that passes and smallest that fails, p99 at 95 %:")
    for n in (300, 1000, 10_000):
        within = [k for k in range(n // 20) if shows_within(k, n, allowed_ratio=0.01, confidence=0.95)]
        beyond = [k for k in range(n // 20) if shows_beyond(k, n, allowed_ratio=0.01, confidence=0.95)]
        print(f"  n = {n:6,}: PASS up to {max(within)}, FAIL from {min(beyond)}")


def print_rates() -> None:
    """Print how often a verdict is wrong when the truth lies on the limit."""
    print("Truth on the limit, false PASS % / false FAIL % (in brackets: with the polls taken as independent):")
    print(f"  {'source':24}{'n':>7}{'runs':>6}" + "".join(f"{f'p{q * 100:g}':>22}" for q in QUANTILES))
    for process, n, runs in CASES:
        rates = rates_on_the_limit(process, n=n, quantiles=QUANTILES, runs=runs, seed=1)
        cells = [
            f"{100 * r.false_pass:.1f} / {100 * r.false_fail:.1f} "
            f"({100 * r.naive_pass:.0f} / {100 * r.naive_fail:.0f})"
            for r in rates.values()
        ]
        print(f"  {process.name:24}{n:7,}{runs:6,}" + "".join(f"{cell:>22}" for cell in cells), flush=True)


def print_looks() -> None:
    """Print how often a run is ended early by mistake, and how soon rightly."""
    print("Ended by the first look that sees more than is allowed, truth at 0.8 times that, %:")
    for q in (0.95, 0.99):
        ended = point_estimate_ends(1 - q, n=10_000, runs=2000, seed=1)
        print(f"  {independent().name:24}p{q * 100:g}: {100 * ended:.0f}", flush=True)
    print("A look every hundred polls, truth on the limit: runs ended by mistake %:")
    print(f"  {'source':24}{'n':>7}{'runs':>6}" + "".join(f"{f'p{q * 100:g}':>8}" for q in QUANTILES))
    for process, n, runs in LOOKS:
        found = [looks_at(process, n=n, quantile=q, limit_s=process.quantile(q), runs=runs) for q in QUANTILES]
        cells = "".join(f"{100 * looks.ended:8.1f}" for looks in found)
        print(f"  {process.name:24}{n:7,}{runs:6,}{cells}", flush=True)
    print("Truth at twice the allowed share: polls until the run is ended, in the median:")
    for process, quantile in ((independent(), 0.99), (independent(), 0.95), (queue(0.8), 0.95)):
        limit_s = process.quantile(1 - 2 * (1 - quantile))
        late = looks_at(process, n=10_000, quantile=quantile, limit_s=limit_s, runs=40)
        polls = f"{late.median_polls:,.0f}" if late.median_polls else "more than 10,000"
        print(
            f"  {process.name:24}p{quantile * 100:g}: {polls} ({100 * late.ended:.0f} % of the runs)", flush=True
        )


def print_reading() -> None:
    """Print what judging a stored run of a million polls costs, reading its samples included."""
    for polls in (10_000, 100_000, 1_000_000):
        speed = measure_stored(polls)
        print(
            f"  {polls:9,} polls: {speed.wall_s:.2f} s, of it {speed.cpu_s:.2f} s on the processor, "
            f"peak memory {speed.before_bytes / 2**20:.0f} MiB before, {speed.after_bytes / 2**20:.0f} MiB after",
            flush=True,
        )


def print_speed() -> None:
    """Print what judging a million polls costs."""
    for polls in (10_000, 100_000, 1_000_000):
        speed = measure(polls)
        print(
            f"  {polls:9,} polls: {speed.wall_s:.2f} s, of it {speed.cpu_s:.2f} s on the processor, "
            f"peak memory {speed.before_bytes / 2**20:.0f} MiB before, {speed.after_bytes / 2**20:.0f} MiB after",
            flush=True,
        )


PARTS = {
    "tables": print_tables,
    "rates": print_rates,
    "looks": print_looks,
    "reading": print_reading,
    "speed": print_speed,
}
EPILOG = """\
parts:
  tables   polls that a gate needs, and where its verdicts begin
  rates    how often a verdict is wrong when the truth lies on the limit
  looks    how often a run that is watched is ended by mistake, and how soon rightly
  reading  what it takes to judge a stored run, its samples read as well
  speed    what it takes to judge polls in memory

examples:
  python -m benchmarks.judge                  all of them, about fifteen minutes, most of them for the looks
  python -m benchmarks.judge tables speed     a few seconds
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judge",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", choices=PARTS, metavar="PART", help="what to print (default: all)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the parts named, or all of them."""
    for name in make_parser().parse_args(arguments).parts or PARTS:
        PARTS[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
