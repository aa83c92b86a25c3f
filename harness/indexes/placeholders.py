"""
Placeholders of captured statements, whatever the driver: found outside of literals and comments, and renumbered.

SQLAlchemy logs a statement as it hands it to the driver: ``?`` (sqlite3), ``:name`` (named), ``%(name)s`` and
``%s`` (psycopg), ``$1`` (asyncpg). PostgreSQL's own form is the last.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

_SKIPPED = re.compile(
    r"""
      '(?:[^']|'')*'                    # literal
    | "(?:[^"]|"")*"                    # quoted identifier
    | `[^`]*` | \[[A-Za-z_][^\]]*\]     # SQLite's other quotes
    | \$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$   # PostgreSQL's dollar quotes
    | --[^\n]* | /\*.*?\*/              # comments
    | ::                                # a cast, not a name
    """,
    re.VERBOSE | re.DOTALL,
)
_QMARK = re.compile(r"\?(?P<number>\d+)?|[:@$](?P<name>[A-Za-z_]\w*)")
_PYFORMAT = re.compile(r"%\((?P<name>[^)]+)\)s|%(?P<plain>s)|%(?P<escaped>%)")
_DOLLAR = re.compile(r"\$(?P<number>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """
    A statement with its placeholders counted.

    Args:
        text: ready for the database.
        count: how many values it takes.
    """

    text: str
    count: int


def for_sqlite(statement: str) -> Numbered:
    """
    Count the placeholders of a statement for SQLite, whose own forms stay as they are.

    Args:
        statement: with ``?``, ``?1``, ``:name``, ``@name`` or ``$name``.

    Returns:
        The same text with every placeholder as ``?1``, ``?2`` …, equal names with equal numbers.
    """
    names: dict[str, int] = {}
    highest = 0

    def renumber(match: re.Match[str]) -> str:
        nonlocal highest
        if match["number"] is not None:
            number = int(match["number"])
        elif match["name"] is not None:
            number = names.setdefault(match.group(), highest + 1)
        else:
            number = highest + 1
        highest = max(highest, number)
        return f"?{number}"

    return Numbered(text=_outside_literals(statement, _QMARK, renumber), count=highest)


def for_postgres(statement: str) -> Numbered:
    """
    Bring the placeholders of a statement into PostgreSQL's own form.

    Args:
        statement: with ``%(name)s``, ``%s`` or ``$1``.

    Returns:
        The text with ``$1``, ``$2`` …, equal names with equal numbers, and doubled per cent signs single.
    """
    dollars = [0]

    def note(match: re.Match[str]) -> str:
        dollars.append(int(match["number"]))
        return match.group()

    _outside_literals(statement, _DOLLAR, note)
    if max(dollars):
        return Numbered(text=statement, count=max(dollars))
    names: dict[str, int] = {}

    def renumber(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return "%"
        key = match["name"] if match["name"] is not None else f"plain {len(names)}"
        return f"${names.setdefault(key, len(names) + 1)}"

    # The driver reads per cent signs inside of literals too, so this looks everywhere.
    return Numbered(text=_PYFORMAT.sub(renumber, statement), count=len(names))


def _outside_literals(statement: str, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str]) -> str:
    parts: list[str] = []
    position = 0
    for skipped in _SKIPPED.finditer(statement):
        parts += [pattern.sub(replace, statement[position : skipped.start()]), skipped.group()]
        position = skipped.end()
    parts.append(pattern.sub(replace, statement[position:]))
    return "".join(parts)
