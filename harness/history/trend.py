"""Judge all series together: changes in each, held to one false discovery rate, and a status over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.history.changepoints import cut, is_worse, search, settle, spread_test
from harness.history.controls import tell_causes
from harness.history.fdr import selection_level
from harness.history.progress import Progress, silent
from harness.history.series_names import is_called
from harness.history_model import (
    Acceptance,
    Cause,
    Change,
    ChangeKind,
    ChangeState,
    Note,
    Series,
    SeriesTrend,
    Trend,
)
from harness.model import Status

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendSettings:
    """
    How sure the judgement has to be.

    Args:
        false_discovery_ratio: share of false ones allowed among the series in which a shift is found; with a
            single series the chance of finding one where nothing happened.
        spread_ratio: the same for changes of the spread.
        least_effect_ratio: a smaller regression than this changes no status.
        stale_after_s: a series whose newest run is older is no baseline any more [s].
    """

    false_discovery_ratio: float = 0.02
    spread_ratio: float = 0.005
    least_effect_ratio: float = 0.01
    stale_after_s: float = 30 * _DAY_S


def judge_trend(
    series: Sequence[Series],
    *,
    acceptances: Sequence[Acceptance] = (),
    notes: Sequence[Note] = (),
    now_s: float,
    settings: TrendSettings | None = None,
    left_out: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Trend:
    """
    Search every series for changes and judge all of them together.

    Args:
        series: in the order they are to be shown; those marked as controls tell of the machine alone.
        acceptances: changes that somebody wanted: each starts a new segment.
        notes: releases and events, for the charts.
        now_s: the present [s since the Unix epoch].
        settings: the defaults when None.
        left_out: what could not be read or shown: name → why; handed through.
        progress: told after each series.

    Returns:
        FAIL with a confirmed regression of a subject that stands and that nobody accepted, INCONCLUSIVE when no
        subject could be searched, else PASS. Equal input gives equal output.
    """
    chosen = settings or TrendSettings()
    accepted = _Accepted(acceptances)
    searches = []
    for one in series:
        searches.append(search(one, accepted.boundaries(one)))
        progress("judging series", len(searches), len(series))
    judged = [one for one in searches if one.not_judged is None]
    level = selection_level([one.p_value for one in judged], rate=chosen.false_discovery_ratio)
    levels = [cut(one, level=level if one.p_value <= level else 0.0) for one in searches]
    spreads = [spread_test(one) for one in levels]
    spread_level = selection_level(
        [spread.p_value if spread else 1.0 for spread in spreads], rate=chosen.spread_ratio
    )
    trends = [
        settle(one, spread=spread, spread_level=spread_level) for one, spread in zip(levels, spreads, strict=True)
    ]
    trends = [_marked(one, chosen) for one in tell_causes(trends)]
    return Trend(
        status=_status(trends),
        series=tuple(trends),
        notes=tuple(sorted(notes, key=lambda note: (note.at_utc, note.id))),
        stale=_stale(series, now_s, chosen),
        left_out={**(left_out or {}), **accepted.unmatched(series)},
    )


def standing_regressions(trend: SeriesTrend) -> tuple[Change, ...]:
    """
    Return the changes of a judged series that fail it: confirmed regressions that stand and that nobody accepted.

    A regression stands until a later level is back within half of its own size; a level behind a change that is
    only suspected is none yet. Changes of the machine, of controls and of the spread fail nothing.
    """
    return tuple(change for change in trend.changes if change.fails)


def current_segment(trend: SeriesTrend) -> int:
    """
    Return the index of the first run that the series' present level is made of: a baseline begins there.

    A suspected change does not count, an accepted one does. A drift counts from its first run.
    """
    starts = [
        change.index
        for change in trend.changes
        if change.kind is not ChangeKind.VARIANCE
        and (change.state is ChangeState.CONFIRMED or change.accepted is not None)
    ]
    return max(starts, default=0)


def _marked(trend: SeriesTrend, settings: TrendSettings) -> SeriesTrend:
    """Say of each change whether it fails its series."""
    if trend.series.control or not trend.changes:
        return trend
    least = settings.least_effect_ratio
    return replace(trend, changes=tuple(replace(one, fails=_fails(trend, one, least)) for one in trend.changes))


def _fails(trend: SeriesTrend, change: Change, least_effect_ratio: float) -> bool:
    return (
        change.is_regression
        and change.kind is not ChangeKind.VARIANCE
        and change.state is ChangeState.CONFIRMED
        and change.cause is Cause.SUBJECT
        and change.accepted is None
        and (change.effect_ratio is None or abs(change.effect_ratio) >= least_effect_ratio)
        and not any(other.accepted is not None and other.index > change.index for other in trend.changes)
        and is_worse(trend.series, (change.before + change.after) / 2, _present_level(trend))
    )


def _present_level(trend: SeriesTrend) -> float:
    """Return the level that the newest runs have surely reached: of a confirmed drift its end."""
    suspected = {
        one.index
        for one in trend.changes
        if one.kind is ChangeKind.STEP and one.state is ChangeState.SUSPECTED and one.accepted is None
    }
    present = next((one for one in reversed(trend.segments) if one.start not in suspected), trend.segments[0])
    if present.slope_per_point is None:
        return present.median
    drifts = [
        one
        for one in trend.changes
        if one.kind is ChangeKind.DRIFT and one.state is ChangeState.CONFIRMED and one.index <= present.start
    ]
    return drifts[-1].after if drifts else present.median


def _status(trends: Sequence[SeriesTrend]) -> Status:
    subjects = [one for one in trends if not one.series.control and one.not_judged is None]
    if any(standing_regressions(one) for one in subjects):
        return Status.FAIL
    return Status.PASS if subjects else Status.INCONCLUSIVE


def _stale(series: Sequence[Series], now_s: float, settings: TrendSettings) -> tuple[str, ...]:
    """Say which series are too old; those that ended together stand in one line."""
    labels: dict[str, list[str]] = {}
    for one in series:
        age_s = now_s - max(point.at_s for point in one.points)
        if age_s > settings.stale_after_s:
            labels.setdefault(f"{age_s / _DAY_S:,.0f}", []).append(one.label)
    return tuple(
        f"{found[0] if len(found) == 1 else f'{len(found):,} series, such as {found[0]}'}: "
        f"the newest run is {days} days old, too old for a baseline."
        for days, found in labels.items()
    )


class _Accepted:
    """Acceptances, and where they put boundaries into a series."""

    def __init__(self, acceptances: Sequence[Acceptance]) -> None:
        self._acceptances = sorted(acceptances, key=lambda one: one.id)

    def boundaries(self, series: Series) -> dict[int, str]:
        """Return index of the first accepted point → the reason; the latest word counts."""
        at = {point.record: index for index, point in enumerate(series.points)}
        return {
            at[one.record]: one.reason
            for one in self._acceptances
            if one.record in at and at[one.record] > 0 and is_called(series, one.series)
        }

    def unmatched(self, series: Sequence[Series]) -> dict[str, str]:
        """Return the acceptances that hold for no series shown: name → why."""
        lines = {}
        for one in self._acceptances:
            matching = [each for each in series if is_called(each, one.series)]
            if not matching:
                lines[f"acceptance {one.id}"] = f"no series is called '{one.series}'"
            elif not any(point.record == one.record for each in matching for point in each.points):
                lines[f"acceptance {one.id}"] = f"no run '{one.record}' in the series '{one.series}'"
        return lines
