"""What the generator itself added to a poll: time that is no fault of the target."""

from collections.abc import Sequence

import numpy as np

from harness.columns import Columns, Floats
from harness.model import GeneratorTick


def start_lateness_s(columns: Columns) -> Floats:
    """
    Return how late the generator sent each poll although its agent was free.

    Args:
        columns: polls in any order; the predecessor of a poll is looked for among them. Those missed may be there
            as `Columns.with_missed` puts them, each with the start of the one that was sent in its stead.

    Returns:
        Shape (n,), ≥ 0: start − the later of intended start and end of the same agent's previous poll [s].
    """
    order = np.lexsort((columns.start_s, columns.agent))
    agent, start_s, end_s = columns.agent[order], columns.start_s[order], columns.end_s[order]
    # A poll and those missed before it are one sending, and none of them is the predecessor of another.
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (agent[1:] != agent[:-1]) | (start_s[1:] != start_s[:-1])
    first = np.flatnonzero(begins)
    previous_end_s = np.full(len(first), -np.inf)
    same = agent[first[1:]] == agent[first[:-1]]
    previous_end_s[1:][same] = end_s[first[:-1]][same]
    free_s = np.maximum(columns.intended_start_s[order], previous_end_s[np.cumsum(begins) - 1])
    lateness_s = np.empty(len(order))
    lateness_s[order] = np.maximum(start_s - free_s, 0.0)
    return lateness_s


def loop_lateness_s(columns: Columns, ticks: Sequence[GeneratorTick]) -> Floats:
    """
    Return how long the generator's event loop may have kept each poll from being noticed as answered.

    A tick tells the longest pause since the tick before, not when it was. So a poll that was under way in that
    time may have lost all of the pause, or as much of it as the poll and the time have in common; never more.

    Args:
        columns: polls in any order.
        ticks: the generator's health, in any order; none means that nothing is known.

    A sample does not tell which worker sent it, so with several of them it gets the benefit of the worst.

    Returns:
        Shape (n,), 0..end − start [s].
    """
    lateness_s = np.zeros(len(columns))
    for worker in {tick.worker for tick in ticks}:
        own = [tick for tick in ticks if tick.worker == worker]
        lateness_s = np.maximum(lateness_s, _lateness_of_worker_s(columns, own))
    return lateness_s


def _lateness_of_worker_s(columns: Columns, ticks: Sequence[GeneratorTick]) -> Floats:
    known = np.array(sorted((tick.t_s, max(tick.loop_lag_s, 0.0)) for tick in ticks))
    until_s = np.append(known[:, 0], np.inf)
    # Of the time after the last tick nothing is known.
    lag_s = np.append(known[:, 1], 0.0)
    since_s = np.insert(until_s[:-1], 0, -np.inf)
    first = np.searchsorted(until_s, columns.start_s)
    last = np.searchsorted(until_s, columns.end_s)
    whole_s = np.insert(np.cumsum(np.minimum(lag_s, until_s - since_s)), 0, 0.0)
    between_s = np.where(last > first, whole_s[last] - whole_s[np.minimum(first + 1, last)], 0.0)
    head_s = np.minimum(lag_s[first], np.minimum(until_s[first], columns.end_s) - columns.start_s)
    tail_s = np.where(last > first, np.minimum(lag_s[last], columns.end_s - since_s[last]), 0.0)
    return np.asarray(np.maximum(head_s + between_s + tail_s, 0.0), dtype=np.float64)
