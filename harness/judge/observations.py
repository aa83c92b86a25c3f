"""What a reader should know of a run besides its gates, each a sentence, or nothing. Pure."""

import numpy as np

from harness.columns import Columns
from harness.units import format_duration, format_ratio

_MOSTLY = 0.5
_LEAST_POLLS = 10


def keep_alive_note(columns: Columns, *, interval_s: float) -> str | None:
    """
    Say that the target closes idle connections before the agents come back, and what cures it.

    Each poll but an agent's first could have used its connection of before. The idle times of those that did and
    of those that could not tell where the target's time-out lies.

    Args:
        columns: polls of the measured window.
        interval_s: polling interval [s].

    Returns:
        One sentence; None when connections are mostly reused, or too few polls tell.
    """
    order = np.lexsort((columns.start_s, columns.agent))
    agent, start_s, end_s = columns.agent[order], columns.start_s[order], columns.end_s[order]
    ok, new = columns.ok[order], columns.new_connection[order]
    # A poll that failed may have cost the connection by itself.
    follows = (agent[1:] == agent[:-1]) & ok[1:] & ok[:-1] & (new[1:] >= 0)
    idle_s = (start_s[1:] - end_s[:-1])[follows]
    opened = new[1:][follows] == 1
    if len(opened) < _LEAST_POLLS or opened.mean() < _MOSTLY:
        return None
    longest_kept_s = float(idle_s[~opened].max()) if (~opened).any() else None
    shortest_closed_s = float(idle_s[opened].min())
    seen = f"closed after {format_duration(shortest_closed_s)} at the latest"
    if longest_kept_s is not None and longest_kept_s < shortest_closed_s:
        seen += f", and still open after {format_duration(longest_kept_s)}"
    cure_s = max(75.0, 2 * interval_s)
    return (
        f"{format_ratio(float(opened.mean()))} of the polls had to open a new connection: idle ones were {seen}, "
        f"and agents come back after {format_duration(interval_s)}; a time-out above the interval cures it, such "
        f"as timeout_keep_alive={cure_s:.0f} of uvicorn (5 by default), and of every proxy before it."
    )


def recovery_note(columns: Columns, *, back_s: float) -> str | None:
    """
    Say how long the fleet took to be served again after an outage.

    Args:
        columns: polls of the whole run.
        back_s: when the target answered again [s since the run's origin].

    Returns:
        One sentence; None when nobody polled since.
    """
    since = columns.end_s >= back_s
    if not since.any():
        return None
    polled = set(columns.agent[columns.start_s >= back_s].tolist())
    first_s: dict[int, float] = {}
    served = since & columns.ok
    for agent, end_s in zip(columns.agent[served].tolist(), columns.end_s[served].tolist(), strict=True):
        first_s[agent] = min(end_s, first_s.get(agent, np.inf))
    unserved = len(polled - set(first_s))
    if unserved:
        return f"{unserved} of {len(polled)} agents that polled after the outage were never answered again."
    last_s = max(first_s.values()) - back_s
    return (
        f"All {len(first_s)} agents were answered again within {format_duration(last_s)} of the target's return."
        if first_s
        else None
    )
