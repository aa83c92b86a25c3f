"""One monitored service: hooks in front, store and log files behind, and the thread that moves figures along."""

import atexit
import contextlib
import os
import sqlite3
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine

from monitoring.capture.hub import Hub, logger
from monitoring.capture.pool import PoolCapture
from monitoring.capture.queries import QueryCapture
from monitoring.clock import Clock, SystemClock
from monitoring.logfiles import LogFiles
from monitoring.metrics import Recorder
from monitoring.model import WorkerState
from monitoring.opening import move_aside, open_store
from monitoring.rollup import Limits, encodable
from monitoring.settings import Settings
from monitoring.slot import Slot
from monitoring.store import Store
from monitoring.tables import NewerSchemaError

EMPTY_EVERY_S = 0.25
"""How often what the hooks saw is recorded."""
_TURNS_A_FLUSH = 4
_FORK_PATIENCE_S = 5.0
"""Every so many times it goes to the store: once a second."""
RETRY_STORE_S = 10.0
"""How often a store that could not be opened is tried again."""

_STATE = msgspec.msgpack.Encoder()

MARK = "_monitoring"
"""Attribute of an engine that is watched."""


class Monitor:
    """
    Everything that one `instrument` call sets up.

    Nothing is opened and no thread runs before the service handles its first message or sends its first statement:
    an application may be imported, instrumented and then forked.

    Args:
        settings: what was chosen.
        engines: the engines to watch, by name.
        clock: where the time comes from.
        owner: the application; when it is garbage (a test suite makes one for each test), the monitor ends by
            itself. None for one that lives until it is removed.
    """

    def __init__(
        self,
        settings: Settings,
        engines: Sequence[tuple[str, Engine]],
        *,
        clock: Clock | None = None,
        owner: object = None,
    ) -> None:
        self.settings = settings
        self._owner = weakref.ref(owner) if owner is not None else None
        self.clock = clock if clock is not None else SystemClock()
        self.limits = Limits(
            routes=settings.max_routes, agents=settings.max_agents, statements=settings.max_statements
        )
        self.hub = Hub(settings, clock=self.clock, recorder=self._new_recorder())
        self.hub.start = self.ensure_started
        self.pools = [PoolCapture(engine, name, self.hub) for name, engine in engines]
        self._queries = [QueryCapture(engine, name, self.hub) for name, engine in engines]
        self._files = LogFiles(settings)
        self._files.connect(self.hub)
        self._start_lock = threading.Lock()
        self._flush_lock = threading.RLock()
        self._turn_lock = threading.RLock()
        """Held by the flusher while it is at work; taken before `_flush_lock`."""
        self._held_to_fork: list[Any] = []
        self._store: Store | None = None
        self._inherited: Store | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._removed = False
        self._closed_for_good = False
        self._exiting = False
        self._finalizer: Any = None
        self._dropped = 0
        self._retry_store_at_s = 0.0
        self.store_trouble: str | None = None
        """Why figures are kept in memory although settings want them on disk; None when all is well."""
        self._started_s: float | None = None
        self._begun_s: float | None = None
        """The wall clock's time at the start, until the store that is opened next knows it [s since the epoch]."""
        me = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _call(me, Monitor.prepare_to_fork),
            after_in_parent=lambda: _call(me, Monitor.resume_after_fork),
            after_in_child=lambda: _call(me, Monitor.reset_after_fork),
        )

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
            setattr(pool.engine, MARK, True)
        self._files.install()

    def remove(self) -> None:
        """Take the hooks off again and stop for good: a request that is still on its way starts nothing."""
        self._removed = True
        for query in self._queries:
            query.remove()
        for pool in self.pools:
            pool.remove()
            pool.engine.__dict__.pop(MARK, None)
        self.close()
        self._files.remove()

    def ensure_started(self) -> bool:
        """
        Start the flusher, once; cheap ever after. Tells whether: not once it is removed.

        It waits for no disk, as this is called on event loops: the flusher's own thread opens the store.
        """
        if self._exiting:
            self.hub.help()  # what other exit handlers send has its lines; no thread can be started any more
        elif self._thread is None:
            self._start()
        return not self._removed

    def _start(self) -> None:
        # Without waiting: a statement may be sent by what the garbage collector runs in the middle of this.
        if not self._start_lock.acquire(blocking=False):
            return
        try:
            if self._thread is not None or self._removed:
                return
            self._stop.clear()
            self._started_s = self.clock.monotonic_s()
            self._begun_s = self.clock.wall_s() if self._store is None else None
            thread = threading.Thread(target=self._run, name="monitoring-flush", daemon=True)
            thread.start()
            self._thread = thread
            self.hub.started = True
            atexit.register(self._end)
            self._finalizer = _before_child_ends(self._end)
        finally:
            self._start_lock.release()

    def store(self) -> Store:
        """Return the store, opened when it is not: on disk, or in memory when the disk can't be used."""
        with self._flush_lock:
            if self._store is None:
                self._store = self._open_store()
                self._begun_s = None
            return self._store

    def _open_store(self) -> Store:
        # An answer that is on its way while the monitor is removed must not open the file again.
        if self.settings.store and not self._closed_for_good:
            path = self.settings.store_path
            try:
                return open_store(path, clock=self.clock, limits=self.limits, started_s=self._begun_s)
            except (OSError, sqlite3.Error, NewerSchemaError) as error:
                self._retry_store_at_s = self.clock.monotonic_s() + RETRY_STORE_S
                self.store_trouble = f"{path}: {error}"
                logger.warning(
                    "monitoring: store '%s' can't be used (%s); figures stay in memory until it can, "
                    "for this process alone",
                    path,
                    error,
                )
        return Store(None, clock=self.clock, limits=self.limits, started_s=self._begun_s)

    @property
    def _in_memory_for_want(self) -> bool:
        return self.settings.store and self._store is not None and self._store.path is None

    def retry_store(self) -> None:
        """Move figures from memory to the disk once it can be used; cheap when it is not yet time to look."""
        memory = self._store
        now_s = self.clock.monotonic_s()
        if memory is None or not self._in_memory_for_want or now_s < self._retry_store_at_s:
            return
        self._retry_store_at_s = now_s + RETRY_STORE_S
        path = self.settings.store_path
        try:
            # Without our lock: opening may wait for another process, and answers shall not wait with it.
            store = open_store(path, clock=self.clock, limits=self.limits)
        except (OSError, sqlite3.Error, NewerSchemaError) as error:
            self.store_trouble = f"{path}: {error}"
            return
        with self._flush_lock:
            if self._store is not memory:  # closed in between
                self._give_up(store)
                return
            try:
                store.adopt(memory)
            except sqlite3.Error as error:
                self.store_trouble = f"{path}: {error}"
                self._give_up(store)
                return
            self._store = store
            self.store_trouble = None
            memory.close()
        logger.warning("monitoring: store '%s' can be used; the figures kept in memory are in it now", path)

    @staticmethod
    def _give_up(store: Store) -> None:
        with contextlib.suppress(sqlite3.Error):  # it was of no use so far either
            store.end()
        store.close()

    def close(self) -> None:
        """Write everything out and stop; used again, it starts again."""
        with self._start_lock:
            thread, self._thread = self._thread, None
            self.hub.started = False
        if thread is not None:
            self._stop.set()
            if thread is not threading.current_thread():
                thread.join(timeout=5)
            atexit.unregister(self._end)
            if self._finalizer is not None:
                self._finalizer.cancel()
        with self._flush_lock:
            if thread is not None or self._store is not None:
                store = self.store()  # a short life may end before its thread has opened it
                try:
                    self.flush()
                    store = self.store()
                    store.end()
                except sqlite3.Error as error:
                    # No fault of ours: a full disk, mostly. Said in one line, as nobody can ask any more.
                    logger.warning(
                        "monitoring: store '%s' can't be written (%s); figures of %d seconds are lost "
                        "with the end of this process",
                        store.path,
                        error,
                        self.hub.recorder.waiting_s,
                    )
                store.close()
                self._store = None
            self._begun_s = None
            self._closed_for_good = self._removed
        self._files.flush()

    def _end(self) -> None:
        """Write everything out, as the process ends."""
        self._exiting = True
        self.close()

    def _run(self) -> None:
        try:
            with self._turn_lock:
                self.store()
        except Exception as error:  # noqa: BLE001  # tried again with the first figures
            self.hub.fault(error)
        turn = 0
        while not self._stop.wait(EMPTY_EVERY_S):
            turn += 1
            try:
                with self._turn_lock:
                    self.hub.empty()
                    if turn % _TURNS_A_FLUSH == 0 and not self._flush_turn():
                        return
            except Exception as error:  # noqa: BLE001  # the thread has to live as long as the service
                self.hub.fault(error)

    def _flush_turn(self) -> bool:
        """Do what is to be done once a second; return whether there will be a next time."""
        if self._owner is not None and self._owner() is None:
            self.remove()
            return False
        self.retry_store()
        self.flush()
        for pool in self.pools:
            pool.find_leaks()
        self.roll_up()
        return True

    # ---- figures

    def flush(self) -> None:
        """Move everything recorded so far to the store; what can't be stored is kept for the next time."""
        with self._flush_lock:
            self.hub.empty()
            for pool in self.pools:
                pool.flush()
            slots = self.hub.recorder.take()
            try:
                self._living_store().append(self._packed(slots), state=self._packed_state())
            except sqlite3.Error as error:
                self._dropped += self.hub.recorder.put_back(slots)
                self._note_trouble(error)
            except BaseException:
                self._dropped += self.hub.recorder.put_back(slots)
                raise
            else:
                if not self._in_memory_for_want:
                    self.store_trouble = None

    def _packed(self, slots: list[tuple[int, Slot]]) -> list[tuple[int, bytes]]:
        """Return the stored form of slots; one that has none is a fault, and taken out: it must cost no other."""
        packed: list[tuple[int, bytes]] = []
        for one in slots.copy():
            second, slot = one
            try:
                packed.append((second, slot.pack()))
            except Exception as error:  # noqa: BLE001  # whatever the application answered with
                slots.remove(one)
                self._dropped += 1
                self.hub.fault(error)
        return packed

    def _packed_state(self) -> bytes:
        """Return what this worker says about itself as the store keeps it; nothing when it can't be said."""
        try:
            return _STATE.encode(self.state())
        except Exception as error:  # noqa: BLE001  # names of files and routes are the application's
            self.hub.fault(error)
            return b""

    def roll_up(self) -> None:
        """Have the store make old figures coarser, when it is time."""
        store = self.store()
        try:
            store.roll_up()
        except sqlite3.OperationalError:
            # Full or busy: tried again in ten seconds. No figure waits for it; those that do, `flush` tells of.
            return
        except sqlite3.DatabaseError as error:
            with self._flush_lock:
                if self._store is store:  # else another thread has dealt with it
                    self._note_trouble(error)

    def _living_store(self) -> Store:
        """Return the store; begin anew when somebody has taken its file away."""
        store = self.store()
        if not store.in_place:
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
            # Where it can't be renamed it can't be opened anew either, and figures stay in memory.
            with contextlib.suppress(OSError):
                move_aside(store.path, str(error), found=store.identity, clock=self.clock)

    def _drop_store(self) -> None:
        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()
            self._store = None

    def state(self) -> WorkerState:
        """Return what this worker says about itself."""
        trouble = self._files.trouble
        return WorkerState(
            pools=[pool.state() for pool in self.pools],
            faults=self.hub.faults,
            last_fault=self.hub.last_fault,
            dropped=self._dropped + self._files.dropped,
            diverted=self._files.diverted,
            log_trouble=encodable(trouble) if trouble is not None else None,
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

    def prepare_to_fork(self) -> None:
        """
        Wait until nobody here is within SQLite, a few seconds at most, and let nobody in.

        SQLite has locks of its own for the whole process. One that a thread of ours holds at the fork would be
        held in the child for ever, and the child's first own use of SQLite would hang.
        """
        for lock in (self._turn_lock, self._flush_lock):
            if lock.acquire(timeout=_FORK_PATIENCE_S):
                self._held_to_fork.append(lock)

    def resume_after_fork(self) -> None:
        """Go on in the process that forked."""
        while self._held_to_fork:
            self._held_to_fork.pop().release()

    def reset_after_fork(self) -> None:
        """Begin anew in a child process: locks, threads and connections of the parent are of no use."""
        self._held_to_fork = []
        self._start_lock = threading.Lock()
        self._flush_lock = threading.RLock()
        self._turn_lock = threading.RLock()
        self._stop = threading.Event()
        # Kept, or it would be closed: its locks on the file are the parent's.
        self._inherited, self._store = self._store, None
        self._thread = None
        self._exiting = False
        self._finalizer = None
        self.hub.recorder = self._new_recorder()
        self.hub.started = False
        self.hub.begin_anew()
        for pool in self.pools:
            pool.reset_after_fork()


def _before_child_ends(end: Callable[[], None]) -> Any:
    """Have something called at the end of a `multiprocessing` child, which leaves without running `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None:
        return None
    # Imported already, by the machinery that runs the child. Before the log files, whose priority is 0.
    return sys.modules["multiprocessing.util"].Finalize(None, end, exitpriority=1)


def _call(reference: "weakref.ref[Monitor]", act: Callable[["Monitor"], None]) -> None:
    monitor = reference()
    if monitor is not None:
        act(monitor)
