"""One monitored service: hooks in front, store and log files behind, and the thread that moves figures along."""

import atexit
import contextlib
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from monitoring.capture.hub import Hub, logger
from monitoring.capture.pool import PoolCapture
from monitoring.capture.queries import QueryCapture
from monitoring.clock import Clock, SystemClock
from monitoring.logfiles import LogFiles
from monitoring.metrics import Recorder
from monitoring.model import WorkerState
from monitoring.rollup import Limits
from monitoring.settings import Settings
from monitoring.store import NewerSchemaError, Store

EMPTY_EVERY_S = 0.25
"""How often what the hooks saw is recorded."""
_TURNS_A_FLUSH = 4
"""Every so many times it goes to the store: once a second."""

_STATE = msgspec.msgpack.Encoder()


class Monitor:
    """
    Everything that one `instrument` call sets up.

    Nothing is opened and no thread runs before the service handles its first message: an application may be
    imported, instrumented and then forked.

    Args:
        settings: what was chosen.
        engines: the engines to watch, by name.
        clock: where the time comes from.
    """

    def __init__(
        self, settings: Settings, engines: Sequence[tuple[str, Engine]], *, clock: Clock | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock if clock is not None else SystemClock()
        self.limits = Limits(
            routes=settings.max_routes, agents=settings.max_agents, statements=settings.max_statements
        )
        self.hub = Hub(settings, clock=self.clock, recorder=self._new_recorder())
        self.pools = [PoolCapture(engine, name, self.hub) for name, engine in engines]
        self._queries = [QueryCapture(engine, name, self.hub) for name, engine in engines]
        self._files = LogFiles(settings)
        self._files.connect(self.hub)
        self._start_lock = threading.Lock()
        self._flush_lock = threading.RLock()
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._dropped = 0
        self._in_memory_for_want = False
        self.store_trouble: str | None = None
        """Why figures are kept in memory although settings want them on disk; None when all is well."""
        self._started_s: float | None = None
        me = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _after_fork(me))

    def _new_recorder(self) -> Recorder:
        return Recorder(
            clock=self.clock,
            limits=self.limits,
            slow_query_s=self.settings.slow_query_s,
            n_plus_one_queries=self.settings.n_plus_one_queries,
        )

    # ---- life

    def install(self) -> None:
        """Put the hooks on the engines."""
        for query in self._queries:
            query.install()
        for pool in self.pools:
            pool.install()
        self._files.install()

    def remove(self) -> None:
        """Take the hooks off again and stop."""
        for query in self._queries:
            query.remove()
        for pool in self.pools:
            pool.remove()
        self.close()
        self._files.remove()

    def ensure_started(self) -> None:
        """Open the store and start the flusher, once; cheap ever after."""
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is not None:
                return
            self._stop.clear()
            self._started_s = self.clock.monotonic_s()
            self.store()
            thread = threading.Thread(target=self._run, name="monitoring-flush", daemon=True)
            thread.start()
            self._thread = thread
            self.hub.started = True
            atexit.register(self.close)

    def store(self) -> Store:
        """Return the store, opened when it is not: on disk, or in memory when the disk can't be used."""
        with self._flush_lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def _open_store(self) -> Store:
        if self.settings.store:
            path = self.settings.store_path
            try:
                return open_store(path, clock=self.clock, limits=self.limits)
            except (OSError, sqlite3.Error) as error:
                self._in_memory_for_want = True
                self.store_trouble = f"{path}: {error}"
                logger.warning(
                    "monitoring: store '%s' can't be used (%s); figures stay in memory, for this process alone",
                    path,
                    error,
                )
        return Store(None, clock=self.clock, limits=self.limits)

    def close(self) -> None:
        """Write everything out and stop; used again, it starts again."""
        with self._start_lock:
            thread, self._thread = self._thread, None
            self.hub.started = False
        if thread is not None:
            self._stop.set()
            thread.join(timeout=5)
            atexit.unregister(self.close)
        with self._flush_lock:
            if self._store is not None:
                try:
                    self.flush()
                    self._store.end()
                except sqlite3.Error as error:
                    self.hub.fault(error)
                self._store.close()
                self._store = None
        self._files.flush()

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(EMPTY_EVERY_S):
            turn += 1
            try:
                self.hub.empty()
                if turn % _TURNS_A_FLUSH == 0:
                    self.flush()
                    for pool in self.pools:
                        pool.find_leaks()
                    self.store().roll_up()
            except Exception as error:  # noqa: BLE001  # the thread has to live as long as the service
                self.hub.fault(error)

    # ---- figures

    def flush(self) -> None:
        """Move everything recorded so far to the store; what can't be stored is kept for the next time."""
        with self._flush_lock:
            self.hub.empty()
            for pool in self.pools:
                pool.flush()
            slots = self.hub.recorder.take()
            packed = [(second, slot.pack()) for second, slot in slots]
            try:
                self._living_store().append(packed, state=_STATE.encode(self.state()))
            except sqlite3.Error as error:
                self._dropped += self.hub.recorder.put_back(slots)
                self._note_trouble(error)
            else:
                if not self._in_memory_for_want:
                    self.store_trouble = None

    def _living_store(self) -> Store:
        """Return the store; begin anew when somebody has taken its file away."""
        store = self.store()
        if store.path is not None and not store.path.exists():
            logger.warning("monitoring: store '%s' has gone, begun anew", store.path)
            self._drop_store()
            store = self.store()
        return store

    def _note_trouble(self, error: sqlite3.Error) -> None:
        store = self._store
        if store is None or store.path is None:
            self.hub.fault(error)
            return
        if self.store_trouble is None:
            logger.warning(
                "monitoring: store '%s' can't be written (%s); figures wait in memory", store.path, error
            )
        self.store_trouble = f"{store.path}: {error}"
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            # Not busy, not full: damaged. Opening it again moves it aside.
            self._drop_store()
            move_aside(store.path, str(error), clock=self.clock)

    def _drop_store(self) -> None:
        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()
            self._store = None

    def state(self) -> WorkerState:
        """Return what this worker says about itself."""
        return WorkerState(
            pools=[pool.state() for pool in self.pools],
            faults=self.hub.faults,
            last_fault=self.hub.last_fault,
            dropped=self._dropped + self._files.dropped,
        )

    @property
    def uptime_s(self) -> float:
        """Time since the first message [s]."""
        return self.clock.monotonic_s() - self._started_s if self._started_s is not None else 0.0

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """Hold the store, with everything recorded so far in it."""
        with self._flush_lock:
            self.flush()
            yield self.store()

    def reset_after_fork(self) -> None:
        """Begin anew in a child process: locks, threads and connections of the parent are of no use."""
        self._start_lock = threading.Lock()
        self._flush_lock = threading.RLock()
        self._stop = threading.Event()
        # Not closed: its locks on the file are the parent's.
        self._store = None
        self._thread = None
        self.hub.recorder = self._new_recorder()
        self.hub.started = False
        self.hub.begin_anew()
        for pool in self.pools:
            pool.reset_after_fork()


def _after_fork(reference: "weakref.ref[Monitor]") -> None:
    monitor = reference()
    if monitor is not None:
        monitor.reset_after_fork()


def open_store(path: Path, *, clock: Clock, limits: Limits) -> Store:
    """
    Open the store of a service; one that can't be read is moved aside, never overwritten.

    Args:
        path: its file.
        clock: where the time comes from.
        limits: how many keys are told apart.

    Raises:
        OSError: the folder can't be written.
        sqlite3.Error: nor can the file.
    """
    try:
        return Store(path, clock=clock, limits=limits)
    except sqlite3.OperationalError:
        raise
    except (sqlite3.DatabaseError, NewerSchemaError) as error:
        move_aside(path, str(error), clock=clock)
        return Store(path, clock=clock, limits=limits)


def move_aside(path: Path, why: str, *, clock: Clock) -> None:
    """
    Give a store that can't be read another name, and say so.

    Args:
        path: its file.
        why: what is wrong with it.
        clock: where the time in the new name comes from.

    Raises:
        OSError: it can't be renamed.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.wall_s()))
    aside = path.with_name(f"{path.name}.unreadable-{stamp}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return  # another worker was faster
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    logger.warning("monitoring: store '%s' can't be read (%s); moved to '%s', begun anew", path, why, aside)
