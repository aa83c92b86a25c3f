"""
The recorder: what the hooks saw, kept as live rollups by second until the store takes them.

Recording takes about as long as the histograms need; nothing here waits for a disk or another process.
"""

import threading
from collections.abc import Sequence

from monitoring.capture.context import Statement
from monitoring.clock import Clock
from monitoring.model import Observation
from monitoring.rollup import Limits, PoolRollup, RouteRollup, Slot

MAX_STATEMENT_CHARS = 2000
"""Longer statements are told apart by this many characters."""


class Recorder:
    """
    Live rollups of this process. Safe to use from several threads.

    Args:
        clock: where the time comes from.
        limits: how many keys are told apart.
        slow_query_s: a statement that takes longer is slow [s].
        n_plus_one_queries: the same statement this often in one request is reported.
    """

    def __init__(self, *, clock: Clock, limits: Limits, slow_query_s: float, n_plus_one_queries: int) -> None:
        self._clock = clock
        self._limits = limits
        self._slow_query_s = slow_query_s
        self._n_plus_one_queries = n_plus_one_queries
        self._lock = threading.Lock()
        self._slots: dict[int, Slot] = {}
        self._second = -1
        self._slot = Slot(limits)

    def request(self, observation: Observation, statements: Sequence[Statement], waits: Sequence[float]) -> None:
        """
        Count a request that has ended.

        Args:
            observation: the request.
            statements: what it sent to databases.
            waits: how long it waited for connections, one for each checkout [s].
        """
        with self._lock:
            slot = self._at(int(observation.time_s + observation.duration_s))
            rollup = slot.route(observation.method, observation.route)
            rollup.record(observation)
            for wait_s in waits:
                rollup.pool_wait.record(wait_s)
            if observation.agent is not None:
                slot.agent(observation.agent).record(observation.time_s, error=observation.status >= 400)
            if statements:
                self._statements(slot, observation.route, rollup, statements)

    def _statements(self, slot: Slot, route: str, rollup: RouteRollup, statements: Sequence[Statement]) -> None:
        for statement in statements:
            rollup.query.record(statement.duration_s)
            self._statement(slot, statement)
            if statement.blocking:
                self._blocking(slot, route, statement)
        if len(statements) >= self._n_plus_one_queries:
            self._find_n_plus_one(slot, route, statements)

    def statement(self, statement: Statement, time_s: float, route: str | None) -> None:
        """
        Count a statement that is not part of a running request.

        Args:
            statement: what was sent.
            time_s: when [s since the epoch].
            route: template of the request it belongs to (a background task); None for none.
        """
        with self._lock:
            slot = self._at(int(time_s + statement.duration_s))
            self._statement(slot, statement)
            if statement.blocking:
                self._blocking(slot, route or "", statement)

    def exception(self, method: str, route: str, name: str) -> None:
        """Count an exception that came after the answer (in a background task)."""
        with self._lock:
            self._at(int(self._clock.wall_s())).route(method, route).count_exception(name)

    def pool(self, engine: str, second: int, rollup: PoolRollup) -> None:
        """Add what a pool went through in one second."""
        with self._lock:
            self._at(second).pool(engine).merge(rollup)

    def take(self) -> list[tuple[int, Slot]]:
        """Hand over everything recorded since the last call, as ``(second, slot)``."""
        with self._lock:
            slots, self._slots = self._slots, {}
            self._second = -1
        return sorted(slots.items())

    def put_back(self, slots: Sequence[tuple[int, Slot]], *, keep: int = 3600) -> int:
        """
        Take back what could not be stored.

        Args:
            slots: what `take` gave.
            keep: how many seconds are kept at most; older ones are dropped.

        Returns:
            Number of seconds dropped.
        """
        with self._lock:
            for second, slot in slots:
                mine = self._slots.get(second)
                if mine is None:
                    self._slots[second] = slot
                else:
                    mine.merge(slot)
            too_many = sorted(self._slots)[:-keep] if keep < len(self._slots) else []
            for second in too_many:
                del self._slots[second]
            self._second = -1
            return len(too_many)

    def _at(self, second: int) -> Slot:
        if second == self._second:
            return self._slot
        slot = self._slots.get(second)
        if slot is None:
            slot = self._slots[second] = Slot(self._limits)
        self._second, self._slot = second, slot
        return slot

    def _statement(self, slot: Slot, statement: Statement) -> None:
        rollup = slot.statement(statement.text[:MAX_STATEMENT_CHARS])
        rollup.n += 1
        rollup.duration.record(statement.duration_s)
        if statement.duration_s > self._slow_query_s:
            rollup.slow += 1
        if statement.error is not None:
            rollup.errors += 1
        if statement.rows is not None:
            rollup.rows = (rollup.rows or 0) + statement.rows

    def _blocking(self, slot: Slot, route: str, statement: Statement) -> None:
        key = ("blocking", route, statement.site or "", statement.text[:MAX_STATEMENT_CHARS])
        slot.spot(key).record(count=1, duration_s=statement.duration_s)

    def _find_n_plus_one(self, slot: Slot, route: str, statements: Sequence[Statement]) -> None:
        by_text: dict[str, list[Statement]] = {}
        for statement in statements:
            by_text.setdefault(statement.text, []).append(statement)
        for text, same in by_text.items():
            if len(same) >= self._n_plus_one_queries:
                site = next((one.site for one in reversed(same) if one.site is not None), "")
                key = ("n+1", route, site, text[:MAX_STATEMENT_CHARS])
                slot.spot(key).record(count=len(same), duration_s=sum(one.duration_s for one in same))
