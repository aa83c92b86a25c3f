"""Which values of a statement are shown: none of a secret column, whatever the placeholders look like."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, func, select, text

from monitoring import instrument
from monitoring.capture.redact import redacted
from monitoring.settings import Settings
from tests.monitoring.driver import Client

SECRET = "S3CRET"
UPSERT = (
    "INSERT INTO users (name, token) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET token = ? WHERE users.id < ?"
)


@pytest.mark.parametrize(
    ("statement", "parameters", "shown"),
    [
        ("SELECT id FROM users WHERE token = :t", {"t": SECRET}, "{'t': ***}"),
        ("SELECT id FROM users WHERE token = %(t)s", {"t": SECRET}, "{'t': ***}"),
        ("SELECT id FROM users WHERE token = @t AND id = $i", {"t": SECRET, "i": 1}, "{'t': ***, 'i': 1}"),
        ("SELECT id FROM users WHERE token = $2 AND id = $1", (1, SECRET), "[1, ***]"),
        ("SELECT id FROM users WHERE token = ?2 AND id = ?1", (1, SECRET), "[1, ***]"),
        ("SELECT id FROM users WHERE token = %s AND name LIKE %s", (SECRET, "a%"), "[***, 'a%']"),
        ("SELECT id FROM users WHERE lower(token) = lower(:lower_1)", {"lower_1": SECRET}, "{'lower_1': ***}"),
        ("SELECT id FROM users WHERE id = ? AND f(?) = TOKEN", (1, SECRET), "[***, ***]"),
        ("SELECT id FROM users WHERE token || name = ?", (SECRET,), "[***]"),
        ("SELECT id FROM users WHERE name = ? || token", (SECRET,), "[***]"),
        ("SELECT id FROM users WHERE id = :a OR token = :a", {"a": SECRET}, "{'a': ***}"),
        (
            'SELECT id FROM a."users" WHERE a."users"."Token" IN (?, ?) AND id = ?',
            (SECRET, SECRET, 1),
            "[***, ***, 1]",
        ),
        (
            "SELECT id FROM users WHERE [token] NOT BETWEEN ? AND ? AND id IN (?)",
            (SECRET, SECRET, 1),
            "[***, ***, 1]",
        ),
        ("UPDATE users SET name = ?, `token` = ? WHERE id = ?", ("a", SECRET, 1), "['a', ***, 1]"),
        ("UPDATE users SET (name, token) = (?, ?)", ("a", SECRET), "[***, ***]"),
        ("UPDATE users SET TOKEN = $1::VARCHAR(9) WHERE id = $2::INTEGER", (SECRET, 1), "[***, 1]"),
        ("SELECT token FROM users WHERE name = ? ORDER BY id LIMIT ? OFFSET ?", ("a", 1, 0), "['a', 1, 0]"),
        ("SELECT name FROM users WHERE f(name) = ?", ("a",), "['a']"),
        ("SELECT id FROM users WHERE note = 'id = ?' AND token = ?", (SECRET,), "[***]"),
        ("SELECT id FROM users WHERE token = -- AND name =\n ?", (SECRET,), "[***]"),
        ("SELECT id FROM users WHERE note LIKE '%%s' AND token = %s AND id = %s", (SECRET, 1), "[***, 1]"),
        ("SELECT id FROM users WHERE ids = %s AND token = %s", ([1, 2], SECRET), "[[1, 2], ***]"),
        ("SELECT id FROM users WHERE token = %s AND ids = %s", ([SECRET], [1]), "[***, [1]]"),
        (UPSERT, ("a", SECRET, SECRET, 5), "['a', ***, ***, 5]"),
        (
            "INSERT INTO users (name, token) VALUES (?, ?), (?, ?)",
            [("a", SECRET, "b", SECRET)],
            "[['a', ***, 'b', ***]]",
        ),
        ("INSERT INTO users (token, at, name) VALUES (?, now(), ?)", (SECRET, "a"), "[***, ***]"),
        ("INSERT INTO users (name, token) SELECT ?, ?", ("a", SECRET), "[***, ***]"),
        ("INSERT INTO users VALUES (?, ?)", ("a", SECRET), "[***, ***]"),
        ("INSERT INTO users(SELECT :a, :b)", {"a": 1, "b": SECRET}, "{'a': ***, 'b': ***}"),
        ("INSERT INTO users (name) VALUES (?)", ("a",), "['a']"),
        (
            "INSERT INTO users (name, token) VALUES (:n, :t)",
            [{"n": 1, "t": SECRET}] * 4,
            "[" + "{'n': 1, 't': ***}, " * 3 + "…]",
        ),
        ("SELECT token FROM users", (), "[]"),
        ("SELECT id FROM users WHERE token = :t", {"t": SECRET, "spare": 1}, "{'t': ***, 'spare': ***}"),
    ],
)
def test_a_value_is_judged_by_its_column(statement: str, parameters: Any, shown: str) -> None:
    assert redacted(statement, parameters) == shown


# ---- whatever is put together

SECRETS = ("token", "password_hash", '"api_key"', "users.TOKEN", 'public."users"."secret"', "`session_id`")
PLAIN = ("name", "id", '"agent_id"', "users.name", 'public."users"."status"', "NAME")

# $ is a column, ? a value of it.
CONDITIONS = (
    *("$ = ?", "$=?", "$ <> ?", "$ >= ?", "$ LIKE ?", "$ NOT LIKE ? ESCAPE '/'", "$ IN (?, ?)", "$ NOT IN (?)"),
    *("$ BETWEEN ? AND ?", "lower($) = lower(?)", "$ = coalesce(?, ?)", "? = $", "$ || ? = 'x'", "($) = (?)"),
    *("$ = CAST(? AS VARCHAR)", "$ = ?::VARCHAR", "$ IS ?", "name || $ = ?", "$ = ANY(?)", "NOT $ = ?"),
    *("$ = 'it''s' || ?", "note = 'name = ?' AND $ = ?", "id = 1 /* name = */ AND $ = /* id = */ ?"),
    *("EXISTS (SELECT 1 FROM t WHERE $ = ?)", "CASE $ WHEN ? THEN 1 END = 1", "($, 1) = (?, 1)", "$\n=\n?"),
)
STYLES: dict[str, Callable[[int], str]] = {
    "qmark": lambda _: "?",
    "format": lambda _: "%s",
    "numeric": lambda number: f":{number}",
    "dollar": lambda number: f"${number}",
    "named": lambda number: f":p{number}",
    "pyformat": lambda number: f"%(p{number})s",
}

columns = st.sampled_from(SECRETS) | st.sampled_from(PLAIN)
conditions = st.tuples(st.sampled_from(CONDITIONS), columns)
rows = st.lists(st.sampled_from(("?", "?", "?", "now()", "upper(?)", "1")), min_size=1, max_size=4)


def _filled(template: str, column: str, values: list[str]) -> str:
    """Put the column in, and note what stands for each value outside of a literal."""
    count = re.sub(r"'[^']*'", "", template).count("?")
    values += [SECRET if column in SECRETS else "plain"] * count
    return template.replace("$", column)


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, list[str]]:
    values: list[str] = []
    kind = draw(st.sampled_from(("SELECT", "UPDATE", "INSERT")))
    where = draw(st.lists(conditions, min_size=1, max_size=3))
    if kind == "SELECT":
        begin = "SELECT users.id, users.token FROM users WHERE "
    elif kind == "UPDATE":
        assigned = draw(
            st.lists(st.tuples(st.sampled_from(("$ = ?", "$ = f(?)", "$ = ? || name")), columns), min_size=1)
        )
        begin = f"UPDATE users SET {', '.join(_filled(*one, values) for one in assigned)} WHERE "
    else:
        row = draw(rows)
        names = draw(st.lists(columns, min_size=len(row), max_size=len(row)))
        count = draw(st.integers(1, 3))
        for _ in range(count):
            for name, value in zip(names, row, strict=True):
                _filled(value, name, values)
        group = f"({', '.join(row)})"
        set_ = _filled("$ = ?", draw(columns), values)
        begin = (
            f"INSERT INTO users ({', '.join(names)}) VALUES {', '.join([group] * count)} "
            f"ON CONFLICT (id) DO UPDATE SET {set_} WHERE "
        )
    joined = draw(st.sampled_from((" AND ", " OR ", " and\n")))
    return begin + joined.join(_filled(*one, values) for one in where), values


def _styled(statement: str, style: str) -> str:
    """Write each placeholder in the style; those within a literal stay as they are in it."""
    number = 0

    def place(match: re.Match[str]) -> str:
        nonlocal number
        if match[0] != "?":
            return match[0]
        number += 1
        return STYLES[style](number)

    return re.sub(r"'[^']*'|\?", place, statement)


@given(statements(), st.sampled_from(sorted(STYLES)))
def test_a_value_of_a_secret_column_never_appears(made: tuple[str, list[str]], style: str) -> None:
    statement, values = made
    numbered = enumerate(values, start=1)
    parameters: Any = (
        {f"p{n}": value for n, value in numbered} if style in {"named", "pyformat"} else tuple(values)
    )
    styled = _styled(statement, style)
    assert SECRET not in redacted(styled, parameters)
    assert SECRET not in redacted(styled, [parameters, parameters])


# ---- as SQLAlchemy sends them


@pytest.mark.parametrize("style", ["qmark", "named", "numeric"])
def test_no_secret_of_a_database_call_is_in_the_log(style: str, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/a.db", paramstyle=style)
    made = MetaData()
    users = Table(
        "users",
        made,
        Column("id", Integer, primary_key=True),
        Column("name", String, unique=True),
        Column("token", String),
    )
    made.create_all(engine)
    app = FastAPI()

    @app.get("/secrets")
    def secrets() -> None:
        upsert = UPSERT.replace("?, ?", ":n, :t").replace("= ?", "= :u").replace("< ?", "< :i")
        with engine.begin() as connection:
            connection.execute(users.insert(), [{"token": f"{SECRET}-{n}", "name": f"joe-{n}"} for n in range(3)])
            connection.execute(text(upsert), {"n": "a", "t": SECRET, "u": SECRET, "i": 5})
            connection.execute(text("SELECT id FROM users WHERE token = :t"), {"t": SECRET})
            connection.execute(select(users.c.id).where(func.lower(users.c.token) == func.lower(SECRET)))
            connection.execute(select(users).where(users.c.name == "joe-1", users.c.token.in_([SECRET])).limit(7))

    handle = instrument(app, engine, Settings(log_dir=tmp_path / "logs", log_query_parameters=True))
    try:
        assert 200 == Client(app).get("/secrets").status
    finally:
        handle.close()
    logged = (tmp_path / "logs" / "database-queries.log").read_text()
    assert 5 <= logged.count('"parameters"')
    assert SECRET not in logged
    assert "joe-1" in logged
