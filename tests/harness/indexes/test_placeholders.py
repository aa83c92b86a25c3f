"""Placeholders are found where the driver would find them, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.indexes.placeholders import for_postgres, for_sqlite


@pytest.mark.parametrize(
    ("statement", "text", "count"),
    [
        ("SELECT 1", "SELECT 1", 0),
        ("a = ? AND b = ?", "a = ?1 AND b = ?2", 2),
        ("a = ?2 AND b = ?1", "a = ?2 AND b = ?1", 2),
        ("a = :x AND b = :y AND c = :x", "a = ?1 AND b = ?2 AND c = ?1", 2),
        ("a = @x AND b = $y", "a = ?1 AND b = ?2", 2),
        ("a = '?' AND b = 'it''s ?' AND \"c?\" = ?", "a = '?' AND b = 'it''s ?' AND \"c?\" = ?1", 1),
        ("a = ? -- really?\nAND b = ?", "a = ?1 -- really?\nAND b = ?2", 2),
        ("a = ? /* b = ? */", "a = ?1 /* b = ? */", 1),
        ("", "", 0),
    ],
)
def test_sqlite(statement: str, text: str, count: int) -> None:
    numbered = for_sqlite(statement)
    assert (text, count) == (numbered.text, numbered.count)


@pytest.mark.parametrize(
    ("statement", "text", "count"),
    [
        ("SELECT 1", "SELECT 1", 0),
        ("a = %(x)s AND b = %(y)s::VARCHAR AND c = %(x)s", "a = $1 AND b = $2::VARCHAR AND c = $1", 2),
        ("a = %s AND b = %s", "a = $1 AND b = $2", 2),
        ("a = $1 AND b = $2::VARCHAR AND c % 2 = 0", "a = $1 AND b = $2::VARCHAR AND c % 2 = 0", 2),
        ("a LIKE 'x%%' AND b = %(y)s", "a LIKE 'x%' AND b = $1", 1),
        ("a %% 2 = 0", "a % 2 = 0", 0),
        ("a = '$9' AND b = $1", "a = '$9' AND b = $1", 1),
        ("a = $tag$ $9 $tag$ AND b = $1", "a = $tag$ $9 $tag$ AND b = $1", 1),
        ("", "", 0),
    ],
)
def test_postgres(statement: str, text: str, count: int) -> None:
    numbered = for_postgres(statement)
    assert (text, count) == (numbered.text, numbered.count)


@given(st.text(alphabet="a?'\"%s$1:-/* \n()[]`", max_size=40))
def test_no_text_breaks_it(statement: str) -> None:
    """Logs hold anything: cut-off literals, odd quotes."""
    assert 0 <= for_sqlite(statement).count
    assert 0 <= for_postgres(statement).count
