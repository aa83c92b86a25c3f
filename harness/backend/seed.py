"""`harness seed`: fill a database with a believable fleet. Light to import; the work is in `filling`."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from harness.backend.config import database_url_argument
from harness.errors import UsageError, explain
from harness.units import format_count, format_duration

if TYPE_CHECKING:
    from harness.backend.filling import SeedReport

DEFAULT_AGENTS = 50
DEFAULT_DEPLOYMENTS = 100_000
DEFAULT_SEED = 1

MOST_AGENTS = 1_000_000
MOST_DEPLOYMENTS = 100_000_000
"""Some twenty minutes, going by docs/reference-master.md; more is a slip of the finger."""

_BAR_AFTER_S = 2.0


def seed(
    database_url: str,
    *,
    agents: int = DEFAULT_AGENTS,
    deployments: int = DEFAULT_DEPLOYMENTS,
    seed: int = DEFAULT_SEED,
    instant: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> "SeedReport":
    """
    Bring a database to at least so many agents and deployments, the schema included. Nothing is ever deleted.

    An empty database gets rows that follow from the arguments alone, the same on SQLite and PostgreSQL. One that
    holds enough is left as it is. One that holds fewer is topped up when all its agents came from a seeding, and
    refused otherwise, because agents that registered themselves would carry out made-up deployments. All rows come
    in one transaction: a seeding that is killed leaves none. Statistics for the planner are renewed afterwards.

    Args:
        database_url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        agents: fleet size, 1..1,000,000; ids ``agent-0001`` and on.
        deployments: rows, 0..100,000,000; see `harness.backend.population.deployment_blocks` for their mix.
        seed: source of every choice, ≥ 0.
        instant: end of the made-up history, aware; the first of January 2026 when None.
        progress: called with deployments written and deployments to write.

    Raises:
        UsageError: a count or the URL is out of its range.
        HarnessError: the database can't be reached or written, or holds what is not ours.
    """
    _check(agents, "--agents", least=1, most=MOST_AGENTS)
    _check(deployments, "--deployments", least=0, most=MOST_DEPLOYMENTS)
    if seed < 0:
        raise UsageError(explain("option", "--seed", fault="too small", got=seed, need="0 or more"))
    # SQLAlchemy and NumPy take a third of a second to import, which `harness --help` must not.
    from harness.backend.filling import fill
    from harness.backend.population import SEED_INSTANT

    return fill(
        database_url,
        agents=agents,
        deployments=deployments,
        seed=seed,
        instant=instant if instant is not None else SEED_INSTANT,
        progress=progress,
    )


def add_seed_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness seed`, which `run_seed` reads."""
    parser.add_argument("--agents", type=int, default=DEFAULT_AGENTS, metavar="N", help="fleet size (default: 50)")
    parser.add_argument(
        "--deployments", type=int, default=DEFAULT_DEPLOYMENTS, metavar="N", help="deployments (default: 100000)"
    )
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="source of every choice (default: 1)"
    )
    database_url_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")


def run_seed(options: argparse.Namespace) -> int:
    """
    Seed as the options say, print the outcome on stdout, and return the exit code.

    Raises:
        HarnessError: see `seed`.
    """
    with progress_bar() as progress:
        report = seed(
            options.database_url,
            agents=options.agents,
            deployments=options.deployments,
            seed=options.seed,
            progress=progress,
        )
    sys.stdout.write((json.dumps(asdict(report)) if options.json else _describe(report)) + "\n")
    return 0


def _describe(report: "SeedReport") -> str:
    held = (
        f"{format_count(report.agents)} agents, {format_count(report.deployments)} deployments, "
        f"{format_count(report.pending)} of them pending"
    )
    if report.skipped:
        return f"nothing to seed: the database holds {held}"
    return f"seeded in {format_duration(report.elapsed_s)}: the database holds {held}"


def _check(value: int, option: str, *, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(explain("option", option, fault="out of range", got=value, need=f"{least}..{most}"))


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None] | None]:
    """Yield what draws a bar on stderr once the work has taken two seconds; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # only needed on a terminal
    from rich.progress import Progress

    started_s = time.monotonic()
    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("seeding", total=None)

    def draw(done: int, total: int) -> None:
        if time.monotonic() - started_s >= _BAR_AFTER_S:
            bar.start()
            bar.update(task, completed=done, total=total)

    try:
        yield draw
    finally:
        bar.stop()
