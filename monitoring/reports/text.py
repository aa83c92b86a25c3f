"""A document as plain text, for a terminal or a mail."""

import re
import textwrap

from monitoring.reports.document import Document, Section, Table

_WIDTH = 100
_LONGEST_CELL = 160
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def render(document: Document) -> str:
    """Return the document as text, with a newline at its end."""
    lines = [*_heading(document.title, "="), *_wrapped(document.lead)]
    for section in document.sections:
        lines += ["", *_section(section)]
    lines += ["", *_wrapped((document.footer,))]
    return "\n".join(lines) + "\n"


def _section(section: Section) -> list[str]:
    lines = [*_heading(section.title, "-"), *_wrapped(section.lines)]
    for item in section.items:
        lines += textwrap.wrap(harmless(item), _WIDTH, initial_indent="- ", subsequent_indent="  ")
    for table in section.tables:
        lines += ["", *_table(table)] if len(lines) > 2 else _table(table)
    return lines


def _heading(title: str, rule: str) -> list[str]:
    title = harmless(title)
    return [title, rule * len(title)]


def _table(table: Table) -> list[str]:
    lines = textwrap.wrap(f"{harmless(table.caption)}:", _WIDTH)
    cells = [[_cell(cell) for cell in row] for row in table.rows]
    rows = [[harmless(column.title) for column in table.columns], *cells]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    for row in rows:
        padded = [
            cell.rjust(width) if column.kind == "number" else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ]
        lines.append(f"  {'  '.join(padded)}".rstrip())
    if table.more:
        lines.append(f"  … and {table.more:,} more")
    return lines


def _cell(text: str) -> str:
    text = harmless(text)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def _wrapped(sentences: tuple[str, ...]) -> list[str]:
    return [line for sentence in sentences for line in textwrap.wrap(harmless(sentence), _WIDTH)]


def harmless(text: str) -> str:
    """Return the text in one line, without what moves a cursor or turns the reading direction."""
    return _CONTROL.sub(" ", text).strip()
