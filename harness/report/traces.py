"""What a run's folder holds besides its polls: the target's health, pickups, drift, the shape of the fleet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.columns import Floats
from harness.model import Pickup, Quantiles, Result, Run, TargetKind, TargetTick
from harness.report.parts import quantiles3
from harness.rundir import RunDirectory, decode, read_header, read_pickups, read_target_ticks
from harness.shape import Shape, shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSeries:
    """
    One watched series of a soak, and what became of it.

    Args:
        name: such as ``memory``.
        subject: what it is, in words.
        unit: of the values: ``s``, ``bytes``, or a noun.
        times_s: the middle of each slice [s since the run's origin].
        values: of the same length.
        slope_per_s: of the straight line through it, in its unit a second; None when too few slices tell.
        change_ratio: slope × length, relative to the median; None likewise, or where the median is 0.
        drifts: whether it surely goes somewhere, and by enough to matter.
    """

    name: str
    subject: str
    unit: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]
    slope_per_s: float | None
    change_ratio: float | None
    drifts: bool

    @property
    def grows(self) -> bool:
        """Whether it surely goes up."""
        return self.drifts and (self.slope_per_s or 0.0) > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """
    What a report draws besides polls and the generator's health. Everything is empty in folders of before.

    Args:
        target: how an embedded target fared.
        pickups: how deployments came to their agents.
        drift: the watched series of a soak.
        shape: when each agent takes part; None when not known.
        keep_alive: what the polls tell of the target's keep-alive, one sentence; None for nothing.
    """

    target: tuple[TargetTick, ...] = ()
    pickups: tuple[Pickup, ...] = ()
    drift: tuple[DriftSeries, ...] = ()
    shape: Shape | None = None
    keep_alive: str | None = None


def read_traces(directory: RunDirectory) -> Traces:
    """
    Read what there is; files that older versions did not write are simply not there.

    Raises:
        HarnessError: a file can't be read, or makes no sense.
    """
    header = read_header(directory.samples) if directory.samples.exists() else None
    return Traces(
        target=read_target_ticks(directory.target_ticks),
        pickups=read_pickups(directory.pickups),
        drift=_read_drift(directory),
        shape=None if header is None else shape_of(header),
    )


class _Fit(msgspec.Struct):
    slope_per_s: float | None
    change_ratio: float | None
    drifts: bool


class _Stored(msgspec.Struct):
    name: str
    subject: str
    unit: str
    times_s: tuple[float, ...]
    values: tuple[float, ...]
    drift: _Fit


def _read_drift(directory: RunDirectory) -> tuple[DriftSeries, ...]:
    path = directory.drift
    if not path.exists():
        return ()
    stored = decode(path.read_bytes(), dict[str, _Stored], path=path)
    return tuple(
        DriftSeries(
            name=one.name,
            subject=one.subject,
            unit=one.unit,
            times_s=one.times_s,
            values=one.values,
            slope_per_s=one.drift.slope_per_s,
            change_ratio=one.drift.change_ratio,
            drifts=one.drift.drifts,
        )
        for one in stored.values()
        if len(one.times_s) == len(one.values)
    )


def outage_of(run: Run) -> tuple[float, float] | None:
    """
    Return when the target was away on purpose [s since the run's origin].

    Returns:
        From the planned instant to the one at which it answered again, or to the run's end where it never did;
        None without an outage of ours.
    """
    planned = run.scenario.parameters.get("down_at_s")
    end_s = run.scenario.run_time_s if run.ended_s is None else run.ended_s
    if not isinstance(planned, int | float) or run.target.kind is not TargetKind.EMBEDDED or planned >= end_s:
        return None
    until_s = end_s if run.back_s is None else run.back_s
    return (float(planned), until_s) if until_s > planned else None


def active_steps(shape: Shape, end_s: float) -> tuple[Floats, Floats]:
    """
    Return how many agents are to take part, as a step function.

    Args:
        shape: says when each is there.
        end_s: where it ends [s since the run's origin].

    Returns:
        Instants from 0 to `end_s`, and the number from each of them on; one shorter.
    """
    changes: dict[float, int] = {0.0: 0}
    for agent in range(shape.agents):
        for from_s, until_s in shape.windows(agent):
            if from_s < end_s:
                changes[max(from_s, 0.0)] = changes.get(max(from_s, 0.0), 0) + 1
                if until_s < end_s:
                    changes[until_s] = changes.get(until_s, 0) - 1
    edges = sorted(changes)
    counts = np.cumsum([changes[edge] for edge in edges]).astype(np.float64)
    return np.array([*edges, end_s]), counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """
    Deployments that were ordered together.

    Args:
        number: from 1 on; 0 for all waves together.
        from_s: when the first was ordered [s since the run's origin].
        orders: how many.
        late: how many of them so shortly before the end that a punctual agent may not have come by.
        created_s: when each was ordered that was fetched.
        times_s: its time to pickup, in the same order.
        lost_s: when each was ordered that nobody fetched.
        judged_s: times to pickup without those ordered late, ascending; infinite for one that nobody fetched.
        quantiles: of these.
    """

    number: int
    from_s: float
    orders: int
    late: int
    created_s: Floats
    times_s: Floats
    lost_s: Floats
    judged_s: Floats
    quantiles: Quantiles


def latest_order_s(result: Result) -> float:
    """Return until when an order is early enough for a punctual agent to come by before the measured part ends."""
    return result.summary.window_end_s - result.run.scenario.interval_s


def waves_of(
    pickups: Sequence[Pickup], parameters: Mapping[str, float | str], *, until_s: float
) -> tuple[Wave, ...]:
    """
    Sort pickups into the waves they were ordered in.

    Args:
        pickups: in any order.
        parameters: the scenario's; without ``wave_at_s`` and ``wave_every_s`` all are one wave.
        until_s: what was ordered later is late [s since the run's origin].
    """
    at_s, every_s = (_number(parameters, name) for name in ("wave_at_s", "wave_every_s"))
    groups: dict[int, list[Pickup]] = {}
    for pickup in pickups:
        number = int((pickup.created_s - at_s) // every_s) + 1 if every_s > 0 else 1
        groups.setdefault(max(number, 1), []).append(pickup)
    return tuple(_wave(number, groups[number], until_s) for number in sorted(groups))


def _number(parameters: Mapping[str, float | str], name: str) -> float:
    value = parameters.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def all_waves(pickups: Sequence[Pickup], *, until_s: float) -> Wave:
    """Return all pickups as one; see `waves_of`."""
    return _wave(0, pickups, until_s)


def _wave(number: int, pickups: Sequence[Pickup], until_s: float) -> Wave:
    created_s = np.array([one.created_s for one in pickups], dtype=np.float64)
    times_s = np.array(
        [np.inf if one.time_to_pickup_s is None else one.time_to_pickup_s for one in pickups], dtype=np.float64
    )
    fetched, late = np.isfinite(times_s), created_s > until_s
    judged_s = np.sort(times_s[~late])
    p50, p95, p99 = quantiles3(judged_s) if len(judged_s) else (None, None, None)
    finite = judged_s[np.isfinite(judged_s)]
    return Wave(
        number=number,
        from_s=float(created_s.min(initial=np.inf)) if len(created_s) else 0.0,
        orders=len(pickups),
        late=int(late.sum()),
        created_s=created_s[fetched],
        times_s=times_s[fetched],
        lost_s=created_s[~fetched],
        judged_s=judged_s,
        quantiles=Quantiles(
            n=len(judged_s),
            mean=float(finite.mean()) if len(finite) else None,
            p50=p50,
            p95=p95,
            p99=p99,
            max=float(judged_s[-1]) if len(judged_s) else None,
        ),
    )
