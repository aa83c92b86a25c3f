"""
The way back in: rows of a window from the current, rotated and gzipped files, oldest file first.

Only what `monitoring.logs.lines` writes as JSON is read. Everything else is counted, never guessed at: lines of
the ``text`` form as `Coverage.text_lines`, and what is torn, corrupt or another tool's as `Coverage.bad_lines`.

A file that lies outside the window by its first and last line is not read. That is right because lines stand in
the order of their times, up to `DISORDER_S`.
"""

import contextlib
import re
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from monitoring.logs.files import LogFile, open_together
from monitoring.logs.lines import Instant

DISORDER_S: Final = 3600.0
"""How far a line may stand from its place in time: the writers' batches, a disk that hung, a clock set back."""

_LONGEST_LINE_BYTES: Final = 1 << 20
# Within what `datetime` can hold by more than the disorder, so that it can be added and taken away.
_EARLIEST: Final = datetime(2, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9998, 1, 1, tzinfo=UTC)
_TEXT_LINE = re.compile(rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z( ([^\s"]+|"([^"\\]|\\.)*")){2} \w+=')


class LogRow(msgspec.Struct, frozen=True, gc=False):
    """
    What is read of a line of ``master-backend.log``: a request when `status` is known, else a logged message.

    Fields are those of `monitoring.logs.lines.RequestLine` and `LogLine`; the others are skipped, which is what
    makes reading quick.
    """

    time: Instant
    level: str
    logger: str
    method: str | None = None
    route: str | None = None
    status: int | None = None
    duration_ms: float | None = None
    agent: str | None = None
    exception: str | None = None
    message: str | None = None


class QueryRow(msgspec.Struct, frozen=True, gc=False):
    """What is read of a line of ``database-queries.log``: fields of `monitoring.logs.lines.QueryLine`."""

    time: Instant
    level: str
    logger: str
    statement: str
    duration_ms: float
    rows: int | None = None
    slow: bool = False
    route: str | None = None
    exception: str | None = None


Row = TypeVar("Row", LogRow, QueryRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    What the files really held.

    Args:
        held_since: earliest line found at the beginning of any file, inside the window or not; None for no line.
        held_until: latest line found at the end of any file; None for no line.
        files_read: files that were read.
        files_skipped: files that lie outside the window.
        bytes_read: read from disk, before decompression [bytes].
        lines: non-empty lines read, of any kind.
        rows: lines within the window.
        bad_lines: torn, corrupt or another tool's.
        text_lines: written in the ``text`` form, which is for people and not read back.
        damaged: ``name: reason`` for each file that couldn't be read to its end.
    """

    held_since: datetime | None = None
    held_until: datetime | None = None
    files_read: int = 0
    files_skipped: int = 0
    bytes_read: int = 0
    lines: int = 0
    rows: int = 0
    bad_lines: int = 0
    text_lines: int = 0
    damaged: tuple[str, ...] = ()

    def held_ratio(self, since: datetime, until: datetime) -> float | None:
        """
        Return the part of a window between the first and the last line held, 0..1.

        Args:
            since: begin of the window, aware.
            until: its end, aware.

        Returns:
            None for an empty window.
        """
        length_s = (until - since).total_seconds()
        if length_s <= 0:
            return None
        if self.held_since is None or self.held_until is None:
            return 0.0
        held_s = (min(until, self.held_until) - max(since, self.held_since)).total_seconds()
        return max(0.0, held_s) / length_s


class LogReading(Generic[Row]):
    """
    One pass over the files of one log. Iterate it once, to its end, then ask for the `coverage`.

    It yields lists of rows: a fold over lists costs less than one over single rows.

    Args:
        path: the current file, such as ``logs/master-backend.log``; it and any rotated one may be missing.
        row: `LogRow` or `QueryRow`.
        since: earliest time wanted, aware, inclusive; None for no bound.
        until: latest time wanted, aware, inclusive; None for no bound.
        sleep: waits the given seconds.

    Raises:
        ValueError: a bound without a time zone.
    """

    def __init__(
        self,
        path: Path,
        row: type[Row],
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        for name, bound in (("since", since), ("until", until)):
            if bound is not None and bound.tzinfo is None:
                raise ValueError(f"{name}: no time zone, got {bound.isoformat()}, need an aware time")
        self.bytes_total = 0
        """On disk, of the files to be read; known from the first list on [bytes]."""
        self.bytes_done = 0
        """Of these, read so far [bytes]."""
        self._path = path
        self._since = max(since or _EARLIEST, _EARLIEST)
        self._until = min(until or _LATEST, _LATEST)
        self._sleep = sleep
        self._decoder: msgspec.json.Decoder[Row] = msgspec.json.Decoder(row)
        self._ends: list[datetime] = []
        self._files_read = self._files_skipped = 0
        self._lines = self._rows = self._bad_lines = self._text_lines = 0
        self._damaged: list[str] = []

    @property
    def coverage(self) -> Coverage:
        """What has been found so far."""
        return Coverage(
            held_since=min(self._ends, default=None),
            held_until=max(self._ends, default=None),
            files_read=self._files_read,
            files_skipped=self._files_skipped,
            bytes_read=self.bytes_done,
            lines=self._lines,
            rows=self._rows,
            bad_lines=self._bad_lines,
            text_lines=self._text_lines,
            damaged=tuple(self._damaged),
        )

    def __iter__(self) -> Iterator[list[Row]]:
        with contextlib.ExitStack() as stack:
            files, unreadable = open_together(self._path, stack, sleep=self._sleep)
            self._damaged += unreadable
            wanted = self._select(files)
            self.bytes_total = sum(file.size for file in wanted)
            for file in wanted:
                yield from self._read(file)

    def _select(self, files: list[LogFile]) -> list[LogFile]:
        slack = timedelta(seconds=DISORDER_S)
        wanted: list[LogFile] = []
        next_first: datetime | None = None
        for file in reversed(files):
            first, last = self._peek(file)
            self._ends += [end for end in (first, last) if end is not None]
            # The end of a compressed file is known only by decompressing it; the next file began when it ended.
            last = last or next_first
            if (first is not None and first > self._until + slack) or (
                last is not None and last < self._since - slack
            ):
                self._files_skipped += 1
            else:
                wanted.append(file)
            next_first = first or next_first
        return wanted[::-1]

    def _peek(self, file: LogFile) -> tuple[datetime | None, datetime | None]:
        """Return the times of a file's first and last readable line, as far as one chunk shows them."""
        try:
            head = next(file.chunks(), b"")
            tail = b"" if file.compressed else file.tail()
        except (OSError, zlib.error, EOFError):
            return None, None  # said when it is read
        return _first_time(head.split(b"\n")), _first_time(reversed(tail.split(b"\n")))

    def _read(self, file: LogFile) -> Iterator[list[Row]]:
        self._files_read += 1
        done_before = self.bytes_done
        carry = b""
        latest: datetime | None = None
        try:
            for chunk in file.chunks():
                self.bytes_done = done_before + file.position
                cut = chunk.rfind(b"\n") + 1
                if not cut:
                    carry = self._without_monster(carry + chunk)
                    continue
                rows = self._decode(carry + chunk[:cut])
                carry = chunk[cut:]
                if rows:
                    latest = rows[-1].time
                yield from self._within(rows)
        except OSError as fault:
            self._damaged.append(f"{file.path.name}: {fault.strerror or fault}")
        except (zlib.error, EOFError) as fault:
            self._damaged.append(f"{file.path.name}: {fault}")
        rows = self._decode(carry)
        if rows:
            latest = rows[-1].time
        yield from self._within(rows)
        if latest is not None:
            self._ends.append(latest)

    def _without_monster(self, carry: bytes) -> bytes:
        """Give up a line longer than any of ours: zeros left by a crash, or no log at all."""
        if len(carry) <= _LONGEST_LINE_BYTES:
            return carry
        # What is left of it at the next newline is no line either, and is counted in its stead.
        return b"\0"

    def _decode(self, data: bytes) -> list[Row]:
        if not data:
            return []
        try:
            rows = self._decoder.decode_lines(data)
        except (ValueError, RecursionError):
            rows = self._decode_one_by_one(data)
        else:
            self._lines += len(rows)
        return rows

    def _decode_one_by_one(self, data: bytes) -> list[Row]:
        rows: list[Row] = []
        for line in data.split(b"\n"):
            if not line.strip():
                continue
            self._lines += 1
            try:
                rows.append(self._decoder.decode(line))
            except (ValueError, RecursionError):
                if _TEXT_LINE.match(line):
                    self._text_lines += 1
                else:
                    self._bad_lines += 1
        return rows

    def _within(self, rows: list[Row]) -> Iterator[list[Row]]:
        since, until = self._since, self._until
        rows = [row for row in rows if since <= row.time <= until]
        if rows:
            self._rows += len(rows)
            yield rows


class _Stamp(msgspec.Struct, gc=False):
    time: Instant
    level: str
    logger: str


_stamp = msgspec.json.Decoder(_Stamp).decode


def _first_time(lines: Iterable[bytes]) -> datetime | None:
    for line in lines:
        try:
            return _stamp(line).time
        except (ValueError, RecursionError):
            continue
    return None
