"""The rows of the page's tables that are made of more than the summary: splits, routes, connections, waves."""

import math

from harness.columns import Columns
from harness.model import Quantiles, Result, Summary
from harness.report.parts import connect_times, quantiles3, splits_of
from harness.report.traces import Traces, all_waves, latest_order_s, waves_of
from harness.report.words import NONE, plain
from harness.units import format_count, format_duration, format_number, format_ratio


def quantile_cells(times: Quantiles) -> list[str]:
    """Return n, mean, p50, p95, p99 and the largest value as text."""
    if times.n == 0:
        return ["0", *[NONE] * 5]
    values = (times.mean, times.p50, times.p95, times.p99, times.max)
    return [format_count(times.n), *map(format_duration, values)]


def split_rows(seen: Columns, summary: Summary) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """
    Return what each quantile of the response time is made of: its name, its value, and each part with its share.

    Args:
        seen: the measured polls.
        summary: their figures.
    """
    splits = splits_of(seen, summary.response_time) if len(seen) else ()
    return [
        (
            split.name,
            format_duration(split.value_s),
            [(name, *_with_share(part_s, split.value_s)) for name, part_s in split.parts],
        )
        for split in splits
    ]


def _with_share(part_s: float, whole_s: float) -> tuple[str, str]:
    # Rounding leaves nothing of what is too short to be measured.
    value = format_duration(part_s if part_s >= 1e-9 else 0.0)
    return value, f"{100 * part_s / whole_s:.0f} %" if whole_s > 0 else NONE


def route_rows(result: Result) -> list[tuple[str, list[str]]]:
    """Return each requested route with its figures, the polled one left out; empty where there is no other."""
    return [(plain(name), _route_cells(summary)) for name, summary in sorted(result.routes.items())]


def _route_cells(summary: Summary) -> list[str]:
    times = summary.response_time
    ratio = summary.failed / summary.sent if summary.sent else None
    kinds = sorted(summary.errors_by_kind.items(), key=lambda item: (-item[1], item[0]))
    return [
        format_count(summary.sent),
        f"{format_count(summary.failed)} ({format_ratio(ratio)})" if summary.sent else NONE,
        *(format_duration(value) if times.n else NONE for value in (times.p50, times.p95, times.p99, times.max)),
        ", ".join(f"{plain(kind, longest=40)} {format_count(count)}" for kind, count in kinds) or NONE,
    ]


def connection_rows(result: Result, seen: Columns | None, traces: Traces | None) -> list[tuple[str, str]]:
    """
    Return what is known of the connections.

    Args:
        result: the finished run.
        seen: the measured polls; None for none.
        traces: holds the word on the target's keep-alive.
    """
    if seen is None or not len(seen):
        return []
    known, opened = int((seen.new_connection >= 0).sum()), int((seen.new_connection == 1).sum())
    secured = result.run.target.url.lower().startswith("https:")
    kind = "TCP and TLS" if secured else "TCP"
    rows = [
        ("Polls that opened one", f"{format_count(opened)} of {format_count(known)}" if known else "?"),
        (f"New {kind} connections per poll", format_number(opened / known) if known else "?"),
    ]
    times_s = connect_times(seen)
    if len(times_s):
        p50, p95, p99 = (format_duration(value) for value in quantiles3(times_s))
        rows.append(("Opening one took", f"p50 {p50}, p95 {p95}, p99 {p99}" + (", TLS included" * secured)))
    else:
        rows.append(("Opening one took", "? (not measured)" if opened else NONE))
    keep_alive = traces.keep_alive if traces is not None else None
    if keep_alive is not None:
        rows.append(("Keep-alive", keep_alive))
    elif known and opened < known / 2:
        rows.append(("Keep-alive", "most polls found their connection still open"))
    return rows


def wave_rows(result: Result, traces: Traces | None) -> list[tuple[str, list[str]]]:
    """
    Return each wave's pickups, and all of them together where there are several.

    Args:
        result: the finished run.
        traces: holds the pickups.
    """
    if traces is None or not traces.pickups:
        return []
    until_s = latest_order_s(result)
    waves = waves_of(traces.pickups, result.run.scenario.parameters, until_s=until_s)
    rows = [(f"Wave {wave.number}", wave) for wave in waves]
    if len(waves) > 1:
        rows.append(("All waves", all_waves(traces.pickups, until_s=until_s)))
    return [
        (
            name,
            [
                f"{wave.from_s:.1f} s",
                format_count(wave.orders),
                format_count(len(wave.times_s)),
                format_count(wave.late),
                *(_endless(value) for value in (wave.quantiles.p50, wave.quantiles.p95, wave.quantiles.max)),
            ],
        )
        for name, wave in rows
    ]


def _endless(value_s: float | None) -> str:
    return NONE if value_s is None or math.isnan(value_s) else format_duration(value_s)
