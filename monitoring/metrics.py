"""
The recorder: what the hooks saw, kept as live rollups by second until the store takes them.

Recording takes about as long as the histograms need; nothing here waits for a disk or another process.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from monitoring.capture.context import Statement, Work, Worked
from monitoring.clock import Clock
from monitoring.histogram import Histogram
from monitoring.model import Observation
from monitoring.rollup import Limits, PoolRollup, RouteRollup
from monitoring.slot import Slot

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

        Raises:
            Exception: it can't be counted, and nothing of it was.
        """
        with self._lock:
            self._group([observation])
            if statements or waits:
                self._work([Worked(observation, Work(list(statements), list(waits)))])

    def requests(self, observations: Sequence[Observation], fault: Callable[[Exception], object]) -> None:
        """
        Count requests that have ended: by route at once, which takes a third of the time of one after the other.

        Args:
            observations: the requests, in any order.
            fault: told of each that can't be counted, which then costs no other.
        """
        groups: dict[tuple[int, str, str], list[Observation]] = {}
        group: list[Observation] = []
        from_s = to_s = 0.0
        method = route = None
        with self._lock:
            for one in observations:
                end_s = one.time_s + one.duration_s
                # Mostly like the one before, and the very same texts.
                if one.route is not route or one.method is not method or not from_s <= end_s < to_s:
                    try:
                        second = int(end_s)
                    except (ValueError, OverflowError) as error:  # not a time
                        fault(error)
                        continue
                    method, route = one.method, one.route
                    from_s, to_s = float(second), second + 1.0
                    group = groups.setdefault((second, method, route), [])
                group.append(one)
            for same in groups.values():
                _guarded(self._group, same, fault)

    def work(self, worked: Sequence[Worked], fault: Callable[[Exception], object]) -> None:
        """Count what these requests had databases do; like `requests`."""
        groups: dict[tuple[int, str, str], list[Worked]] = {}
        group: list[Worked] = []
        from_s = to_s = 0.0
        method = route = None
        with self._lock:
            for one in worked:
                seen = one.observation
                end_s = seen.time_s + seen.duration_s
                if seen.route is not route or seen.method is not method or not from_s <= end_s < to_s:
                    try:
                        second = int(end_s)
                    except (ValueError, OverflowError):  # told of with the request
                        continue
                    method, route = seen.method, seen.route
                    from_s, to_s = float(second), second + 1.0
                    group = groups.setdefault((second, method, route), [])
                group.append(one)
            for same in groups.values():
                _guarded(self._work, same, fault)

    def _group(self, group: Sequence[Observation]) -> None:
        """Count requests of one second, method and route; all of them, or none and raise."""
        first = group[0]
        slot = self._at(int(first.time_s + first.duration_s))
        slot.route(first.method, first.route).record(group)
        slot.count_agents(group)

    def _work(self, group: Sequence[Worked]) -> None:
        """Count what requests of one second, method and route had databases do."""
        first = group[0].observation
        slot = self._at(int(first.time_s + first.duration_s))
        rollup = slot.route(first.method, first.route)
        waits = [wait_s for one in group for wait_s in one.work.waits]
        statements = [statement for one in group for statement in one.work.statements]
        if waits:
            rollup.pool_wait.record_many(waits)
        if statements:
            self._statements(slot, first.route, rollup, statements)
        for one in group:
            spilled = one.work.spilled
            if spilled is not None:
                rollup.query.merge(spilled.durations)
                rollup.pool_wait.merge(spilled.waits)
            if one.work.queries >= self._n_plus_one_queries:
                self._find_n_plus_one(slot, first.route, one.work)

    def _statements(self, slot: Slot, route: str, rollup: RouteRollup, statements: Sequence[Statement]) -> None:
        by_text: dict[str, list[Statement]] = {}
        for one in statements:
            same = by_text.get(one.text)
            if same is None:
                by_text[one.text] = [one]
            else:
                same.append(one)
            if one.blocking:
                self._blocking(slot, route, one)
        for text, same in by_text.items():
            rollup.query.merge(self._same_statement(slot, text, same))

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
            self._same_statement(slot, statement.text, [statement])
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

    @property
    def busy(self) -> bool:
        """Whether a thread is at these figures just now, be it this one."""
        return self._lock.locked()

    @property
    def waiting_s(self) -> int:
        """Seconds of figures that nobody has taken yet."""
        with self._lock:
            return len(self._slots)

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

    def _same_statement(self, slot: Slot, text: str, same: Sequence[Statement]) -> Histogram:
        """Count executions of one statement; gives their durations, which belong to a route too."""
        durations = Histogram()
        durations.record_many([one.duration_s for one in same])
        slow_s, slow = self._slow_query_s, 0
        if durations.max_s is not None and durations.max_s > slow_s:
            slow = len([1 for one in same if one.duration_s > slow_s])
        errors = len([1 for one in same if one.error is not None])
        rows = [one.rows for one in same if one.rows is not None]
        rollup = slot.statement(text[:MAX_STATEMENT_CHARS])
        rollup.duration.merge(durations)
        rollup.add(len(same), errors, slow, sum(rows) if rows else None)
        return durations

    def _blocking(self, slot: Slot, route: str, statement: Statement) -> None:
        key = ("blocking", route, statement.site or "", statement.text[:MAX_STATEMENT_CHARS])
        slot.spot(key).record(count=1, duration_s=statement.duration_s)

    def _find_n_plus_one(self, slot: Slot, route: str, work: Work) -> None:
        by_text = dict(work.spilled.texts) if work.spilled is not None else {}
        for one in work.statements:
            n, sum_s, site = by_text.get(one.text, (0, 0.0, None))
            by_text[one.text] = (n + 1, sum_s + one.duration_s, one.site or site)
        for text, (n, sum_s, site) in by_text.items():
            if n >= self._n_plus_one_queries:
                key = ("n+1", route, site or "", text[:MAX_STATEMENT_CHARS])
                slot.spot(key).record(count=n, duration_s=sum_s)


def _guarded(
    count: Callable[[Sequence[Any]], None], group: Sequence[Any], fault: Callable[[Exception], object]
) -> None:
    """Count a group, or when that fails each by itself."""
    try:
        count(group)
    except Exception as error:  # noqa: BLE001  # whatever the application answered with
        if len(group) < 2:
            fault(error)
            return
        for one in group:
            _guarded(count, [one], fault)
