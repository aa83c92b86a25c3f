"""
What happens when a whole fleet polls at the same instant, in different designs of the master.

    python -m benchmarks.backend.burst                       # SQLite
    python -m benchmarks.backend.burst --postgres            # a PostgreSQL server of its own
    python -m benchmarks.backend.burst --sizes               # the reference in different sizes

Seeds a database of 100,000 deployments in a temporary folder, starts each design as a process of its own on a
real uvicorn, and prints a table. A burst opens one connection for each agent and sends its poll at once; the time
counts from the burst's instant to the answer's last byte. What is not answered after `GIVE_UP_S` counts as lost.
CPU is the server's, and the steadiest figure on a busy machine. All is bounded, and only this machine is called.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # publishes no types

from benchmarks.backend.designs import DESIGNS, Setup
from harness.backend.seed import seed
from harness.postgres import ephemeral_postgres
from harness.units import format_duration
from monitoring.histogram import nearest_rank

GIVE_UP_S = 45.0
AGENTS = 50
REPEATS = 3

_HEADER = (
    "design",
    "threads",
    "pool",
    "agents",
    "errors",
    "lost",
    "p50",
    "p99",
    "last",
    "pool peak",
    "CPU a poll",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """
    What became of some polls.

    Args:
        times_s: response times of those answered with 200 [s].
        errors: answers of another status.
        lost: polls without an answer.
        peak: most connections checked out at once.
        cpu_s: CPU time of the server for each poll [s].
    """

    times_s: tuple[float, ...]
    errors: int
    lost: int
    peak: int
    cpu_s: float


async def poll(port: int, agent: int, at_s: float) -> tuple[int | None, float]:
    """Poll as one agent at the instant `at_s`; return the status (None: lost) and the time taken [s]."""
    await asyncio.sleep(max(0.0, at_s - time.perf_counter()))
    writer = None
    try:
        async with asyncio.timeout(GIVE_UP_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            path = f"/api/deployments/pending/agent-{agent % AGENTS + 1:04d}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: master\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(-1)
        return int(answer.split(b" ", 2)[1]) if answer else None, time.perf_counter() - at_s
    except (TimeoutError, OSError):
        return None, time.perf_counter() - at_s
    finally:
        if writer is not None:
            writer.close()


async def run(port: int, agents: int, spread_s: float) -> list[tuple[int | None, float]]:
    """Let `agents` agents poll once, spread evenly over `spread_s` seconds."""
    start_s = time.perf_counter() + 0.2
    return await asyncio.gather(
        *(poll(port, agent, start_s + agent * spread_s / agents) for agent in range(agents))
    )


def peak(port: int) -> int:
    """Return the most connections checked out since the last call."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /peak HTTP/1.1\r\nHost: master\r\nConnection: close\r\n\r\n")
        answer = await reader.read(-1)
        writer.close()
        return answer

    return int(json.loads(asyncio.run(ask()).split(b"\r\n\r\n", 1)[1])["peak"])


@contextmanager
def serving(setup: Setup) -> Iterator[tuple[int, psutil.Process]]:
    """Run a design in a process of its own; yield its port and the process."""
    command = [sys.executable, "-m", "benchmarks.backend.designs", json.dumps(asdict(setup))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            # Imports, the first connection and the statement's compilation are not what is measured.
            asyncio.run(run(port, 2 * AGENTS if setup.design == "reference" else 10, 1.0))
            peak(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.kill()


def measure(setup: Setup, *, agents: int, spread_s: float) -> Burst:
    """Start a design, let the agents poll `REPEATS` times, and stop it."""
    with serving(setup) as (port, process):
        polls = []
        before_s = sum(process.cpu_times()[:2])
        for _ in range(REPEATS if spread_s == 0 else 1):
            polls += asyncio.run(run(port, agents, spread_s))
            if any(status is None for status, _ in polls):
                break
        answered = tuple(sorted(time_s for status, time_s in polls if status == 200))
        lost = sum(1 for status, _ in polls if status is None)
        cpu_s = (sum(process.cpu_times()[:2]) - before_s) / len(polls)
        return Burst(
            cpu_s=cpu_s,
            times_s=answered,
            errors=len(polls) - len(answered) - lost,
            lost=lost,
            # A design that hangs doesn't answer this either.
            peak=setup.pool_size + setup.max_overflow if lost else peak(port),
        )


def row(setup: Setup, agents: int, spread_s: float, burst: Burst) -> tuple[str, ...]:
    """Return a table row."""

    def quantile(q: float) -> str:
        n = len(burst.times_s)
        return format_duration(burst.times_s[nearest_rank(q, n) - 1] if n else None)

    capacity = setup.pool_size + setup.max_overflow
    return (
        setup.design,
        "–" if setup.design == "inline" else str(setup.threads),
        f"{setup.pool_size} + {setup.max_overflow}",
        f"{agents}" if spread_s == 0 else f"{agents} over {spread_s:.0f} s",
        str(burst.errors),
        str(burst.lost),
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        f"{burst.peak} ({burst.peak / capacity:.0%})",
        format_duration(burst.cpu_s),
    )


def designs(database_url: str) -> list[tuple[Setup, int, float]]:
    """Return what is measured by default: each design in bursts of 100 and 1,000, two also at their ease."""
    usual = {"common": (40, 5, 10), "inside": (40, 5, 10), "inline": (8, 5, 10), "reference": (8, 8, 4)}
    cases = []
    for design in DESIGNS:
        threads, size, overflow = usual[design]
        setup = Setup(
            design=design, database_url=database_url, threads=threads, pool_size=size, max_overflow=overflow
        )
        cases += [(setup, 100, 0.0), (setup, 1000, 0.0)]
    usual_ones = {setup.design: setup for setup, _, _ in cases}
    return [*cases, *((usual_ones[design], AGENTS, 10.0) for design in ("common", "reference"))]


def sizes(database_url: str) -> list[tuple[Setup, int, float]]:
    """Return the reference with different numbers of threads, a pool of half as many again each."""
    return [
        (
            Setup(
                design="reference",
                database_url=database_url,
                threads=threads,
                pool_size=threads,
                max_overflow=(threads + 1) // 2,
            ),
            1000,
            0.0,
        )
        for threads in (1, 2, 4, 8, 16, 40)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL instead of SQLite")
    parser.add_argument("--sizes", action="store_true", help="the reference in different sizes")
    options = parser.parse_args()
    sys.stdout.write(f"| {' | '.join(_HEADER)} |\n|{'---|' * len(_HEADER)}\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        ephemeral_postgres() if options.postgres else nullcontext() as server,
    ):
        url = f"sqlite:///{Path(folder) / 'master.db'}" if server is None else server.create_database("burst")
        seed(url, agents=AGENTS)
        for plain, agents, spread_s in sizes(url) if options.sizes else designs(url):
            setup = replace(plain, log_dir=folder)
            cells = row(setup, agents, spread_s, measure(setup, agents=agents, spread_s=spread_s))
            sys.stdout.write(f"| {' | '.join(cells)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
