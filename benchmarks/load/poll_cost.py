"""
CPU per poll and memory: our agents beside plain FastHttpUser.

Both run as plain Locust, headless, against the same static server, one after the other and several times over,
so that whatever else the machine does falls on both. Two arrangements, because the phases matter more than the
client does: all at once (what constant_pacing makes of a burst of new users: one wake of the event loop serves
hundreds of polls, from warm caches) and spread over the interval (a wake for each poll). Start-up is left out:
CPU and polls are read at two instants of the steady part, CPU from the operating system and polls from the
server.

    python -m benchmarks.load.poll_cost [--users 500] [--interval 1] [--seconds 6] [--rounds 3]
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.harness.load.polled import ROOT, PolledServer, polled_server

SETTLE_S = 4.0
OURS, PLAIN = "pollgauge", "FastHttpUser"
FILES = {
    OURS: ROOT / "locustfiles" / "agent_polling.py",
    PLAIN: Path(__file__).with_name("plain_fasthttp.py"),
}
PHASES = {"spread": "uniform", "at once": "sync"}


@dataclass(frozen=True)
class Cost:
    """What one round of one contestant took."""

    polls_per_s: float
    cpu_us_per_poll: float
    rss_mib: float


def measure(name: str, phases: str, server: PolledServer, options: argparse.Namespace, folder: Path) -> Cost:
    command = [sys.executable, "-m", "locust", "-f", str(FILES[name]), "--headless", "--only-summary"]
    command += ["--host", server.url, "-u", str(options.users), "-r", str(options.users)]
    if name == OURS:
        command += ["--interval", str(options.interval), "--agent-id-prefix", "agent-"]
        command += ["--phase-model", PHASES[phases]]
    environment = {**os.environ, "POLL_INTERVAL_S": str(options.interval), "POLL_PHASES": phases}
    with (folder / "locust.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            time.sleep(SETTLE_S)
            watched = psutil.Process(process.pid)
            polls, cpu_s, since_s = server.counts()["polls"], sum(watched.cpu_times()[:2]), time.monotonic()
            time.sleep(options.seconds)
            polls = server.counts()["polls"] - polls
            cpu_s = sum(watched.cpu_times()[:2]) - cpu_s
            elapsed_s, rss = time.monotonic() - since_s, watched.memory_info().rss
        finally:
            process.kill()
            process.wait()
    return Cost(polls_per_s=polls / elapsed_s, cpu_us_per_poll=cpu_s / polls * 1e6, rss_mib=rss / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU per poll, ours beside plain FastHttpUser.")
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{options.users} users at {options.interval:g} s, {options.rounds} rounds of {options.seconds:g} s each"
    )
    ratios: dict[str, list[float]] = {phases: [] for phases in PHASES}
    with tempfile.TemporaryDirectory() as folder, polled_server() as server:
        for _ in range(options.rounds):
            for phases in PHASES:
                costs = {name: measure(name, phases, server, options, Path(folder)) for name in FILES}
                ratios[phases].append(costs[OURS].cpu_us_per_poll / costs[PLAIN].cpu_us_per_poll)
                for name, cost in costs.items():
                    print(
                        f"{phases:<8} {name:<13} {cost.polls_per_s:5.0f} polls/s  "
                        f"{cost.cpu_us_per_poll:4.0f} µs CPU a poll  {cost.rss_mib:4.0f} MiB",
                        flush=True,
                    )
    for phases, values in ratios.items():
        print(
            f"{phases:<8} CPU a poll, ours / plain: median {statistics.median(values):.2f}, "
            f"from {min(values):.2f} to {max(values):.2f}"
        )


if __name__ == "__main__":
    main()
