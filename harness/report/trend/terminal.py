"""Show a trend in a terminal: a row a series, what changed in words, and how all of it stands last."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.history_model import SeriesTrend, Trend
from harness.model import Status
from harness.report.trend.words import (
    change_sentence,
    change_word,
    effect_text,
    gravest_change,
    gravity,
    ranked_changes,
    state_text,
    trend_sentence,
    value_of,
)
from harness.report.words import ended, plain
from harness.report.writer import STYLES, Writer

_TABLE_WIDTH = 78
_MOST_SENTENCES = 10
_MOST_WARNINGS = 5
_WORDS = {"worse": STYLES[Status.FAIL], "suspected": STYLES[Status.INCONCLUSIVE], "better": STYLES[Status.PASS]}


def print_trend(trend: Trend, console: Console) -> None:
    """
    Print the series as a table, the changes in words, and the outcome in the last line.

    Args:
        trend: what to show.
        console: where; its width, encoding and colour decide the form.
    """
    show = Writer(console)
    ordered = sorted(trend.series, key=lambda judged: -gravity(judged))
    if ordered:
        (_print_table if console.width >= _TABLE_WIDTH else _print_stacked)(ordered, show, console)
        console.print()
    changes = ranked_changes(trend)
    for judged, change in changes[:_MOST_SENTENCES]:
        word = change_word(change)
        told = f"{plain(judged.series.label)}: {change_sentence(judged, change)}"
        show.line(word, ended(told), _WORDS.get(word, "dim"))
    if len(changes) > _MOST_SENTENCES:
        show.line("", f"{len(changes) - _MOST_SENTENCES} more changes stand in the page and in trend.json.")
    for label, lines in (("stale", trend.stale), ("warning", _warnings(trend)), ("left out", _left_out(trend))):
        for line in lines[:_MOST_WARNINGS]:
            # It begins with a name, which a capital letter would make another one.
            show.line(label, ended(plain(line)))
        if len(lines) > _MOST_WARNINGS:
            show.line(label, f"{len(lines) - _MOST_WARNINGS} more stand in trend.json.")
    show.verdict(trend.status, trend_sentence(trend))


def _warnings(trend: Trend) -> list[str]:
    return [f"{judged.series.label}: {warning}" for judged in trend.series for warning in judged.warnings]


def _left_out(trend: Trend) -> list[str]:
    return [f"{name}: {why}" for name, why in trend.left_out.items()]


def _cells(judged: SeriesTrend) -> tuple[str, str, str, str, str]:
    series = judged.series
    found = gravest_change((judged,))
    median = value_of(judged.segments[-1].median, series.unit) if judged.segments else "?"
    return (
        f"{len(series.points):,}",
        value_of(series.points[-1].value, series.unit),
        median,
        "–" if found is None else effect_text(found[1], series.unit),
        state_text(judged),
    )


def _print_table(ordered: Sequence[SeriesTrend], show: Writer, console: Console) -> None:
    table = Table(box=show.box, padding=(0, 0, 0, 1), pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("Series", overflow="fold")
    for name in ("Runs", "Last", "Median", "Change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    for judged in ordered:
        cells = _cells(judged)
        label = plain(judged.series.label) + (" (control)" if judged.series.control else "")
        style = _WORDS.get(cells[-1].removeprefix("drift, "), "")
        table.add_row(show.text(label), *map(show.text, cells[:-1]), show.text(cells[-1], style))
    console.print(table)


def _print_stacked(ordered: Sequence[SeriesTrend], show: Writer, console: Console) -> None:
    """Give each series two lines, for a terminal too narrow for columns."""
    for judged in ordered:
        runs, last, median, change, state = _cells(judged)
        console.print(show.text(plain(judged.series.label)), soft_wrap=False)
        told = (
            f"  {state}, last {last}, median {median}" + ("" if change == "–" else f", {change}") + f", n {runs}"
        )
        console.print(show.text(told, _WORDS.get(state.removeprefix("drift, "), "")))
