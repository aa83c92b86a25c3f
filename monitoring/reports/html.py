"""A document as one HTML page: no scripts, nothing loaded from elsewhere, light and dark."""

from collections.abc import Sequence
from html import escape
from importlib import resources

from monitoring.reports.document import Column, Document, Section, Table
from monitoring.reports.plots import svg
from monitoring.reports.text import harmless


def render(document: Document) -> str:
    """Return the document as a page, with a newline at its end."""
    return page(
        title=document.title,
        lead=document.lead,
        body="\n".join(_section(section, at) for at, section in enumerate(document.sections)),
        footer=document.footer,
        tone=document.tone,
    )


def page(
    *,
    title: str,
    lead: Sequence[str],
    body: str,
    footer: str,
    tone: str | None = None,
    generator: str = "pollgauge monitoring-report",
) -> str:
    """
    Return a page around a body.

    Args:
        title: its heading, as text.
        lead: sentences below that, as text.
        body: the rest, as HTML.
        footer: a sentence, as text.
        tone: how the heading is marked; None for not at all.
        generator: what tells this page from others of ours.
    """
    style = resources.files("monitoring.reports").joinpath("page.css").read_text(encoding="utf-8")
    head = _text(title)
    tone_class = "" if tone is None else f' class="{tone}"'
    sentences = "\n".join(f"<p>{_text(line)}</p>" for line in lead)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="{generator}">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{head}</title>
<style>
{style}</style>
</head>
<body>
<header{tone_class}>
<h1>{head}</h1>
{sentences}
</header>
<main>
{body}
</main>
<footer><p>{_text(footer)}</p></footer>
</body>
</html>
"""


def _section(section: Section, at: int) -> str:
    parts = [f'<section aria-labelledby="s{at}">', f'<h2 id="s{at}">{_text(section.title)}</h2>']
    parts += [f"<p>{_text(line)}</p>" for line in section.lines]
    if section.items:
        parts.append("<ul>")
        parts += [f"<li>{_text(item)}</li>" for item in section.items]
        parts.append("</ul>")
    parts += [_table(table) for table in section.tables]
    for plot in section.plots:
        parts += [
            "<figure>",
            f"<figcaption>{_text(plot.title)}</figcaption>",
            f'<div class="scroll" tabindex="0" role="group" aria-label="{_text(plot.title)}, scrollable">',
            svg(plot),
            "</div>",
            "</figure>",
        ]
    parts.append("</section>")
    return "\n".join(parts)


def _table(table: Table) -> str:
    caption = _text(table.caption)
    head = "".join(f'<th scope="col" class="{column.kind}">{_text(column.title)}</th>' for column in table.columns)
    rows = "\n".join(
        f"<tr>{''.join(_cell(cell, column) for cell, column in zip(row, table.columns, strict=True))}</tr>"
        for row in table.rows
    )
    more = f'\n<p class="more">… and {table.more:,} more</p>' if table.more else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{caption}, scrollable">\n<table>\n'
        f"<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        f"</table>\n</div>{more}"
    )


def _cell(text: str, column: Column) -> str:
    shown = _text(text)
    if column.kind == "code":
        shown = f"<code>{shown}</code>" if shown else ""
    if column.kind == "status":
        return f'<td><span class="status {shown}">{shown}</span></td>'
    return f'<td class="{column.kind}">{shown}</td>'


def _text(text: str) -> str:
    return escape(harmless(text))
