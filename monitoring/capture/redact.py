"""Parameters of statements, for a log: only when asked for, shortened, and without what looks like a secret."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

HIDDEN = "***"
_SECRET = re.compile(
    r"pass(word|wd|phrase)?|pwd|secret|token|api_?key|auth|credential|cookie|session|signature|private",
    re.IGNORECASE,
)
_MAX_CHARS = 1000
_MAX_VALUE_CHARS = 100
_MAX_DEPTH = 5

# ---- what a statement looks like once each placeholder (with PostgreSQL's cast behind it) is one NUL

_PLACEHOLDER = re.compile(
    r"%%|::"  # an escaped percent sign and a cast are none
    r"|(?:%\((?P<pyformat>[^)]*)\)\w|%[sbt]|\?(?P<number>\d*)|[:@$](?P<name>\w+))"
    r"(?:::\w+(?:\(\d+(?:, ?\d+)?\))?(?: with(?:out)? time zone| precision| varying)?(?:\[\])*)*",
    re.IGNORECASE,
)
_PART = r'(?:\w+|"\w+"|`\w+`|\[\w+\])'
_NAME = rf"{_PART}(?:\.{_PART})*"
_LIST = r"\(\s*\0(?:\s*,\s*\0)*\s*\)"
# Both ends are given: in `token || name = ?` and in `name = ? || token` the value is of more than the one column.
_COMPARED = re.compile(
    r"(?:\b(?:WHERE|AND|OR|ON|SET|HAVING|WHEN|NOT)\s+|[(,]\s*)"
    rf"(?P<column>{_NAME})\s*"
    r"(?:(?:[=<>]|==|<=|>=|<>|!=|\b(?:NOT\s+)?I?LIKE\b|\bIS(?:\s+NOT)?\b)\s*\0"
    rf"|\b(?:NOT\s+)?IN\s*{_LIST}|\b(?:NOT\s+)?BETWEEN\s+\0\s+AND\s+\0)"
    r"(?=\s*(?:\Z|[),;]|\b(?:AND|OR|WHERE|THEN|GROUP|HAVING|ORDER|LIMIT|OFFSET|FOR|RETURNING|UNION|ESCAPE)\b))",
    re.IGNORECASE,
)
_PAGED = re.compile(r"\b(?:LIMIT|OFFSET)\s+\0(?=\s*(?:\Z|[);]|OFFSET\b))", re.IGNORECASE)
_INSERTED = re.compile(rf"\bINTO\s+{_NAME}\s*\((?P<columns>[^()]*)\)\s*VALUES\s*(?={_LIST})", re.IGNORECASE)
_GROUP = re.compile(rf"{_LIST}\s*,?\s*")
_WITHOUT_COLUMNS = re.compile(r"\b(?:INSERT|REPLACE)\b[^()]{0,300}\(?\s*\b(?:VALUES|SELECT|WITH)\b", re.IGNORECASE)
# What follows these on their line could look like a part of the statement.
_LINE_COMMENT = re.compile(r"--|#")


def redacted(statement: str, parameters: Any) -> str:
    """
    Return parameters as text, secrets hidden at any depth.

    A value is judged by the column that its placeholder is compared with, assigned or inserted to, and by its own
    name where it has one. Where a statement names a secret column, and the column of any placeholder can't be
    told, every value is hidden; so it is in an INSERT that does not name its columns.

    Args:
        statement: the text with placeholders: ``?``, ``?1``, ``:name``, ``%s``, ``%(name)s`` or ``$1``.
        parameters: a mapping, a sequence, or a list of these (executemany).
    """
    # SQLAlchemy sends a list for executemany only: a tuple of lists is one statement with arrays in it.
    if (
        isinstance(parameters, list)
        and parameters
        and all(isinstance(one, (Mapping, list, tuple)) for one in parameters)
    ):
        shown = ", ".join(_redacted_one(statement, one) for one in parameters[:3])
        return f"[{shown}{', …' if len(parameters) > 3 else ''}]"[:_MAX_CHARS]
    return _redacted_one(statement, parameters)[:_MAX_CHARS]


def _redacted_one(statement: str, parameters: Any) -> str:
    """Return the parameters of one execution as text."""
    if isinstance(parameters, Mapping):
        hidden = _hidden(statement, [str(key) for key in parameters])
        return _show_mapping(parameters, hidden, 0)
    if isinstance(parameters, (list, tuple)):
        numbers = [str(number) for number in range(1, len(parameters) + 1)]
        hidden = _hidden(statement, numbers)
        values = (
            HIDDEN if number in hidden else _show(value, 1)
            for number, value in zip(numbers, parameters, strict=True)
        )
        return f"[{', '.join(values)}]"
    return _show(parameters, 0)


def _hidden(statement: str, keys: Sequence[str]) -> frozenset[str]:
    """Return which parameters, by name or by number from 1, are secret or can't be told from those that are."""
    everything = frozenset(keys)
    if _WITHOUT_COLUMNS.search(statement):
        return everything
    if not _SECRET.search(statement):
        return frozenset()
    if _LINE_COMMENT.search(statement):
        return everything
    text, found = _marked(statement)
    columns = _columns(text)
    # A placeholder too many stands in a literal, and the numbers of those behind it are wrong.
    if None in columns or set(found) != everything:
        return everything
    return frozenset(
        key for key, column in zip(found, columns, strict=True) if column is not None and _SECRET.search(column)
    )


def _marked(statement: str) -> tuple[str, list[str]]:
    """Return the statement with a NUL for each placeholder, and their names or numbers, in order."""
    keys: list[str] = []
    unnamed = 0

    def mark(match: re.Match[str]) -> str:
        nonlocal unnamed
        if match[0] in {"%%", "::"}:
            return match[0]
        key = match["pyformat"] or match["number"] or match["name"]
        if not key:
            unnamed += 1
            key = str(unnamed)
        keys.append(key)
        return "\0"

    return _PLACEHOLDER.sub(mark, statement.replace("\0", " ")), keys


def _columns(text: str) -> list[str | None]:
    """Return the column of each NUL in order: empty for one that belongs to none, None where it can't be told."""
    columns: dict[int, str | None] = dict.fromkeys(_marks(text, 0, len(text)))
    for match in _COMPARED.finditer(text):
        columns |= dict.fromkeys(_marks(text, *match.span()), match["column"])
    for match in _PAGED.finditer(text):
        columns |= dict.fromkeys(_marks(text, *match.span()), "")
    for match in _INSERTED.finditer(text):
        columns |= _inserted(text, match)
    return list(columns.values())


def _inserted(text: str, insert: re.Match[str]) -> Iterable[tuple[int, str]]:
    """Pair the placeholders of each row with the columns, as far as rows are made of nothing else."""
    names = [name.strip() for name in insert["columns"].split(",")]
    if not all(re.fullmatch(_NAME, name) for name in names):
        return
    at = insert.end()
    while (group := _GROUP.match(text, at)) is not None:
        marks = _marks(text, *group.span())
        if len(marks) != len(names):
            return
        yield from zip(marks, names, strict=True)
        at = group.end()


def _marks(text: str, since: int, until: int) -> list[int]:
    return [offset for offset in range(since, until) if text[offset] == "\0"]


def _show(value: Any, depth: int) -> str:
    if depth > _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return _show_mapping(value, frozenset(), depth)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_show(inner, depth + 1) for inner in value)}]"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}…"


def _show_mapping(values: Mapping[Any, Any], hidden: frozenset[str], depth: int) -> str:
    parts = (
        f"{key!r}: {HIDDEN if str(key) in hidden or _SECRET.search(str(key)) else _show(value, depth + 1)}"
        for key, value in values.items()
    )
    return f"{{{', '.join(parts)}}}"
