"""
Opening a service's store, and what becomes of one that can't be read.

Such a file is moved aside, never overwritten, and a new one is begun. Several workers may find it at once: the
renaming is done under a lock on the file itself, and only by whoever still finds the same file under its name.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
import time
from pathlib import Path

from monitoring.clock import Clock
from monitoring.process import Identity, identity_of
from monitoring.rollup import Limits
from monitoring.store import Store
from monitoring.tables import NewerSchemaError

logger = logging.getLogger("monitoring")


def open_store(path: Path, *, clock: Clock, limits: Limits, started_s: float | None = None) -> Store:
    """
    Open the store of a service; one that can't be read is moved aside.

    Args:
        path: its file.
        clock: where the time comes from.
        limits: how many keys are told apart.
        started_s: when this worker began, where it did before [s since the epoch].

    Raises:
        OSError: the folder can't be written.
        sqlite3.Error: nor can the file.
        NewerSchemaError: a newer version of this library makes it anew each time it is moved aside.
    """
    found = identity_of(path)
    try:
        return Store(path, clock=clock, limits=limits, started_s=started_s)
    except sqlite3.OperationalError:
        raise
    except (sqlite3.DatabaseError, NewerSchemaError) as error:
        move_aside(path, str(error), found=found, clock=clock)
        return Store(path, clock=clock, limits=limits, started_s=started_s)


def move_aside(path: Path, why: str, *, found: Identity | None, clock: Clock) -> None:
    """
    Give a store that can't be read another name, and say so.

    Args:
        path: its file.
        why: what is wrong with it.
        found: which file that was said of; another one by this name is left alone.
        clock: where the time in the new name comes from.

    Raises:
        OSError: it can't be renamed.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return  # another worker was faster
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if found is None or identity_of(path) != found:
            return  # another worker was faster, and has begun a new one
        aside = _free_name(path, clock)
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    finally:
        os.close(file)
    logger.warning("monitoring: store '%s' can't be read (%s); moved to '%s', begun anew", path, why, aside)


def _free_name(path: Path, clock: Clock) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(clock.wall_s()))
    name, number = f"{path.name}.unreadable-{stamp}", 1
    aside = path.with_name(name)
    while aside.exists():
        number += 1
        aside = path.with_name(f"{name}-{number}")
    return aside
