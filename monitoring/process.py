"""Who writes into a store, and whether a file is still the one that was opened."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file: what it is, whatever its name."""


def identity_of(path: Path) -> Identity | None:
    """Return which file stands under a name; None for none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of this id on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """
    Who writes.

    Args:
        pid: its process id.
        host: name of the machine or container that the id belongs to.
        is_alive: tells whether another process of this host still runs.
    """

    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=lambda: os.uname().nodename)
    is_alive: Callable[[int], bool] = is_alive
