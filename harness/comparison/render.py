"""What came of a comparison, for people and for machines."""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from harness.comparison.comparing import Compared
from harness.history_model import Comparison
from harness.judge.compare_rule import signed, value_text
from harness.judge.wording import count, percent
from harness.model import Status
from harness.report.terminal import STYLES

_MOST_LEFT_OUT = 8
"""Lines of runs that were left out; the rest is counted."""

_LABEL_WIDTH = 12


_ASCII = str.maketrans({"−": "-", "±": "+/-", "…": "...", "∞": "inf", "µ": "u", "×": "x"})


def print_compared(compared: Compared, console: Console) -> None:
    """
    Print what differs, what was left out, the table, the reasons, and the verdict in the last line.

    Args:
        compared: what to show.
        console: where; its width, encoding and colour decide the form.
    """
    for line in compared.differences:
        print_line(console, "differs", line)
    for line in _left_out_lines(compared):
        print_line(console, "left out", line)
    for line in compared.warnings:
        print_line(console, "note", line)
    if compared.comparisons:
        print_line(console, "runs", _runs(compared))
        print_comparisons(compared.comparisons, console, headings=("Baseline", "Now"))
    print_status(compared.status, _sentence(compared), console)


def print_comparisons(comparisons: tuple[Comparison, ...], console: Console, *, headings: tuple[str, str]) -> None:
    """
    Print a table of comparisons, and why some did not pass.

    Args:
        comparisons: one a row.
        console: where.
        headings: names of the two sides.
    """
    if not comparisons:
        return
    console.print()
    for row in _rows(comparisons, console, headings):
        console.print(row, soft_wrap=True)
    console.print()
    _print_reasons(comparisons, console)


def print_status(status: Status, sentence: str, console: Console) -> None:
    """Print the verdict's line."""
    told = _readable(console, sentence)
    console.print(Text.assemble((status.value, STYLES[status]), "  ", told), soft_wrap=True)


def to_json(record: object) -> bytes:
    """Return a record as indented JSON; an infinite figure is the text ``"inf"``, because null is unknown."""
    return msgspec.json.format(msgspec.json.encode(_spelled(msgspec.to_builtins(record))), indent=1)


def name_of(comparison: Comparison) -> str:
    """Name a figure briefly: ``p95`` for the response time's, ``query_time p95`` for another's."""
    quantile = "" if comparison.quantile is None else f"p{comparison.quantile * 100:.10g}"
    return (
        quantile
        if quantile and comparison.metric == "response_time"
        else f"{comparison.metric} {quantile}".strip()
    )


def _rows(comparisons: tuple[Comparison, ...], console: Console, sides: tuple[str, str]) -> list[Text]:
    """Return a table's lines; below each other, a figure a block, where the console is too narrow for it."""
    subjects = {comparison.subject for comparison in comparisons}
    headings = ("Figure", *sides, "Change", "Interval", "Seen")
    rows = []
    for each in comparisons:
        name = name_of(each) if len(subjects) == 1 else f"{each.subject} {name_of(each)}"
        detectable = "?" if each.detectable_ratio is None else percent(each.detectable_ratio)
        cells = [name, value_text(each.baseline, each.unit), value_text(each.contender, each.unit)]
        rows.append([*cells, signed(each.change_ratio), _interval(each), detectable])
    widths = [max(len(row[i]) for row in (headings, *rows)) for i in range(len(headings))]
    statuses = [each.status for each in comparisons]
    if sum(widths) + 2 * len(widths) + max(len(status) for status in statuses) > console.width:
        return [line for row, status in zip(rows, statuses, strict=True) for line in _block(row, status, console)]
    head = _joined(headings, widths) + "  Verdict"
    lines = [Text(head, style="bold")]
    for row, status in zip(rows, statuses, strict=True):
        text = _readable(console, _joined(row, widths))
        lines.append(Text.assemble(text, "  ", (status.value, STYLES[status])))
    return lines


def _joined(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])


def _block(row: Sequence[str], status: Status, console: Console) -> list[Text]:
    name, before, now, change, interval, seen = (_readable(console, cell) for cell in row)
    return [
        Text.assemble((name, "bold"), "  ", (status.value, STYLES[status])),
        Text(f"  {before}, then {now}: {change}"),
        Text(f"  {interval}, seen from {seen}"),
    ]


def _print_reasons(comparisons: tuple[Comparison, ...], console: Console) -> None:
    """Say why figures did not pass and what would help, once for those that share it."""
    reasons: dict[tuple[str, str | None], list[Comparison]] = {}
    for comparison in comparisons:
        if comparison.status is not Status.PASS:
            reasons.setdefault((comparison.reason, comparison.remedy), []).append(comparison)
    for (reason, _), group in reasons.items():
        names = ", ".join(name_of(each) for each in group)
        print_line(console, group[0].status.value, f"{names}: {reason}.")
    remedies: dict[str, list[str]] = {}
    for (_, remedy), group in reasons.items():
        if remedy is not None:
            remedies.setdefault(remedy, []).extend(name_of(each) for each in group)
    for remedy, named in remedies.items():
        print_line(console, "remedy", f"{', '.join(named)}: {remedy}.")
    if reasons:
        console.print()


def _runs(compared: Compared) -> str:
    return f"{len(compared.baseline)} in the baseline, {count(len(compared.contenders), 'contender')}."


def _interval(comparison: Comparison) -> str:
    interval = comparison.interval
    return "?" if interval is None else f"{signed(interval.low)}…{signed(interval.high)}".replace(" %…", "…")


def _sentence(compared: Compared) -> str:
    if not compared.comparisons:
        return "Nothing could be compared."
    worst = [c for c in compared.comparisons if c.status is compared.status]
    names = ", ".join(name_of(each) for each in worst[:6]) + (" …" if len(worst) > 6 else "")
    limit = percent(compared.comparisons[0].limit_ratio)
    total = count(len(compared.comparisons), "figure")
    if compared.status is Status.PASS:
        return f"{total}: none is worse than the baseline by more than {limit}."
    if compared.status is Status.FAIL:
        return f"{len(worst)} of {total} worse than the baseline by more than {limit}: {names}."
    return f"{len(worst)} of {total} can be told neither within nor beyond {limit}: {names}."


def _left_out_lines(compared: Compared) -> list[str]:
    items = list(compared.left_out.items())
    lines = [f"{name}: {reason}." for name, reason in items[:_MOST_LEFT_OUT]]
    if len(items) > _MOST_LEFT_OUT:
        lines.append(f"and {len(items) - _MOST_LEFT_OUT} more; --json names them all.")
    return lines


def print_line(console: Console, label: str, text: str) -> None:
    """Print a labelled line; what does not fit goes on below its own beginning."""
    body = Text(_readable(console, text)).wrap(console, max(20, console.width - _LABEL_WIDTH - 2), overflow="fold")
    for number, line in enumerate(body):
        line.rstrip()
        head = Text(label if number == 0 else "", style=STYLES[Status(label)] if label in set(Status) else "dim")
        head.truncate(_LABEL_WIDTH, pad=True)
        console.print(Text.assemble(head, "  ", line), soft_wrap=True)


def _readable(console: Console, text: str) -> str:
    """Return text in characters that the console's encoding has."""
    return text if _is_utf8(console) else text.translate(_ASCII).encode("ascii", "replace").decode("ascii")


def _is_utf8(console: Console) -> bool:
    return console.encoding.lower().replace("-", "").startswith("utf")


def _spelled(value: Any) -> Any:
    """Replace each infinite number in plain data by the text that reads back as one."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(item) for item in value]
    return value
