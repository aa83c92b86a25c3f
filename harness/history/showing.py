"""Records as text for people and as plain data for programs."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.history.adding import Added
from harness.history.doctor import Diagnosis
from harness.history.records import plain_of
from harness.history.retention import Pruning
from harness.history.series_names import quantile_text, scenario_text
from harness.history.series_units import canonical_unit, converted
from harness.history_model import HistoryRecord, Metric
from harness.units import format_count, format_duration, format_number, format_ratio

_HEAD = ("RUN", "COMMIT", "BRANCH", "SCENARIO", "ENVIRONMENT", "VERDICT", "FIGURES")
_SHORT = 9
_WIDEST = 100
_OBEYED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode that move a cursor, turn the direction of writing, or can't be written at all."""

_WRITERS: Mapping[str, Callable[[float], str]] = {
    "s": format_duration,
    "ratio": format_ratio,
    "per_s": lambda value: f"{format_number(value)} /s",
    "count": lambda value: f"{value:.10g}",
    "index": lambda value: f"{value:.10g}",
}


def list_text(records: Sequence[HistoryRecord], total: int, where: str, *, is_chosen: bool) -> str:
    """Return a table of records, and how many there are; `is_chosen` where only some of them were asked for."""
    if not total:
        return f"no {'such ' if is_chosen else ''}run in {where}"
    rows = [_HEAD, *(_row(record) for record in records)]
    shown = f"{format_count(total)} run{'s' if total != 1 else ''} in {where}"
    if len(records) < total:
        shown += f", the newest {format_count(len(records))} shown (--last 0 shows all)"
    return f"{table(rows)}\n{shown}"


def head_json(record: HistoryRecord) -> dict[str, Any]:
    """Return a record as plain data without its figures, but for their number."""
    plain = plain_of(record)
    plain.pop("distributions", None)
    plain["metrics"] = len(record.metrics)
    return plain


def record_text(record: HistoryRecord) -> str:
    """Return everything of a record but the counts of its histograms."""
    dirty = {True: " with changes", False: "", None: ""}[record.dirty]
    facts = {
        "run": record.id,
        "began": record.at_utc,
        "source": record.source,
        "commit": None if record.commit is None else f"{record.commit}{dirty}",
        "commit time": record.commit_utc,
        "branch": record.branch,
        "version": record.version,
        "scenario": scenario_text(record) or None,
        "target": record.target,
        "environment": record.environment_key,
        "verdict": None if record.status is None else record.status.value,
        "report": record.report,
    }
    lines = [f"{name:12} {printable(value)}" for name, value in facts.items() if value is not None]
    lines += [f"{'':12} {printable(f'{name} {value}')}" for name, value in sorted(record.environment.items())]
    lines += [f"{'note':12} {printable(note)}" for note in record.notes]
    rows = [("FIGURE", "VALUE", "INTERVAL", "LIMIT", "N"), *(_figure_row(metric) for metric in record.metrics)]
    held = [
        f"{printable(f'{item.subject} {item.metric}')}: {format_count(item.n)} values, "
        f"{format_count(item.failures)} failed"
        for item in record.distributions
    ]
    return "\n".join([*lines, "", table(rows), *(["", "distributions", *held] if held else [])])


def value_text(value: float | None, unit: str) -> str:
    """Return a figure for people, in the unit that fits; ``?`` for one that is not known."""
    known, factor = canonical_unit(unit)
    if value is None or math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞"
    written = _WRITERS.get(known)
    return f"{value:.6g} {unit}" if written is None else written(converted(value, factor))


def added_text(accounts: Sequence[Added], where: str, *, dry_run: bool) -> str:
    """Return what became of each file, and the sum."""
    lines = []
    for account in accounts:
        if account.fault is not None:
            lines.append(printable(f"{account.name}: not added: {account.fault}"))
            continue
        told = [f"{account.format}"]
        if account.added:
            told.append(f"{_runs(len(account.added))} {'would be ' if dry_run else ''}added")
        if account.known:
            told.append(f"{_runs(len(account.known))} there already")
        if account.marks_added:
            told.append(f"{_marks(len(account.marks_added))} {'would be ' if dry_run else ''}added")
        if account.marks_known:
            told.append(f"{_marks(len(account.marks_known))} there already")
        lines.append(printable(f"{account.name}: {', '.join(told)}"))
        lines += [
            f"  not taken over: {printable(what)}{f' ({count} times)' if count > 1 else ''}"
            for what, count in account.not_understood.items()
        ]
    added = sum(len(account.added) for account in accounts)
    marks = sum(len(account.marks_added) for account in accounts)
    what = _runs(added) + (f" and {_marks(marks)}" if marks else "")
    return "\n".join([*lines, f"{what} {'would be ' if dry_run else ''}added to {where}"])


def added_json(accounts: Iterable[Added]) -> list[dict[str, Any]]:
    """Return what became of each file as plain data."""
    return [asdict(account) for account in accounts]


def pruning_text(pruning: Pruning, where: str, *, removed: bool) -> str:
    """Return what went, or would go, and what stays for a reason."""
    lines = [f"{record_id}" for record_id in pruning.removed]
    lines += [printable(f"{record_id} stays: {why}") for record_id, why in pruning.spared.items()]
    verb = "removed from" if removed else "would be removed from"
    lines.append(f"{_runs(len(pruning.removed))} {verb} {where}, {format_count(pruning.kept)} kept")
    if not removed and pruning.removed:
        lines.append("nothing was removed; --yes does it")
    return "\n".join(lines)


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """Return what is wrong with a history, a line each."""
    lines = [
        printable(f"{complaint.severity.value}: {complaint.name}: {complaint.what}; {complaint.remedy}")
        for complaint in diagnosis.complaints
    ]
    faults = sum(complaint.severity.value == "fault" for complaint in diagnosis.complaints)
    hints = len(diagnosis.complaints) - faults
    summary = f"{_runs(diagnosis.records)} read in {diagnosis.where}, {faults} faults, {hints} hints"
    return "\n".join([*lines, summary])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as columns of equal width, the last one ragged; a cell too long is cut."""
    cut = [tuple(printable(cell, longest=_WIDEST) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in cut) for i in range(len(cut[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cut
    )


def printable(text: str, *, longest: int | None = None) -> str:
    """
    Return text from a file on one line, without what a terminal would obey.

    Args:
        text: from anywhere.
        longest: cut to so many characters, the last one an ellipsis; None to keep all.
    """
    kept = text
    if not text.isprintable():
        kept = "".join(" " if unicodedata.category(c) in _OBEYED else c for c in text)
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "…"


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """Return a line for each record that could not be read, ten at most."""
    lines = [printable(f"left out {name}: {why}") for name, why in list(left_out.items())[:10]]
    more = len(left_out) - len(lines)
    return [*lines, f"left out {more} more; harness history doctor names them"] if more > 0 else lines


def _row(record: HistoryRecord) -> tuple[str, ...]:
    commit = "?" if record.commit is None else record.commit[:_SHORT] + ("*" if record.dirty else "")
    verdict = "" if record.status is None else record.status.value
    return (
        record.id,
        commit,
        record.branch or "",
        scenario_text(record) or record.source,
        record.environment_key or "",
        " ".join(filter(None, (verdict, "" if record.complete else "interrupted", record.injected))),
        str(len(record.metrics)),
    )


def _figure_row(metric: Metric) -> tuple[str, ...]:
    interval = metric.interval
    bounds = ""
    if interval is not None:
        # An end that the data can't bound: nothing is known of it.
        ends = (interval.low, interval.high)
        low, high = ("no bound" if end is None else value_text(end, metric.unit) for end in ends)
        bounds = f"{low} .. {high}"
    return (
        " ".join(part for part in (metric.subject, metric.metric, quantile_text(metric.quantile)) if part),
        value_text(metric.value, metric.unit),
        bounds,
        "" if metric.limit is None else value_text(metric.limit, metric.unit),
        "" if metric.n is None else format_count(metric.n),
    )


def _runs(count: int) -> str:
    return f"{format_count(count)} run{'s' if count != 1 else ''}"


def _marks(count: int) -> str:
    return "1 acceptance or note" if count == 1 else f"{format_count(count)} acceptances and notes"
