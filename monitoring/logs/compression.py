"""A rotated log file turned into gzip, a slice at a time, so that no thread is needed and no line waits for it."""

import os
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

GZIP_SUFFIX: Final = ".gz"
GZIP_WINDOW_BITS: Final = 31
"""What tells zlib that its data is gzip."""

_SLICE_BYTES: Final = 1 << 20  # about 20 ms
_LEVEL: Final = 6
_TEMPORARY_SUFFIX: Final = ".gz.tmp"
_ABANDONED_AFTER_S: Final = 3600.0


class Compression:
    """
    The making of one ``.gz``: under a temporary name beside the log, put in place when it is whole.

    Args:
        source: the rotated file, which nobody appends to any more.
        log: path of the current log file.

    Raises:
        OSError: the source can't be read or the folder can't be written.
    """

    def __init__(self, source: Path, *, log: Path) -> None:
        _remove_abandoned(log)
        self.whole = False
        """Whether everything is compressed."""
        self._source = source.open("rb", buffering=0)
        self._temporary = log.with_name(f".{log.name}.{os.getpid()}.{time.monotonic_ns()}{_TEMPORARY_SUFFIX}")
        self._status = os.fstat(self._source.fileno())
        try:
            self._target = self._temporary.open("xb", buffering=0)
        except OSError:
            self._source.close()
            raise
        # Not gzip.GzipFile: one that is given up in the middle still wants to write its end when it is collected.
        self._packer = zlib.compressobj(_LEVEL, wbits=GZIP_WINDOW_BITS)

    def step(self) -> bool:
        """
        Compress one slice.

        Returns:
            Whether the whole file is compressed.

        Raises:
            OSError: the disk is full, or either file can't be used any more.
        """
        slice_ = self._source.read(_SLICE_BYTES)
        if slice_:
            self._write(self._packer.compress(slice_))
            return False
        self._write(self._packer.flush())
        self._target.close()
        # The time of the last line, as the file itself had it: tools that go by age still do.
        os.utime(self._temporary, ns=(self._status.st_atime_ns, self._status.st_mtime_ns))
        self._temporary.chmod(self._status.st_mode & 0o777)
        self.whole = True
        return True

    def put_in_place(self, candidates: Iterable[Path]) -> None:
        """
        Replace the source by what was made of it, under whichever name it has by now.

        To be called under the log's lock, which keeps names from moving. A source that has been rotated out, or
        that has grown all the same, is left alone.

        Args:
            candidates: the names it may have.

        Raises:
            OSError: the folder can't be written.
        """
        for path in candidates:
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if (status.st_ino, status.st_dev) != (self._status.st_ino, self._status.st_dev):
                continue
            if status.st_size == self._status.st_size:
                # In this order: after a crash in between there are both, and readers take the uncompressed one.
                self._temporary.replace(path.with_name(path.name + GZIP_SUFFIX))
                path.unlink()
            break
        self.discard()

    def discard(self) -> None:
        """Close both files and remove the temporary."""
        self.forget()
        self._temporary.unlink(missing_ok=True)

    def forget(self) -> None:
        """Close both files and leave the temporary to the process that made it (after a fork)."""
        self._source.close()
        self._target.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:  # a file without a buffer may take less than it is given
            view = view[self._target.write(view) :]


def _remove_abandoned(log: Path) -> None:
    """Remove temporaries of processes that were killed while compressing."""
    for path in log.parent.glob(f".{log.name}.*{_TEMPORARY_SUFFIX}"):
        try:
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                path.unlink()
        except FileNotFoundError:
            continue  # another process was first
