"""Parameters of statements, for a log: only when asked for, shortened, and without what looks like a secret."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|api_?key|auth|credential|cookie|session|signature|private", re.IGNORECASE
)
_COLUMN = re.compile(
    r"([A-Za-z_][A-Za-z0-9_.\"`]*)\s*(?:=|<|>|<=|>=|!=|<>|LIKE|IN)\s*\(?\s*(?:\?|%s|\$\d+)", re.IGNORECASE
)
_INSERT = re.compile(r"INSERT\s+INTO\s+\S+\s*\(([^)]*)\)", re.IGNORECASE)
_MAX_CHARS = 1000
_MAX_VALUE_CHARS = 100
_MAX_DEPTH = 5


def redacted(statement: str, parameters: Any) -> str:
    """
    Return parameters as text, secrets hidden at any depth.

    Named parameters are judged by their names, positional ones by the column that the statement compares them
    with or inserts them into; where the columns can't be told apart, a statement that names a secret column hides
    every value.

    Args:
        statement: the text with placeholders.
        parameters: a mapping, a sequence, or a sequence of these (executemany).
    """
    if isinstance(parameters, (list, tuple)) and parameters and isinstance(parameters[0], (Mapping, list, tuple)):
        shown = ", ".join(redacted(statement, one) for one in parameters[:3])
        return f"[{shown}{', …' if len(parameters) > 3 else ''}]"[:_MAX_CHARS]
    if isinstance(parameters, Mapping):
        return _show(parameters, 0)[:_MAX_CHARS]
    if isinstance(parameters, (list, tuple)):
        columns = _columns(statement, len(parameters))
        if columns is None:
            hide_all = _SECRET.search(statement) is not None
            columns = ["secret" if hide_all else ""] * len(parameters)
        values = (
            HIDDEN if _SECRET.search(column) else _show(value, 1)
            for column, value in zip(columns, parameters, strict=True)
        )
        return f"[{', '.join(values)}]"[:_MAX_CHARS]
    return _show(parameters, 0)[:_MAX_CHARS]


def _columns(statement: str, n: int) -> list[str] | None:
    inserted = _INSERT.search(statement)
    if inserted is not None:
        names = [name.strip() for name in inserted.group(1).split(",")]
        # A multi-row insert repeats its columns.
        return names * (n // len(names)) if n % len(names) == 0 else None
    compared = [match.group(1) for match in _COLUMN.finditer(statement)]
    return compared if len(compared) == n else None


def _show(value: Any, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        parts = (
            f"{key!r}: {HIDDEN if _SECRET.search(str(key)) else _show(inner, depth + 1)}"
            for key, inner in value.items()
        )
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_show(inner, depth + 1) for inner in value)}]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"
