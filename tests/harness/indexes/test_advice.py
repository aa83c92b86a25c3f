"""Guesses from a statement's text: the common case is read right, and no text breaks it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.indexes.advice import candidates, has_condition, index_name
from harness.indexes.sqlite import aliases

COLUMNS = ("id", "agent_id", "status", "created_at", "artifact")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            "WHERE agent_id = ? AND status = ? ORDER BY created_at",
            (("agent_id", "status", "created_at"), ("agent_id", "status")),
        ),
        (
            "WHERE deployments.agent_id = %(a)s::VARCHAR AND deployments.created_at > %(b)s",
            (("agent_id",), ("agent_id", "created_at"), ("created_at",)),
        ),
        (
            "WHERE status IN (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?",
            (("status", "created_at", "id"), ("status",)),
        ),
        ("WHERE created_at BETWEEN ? AND ?", (("created_at",),)),
        ("ORDER BY created_at LIMIT 10", (("created_at",),)),
        ("WHERE \"status\" = 'agent_id = 5'", (("status",),)),
        ("WHERE artifact = ? -- AND status = ?", (("artifact",),)),
        (
            "WHERE artifact = ? ORDER BY created_at /* traceparent='00-ab' */",
            (("artifact", "created_at"), ("artifact",)),
        ),
        # One index can't do these.
        ("WHERE status = ? OR artifact = ?", ()),
        ("WHERE status = ? ORDER BY created_at, id DESC", (("status",),)),
        ("WHERE status = ? ORDER BY lower(artifact)", (("status",),)),
        ("WHERE unknown = ?", ()),
        ("", ()),
    ],
)
def test_guesses(condition: str, expected: tuple[tuple[str, ...], ...]) -> None:
    statement = f"SELECT * FROM deployments {condition}"
    assert expected == candidates(statement, "deployments", COLUMNS, {})


def test_aliases_and_joins() -> None:
    """Of a join only the columns of the table at hand count, on either side of the sign."""
    statement = (
        "SELECT * FROM agents AS a JOIN deployments d ON a.id = d.agent_id WHERE a.name = ? AND d.status = ?"
    )
    known = aliases(statement)
    assert (("agent_id", "status"),) == candidates(statement, "deployments", COLUMNS, known)
    assert (("id", "name"),) == candidates(statement, "agents", ("id", "name"), known)


def test_statements_without_a_table() -> None:
    assert () == candidates("SELECT 1", "deployments", COLUMNS, {})


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT count(*) FROM deployments", False),
        ("SELECT 'where' FROM deployments", False),
        ("SELECT * FROM deployments WHERE id = 1", True),
        ("select * from deployments limit 1", True),
    ],
)
def test_condition(statement: str, expected: bool) -> None:  # noqa: FBT001  # a table's column
    assert expected == has_condition(statement)


def test_name_fits() -> None:
    """PostgreSQL cuts names at 63 characters, and would then not find its own."""
    assert "idx_deployments_agent_id_status" == index_name("deployments", ("agent_id", "status"))
    assert 63 == len(index_name("deployments", ["a_long_column_name"] * 5))


@given(st.text(alphabet="abc=?'()<>, \n", max_size=60), st.sampled_from(["WHERE", "ORDER BY", "FROM", "OR"]))
def test_no_text_breaks_it(noise: str, word: str) -> None:
    for guess in candidates(f"SELECT * FROM t {word} {noise}", "t", ("a", "b", "c"), {}):
        assert guess
        assert set(guess) <= {"a", "b", "c"}
