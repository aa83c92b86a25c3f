"""
The store, read from outside: of a running service, of a stopped one, or a copied file.

Nothing is written, not even the mark of a reader: a report must not count as a worker of the service.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec

from monitoring import tables
from monitoring.errors import MonitoringError, explain
from monitoring.model import PoolState, WorkerState
from monitoring.rollup import Limits
from monitoring.slot import Slot
from monitoring.tables import ALIVE_S, SCHEMA_VERSION
from monitoring.tiers import Piece, plan

QUIET_S = 300.0
"""A shorter stretch without a request is not worth a word [s]."""
_BUSY_TIMEOUT_S = 5.0
_STATE = msgspec.msgpack.Decoder(WorkerState)

# As many keys as the store itself tells apart at most: what was told apart when it was written stays so here.
_LIMITS = Limits(routes=10_000, agents=100_000, statements=10_000)


class StoredFigures:
    """
    A store, opened for reading.

    Args:
        path: the file.

    Raises:
        MonitoringError: there is none, it can't be read, it is none of ours, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        """Rollups that could not be read."""
        if not path.is_file():
            raise MonitoringError(
                explain(
                    "store", str(path), fault="no such file", remedy="--store FILE, or --logs DIR of the service"
                )
            )
        try:
            self._db = _open(path)
        except sqlite3.Error as error:
            raise MonitoringError(explain("store", str(path), fault=f"can't be read ({error})")) from error
        try:
            self._look()
        except BaseException:
            self._db.close()
            raise

    def _look(self) -> None:
        """Find out what the file holds at all."""
        with self._reporting():
            version = tables.version_of(self._db)
            if version > SCHEMA_VERSION:
                raise MonitoringError(
                    explain(
                        "store",
                        str(self.path),
                        fault="written by a newer version of this library",
                        got=f"schema {version}",
                        need=f"at most {SCHEMA_VERSION}",
                        remedy="the version that the service has installed",
                    )
                )
            self._held = tables.held(self._db)
            first_s, last_s = tables.first_s(self._db), tables.last_s(self._db)
        kept_s = min((tier.start_s for tier in self._held), default=0)
        self.first_s: float | None = None if first_s is None else max(first_s, float(kept_s))
        """First instant that it tells of [s since the epoch]; None for none."""
        self.last_s: float | None = last_s
        """Last one: when a worker was last heard of, or the end of its newest rollup; None for none."""

    def read(self, since_s: float, until_s: float) -> tuple[Slot, float, float]:
        """
        Merge everything between two instants.

        Args:
            since_s: first one wanted [s since the epoch].
            until_s: last one.

        Returns:
            The rollups, and between which instants they really lie: never outside of what the store tells of.
        """
        slot = Slot(_LIMITS)
        with self._reporting():
            pieces = plan(int(since_s), int(-(-until_s // 1)), self._held) if self._held else []
            for piece in pieces:
                for (content,) in tables.contents(self._db, piece):
                    self._add(slot, content)
        if not pieces or self.first_s is None or self.last_s is None:
            return slot, since_s, since_s
        first_s = max(float(pieces[0].start_s), self.first_s)
        return slot, first_s, max(first_s, min(float(pieces[-1].end_s), self.last_s))

    def _add(self, slot: Slot, content: bytes) -> None:
        try:
            slot.merge_packed(content)
        except msgspec.MsgspecError:
            self.damaged += 1

    def quiet(self, since_s: float, until_s: float) -> list[tuple[float, float]]:
        """
        Return the stretches of a window in which nothing was recorded, `QUIET_S` or longer, in order of time.

        The service was down then, or nobody asked it for anything: the rollups don't tell which.

        Args:
            since_s: first instant [s since the epoch].
            until_s: last one.
        """
        if self.first_s is None or self.last_s is None or not self._held:
            return []
        found: list[tuple[float, float]] = []
        at_s, end_s = max(since_s, self.first_s), min(until_s, self.last_s)
        with self._reporting():
            for piece in self._narrow(int(since_s), int(-(-until_s // 1))):
                rows = self._db.execute(
                    "SELECT DISTINCT start_s FROM slots WHERE width_s = ? AND start_s >= ? AND start_s < ?"
                    " ORDER BY start_s",
                    (piece.width_s, piece.start_s, piece.end_s),
                )
                for (start_s,) in rows:
                    if start_s - at_s >= QUIET_S:
                        found.append((at_s, float(start_s)))
                    at_s = max(at_s, float(start_s + piece.width_s))
        if end_s - at_s >= QUIET_S:
            found.append((at_s, end_s))
        return found

    def _narrow(self, since_s: int, until_s: int) -> list[Piece]:
        """Plan with rollups narrower than `QUIET_S`, as far back as there are any: an hour's hides its gaps."""
        narrow = [tier for tier in self._held if tier.width_s < QUIET_S]
        from_s = min((tier.start_s for tier in narrow), default=until_s)
        before = plan(since_s, min(from_s, until_s), self._held)
        return before + (plan(max(since_s, from_s), until_s, narrow) if narrow else [])

    def finest_s(self, since_s: float) -> int:
        """Return the width of the finest rollups that are still there from `since_s` [s since the epoch] on."""
        return min((tier.width_s for tier in self._held if tier.start_s <= since_s), default=3600)

    def pools(self) -> list[PoolState]:
        """Return the pools of the workers that were alive when the service was last heard of."""
        with self._reporting():
            rows = self._db.execute(
                "SELECT state FROM workers WHERE seen_s > (SELECT max(seen_s) FROM workers) - ?", (ALIVE_S,)
            ).fetchall()
        states: list[WorkerState] = []
        for (state,) in rows:
            with contextlib.suppress(msgspec.MsgspecError):  # a worker that has not yet said anything
                states.append(_STATE.decode(state))
        return [pool for state in states for pool in state.pools]

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # SQLite keeps what is new beside the file until it is closed; a copy needs both.
            remedy = "copying its '-wal' file too" if "no such table" in str(error) else None
            raise MonitoringError(
                explain("store", str(self.path), fault=f"can't be read ({error})", remedy=remedy)
            ) from error

    def close(self) -> None:
        """Let the file go."""
        self._db.close()


def _open(path: Path) -> sqlite3.Connection:
    """
    Open for reading.

    Where there is no write-ahead log nobody is writing, and the file is read as it lies: SQLite would otherwise
    leave a log of its own beside it, which a service under another user could not open.
    """
    name = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        return sqlite3.connect(f"{name}&immutable=1", uri=True)
    try:
        connection = sqlite3.connect(name, uri=True, timeout=_BUSY_TIMEOUT_S)
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        # A copy in a folder that can't be written: no place for SQLite's shared memory.
        return sqlite3.connect(f"{name}&immutable=1", uri=True)
    return connection
