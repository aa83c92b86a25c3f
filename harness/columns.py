"""Samples as columns: what judging and plotting a million polls needs, at eight bytes a value."""

from collections.abc import Iterable
from dataclasses import dataclass

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
        Return the samples that the mask keeps, in the same order; the id tables stay whole.

        A mask that cuts nothing but the ends, as a window's mostly does, costs no memory: the columns are views.
        """
        kept = _as_slice(mask)
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
        )

    def window(self, start_s: float, end_s: float) -> "Columns":
        """Return the samples whose *intended* start lies in [start_s, end_s): what the schedule put there."""
        return self.where((self.intended_start_s >= start_s) & (self.intended_start_s < end_s))


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
    for s in samples:
        server = s.server
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
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 13)
    table = table[np.lexsort((table[:, 0], table[:, 2]))]
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
    )
