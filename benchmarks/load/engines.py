"""
Load engines side by side: our fleet, plain Locust's FastHttpUser, wrk, and hey where it is installed.

Each in turn, several times over, against the same static server in a process of its own: 10,000 agents that poll
each ten seconds. CPU is the operating system's count for the tool's process and its children between two instants
of the steady part, polls are the server's count between the same two. Memory per agent is the resident memory with
all agents less that with ten, by their difference in number. wrk and hey know no agents, so of them only the CPU
of a request can be compared: hey sends as many polls a second over fifty connections; wrk knows no rate and sends
as fast as it can, which spares it and the system the waking up.

    python -m benchmarks.load.engines [--rounds 3] [--store]
    python -m benchmarks.load.engines --rounds 0 --fleet 100000    # one big fleet by itself
    python -m benchmarks.load.engines --rounds 0 --stall           # a stall of 20 s, and who sees it
    python -m benchmarks.plots                                     # pictures of what was stored
"""

import argparse
import contextlib
import csv
import importlib.metadata
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # publishes no types

from benchmarks.results import Comparison, Row, environment, now_utc, store, table
from harness.judge.summary import summarise
from harness.load.pacing import FleetPacing
from harness.rundir import read_samples, read_ticks
from harness.samplefile import read_columns
from harness.schedule import Schedule, intended_in_window
from monitoring.histogram import nearest_rank

ROOT = Path(__file__).resolve().parents[2]
FLEET_FILE = ROOT / "locustfiles" / "agent_polling.py"
PLAIN_FILE = Path(__file__).with_name("plain_fasthttp.py")
OURS, PLAIN, WRK, HEY = "pollgauge", "FastHttpUser", "wrk", "hey"
SPAWN_PER_S = 1000
STALL_AT_S, STALL_S, STALL_INTERVAL_S, STALL_AGENTS, STALL_RUN_S = 20.0, 20.0, 2.0, 50, 80


@dataclass(frozen=True)
class Turn:
    """What one turn of one tool gave; None where the tool can't say."""

    cpu_us: float | None = None
    rss_bytes: int | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    service_p99_ms: float | None = None
    start_lag_p99_ms: float | None = None


@contextlib.contextmanager
def static_server(*arguments: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.static_server", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def counted(url: str) -> int:
    with urllib.request.urlopen(f"{url}/counts", timeout=20) as answer:
        return int(json.load(answer)["polls"])


def cpu_s(process: psutil.Process) -> float:
    every = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in every)


def quantile(values: Sequence[float], q: float) -> float:
    return sorted(values)[nearest_rank(q, len(values)) - 1]


@contextlib.contextmanager
def locust(
    file: Path, folder: Path, url: str, *, agents: int, interval_s: float, run_s: int | None = None, ours: bool
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary", "-H", url]
    command += ["-u", str(agents), "-r", str(SPAWN_PER_S), "--csv", str(folder / "stats")]
    if run_s is not None:
        command += ["-t", f"{run_s}s"]
    if ours:
        # As patient as FastHttpUser is by default.
        command += ["--interval", f"{interval_s:g}s", "--request-timeout", "60s"]
        command += ["--agent-id-prefix", "agent-", "--no-verdict"]
        command += ["--samples-dir", str(folder / "samples")]
    with (folder / "locust.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "POLL_INTERVAL_S": str(interval_s)}, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def steady(process: subprocess.Popen[bytes], url: str, seconds: float) -> tuple[float, int]:
    """Return CPU of a poll [µs] and resident memory, over so many seconds from now."""
    watched = psutil.Process(process.pid)
    polls, used_s = counted(url), cpu_s(watched)
    time.sleep(seconds)
    polls, used_s = counted(url) - polls, cpu_s(watched) - used_s
    return used_s / polls * 1e6, watched.memory_info().rss


def fleet_turn(url: str, options: argparse.Namespace) -> Turn:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with locust(
            FLEET_FILE, folder, url, agents=options.agents, interval_s=options.interval, ours=True
        ) as process:
            # The first round of polls opens the connections.
            time.sleep(3 + options.interval)
            cpu_us, rss = steady(process, url, options.seconds)
        samples = [
            s for s in read_samples(folder / "samples" / "samples.jsonl").samples
            if s.intended_start_s >= options.interval
        ]  # fmt: skip
    return Turn(
        cpu_us=cpu_us,
        rss_bytes=rss,
        p50_ms=1e3 * quantile([s.response_time_s for s in samples], 0.5),
        p99_ms=1e3 * quantile([s.response_time_s for s in samples], 0.99),
        service_p99_ms=1e3 * quantile([s.service_time_s for s in samples], 0.99),
        start_lag_p99_ms=1e3 * quantile([s.start_lag_s for s in samples], 0.99),
    )


def plain_turn(url: str, options: argparse.Namespace) -> Turn:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with locust(
            PLAIN_FILE, folder, url, agents=options.agents, interval_s=options.interval, ours=False
        ) as process:
            time.sleep(4 + options.agents / SPAWN_PER_S + options.interval)
            cpu_us, rss = steady(process, url, options.seconds)
        p50_ms, p99_ms = told_by_locust(folder)
    return Turn(cpu_us=cpu_us, rss_bytes=rss, p50_ms=p50_ms, p99_ms=p99_ms)


def told_by_locust(folder: Path) -> tuple[float, float]:
    with (folder / "stats_stats.csv").open() as file:
        rows = {row["Name"]: row for row in csv.DictReader(file)}
    return float(rows["Aggregated"]["50%"]), float(rows["Aggregated"]["99%"])


def closed_loop_turn(tool: str, url: str, options: argparse.Namespace) -> Turn:
    path = f"{url}/api/deployments/pending/agent-0001"
    per_s = options.agents / options.interval
    arguments = {WRK: ["-t1", "-c50", "--latency"], HEY: ["-c", "50", "-q", f"{per_s / 50:g}"]}[tool]
    arguments += {WRK: ["-d"], HEY: ["-z"]}[tool] + [f"{options.seconds:g}s"]
    before = counted(url)
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen([tool, *arguments, path], stdout=log, stderr=log)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        log.seek(0)
        text = log.read()
    polls = counted(url) - before
    patterns = {WRK: (r"50%\s+([\d.]+)(us|ms|s)", r"99%\s+([\d.]+)(us|ms|s)"),
                HEY: (r"50% in ([\d.]+) (s)ecs", r"99% in ([\d.]+) (s)ecs")}  # fmt: skip
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    found = [re.search(pattern, text) for pattern in patterns[tool]]
    p50_ms, p99_ms = (None if hit is None else float(hit[1]) * scale[hit[2]] for hit in found)
    return Turn(cpu_us=(usage.ru_utime + usage.ru_stime) / polls * 1e6, p50_ms=p50_ms, p99_ms=p99_ms)


def base_rss(file: Path, *, ours: bool) -> int:
    with (
        static_server() as url,
        tempfile.TemporaryDirectory() as name,
        locust(file, Path(name), url, agents=10, interval_s=1.0, ours=ours) as process,
    ):
        time.sleep(5)
        return int(psutil.Process(process.pid).memory_info().rss)


def compare(options: argparse.Namespace) -> list[Comparison]:
    tools = {OURS: fleet_turn, PLAIN: plain_turn}
    turns: dict[str, list[Turn]] = {name: [] for name in (OURS, PLAIN, WRK, HEY)}
    base = {OURS: base_rss(FLEET_FILE, ours=True), PLAIN: base_rss(PLAIN_FILE, ours=False)}
    for number in range(options.rounds):
        for name, taken in turns.items():
            if name not in tools and shutil.which(name) is None:
                continue
            with static_server() as url:
                turn = tools[name](url, options) if name in tools else closed_loop_turn(name, url, options)
            taken.append(turn)
            print(f"round {number + 1} {name:<13} {turn}", flush=True)
    note = {WRK: "as fast as it can, 50 connections", HEY: "at the same rate, 50 connections"}
    note |= {name: "not installed here" for name in (WRK, HEY) if shutil.which(name) is None}

    def rows(values: dict[str, list[float | None]]) -> list[Row]:
        made = []
        for name, all_values in values.items():
            known = [value for value in all_values if value is not None]
            made.append(
                Row(
                    name=name,
                    value=statistics.median(known) if known else None,
                    low=min(known, default=None),
                    high=max(known, default=None),
                    ours=name == OURS,
                    note=note.get(name),
                )
            )
        return made

    def result(
        name: str, title: str, quantity: str, unit: str, values: dict[str, list[float | None]]
    ) -> Comparison:
        return Comparison(
            name=name,
            title=title,
            quantity=quantity,
            unit=unit,
            baseline=PLAIN,
            smaller_is_better=True,
            rounds=options.rounds,
            rows=rows(values),
            command=(
                f"{options.prefix}python -m benchmarks.load.engines --rounds {options.rounds} "
                f"--seconds {options.seconds:g} --store"
            ),
            measured_utc=now_utc(),
            environment=environment(locust=importlib.metadata.version("locust")),
        )

    fleet = f"{options.agents:,} agents each {options.interval:g} s"
    per_agent: dict[str, list[float | None]] = {
        name: [
            (turn.rss_bytes - base[name]) / (options.agents - 10) / 1024 for turn in turns[name] if turn.rss_bytes
        ]
        for name in base
    }
    return [
        result("load_engines", f"load engines, {fleet}", "CPU of a poll", "µs",
               {name: [turn.cpu_us for turn in taken] for name, taken in turns.items()}),
        result("load_engines_memory", f"load engines, {fleet}", "memory of an agent, connection included", "KiB",
               per_agent),
        result("load_engines_p99", f"load engines, {fleet}", "response time p99 as each reports it", "ms",
               {name: [turn.p99_ms for turn in turns[name]] for name in (OURS, PLAIN)}),
    ]  # fmt: skip


def big_fleet(agents: int, interval_s: float, seconds: float) -> None:
    """Drive a fleet in one process, a connection for each poll, and print what it takes."""
    with static_server() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(FLEET_FILE),
            "--headless",
            "--only-summary",
            "-H",
            url,
        ]
        command += ["-u", str(agents), "--interval", f"{interval_s:g}s", "--agent-id-prefix", "agent-"]
        command += [
            "--no-verdict",
            "--keep-alive",
            "off",
            "-t",
            f"{seconds:g}s",
            "--samples-dir",
            str(folder / "s"),
        ]
        with (folder / "log").open("wb") as log:
            began_s = time.time()
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        peak = 0
        used_s = 0.0
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                peak, used_s = max(peak, watched.memory_info().rss), cpu_s(watched)
            time.sleep(0.1)
        stored = read_samples(folder / "s" / "samples.jsonl")
        ticks = read_ticks(folder / "s" / "generator.jsonl")
    ready_s = min(sample.start_s for sample in stored.samples) + origin_s(stored.header.origin_utc) - began_s
    lag_ms = [1e3 * sample.start_lag_s for sample in stored.samples]
    service_ms = [1e3 * sample.service_time_s for sample in stored.samples if sample.error is None]
    failed = sum(sample.error is not None for sample in stored.samples)
    print(
        f"{agents:,} agents each {interval_s:g} s in one process, a connection a poll: ready in {ready_s:.1f} s, "
        f"peak {peak / 1e6:.0f} MB, {len(stored.samples):,} polls, {failed} failed, "
        f"{used_s / len(stored.samples) * 1e6:.0f} µs CPU a poll with the start, "
        f"CPU {statistics.median(tick.cpu_ratio for tick in ticks):.2f} cores, "
        f"start lag p99 {quantile(lag_ms, 0.99):.2f} ms, service time p99 {quantile(service_ms, 0.99):.2f} ms, "
        f"longest collection {1e3 * max(tick.gc_pause_s or 0 for tick in ticks):.0f} ms"
    )


def origin_s(utc: str) -> float:
    from datetime import datetime  # noqa: PLC0415  # needed here only

    return datetime.fromisoformat(utc).timestamp()


def expected_s(schedule: Schedule, first_s: float, end_s: float) -> list[float]:
    """
    Return the response time of every intended poll [s], for a target that answers at once but for its stall.

    From the schedule alone. A poll that could not be sent waits until its agent's next answer: only then has the
    agent the news that this poll was to fetch.
    """
    stall_from_s, stall_until_s = first_s + STALL_AT_S, first_s + STALL_AT_S + STALL_S
    times = []
    for agent in range(schedule.agents):
        pacing = FleetPacing(schedule)
        free_s, answered = 0.0, []
        while (next_s := pacing.next_intended_s(agent)) is not None and next_s < end_s:
            at_s = max(free_s, next_s)
            intended_s = pacing.take(agent, at_s, end_s=end_s)
            if intended_s is None:
                break
            free_s = stall_until_s if stall_from_s <= at_s < stall_until_s else at_s
            answered.append((intended_s, free_s))
        following = 0
        for k in range(schedule.count_before(agent, end_s)):
            intended_s = schedule.intended_start_s(agent, k)
            while answered[following][0] < intended_s:
                following += 1
            times.append(answered[following][1] - intended_s)
    return times


def stall(options: argparse.Namespace) -> Comparison:
    """Stall a target once, and compare what is reported with what the schedule says."""
    found: dict[str, list[float]] = {"from the schedule": [], OURS: [], PLAIN: []}
    schedule = Schedule(seed=1, agents=STALL_AGENTS, interval_s=STALL_INTERVAL_S)
    arguments = ("--stall-at", f"{STALL_AT_S}", "--stall-for", f"{STALL_S}")
    for _ in range(max(1, options.rounds)):
        with tempfile.TemporaryDirectory() as name, static_server(*arguments) as url:
            with locust(FLEET_FILE, Path(name), url, agents=STALL_AGENTS, interval_s=STALL_INTERVAL_S,
                        run_s=STALL_RUN_S, ours=True) as process:  # fmt: skip
                process.wait(STALL_RUN_S + 60)
            stored = read_columns(Path(name) / "samples" / "samples.jsonl")
        first_s = float(stored.polled.start_s.min())
        intended = intended_in_window(stored.header, 0.0, STALL_RUN_S)
        told = summarise(
            stored.polled, header=stored.header, window_start_s=0.0, window_end_s=STALL_RUN_S, intended=intended
        )
        found[OURS].append(told.response_time.p95 or math.nan)
        found["from the schedule"].append(quantile(expected_s(schedule, first_s, STALL_RUN_S), 0.95))
        with tempfile.TemporaryDirectory() as name, static_server(*arguments) as url:
            with locust(PLAIN_FILE, Path(name), url, agents=STALL_AGENTS, interval_s=STALL_INTERVAL_S,
                        run_s=STALL_RUN_S, ours=False) as process:  # fmt: skip
                process.wait(STALL_RUN_S + 60)
            with (Path(name) / "stats_stats.csv").open() as file:
                rows = {row["Name"]: row for row in csv.DictReader(file)}
            found[PLAIN].append(float(rows["Aggregated"]["95%"]) / 1e3)
    return Comparison(
        name="load_stall",
        title=f"a stall of {STALL_S:g} s in {STALL_RUN_S} s, {STALL_AGENTS} agents each {STALL_INTERVAL_S:g} s",
        quantity="response time p95",
        unit="s",
        baseline="from the schedule",
        smaller_is_better=None,
        rounds=max(1, options.rounds),
        rows=[
            Row(name=name, value=statistics.median(values), low=min(values), high=max(values), ours=name == OURS)
            for name, values in found.items()
        ],
        command="python -m benchmarks.load.engines --rounds 0 --stall --store",
        measured_utc=now_utc(),
        environment=environment(locust=importlib.metadata.version("locust")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each tool (default: %(default)s)")
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured in each turn (default: %(default)s)")
    parser.add_argument("--fleet", type=int, default=0, help="drive a fleet of so many by itself as well")
    parser.add_argument("--fleet-interval", type=float, default=100.0)
    parser.add_argument("--stall", action="store_true", help="stall the target as well")
    parser.add_argument("--store", action="store_true", help="keep the results in benchmarks/results")
    parser.add_argument("--prefix", default="", help="what this command was itself started by, for the record")
    options = parser.parse_args()
    results = compare(options) if options.rounds else []
    if options.stall:
        results.append(stall(options))
    for result in results:
        print(table(result), end="\n\n")
        if options.store:
            print(f"stored: {store(result).relative_to(ROOT)}")
    if options.fleet:
        big_fleet(options.fleet, options.fleet_interval, 30.0)


if __name__ == "__main__":
    main()
