"""
The files of one log, opened together for reading.

They are opened under the writers' lock, so that a rotation in the middle neither hides a file nor shows one twice,
and each is read to the size it had then, which ends with a whole line. A reader holds the lock only for as long as
opening takes, and reads on when it can't have it.
"""

import contextlib
import fcntl
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from monitoring.logs.compression import GZIP_SUFFIX, GZIP_WINDOW_BITS

CHUNK_BYTES: Final = 1 << 17
"""Most that is read, or comes out of decompression, at once."""

_LOCK_PATIENCE_S: Final = 1.0
_PAUSE_S: Final = 0.001
_ATTEMPTS: Final = 200
"""Writers that rotate as fast as they can may do so between any two looks; a few times in a row is no rarity."""


@dataclass(slots=True, kw_only=True)
class LogFile:
    """
    One open file.

    Args:
        path: where it was found.
        raw: the open file, unbuffered.
        size: when it was opened; nothing beyond is read [bytes].
        identity: device and inode.
        position: how far it has been read [bytes].
    """

    path: Path
    raw: FileIO
    size: int = 0
    identity: tuple[int, int] = (0, 0)
    position: int = 0

    def measure(self) -> None:
        """Take size and identity as they are now."""
        status = os.fstat(self.raw.fileno())
        self.size = status.st_size
        self.identity = (status.st_dev, status.st_ino)

    def is_at(self, path: Path) -> bool:
        """Tell whether `path` leads to this file now."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    @property
    def compressed(self) -> bool:
        """Whether it is gzip."""
        return self.path.suffix == GZIP_SUFFIX

    def chunks(self) -> Iterator[bytes]:
        """
        Yield the content from the beginning, decompressed, in pieces of at most `CHUNK_BYTES`.

        Raises:
            OSError: it can't be read any further.
            zlib.error: its compressed data is corrupt.
            EOFError: its compressed data is cut off.
        """
        self.raw.seek(0)
        self.position = 0
        return self._inflated() if self.compressed else self._plain()

    def tail(self) -> bytes:
        """Return the last `CHUNK_BYTES` as they are on disk."""
        start = max(0, self.size - CHUNK_BYTES)
        return os.pread(self.raw.fileno(), self.size - start, start)

    def _plain(self) -> Iterator[bytes]:
        while chunk := self.raw.read(min(CHUNK_BYTES, self.size - self.position)):
            self.position += len(chunk)
            yield chunk

    def _inflated(self) -> Iterator[bytes]:
        inflater = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
        for chunk in self._plain():
            packed = chunk
            while packed:
                if inflater.eof:  # another member follows, as `cat a.gz b.gz` makes them
                    inflater = zlib.decompressobj(wbits=GZIP_WINDOW_BITS)
                yield inflater.decompress(packed, CHUNK_BYTES)
                packed = inflater.unconsumed_tail or inflater.unused_data
        yield inflater.flush()
        if not inflater.eof:
            raise EOFError("ends in the middle of its compressed data")


def open_together(
    path: Path, stack: contextlib.ExitStack, *, sleep: Callable[[float], None]
) -> tuple[list[LogFile], list[str]]:
    """
    Open every file of a log at one instant between two rotations.

    Args:
        path: the current file; it and any rotated one may be missing.
        stack: closes them.
        sleep: waits the given seconds.

    Returns:
        The files, oldest first, and ``name: reason`` of each that can't be opened.
    """
    unreadable: list[str] = []
    current, locked = _open_current(path, stack, unreadable, sleep)
    opened: list[LogFile | None] = []
    try:
        for _ in range(_ATTEMPTS):
            opened = [_open(rotated, stack, unreadable) for rotated in rotated_files(path)]
            if None not in opened or unreadable:
                break
            # Gone between being listed and opened: compressed meanwhile, which waits for no lock. Look again.
    except OSError as fault:
        unreadable.append(f"{path.parent}: {fault.strerror or fault}")
    if locked and current is not None:
        # No writer is in the middle of a line now, so this size ends with a whole one.
        current.measure()
        fcntl.flock(current.raw, fcntl.LOCK_UN)
    files = [file for file in (*opened, current) if file is not None]
    # Where the lock couldn't be had, a rotation may have shown the same file under two names.
    return list({file.identity: file for file in files}.values()), unreadable


def rotated_files(path: Path) -> list[Path]:
    """
    Return the rotated files of a log that exist, oldest first.

    Args:
        path: the current file.

    Returns:
        ``<name>.<number>`` or ``<name>.<number>.gz``, highest number first; where both exist (a process was killed
        between making the one and removing the other) the uncompressed one.

    Raises:
        OSError: the folder can't be listed.
    """
    name = re.compile(re.escape(path.name) + r"\.(\d+)(\.gz)?")
    found: dict[int, Path] = {}
    if path.parent.is_dir():
        for entry in path.parent.iterdir():
            match = name.fullmatch(entry.name)
            if match and (match[2] is None or int(match[1]) not in found):
                found[int(match[1])] = entry
    return [found[number] for number in sorted(found, reverse=True)]


def size_on_disk(path: Path) -> int:
    """Return the size of all files of a log together, of those that can be seen [bytes]."""
    try:
        paths = [*rotated_files(path), path]
    except OSError:
        return 0
    total = 0
    for one in paths:
        with contextlib.suppress(OSError):  # not there, or moved on: this is for a progress bar
            total += one.stat().st_size
    return total


def _open_current(
    path: Path, stack: contextlib.ExitStack, unreadable: list[str], sleep: Callable[[float], None]
) -> tuple[LogFile | None, bool]:
    """Open and lock the current file, again if it is rotated in between; tell whether it is locked."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(_PAUSE_S)
        file = _open(path, stack, unreadable)
        if file is None and not unreadable:
            continue  # not there, or not for the microseconds between a rotation and the next line
        if file is None or not _lock(file, sleep):
            return file, False
        if file.is_at(path):
            return file, True
        fcntl.flock(file.raw, fcntl.LOCK_UN)
    return None, False


def _lock(file: LogFile, sleep: Callable[[float], None]) -> bool:
    waited_s = 0.0
    while waited_s < _LOCK_PATIENCE_S:
        try:
            fcntl.flock(file.raw, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            # A writer holds it for some microseconds; a stopped one for longer than we care to wait.
            sleep(_PAUSE_S)
            waited_s += _PAUSE_S
        except OSError:
            return False  # a file system without locks
        else:
            return True
    return False


def _open(path: Path, stack: contextlib.ExitStack, unreadable: list[str]) -> LogFile | None:
    try:
        file = LogFile(path=path, raw=stack.enter_context(path.open("rb", buffering=0)))
        file.measure()
    except FileNotFoundError:
        return None
    except OSError as fault:
        unreadable.append(f"{path.name}: {fault.strerror or fault}")
        return None
    return file
