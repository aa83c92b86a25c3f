"""
Which index the specification names for a statement, by the statement's text alone. Pure.

Only the shapes that the specification speaks of are known, and each condition has to be understood: a statement
that asks for anything besides has no index of its own there, and is judged by its plan like any other.
"""

import re
from dataclasses import dataclass

from harness.indexes.advice import without_literals
from harness.indexes.catalog import SPECIFIED_INDEXES, ExpectedIndex

_NAME = r'(?:["`\[]?\w+["`\]]?\s*\.\s*)*["`\[]?(?P<{}>\w+)["`\]]?'
_ONE_TABLE = re.compile(
    rf"""
    \s*(?:SELECT\b(?P<shown>.*?)\bFROM | DELETE\s+FROM | UPDATE) \s+
    {_NAME.format("table")} (?:\s+(?:AS\s+)?(?!WHERE\b|SET\b)["`\[]?\w+["`\]]?)?
    (?:\s+SET\b.*?)?
    \s+WHERE\s+(?P<conditions>.*?)
    (?:\s+ORDER\s+BY\s+(?P<order>.*?))?
    (?:\s+(?:LIMIT|OFFSET|FETCH|FOR|RETURNING)\b.*)?
    \s*;?\s*
    """,
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_NEVER = re.compile(
    r"\b(?:JOIN|UNION|INTERSECT|EXCEPT|GROUP\s+BY|HAVING|DISTINCT|OVER)\b|\bSELECT\b.*\bSELECT\b",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"\bBETWEEN\s+(\S+)\s+AND\b", re.IGNORECASE)
_CONDITION = re.compile(
    rf"{_NAME.format('column')}\s*(?P<how>=|<=?|>=?|BETWEEN\b)\s*(?P<value>[^<>=].*)", re.IGNORECASE | re.DOTALL
)
_VALUE_OF_MORE = re.compile(r"\b(?:OR|NOT|IN|IS|LIKE|ANY|ALL)\b", re.IGNORECASE)
_AND = re.compile(r"\bAND\b", re.IGNORECASE)
_ORDER_TERM = re.compile(rf"{_NAME.format('column')}(?:\s+(?:ASC|DESC))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a statement asks of one table: columns compared for equality, within a range, and its order."""

    table: str
    equal: frozenset[str]
    ranges: frozenset[str]
    order: tuple[str, ...]


def specified_index(statement: str) -> ExpectedIndex | None:
    """
    Return the index that the specification names for a statement, or None where it names none.

    Args:
        statement: with any driver's placeholders.
    """
    asked = _asked(statement)
    if asked is None:
        return None
    return next((index for index in SPECIFIED_INDEXES if _is_for(index, asked)), None)


def _is_for(index: ExpectedIndex, asked: _Asked) -> bool:
    if asked.table != index.table:
        return False
    # The composite's last column orders what the others find; those of one column are for nothing else.
    *leading, last = index.columns
    if leading:
        return asked.equal == set(leading) and asked.ranges <= {last} and asked.order[:1] in {(), (last,)}
    if last == "created_at":
        return not asked.equal and asked.ranges == {last} and asked.order[:1] in {(), (last,)}
    # At most one agent has a name, whatever order is asked for.
    return asked.equal == {last} and not asked.ranges and (asked.table == "agents" or not asked.order)


def _asked(statement: str) -> _Asked | None:
    """Read a statement on one table, or return None when a part of it isn't understood."""
    text = " ".join(without_literals(statement).split())
    if _NEVER.search(text):
        return None
    found = _ONE_TABLE.fullmatch(text)
    conditions = _conditions(found["conditions"]) if found is not None else None
    order = _order(found["order"]) if found is not None else None
    if found is None or conditions is None or order is None:
        return None
    equal = frozenset(column for column, how in conditions if how == "=")
    return _Asked(found["table"], equal, frozenset(column for column, how in conditions if how != "="), order)


def _conditions(text: str) -> list[tuple[str, str]] | None:
    parts = _AND.split(_BETWEEN.sub(r"BETWEEN \1,", _unwrapped(text)))
    read = [_CONDITION.fullmatch(_unwrapped(part)) for part in parts]
    if not all(found is not None and not _VALUE_OF_MORE.search(found["value"]) for found in read):
        return None
    return [(found["column"], found["how"]) for found in read if found is not None]


def _order(text: str | None) -> tuple[str, ...] | None:
    terms = [_ORDER_TERM.fullmatch(part.strip()) for part in text.split(",")] if text else []
    return tuple(term["column"] for term in terms if term) if all(terms) else None


def _unwrapped(text: str) -> str:
    """Return a condition without the brackets around all of it."""
    text = text.strip()
    while text.startswith("(") and text.endswith(")") and _closes_last(text):
        text = text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    """Tell whether the first bracket is closed by the last character."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return place == len(text) - 1
    return False
