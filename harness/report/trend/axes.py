"""Scales and ticks: values in their own unit, linear or logarithmic, and the runs by time or in their order."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

LOG_ABOVE = 12.0
"""Largest over smallest value from which a logarithmic axis shows more than a linear one."""

Tick = tuple[float, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAxis:
    """
    The upright axis.

    Args:
        low: value at the bottom; > 0 on a logarithmic axis.
        high: value at the top.
        is_log: whether it is logarithmic.
        ticks: value and text of each, from low to high.
        top: where `high` stands.
        bottom: where `low` stands.
        zero_lane: whether zeros, which have no logarithm, stand in a lane of their own below `bottom`.
    """

    low: float
    high: float
    is_log: bool
    ticks: tuple[Tick, ...]
    top: float
    bottom: float
    zero_lane: bool = False

    def at(self, value: float) -> float:
        """Return where a value stands; beyond an end, the end."""
        if self.is_log:
            if value <= 0:
                return self.bottom + (ZERO_LANE if self.zero_lane else 0.0)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.bottom - min(1.0, max(0.0, share)) * (self.bottom - self.top)

    def holds(self, value: float) -> bool:
        """Tell whether a value lies between the ends."""
        return (value <= 0 and self.zero_lane) or self.low <= value <= self.high


ZERO_LANE = 16.0
"""How far below a logarithmic axis its zeros stand."""


def value_axis(
    low: float, high: float, unit: str, *, is_log: bool, zeros: bool, top: float, bottom: float
) -> ValueAxis:
    """
    Return an axis that shows a range with some room at its ends.

    Args:
        low: smallest value to show; on a logarithmic axis the smallest positive one.
        high: largest.
        unit: as `harness.history_model.Metric.unit`.
        is_log: whether it is logarithmic.
        zeros: whether zeros have to be shown on a logarithmic axis.
        top: where its upper end stands.
        bottom: where its lower end stands, the lane of zeros included.
    """
    if is_log:
        zero_lane = zeros
        bottom -= ZERO_LANE + 6 if zeros else 0.0
        low, high = (low, high) if high > low * 1.02 else (low / 1.1, high * 1.1)
        room = (high / low) ** 0.07
        low, high = low / room, high * room
        ticks = _log_ticks(low, high, int((bottom - top) / 26))
    else:
        zero_lane = False
        nothing = low == high == 0
        low, high = _linear_range(low, high)
        ticks = [0.0] if nothing else _linear_ticks(low, high, max(2, int((bottom - top) / 44)))
    return ValueAxis(
        low=low,
        high=high,
        is_log=is_log,
        ticks=tuple(zip(ticks, tick_texts(ticks, unit), strict=True)),
        top=top,
        bottom=bottom,
        zero_lane=zero_lane,
    )


def _linear_range(low: float, high: float) -> tuple[float, float]:
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        # A constant, but for the last digits, in which a median over logarithms differs from its equal
        # values: some room to either side, so that it stands in the middle and is seen to be flat.
        reach = abs(low) * 0.1 or 1.0
        return (0.0 if low == 0 else low - reach), high + reach
    room = 0.08 * (high - low)
    # An axis that comes near zero begins there; one far above it does not, or a change of 5 % could not be seen.
    begins_at_zero = 0 <= low < 0.35 * high
    return (0.0 if begins_at_zero else low - room), high + room


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 15 - math.ceil(math.log10(abs(i * step) or 1.0))) for i in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    if high / low < 4:
        return [tick for tick in _linear_ticks(low, high, max(2, most // 2)) if tick > 0]
    for factors in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        ticks = [float(f"{tick:.6g}") for tick in ticks if low <= tick <= high]
        if len(ticks) <= max(most, 2):
            return ticks
    return ticks[:: math.ceil(len(ticks) / max(most, 2))]


_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs"), (1e-9, " ns")),
    "bytes": ((1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B")),
    "ratio": ((0.01, " %"),),
    "per_s": ((1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")),
    "count": ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, "")),
    "index": ((1.0, ""),),
}


def tick_texts(ticks: Sequence[float], unit: str) -> list[str]:
    """
    Write the ticks of one axis in one unit, all with as many digits as keep them apart.

    On an axis over many decades each tick takes the unit that fits it.
    """
    scales = _SCALES.get(unit, ((1.0, f" {unit}" if unit else ""),))
    largest = max((abs(tick) for tick in ticks), default=0.0) or 1.0
    smallest = min((abs(tick) for tick in ticks if tick), default=1.0)
    if unit == "s" and largest >= 60 > smallest:
        scales = scales[2:]
    one = next((scale for scale in scales if largest >= scale[0] * 0.9999), scales[-1])
    if largest / smallest > 1000:
        texts = []
        for tick in ticks:
            size, name = next((scale for scale in scales if abs(tick) >= scale[0] * 0.9999), scales[-1])
            texts.append(f"{tick / size:.4g}{name}" if tick else f"0{one[1]}")
        return texts
    size, name = one
    for digits in range(2, 12):
        texts = [_plain_number(tick / size, digits) + name for tick in ticks]
        if len(set(texts)) == len(set(ticks)) and all(
            math.isclose(float(text.removesuffix(name) or 0), tick / size, rel_tol=1e-9, abs_tol=1e-12)
            for text, tick in zip(texts, ticks, strict=True)
        ):
            break
    return [text.replace("-", "−") for text in texts]


def _plain_number(value: float, digits: int) -> str:
    if abs(value) >= 1e6 or 0 < abs(value) < 1e-4:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAxis:
    """
    The axis along the runs.

    Args:
        places: id of each run → where it stands.
        ticks: where and what.
        by_time: whether distances are times; else the runs stand side by side.
        gaps: stretches without a run, as ``(from, to, what)``.
        of_time: where an instant [s since the Unix epoch] stands; None outside of the axis.
    """

    places: dict[str, float]
    ticks: tuple[Tick, ...]
    by_time: bool
    gaps: tuple[tuple[float, float, str], ...]
    of_time: Callable[[float], float | None]


def run_axis(
    runs: Sequence[tuple[str, float]],
    name: Callable[[str], str],
    *,
    by_time: bool,
    left: float,
    right: float,
    tick_room: float = 96.0,
) -> RunAxis:
    """
    Place the runs along an axis.

    Args:
        runs: id and instant [s since the Unix epoch] of each, at least one, in their order.
        name: from an id to what stands below a run.
        by_time: whether distances are times.
        left: where the axis begins.
        right: where it ends.
        tick_room: least distance of two ticks.
    """
    inner = max(4.0, 0.012 * (right - left))
    if by_time:
        return _time_axis(runs, left + inner, right - inner, tick_room)
    return _order_axis(runs, name, left + inner, right - inner, tick_room=tick_room)


def _time_axis(runs: Sequence[tuple[str, float]], left: float, right: float, tick_room: float) -> RunAxis:
    first, last = min(at for _, at in runs), max(at for _, at in runs)
    if last - first < 1.0:
        middle = (left + right) / 2
        places = {record: middle + 6.0 * (i - (len(runs) - 1) / 2) for i, (record, _) in enumerate(runs)}
        text = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M")
        return RunAxis(
            places=places,
            ticks=((middle, text),),
            by_time=True,
            gaps=(),
            of_time=lambda at_s: middle if abs(at_s - first) < 1.0 else None,
        )
    span = last - first

    def place(at_s: float) -> float:
        return left + (at_s - first) / span * (right - left)

    ticks = time_ticks(first, last, max(2, int((right - left) / tick_room)))
    if len(ticks) < 2:
        ticks = [(first, _clock(first, "%Y-%m-%d")), (last, _clock(last, "%Y-%m-%d"))]
    return RunAxis(
        places={record: place(at) for record, at in runs},
        ticks=tuple((place(at), text) for at, text in ticks),
        by_time=True,
        gaps=tuple((place(a), place(b), what) for a, b, what in time_gaps([at for _, at in runs])),
        of_time=lambda at_s: place(at_s) if first <= at_s <= last else None,
    )


def _order_axis(
    runs: Sequence[tuple[str, float]], name: Callable[[str], str], left: float, right: float, *, tick_room: float
) -> RunAxis:
    last = max(len(runs) - 1, 1)
    middle = (left + right) / 2
    xs = [middle] if len(runs) == 1 else [left + i / last * (right - left) for i in range(len(runs))]
    most = max(2, int((right - left) / tick_room))
    every = max(1, math.ceil(len(runs) / most))
    times = [at for _, at in runs]
    sorted_times = times == sorted(times)

    def of_time(at_s: float) -> float | None:
        # Between two runs; commits out of the order of time leave no such place.
        if not sorted_times or not times[0] <= at_s <= times[-1]:
            return None
        i = bisect_left(times, at_s)
        return xs[i] if times[i] == at_s else (xs[i - 1] + xs[i]) / 2

    return RunAxis(
        places={record: x for (record, _), x in zip(runs, xs, strict=True)},
        ticks=tuple((xs[i], name(runs[i][0])) for i in range(0, len(runs), every)),
        by_time=False,
        gaps=(),
        of_time=of_time,
    )


def time_gaps(times: Sequence[float]) -> list[tuple[float, float, str]]:
    """
    Return the stretches in which, by the runs' own rhythm, runs are missing.

    Args:
        times: instants [s since the Unix epoch], in any order.

    Returns:
        Begin, end and length in words of each stretch of over six times the median distance between two runs that
        also takes more than a twentieth of the whole.
    """
    ordered = sorted(set(times))
    steps = [b - a for a, b in pairwise(ordered)]
    if len(steps) < 4:
        return []
    usual = sorted(steps)[len(steps) // 2]
    least = max(6 * usual, 0.05 * (ordered[-1] - ordered[0]))
    return [(a, a + step, _length(step)) for a, step in zip(ordered, steps, strict=False) if step > least]


def _length(span_s: float) -> str:
    for size, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if span_s >= 2 * size:
            return f"{span_s / size:.0f} {name}s without a run"
    return f"{span_s:.0f} seconds without a run"


_STEPS_S = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400),
)
_STEPS_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def time_ticks(first_s: float, last_s: float, most: int) -> list[tuple[float, str]]:
    """
    Return round instants of a span with their texts, in UTC.

    Args:
        first_s: begin [s since the Unix epoch].
        last_s: end.
        most: ticks that have room, at least 2.
    """
    span = last_s - first_s
    for step in _STEPS_S:
        if span / step <= most:
            shape = "%H:%M:%S" if step < 60 else "%m-%d %H:%M" if step < 86400 else "%Y-%m-%d"
            origin = 4 * 86400 if step >= 7 * 86400 else 0  # weeks begin on Mondays
            ticks = _multiples(first_s - origin, last_s - origin, step)
            return [(at + origin, _clock(at + origin, shape)) for at in ticks]
    for months in _STEPS_MONTHS:
        if span / (months * 30.44 * 86400) <= most:
            return [(at, _clock(at, "%Y-%m" if months < 12 else "%Y")) for at in _months(first_s, last_s, months)]
    return [(first_s, _clock(first_s, "%Y")), (last_s, _clock(last_s, "%Y"))]


def _multiples(first_s: float, last_s: float, step: int) -> list[float]:
    return [float(i * step) for i in range(math.ceil(first_s / step), math.floor(last_s / step) + 1)]


def _months(first_s: float, last_s: float, months: int) -> list[float]:
    begin = datetime.fromtimestamp(first_s, UTC)
    month = begin.year * 12 + begin.month - 1
    found = []
    for number in range(
        month - month % months, month + round((last_s - first_s) / 86400 / 28) + months + 2, months
    ):
        at_s = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()
        if first_s <= at_s <= last_s:
            found.append(at_s)
    return found


def _clock(at_s: float, shape: str) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at_s)).strftime(shape)
