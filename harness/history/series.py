"""
Series out of records: one metric over the runs, in one unit, with what had to be left out and why.

Nothing is judged here. A run that can't be a point is never dropped in silence: it stands in `Series.left_out`.
"""

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from harness.history.index import Figure, Figures
from harness.history.records import instant_s
from harness.history.series_names import Renames, full_name, labels, matches, rename, scenario_text, without_match
from harness.history.series_units import canonical_unit, converted
from harness.history.store import History
from harness.history_model import HistoryRecord, Metric, Point, Series, SeriesKey
from harness.model import Direction, Status

FUTURE_TOLERANCE_S = 86_400.0
"""A run dated further ahead than this was made by a clock that was wrong: its place in the order is not known."""

_ANY = ("*",)
_NO_VALUE = "no value"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFilter:
    """
    Which figures are wanted.

    Args:
        environment: key of the only environment; None for all, each a series of its own.
        subjects: patterns with ``*``; one of them has to fit.
        metrics: the same.
        scenarios: the same, for the scenario's name.
        since_s: only runs from this instant on [s since the Unix epoch].
        branch: only runs of this branch; None for all.
    """

    environment: str | None = None
    subjects: tuple[str, ...] = _ANY
    metrics: tuple[str, ...] = _ANY
    scenarios: tuple[str, ...] = _ANY
    since_s: float | None = None
    branch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesReading:
    """
    The series of a history.

    Args:
        series: by label.
        left_out: records that could not be read: name → why.
        no_points: what is no series, because none of its runs has a usable value: name → why in the latest.
        fit_nothing: patterns that none of the runs' names fits, such as ``metric 'x'`` → that, and which is meant.
    """

    series: tuple[Series, ...]
    left_out: Mapping[str, str]
    no_points: Mapping[str, str]
    fit_nothing: Mapping[str, str]


def read_series(
    history: History,
    *,
    order: str = "time",
    wanted: SeriesFilter | None = None,
    controls: Iterable[str] = (),
    renames: Renames | None = None,
    now_s: float | None = None,
) -> SeriesReading:
    """
    Read the series of a history, record by record: a large one needs the memory of its points only.

    Args: as `series_of`.

    Raises:
        HarnessError: the history can't be read.
    """
    now_s = time.time() if now_s is None else now_s
    left_out: dict[str, str] = {}
    gathering = _Gathering(wanted or SeriesFilter(), renames or {}, now_s)
    series, no_points = _gather(history.scan_figures(left_out), gathering, order, controls)
    return SeriesReading(
        series=series, left_out=left_out, no_points=no_points, fit_nothing=gathering.fit_nothing()
    )


def series_of(
    records: Iterable[HistoryRecord],
    *,
    order: str = "time",
    wanted: SeriesFilter | None = None,
    controls: Iterable[str] = (),
    renames: Renames | None = None,
    now_s: float | None = None,
) -> tuple[Series, ...]:
    """
    Gather records into series.

    Args:
        records: in any order; one that comes twice counts once.
        order: ``time`` for the order of the runs, ``commit`` for that of their commits' own times; runs of
            one commit stay in the order of time, and a run without a commit's time stands at its own.
        wanted: which figures; None for all.
        controls: patterns with ``*`` for the subjects, or the labels, of frozen things that tell of the machine.
        renames: see `Renames`.
        now_s: against which runs are future-dated [s since the Unix epoch]; None for now.

    Returns:
        The series with at least one point, by label. Values are in the project's own unit where the unit is known
        (milliseconds become seconds), so a unit that changed within its kind changes no value. After a
        change to a unit of another kind, the older part is a series of its own, named after its unit.
    """
    gathering = _Gathering(wanted or SeriesFilter(), renames or {}, time.time() if now_s is None else now_s)
    series, _ = _gather(((record, record.metrics) for record in records), gathering, order, controls)
    return series


def _gather(
    records: Iterable[tuple[HistoryRecord, Figures]], gathering: "_Gathering", order: str, controls: Iterable[str]
) -> tuple[tuple[Series, ...], dict[str, str]]:
    """Return the series by label, and what has no point: name → why."""
    for record, figures in records:
        gathering.add(record, figures)
    builders = list(gathering.by_unit())
    built = [builder.build(order) for builder in builders if builder.points]
    named = labels(series.key for series in built)
    patterns = tuple(controls)
    series = [
        replace(
            one,
            label=named[one.key],
            control=matches(one.key.subject, patterns) or matches(named[one.key], patterns),
        )
        for one in built
    ]
    no_points = {
        full_name(builder.key): next(reversed(builder.left_out.values()))
        for builder in builders
        if not builder.points
    }
    return tuple(sorted(series, key=lambda one: one.label)), no_points


@dataclass(slots=True)
class _Builder:
    """A series while it is gathered: points with the instant that orders them."""

    key: SeriesKey
    unit: str
    direction: Direction = Direction.BELOW
    latest_s: float = -math.inf
    points: list[tuple[float, str, Point]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    units: dict[str, None] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    doubles: int = 0

    def add(
        self, record: HistoryRecord, metric: Metric | Figure, *, at_s: float, commit_s: float, unfit: str | None
    ) -> None:
        """Take one figure of one run; what can't be a point is left out by the run's id."""
        fault = unfit or _no_value(metric.value)
        if fault is not None or metric.value is None:
            self.left_out[record.id] = fault or _NO_VALUE
            return
        if self.points and self.points[-1][2].record == record.id:
            self.doubles += 1
            return
        if at_s >= self.latest_s:
            self.latest_s, self.direction = at_s, metric.direction
        self.units[metric.unit] = None
        if metric.subject != self.key.subject:
            self.names[metric.subject] = None
        if metric.metric != self.key.metric:
            self.names[metric.metric] = None
        _, factor = canonical_unit(metric.unit)
        interval = metric.interval
        point = Point(
            record=record.id,
            at_s=at_s,
            value=converted(metric.value, factor),
            low=None if interval is None or interval.low is None else converted(interval.low, factor),
            high=None if interval is None or interval.high is None else converted(interval.high, factor),
            commit=record.commit,
            dirty=record.dirty,
            version=record.version,
            status=record.status,
            report=record.report,
            limit=None if metric.limit is None else converted(metric.limit, factor),
        )
        self.points.append((commit_s, record.commit or "", point))

    def build(self, order: str) -> Series:
        if order == "commit":
            self.points.sort(key=lambda entry: (entry[0], entry[1], entry[2].at_s, entry[2].record))
        else:
            self.points.sort(key=lambda entry: (entry[2].at_s, entry[2].record))
        notes = list(self.notes)
        if len(self.units) > 1:
            notes.append(f"Its unit changed ({', '.join(self.units)}): every value was converted to {self.unit}.")
        if self.doubles:
            notes.append(f"{self.doubles} of its runs told it twice: the first figure counts.")
        notes.extend(f"Some of its runs called it {name}." for name in self.names)
        return Series(
            key=self.key,
            label=self.key.subject,
            unit=self.unit,
            direction=self.direction,
            points=tuple(point for _, _, point in self.points),
            left_out=self.left_out,
            notes=tuple(notes),
        )


class _Gathering:
    """All series while records come in."""

    def __init__(self, wanted: SeriesFilter, renames: Renames, now_s: float) -> None:
        self._wanted = wanted
        self._renames = renames
        self._now_s = now_s
        self._builders: dict[tuple[SeriesKey, str], _Builder] = {}
        self._known: dict[tuple[str, str, float | None, str, str, str], _Builder | None] = {}
        self._names: dict[str, bool] = {}
        self._scenarios: set[str] = set()
        self._seen: set[str] = set()

    def add(self, record: HistoryRecord, figures: Figures) -> None:
        at_s = instant_s(record.at_utc)
        if record.id in self._seen or not self._is_wanted(record, at_s):
            return
        self._seen.add(record.id)
        unfit = _unfit(record, at_s, self._now_s)
        commit_s = at_s if record.commit_utc is None else _instant_or(record.commit_utc, at_s)
        scenario, environment = scenario_text(record), record.environment_key or ""
        for metric in figures:
            if not self._may_be_wanted(metric.metric):
                continue
            builder = self._builder(metric, scenario, environment)
            if builder is not None:
                builder.add(record, metric, at_s=at_s, commit_s=commit_s, unfit=unfit)

    def by_unit(self) -> Iterator[_Builder]:
        """Yield the builders; where a key has several units, the one of the newest run keeps the plain name."""
        groups: dict[SeriesKey, list[_Builder]] = {}
        for builder in self._builders.values():
            groups.setdefault(builder.key, []).append(builder)
        for key, group in groups.items():
            group.sort(key=lambda builder: builder.latest_s)
            *older, newest = group
            for builder in older:
                builder.key = replace(key, metric=f"{key.metric} ({builder.unit})")
                builder.notes.append(
                    f"Later runs tell it in {newest.unit}, which {builder.unit} does not convert to: those are a "
                    "series of their own."
                )
                newest.notes.append(
                    f"Earlier runs told it in {builder.unit}, which does not convert: they are the series "
                    f"{builder.key.metric}."
                )
            yield from group

    def fit_nothing(self) -> dict[str, str]:
        """
        Return the patterns that no name fits.

        Each is held against what the patterns before it left: without a run there is no metric, without a metric
        no subject, and the first pattern is the one to be told.
        """
        wanted = self._wanted
        metrics = {rename(name, self._renames) for name in self._names}
        subjects = {rename(subject, self._renames) for subject, *_ in self._known}
        told = (
            ("scenario", wanted.scenarios, self._scenarios),
            ("metric", wanted.metrics, metrics),
            ("subject", wanted.subjects, subjects),
        )
        return {
            f"{what} '{pattern}'": why
            for what, patterns, names in told
            if names
            for pattern, why in without_match(patterns, names).items()
        }

    def _is_wanted(self, record: HistoryRecord, at_s: float) -> bool:
        wanted = self._wanted
        is_asked = (
            (wanted.environment is None or record.environment_key == wanted.environment)
            and (wanted.branch is None or record.branch == wanted.branch)
            and (wanted.since_s is None or at_s >= wanted.since_s)
        )
        if not is_asked:
            return False
        scenario = record.scenario or ""
        self._scenarios.add(scenario)
        return wanted.scenarios == _ANY or matches(scenario, wanted.scenarios)

    def _may_be_wanted(self, name: str) -> bool:
        """Tell by the name alone, which is much faster than all that makes a key."""
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = matches(rename(name, self._renames), self._wanted.metrics)
        return known

    def _builder(self, metric: Metric | Figure, scenario: str, environment: str) -> _Builder | None:
        """Return the builder of a figure; None when it is not wanted. Names are worked out once for each."""
        told = (metric.subject, metric.metric, metric.quantile, metric.unit, scenario, environment)
        if told in self._known:
            return self._known[told]
        subject, name = rename(metric.subject, self._renames), rename(metric.metric, self._renames)
        builder = None
        if matches(subject, self._wanted.subjects):
            key = SeriesKey(
                subject=subject,
                metric=name,
                quantile=metric.quantile or 0.0,
                scenario=scenario,
                environment_key=environment,
            )
            unit, _ = canonical_unit(metric.unit)
            builder = self._builders.setdefault((key, unit), _Builder(key, unit))
        self._known[told] = builder
        return builder


def _unfit(record: HistoryRecord, at_s: float, now_s: float) -> str | None:
    """Return why a whole run is no point of any series; None when it is one."""
    if at_s > now_s + FUTURE_TOLERANCE_S:
        return f"dated {record.at_utc}, which is in the future"
    if not record.complete:
        return "the run did not come to its end"
    if record.injected is not None:
        return f"a fault was put into its target on purpose: {record.injected}"
    if record.status is Status.INVALID:
        return "invalid: the load generator itself was late"
    return None


def _no_value(value: float | None) -> str | None:
    if value is None:
        return _NO_VALUE
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite: so many polls failed"
    return None


def _instant_or(text: str, otherwise: float) -> float:
    try:
        return instant_s(text)
    except ValueError:
        return otherwise
