"""
A log file that several processes append to and rotate together, with nothing lost and nothing torn.

Every append is one ``write`` to a descriptor opened with ``O_APPEND``, made under an exclusive `flock` on the
file itself. Under the lock the path is looked up again: when it no longer leads to the locked file, another
process has rotated, and the new file is opened and locked instead. So a file that has been renamed to ``.1``
never grows again, the size limit is kept exactly, and rotation needs no lock file and no leader. The kernel lets
go of a killed process's lock.

The newest rotated file is ``<name>.1``, the oldest ``<name>.<backups>``, as `logging.handlers` names them.
"""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from monitoring.logs.compression import GZIP_SUFFIX, Compression

LOCK_PATIENCE_S: Final = 1.0
"""How long a file that another process has locked is waited for; normally that takes microseconds."""

_LOCK_PAUSE_S: Final = 0.0005
_PROBE: Final = b"\n" * 4096
"""More than what is left of a file's last block: on a full disk that much still fits."""
_CLOCK_LAG_S: Final = 0.1
_MODE: Final = 0o640


class RotatingFile:
    """
    The shared file. Of one thread at a time; it neither buffers nor waits longer than `LOCK_PATIENCE_S`.

    Args:
        path: the current file; its folder is made when it isn't there.
        max_bytes: a file is rotated before it would outgrow this [bytes, ≥ 1]; a single longer line gets a file of
            its own.
        backups: rotated files that are kept [≥ 0].
        max_age_s: a file is rotated when its last line was written in an earlier period, where periods are this
            long and counted from the Unix epoch (so 86,400 rotates at midnight UTC); None for by size only
            [s, > 0].
        compress: whether rotated files become ``.gz``.
        clock: wall clock [s since the Unix epoch].
        sleep: waits the given seconds.

    Raises:
        ValueError: a limit out of its range.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        backups: int,
        max_age_s: float | None,
        compress: bool,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if max_bytes < 1:
            raise ValueError(f"max_bytes: out of range, got {max_bytes}, need 1 or more")
        if backups < 0:
            raise ValueError(f"backups: out of range, got {backups}, need 0 or more")
        if max_age_s is not None and not 0 < max_age_s < float("inf"):
            raise ValueError(f"max_age_s: out of range, got {max_age_s}, need more than 0, or None")
        self.path = path
        self.rotation_fault: OSError | None = None
        """Why the last rotation failed; lines go on into the file that should have been rotated."""
        self.compression_fault: OSError | None = None
        """Why the last compression failed; the rotated file stays as it is."""
        self._max_bytes = max_bytes
        self._backups = backups
        self._max_age_s = max_age_s
        self._compress = compress
        self._clock = clock
        self._sleep = sleep
        self._fd: int | None = None
        self._end: int | None = None  # size of the open file after our last append
        self._aged_period: int | None = None  # period in which this process rotated by age
        self._compression: Compression | None = None

    def append(self, data: bytes) -> tuple[int, OSError | None]:
        """
        Append whole lines.

        Args:
            data: lines, each with its newline.

        Returns:
            How much of `data` stands in the file, always whole lines [bytes], and what kept the rest out: None
            when nothing did.
        """
        done = 0
        try:
            while done < len(data):
                fd, locked = self._acquire()
                try:
                    written, fault = self._append_some(fd, data[done:] if done else data, locked=locked)
                finally:
                    if self._fd == fd:
                        fcntl.flock(fd, fcntl.LOCK_UN)
                done += written
                if fault is not None:
                    return done, fault
        except OSError as fault:
            return done, fault
        return done, None

    def can_append(self) -> bool:
        """Tell whether lines could be appended now; what is written for it is taken back under the same lock."""
        try:
            fd, locked = self._acquire()
            try:
                before = os.fstat(fd)
                if not locked or not stat.S_ISREG(before.st_mode):  # what a pipe has taken can't be taken back
                    return False
                try:
                    return os.write(fd, _PROBE) == len(_PROBE)
                finally:
                    os.ftruncate(fd, before.st_size)
                    # Rotation by age goes by it.
                    os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
        except OSError:
            return False  # as the last append has said already

    @property
    def compressing(self) -> bool:
        """Whether `compress_some` has work to do."""
        return self._compression is not None

    def compress_some(self) -> None:
        """Compress a slice of the file rotated last (some milliseconds), and put it in place when it is whole."""
        if self._compression is None:
            return
        try:
            if not self._compression.whole and not self._compression.step():
                return
            fd, locked = self._acquire()
            try:
                if locked:
                    self._compression.put_in_place(self._rotated_names())
                    self._compression = None
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
            self.compression_fault = None
        except OSError as fault:
            self.compression_fault = fault
            self.abandon_compression()

    def abandon_compression(self) -> None:
        """Leave the rotated file uncompressed and remove what had been made of it."""
        if self._compression is not None:
            compression, self._compression = self._compression, None
            # A folder that can't be written keeps the temporary; it is removed when it is old.
            with contextlib.suppress(OSError):
                compression.discard()

    def close(self) -> None:
        """Close the descriptor (the next append opens it again)."""
        # Forgotten before it is closed: a fork in between must not close another file's number.
        fd, self._fd, self._end = self._fd, None, None
        if fd is not None:
            os.close(fd)

    def forget(self) -> None:
        """
        Drop what a forked child has inherited, before it appends anything.

        A descriptor shared with the parent would share the parent's lock too.
        """
        self.close()
        if self._compression is not None:
            compression, self._compression = self._compression, None
            compression.forget()

    def _acquire(self) -> tuple[int, bool]:
        """Return a descriptor that the path leads to, and whether it is locked."""
        while True:
            fd = self._fd
            if fd is None:
                fd = self._fd = self._open()
            locked = self._lock(fd)
            here = os.fstat(fd)
            try:
                there = os.stat(self.path)  # noqa: PTH116  # a third of Path.stat's price, once a batch
            except FileNotFoundError:
                there = None
            if there is not None and (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev):
                return fd, locked
            self.close()

    def _open(self) -> int:
        # Readable too: the last byte is looked at. Python makes it non-inheritable, so programs started by the
        # service don't hold the lock.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self.path, flags, _MODE)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, flags, _MODE)

    def _lock(self, fd: int) -> bool:
        waited_s = 0.0
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Its holder was stopped or its disk hangs. An append without the lock is still whole (O_APPEND);
                # only rotation has to wait for the lock.
                if waited_s >= LOCK_PATIENCE_S:
                    return False
                self._sleep(_LOCK_PAUSE_S)
                waited_s += _LOCK_PAUSE_S
            else:
                return True

    def _append_some(self, fd: int, data: bytes, *, locked: bool) -> tuple[int, OSError | None]:
        """Append as many of the lines as the file has room for; none when it was rotated instead."""
        status = os.fstat(fd)
        size = status.st_size
        torn = size > 0 and size != self._end and os.pread(fd, 1, size - 1) != b"\n"
        room = self._max_bytes - size - torn
        if len(data) > room or self._max_age_s is not None:
            cut = data.rfind(b"\n", 0, max(room, 0)) + 1
            full = cut == 0 and size > 0
            if locked and size > 0 and (full or self._is_aged(status.st_mtime)) and self._rotate():
                return 0, None
            if full:  # and could not be rotated: better an outgrown file than a lost line
                cut = len(data)
            elif cut == 0:  # one line longer than a whole file
                cut = data.find(b"\n") + 1 or len(data)
            data = data[:cut]
        # A process killed in the middle of a write leaves half a line: it is ended, so that ours stays whole.
        written, fault = self._write(fd, b"\n" + data if torn else data, size, locked=locked)
        return max(written - torn, 0), fault

    def _write(self, fd: int, data: bytes, size: int, *, locked: bool) -> tuple[int, OSError | None]:
        done = 0
        try:
            done = os.write(fd, data)
            while done < len(data):  # a full disk takes what fits and fails at the next attempt
                done += os.write(fd, data[done:])
        except OSError as fault:
            whole = data.rfind(b"\n", 0, done) + 1
            if locked and done > whole and os.fstat(fd).st_size == size + done:
                os.ftruncate(fd, size + whole)
            self._end = None
            return whole, fault
        self._end = size + done if locked else None
        return done, None

    def _is_aged(self, written_s: float) -> bool:
        if self._max_age_s is None:
            return False
        period = int(self._clock() // self._max_age_s)
        # Once a period and process, whatever the file's time says: a file server's clock may lag behind ours. And
        # the kernel stamps files with the last tick of a coarse clock, a few milliseconds before now.
        if period == self._aged_period or (written_s + _CLOCK_LAG_S) // self._max_age_s >= period:
            return False
        self._aged_period = period
        return True

    def _rotate(self) -> bool:
        """Move every file up by one; under the lock of the current one. The first free number takes the move."""
        try:
            if self._backups == 0:
                self.path.unlink()
            else:
                self._shift()
                os.replace(self.path, self._rotated(1))  # noqa: PTH105  # beside its siblings below
        except OSError as fault:
            self.rotation_fault = fault
            return False
        self.rotation_fault = None
        if self._compress and self._backups > 0:
            self.abandon_compression()
            try:
                self._compression = Compression(self._rotated(1), log=self.path)
            except OSError as fault:
                self.compression_fault = fault
        self.close()
        return True

    def _shift(self) -> None:
        free = 1
        while free < self._backups and any(self._rotated(free, suffix).exists() for suffix in ("", GZIP_SUFFIX)):
            free += 1
        for suffix in ("", GZIP_SUFFIX):
            self._rotated(free, suffix).unlink(missing_ok=True)
        for number in range(free - 1, 0, -1):
            for suffix in ("", GZIP_SUFFIX):
                source = self._rotated(number, suffix)
                if source.exists():
                    source.replace(self._rotated(number + 1, suffix))

    def _rotated(self, number: int, suffix: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{suffix}")

    def _rotated_names(self) -> list[Path]:
        return [self._rotated(number) for number in range(1, self._backups + 1)]
