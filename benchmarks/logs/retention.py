"""
How long the log files of a polled master last: lines as the reference master really writes them, and arithmetic.

Fifty agents are polled for in this process, ten times each; what a poll leaves in each log is measured and set
against the room that size and count of the files give. A file is dropped whole, so right after a rotation a log
holds one file less.

    python -m benchmarks.logs.retention [--agents 50] [--interval 10] [--max-bytes 10000000] [--backups 5]
"""

import argparse
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from harness.backend.app import create_app
from harness.backend.config import BackendConfig
from harness.backend.filling import fill
from harness.backend.population import agent_id
from tests.monitoring.driver import Client

POLLS = 10
ROUTE = b"/api/deployments/pending/{agent_id}"


def measure(folder: Path, agents: int) -> dict[str, tuple[int, int]]:
    """Poll, and return ``(lines, bytes)`` that the polls left in each log; start-up and the like are left out."""
    url = f"sqlite:///{folder / 'master.db'}"
    fill(url, agents=agents, deployments=20 * agents, seed=1, instant=datetime.now(UTC), progress=None)
    client = Client(create_app(BackendConfig(database_url=url, log_dir=folder / "logs")))

    async def poll() -> None:
        for _ in range(POLLS):
            for number in range(1, agents + 1):
                answer = await client.request_async("GET", f"/api/deployments/pending/{agent_id(number)}")
                assert answer.status == 200, answer

    client.lifespan(poll)
    found: dict[str, tuple[int, int]] = {}
    for path in sorted((folder / "logs").glob("*.log")):
        lines = [line for line in path.read_bytes().splitlines(keepends=True) if ROUTE in line]
        found[path.name] = len(lines), sum(map(len, lines))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--interval", type=float, default=10.0, help="of each agent's polls [s]")
    parser.add_argument("--max-bytes", type=int, default=10_000_000)
    parser.add_argument("--backups", type=int, default=5)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="retention-"))
    try:
        found = measure(folder, asked.agents)
    finally:
        shutil.rmtree(folder)
    polls_per_s = asked.agents / asked.interval
    print(
        f"{asked.agents} agents, one poll each {asked.interval:g} s: {polls_per_s:g} polls/s; "
        f"{asked.max_bytes:,} B x (1 + {asked.backups})"
    )
    print(f"{'log':24} {'lines/poll':>10} {'B/line':>7} {'MB/day':>7} {'lasts h':>8} {'at least h':>10}")
    for name, (lines, size) in found.items():
        bytes_per_s = size / (POLLS * asked.agents) * polls_per_s
        most_h, least_h = (
            asked.max_bytes * files / bytes_per_s / 3600 for files in (asked.backups + 1, asked.backups)
        )
        print(
            f"{name:24} {lines / (POLLS * asked.agents):10.2f} {size / lines:7.0f} {bytes_per_s * 0.0864:7.0f} "
            f"{most_h:8.1f} {least_h:10.1f}"
        )


if __name__ == "__main__":
    main()
