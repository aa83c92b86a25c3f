"""
The way in for connections: waiting for one, holding one, giving it back.

SQLAlchemy has no event before a checkout, so waiting can't be timed by events. The pool's *class* is exchanged for
one derived from it, made for this engine, which times `Pool.connect` (public) and sees connections come back in
`Pool._do_return_conn` (private, used only here; returned, detached and collected ones all pass it). As
``dispose()`` makes its successor from the pool's class, it keeps being watched. Where a class can't be exchanged,
the documented events see everything but the wait.
"""

import threading
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AssertionPool, Pool, QueuePool, SingletonThreadPool

from monitoring.capture.context import RequestContext, current
from monitoring.capture.hub import Hub, logger
from monitoring.capture.routes import route_template
from monitoring.capture.sites import Site, call_site, describe
from monitoring.model import Holder, PoolState
from monitoring.rollup import PoolRollup

_INFO_KEY = "monitoring.hold"
_MAX_HOLDERS = 50


class _Hold:
    """One connection that somebody has."""

    __slots__ = ("context", "leaked", "site", "start_s", "time_s")

    def __init__(
        self, *, start_s: float, time_s: float, site: Site | None, context: RequestContext | None
    ) -> None:
        self.start_s = start_s
        self.time_s = time_s
        self.site = site
        self.context = context
        self.leaked = False


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
        self._lock = threading.Lock()
        self._holds: set[_Hold] = set()
        self._waiting = 0
        self._second = int(hub.wall_s())
        self._rollup = PoolRollup()
        self._base: type[Pool] | None = None
        self._listening: list[tuple[str, Any]] = []
        self._pinging: set[int] = set()
        """Threads whose connections are pings, not the service's."""

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
        for name, listener in self._listening:
            # A pool made by dispose() may not have inherited it.
            if event.contains(self.engine.pool, name, listener):
                event.remove(self.engine.pool, name, listener)
        self._listening.clear()

    def ping(self) -> None:
        """
        Ask the database for a sign of life, on a connection of its own made like the pool's.

        Raises:
            Exception: whatever the driver raises.
        """
        self._pinging.add(threading.get_ident())
        try:
            pool = self.engine.pool.recreate()
            if self._base is not None:
                pool.__class__ = self._base
            connection = pool.connect()
            try:
                driver_connection: Any = connection.dbapi_connection
                self.engine.dialect.do_ping(driver_connection)
            finally:
                connection.close()
                pool.dispose()
        finally:
            self._pinging.discard(threading.get_ident())

    def _listen(self, name: str, listener: Any) -> None:
        event.listen(self.engine.pool, name, listener)
        self._listening.append((name, listener))

    def reset_after_fork(self) -> None:
        """Begin anew in a child process: who held what is the parent's affair."""
        self._lock = threading.Lock()
        self._holds = set()
        self._waiting = 0
        self._rollup = PoolRollup()

    # ---- what the watched class and the events call

    def waiting(self) -> None:
        """Take note that somebody asks for a connection."""
        with self._lock:
            self._waiting += 1

    def got(self, fairy: Any, wait_s: float) -> None:
        """Take note that a connection was handed out after `wait_s` [s]."""
        hub = self._hub
        try:
            context = current.get()
            if context is not None and context.hub is not hub:
                context = None
            record_info = fairy.record_info
            if record_info is None or _INFO_KEY in record_info:
                # A pool that hands the same connection to several callers: it is in use once, and comes back once.
                with self._lock:
                    self._waiting -= 1
                return
            hold = record_info[_INFO_KEY] = _Hold(
                start_s=hub.monotonic_s(), time_s=hub.wall_s(), site=call_site(), context=context
            )
            with self._lock:
                self._waiting -= 1
                rollup = self._at(int(hold.time_s))
                self._holds.add(hold)
                rollup.peak = max(rollup.peak, len(self._holds))
                rollup.wait.record(wait_s)
            if context is not None and not context.done:
                context.waits.append(wait_s)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the connection
            hub.fault(fault)

    def failed(self, error: BaseException, wait_s: float) -> None:
        """Take note that nobody was handed a connection."""
        try:
            with self._lock:
                self._waiting -= 1
                rollup = self._at(int(self._hub.wall_s()))
                rollup.timeouts += isinstance(error, PoolTimeoutError)
                rollup.wait.record(wait_s)
            context = current.get()
            if context is not None and context.hub is self._hub and not context.done:
                context.waits.append(wait_s)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not hide the real one
            self._hub.fault(fault)

    def came_back(self, record: Any) -> None:
        """Take note that a connection is about to return: before it does, so that no peak passes the bound."""
        hub = self._hub
        try:
            hold: _Hold | None = record.record_info.pop(_INFO_KEY, None)
            if hold is None:
                return
            held_s = hub.monotonic_s() - hold.start_s
            with self._lock:
                rollup = self._at(int(hub.wall_s()))
                self._holds.discard(hold)
                rollup.hold.record(held_s)
            if hold.leaked:
                logger.warning(
                    "pool %s: the connection taken at %s came back after %.1f s",
                    self.name,
                    describe(hold.site),
                    held_s,
                )
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not keep the connection out
            hub.fault(fault)

    def _on_connect(self, dbapi_connection: Any, record: Any) -> None:  # noqa: ARG002  # SQLAlchemy's signature
        if threading.get_ident() in self._pinging:
            return
        with self._lock:
            self._at(int(self._hub.wall_s())).created += 1

    def _on_invalidate(self, dbapi_connection: Any, record: Any, error: Any) -> None:  # noqa: ARG002  # SQLAlchemy's
        with self._lock:
            self._at(int(self._hub.wall_s())).invalidated += 1

    def _on_checkout(self, dbapi_connection: Any, record: Any, proxy: Any) -> None:  # noqa: ARG002  # SQLAlchemy's
        self.waiting()
        self.got(proxy, 0.0)

    def _on_checkin(self, dbapi_connection: Any, record: Any) -> None:  # noqa: ARG002  # SQLAlchemy's signature
        self.came_back(record)

    def _at(self, second: int) -> PoolRollup:
        """Return the rollup of this second; the one before goes to the recorder. Call with the lock held."""
        if second != self._second:
            if not self._rollup.empty:
                self._hub.recorder.pool(self.name, self._second, self._rollup)
            self._second = second
            self._rollup = PoolRollup()
            self._rollup.peak = len(self._holds)
        return self._rollup

    # ---- what the flusher and the answers ask for

    def flush(self) -> None:
        """Hand everything seen so far to the recorder."""
        with self._lock:
            rollup = self._at(int(self._hub.wall_s()))
            if not rollup.empty:
                self._hub.recorder.pool(self.name, self._second, rollup)
            self._rollup = PoolRollup()
            self._rollup.peak = len(self._holds)

    def find_leaks(self) -> None:
        """Warn, once each, of connections held for longer than the threshold."""
        threshold_s = self._hub.settings.leak_threshold_s
        now_s = self._hub.monotonic_s()
        with self._lock:
            leaks = [one for one in self._holds if not one.leaked and now_s - one.start_s > threshold_s]
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
        with self._lock:
            holds = sorted(self._holds, key=lambda hold: hold.start_s)
            waiting = self._waiting
        size, max_overflow = _bounds(pool)
        return PoolState(
            engine=self.name,
            pool_class=type(pool).__name__,
            size=size,
            max_overflow=max_overflow,
            checked_out=len(holds),
            overflow=max(0, pool.overflow()) if isinstance(pool, QueuePool) else 0,
            waiting=waiting,
            holders=[self._holder(hold, now_s) for hold in holds[:_MAX_HOLDERS]],
        )

    def _holder(self, hold: _Hold, now_s: float) -> Holder:
        context = hold.context
        route = None
        if context is not None:
            # Routing has happened by the time anybody holds a connection; mounts are named once it is over.
            route = context.route or route_template(context.scope, context.root_path)
        return Holder(
            engine=self.name,
            since_s=hold.time_s,
            held_s=now_s - hold.start_s,
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
        capture.waiting()
        start_s = clock()
        try:
            fairy = base.connect(self)
        except BaseException as error:
            capture.failed(error, clock() - start_s)
            raise
        capture.got(fairy, clock() - start_s)
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
