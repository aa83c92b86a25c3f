"""
Which records a history may lose: by count, and by thinning with age. Pure: nothing is removed here.

Thinning looks at runs of the same work on the same kind of machine together, so that a nightly benchmark does not
push out a weekly one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from harness.history.records import instant_s
from harness.history.series_names import scenario_text
from harness.history_model import HistoryRecord

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """
    What is kept.

    Args:
        keep: of each kind of run, this many of the newest, ≥ 1; None for all.
        all_for_s: every run younger than this is kept; None thins nothing [s].
        daily_for_s: of the older ones one a day is kept up to this age, one a week beyond it [s].
    """

    keep: int | None = None
    all_for_s: float | None = None
    daily_for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHead:
    """
    What retention looks at of a record.

    Args:
        id: of the record.
        at_s: when it began [s since the Unix epoch].
        group: equal for runs of the same work on the same kind of machine.
        complete: as in `HistoryRecord`.
    """

    id: str
    at_s: float
    group: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """
    What retention comes to.

    Args:
        removed: ids that may go, the oldest first.
        spared: ids that would go, and stay for what they mean → why.
        kept: how many stay, the spared ones among them.
    """

    removed: tuple[str, ...]
    spared: dict[str, str]
    kept: int


def head_of(record: HistoryRecord, subjects: Collection[str]) -> RecordHead:
    """Return what retention looks at: a record, and what its figures are of."""
    return RecordHead(
        id=record.id,
        at_s=instant_s(record.at_utc),
        group=(record.source, scenario_text(record), record.environment_key or "", *sorted(subjects)),
        complete=record.complete and record.injected is None,
    )


def plan_pruning(
    heads: Iterable[RecordHead], retention: Retention, *, now_s: float, protected: dict[str, str]
) -> Pruning:
    """
    Say which records may go.

    Args:
        heads: of all records, in any order.
        retention: what is kept.
        now_s: the present [s since the Unix epoch].
        protected: ids that stay whatever their age → why: edges of segments, what was accepted.

    Returns:
        The oldest and the newest run of each kind stay too: they say how long there has been a history.
    """
    groups: dict[tuple[str, ...], list[RecordHead]] = {}
    for head in heads:
        groups.setdefault(head.group, []).append(head)
    leaving: list[RecordHead] = []
    total = 0
    for group in groups.values():
        group.sort(key=lambda head: (head.at_s, head.id))
        total += len(group)
        wanted = _wanted(group, retention, now_s)
        leaving += (head for head in group if head.id not in wanted)
    leaving.sort(key=lambda head: (head.at_s, head.id))
    removed = tuple(head.id for head in leaving if head.id not in protected)
    return Pruning(
        removed=removed,
        spared={head.id: protected[head.id] for head in leaving if head.id in protected},
        kept=total - len(removed),
    )


def _wanted(group: list[RecordHead], retention: Retention, now_s: float) -> Collection[str]:
    """Return the ids of one kind of run that stay; `group` is by time."""
    remaining = group
    if retention.all_for_s is not None:
        remaining = _thinned(group, retention, now_s)
    if retention.keep is not None:
        remaining = remaining[-retention.keep :]
        return {head.id for head in remaining}
    return {head.id for head in remaining} | {group[0].id, group[-1].id}


def _thinned(group: list[RecordHead], retention: Retention, now_s: float) -> list[RecordHead]:
    """Leave one run a day or week: the last that came to its end, else the last."""
    best: dict[tuple[str, float], RecordHead] = {}
    for head in group:
        age_s = now_s - head.at_s
        if retention.all_for_s is None or age_s < retention.all_for_s:
            slot: tuple[str, float] = (head.id, 0.0)
        elif retention.daily_for_s is None or age_s < retention.daily_for_s:
            slot = ("day", head.at_s // DAY_S)
        else:
            # The epoch was a Thursday: weeks begin on Mondays.
            slot = ("week", (head.at_s + 3 * DAY_S) // WEEK_S)
        before = best.get(slot)
        if before is None or head.complete or not before.complete:
            best[slot] = head
    return sorted(best.values(), key=lambda head: (head.at_s, head.id))
