"""The formats of a document by name, and which one a file's name asks for."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from monitoring.reports import html, markdown, text
from monitoring.reports.document import Document

RENDERERS: dict[str, Callable[[Document], str]] = {
    "text": text.render,
    "markdown": markdown.render,
    "html": html.render,
}

_BY_SUFFIX = {".json": "json", ".html": "html", ".htm": "html", ".md": "markdown", ".markdown": "markdown"}


def format_for(chosen: str | None, output: Path | None) -> str:
    """Return the format: the chosen one, else what the file's name says, else text."""
    if chosen is not None:
        return chosen
    return "text" if output is None else _BY_SUFFIX.get(output.suffix.lower(), "text")


def as_json(record: object) -> str:
    """Return a record as JSON, two spaces deep, with a newline at its end. Dates are ISO 8601."""
    return msgspec.json.format(msgspec.json.encode(record, enc_hook=_plain), indent=2).decode() + "\n"


def _plain(value: object) -> object:
    raise NotImplementedError(f"no JSON for {type(value).__name__}")
