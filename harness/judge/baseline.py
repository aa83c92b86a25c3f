"""
Which earlier runs a run is compared with, and why the others are not among them.

The baseline is never "the previous run": it is the last runs of the same work on the same kind of machine. Runs
that did not come to their end, runs whose load generator was at fault, and runs with a fault that was put into the
target on purpose tell nothing of how the target was, and never belong to it. Runs of uncommitted code belong to it
only where there are not enough others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.history_model import HistoryRecord
from harness.judge.compare import GOOD_BASELINE
from harness.model import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    The runs of a baseline.

    Args:
        records: in the order they were given.
        left_out: run → why it is not among them.
        warnings: what a person should know, one sentence each.
    """

    records: tuple[HistoryRecord, ...]
    left_out: Mapping[str, str]
    warnings: tuple[str, ...]


def choose_baseline(
    candidates: Sequence[HistoryRecord], contender: HistoryRecord, *, any_environment: bool = False
) -> Choice:
    """
    Choose the runs that may stand for how it was before.

    Args:
        candidates: earlier runs, the oldest first.
        contender: the run that is to be compared; runs like it are wanted.
        any_environment: whether runs of other machines count as well.
    """
    left_out: dict[str, str] = {}
    kept: list[HistoryRecord] = []
    for record in candidates:
        reason = unfit(record, contender, any_environment=any_environment)
        if reason is None and record.injected is not None:
            # Of a contender this is no fault: it may well be asked how much worse the injected one made it.
            reason = f"a fault was put into its target on purpose: {record.injected}"
        if reason is None:
            kept.append(record)
        else:
            left_out[record.id] = reason
    clean = [record for record in kept if not record.dirty]
    warnings: tuple[str, ...] = ()
    if len(clean) >= GOOD_BASELINE:
        left_out |= {record.id: "it measured uncommitted changes" for record in kept if record.dirty}
        kept = clean
    elif len(clean) < len(kept):
        dirty = f"{len(kept) - len(clean)} of the {len(kept)} runs of the baseline measured uncommitted changes"
        warnings = (f"{dirty}: there are fewer than {GOOD_BASELINE} others.",)
    return Choice(records=tuple(kept), left_out=left_out, warnings=warnings)


def unfit(record: HistoryRecord, contender: HistoryRecord, *, any_environment: bool = False) -> str | None:
    """
    Say why a run can't be compared with another one.

    Returns:
        A clause; None when it can.
    """
    work = f"it is of another scenario: {record.scenario or 'none'} instead of {contender.scenario or 'none'}"
    rules = (
        (record.id == contender.id, "it is the contender itself"),
        (not record.complete, "it did not come to its end"),
        (record.status is Status.INVALID, "its load generator was at fault"),
        (record.source != contender.source, f"it was made by {record.source} instead of {contender.source}"),
        (record.scenario != contender.scenario, work),
        (record.scenario_digest != contender.scenario_digest, "it is of other settings or another target"),
        (
            not any_environment and record.environment_key != contender.environment_key,
            "it was made on another kind of machine, or with another Python",
        ),
    )
    return next((reason for broken, reason in rules if broken), None)
