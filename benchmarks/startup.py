"""
Time how commands start, each as a process of its own: ``python -m benchmarks.startup [--rounds 15] [--store]``.

The contenders take turns, so that a busy moment falls on all of them. CPU time is compared, which other work on a
machine disturbs less than the wall clock.
"""

import argparse
import importlib.metadata
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import Comparison, environment, now_utc, row_of, show

_BIN = Path(sys.executable).parent
BASELINE = "python -c pass"
COMMANDS = {
    BASELINE: [sys.executable, "-c", "pass"],
    "harness --help": [str(_BIN / "harness"), "--help"],
    "monitoring --help": [str(_BIN / "monitoring"), "--help"],
    "pytest --version": [str(_BIN / "pytest"), "--version"],
    "alembic --help": [str(_BIN / "alembic"), "--help"],
    "uvicorn --help": [str(_BIN / "uvicorn"), "--help"],
    "locust --help": [str(_BIN / "locust"), "--help"],
}


def cpu_ms(command: list[str], folder: str) -> float:
    """Return the CPU time of one run of a command, its children's included [ms]."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the CPU times of each command, one a round [ms]."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS.values():  # compiles what was never imported
            cpu_ms(command, folder)
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                times[name].append(cpu_ms(command, folder))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each command (default: %(default)s)")
    parser.add_argument("--store", action="store_true", help="keep the result in benchmarks/results")
    chosen = parser.parse_args()
    times = measure(chosen.rounds)
    versions = {name: importlib.metadata.version(name) for name in ("locust", "pytest", "alembic", "uvicorn")}
    comparison = Comparison(
        name="startup",
        title="start-up of a command",
        quantity="CPU time",
        unit="ms",
        baseline=BASELINE,
        smaller_is_better=True,
        rounds=chosen.rounds,
        rows=[
            row_of(name, taken, ours=name.startswith(("harness", "monitoring"))) for name, taken in times.items()
        ],
        command="python -m benchmarks.startup --store",
        measured_utc=now_utc(),
        environment=environment(**versions),
    )
    show(comparison, keep=chosen.store)


if __name__ == "__main__":
    main()
