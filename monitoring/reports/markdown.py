"""A document as Markdown, for an issue or a wiki."""

import re

from monitoring.reports.document import Column, Document, Section, Table
from monitoring.reports.text import harmless

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&@])")
_LONGEST_CELL = 400


def render(document: Document) -> str:
    """Return the document as Markdown, with a newline at its end."""
    blocks = [f"# {_plain(document.title)}", *map(_plain, document.lead)]
    for section in document.sections:
        blocks += _section(section)
    blocks.append(_plain(document.footer))
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> list[str]:
    blocks = [f"## {_plain(section.title)}", *map(_plain, section.lines)]
    if section.items:
        blocks.append("\n".join(f"- {_plain(item)}" for item in section.items))
    for table in section.tables:
        blocks += [f"{_plain(table.caption)}:", _table(table)]
        if table.more:
            blocks.append(f"… and {table.more:,} more")
    return blocks


def _table(table: Table) -> str:
    head = [_row([_plain(column.title) for column in table.columns])]
    rule = [_row(["---:" if column.kind == "number" else "---" for column in table.columns])]
    rows = [
        _row([_cell(cell, column) for cell, column in zip(row, table.columns, strict=True)]) for row in table.rows
    ]
    return "\n".join(head + rule + rows)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str, column: Column) -> str:
    text = harmless(text)
    if len(text) > _LONGEST_CELL:
        text = f"{text[: _LONGEST_CELL - 1]}…"
    if column.kind != "code" or not text:
        return _plain(text)
    # A fence longer than any run of backticks inside; a pipe ends the cell even within code.
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if longest else ""
    return f"{fence}{padding}{text}{padding}{fence}".replace("|", "\\|")


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", harmless(text))
