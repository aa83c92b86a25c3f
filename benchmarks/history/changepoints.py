"""
Print the tables of docs/change-points.md: how often a change is found where there is none, and found where there
is one.

``python -m benchmarks.history.changepoints``, or some parts of it: ``null``, ``correlated``, ``power``,
``many``, ``other``, ``public``, ``speed``. All of it takes about six minutes on one core.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.columns import Floats
from harness.history.trend import judge_trend
from harness.history_model import ChangeKind, ChangeState, Point, Series, SeriesKey, SeriesTrend
from harness.model import Direction

NOISE = 0.03
"""Spread of a run beside its level, relative."""

DATA = Path(__file__).resolve().parents[2] / "tests" / "data" / "changepoints"
MARGIN = 5
"""
A change counts as found when it is told within so many points of the documented one, as in the field's
benchmarks.
"""


def normal(rng: np.random.Generator, n: int) -> Floats:
    return rng.normal(size=n)


def lognormal(rng: np.random.Generator, n: int) -> Floats:
    return np.asarray(np.exp(rng.normal(0, 0.5, size=n)) / 0.6)


def t3(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_t(3, size=n)


def bimodal(rng: np.random.Generator, n: int) -> Floats:
    return rng.normal(size=n) + 4.0 * (rng.random(n) < 0.4)


def correlated(rho: float) -> Callable[[np.random.Generator, int], Floats]:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        shocks = rng.normal(size=n + 100)
        values = np.empty_like(shocks)
        values[0] = shocks[0]
        for i in range(1, len(shocks)):
            values[i] = rho * values[i - 1] + np.sqrt(1 - rho * rho) * shocks[i]
        return values[100:]

    return draw


SHAPES = {"normal": normal, "lognormal": lognormal, "t3": t3, "bimodal": bimodal}


def series_of_values(values: Sequence[float] | Floats, label: str = "series", *, control: bool = False) -> Series:
    """Return a series whose runs are called r00000, r00001 …"""
    points = tuple(Point(record=f"r{i:05d}", at_s=float(i), value=float(v)) for i, v in enumerate(values))
    key = SeriesKey(subject=label, metric="response_time", quantile=0.95, scenario="", environment_key="e")
    return Series(
        key=key, label=label, unit="s", direction=Direction.BELOW, points=points, left_out={}, control=control
    )


def judged(values: Sequence[float] | Floats) -> SeriesTrend:
    """Return what is found in a single series."""
    return judge_trend([series_of_values(values)], now_s=0.0).series[0]


def levels(draw: Callable[[np.random.Generator, int], Floats], rng: np.random.Generator, n: int) -> Floats:
    """Return n positive values about 1 with the shape of a noise and a spread of `NOISE`."""
    return np.asarray(np.exp(NOISE * draw(rng, n)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Shares of series, 0..1: any change told, one told as confirmed."""

    any_change: float
    confirmed: float


def false_changes(
    draw: Callable[[np.random.Generator, int], Floats], *, n: int, runs: int, seed: int = 1
) -> Shares:
    """Return how often something is told of series in which nothing happened."""
    told = [judged(levels(draw, np.random.default_rng(seed + i), n)).changes for i in range(runs)]
    return Shares(
        any_change=sum(bool(changes) for changes in told) / runs,
        confirmed=sum(any(c.state is ChangeState.CONFIRMED for c in changes) for changes in told) / runs,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What became of a planted step.

    Args:
        told: share of series in which a step was told within `MARGIN` points of it.
        confirmed: share in which it was told as confirmed.
        in_range: share of the told ones whose range of runs holds the true place.
        in_interval: share of the told ones whose interval holds the true size.
        alone: share of the told ones in which nothing else was told.
    """

    told: float
    confirmed: float
    in_range: float
    in_interval: float
    alone: float


def find_step(
    *,
    before: int,
    after: int,
    size: float,
    runs: int,
    draw: Callable[[np.random.Generator, int], Floats] = normal,
    seed: int = 1,
) -> Found:
    """Plant a step and count how often it is found."""
    told = confirmed = in_range = in_interval = alone = 0
    for i in range(runs):
        values = levels(draw, np.random.default_rng(seed + i), before + after)
        values[before:] *= 1 + size
        trend = judged(values)
        steps = [c for c in trend.changes if c.kind is ChangeKind.STEP and abs(c.index - before) <= MARGIN]
        if not steps:
            continue
        step = steps[0]
        told += 1
        confirmed += step.state is ChangeState.CONFIRMED
        in_range += int(step.last_before[1:]) < before <= int(step.first_after[1:])
        interval = step.effect_interval
        in_interval += interval is not None and (interval.low or 0) <= size <= (interval.high or 0)
        alone += len(trend.changes) == 1
    return Found(
        told=told / runs,
        confirmed=confirmed / runs,
        in_range=in_range / max(1, told),
        in_interval=in_interval / max(1, told),
        alone=alone / max(1, told),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """
    Of many series judged together: real regressions found, a trial's mean of series falsely told, and of
    verdicts.
    """

    found_ratio: float
    all_found_ratio: float
    false_series: float


def many_series(
    *, series: int = 200, points: int = 60, real: int = 5, size: float = 0.10, trials: int, seed: int = 1
) -> Many:
    """Judge many series together, in a few of which something happened."""
    found = all_found = wrong = 0
    for trial in range(trials):
        rng = np.random.default_rng(seed + trial)
        drawn = []
        for i in range(series):
            values = levels(normal, rng, points)
            if i < real:
                values[points - 20 :] *= 1 + size
            drawn.append(series_of_values(values, f"s{i:03d}"))
        trends = judge_trend(drawn, now_s=0.0).series
        hits = sum(any(abs(c.index - (points - 20)) <= MARGIN for c in trend.changes) for trend in trends[:real])
        found += hits
        all_found += hits == real
        wrong += sum(bool(trend.changes) for trend in trends[real:])
    return Many(
        found_ratio=found / (real * trials), all_found_ratio=all_found / trials, false_series=wrong / trials
    )


def other_happenings(*, runs: int, seed: int = 1) -> dict[str, dict[str, float]]:
    """Return, for things that are no step, the share of series in which each kind of change is told."""

    def drift(rng: np.random.Generator) -> Floats:
        return levels(normal, rng, 60) * np.linspace(1, 1.2, 60)

    def outliers(rng: np.random.Generator) -> Floats:
        values = levels(normal, rng, 60)
        values[rng.choice(60, 3, replace=False)] *= 2
        return values

    def noisier(rng: np.random.Generator) -> Floats:
        values = levels(normal, rng, 60)
        values[30:] = np.exp(4 * NOISE * rng.normal(size=30))
        return values

    def step(rng: np.random.Generator) -> Floats:
        values = levels(normal, rng, 60)
        values[30:] *= 1.1
        return values

    happenings = {
        "step of 10 % in the middle": step,
        "drift of 20 % over 60 runs": drift,
        "3 outliers of twice the value": outliers,
        "noise 4 times as wide": noisier,
    }
    shares = {}
    for name, draw in happenings.items():
        kinds = [{c.kind for c in judged(draw(np.random.default_rng(seed + i))).changes} for i in range(runs)]
        shares[name] = {kind.value: sum(kind in told for told in kinds) / runs for kind in ChangeKind}
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """A public series: its documented steps, those told, and both in the field's measures."""

    name: str
    points: int
    documented: tuple[int, ...]
    told: tuple[int, ...]
    others: tuple[str, ...]
    precision: float
    recall: float
    f1: float


def public_series(folder: Path = DATA) -> list[Public]:
    """Judge the public series with known changes, each by itself."""
    found = []
    for name, documented in json.loads((folder / "documented.json").read_text(encoding="utf-8")).items():
        stored = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        trend = judged(stored["values"])
        steps = tuple(c.index for c in trend.changes if c.kind is ChangeKind.STEP)
        others = tuple(f"{c.kind.value} at {c.index}" for c in trend.changes if c.kind is not ChangeKind.STEP)
        precision, recall = precision_recall(documented, steps)
        both = precision + recall
        found.append(
            Public(
                name=name,
                points=len(stored["values"]),
                documented=tuple(documented),
                told=steps,
                others=others,
                precision=precision,
                recall=recall,
                f1=2 * precision * recall / both if both else 0.0,
            )
        )
    return found


def precision_recall(documented: Sequence[int], told: Sequence[int], margin: int = MARGIN) -> tuple[float, float]:
    """
    Return precision and recall with a margin; each documented change is found once at most, and the start counts
    as one.

    Source: G. J. J. van den Burg, C. K. I. Williams, "An evaluation of change point detection algorithms" (2020).
    """
    truth, answers = {0, *documented}, {0, *told}
    left = set(answers)
    hits = 0
    for place in sorted(truth):
        near = [answer for answer in left if abs(answer - place) <= margin]
        if near:
            left.remove(min(near, key=lambda answer: abs(answer - place)))
            hits += 1
    return hits / len(answers), hits / len(truth)


def print_null() -> None:
    print("\nNothing happened: series in which a change is told (confirmed), of 1,000 each [%]\n")
    print("| noise | n = 30 | n = 100 | n = 300 |\n|---|---:|---:|---:|")
    for name, draw in SHAPES.items():
        cells = [false_changes(draw, n=n, runs=1000) for n in (30, 100, 300)]
        print(
            f"| {name} | "
            + " | ".join(f"{100 * c.any_change:.1f} ({100 * c.confirmed:.1f})" for c in cells)
            + " |"
        )


def print_correlated() -> None:
    print("\nNothing happened, neighbours resemble each other: told (confirmed), of 600 each [%]\n")
    print("| AR(1) | n = 30 | n = 100 | n = 300 |\n|---|---:|---:|---:|")
    for rho in (0.3, 0.5, 0.7):
        cells = [false_changes(correlated(rho), n=n, runs=600) for n in (30, 100, 300)]
        print(
            f"| {rho} | " + " | ".join(f"{100 * c.any_change:.1f} ({100 * c.confirmed:.1f})" for c in cells) + " |"
        )
    print("\nWhat that costs: a step with 30 runs on either side, noise 3 %, told (confirmed), of 400 each [%]\n")
    print("| step | independent | AR(1) 0.3 | AR(1) 0.5 | AR(1) 0.7 |\n|---|---:|---:|---:|---:|")
    for size in (0.05, 0.10):
        draws = (normal, correlated(0.3), correlated(0.5), correlated(0.7))
        found = [find_step(before=30, after=30, size=size, runs=400, draw=draw) for draw in draws]
        print(
            f"| {size:.0%} | " + " | ".join(f"{100 * c.told:.0f} ({100 * c.confirmed:.0f})" for c in found) + " |"
        )


def print_power() -> None:
    print("\nA step, noise 3 %, of 1,000 series each [%]\n")
    print("| before | after | step | told | confirmed | place in range | size in interval | nothing else told |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    cases = ((30, 2, 0.1), (30, 3, 0.1), (30, 5, 0.1), (60, 5, 0.1), (30, 30, 0.1), (30, 30, 0.05), (15, 15, 0.05))
    for before, after, size in cases:
        c = find_step(before=before, after=after, size=size, runs=1000)
        shares = (c.told, c.confirmed, c.in_range, c.in_interval, c.alone)
        print(f"| {before} | {after} | {size:.0%} | " + " | ".join(f"{100 * s:.1f}" for s in shares) + " |")


def print_many() -> None:
    c = many_series(trials=40)
    print("\n200 series of 60 runs judged together, 5 with a real step of 10 % and 20 runs after it, 40 trials:")
    print(
        f"found {100 * c.found_ratio:.1f} %, all five in {100 * c.all_found_ratio:.0f} % of the trials, "
        f"{c.false_series:.2f} series falsely told on average"
    )


def print_other() -> None:
    print("\nWhat is told of 60 runs, 400 series each [%]\n")
    print("| what happened | step | drift | spread |\n|---|---:|---:|---:|")
    for name, kinds in other_happenings(runs=400).items():
        print(f"| {name} | " + " | ".join(f"{100 * kinds[kind.value]:.0f}" for kind in ChangeKind) + " |")


def print_public() -> None:
    print(f"\nPublic series with documented steps, margin {MARGIN} points\n")
    print("| series | runs | documented | told | besides | precision | recall | F1 |")
    print("|---|---:|---|---|---|---:|---:|---:|")
    for one in public_series():
        documented, told = (", ".join(map(str, places)) for places in (one.documented, one.told))
        scores = f"{one.precision:.2f} | {one.recall:.2f} | {one.f1:.2f}"
        print(f"| {one.name} | {one.points} | {documented} | {told} | {', '.join(one.others) or '–'} | {scores} |")


def print_speed() -> None:
    print("\nTime to judge 200 series of 1,000 runs [s]\n")
    print("| series with a step | elapsed | processor |\n|---:|---:|---:|")
    for share in (0.0, 0.1, 1.0):
        rng = np.random.default_rng(1)
        drawn = []
        for i in range(200):
            values = levels(normal, rng, 1000)
            if i < 200 * share:
                values[500:] *= 1.1
            drawn.append(series_of_values(values, f"s{i:03d}"))
        wall, cpu = time.perf_counter(), time.process_time()
        judge_trend(drawn, now_s=0.0)
        print(f"| {200 * share:.0f} | {time.perf_counter() - wall:.1f} | {time.process_time() - cpu:.1f} |")


PARTS = {
    "null": print_null,
    "correlated": print_correlated,
    "power": print_power,
    "many": print_many,
    "other": print_other,
    "public": print_public,
    "speed": print_speed,
}


def main(parts: Sequence[str]) -> int:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"part '{unknown[0]}': unknown, need one of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    for part in parts or PARTS:
        PARTS[part]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
