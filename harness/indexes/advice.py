"""
Which indexes might serve a statement better: guesses from its text, every one to be tried before it is told.

The text is not parsed in full. What is read is the common case: columns compared in WHERE and ON, joined by AND,
and one ORDER BY. A wrong guess costs a trial on a copy and nothing else.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

_LITERALS = re.compile(r"('(?:[^']|'')*')|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SUBQUERY = re.compile(r"\(\s*SELECT\b[^()]*\)", re.IGNORECASE)
_INNERMOST = re.compile(r"\((?!\s*SELECT\b)[^()]*\)", re.IGNORECASE)
_NAME = r'(?:["`\[]?(\w+)["`\]]?\.)?["`\[]?(\w+)["`\]]?(?:::\w+)?'
_EQUAL = re.compile(rf"{_NAME}\s*(?:=|\bIN\b|\bIS\b)\s*(?:{_NAME})?", re.IGNORECASE)
_RANGE = re.compile(rf"{_NAME}\s*(?:<=?|>=?|\bBETWEEN\b)(?!>)", re.IGNORECASE)
_BODY = re.compile(
    r"\b(?:FROM|UPDATE)\b(.*?)(?:\bGROUP BY\b|\bORDER BY\b|\bLIMIT\b|\bRETURNING\b|$)", re.IGNORECASE | re.DOTALL
)
_ORDER = re.compile(r"\bORDER BY\b(.*?)(?:\bLIMIT\b|\bOFFSET\b|\bFOR\b|\bFETCH\b|$)", re.IGNORECASE | re.DOTALL)
_TERM = re.compile(rf"\s*{_NAME}\s*(ASC|DESC)?\s*", re.IGNORECASE)
_OR = re.compile(r"\bOR\b|\bUNION\b", re.IGNORECASE)
MOST_CANDIDATES = 4

T = TypeVar("T")


def has_condition(statement: str) -> bool:
    """Tell whether a statement asks for some rows only; one that asks for all has to read them all."""
    return re.search(r"\b(?:WHERE|JOIN|LIMIT)\b", without_literals(statement), re.IGNORECASE) is not None


def candidates(
    statement: str, table: str, columns: Iterable[str], aliases: Mapping[str, str]
) -> tuple[tuple[str, ...], ...]:
    """
    Guess which indexes on a table might serve a statement.

    Args:
        statement: its text.
        table: to be indexed.
        columns: of that table.
        aliases: to the tables behind them.

    Returns:
        Column lists, the most promising first: what is compared for equality, then the order, then one range.
    """
    known = set(columns)
    text = _SUBQUERY.sub("?", without_literals(statement))

    def own(qualifier: str, column: str) -> bool:
        return column in known and (not qualifier or aliases.get(qualifier, qualifier) == table)

    body = _BODY.search(text)
    if body is None or _OR.search(_flat(body[1])):
        return ()
    equal = _unique(
        column
        for match in _EQUAL.finditer(body[1])
        for qualifier, column in ((match[1], match[2]), (match[3] or "", match[4] or ""))
        if own(qualifier or "", column)
    )
    ranges = _unique(match[2] for match in _RANGE.finditer(body[1]) if own(match[1] or "", match[2]))
    order = _order(text, own)
    guesses = [
        (*equal, *(column for column in order if column not in equal)),
        (*equal, *ranges[:1]),
        equal,
        ranges[:1],
    ]
    return tuple(_unique(tuple(guess) for guess in guesses if guess))[:MOST_CANDIDATES]


def index_name(table: str, columns: Iterable[str]) -> str:
    """Return a name for an index, within PostgreSQL's 63 characters."""
    return "_".join(("idx", table, *columns))[:63]


def without_literals(statement: str) -> str:
    """Return a statement with its literals emptied and its comments gone: services add a trace's id as one."""
    return _LITERALS.sub(lambda match: "''" if match[1] else " ", statement)


def _order(text: str, own: Callable[[str, str], bool]) -> tuple[str, ...]:
    found = _ORDER.search(text)
    if found is None:
        return ()
    terms = [_TERM.fullmatch(part) for part in found[1].split(",")]
    directions = {(term[3] or "ASC").upper() for term in terms if term}
    # Mixed directions need an index of their own kind; a term that is no column, none helps.
    if len(directions) != 1 or not all(term and own(term[1] or "", term[2]) for term in terms):
        return ()
    return tuple(term[2] for term in terms if term)


def _flat(text: str) -> str:
    """Return the text without what stands in brackets: an OR inside of IN (…) or a function says nothing."""
    while (shorter := _INNERMOST.sub("", text)) != text:
        text = shorter
    return text


def _unique(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
