"""
A document before it has a form: sections of sentences, tables and plots. Text, Markdown and HTML are made of it.

Whatever it holds came from outside (paths, statements, messages), so each form makes it harmless in its own way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

UNKNOWN = "?"
"""How an unknown figure is shown."""

Tone = Literal["pass", "warn", "fail", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """
    A column of a table.

    Args:
        title: its heading, with the unit in it.
        kind: ``number`` (to the right), ``text``, ``code`` (a statement or a place in code), or ``status``
            (a word of `Tone`).
    """

    title: str
    kind: Literal["number", "text", "code", "status"] = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """
    A table.

    Args:
        caption: what it shows, a sentence without its full stop.
        columns: from left to right.
        rows: as many cells each as there are columns.
        more: rows left out.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """
    One line of a plot.

    Args:
        name: in the legend.
        values: one for each point in time; None where unknown, which breaks the line.
    """

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """
    Something over time. Forms without pictures leave it out: its figures stand in tables too.

    Args:
        title: what it shows, with its unit.
        times: middle of each piece of time, ascending.
        curves: one or more.
        limits: ``name -> value`` of lines to compare with; drawn when within the range.
        tick: writes a value at the axis.
    """

    title: str
    times: tuple[datetime, ...]
    curves: tuple[Curve, ...]
    limits: tuple[tuple[str, float], ...]
    tick: Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """
    A part under a heading.

    Args:
        title: the heading.
        lines: sentences.
        items: points of a list, after them.
        tables: after them.
        plots: last.
    """

    title: str
    lines: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """
    The whole.

    Args:
        title: heading of all.
        lead: sentences below it.
        tone: the outcome, where there is one.
        sections: in order.
        footer: a last sentence.
    """

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str
    tone: Tone | None = None


# ---- how figures are written


def number(value: float | None) -> str:
    """Return a count, with separators."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Return a rate [per s]."""
    return UNKNOWN if value is None else f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def ms(value: float | None) -> str:
    """Return a duration given in ms, with three digits."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(ratio: float | None) -> str:
    """Return a ratio in percent; one so small that it would read as none keeps its first digit."""
    if ratio is None:
        return UNKNOWN
    if 0 < ratio < 0.0001:
        return f"{ratio * 100:.1g} %"
    return f"{ratio * 100:.2f} %"


def change(ratio: float | None) -> str:
    """Return a change in percent, with its sign."""
    return UNKNOWN if ratio is None else f"{ratio * 100:+,.1f} %"


def span(length_s: float) -> str:
    """Return a length of time."""
    for unit, width_s, least in (("d", 86400.0, 2), ("h", 3600.0, 1), ("min", 60.0, 2)):
        if length_s >= least * width_s:
            return f"{_short(length_s / width_s)} {unit}"
    return f"{_short(length_s)} s" if length_s >= 1 or length_s == 0 else f"{_short(length_s * 1e3)} ms"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def moment(time: datetime | None) -> str:
    """Return an instant in UTC, to the second."""
    return UNKNOWN if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def counts(by_name: Sequence[tuple[str, int]], *, most: int = 8) -> str:
    """Return counts by name in one line, the first `most` of them."""
    shown = ", ".join(f"{name}: {count:,}" for name, count in by_name[:most])
    return f"{shown} and {len(by_name) - most} more" if len(by_name) > most else shown or "none"
