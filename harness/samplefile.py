"""
A samples file straight into columns: route by route, in chunks, without a million records alive at once.

`harness.rundir.read_samples` gives the same samples one by one, for those who need records.
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase, RawIOBase
from itertools import compress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.columns import Columns, missed_in_order
from harness.errors import HarnessError, explain
from harness.model import PENDING_ROUTE, Sample, SampleHeader, ServerTiming
from harness.rundir import read_header

POLLED = f"GET {PENDING_ROUTE}"
"""Key of the polled route."""

# With its rows about what a processor's second-level cache holds; smaller blocks take more calls.
_CHUNK_BYTES = 1 << 19
_LONGEST_S = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumns:
    """
    What a samples file held, as columns.

    Args:
        header: its first line.
        routes: columns by method and route template, such as ``GET /api/agents``, in order of first appearance.
        torn_lines: lines that were no sample, or one of impossible times; a killed writer leaves at most one.
    """

    header: SampleHeader
    routes: Mapping[str, Columns]
    torn_lines: int

    @property
    def polled(self) -> Columns:
        """The samples of the polled route; empty when there are none."""
        found = self.routes.get(POLLED)
        return ColumnsBuilder().columns() if found is None else found


class _Timing(msgspec.Struct, gc=False):
    handler_s: float
    database_s: float | None = None
    pool_wait_s: float | None = None


_NO_TIMING = _Timing(handler_s=float("nan"))


class SampleRow(msgspec.Struct, gc=False):
    """What of a line of a samples file enters the columns; see `harness.model.Sample`."""

    agent: str
    name: str
    method: str
    intended_start_s: float
    start_s: float
    end_s: float
    status: Annotated[int, msgspec.Meta(ge=0, le=999)] | None
    error: str | None
    bytes_in: Annotated[int, msgspec.Meta(ge=0, le=1 << 53)]
    new_connection: bool | None
    server: _Timing | None = None
    extra: bool = False
    connect_s: float | None = None
    missed_s: tuple[float, ...] = ()


class _Numbers(dict[str, int]):
    """Numbers given out in order of first appearance."""

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        return number


_FORMS = {
    "agent": "q",
    "intended_start_s": "d",
    "start_s": "d",
    "end_s": "d",
    "status": "q",
    "error": "q",
    "bytes_in": "q",
    "new_connection": "q",
    "extra": "?",
    "connect_s": "d",
    "handler_s": "d",
    "database_s": "d",
    "pool_wait_s": "d",
}
"""How a value of each column is packed, as `struct` and numpy both name it."""


class ColumnsBuilder:
    """Collects the samples of one route, some at a time, and makes columns of them."""

    def __init__(self) -> None:
        self._agents = _Numbers()
        self._kinds = _Numbers()
        # Packed and appended: no array has to be put together of parts in the end.
        self._packed = {name: bytearray() for name in _FORMS}
        self._taken = 0
        self._missed: list[tuple[int, float]] = []

    def add(self, rows: Sequence[SampleRow] | Sequence[Sample]) -> int:
        """Take in samples of the route but those of impossible times; return how many of those there were."""
        n = len(rows)
        # One list a column, not attrgetter: Python reads a slot whose place it knows in half the time.
        part = {
            "agent": _pack("q", [self._agents[row.agent] for row in rows]),
            "intended_start_s": _pack("d", [row.intended_start_s for row in rows]),
            "start_s": _pack("d", [row.start_s for row in rows]),
            "end_s": _pack("d", [row.end_s for row in rows]),
            "status": _pack_known("q", [row.status for row in rows], unknown=0),
            "error": self._errors([row.error for row in rows]),
            "bytes_in": _pack("q", [row.bytes_in for row in rows]),
            "new_connection": _pack_known("q", [row.new_connection for row in rows], unknown=-1),
            "extra": _pack_known("?", [row.extra for row in rows], unknown=False),
            "connect_s": _pack_known("d", [row.connect_s for row in rows], unknown=math.nan),
            **_timings([row.server for row in rows]),
        }
        missed = [row.missed_s for row in rows]
        possible = _possible(part)
        kept = n
        if possible is not None:
            part = {name: _array(name, packed)[possible].tobytes() for name, packed in part.items()}
            missed, kept = list(compress(missed, possible.tolist())), int(possible.sum())
        for name, packed in part.items():
            self._packed[name] += packed
        if any(missed):
            self._missed += [
                (place, intended_s)
                for place, instants_s in enumerate(missed, self._taken)
                for intended_s in instants_s
                if 0 <= intended_s <= _LONGEST_S
            ]
        self._taken += kept
        return n - kept

    def _errors(self, errors: Sequence[str | None]) -> bytes:
        if errors.count(None) == len(errors):
            return _pack("q", [-1]) * len(errors)
        return _pack("q", [-1 if error is None else self._kinds[error] for error in errors])

    def columns(self, *, forget: bool = True) -> Columns:
        """Return what was collected, ordered by start (ties by agent); forget it, which saves its memory."""
        kept = None if forget else {name: packed[:] for name, packed in self._packed.items()}
        columns = self._columns()
        if kept is None:
            self._taken, self._missed = 0, []
        else:
            self._packed = kept
        return columns

    def _columns(self) -> Columns:
        start_s, agent = self._take("start_s"), self._take("agent")
        order: NDArray[np.int64] | None = None
        if not (start_s[1:] > start_s[:-1]).all():
            order = np.lexsort((agent, start_s))
            start_s, agent = start_s[order], agent[order]
        # One column after the other, so that no more than one is there twice.
        names = [name for name in _FORMS if name not in {"start_s", "agent"}]
        rest: dict[str, Any] = {
            name: self._take(name) if order is None else self._take(name)[order] for name in names
        }
        extra, connect_s = rest.pop("extra"), rest.pop("connect_s")
        return Columns(
            start_s=start_s,
            agent=agent,
            ok=rest["error"] < 0,
            agents=tuple(self._agents),
            error_kinds=tuple(self._kinds),
            extra=extra if extra.any() else None,
            connect_s=connect_s if np.isfinite(connect_s).any() else None,
            **rest,
        ).missing(*missed_in_order(self._missed, order))

    def _take(self, name: str) -> NDArray[Any]:
        packed, self._packed[name] = self._packed[name], bytearray()
        return _array(name, packed)


def _array(name: str, packed: bytes | bytearray) -> NDArray[Any]:
    """Return a packed column as an array over the same memory."""
    return np.frombuffer(packed, _FORMS[name])


def _pack(form: str, values: Sequence[float | None]) -> bytes:
    # Half the time of numpy's own way from a list.
    return struct.pack(f"{len(values)}{form}", *values)


def _pack_known(form: str, values: Sequence[float | None], *, unknown: float) -> bytes:
    """Pack numbers in which None may stand, and which are often all the same."""
    n = len(values)
    if n and values[0] == values[-1] and values.count(values[0]) == n:
        return _pack(form, [unknown if values[0] is None else values[0]]) * n
    try:
        return _pack(form, values)
    except struct.error:
        return _pack(form, [unknown if value is None else value for value in values])


def _timings(servers: Sequence[_Timing | ServerTiming | None]) -> dict[str, bytes]:
    """Pack the target's own timings, NaN where it gave none."""
    told = [server or _NO_TIMING for server in servers]
    return {
        "handler_s": _pack("d", [server.handler_s for server in told]),
        "database_s": _pack_known("d", [server.database_s for server in told], unknown=math.nan),
        "pool_wait_s": _pack_known("d", [server.pool_wait_s for server in told], unknown=math.nan),
    }


def _possible(part: Mapping[str, bytes]) -> NDArray[np.bool_] | None:
    """Return which samples have times that can be; None for all."""
    intended_s, start_s, end_s = (_array(name, part[name]) for name in ("intended_start_s", "start_s", "end_s"))
    possible: NDArray[np.bool_] = (
        (intended_s >= 0)
        & (intended_s <= _LONGEST_S)
        & (start_s >= 0)
        & (start_s <= end_s)
        & (end_s <= _LONGEST_S)
    )
    return None if possible.all() else possible


def read_columns(path: Path) -> StoredColumns:
    """
    Read a samples file, whole or cut off in the middle of a line.

    Raises:
        HarnessError: no file, or no header in it that makes sense.
    """
    header = read_header(path)
    reader = _Reader()
    try:
        with path.open("rb") as header_file:
            header_file.readline()
            begin = header_file.tell()
        with path.open("rb", buffering=0) as file:
            file.seek(begin)
            for block in _blocks(file):
                reader.take(block)
    except OSError as fault:
        text = explain("file", str(path), fault=f"can't be read: {fault.strerror or fault}")
        raise HarnessError(text) from fault
    return StoredColumns(header=header, routes=reader.routes(), torn_lines=reader.torn_lines)


def _blocks(file: BufferedIOBase | RawIOBase) -> Iterable[memoryview]:
    """
    Yield the rest of a file as blocks of whole lines; the last may lack its end.

    A block lies in a buffer that is used again: it is gone when the next one is asked for.
    """
    buffer = bytearray(_CHUNK_BYTES)
    filled = 0
    while read := file.readinto(memoryview(buffer)[filled:]):
        filled += read
        end = buffer.rfind(b"\n", 0, filled) + 1
        if end:
            yield memoryview(buffer)[:end]
            buffer[: filled - end] = buffer[end:filled]
            filled -= end
        elif filled == len(buffer):
            # A line longer than the buffer, which only a damaged file has.
            buffer = buffer + bytearray(len(buffer))
    if filled:
        yield memoryview(buffer)[:filled]


class _Reader:
    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(SampleRow)
        self._builders: dict[tuple[str, str], ColumnsBuilder] = {}
        self.torn_lines = 0

    def take(self, block: memoryview) -> None:
        try:
            rows = self._decoder.decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError):
            rows = list(self._whole_lines(block))
        if not rows:
            return
        names, methods = [row.name for row in rows], [row.method for row in rows]
        if names.count(names[0]) == methods.count(methods[0]) == len(rows):
            self.torn_lines += self._builder(methods[0], names[0]).add(rows)
            return
        groups: dict[tuple[str, str], list[SampleRow]] = {}
        for row in rows:
            groups.setdefault((row.method, row.name), []).append(row)
        for (method, name), group in groups.items():
            self.torn_lines += self._builder(method, name).add(group)

    def routes(self) -> dict[str, Columns]:
        return {f"{method} {name}": builder.columns() for (method, name), builder in self._builders.items()}

    def _builder(self, method: str, name: str) -> ColumnsBuilder:
        return self._builders.setdefault((method, name), ColumnsBuilder())

    def _whole_lines(self, block: memoryview) -> Iterable[SampleRow]:
        for line in bytes(block).split(b"\n"):
            if not line.strip():
                continue
            try:
                yield self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.torn_lines += 1
