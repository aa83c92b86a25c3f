"""
What a line costs, and how many are lost, when several processes write the same rotating files.

Our writer, the standard library's RotatingFileHandler and two packages made for the purpose take turns, several
rounds, in fresh processes, so that whatever else the machine does falls on all. The cost is the CPU time of the
whole process (submitting, the writer's thread, rotation) without the making of the lines. Afterwards every line is
looked for. A package that is not installed is named and left out: ``pip install concurrent-log-handler loguru``.

    python -m benchmarks.logs.shared_files [--lines 1000000] [--processes 4] [--rounds 3] [--max-bytes 4000000]
        [--store]
"""

import argparse
import importlib.metadata
import json
import logging
import logging.handlers
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.results import Comparison, Row, environment, now_utc, row_of, store
from monitoring.logs.handler import LogFileHandler
from monitoring.logs.lines import Line, LogLine
from monitoring.logs.writer import RotatingWriter

BACKUPS = 200  # so that nothing is dropped by age
PADDING = "x" * 220
LINE_BYTES = 242
BATCH = 5000
ABSENT = "not installed"


@dataclass(frozen=True)
class Outcome:
    """What one round of one contestant came to."""

    cpu_us: float
    wall_us: float
    lost: int
    torn: int
    files: int


def ours(path: Path, max_bytes: int) -> tuple[Callable[[Any], object], Callable[[], object]]:
    writer = RotatingWriter(path, max_bytes=max_bytes, backups=BACKUPS)
    return writer.submit, writer.flush


def ours_through_logging(path: Path, max_bytes: int) -> tuple[Callable[[Any], object], Callable[[], object]]:
    writer = RotatingWriter(path, max_bytes=max_bytes, backups=BACKUPS)
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(LogFileHandler(writer.submit, form=only_message))
    return logger.info, writer.flush


def only_message(line: Line) -> bytes:
    """Write what the other handler writes: nothing but the message."""
    assert isinstance(line, LogLine)
    return line.message.encode()


def standard_library(path: Path, max_bytes: int) -> tuple[Callable[[Any], object], Callable[[], object]]:
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(logging.handlers.RotatingFileHandler(path, maxBytes=max_bytes, backupCount=BACKUPS))
    return logger.info, lambda: None


def concurrent_log_handler(path: Path, max_bytes: int) -> tuple[Callable[[Any], object], Callable[[], object]]:
    made = import_module("concurrent_log_handler").ConcurrentRotatingFileHandler
    logger = logging.getLogger("benchmark")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(made(str(path), maxBytes=max_bytes, backupCount=BACKUPS))
    return logger.info, lambda: None


def loguru(path: Path, max_bytes: int) -> tuple[Callable[[Any], object], Callable[[], object]]:
    logger = import_module("loguru").logger
    logger.remove()
    logger.add(path, format="{message}", rotation=max_bytes, retention=BACKUPS)
    return logger.info, lambda: None


BASELINE = "logging + RotatingFileHandler"
CONTESTANTS = {
    "RotatingWriter": ours,
    "logging + RotatingWriter": ours_through_logging,
    BASELINE: standard_library,
    "concurrent-log-handler": concurrent_log_handler,
    "loguru": loguru,
}
PACKAGES = ("concurrent-log-handler", "loguru")
"""Contestants that are packages of their own, by the name that they are installed by."""


def work(contestant: str, path: Path, name: str, n_lines: int, max_bytes: int) -> None:
    """Be one of the processes: write, and print what it cost."""
    submit, flush = CONTESTANTS[contestant](path, max_bytes)
    making_s = 0.0
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    for first in range(0, n_lines, BATCH):
        since_s = time.thread_time()
        lines = [f"{name} {number:018d} {PADDING}" for number in range(first, min(first + BATCH, n_lines))]
        ready = [line.encode() for line in lines] if contestant == "RotatingWriter" else lines
        making_s += time.thread_time() - since_s
        for line in ready:
            submit(line)
        flush()
    cpu_s = time.process_time() - begin_cpu_s - making_s
    print(json.dumps({"cpu_s": cpu_s, "wall_s": time.perf_counter() - begin_s}))


def one_round(contestant: str, options: argparse.Namespace) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="shared-files-"))
    each = options.lines // options.processes
    try:
        command = [sys.executable, "-m", "benchmarks.logs.shared_files", "--work", contestant]
        command += ["--path", str(folder / "a.log"), "--max-bytes", str(options.max_bytes), "--lines", str(each)]
        # A handler that stumbles complains of each line: kept out of the way, and shown when a process fails.
        with (folder / "complaints").open("w+") as complaints:
            processes = [
                subprocess.Popen(
                    [*command, "--name", chr(ord("a") + number)],
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    text=True,
                )
                for number in range(options.processes)
            ]
            answers = [process.communicate(timeout=300)[0] for process in processes]
            if any(process.returncode for process in processes):
                complaints.seek(0)
                raise RuntimeError(f"{contestant}: {complaints.read()[-1000:]}")
        said = [json.loads(answer) for answer in answers]
        whole: set[bytes] = set()
        torn = 0
        for path in folder.glob("a*"):  # a lock file of a contestant begins otherwise
            for line in path.read_bytes().splitlines(keepends=True):
                if len(line) == LINE_BYTES:
                    whole.add(line[:20])
                else:
                    torn += 1
        return Outcome(
            cpu_us=sum(one["cpu_s"] for one in said) / (each * options.processes) * 1e6,
            wall_us=max(one["wall_s"] for one in said) / (each * options.processes) * 1e6,
            lost=each * options.processes - len(whole),
            torn=torn,
            files=len(list(folder.glob("a*"))),
        )
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of all processes together")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-bytes", type=int, default=4_000_000)
    parser.add_argument("--store", action="store_true", help="keep the result in benchmarks/results")
    parser.add_argument("--work", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.path, options.name, options.lines, options.max_bytes)
        return
    print(
        f"{options.lines:,} lines of {LINE_BYTES} B, {options.processes} processes, {options.max_bytes:,} B a file"
    )
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    outcomes: dict[str, list[Outcome]] = {name: [] for name in CONTESTANTS if _version(name) != ABSENT}
    for _ in range(options.rounds):
        for name, rounds in outcomes.items():
            rounds.append(one_round(name, options))
    show(outcomes, options.lines)
    if options.store:
        print(f"stored: {os.path.relpath(store(comparison(outcomes, options)))}")


def _version(contestant: str) -> str | None:
    """Return the version of a contestant that is a package, `ABSENT` when it is not installed; None for others."""
    if contestant not in PACKAGES:
        return None
    try:
        return importlib.metadata.version(contestant)
    except importlib.metadata.PackageNotFoundError:
        return ABSENT


def comparison(outcomes: dict[str, list[Outcome]], options: argparse.Namespace) -> Comparison:
    """Return the result for `benchmarks.plots`."""
    versions = {name: version for name in PACKAGES if (version := _version(name)) not in {None, ABSENT}}
    return Comparison(
        name="log_writing",
        title=f"a line of {LINE_BYTES} B, {options.processes} processes, one file rotated at "
        f"{options.max_bytes / 1e6:g} MB",
        quantity="CPU of a line",
        unit="µs",
        baseline=BASELINE,
        smaller_is_better=True,
        rounds=options.rounds,
        rows=[_row(name, outcomes.get(name), options.lines) for name in CONTESTANTS],
        command=(
            f"python -m benchmarks.logs.shared_files --lines {options.lines} --processes {options.processes} "
            f"--rounds {options.rounds} --max-bytes {options.max_bytes} --store"
        ),
        measured_utc=now_utc(),
        environment=environment(**{name: str(version) for name, version in versions.items()}),
    )


def _row(name: str, rounds: list[Outcome] | None, lines: int) -> Row:
    if rounds is None:
        return Row(name=name, value=None, note="not installed here")
    cpu_us = [one.cpu_us for one in rounds]
    lost, torn = max(one.lost for one in rounds), max(one.torn for one in rounds)
    note = f"{lost / lines:.1%} of the lines lost, {torn} torn" if lost or torn else "no line lost"
    return row_of(name, cpu_us, ours=name.endswith("RotatingWriter"), note=note)


def show(outcomes: dict[str, list[Outcome]], lines: int) -> None:
    """Print the outcomes."""
    standard_us = statistics.median(one.cpu_us for one in outcomes[BASELINE])
    print(f"{'':30} {'CPU µs/line':>22} {'ratio':>6} {'wall µs/line':>13} {'lost':>16} {'torn':>5} {'files':>6}")
    for name, rounds in outcomes.items():
        cpu_us = sorted(one.cpu_us for one in rounds)
        median_us, lost = statistics.median(cpu_us), max(one.lost for one in rounds)
        print(
            f"{name:30} {median_us:6.2f} ({cpu_us[0]:5.2f} to {cpu_us[-1]:5.2f}) {median_us / standard_us:6.3f}"
            f" {statistics.median(one.wall_us for one in rounds):13.2f}"
            f" {lost:8,} ({lost / lines:5.1%}) {max(one.torn for one in rounds):5} {rounds[0].files:6}"
        )


if __name__ == "__main__":
    main()
