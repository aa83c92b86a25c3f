"""
The records of the third flow: what became of a metric over many runs. Frozen; `None` is unknown and never 0.

::

    Result, benchmark files ─▶ HistoryRecord … ─▶ Series(Point …) ─▶ SeriesTrend(Segment, Change) ─▶ Trend
                                                └─▶ Comparison of one run with its baseline

One run makes one `HistoryRecord`, which is never changed. Everything else here is derived from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from harness.model import Direction, Interval, Status
from monitoring.histogram import Histogram

HISTORY_SCHEMA_VERSION = 1
"""Version of every file in a history. A reader refuses a newer one by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """
    One figure of one run.

    Args:
        subject: what it was measured on: a route template, an index, a benchmark's name.
        metric: such as ``response_time`` or ``errors(timeout)``; the words of the gates where the metric is one of
            theirs.
        quantile: q in (0, 1]; None for figures that are no quantile.
        value: in `unit`; None when it was not to be had, infinite when so many polls failed.
        unit: ``s``, ``ratio``, ``per_s``, ``bytes``, ``count`` or ``index``; what an importer found otherwise.
        direction: which side is the better one: ``below`` smaller, ``above`` larger, ``near`` neither.
        n: observations behind it; None when not known.
        interval: confidence interval of `value`, same unit.
        limit: what a gate compared it with in that run; None without a gate.
        exceedances: observations beyond `limit`, counted exactly; None where nothing was counted.
        extra: what the file that it was imported from said besides, as text.
    """

    subject: str
    metric: str
    quantile: float | None
    value: float | None
    unit: str
    direction: Direction = Direction.BELOW
    n: int | None = None
    interval: Interval | None = None
    limit: float | None = None
    exceedances: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """
    All values of one metric of one run, so that an old run can be judged under a new gate.

    Args:
        subject: as in `Metric`.
        metric: as in `Metric`.
        unit: as in `Metric`.
        n: observations, the failed ones included.
        failures: of these, how many failed and so exceed every limit.
        tau: integrated autocorrelation time, ≥ 1; None when it was not to be had.
        histogram: the values of those that did not fail.
    """

    subject: str
    metric: str
    unit: str
    n: int
    failures: int
    tau: float | None
    histogram: Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecord:
    """
    One run, as the history keeps it.

    Args:
        schema_version: see `HISTORY_SCHEMA_VERSION`.
        id: unique and sorting by time, such as ``20261123T083000Z-3f9a``.
        at_utc: when the run began, ISO 8601 in UTC.
        source: what made it: ``harness``, ``pytest-benchmark``, ``k6`` …
        commit: full or short git commit; None when not known.
        commit_utc: the commit's own time, ISO 8601 in UTC.
        dirty: whether tracked files differed from it.
        branch: git branch.
        version: release of what was measured.
        environment_key: equal for runs whose timings compare; None when not known.
        environment: what the key was made from, and the library versions, as text.
        scenario: name of the scenario.
        scenario_digest: equal for runs of the same work.
        target: kind and database of what was measured, as text for people; never a URL with credentials.
        status: the run's verdict; None where nothing was judged.
        report: where its report lies, relative to the history or as a URL.
        metrics: its figures.
        distributions: its distributions.
        notes: what a person should know of it, one sentence each.
        complete: whether the run came to its end; one that did not is no baseline and no point of a series.
        injected: the fault that was put into its target on purpose, as text; None for none. Such a run may be
            compared with a baseline, and is itself no baseline and no point of a series.
        extra: what the file that it was imported from said besides, as text.
    """

    schema_version: int
    id: str
    at_utc: str
    source: str
    commit: str | None = None
    commit_utc: str | None = None
    dirty: bool | None = None
    branch: str | None = None
    version: str | None = None
    environment_key: str | None = None
    environment: Mapping[str, str]
    scenario: str | None = None
    scenario_digest: str | None = None
    target: str | None = None
    status: Status | None = None
    report: str | None = None
    metrics: tuple[Metric, ...]
    distributions: tuple[Distribution, ...] = ()
    notes: tuple[str, ...] = ()
    complete: bool = True
    injected: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SeriesKey:
    """
    What makes two figures comparable: the same thing measured the same way on the same kind of machine.

    Args:
        subject: as in `Metric`.
        metric: as in `Metric`.
        quantile: 0 stands for figures that are no quantile, so that keys sort.
        scenario: name and digest, such as ``agent-polling@3fa9c1``; empty when there is none.
        environment_key: empty when not known.
    """

    subject: str
    metric: str
    quantile: float
    scenario: str
    environment_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """
    Somebody's word that a change is wanted: the series starts anew at this run.

    Args:
        schema_version: see `HISTORY_SCHEMA_VERSION`.
        id: unique, sorting by time.
        at_utc: when it was said.
        series: the series' label, or a pattern with ``*``, that it holds for.
        record: id of the first run of the new segment.
        reason: why, in a person's words.
    """

    schema_version: int
    id: str
    at_utc: str
    series: str
    record: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """
    Something that happened and belongs on the charts: a release, a new machine.

    Args:
        schema_version: see `HISTORY_SCHEMA_VERSION`.
        id: unique, sorting by time.
        at_utc: when it happened.
        text: what, in a few words.
        is_release: whether it is a release.
    """

    schema_version: int
    id: str
    at_utc: str
    text: str
    is_release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """
    One run in a series.

    Args:
        record: id of the run.
        at_s: when it began [s since the Unix epoch].
        value: in the series' unit; always finite, what is not was left out and counted in `Series.left_out`.
        low: lower bound of its confidence interval; None when not known.
        high: upper bound.
        commit: as in `HistoryRecord`.
        dirty: as in `HistoryRecord`.
        version: as in `HistoryRecord`.
        status: the run's verdict.
        report: where its report lies.
        limit: what a gate compared it with.
    """

    record: str
    at_s: float
    value: float
    low: float | None = None
    high: float | None = None
    commit: str | None = None
    dirty: bool | None = None
    version: str | None = None
    status: Status | None = None
    report: str | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """
    One metric over the runs, in the order that was asked for (by time, or by commit).

    Args:
        key: what it is.
        label: short and unique among the series shown together.
        unit: as in `Metric`.
        direction: as in `Metric`.
        points: at least one.
        left_out: runs without a usable value: id → why.
        control: whether it is a control: something frozen that tells of the machine alone.
        notes: what was done to make its points comparable (a unit converted, a name changed), one sentence each.
    """

    key: SeriesKey
    label: str
    unit: str
    direction: Direction
    points: tuple[Point, ...]
    left_out: Mapping[str, str]
    control: bool = False
    notes: tuple[str, ...] = ()


class ChangeState(StrEnum):
    """How sure a change is."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"


class ChangeKind(StrEnum):
    """What changed."""

    STEP = "step"
    DRIFT = "drift"
    VARIANCE = "variance"


class Cause(StrEnum):
    """Whether the thing measured changed, or the machine it ran on."""

    SUBJECT = "subject"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    A change point of a series.

    Args:
        index: of the first point after the change.
        kind: step, drift or change of the spread.
        state: suspected while fewer than five points lie after it, or the evidence is thin.
        cause: environment when the controls moved with it.
        before: median of the segment before [unit of the series].
        after: median of the segment after.
        effect_ratio: after / before − 1; None where before is 0.
        effect_interval: confidence interval of `effect_ratio`.
        p_value: of the permutation test.
        last_before: id of the last run that surely lies before.
        first_after: id of the first run that surely lies after.
        is_regression: whether it went to the worse side.
        accepted: the reason of an `Acceptance`; None when nobody accepted it.
        fails: whether it fails its series: a confirmed regression of a subject that still stands and that nobody
            accepted.
    """

    index: int
    kind: ChangeKind
    state: ChangeState
    cause: Cause
    before: float
    after: float
    effect_ratio: float | None
    effect_interval: Interval | None
    p_value: float
    last_before: str
    first_after: str
    is_regression: bool
    accepted: str | None = None
    fails: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """
    A stretch of a series between change points.

    Args:
        start: index of its first point.
        end: index after its last one.
        median: of its points [unit of the series].
        low: lower bound of where single runs are expected; None with too few points.
        high: upper bound.
        slope_per_point: for a drifting segment [unit of the series]; None for a level one.
    """

    start: int
    end: int
    median: float
    low: float | None
    high: float | None
    slope_per_point: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """
    A series and what was found in it.

    Args:
        series: the points.
        segments: in order, together all points; a single one where nothing changed.
        changes: in order of `Change.index`.
        outliers: indices of points far from their own segment.
        lag1: autocorrelation at lag one within the segments; None with too few points.
        not_judged: why the series was not searched for changes; None when it was.
        warnings: what a person should know, one sentence each.
    """

    series: Series
    segments: tuple[Segment, ...]
    changes: tuple[Change, ...]
    outliers: tuple[int, ...]
    lag1: float | None
    not_judged: str | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """
    All series together.

    Args:
        status: FAIL with a confirmed, unaccepted regression of a subject; INCONCLUSIVE when nothing was judged.
        series: in the order they are shown.
        notes: releases and events, by time.
        stale: what is too old to be a baseline, one sentence each.
        left_out: what could not be read or shown: records, acceptances and controls that fit nothing, figures
            without a usable value: name → why.
    """

    status: Status
    series: tuple[SeriesTrend, ...]
    notes: tuple[Note, ...]
    stale: tuple[str, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """
    One metric of one run (or several) against its baseline. The run is the unit.

    Args:
        subject: as in `Metric`.
        metric: as in `Metric`.
        quantile: as in `Metric`.
        unit: as in `Metric`.
        direction: as in `Metric`: which side the limit is on; ``near`` for both.
        status: PASS, FAIL or INCONCLUSIVE against `limit_ratio`.
        baseline_n: runs in the baseline.
        contender_n: runs compared with it.
        baseline: geometric mean of the baseline's values [unit]; None without a baseline.
        contender: geometric mean of the contenders' values [unit].
        change_ratio: contender / baseline − 1; corrected by the control where there is one.
        interval: confidence interval of `change_ratio`.
        expected: prediction interval, where a contender like the baseline would lie [unit].
        limit_ratio: largest change for the worse that is allowed.
        detectable_ratio: smallest change that this comparison sees with 80 % power; None when unbounded.
        control: label of the control series that was used; None without.
        reason: one sentence that says why the status is what it is.
        remedy: what would settle or cure it; None for a plain PASS.
    """

    subject: str
    metric: str
    quantile: float | None
    unit: str
    direction: Direction = Direction.BELOW
    status: Status
    baseline_n: int
    contender_n: int
    baseline: float | None
    contender: float | None
    change_ratio: float | None
    interval: Interval | None
    expected: Interval | None
    limit_ratio: float
    detectable_ratio: float | None
    control: str | None
    reason: str
    remedy: str | None
