"""A service's past, written as the service would have written it: a store and log files in one folder."""

from pathlib import Path
from typing import Any

import msgspec

from monitoring.capture.context import Statement
from monitoring.logs.lines import LogLine, format_log, format_query, format_request, instant
from monitoring.metrics import Recorder
from monitoring.model import Holder, Observation, PoolState, QueryObservation, WorkerState
from monitoring.rollup import Limits, PoolRollup
from monitoring.store import Store
from tests.monitoring.driver import FakeClock

ROUTE = "/api/deployments/pending/{agent_id}"
PENDING = f"GET {ROUTE}"
NOON_S = 1_795_435_200.0
"""2026-11-23T12:00:00Z."""

QUERY = "SELECT id FROM deployments WHERE agent_id = ? AND status = ? ORDER BY created_at"


def pool_state(**changes: Any) -> PoolState:
    fields: dict[str, Any] = {
        "engine": "sqlite",
        "pool_class": "QueuePool",
        "size": 5,
        "max_overflow": 10,
        "checked_out": 0,
        "overflow": 0,
        "waiting": 0,
        "holders": [],
    }
    return PoolState(**fields | changes)


def holder(**changes: Any) -> Holder:
    fields: dict[str, Any] = {
        "engine": "sqlite",
        "since_s": NOON_S,
        "held_s": 3.0,
        "site": "app.py:14 in pending",
        "request_id": "r1",
        "route": ROUTE,
        "leaked": False,
    }
    return Holder(**fields | changes)


class Past:
    """
    What a service did from `start_s` on.

    Args:
        folder: of its files.
        start_s: when it began [s since the epoch].
        service: its name.
    """

    def __init__(self, folder: Path, *, start_s: float = NOON_S, service: str = "master-backend") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.service = service
        self.clock = FakeClock(start_s)
        limits = Limits()
        self.recorder = Recorder(clock=self.clock, limits=limits, slow_query_s=0.1, n_plus_one_queries=10)
        self.store: Store | None = Store(self.store_path, clock=self.clock, limits=limits)
        self.pools = [pool_state()]
        self.requests: list[bytes] = []
        self.queries: list[bytes] = []
        self._number = 0

    @property
    def store_path(self) -> Path:
        return self.folder / f"{self.service}.metrics.sqlite"

    def poll(
        self,
        after_s: float,
        agent: str = "agent-0001",
        *,
        status: int = 200,
        duration_s: float = 0.004,
        query_s: float = 0.001,
        wait_s: float = 0.0001,
        hold_s: float = 0.002,
        exception: str | None = None,
        query_error: str | None = None,
        statement: str = QUERY,
        queries: int = 1,
        site: str | None = None,
        blocking: bool = False,
    ) -> None:
        """One request that ended `after_s` after the start."""
        self._number += 1
        end_s = NOON_S + after_s
        request_id = f"r{self._number}"
        observation = Observation(
            time_s=end_s - duration_s,
            request_id=request_id,
            method="GET",
            route=ROUTE,
            path=f"/api/deployments/pending/{agent}",
            status=status,
            duration_s=duration_s,
            database_time_s=query_s * queries,
            queries=queries,
            pool_wait_s=wait_s,
            client="127.0.0.1",
            agent=agent,
            exception=exception,
            bytes_out=2,
        )
        sent = Statement(
            start_s=100.0 + after_s - query_s,
            engine="sqlite",
            text=statement,
            duration_s=query_s,
            rows=0,
            many=False,
            error=query_error,
            parameters=None,
            site=site,
            blocking=blocking,
        )
        self.recorder.request(observation, [sent] * queries, [wait_s])
        rollup = PoolRollup()
        rollup.peak = 1
        rollup.wait.record(wait_s)
        rollup.hold.record(hold_s)
        self.recorder.pool("sqlite", int(end_s), rollup)
        self.requests.append(format_request(observation))
        self.queries += [self._query_line(sent, end_s - query_s, request_id)] * queries

    def _query_line(self, sent: Statement, time_s: float, request_id: str) -> bytes:
        return format_query(
            QueryObservation(
                time_s=time_s,
                engine=sent.engine,
                statement=sent.text,
                duration_s=sent.duration_s,
                rows=sent.rows,
                many=False,
                slow=sent.duration_s > 0.1,
                request_id=request_id,
                route=ROUTE,
                parameters=None,
                error=sent.error,
            )
        )

    def fleet(self, length_s: float, *, agents: int = 3, interval_s: float = 10.0, **each: Any) -> "Past":
        """Agents that poll at their interval, each with its own phase."""
        steps = int(length_s / interval_s)
        for step in range(steps):
            for agent in range(agents):
                phase_s = (agent + 0.5) / agents * interval_s + 0.1  # not at the edge of a second
                self.poll(step * interval_s + phase_s, f"agent-{agent + 1:04d}", **each)
        return self

    def pool(self, after_s: float, **changes: Any) -> None:
        """Something that the pool went through."""
        rollup = PoolRollup()
        for name, value in changes.items():
            setattr(rollup, name, value)
        self.recorder.pool("sqlite", int(NOON_S + after_s), rollup)

    def message(self, after_s: float, text: str, *, level: str = "ERROR") -> None:
        """Something that the application logged."""
        line = LogLine(time=instant(NOON_S + after_s), level=level, logger="app", message=text, source="app.py:1")
        self.requests.append(format_log(line))

    def write(self, after_s: float, *, stop: bool = True, logs: bool = True) -> Path:
        """Write everything, at `after_s` after the start, and stop the service."""
        store = self.store
        assert store is not None
        self.clock.now_s = NOON_S + after_s
        state = WorkerState(pools=self.pools, faults=0, last_fault=None, dropped=0)
        slots = [(second, slot.pack()) for second, slot in self.recorder.take()]
        store.append(slots, state=msgspec.msgpack.encode(state))
        store.roll_up(force=True)
        if logs:
            self.log_path.write_bytes(b"".join(line + b"\n" for line in sorted(self.requests)))
            self.query_path.write_bytes(b"".join(line + b"\n" for line in sorted(self.queries)))
        if stop:
            self.close()
        return self.folder

    def close(self) -> None:
        """Stop the service."""
        if self.store is not None:
            self.store.end()
            self.store.close()
            self.store = None

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.service}.log"

    @property
    def query_path(self) -> Path:
        return self.folder / "database-queries.log"
