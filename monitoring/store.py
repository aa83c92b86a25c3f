"""
The store: rollups on disk, shared by all workers of a service, kept over restarts.

One SQLite file in WAL mode. Every worker appends the slots of its last second in one short transaction, so a
``kill -9`` loses at most that second. Rows are only ever added, and merged when read: two workers, a late worker
and a clock that stepped back need no special case. Now and then one worker rolls finished seconds up into coarser
slots (see `monitoring.tiers`) and removes what has outlived its tier.

A *run* of the service lasts from its first worker to its last: a worker that starts while another is alive joins
its run, and "since start" means since the start of the run.
"""

import contextlib
import itertools
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from monitoring import tables
from monitoring.clock import Clock
from monitoring.process import Process, identity_of
from monitoring.rollup import Limits
from monitoring.slot import Slot
from monitoring.tables import ALIVE_S, SCHEMA, SCHEMA_VERSION, NewerSchemaError
from monitoring.tiers import TIERS, Piece, plan

GRACE_S = 5
"""A slot is rolled up only when it is this old, so that slow workers still get theirs in [s]."""

_BUSY_TIMEOUT_S = 2.0
_LATE_ROLLUP_S = 10.0
_FAR_S = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """
    A process that serves the run.

    Args:
        id: its number in the store.
        pid: its process id.
        started_s: when it began [s since the epoch].
        seen_s: when it last wrote [s since the epoch].
        state: what it last said about itself, packed.
    """

    id: int
    pid: int
    started_s: float
    seen_s: float
    state: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    What the store holds of a stretch of time.

    Args:
        slot: everything in it, merged.
        since_s: first instant covered [s since the epoch].
        until_s: last one.
        resolution_s: width of the finest slots read.
    """

    slot: Slot
    since_s: float
    until_s: float
    resolution_s: float


class Store:
    """
    The rollups of one service. Safe to use from several threads; one object a process.

    Args:
        path: the file; None keeps everything in memory, for this process alone.
        clock: where the time comes from.
        limits: how many keys are told apart in what is read and rolled up.
        process: who writes; for tests.
        started_s: when this worker began, where it did before it opens this [s since the epoch].

    Raises:
        sqlite3.Error: the file can't be opened or is no store of ours.
        OSError: its folder can't be made.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        clock: Clock,
        limits: Limits,
        process: Process | None = None,
        started_s: float | None = None,
    ) -> None:
        self.path = path
        self.unreadable = 0
        """Rows that could not be decoded and were left out."""
        self._process = process if process is not None else Process()
        self._clock = clock
        self._limits = limits
        self._lock = threading.RLock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Statements may tell a stranger more than the service wants: as private as the log files. One that is
            # there is not opened: closing it again would take SQLite's locks away from others in this process.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640))
        self.identity = identity_of(path) if path is not None else None
        """Which file it is; None in memory."""
        self._db = sqlite3.connect(
            ":memory:" if path is None else path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._prepare()
            self.run_id, self.run_started_s, self.worker_id = self._join(started_s)
        except BaseException:
            self._db.close()
            raise
        self._rolled_up_s = clock.monotonic_s()
        self._total: tuple[Slot, int] | None = None

    def _prepare(self) -> None:
        version = tables.version_of(self._db)
        if version > SCHEMA_VERSION:
            raise NewerSchemaError(version)
        self._db.execute("PRAGMA journal_mode = WAL")
        # A power cut may cost the last moments; a killed process costs nothing.
        self._db.execute("PRAGMA synchronous = NORMAL")
        if version < SCHEMA_VERSION:
            with self._transaction():
                for statement in SCHEMA.split(";"):
                    self._db.execute(statement)
                now = int(self._clock.wall_s())
                for tier in TIERS:
                    begin = now - now % tier.width_s
                    self._db.execute("INSERT OR IGNORE INTO tiers VALUES (?, 0, ?, 0)", (tier.width_s, begin))
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _join(self, begun_s: float | None) -> tuple[int, float, int]:
        """Join the run of the workers that are alive, or begin one."""
        now = self._clock.wall_s()
        begun_s = now if begun_s is None else begun_s
        with self._transaction():
            # A predecessor with our own process id (the first process of a container) is no longer there.
            alive = [row for row in self._recent_workers() if row[2:4] != (self._process.pid, self._process.host)]
            run_id: int | None = max((row[1] for row in alive), default=None)
            if run_id is None:
                run_id = self._db.execute("INSERT INTO runs (started_s) VALUES (?)", (begun_s,)).lastrowid
            started_s = self._db.execute("SELECT started_s FROM runs WHERE id = ?", (run_id,)).fetchone()[0]
            worker_id = self._db.execute(
                "INSERT INTO workers (run_id, pid, host, started_s, seen_s, state) VALUES (?, ?, ?, ?, ?, ?)",
                (run_id, self._process.pid, self._process.host, begun_s, now, b""),
            ).lastrowid
        if run_id is None or worker_id is None:
            raise sqlite3.DatabaseError("no id for the new row")
        return int(run_id), float(started_s), worker_id

    def _recent_workers(self, own: int | None = None) -> list[tuple[int, int, int, str, float, float, bytes]]:
        """
        Return the workers that have been heard of lately and, as far as can be told, still run.

        Args:
            own: id of this worker, which runs even when a full disk keeps it from saying so.
        """
        rows = self._db.execute(
            "SELECT id, run_id, pid, host, started_s, seen_s, state FROM workers"
            " WHERE (NOT ended AND abs(? - seen_s) < ?) OR id = ? ORDER BY id",
            (self._clock.wall_s(), ALIVE_S, own),
        ).fetchall()
        # Process ids of another host (or container) say nothing here; the time has to do.
        return [row for row in rows if row[3] != self._process.host or self._process.is_alive(row[2])]

    # ---- writing

    def append(self, slots: Sequence[tuple[int, bytes]], *, state: bytes) -> None:
        """
        Add what this worker has seen, and say that it lives.

        Args:
            slots: ``(second, packed slot)``; several of one second are fine.
            state: what the worker says about itself.

        Raises:
            sqlite3.Error: nothing was added.
        """
        now = self._clock.wall_s()
        with self._lock, self._transaction():
            self._db.execute("UPDATE workers SET seen_s = ?, state = ? WHERE id = ?", (now, state, self.worker_id))
            if slots:
                self._insert(slots)

    def _insert(self, slots: Sequence[tuple[int, bytes]]) -> None:
        ends = dict(self._db.execute("SELECT width_s, end_s FROM tiers").fetchall())
        rows = [row for second, content in slots for row in self._rows(second, content, ends)]
        self._db.executemany("INSERT INTO slots (width_s, start_s, run_id, content) VALUES (?, ?, ?, ?)", rows)

    def _rows(self, second: int, content: bytes, ends: dict[int, int]) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield the row of a second, and one for every coarser slot that was rolled up without it."""
        for tier in TIERS:
            if tier.width_s == 1 or second < ends[tier.width_s]:
                yield tier.width_s, second - second % tier.width_s, self.run_id, content

    def adopt(self, other: "Store") -> None:
        """
        Add everything that another store of this service holds: what it kept in memory for want of a disk.

        What is left of `other` only in coarse slots is added as if it had happened at their start. The next
        roll-up removes it from the finer tiers, as they keep nothing that old.

        Args:
            other: the store in memory.

        Raises:
            sqlite3.Error: nothing was added.
        """
        whole = other._whole()  # same class
        with self._lock, self._transaction():
            self._db.execute(
                "UPDATE runs SET started_s = min(started_s, ?) WHERE id = ?", (other.run_started_s, self.run_id)
            )
            self._insert(whole)
        self.run_started_s = min(self.run_started_s, other.run_started_s)

    def _whole(self) -> list[tuple[int, bytes]]:
        """Return everything held as ``(start, packed slot)``, each second once, as fine as it is still there."""
        rows: list[tuple[int, bytes]] = []
        with self._lock:
            starts = dict(self._db.execute("SELECT width_s, start_s FROM tiers").fetchall())
            until = _FAR_S
            for tier, coarser in zip(TIERS, (*TIERS[1:], None), strict=True):
                # From where whole coarser slots end: these are complete up to there.
                begin = -_FAR_S if coarser is None else starts[tier.width_s]
                begin += -begin % coarser.width_s if coarser is not None else 0
                rows += self._db.execute(
                    "SELECT start_s, content FROM slots WHERE width_s = ? AND start_s >= ? AND start_s < ?",
                    (tier.width_s, begin, until),
                )
                until = begin
        return rows

    def end(self) -> None:
        """Say that this worker has stopped."""
        with self._lock, self._transaction():
            self._db.execute("UPDATE workers SET ended = 1 WHERE id = ?", (self.worker_id,))

    def roll_up(self, *, force: bool = False) -> None:
        """
        Make coarser slots of finished fine ones and remove what is too old; cheap when it is not yet time.

        Args:
            force: do it now; otherwise about every ten seconds, over all workers.
        """
        if not force and self._clock.monotonic_s() - self._rolled_up_s < _LATE_ROLLUP_S:
            return
        self._rolled_up_s = self._clock.monotonic_s()
        now = int(self._clock.wall_s())
        with self._lock, self._transaction():
            ends = dict(self._db.execute("SELECT width_s, end_s FROM tiers").fetchall())
            for fine, coarse in itertools.pairwise(TIERS):
                # A tier is complete only up to where the one below it is.
                limit = now - GRACE_S if fine.width_s == 1 else ends[fine.width_s]
                end = limit - limit % coarse.width_s
                if end > ends[coarse.width_s]:
                    self._roll_up_tier(fine.width_s, coarse.width_s, ends[coarse.width_s], end)
                    ends[coarse.width_s] = end
            for tier, coarser in zip(TIERS, (*TIERS[1:], None), strict=True):
                before = now - tier.keep_s
                if coarser is not None:
                    # Never remove what has not been rolled up yet: the service may have been down for long.
                    before = min(before, ends[coarser.width_s])
                self._remove(tier.width_s, before - before % tier.width_s)
            self._db.execute("DELETE FROM workers WHERE seen_s < ?", (now - 86400,))

    def _roll_up_tier(self, fine_s: int, coarse_s: int, begin_s: int, end_s: int) -> None:
        rows = self._db.execute(
            "SELECT start_s - start_s % ?, run_id, content FROM slots"
            " WHERE width_s = ? AND start_s >= ? AND start_s < ?",
            (coarse_s, fine_s, begin_s, end_s),
        )
        coarse: dict[tuple[int, int], Slot] = {}
        for start_s, run_id, content in rows:
            slot = coarse.get((start_s, run_id))
            if slot is None:
                slot = coarse[start_s, run_id] = Slot(self._limits)
            self._merge_into(slot, [(content,)])
        self._db.executemany(
            "INSERT INTO slots (width_s, start_s, run_id, content) VALUES (?, ?, ?, ?)",
            [(coarse_s, start_s, run_id, slot.pack()) for (start_s, run_id), slot in coarse.items()],
        )
        self._db.execute("UPDATE tiers SET end_s = ? WHERE width_s = ?", (end_s, coarse_s))

    def _remove(self, width_s: int, before_s: int) -> None:
        old = "FROM slots WHERE width_s = ? AND start_s < ?"
        last_id = self._db.execute(f"SELECT max(id) {old}", (width_s, before_s)).fetchone()[0]
        if last_id is not None:
            self._db.execute(f"DELETE {old}", (width_s, before_s))
            self._db.execute(
                "UPDATE tiers SET removed_id = max(removed_id, ?) WHERE width_s = ?", (last_id, width_s)
            )
        self._db.execute("UPDATE tiers SET start_s = max(start_s, ?) WHERE width_s = ?", (before_s, width_s))

    # ---- reading

    def read(self, since_s: float, until_s: float) -> Reading:
        """
        Merge everything between two instants, all workers and runs.

        Args:
            since_s: first instant wanted [s since the epoch]; rounded down to a whole second, or to the width of
                the finest slots that are still there.
            until_s: last one, rounded up.
        """
        first, end = int(since_s), int(-(-until_s // 1))
        with self._lock, self._transaction("DEFERRED"):
            pieces = plan(first, end, tables.held(self._db))
            slot = self._merge(pieces)
        if not pieces:
            return Reading(slot=slot, since_s=since_s, until_s=until_s, resolution_s=float(TIERS[0].width_s))
        return Reading(
            slot=slot,
            since_s=float(pieces[0].start_s),
            until_s=float(pieces[-1].end_s),
            resolution_s=float(min(piece.width_s for piece in pieces)),
        )

    def read_run(self) -> Slot:
        """
        Merge everything of the run that this worker belongs to. The result is the store's own: don't change it.

        The sum is kept, and each call adds only the rows that have come since.
        """
        with self._lock, self._transaction("DEFERRED"):
            kept = self._total
            last_id = self._db.execute("SELECT coalesce(max(id), 0) FROM slots").fetchone()[0]
            removed_id = self._db.execute("SELECT removed_id FROM tiers WHERE width_s = 1").fetchone()[0]
            if kept is not None and removed_id <= kept[1]:
                slot = kept[0]
                self._add(slot, "id > ? AND width_s = 1", (kept[1],))
            else:
                slot = self._rebuild_run()
            self._total = (slot, last_id)
            return slot

    def _rebuild_run(self) -> Slot:
        """
        Sum the run up from the coarsest slots that are complete.

        Every second before a tier's end is in that tier, late ones too, so going by the ends alone is exact
        whatever the clock did.
        """
        slot = Slot(self._limits)
        after = -_FAR_S
        for width_s, end_s in self._db.execute(
            "SELECT width_s, end_s FROM tiers ORDER BY width_s DESC"
        ).fetchall():
            end = _FAR_S if width_s == 1 else end_s
            self._add(slot, "width_s = ? AND start_s >= ? AND start_s < ?", (width_s, after, end))
            after = end
        return slot

    def _add(self, slot: Slot, where: str, values: tuple[int, ...]) -> None:
        rows = self._db.execute(
            f"SELECT content FROM slots WHERE {where} AND run_id = ?",  # noqa: S608  # constants of this class
            (*values, self.run_id),
        )
        self._merge_into(slot, rows)

    def workers(self) -> list[Worker]:
        """Return the workers of this run that are alive, this one included."""
        with self._lock:
            rows = self._recent_workers(self.worker_id)
        return [
            Worker(id=id_, pid=pid, started_s=started_s, seen_s=seen_s, state=state)
            for id_, run_id, pid, _, started_s, seen_s, state in rows
            if run_id == self.run_id
        ]

    def first_s(self) -> float:
        """Return the first instant known [s since the epoch]: before the first run's start after a step back."""
        with self._lock:
            first_s = tables.first_s(self._db)
        return self.run_started_s if first_s is None else first_s

    def _merge(self, pieces: Sequence[Piece]) -> Slot:
        slot = Slot(self._limits)
        for piece in pieces:
            self._merge_into(slot, tables.contents(self._db, piece))
        return slot

    def _merge_into(self, slot: Slot, rows: Iterable[tuple[bytes]]) -> None:
        for (content,) in rows:
            try:
                slot.merge_packed(content)
            except msgspec.MsgspecError:
                # One damaged row must not cost the rest of a month; it is counted and shown.
                self.unreadable += 1

    # ---- life

    @property
    def in_place(self) -> bool:
        """Whether its name still leads to it: nobody has removed or replaced the file."""
        if self.path is None:
            return True
        try:
            return identity_of(self.path) == self.identity
        except OSError:
            return True  # it can't be looked at: writing will tell

    @contextlib.contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # After some errors (a full disk) SQLite has rolled back by itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file. The store can't be used afterwards."""
        with self._lock:
            self._db.close()
