"""
Records to a file, one JSON line each, while the agents poll.

A line is encoded when it is handed in and written with its neighbours: by the owner's timer (every half second),
or when the buffer is full. So a killed process loses at most what the timer had not yet written, the event loop is
held up only for a copy into the page cache, and the file is a row of whole lines with at most one torn at its end.
"""

import os
from pathlib import Path

import msgspec

from harness.errors import HarnessError
from harness.rundir import cannot_write

FLUSH_INTERVAL_S = 0.5
"""How often the owner of a writer is to call `LineWriter.flush` [s]."""

_BUFFER_BYTES = 1 << 18


class LineWriter:
    """
    An append-only file of records.

    A fault on the way (a full disk above all) is kept in `fault` and ends the writing for good: what had reached
    the file stays, cut back to its last whole line. Nothing is raised after the constructor, because the callers
    are agents in the middle of a poll; the owner looks at `fault` after a flush.

    Args:
        path: the file, which must not exist yet.

    Raises:
        HarnessError: the file exists or can't be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: HarnessError | None = None
        """Why the writing ended early; None while all is well."""
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()
        self._whole_bytes = 0
        try:
            self._handle: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        except OSError as fault:
            raise cannot_write(path, fault) from fault

    def append(self, record: object) -> None:
        """
        Put a record of `harness.model` at the end of the file, soon.

        Args:
            record: anything msgspec encodes; a histogram is none of those.
        """
        if self._handle is None or self.fault is not None:
            return
        buffer = self._buffer
        self._encoder.encode_into(record, buffer, -1)
        buffer += b"\n"
        if len(buffer) >= _BUFFER_BYTES:
            self.flush()

    def append_lines(self, lines: bytes) -> None:
        """
        Put lines that are encoded already at the end of the file, soon.

        Args:
            lines: whole ones, each with its end.
        """
        if self._handle is None or self.fault is not None:
            return
        self._buffer += lines
        if len(self._buffer) >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting; look at `fault` afterwards."""
        handle = self._handle
        if handle is None or not self._buffer or self.fault is not None:
            return
        waiting, self._buffer = self._buffer, bytearray()
        written = 0
        try:
            while written < len(waiting):
                written += os.write(handle, memoryview(waiting)[written:])
            self._whole_bytes += len(waiting)
        except OSError as fault:
            self._whole_bytes += waiting.rfind(b"\n", 0, written) + 1
            self.fault = cannot_write(self.path, fault)
            os.ftruncate(handle, self._whole_bytes)

    def close(self) -> None:
        """Write what is waiting and close the file; an empty one is removed. Closing twice is harmless."""
        self.flush()
        handle, self._handle = self._handle, None
        if handle is None:
            return
        os.close(handle)
        if self._whole_bytes == 0:
            self.path.unlink(missing_ok=True)
