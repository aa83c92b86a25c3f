"""Samples as columns: what judging and plotting a million polls needs, at eight bytes a value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.model import Sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """
    The samples of one request name, ordered by start. All arrays have the same length n.

    Args:
        agent: index into `agents` for each sample.
        intended_start_s: [s since the run's origin].
        start_s: [s since the run's origin].
        end_s: [s since the run's origin].
        status: HTTP status, 0 where no answer came.
        ok: whether the poll succeeded.
        error: index into `error_kinds`, -1 for a success.
        bytes_in: bytes of the body.
        new_connection: 1 opened, 0 reused, -1 unknown.
        handler_s: the target's own timing; NaN where it gave none.
        database_s: likewise.
        pool_wait_s: likewise.
        agents: ids of the agents, in order of first appearance.
        error_kinds: kinds of error, in order of first appearance.
        extra: whether it was sent besides the schedule; None where none was.
        missed: polls that were never sent because their agents were busy. Each has the start, end and fate of the
            poll that its agent sent in its stead, and its own intended start; None where there are none.
        connect_s: what opening the connection took, NaN where none was opened; None where nobody measured it.
    """

    agent: Ints
    intended_start_s: Floats
    start_s: Floats
    end_s: Floats
    status: Ints
    ok: Bools
    error: Ints
    bytes_in: Ints
    new_connection: Ints
    handler_s: Floats
    database_s: Floats
    pool_wait_s: Floats
    agents: tuple[str, ...]
    error_kinds: tuple[str, ...]
    extra: Bools | None = None
    missed: "Columns | None" = None
    connect_s: Floats | None = None

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def response_time_s(self) -> Floats:
        """End − intended start; infinite for a failed poll, which exceeds every limit."""
        return np.where(self.ok, self.end_s - self.intended_start_s, np.inf)

    @property
    def service_time_s(self) -> Floats:
        """End − start, of every poll whatever became of it."""
        return self.end_s - self.start_s

    @property
    def start_lag_s(self) -> Floats:
        """Start − intended start."""
        return self.start_s - self.intended_start_s

    def where(self, mask: Bools) -> "Columns":
        """
        Return the samples that the mask keeps, in the same order, without `missed`; the id tables stay whole.

        A mask that cuts nothing but the ends, as a window's mostly does, costs no memory: the columns are views.
        """
        return self._take(_as_slice(mask))

    def _take(self, kept: Bools | slice | Ints) -> "Columns":
        return Columns(
            agent=self.agent[kept],
            intended_start_s=self.intended_start_s[kept],
            start_s=self.start_s[kept],
            end_s=self.end_s[kept],
            status=self.status[kept],
            ok=self.ok[kept],
            error=self.error[kept],
            bytes_in=self.bytes_in[kept],
            new_connection=self.new_connection[kept],
            handler_s=self.handler_s[kept],
            database_s=self.database_s[kept],
            pool_wait_s=self.pool_wait_s[kept],
            agents=self.agents,
            error_kinds=self.error_kinds,
            extra=None if self.extra is None else self.extra[kept],
            connect_s=None if self.connect_s is None else self.connect_s[kept],
        )

    def window(self, start_s: float, end_s: float) -> "Columns":
        """Return what was *meant* for [start_s, end_s): what the schedule put there, missed polls too."""
        inside = self.where((self.intended_start_s >= start_s) & (self.intended_start_s < end_s))
        return inside if self.missed is None else replace(inside, missed=self.missed.window(start_s, end_s))

    def missing(self, by: Ints, intended_start_s: Floats) -> "Columns":
        """
        Return the same samples with their `missed` polls.

        Args:
            by: of each missed poll, which of the samples was sent in its stead, 0..n − 1.
            intended_start_s: of each missed poll.
        """
        if not len(by):
            return self
        instead = self._take(by)
        unknown = np.full(len(by), np.nan)
        missed = replace(
            instead,
            intended_start_s=intended_start_s,
            bytes_in=np.zeros_like(instead.bytes_in),
            new_connection=np.full_like(instead.new_connection, -1),
            handler_s=unknown,
            database_s=unknown,
            pool_wait_s=unknown,
            extra=None,
            connect_s=None,
        )
        return replace(self, missed=missed)

    def with_missed(self) -> "Columns":
        """
        Return every poll whose response time is known: sent, and missed.

        Returns:
            Ordered by start; the polls missed before one come before it.
        """
        missed = self.missed
        if missed is None:
            return self
        both: dict[str, Any] = {
            name: np.concatenate((getattr(self, name), getattr(missed, name)))
            for name in (field.name for field in fields(self))
            if name not in {"agents", "error_kinds", "extra", "missed", "connect_s"}
        }
        extra = None if self.extra is None else np.append(self.extra, np.zeros(len(missed), dtype=np.bool_))
        connect_s = None if self.connect_s is None else np.append(self.connect_s, np.full(len(missed), np.nan))
        order = np.lexsort((both["intended_start_s"], both["agent"], both["start_s"]))
        return Columns(
            agents=self.agents,
            error_kinds=self.error_kinds,
            extra=None if extra is None else extra[order],
            connect_s=None if connect_s is None else connect_s[order],
            **{name: values[order] for name, values in both.items()},
        )


def _as_slice(mask: Bools) -> Bools | slice:
    """Return a mask as a slice where it keeps neighbours only."""
    kept = int(np.count_nonzero(mask))
    first = int(mask.argmax()) if kept else 0
    return slice(first, first + kept) if mask[first : first + kept].all() else mask


def columns_of(samples: Iterable[Sample]) -> Columns:
    """
    Turn samples into columns, ordered by start (ties by agent, so that equal input gives equal output).

    Args:
        samples: any number, in any order, of one request name.

    Returns:
        Columns of the same length; all empty for no samples.
    """
    agents: dict[str, int] = {}
    kinds: dict[str, int] = {}
    rows: list[tuple[float, ...]] = []
    missed: list[tuple[int, float]] = []
    for s in samples:
        server = s.server
        missed.extend((len(rows), intended_s) for intended_s in s.missed_s)
        rows.append(
            (
                agents.setdefault(s.agent, len(agents)),
                s.intended_start_s,
                s.start_s,
                s.end_s,
                s.status or 0,
                s.error is None,
                -1 if s.error is None else kinds.setdefault(s.error, len(kinds)),
                s.bytes_in,
                -1 if s.new_connection is None else int(s.new_connection),
                np.nan if server is None else server.handler_s,
                np.nan if server is None or server.database_s is None else server.database_s,
                np.nan if server is None or server.pool_wait_s is None else server.pool_wait_s,
                s.extra,
                np.nan if s.connect_s is None else s.connect_s,
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 14)
    order = np.lexsort((table[:, 0], table[:, 2]))
    table = table[order]
    return Columns(
        agent=table[:, 0].astype(np.int64),
        intended_start_s=table[:, 1].copy(),
        start_s=table[:, 2].copy(),
        end_s=table[:, 3].copy(),
        status=table[:, 4].astype(np.int64),
        ok=table[:, 5].astype(np.bool_),
        error=table[:, 6].astype(np.int64),
        bytes_in=table[:, 7].astype(np.int64),
        new_connection=table[:, 8].astype(np.int64),
        handler_s=table[:, 9].copy(),
        database_s=table[:, 10].copy(),
        pool_wait_s=table[:, 11].copy(),
        agents=tuple(agents),
        error_kinds=tuple(kinds),
        extra=table[:, 12].astype(np.bool_) if table[:, 12].any() else None,
        connect_s=table[:, 13].copy() if np.isfinite(table[:, 13]).any() else None,
    ).missing(*missed_in_order(missed, order))


def missed_in_order(missed: Sequence[tuple[int, float]], order: Ints | None) -> tuple[Ints, Floats]:
    """
    Return what `Columns.missing` takes, for samples that were put into another order.

    Args:
        missed: of each missed poll the sample that was sent in its stead, by its former place, and its intended
            start [s].
        order: the former place of each sample; None where it is the same.
    """
    by = np.array([place for place, _ in missed], dtype=np.int64)
    if order is not None and len(by):
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        by = places[by]
    return by, np.array([intended_s for _, intended_s in missed], dtype=np.float64)
