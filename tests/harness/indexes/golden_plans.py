"""
Stored answers of several servers to EXPLAIN, and the trees that must come out of them.

``golden/<database>-<version>.json`` holds what the server answered, ``.txt`` beside it the outlines of the trees::

    python -m tests.harness.indexes.golden_plans [folder-of-PostgreSQL-binaries …]

asks every PostgreSQL of this machine (and those named) and this Python's SQLite anew, and renders every outline.
Review the difference before you commit it. Versions that are not here stay as they were stored.
"""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from harness.indexes import postgres, sqlite
from harness.indexes.opening import open_database
from harness.indexes.placeholders import for_postgres, for_sqlite
from harness.indexes.plan import Plan
from harness.postgres import PostgresBinaries, binaries_in, ephemeral_postgres, find_binaries

FOLDER = Path(__file__).parent / "golden"

SCHEMA = """
CREATE TABLE agents (id VARCHAR(64) PRIMARY KEY, name VARCHAR(64));
CREATE UNIQUE INDEX idx_agent_name ON agents (name);
CREATE TABLE deployments (id INTEGER PRIMARY KEY, agent_id VARCHAR(64), status VARCHAR(16), created_at TIMESTAMP,
                          artifact VARCHAR(128));
CREATE INDEX idx_deployment_agent_status_created ON deployments (agent_id, status, created_at);
CREATE INDEX idx_deployment_status ON deployments (status);
CREATE INDEX idx_deployment_created_at ON deployments (created_at);
CREATE TABLE bare (x INT, y INT);
"""
POSTGRES_ROWS = """
INSERT INTO agents SELECT 'agent-' || i, 'name-' || i FROM generate_series(1, 50) AS i;
INSERT INTO deployments SELECT i, 'agent-' || (i % 50 + 1), CASE WHEN i % 100 = 0 THEN 'pending' WHEN i % 100 = 1
    THEN 'failed' ELSE 'succeeded' END, timestamp '2026-01-01' + i * interval '1 min', 'artifact-' || i % 20
    FROM generate_series(1, 20000) AS i;
INSERT INTO bare SELECT i, i FROM generate_series(1, 2000) AS i;
ANALYZE;
"""
PENDING = "SELECT id, artifact FROM deployments WHERE agent_id = {} AND status = {} ORDER BY created_at"
STATEMENTS = {
    "pending": PENDING,
    "pending, first one": PENDING + " LIMIT 1",
    "pending under an alias": (
        "SELECT d.id FROM deployments AS d WHERE d.agent_id = {} AND d.status = {} ORDER BY d.created_at"
    ),
    "index only": "SELECT created_at FROM deployments WHERE agent_id = {} AND status = {}",
    "own key": "SELECT * FROM deployments WHERE id = {}",
    "text key": "SELECT * FROM agents WHERE id = {}",
    "full scan": "SELECT * FROM deployments WHERE artifact = {}",
    "named index read whole": "SELECT * FROM deployments ORDER BY created_at LIMIT 10",
    "sort": "SELECT * FROM deployments WHERE agent_id = {} ORDER BY artifact",
    "sort of the rest": "SELECT * FROM deployments WHERE agent_id = {} ORDER BY status, artifact LIMIT 5",
    "join": (
        "SELECT * FROM deployments d JOIN agents a ON a.id = d.agent_id WHERE d.status = {} ORDER BY d.created_at"
    ),
    "join without an index": "SELECT * FROM bare a JOIN bare b ON a.x = b.y",
    "group": "SELECT artifact, count(*) FROM deployments GROUP BY artifact",
    "or": "SELECT * FROM deployments WHERE status = {} OR created_at > {}",
    "union": "SELECT id FROM deployments WHERE status = {} UNION SELECT x FROM bare",
    "in a subquery": ("SELECT * FROM agents WHERE id IN (SELECT agent_id FROM deployments WHERE status = {})"),
    "correlated": "SELECT id, (SELECT count(*) FROM deployments d WHERE d.agent_id = a.id) FROM agents a",
    "window": "SELECT id, row_number() OVER (PARTITION BY agent_id ORDER BY created_at) FROM deployments",
    "no table": "SELECT 1",
    "update": "UPDATE deployments SET status = {} WHERE id = {}",
    "delete": "DELETE FROM deployments WHERE created_at < {}",
    "insert": "INSERT INTO bare VALUES ({}, {})",
}
WITHOUT_COMPOSITE = "pending without its index"


def stored(name: str) -> dict[str, Any]:
    """Return what a server answered."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def tree(name: str, answer: dict[str, Any]) -> Plan:
    """Return the tree of one stored answer."""
    if name.startswith("sqlite"):
        rows = ((number, parent, detail) for number, parent, detail in answer["rows"])
        return sqlite.parse_plan(rows, sqlite.aliases(answer["statement"]))
    return postgres.parse_plan(answer["document"])


def outlines(name: str) -> str:
    """Return every stored answer of a server as the outline of its tree."""
    answers = stored(name)
    return "\n".join(f"-- {title}\n{tree(name, answer).outline()}\n" for title, answer in answers.items())


def names() -> list[str]:
    """Return the stored servers."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def ask_sqlite() -> None:
    connection = sqlite3.connect(":memory:", cached_statements=0)
    connection.executescript(SCHEMA)

    def answer(statement: str) -> dict[str, Any]:
        numbered = for_sqlite(statement.replace("{}", "?"))
        rows = connection.execute(f"EXPLAIN QUERY PLAN {numbered.text}", (None,) * numbered.count)
        return {"statement": statement, "rows": [[row[0], row[1], row[3]] for row in rows]}

    answers = {title: answer(statement) for title, statement in STATEMENTS.items()}
    connection.execute("DROP INDEX idx_deployment_agent_status_created")
    answers[WITHOUT_COMPOSITE] = answer(PENDING)
    connection.close()
    store(f"sqlite-{sqlite3.sqlite_version}", answers)


def ask_postgres(binaries: PostgresBinaries) -> None:
    with ephemeral_postgres(binaries=binaries) as server:
        engine = create_engine(server.url(), poolclass=NullPool)
        with engine.begin() as connection:
            for command in (SCHEMA + POSTGRES_ROWS).split(";\n"):
                if command.strip():
                    connection.execute(text(command))
        answers = ask_postgres_all(server.url(), STATEMENTS)
        with engine.begin() as connection:
            connection.execute(text("DROP INDEX idx_deployment_agent_status_created"))
        answers |= ask_postgres_all(server.url(), {WITHOUT_COMPOSITE: PENDING})
    store(f"postgresql-{binaries.version}", answers)


def ask_postgres_all(url: str, statements: dict[str, str]) -> dict[str, Any]:
    with open_database(url) as database:
        assert isinstance(database, postgres.PostgresDatabase)
        return {
            title: {
                "statement": statement,
                "document": database.document(for_postgres(statement.replace("{}", "%s"))),
            }
            for title, statement in statements.items()
        }


def store(name: str, answers: dict[str, Any]) -> None:
    (FOLDER / f"{name}.json").write_text(json.dumps(answers, indent=1) + "\n")


def main(folders: list[str]) -> None:
    ask_sqlite()
    named = [binaries for folder in folders if (binaries := binaries_in(Path(folder), embedded=True))]
    for binaries in (*find_binaries(), *named):
        ask_postgres(binaries)
    for name in names():
        (FOLDER / f"{name}.txt").write_text(outlines(name))


if __name__ == "__main__":
    main(sys.argv[1:])
