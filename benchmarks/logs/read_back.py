"""
How long it takes to read and to analyse 60 MB of logs, beside a loop over the standard library's json.

The logs are made first: polls of fifty agents with one statement each, rotated at 10 MB. All ways of reading take
turns, several rounds in one process, after the imports.

    python -m benchmarks.logs.read_back [--rounds 5]
"""

import argparse
import gzip
import json
import platform
import random
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from monitoring.loganalysis import analyse_logs
from monitoring.logs.files import rotated_files
from monitoring.logs.lines import format_query, format_request
from monitoring.logs.reader import LogReading, LogRow
from monitoring.logs.rotation import RotatingFile
from monitoring.model import Observation, QueryObservation

BYTES = 59_500_000
ROUTE = "/api/deployments/pending/{agent_id}"
STATEMENT = (
    "SELECT deployments.id, deployments.agent_id, deployments.version, deployments.status, deployments.created_at "
    "FROM deployments WHERE deployments.agent_id = ? AND deployments.status = ? ORDER BY deployments.created_at"
)


def make(path: Path, line: Callable[[random.Random, float], bytes]) -> None:
    """Fill a current file and five rotated ones."""
    dice = random.Random(1)
    file = RotatingFile(path, max_bytes=10_000_000, backups=5, max_age_s=None, compress=False)
    written, time_s = 0, 1.79e9
    while written < BYTES:
        lines = []
        for _ in range(1000):
            time_s += dice.expovariate(5)
            lines.append(line(dice, time_s))
        data = b"\n".join(lines) + b"\n"
        file.append(data)
        written += len(data)
    file.close()


def request_line(dice: random.Random, time_s: float) -> bytes:
    agent, chance = f"agent-{dice.randrange(50):04d}", dice.random()
    return format_request(
        Observation(
            time_s=time_s,
            request_id=f"{dice.getrandbits(128):032x}",
            method="GET",
            route=ROUTE,
            path=f"/api/deployments/pending/{agent}",
            status=200 if chance < 0.985 else 404 if chance < 0.99 else 500,
            duration_s=dice.lognormvariate(-5.5, 0.8),
            database_time_s=0.002,
            queries=1,
            pool_wait_s=0.0001,
            client="127.0.0.1",
            agent=agent,
            exception=None if chance < 0.99 else "OperationalError",
            bytes_out=345,
        )
    )


def query_line(dice: random.Random, time_s: float) -> bytes:
    return format_query(
        QueryObservation(
            time_s=time_s,
            engine="main",
            statement=STATEMENT,
            duration_s=dice.lognormvariate(-6.5, 0.8),
            rows=3,
            many=False,
            slow=False,
            request_id=f"{dice.getrandbits(128):032x}",
            route=ROUTE,
            parameters=None,
            error=None,
        )
    )


def with_json(path: Path) -> int:
    return sum(
        json.loads(line)["status"] > 0
        for file in [*rotated_files(path), path]
        for line in file.open(encoding="utf-8")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="read-back-"))
    try:
        requests, queries, packed = folder / "master-backend.log", folder / "queries.log", folder / "packed.log"
        make(requests, request_line)
        make(queries, query_line)
        shutil.copy(requests, packed)
        for number, path in enumerate(reversed(rotated_files(requests)), start=1):
            packed.with_name(f"packed.log.{number}.gz").write_bytes(gzip.compress(path.read_bytes(), 6))
        nothing = folder / "nothing.log"
        ways: dict[str, Callable[[], int]] = {
            "read the request log": lambda: sum(map(len, LogReading(requests, LogRow))),
            "read it gzipped": lambda: sum(map(len, LogReading(packed, LogRow))),
            "analyse the request log": lambda: analyse_logs(requests, nothing).requests,
            "analyse the query log": lambda: analyse_logs(nothing, queries).queries,
            "analyse both": lambda: analyse_logs(requests, queries).requests,
        }
        took_s: dict[str, list[float]] = {name: [] for name in ways}
        rows: dict[str, int] = {}
        for _ in range(options.rounds):
            for name, way in ways.items():
                since_s = time.perf_counter()
                rows[name] = way()
                took_s[name].append(time.perf_counter() - since_s)
        rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        since_s = time.perf_counter()
        rows["json.loads of the request log"] = with_json(requests)
        took_s["json.loads of the request log"] = [time.perf_counter() - since_s]
    finally:
        shutil.rmtree(folder)
    print(f"{BYTES:,} B a log, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    print(f"peak memory of ours {rss_mb:.0f} MB")
    print(f"{'':30} {'rows':>9} {'seconds':>8} {'best':>6}")
    for name, times_s in took_s.items():
        print(f"{name:30} {rows[name]:9,} {statistics.median(times_s):8.2f} {min(times_s):6.2f}")


if __name__ == "__main__":
    main()
