"""
The way in for connections: waiting for one, holding one, giving it back.

SQLAlchemy has no event before a checkout, so waiting can't be timed by events. The pool's *class* is exchanged for
one derived from it, made for this engine, which times `Pool.connect` (public) and sees connections come back in
`Pool._do_return_conn` (private, used only here; returned, detached and collected ones all pass it). Both are told
apart by the pool's record of the connection (`_connection_record`, private likewise). As
``dispose()`` makes its successor from the pool's class, it keeps being watched. Where a class can't be exchanged,
the documented events see everything but the wait.

Connections come back, and break, in the middle of anything: the garbage collector brings back those that were
forgotten, in whichever thread it happens to run, and that thread may be recording. So what such a call leads to
takes no lock and writes no log: it adds to the hub's queue, which is one step, and figures are made when that is
emptied.
"""

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AssertionPool, ConnectionPoolEntry, Pool, QueuePool, SingletonThreadPool

from monitoring.capture.context import RequestContext, current
from monitoring.capture.hub import MAX_WAITING, Hub, Item, logger
from monitoring.capture.routes import route_template
from monitoring.capture.sites import Site, call_site, describe
from monitoring.model import Holder, PoolState
from monitoring.rollup import PoolRollup

_MAX_HOLDERS = 50


class _Hold(Item, msgspec.Struct, eq=False):
    """One connection that somebody has; when it has come back it waits to be recorded."""

    capture: "PoolCapture"
    asked_s: float
    start_s: float
    held: int
    """Connections in use when it was handed out, this one included."""
    site: Site | None
    context: RequestContext | None
    end_s: float = 0.0
    leaked: bool = False
    counted: bool = False
    """Whether handing it out has been recorded."""

    @classmethod
    def process_all(cls, items: Sequence["_Hold"], hub: Hub) -> None:
        """Record them."""
        by_capture: dict[PoolCapture, list[_Hold]] = {}
        for item in items:
            by_capture.setdefault(item.capture, []).append(item)
        for capture, holds in by_capture.items():
            try:
                capture.take_back(holds)
            except Exception as error:  # noqa: BLE001  # one pool must not cost the others
                hub.fault(error)


class _Failed(Item, msgspec.Struct, frozen=True, gc=False):
    """Somebody asked for a connection and got none; waits to be recorded."""

    capture: "PoolCapture"
    at_s: float
    wait_s: float
    timed_out: bool

    def process(self, hub: Hub) -> None:  # noqa: ARG002  # the queue's signature
        """Record it."""
        self.capture.count_failed(self.at_s, self.wait_s, timed_out=self.timed_out)


class _Changed(Item, msgspec.Struct, frozen=True):
    """A connection was made, or broke; waits to be recorded."""

    capture: "PoolCapture"
    at_s: float
    """When, by the wall clock [s]."""
    created: int
    invalidated: int

    def process(self, hub: Hub) -> None:  # noqa: ARG002  # the queue's signature
        """Record it."""
        self.capture.count_changed(self.at_s, created=self.created, invalidated=self.invalidated)


class _Fault(Item, msgspec.Struct, frozen=True):
    """A fault of our own where none may be told of; waits to be."""

    error: Exception

    def process(self, hub: Hub) -> None:
        """Tell of it."""
        hub.fault(self.error)


class _NotApartError(Exception):
    """The engine's creator gave what the service has, or may have."""


class PoolCapture:
    """
    Watch the pool of an engine.

    Args:
        engine: the engine (of an async engine, its `sync_engine`).
        name: how it is called in figures and logs.
        hub: takes what was seen.
    """

    def __init__(self, engine: Engine, name: str, hub: Hub) -> None:
        self.engine = engine
        self.name = name
        self._hub = hub
        # These two change in single steps that no thread can see half of, so a checkout waits for no lock.
        self._holds: dict[Any, _Hold] = {}
        """Who has which connection, by the pool's record of it."""
        self._asking: deque[None] = deque()
        # The figures: whoever makes them holds the hub's lock of recording.
        self._second = int(hub.wall_s())
        self._rollup = PoolRollup()
        self._base: type[Pool] | None = None
        self._listening: list[tuple[Pool, str, Any]] = []
        self._pinging: set[int] = set()
        """Threads whose connections are pings, not the service's."""
        self._made: set[weakref.ref[ConnectionPoolEntry]] = set()
        """The pool's records of the service's connections, for as long as it keeps them."""
        self._creates: bool | None = None
        """Whether the engine's creator makes a connection whenever it is called; None before the first ping."""

    # ---- life

    def install(self) -> None:
        """Begin to watch."""
        pool = self.engine.pool
        base = type(pool)
        try:
            pool.__class__ = _watched_class(base, self)
            self._base = base
        except TypeError:
            self._listen("checkout", self._on_checkout)
            self._listen("checkin", self._on_checkin)
            self._listen("detach", self._on_checkin)
        self._listen("connect", self._on_connect)
        self._listen("invalidate", self._on_invalidate)

    def remove(self) -> None:
        """Give the pool back as it was."""
        if self._base is not None:
            self.engine.pool.__class__ = self._base
            self._base = None
        for pool, name, listener in self._listening:
            # From the pool that it was put on: SQLAlchemy takes it off those that dispose() made of it, too.
            if event.contains(pool, name, listener):
                event.remove(pool, name, listener)
        self._listening.clear()

    def ping(self) -> bool:
        """
        Ask the database for a sign of life, on a connection of its own made like the pool's.

        Returns:
            Whether it was asked. It is not where the engine's creator gives a connection the service has: that one
            is left alone, as resetting or closing it, or even a statement, would disturb its user.

        Raises:
            Exception: whatever the driver raises.
        """
        if self._creates is False:
            return False
        self._pinging.add(threading.get_ident())
        try:
            pool = self._pool_apart()
            try:
                connection = pool.connect()
            except _NotApartError:
                return False
            try:
                driver_connection: Any = connection.dbapi_connection
                self.engine.dialect.do_ping(driver_connection)
            finally:
                connection.close()
                pool.dispose()
            return True
        finally:
            self._pinging.discard(threading.get_ident())

    def _pool_apart(self) -> Pool:
        """Return a pool made like the engine's that takes no connection of the service's."""
        pool = self.engine.pool.recreate()
        if self._base is not None:
            pool.__class__ = self._base
        make = pool._invoke_creator  # no public name leads to a connection before events have been at it

        def make_apart(rec: ConnectionPoolEntry) -> Any:
            connection = make(rec)
            if self._creates is None:
                self._creates = self._differs(connection, make, rec)
            if not self._creates or self._is_services(connection):
                raise _NotApartError
            return connection

        pool._invoke_creator = make_apart
        return pool

    def _differs(
        self, connection: Any, make: Callable[[ConnectionPoolEntry], Any], record: ConnectionPoolEntry
    ) -> bool:
        """Tell whether the creator makes another connection when it is called again."""
        dialect = self.engine.dialect
        try:
            other = make(record)
        except Exception:  # noqa: BLE001  # the finding is what the first says: perhaps no second one is allowed
            return True
        same = dialect.get_driver_connection(other) is dialect.get_driver_connection(connection)
        if same or self._is_services(other):
            return False
        with contextlib.suppress(Exception):  # nor is it of interest how this one ends
            dialect.do_close(other)
        return True

    def _is_services(self, connection: Any) -> bool:
        """Tell whether the engine's pool has this connection."""
        mine = self.engine.dialect.get_driver_connection(connection)
        records = [reference() for reference in self._made.copy()]
        return any(record is not None and record.driver_connection is mine for record in records)

    def _listen(self, name: str, listener: Any) -> None:
        pool = self.engine.pool
        event.listen(pool, name, listener)
        self._listening.append((pool, name, listener))

    def reset_after_fork(self) -> None:
        """Begin anew in a child process: who held what is the parent's affair."""
        self._holds = {}
        self._asking = deque()
        self._rollup = PoolRollup()

    # ---- what the watched class and the events call

    def asked(self) -> None:
        """Take note that somebody asks for a connection; also keeps what came back from piling up."""
        self._asking.append(None)
        hub = self._hub
        if len(hub.waiting) > MAX_WAITING:
            try:
                hub.help()
            except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the connection
                hub.fault(fault)

    def got(self, fairy: Any, asked_s: float) -> None:
        """Take note that a connection was handed out to who had asked at `asked_s` (monotonic) [s]."""
        hub = self._hub
        try:
            self._asking.pop()
            now_s = hub.monotonic_s()
            record = fairy._connection_record  # its public attributes all lead through two functions
            holds = self._holds
            if record is None or record in holds:
                # A pool that hands the same connection to several callers: it is in use once, and comes back once.
                return
            context = current.get()
            if context is not None:
                if context.hub is not hub:
                    context = None
                elif not context.done:
                    work = context.work
                    if work is None:
                        work = context.begin_work()
                    wait_s = now_s - asked_s
                    work.waits.append(wait_s)
                    work.pool_wait_s += wait_s
            # Nothing is handed in before it comes back, or stays out for a second: see `flush`.
            holds[record] = hold = _Hold(self, asked_s, now_s, 0, call_site(), context)
            hold.held = len(holds)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the connection
            hub.fault(fault)

    def failed(self, error: BaseException, asked_s: float) -> None:
        """Take note that nobody was handed a connection."""
        hub = self._hub
        try:
            self._asking.pop()
            now_s = hub.monotonic_s()
            context = current.get()
            if context is not None and context.hub is hub and not context.done:
                work = context.work or context.begin_work()
                work.waits.append(now_s - asked_s)
                work.pool_wait_s += now_s - asked_s
            hub.put(_Failed(self, now_s, now_s - asked_s, isinstance(error, PoolTimeoutError)))
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not hide the real one
            hub.fault(fault)

    def came_back(self, record: Any) -> None:
        """
        Take note that a connection is about to return: before it does, so that no peak passes the bound.

        The garbage collector may call this at any time: no lock, no log (see above).
        """
        hub = self._hub
        try:
            hold = self._holds.pop(record, None)
            if hold is not None:
                hold.end_s = hub.monotonic_s()
                hold.context = None  # it leads to the scope, and this waits
                hub.waiting.append(hold)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not keep the connection out
            hub.waiting.append(_Fault(fault))

    def _on_connect(self, dbapi_connection: Any, record: Any) -> None:  # noqa: ARG002  # SQLAlchemy's signature
        if threading.get_ident() not in self._pinging:
            self._made.add(weakref.ref(record, self._made.discard))
            self._hub.waiting.append(_Changed(self, self._hub.wall_s(), 1, 0))

    def _on_invalidate(self, dbapi_connection: Any, record: Any, error: Any) -> None:  # noqa: ARG002  # SQLAlchemy's
        self._hub.waiting.append(_Changed(self, self._hub.wall_s(), 0, 1))

    def _on_checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:  # noqa: ARG002  # SQLAlchemy's
        self.asked()
        self.got(proxy, self._hub.monotonic_s())

    def _on_checkin(self, dbapi_connection: Any, record: Any) -> None:  # noqa: ARG002  # SQLAlchemy's signature
        self.came_back(record)

    # ---- figures, made with the hub's lock of recording held

    def take_back(self, holds: Sequence[_Hold]) -> None:
        """Record that these came back, and tell of those that had been reported as held for too long."""
        self._count(holds, returned=True)
        for hold in holds:
            if hold.leaked:
                logger.warning(
                    "pool %s: the connection taken at %s came back after %.1f s",
                    self.name,
                    describe(hold.site),
                    hold.end_s - hold.start_s,
                )

    def _count(self, holds: Iterable[_Hold], *, returned: bool) -> None:
        """Record that these were handed out, unless that has been done, and that they came back if they did."""
        waits: dict[int, list[float]] = {}
        times: dict[int, list[float]] = {}
        peaks: dict[int, int] = {}
        offset_s = self._hub.wall_s() - self._hub.monotonic_s()
        # Those of a second mostly come in a row; `from_s` to `to_s` is the second that the last one lay in.
        wait_from_s = wait_to_s = from_s = to_s = 0.0
        second, some_waits, some_times = 0, [0.0], [0.0]
        for hold in holds:
            start_s, end_s = hold.start_s, hold.end_s
            if not hold.counted:
                hold.counted = True
                if not wait_from_s <= start_s + offset_s < wait_to_s:
                    second = int(start_s + offset_s)
                    wait_from_s, wait_to_s = float(second), second + 1.0
                    some_waits = waits.setdefault(second, [])
                some_waits.append(start_s - hold.asked_s)
                if hold.held > peaks.get(second, 0):
                    peaks[second] = hold.held
            if returned:
                if not from_s <= end_s + offset_s < to_s:
                    from_s = float(int(end_s + offset_s))
                    to_s = from_s + 1.0
                    some_times = times.setdefault(int(from_s), [])
                some_times.append(end_s - start_s)
        for each in sorted(waits.keys() | times.keys()):
            rollup = self._at(each)
            rollup.wait.record_many(waits.get(each, ()))
            rollup.hold.record_many(times.get(each, ()))
            rollup.peak = max(rollup.peak, peaks.get(each, 0))

    def count_failed(self, at_s: float, wait_s: float, *, timed_out: bool) -> None:
        """Record what `failed` saw at `at_s` by the monotonic clock [s]."""
        hub = self._hub
        rollup = self._at(int(hub.wall_s() - (hub.monotonic_s() - at_s)))
        rollup.wait.record(wait_s)
        rollup.timeouts += timed_out

    def count_changed(self, at_s: float, *, created: int, invalidated: int) -> None:
        """Record connections that were made or broke at `at_s` by the wall clock [s]."""
        rollup = self._at(int(at_s))
        rollup.created += created
        rollup.invalidated += invalidated

    def _at(self, second: int) -> PoolRollup:
        """Return the rollup of this second; the one before goes to the recorder."""
        if second != self._second:
            if not self._rollup.empty:
                self._hub.recorder.pool(self.name, self._second, self._rollup)
            self._second = second
            self._rollup = PoolRollup()
            self._rollup.peak = len(self._holds)
        return self._rollup

    # ---- what the flusher and the answers ask for

    def flush(self) -> None:
        """Hand everything seen so far to the recorder; what has come back is in the hub's queue before this."""
        with self._hub.recording:
            self._count(self._holds.copy().values(), returned=False)
            rollup = self._at(int(self._hub.wall_s()))
            if not rollup.empty:
                self._hub.recorder.pool(self.name, self._second, rollup)
            self._rollup = PoolRollup()
            self._rollup.peak = len(self._holds)

    def find_leaks(self) -> None:
        """Warn, once each, of connections held for longer than the threshold."""
        threshold_s = self._hub.settings.leak_threshold_s
        now_s = self._hub.monotonic_s()
        leaks = [
            one for one in self._holds.copy().values() if not one.leaked and now_s - one.start_s > threshold_s
        ]
        with self._hub.recording:
            for hold in leaks:
                hold.leaked = True
                self._rollup.leaks += 1
        for hold in leaks:
            holder = self._holder(hold, now_s)
            logger.warning(
                "pool %s: a connection is held for %.1f s, taken at %s, route %s, request %s",
                self.name,
                holder.held_s,
                holder.site,
                holder.route or "none",
                holder.request_id or "none",
            )

    def state(self) -> PoolState:
        """Return the pool as it is at the moment."""
        pool = self.engine.pool
        now_s = self._hub.monotonic_s()
        holds = sorted(self._holds.copy().values(), key=lambda hold: hold.start_s)
        size, max_overflow = _bounds(pool)
        return PoolState(
            engine=self.name,
            pool_class=type(pool).__name__,
            size=size,
            max_overflow=max_overflow,
            checked_out=len(holds),
            overflow=max(0, pool.overflow()) if isinstance(pool, QueuePool) else 0,
            waiting=len(self._asking),
            holders=[self._holder(hold, now_s) for hold in holds[:_MAX_HOLDERS]],
        )

    def _holder(self, hold: _Hold, now_s: float) -> Holder:
        context = hold.context
        route = None
        if context is not None:
            # Routing has happened by the time anybody holds a connection; mounts are named once it is over.
            route = context.route or route_template(context.scope, context.root_path)
        held_s = now_s - hold.start_s
        return Holder(
            engine=self.name,
            since_s=self._hub.wall_s() - held_s,
            held_s=held_s,
            site=describe(hold.site),
            request_id=context.request_id if context is not None else None,
            route=route,
            leaked=hold.leaked,
        )


def _bounds(pool: Pool) -> tuple[int | None, int | None]:
    """Return ``(size, most overflow)`` of a pool; None for no bound."""
    if isinstance(pool, QueuePool):
        size = pool.size()
        most = int(pool._max_overflow)  # no public name tells it
        return (size or None), (most if most >= 0 and size else None)
    if isinstance(pool, AssertionPool):
        return 1, 0
    if isinstance(pool, SingletonThreadPool):
        # One a thread; its `size` is when it begins to close idle ones, not a bound.
        return None, None
    return None, None


def _watched_class(base: type[Pool], capture: PoolCapture) -> type[Pool]:
    clock = capture._hub.monotonic_s  # same module

    def connect(self: Pool) -> Any:
        capture.asked()
        asked_s = clock()
        try:
            fairy = base.connect(self)
        except BaseException as error:
            capture.failed(error, asked_s)
            raise
        capture.got(fairy, asked_s)
        return fairy

    def _do_return_conn(self: Pool, record: Any) -> None:
        capture.came_back(record)
        base._do_return_conn(self, record)  # the one private method relied upon

    # The same name and module: logs, reprs and messages stay what they were.
    return type(
        base.__name__,
        (base,),
        {
            "__module__": base.__module__,
            "__doc__": base.__doc__,
            "connect": connect,
            "_do_return_conn": _do_return_conn,
        },
    )
