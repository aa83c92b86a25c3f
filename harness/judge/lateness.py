"""What the generator itself added to a poll: time that is no fault of the target."""

from collections.abc import Sequence

import numpy as np

from harness.columns import Columns, Floats
from harness.model import GeneratorTick


def start_lateness_s(columns: Columns) -> Floats:
    """
    Return how late the generator sent each poll although its agent was free.

    Args:
        columns: polls in any order; the predecessor of a poll is looked for among them.

    Returns:
        Shape (n,), ≥ 0: start − the later of intended start and end of the same agent's previous poll [s].
    """
    order = np.lexsort((columns.start_s, columns.agent))
    agent, end_s = columns.agent[order], columns.end_s[order]
    free_s = columns.intended_start_s[order]
    same = agent[1:] == agent[:-1]
    free_s[1:][same] = np.maximum(free_s[1:][same], end_s[:-1][same])
    lateness_s = np.empty(len(order))
    lateness_s[order] = np.maximum(columns.start_s[order] - free_s, 0.0)
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
