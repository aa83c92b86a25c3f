"""Captions of what stands around the polls: fleet, pickups, target, drift, generator, connections, baseline."""

import math
from collections.abc import Sequence

import numpy as np

from harness.columns import Columns, Floats
from harness.history_model import Comparison
from harness.model import GeneratorTick, Quantiles, Status, TargetTick
from harness.report.parts import Split, connect_times, quantiles3
from harness.report.traces import DriftSeries, Wave
from harness.report.trend.words import compared_text, signed_ratio
from harness.report.words import counted, names, plain, trimmed_duration
from harness.units import format_count, format_duration, format_number, format_ratio


def generator(ticks: Sequence[GeneratorTick]) -> str:
    """Caption of the generator's health."""
    workers: dict[str | None, list[float]] = {}
    for tick in ticks:
        workers.setdefault(tick.worker, []).append(tick.cpu_ratio)
    means = sorted(sum(cpu) / len(cpu) for cpu in workers.values())
    most = max(tick.cpu_ratio for tick in ticks)
    lag = format_duration(max(tick.loop_lag_s for tick in ticks))
    if len(means) == 1:
        used = (
            f"The load generator used {format_number(means[0])} cores on average and {format_number(most)} at most"
        )
    else:
        used = (
            f"The load generator's {len(means)} processes used {format_number(means[0])} to"
            f" {format_number(means[-1])} cores each on average and {format_number(most)} at most"
        )
    told = [f"its loop woke at most {lag} late", *_generator_extremes(ticks)]
    return f"{used}; {'; '.join(told)}."


def _generator_extremes(ticks: Sequence[GeneratorTick]) -> list[str]:
    """Return what only newer runs tell."""
    starts = [tick.start_lag_s for tick in ticks if tick.start_lag_s is not None]
    pauses = [tick.gc_pause_s for tick in ticks if tick.gc_pause_s is not None]
    missed = [tick.missed for tick in ticks if tick.missed is not None]
    open_now = [tick.connections for tick in ticks if tick.connections is not None]
    told = []
    if starts:
        told.append(f"a free agent's poll waited at most {format_duration(max(starts))} to be sent")
    if pauses:
        longest = max(pauses)
        told.append(
            f"no collection of garbage paused it for longer than {format_duration(longest)}"
            if longest
            else "no collection of garbage paused it"
        )
    if missed:
        count = sum(missed)
        told.append("no poll was missed" if not count else f"{counted(count, 'poll')} missed")
    if open_now:
        told.append(f"at most {counted(max(open_now), 'connection')} open")
    return told


def fleet(steps: tuple[Floats, Floats], columns: Columns) -> str:
    """
    Caption of the fleet over time.

    Args:
        steps: edges [s] and the number of agents between them.
        columns: the whole run.
    """
    edges, counts = steps
    low, high = int(counts.min()), int(counts.max())
    there = f"{low} to {high} agents" if low != high else counted(high, "agent")
    text = f"By the schedule {there} took part"
    place = np.clip(np.searchsorted(edges, columns.intended_start_s, side="right") - 1, 0, len(counts) - 1)
    many = counts[place] > (low + high) / 2
    response = columns.response_time_s
    if low == high or not many.any() or many.all():
        return f"{text}."
    few_s, many_s = (quantiles3(response[mask])[1] for mask in (~many, many))
    half = math.floor((low + high) / 2)
    return (
        f"{text}; p95 of the response time was {_endless(few_s)} while {half} or fewer were there,"
        f" and {_endless(many_s)} while more were."
    )


def _endless(value_s: float) -> str:
    return format_duration(value_s) if math.isfinite(value_s) else "without end"


def pickups(together: Wave, waves: Sequence[Wave], interval_s: float) -> str:
    """
    Caption of the times to pickup.

    Args:
        together: all pickups.
        waves: the same, wave by wave.
        interval_s: polling interval of each agent [s].
    """
    fetched = len(together.times_s)
    late = (
        f"; {format_count(together.late)} ordered too late in the run to count are left out"
        if together.late
        else ""
    )
    ordered = f"{counted(together.orders, 'deployment')} ordered in {counted(len(waves), 'wave')}"
    if not fetched:
        return f"None of {ordered} was fetched{late}."
    share = "all were fetched" if fetched == together.orders else f"{format_count(fetched)} were fetched"
    parts = [
        f"{name} within {format_duration(value)}"
        for name, value in (("half", together.quantiles.p50), ("95 %", together.quantiles.p95))
        if value is not None and math.isfinite(value)
    ]
    slowest = f"the slowest took {format_duration(float(together.times_s.max()))}"
    return (
        f"Of {ordered} {share}: {', '.join([*parts, slowest])}{late}; a punctual agent looks each"
        f" {trimmed_duration(interval_s)}. Bars are the waves' medians; on the right, thin lines are the waves and"
        " the thick one all of them."
    )


def target(ticks: Sequence[TargetTick], cores: Floats, away_s: tuple[float, float] | None) -> str:
    """
    Caption of the target's health.

    Args:
        ticks: at least one.
        cores: its CPU use at each tick, NaN where unknown.
        away_s: when it was away on purpose; None for never.
    """
    # A process that is just being started has hardly any.
    there = [tick for tick in ticks if away_s is None or not away_s[0] <= tick.t_s <= away_s[1]] or ticks
    memory = [tick.rss_bytes / 1e6 for tick in there]
    known = cores[np.isfinite(cores)]
    used = "used"
    if len(known):
        mean, most = format_number(float(known.mean())), format_number(float(known.max()))
        used = f"used {mean} cores on average and {most} at most,"
    gone = f" It was away from {away_s[0]:.1f} s to {away_s[1]:.1f} s." if away_s else ""
    return (
        f"The reference master {used} {format_number(min(memory))} to {format_number(max(memory))} MB of memory,"
        f" at most {counted(max(tick.connections for tick in ticks), 'connection')} and"
        f" {counted(max(tick.open_files for tick in ticks), 'open file')}.{gone}"
    )


def drift(series: Sequence[DriftSeries]) -> str:
    """Caption of a soak's series."""
    judged = [one for one in series if one.slope_per_s is not None]
    if not judged:
        return f"None of {len(series)} watched series has slices enough to tell a drift from noise."
    growing = [one for one in judged if one.grows]
    if growing:
        told = names(f"{plain(one.subject)} ({signed_ratio(one.change_ratio)})" for one in growing)
        verb = "grows" if len(growing) == 1 else "grow"
        return f"Of {len(series)} watched series {len(growing)} surely {verb} over the run: {told}."
    known = [one for one in judged if one.change_ratio is not None]
    if not known:
        return f"None of {len(series)} watched series surely grows."
    largest = max(known, key=lambda one: abs(one.change_ratio or 0.0))
    return (
        f"None of {len(series)} watched series surely grows; the largest change along the dashed lines is that of"
        f" the {plain(largest.subject)}, {signed_ratio(largest.change_ratio)} over the run."
    )


def connections(seen: Columns, keep_alive: str | None) -> str:
    """
    Caption of the connections.

    Args:
        seen: the measured polls.
        keep_alive: what they tell of the target's keep-alive, one sentence; None for nothing.
    """
    known = int((seen.new_connection >= 0).sum())
    opened = int((seen.new_connection == 1).sum())
    if not known:
        return "It is not known which polls opened a connection."
    ratio = format_ratio(opened / known)
    text = f"{format_count(opened)} of {counted(known, 'measured poll')} opened a connection ({ratio})."
    times_s = connect_times(seen)
    if len(times_s):
        p50, p95, _ = quantiles3(times_s)
        text += f" Opening one took {format_duration(p50)} at p50 and {format_duration(p95)} at p95."
    if not opened:
        text = f"Every one of {counted(known, 'measured poll')} found its connection still open."
    return f"{text} {keep_alive}" if keep_alive else text


def split(splits: Sequence[Split]) -> str:
    """Caption of what the quantiles are made of, of which at least one has an end."""
    told = []
    for one in splits:
        name, part_s = max(one.parts, key=lambda part: part[1])
        if one.value_s > 0:
            share = format_ratio(part_s / one.value_s)
            told.append(f"{name} is {share} of {one.name} ({format_duration(one.value_s)})")
    text = f"The largest part: {'; '.join(told)}." if told else "No poll took any time."
    around = names(f"{format_count(one.polls)} at {one.name}" for one in splits)
    endless = [name for name in ("p50", "p95", "p99") if name not in {one.name for one in splits}]
    verb = "lies" if len(endless) == 1 else "lie"
    left_out = f" {names(endless)} {verb} among the failed polls." if endless else ""
    return f"{text} Made of the polls next to each quantile: {around}.{left_out}"


def comparison(comparisons: Sequence[Comparison]) -> str:
    """Caption of the changes against the baseline."""
    worse = [one for one in comparisons if one.status is Status.FAIL]
    same = [one for one in comparisons if one.status is Status.PASS]
    runs = max(one.baseline_n for one in comparisons)
    if worse:
        told = names(f"{compared_text(one)} ({signed_ratio(one.change_ratio)})" for one in worse)
        text = f"Beyond what is allowed: {told}"
    else:
        text = "No figure is surely worse than is allowed"
    settled = f"{len(same)} of {len(comparisons)} surely within it"
    return f"{text}; {settled}. Lines are the intervals of the changes against {counted(runs, 'run')}."


def routes(times: Sequence[tuple[str, Quantiles]]) -> str:
    """Caption of the routes' response times, of which at least one has a poll."""
    known = [(name, one.p95 or 0.0) for name, one in times if one.n]
    slowest, p95_s = max(known, key=lambda route: route[1])
    return f"Of {len(known)} routes {plain(slowest)} had the largest p95 of the response time, {_endless(p95_s)}."
