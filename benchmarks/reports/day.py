"""A day of fifty agents, written as the service would have written it: store and rotated log files."""

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from monitoring.capture.context import Statement
from monitoring.logs.lines import format_query, format_request
from monitoring.metrics import Recorder
from monitoring.model import Observation, PoolState, QueryObservation, WorkerState
from monitoring.rollup import Limits, PoolRollup
from monitoring.store import Store

END_S = 1_795_435_200.0
ROUTE = "/api/deployments/pending/{agent_id}"
QUERY = (
    "SELECT deployments.id, deployments.agent_id, deployments.artifact, deployments.version, deployments.status, "
    "deployments.created_at \nFROM deployments \nWHERE deployments.agent_id = ? AND deployments.status = ? "
    "ORDER BY deployments.created_at"
)
FILE_BYTES = 10_000_000


class Clock:
    """A clock that is set."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s


def polls(hours: float, *, agents: int = 50, interval_s: float = 10.0) -> Iterator[Observation]:
    """Yield polls in the order of their ends; one in 500 fails."""
    spread = random.Random(1)
    phases_s = sorted(spread.random() * interval_s for _ in range(agents))
    number = 0
    for step in range(int(hours * 3600 / interval_s)):
        for agent, phase_s in enumerate(phases_s):
            number += 1
            failed = number % 500 == 0
            yield Observation(
                time_s=END_S - hours * 3600 + step * interval_s + phase_s,
                request_id=f"7d261e6764299a8c{number:08x}",
                method="GET",
                route=ROUTE,
                path=f"/api/deployments/pending/agent-{agent + 1:04d}",
                status=500 if failed else 200,
                duration_s=spread.lognormvariate(-5.3, 0.5),
                database_time_s=0.0012,
                queries=1,
                pool_wait_s=0.00002,
                client="127.0.0.1",
                agent=f"agent-{agent + 1:04d}",
                exception="ValueError" if failed else None,
                bytes_out=345,
            )


def write_store(path: Path, hours: float) -> None:
    """Write the store of these hours, rolled up as time went by."""
    clock = Clock(END_S - hours * 3600)
    store = Store(path, clock=clock, limits=Limits())
    recorder = Recorder(clock=clock, limits=Limits(), slow_query_s=0.1, n_plus_one_queries=10)
    state = PoolState(
        engine="sqlite",
        pool_class="QueuePool",
        size=5,
        max_overflow=10,
        checked_out=0,
        overflow=0,
        waiting=0,
        holders=[],
    )
    packed = msgspec.msgpack.encode(WorkerState(pools=[state], faults=0, last_fault=None, dropped=0))
    flushed_s = clock.now_s

    def flush(now_s: float) -> None:
        clock.now_s = now_s
        store.append([(second, slot.pack()) for second, slot in recorder.take()], state=packed)
        store.roll_up(force=True)

    for poll in polls(hours):
        if poll.time_s - flushed_s > 600:
            flushed_s = poll.time_s
            flush(flushed_s)
        sent = Statement(
            start_s=0.0,
            duration_s=poll.database_time_s,
            engine="sqlite",
            text=QUERY,
            rows=1,
            many=False,
            error=None,
            parameters=None,
            site=None,
            blocking=False,
        )
        recorder.request(poll, [sent], [poll.pool_wait_s])
        pool = PoolRollup()
        pool.peak = 1
        pool.wait.record(poll.pool_wait_s)
        pool.hold.record(0.002)
        recorder.pool("sqlite", int(poll.time_s), pool)
    flush(END_S)
    store.end()
    store.close()


def write_logs(folder: Path, megabytes: float) -> int:
    """
    Write so many MB of rotated request and query logs, half of each, up to the end of the day.

    Returns:
        Lines written.
    """
    each = megabytes * 1e6 / 2
    requests = [format_request(poll) for poll in polls(each / 345 / 5 / 3600 + 0.5)]
    queries = [
        format_query(
            QueryObservation(
                time_s=poll.time_s,
                engine="sqlite",
                statement=QUERY,
                duration_s=poll.database_time_s,
                rows=1,
                many=False,
                slow=False,
                request_id=poll.request_id,
                route=ROUTE,
                parameters=None,
                error=None,
            )
        )
        for poll in polls(each / 345 / 5 / 3600 + 0.5)
    ]
    return sum(
        _rotated(folder / name, lines, int(each))
        for name, lines in (("master-backend.log", requests), ("database-queries.log", queries))
    )


def _rotated(path: Path, lines: list[bytes], total_bytes: int) -> int:
    """Write the newest lines that fit into files of 10 MB, the newest file without a number."""
    size = first = 0
    for first in range(len(lines) - 1, -1, -1):
        size += len(lines[first]) + 1
        if size >= total_bytes:
            break
    files: list[list[bytes]] = [[]]
    size = 0
    for line in lines[first:]:
        if size + len(line) + 1 > FILE_BYTES:
            files.append([])
            size = 0
        files[-1].append(line)
        size += len(line) + 1
    for number, content in enumerate(reversed(files)):
        name = path if number == 0 else path.with_name(f"{path.name}.{number}")
        name.write_bytes(b"".join(line + b"\n" for line in content))
    return len(lines) - first
