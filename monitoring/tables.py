"""
The tables of the store: what stands in them, and the questions that its owner and a reader from outside both ask.

``slots`` holds packed rollups, several of one second where several workers or a late one wrote; ``tiers`` says of
each width from where on it is still there and up to where it is complete; ``runs`` and ``workers`` say who wrote.
"""

import sqlite3
from collections.abc import Iterable

from monitoring.tiers import TIERS, Held, Piece

SCHEMA_VERSION = 1
"""Kept in SQLite's ``user_version``. A newer one is moved aside, never touched."""

ALIVE_S = 10.0
"""A worker that has not been heard of for this long is taken for dead [s]."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, started_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS workers (
  id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL, pid INTEGER NOT NULL, host TEXT NOT NULL,
  started_s REAL NOT NULL, seen_s REAL NOT NULL, ended INTEGER NOT NULL DEFAULT 0, state BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS slots (
  id INTEGER PRIMARY KEY AUTOINCREMENT, width_s INTEGER NOT NULL, start_s INTEGER NOT NULL,
  run_id INTEGER NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS idx_slots_width_start ON slots (width_s, start_s);
CREATE TABLE IF NOT EXISTS tiers (
  width_s INTEGER PRIMARY KEY, start_s INTEGER NOT NULL, end_s INTEGER NOT NULL, removed_id INTEGER NOT NULL);
"""


class NewerSchemaError(Exception):
    """The file was written by a newer version of this library."""

    def __init__(self, version: int) -> None:
        super().__init__(f"schema version {version}, this library knows {SCHEMA_VERSION}")


def version_of(db: sqlite3.Connection) -> int:
    """Return the version of the tables; 0 of an empty file."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def held(db: sqlite3.Connection) -> list[Held]:
    """Return what each tier holds at the moment, from fine to coarse."""
    rows = db.execute("SELECT width_s, start_s, end_s FROM tiers ORDER BY width_s").fetchall()
    return [
        Held(width_s=width_s, start_s=start_s, end_s=None if width_s == 1 else end_s)
        for width_s, start_s, end_s in rows
    ]


def contents(db: sqlite3.Connection, piece: Piece) -> Iterable[tuple[bytes]]:
    """Return the packed slots of a piece, one a row."""
    return db.execute(
        "SELECT content FROM slots WHERE width_s = ? AND start_s >= ? AND start_s < ?",
        (piece.width_s, piece.start_s, piece.end_s),
    )


def first_s(db: sqlite3.Connection) -> float | None:
    """
    Return the first instant known [s since the epoch]: before the first run's start after a step back.

    None when there was no run yet.
    """
    first: float | None = db.execute("SELECT min(started_s) FROM runs").fetchone()[0]
    if first is None:
        return None
    for tier in TIERS:
        earliest = db.execute("SELECT min(start_s) FROM slots WHERE width_s = ?", (tier.width_s,)).fetchone()[0]
        # The slot that a run begins in starts before it, and says nothing of what was then.
        if earliest is not None and earliest + tier.width_s <= first:
            first = float(earliest)
    return first


def last_s(db: sqlite3.Connection) -> float | None:
    """
    Return the last instant known [s since the epoch]: after a step back later than a worker was last heard of.

    None when there is neither a worker nor a slot.
    """
    seen: float | None = db.execute("SELECT max(seen_s) FROM workers").fetchone()[0]
    latest = db.execute(
        "SELECT start_s, width_s FROM slots ORDER BY start_s + width_s DESC, width_s LIMIT 1"
    ).fetchone()
    if latest is None:
        return seen
    start_s, width_s = latest
    # The second that a worker was last heard of in is not over.
    return seen if seen is not None and start_s <= seen else float(start_s + width_s)
