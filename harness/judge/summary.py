"""From samples to the figures of a run's measured part, before any judgement."""

from collections.abc import Mapping

import numpy as np

from harness.columns import Columns
from harness.judge.kinds import INTERRUPTED, of_kind
from harness.judge.quantiles import quantiles_of
from harness.model import SampleHeader, Summary


def summarise(
    columns: Columns, *, header: SampleHeader, window_start_s: float, window_end_s: float, intended: int
) -> Summary:
    """
    Fold samples into a Summary.

    Args:
        columns: the samples of a run; those whose intended start lies outside the window are left out.
        header: of the samples file; gives the interval.
        window_start_s: first instant that counts [s since the run's origin].
        window_end_s: end of the window, itself outside [s since the run's origin].
        intended: polls that the schedule wanted in the window, counted by the schedule itself.

    Returns:
        The figures. A poll that the end of the run cut off counts as failed and has no response time, since
        nobody knows what it would have taken. Rates are 0 for a window without length.

    Raises:
        ValueError: the window ends before it starts, or `intended` is negative.
    """
    if window_end_s < window_start_s:
        raise ValueError(f"window: ends before it starts, got {window_start_s}..{window_end_s} s")
    if intended < 0:
        raise ValueError(f"intended: out of range, got {intended}, need 0 or more")
    measured = columns.window(window_start_s, window_end_s)
    length_s = window_end_s - window_start_s
    sent = len(measured)
    planned = sent if measured.extra is None else sent - int(measured.extra.sum())
    completed = int(measured.ok.sum())
    answered = measured.status > 0
    known = measured.with_missed()
    return Summary(
        window_start_s=window_start_s,
        window_end_s=window_end_s,
        intended=intended,
        sent=sent,
        completed=completed,
        failed=sent - completed,
        missed=intended - planned,
        offered_per_s=sent / length_s if length_s else 0.0,
        achieved_per_s=completed / length_s if length_s else 0.0,
        response_time=quantiles_of(known.response_time_s[~of_kind(known, INTERRUPTED)]),
        service_time=quantiles_of(measured.service_time_s[answered]),
        start_lag=quantiles_of(measured.start_lag_s),
        errors_by_kind=_errors_by_kind(measured),
        new_connections_per_poll=_new_connections_per_poll(measured),
        lock_step_index=lock_step_index(measured, interval_s=header.interval_s),
    )


def lock_step_index(columns: Columns, *, interval_s: float) -> float | None:
    """
    Measure how far the agents' polls bunch within the interval.

    Each agent has one phase, the circular mean of its starts within the interval; the N phases cut the circle into
    N gaps. The index is half the sum of the gaps' distances from 1 / N, divided by the most it can be, 1 − 1 / N.

    Args:
        columns: the polls to look at.
        interval_s: polling interval, > 0 [s].

    Returns:
        0 for phases spread evenly, about 1 / e = 0.37 for phases drawn at random, (N − b) / (N − 1) or more for
        b bunches, 1 for all at one instant; None below two agents.

    Source: J. S. Rao, "Some tests based on arc-lengths for the circle", Sankhyā B 38 (1976). Unlike the mean
    resultant length it also sees bunches that lie opposite each other.
    """
    angle = columns.start_s * (2 * np.pi / interval_s)
    count = len(columns.agents)
    polls = np.bincount(columns.agent, minlength=count)
    sine = np.bincount(columns.agent, weights=np.sin(angle), minlength=count)
    cosine = np.bincount(columns.agent, weights=np.cos(angle), minlength=count)
    phases = np.sort(np.arctan2(sine, cosine)[polls > 0] / (2 * np.pi) % 1.0)
    if len(phases) < 2:
        return None
    gaps = np.diff(phases, append=phases[0] + 1.0)
    even = 1 / len(phases)
    return float(np.abs(gaps - even).sum() / (2 * (1 - even)))


def _errors_by_kind(columns: Columns) -> Mapping[str, int]:
    failed = columns.error[columns.error >= 0]
    counts = np.bincount(failed, minlength=len(columns.error_kinds))
    return {kind: int(n) for kind, n in zip(columns.error_kinds, counts, strict=True) if n}


def _new_connections_per_poll(columns: Columns) -> float | None:
    known = columns.new_connection[columns.new_connection >= 0]
    return float(known.mean()) if len(known) else None
