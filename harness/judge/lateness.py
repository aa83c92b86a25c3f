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
    Return how long the generator's event loop was known to be blocked while each poll was under way.

    A tick that was woken `loop_lag_s` late shows that nothing else ran in that time either: an answer that
    arrived then was read only afterwards.

    Args:
        columns: polls in any order.
        ticks: the generator's health, in any order; none means that nothing is known.

    Returns:
        Shape (n,), 0..end − start [s].
    """
    if not ticks:
        return np.zeros(len(columns))
    awake_s = np.array(sorted((tick.t_s, max(tick.loop_lag_s, 0.0)) for tick in ticks))
    ends = awake_s[:, 0]
    starts = ends - awake_s[:, 1]
    # A loop can't be blocked before its previous tick and be counted for both.
    starts[1:] = np.clip(starts[1:], ends[:-1], ends[1:])
    corners = np.column_stack([starts, ends]).ravel()
    blocked = np.column_stack([np.zeros(len(ends)), ends - starts]).ravel().cumsum()
    blocked_s = np.interp(columns.end_s, corners, blocked) - np.interp(columns.start_s, corners, blocked)
    return np.asarray(np.maximum(blocked_s, 0.0), dtype=np.float64)
