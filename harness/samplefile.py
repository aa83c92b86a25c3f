"""
A samples file straight into columns: route by route, in chunks, without a million records alive at once.

`harness.rundir.read_samples` gives the same samples one by one, for those who need records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase, RawIOBase
from itertools import compress, repeat
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness.columns import Columns, missed_in_order
from harness.errors import HarnessError, explain
from harness.model import PENDING_ROUTE, Sample, SampleHeader
from harness.rundir import read_header

POLLED = f"GET {PENDING_ROUTE}"
"""Key of the polled route."""

# About what a processor's second-level cache holds: decoding a megabyte at once takes half as long again.
_CHUNK_BYTES = 1 << 18
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


class _Numbers(dict[str | None, int]):
    """Numbers given out in order of first appearance."""

    def __missing__(self, key: str | None) -> int:
        number = self[key] = len(self)
        return number


class _Kinds(_Numbers):
    """Kinds of error; a success is none."""

    def __missing__(self, key: str | None) -> int:
        return -1 if key is None else super().__missing__(key)


_TIMES = ("intended_start_s", "start_s", "end_s")
_TIMINGS = ("handler_s", "database_s", "pool_wait_s")
_TYPES: Mapping[str, type] = {
    "agent": np.int64,
    **dict.fromkeys(_TIMES, np.float64),
    "status": np.int64,
    "error": np.int64,
    "bytes_in": np.int64,
    "new_connection": np.int64,
    "extra": np.bool_,
    "connect_s": np.float64,
    **dict.fromkeys(_TIMINGS, np.float64),
}


class ColumnsBuilder:
    """Collects the samples of one route, some at a time, and makes columns of them."""

    def __init__(self) -> None:
        self._agents = _Numbers()
        self._kinds = _Kinds()
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _TYPES}
        self._taken = 0
        self._missed: list[tuple[int, float]] = []

    def add(self, rows: Sequence[SampleRow] | Sequence[Sample]) -> int:
        """Take in samples of the route but those of impossible times; return how many of those there were."""
        n = len(rows)
        part: dict[str, NDArray[Any]] = {}
        for name in (*_TIMES, "bytes_in", "extra"):
            part[name] = np.fromiter(map(attrgetter(name), rows), _TYPES[name], n)
        part["agent"] = np.fromiter(map(self._agents.__getitem__, map(attrgetter("agent"), rows)), np.int64, n)
        part["status"] = _known(rows, "status", unknown=0)
        part["new_connection"] = _known(rows, "new_connection", unknown=-1)
        part["connect_s"] = _connects(rows)
        errors = list(map(attrgetter("error"), rows))
        kinds = map(self._kinds.__getitem__, errors) if any(errors) else repeat(-1, n)
        part["error"] = np.fromiter(kinds, np.int64, n)
        part |= _timings(rows)
        possible = _possible(part)
        for name, values in part.items():
            self._parts[name].append(values if possible is None else values[possible])
        missed = list(map(attrgetter("missed_s"), rows))
        kept = n
        if possible is not None:
            missed, kept = list(compress(missed, possible.tolist())), int(possible.sum())
        if any(missed):
            self._missed += [
                (place, intended_s)
                for place, instants_s in enumerate(missed, self._taken)
                for intended_s in instants_s
                if 0 <= intended_s <= _LONGEST_S
            ]
        self._taken += kept
        return n - kept

    def columns(self, *, forget: bool = True) -> Columns:
        """Return what was collected, ordered by start (ties by agent); forget it, which saves its memory."""
        kept = None if forget else {name: list(parts) for name, parts in self._parts.items()}
        columns = self._columns()
        if kept is None:
            self._taken, self._missed = 0, []
        else:
            self._parts = kept
        return columns

    def _columns(self) -> Columns:
        start_s, agent = self._take("start_s"), self._take("agent")
        order: NDArray[np.int64] | None = None
        if not (start_s[1:] > start_s[:-1]).all():
            order = np.lexsort((agent, start_s))
            start_s, agent = start_s[order], agent[order]
        # One column after the other, so that no more than one is there twice.
        names = [name for name in _TYPES if name not in {"start_s", "agent"}]
        rest: dict[str, Any] = {
            name: self._take(name) if order is None else self._take(name)[order] for name in names
        }
        extra, connect_s = rest.pop("extra"), rest.pop("connect_s")
        return Columns(
            start_s=start_s,
            agent=agent,
            ok=rest["error"] < 0,
            agents=tuple(str(agent) for agent in self._agents),
            error_kinds=tuple(str(kind) for kind in self._kinds),
            extra=extra if extra.any() else None,
            connect_s=connect_s if np.isfinite(connect_s).any() else None,
            **rest,
        ).missing(*missed_in_order(self._missed, order))

    def _take(self, name: str) -> NDArray[Any]:
        parts, self._parts[name] = self._parts[name], []
        return np.concatenate(parts) if parts else np.empty(0, dtype=_TYPES[name])


def _known(rows: Sequence[SampleRow] | Sequence[Sample], name: str, *, unknown: int) -> NDArray[Any]:
    """Return a column of whole numbers in which None may stand."""
    values = map(attrgetter(name), rows)
    try:
        return np.fromiter(values, np.int64, len(rows))
    except TypeError:
        told = map(attrgetter(name), rows)
        return np.fromiter((unknown if value is None else value for value in told), np.int64, len(rows))


def _timings(rows: Sequence[SampleRow] | Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """Return the target's own timings, NaN where it gave none."""
    servers = list(map(attrgetter("server"), rows))
    if not any(servers):
        return {name: np.full(len(rows), np.nan) for name in _TIMINGS}
    told = servers if all(servers) else [server or _NO_TIMING for server in servers]
    return {name: _told(told, name) for name in _TIMINGS}


def _connects(rows: Sequence[SampleRow] | Sequence[Sample]) -> NDArray[np.float64]:
    """Return what opening the connections took, NaN where none was opened."""
    times = list(map(attrgetter("connect_s"), rows))
    # Connections are mostly kept: then there is nothing to look through.
    return np.full(len(rows), np.nan) if times.count(None) == len(times) else np.array(times, dtype=np.float64)


def _told(servers: Sequence[Any], name: str) -> NDArray[np.float64]:
    try:
        return np.fromiter(map(attrgetter(name), servers), np.float64, len(servers))
    except TypeError:
        # An array made of a list turns None into NaN.
        return np.array(list(map(attrgetter(name), servers)), dtype=np.float64)


def _possible(part: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_] | None:
    """Return which samples have times that can be; None for all."""
    intended_s, start_s, end_s = (part[name] for name in _TIMES)
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
        names, methods = set(map(attrgetter("name"), rows)), set(map(attrgetter("method"), rows))
        if len(names) == len(methods) == 1:
            self.torn_lines += self._builder(methods.pop(), names.pop()).add(rows)
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
