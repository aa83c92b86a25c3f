"""Records against records: the figures that both have, each compared with the baseline of its present level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.comparison.differences import differences
from harness.comparison.figures import Key, figure_of, value_of
from harness.comparison.levels import PresentLevels
from harness.history.series_names import matches, without_match
from harness.history_model import Acceptance, Comparison, HistoryRecord, Metric
from harness.judge.baseline import choose_baseline, unfit
from harness.judge.compare import MOST_BASELINE, Control, compare
from harness.judge.gates import overall
from harness.model import Status

COMPARED_SCHEMA_VERSION = 1
"""Version of what `harness compare --json` prints."""

DEFAULT_METRICS = ("response_time", "error_ratio", "achieved_rate")
"""What is compared of our own runs unless asked otherwise; of other sources' runs everything is."""

OWN_SOURCE = "harness"
"""Source of records of our own runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    How to compare.

    Args:
        limit_ratio: largest change for the worse that is allowed.
        confidence: of PASS and of FAIL each.
        metrics: patterns with ``*`` for the metrics; None takes `DEFAULT_METRICS` of our own runs, all of others.
        control: pattern with ``*`` for the subject of the control; None without.
        any_environment: whether runs of other machines count as well.
    """

    limit_ratio: float = 0.10
    confidence: float = 0.95
    metrics: tuple[str, ...] | None = None
    control: str | None = None
    any_environment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """
    What came of comparing runs.

    Args:
        schema_version: see `COMPARED_SCHEMA_VERSION`.
        status: the worst of all; INCONCLUSIVE when nothing was compared.
        differences: what nobody chose, one sentence each.
        comparisons: one a figure.
        baseline: ids of the runs that any figure was compared with.
        contenders: ids of the runs that were.
        left_out: run, file or figure → why it was not taken.
        warnings: what a person should know besides, one sentence each.
    """

    schema_version: int
    status: Status
    differences: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    baseline: tuple[str, ...]
    contenders: tuple[str, ...]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]


def compare_records(
    baseline: Sequence[HistoryRecord],
    contenders: Sequence[HistoryRecord],
    *,
    settings: Settings,
    segmented: bool,
    acceptances: Sequence[Acceptance] = (),
    left_out: Mapping[str, str] | None = None,
) -> Compared:
    """
    Compare every figure of the contenders with the baseline.

    Args:
        baseline: candidates, the oldest first.
        contenders: runs to be judged.
        settings: how.
        segmented: whether the baseline is to be cut to its present level, as for runs that nobody picked by hand.
        acceptances: changes that start a new level.
        left_out: what was left out before, handed through.
    """
    omitted = dict(left_out or {})
    fit = _fit_contenders(contenders, settings, omitted)
    if not fit:
        return _nothing(omitted, contenders)
    chosen = choose_baseline(baseline, fit[0], any_environment=settings.any_environment)
    omitted |= chosen.left_out
    # Differences are told of all the runs that were named, also of those that are then left out.
    told = differences(baseline if not segmented else chosen.records, contenders)
    levels = PresentLevels(chosen.records, acceptances) if segmented and not settings.any_environment else None
    warnings = list(chosen.warnings)
    comparisons = []
    used: dict[str, None] = {}
    for key, metric in _figures(fit, settings).items():
        runs = chosen.records if levels is None else levels.cut(key, chosen.records, warnings)
        runs = runs[-MOST_BASELINE:]
        used |= dict.fromkeys(record.id for record in runs if value_of(record, key) is not None)
        comparisons.append(
            compare(
                [value_of(record, key) for record in runs],
                [value_of(record, key) for record in fit],
                figure=figure_of(metric),
                limit_ratio=settings.limit_ratio,
                confidence=settings.confidence,
                control=_control(key, runs, fit, settings.control),
            )
        )
    omitted |= _without_effect(fit, settings)
    if not comparisons:
        omitted["figures"] = "the contender has none that was asked for"
    return Compared(
        schema_version=COMPARED_SCHEMA_VERSION,
        status=overall([comparison.status for comparison in comparisons]),
        differences=told,
        comparisons=tuple(comparisons),
        baseline=tuple(used),
        contenders=tuple(record.id for record in fit),
        left_out=omitted,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _fit_contenders(
    contenders: Sequence[HistoryRecord], settings: Settings, omitted: dict[str, str]
) -> tuple[HistoryRecord, ...]:
    """Return the contenders that can be judged, all of the same work; say of the others why not."""
    fit: list[HistoryRecord] = []
    for record in contenders:
        if any(record.id == other.id for other in fit):
            continue
        # Against itself a run is unfit for its own faults only; against the first one, for being different too.
        likes = (record, *fit[:1])
        faults = [unfit(replace(record, id=""), like, any_environment=settings.any_environment) for like in likes]
        reason = next((fault for fault in faults if fault is not None), None)
        if reason is None:
            fit.append(record)
        else:
            omitted[record.id] = f"as a contender: {reason}"
    return tuple(fit)


def _without_effect(contenders: Sequence[HistoryRecord], settings: Settings) -> dict[str, str]:
    """Return the patterns that fit nothing: a mistyped control would leave the machine's doing to the code."""
    metrics = {metric.metric for record in contenders for metric in record.metrics}
    subjects = {metric.subject for record in contenders for metric in record.metrics}
    controls = () if settings.control is None else (settings.control,)
    told = {f"metric '{name}'": why for name, why in without_match(settings.metrics or (), metrics).items()}
    return told | {f"control '{name}'": why for name, why in without_match(controls, subjects).items()}


def _nothing(omitted: Mapping[str, str], contenders: Sequence[HistoryRecord]) -> Compared:
    left_out = dict(omitted) if contenders else {**omitted, "contender": "there is none"}
    return Compared(
        schema_version=COMPARED_SCHEMA_VERSION,
        status=Status.INCONCLUSIVE,
        differences=(),
        comparisons=(),
        baseline=(),
        contenders=(),
        left_out=left_out,
        warnings=(),
    )


def _figures(contenders: Sequence[HistoryRecord], settings: Settings) -> dict[Key, Metric]:
    """Return the figures to compare, in the order of the first contender."""
    wanted = settings.metrics
    if wanted is None:
        wanted = DEFAULT_METRICS if contenders[0].source == OWN_SOURCE else ("*",)
    found: dict[Key, Metric] = {}
    for record in contenders:
        for metric in record.metrics:
            is_control = settings.control is not None and matches(metric.subject, (settings.control,))
            if matches(metric.metric, wanted) and not is_control:
                found.setdefault((metric.subject, metric.metric, metric.quantile), metric)
    return found


def _control(
    key: Key, runs: Sequence[HistoryRecord], contenders: Sequence[HistoryRecord], pattern: str | None
) -> Control | None:
    """Return the control's values beside those of a figure: its own figure of the same metric and quantile."""
    if pattern is None:
        return None
    subjects = dict.fromkeys(
        metric.subject
        for record in contenders
        for metric in record.metrics
        if matches(metric.subject, (pattern,)) and (metric.metric, metric.quantile) == key[1:]
    )
    if not subjects:
        return None
    subject = next(iter(subjects))
    of_control = (subject, *key[1:])
    return Control(
        label=subject,
        baseline=[value_of(record, of_control) for record in runs],
        contenders=[value_of(record, of_control) for record in contenders],
    )
