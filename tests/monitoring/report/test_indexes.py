"""The look into the database, on SQLite and PostgreSQL."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from monitoring.errors import MonitoringError, UsageError
from monitoring.reports.indexes import COMPOSITE, look_at_indexes
from tests.monitoring.report.past import QUERY

TABLES = (
    "CREATE TABLE agents (id TEXT PRIMARY KEY, name TEXT)",
    "CREATE TABLE deployments (id INTEGER PRIMARY KEY, agent_id TEXT, status TEXT, created_at TIMESTAMP)",
)
INDEXES = (
    f"CREATE INDEX {COMPOSITE} ON deployments (agent_id, status, created_at)",
    "CREATE INDEX idx_deployment_status ON deployments (status)",
    "CREATE INDEX idx_deployment_created_at ON deployments (created_at)",
    "CREATE INDEX idx_agent_name ON agents (name)",
)


def made(url: str, *statements: str) -> str:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
    return url


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'master #1.db'}"


AS_SQLALCHEMY_WRITES_IT = """\
SELECT deployments.id, deployments.agent_id
FROM deployments
WHERE deployments.agent_id = ? AND deployments.status = ? ORDER BY deployments.created_at
 LIMIT ? OFFSET ?"""


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([], id="nothing captured"),
        pytest.param(["SELECT 1", QUERY], id="captured"),
        pytest.param([AS_SQLALCHEMY_WRITES_IT], id="over several lines"),
    ],
)
def test_indexes_that_are_there_and_used(url: str, statements: list[str]) -> None:
    found = look_at_indexes(made(url, *TABLES, *INDEXES), statements)
    assert ("pass", 4, 4, f"the pending query searches {COMPOSITE}") == (
        found.status,
        found.present,
        found.expected,
        found.note,
    )


def test_an_async_url_is_read_with_the_synchronous_driver(url: str) -> None:
    made(url, *TABLES, *INDEXES)
    assert "pass" == look_at_indexes(url.replace("sqlite:", "sqlite+aiosqlite:"), []).status


def test_the_composite_index_is_missing(url: str) -> None:
    """Another index is named by the plan, and yet this is a failure."""
    found = look_at_indexes(made(url, *TABLES, *INDEXES[1:]), [])
    assert ("fail", 3) == (found.status, found.present)
    assert found.note.startswith(
        f"missing or of other columns: create index {COMPOSITE} on deployments (agent_id, status, created_at); "
        f"the pending query does not search {COMPOSITE}; its plan: "
    )


def test_an_index_of_the_right_name_on_other_columns(url: str) -> None:
    wrong = f"CREATE INDEX {COMPOSITE} ON deployments (created_at, agent_id, status)"
    found = look_at_indexes(made(url, *TABLES, wrong, *INDEXES[1:]), [])
    assert ("fail", 3) == (found.status, found.present)


def test_a_query_that_cannot_use_the_index(url: str) -> None:
    """All indexes are there, but the service's own query sorts by something else."""
    own = "SELECT id FROM deployments WHERE agent_id = ? AND status = ? ORDER BY id"
    found = look_at_indexes(made(url, *TABLES, *INDEXES), [own])
    assert ("fail", 4) == (found.status, found.present)
    assert f"the pending query does not search {COMPOSITE}; its plan: SEARCH deployments USING INDEX" in found.note


@pytest.mark.parametrize(
    ("order", "status"), [("lower(created_at)", "fail"), ("created_at DESC, agent_id, id", "pass")]
)
def test_a_sort_of_everything_is_a_failure_and_one_within_equal_keys_is_none(
    url: str, order: str, status: str
) -> None:
    own = f"SELECT id FROM deployments WHERE agent_id = ? AND status = ? ORDER BY {order}"
    assert status == look_at_indexes(made(url, *TABLES, *INDEXES), [own]).status


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"{QUERY}, of_the_service(id)", "no such function: of_the_service"),
        ("SELECT id FROM deployments WHERE agent_id = :a AND status = :b ORDER BY created_at", "bindings"),
    ],
)
def test_a_query_that_only_the_service_can_send(url: str, statement: str, reason: str) -> None:
    """It has no plan here; the indexes are looked for all the same, and the rest of the checklist stands."""
    found = look_at_indexes(made(url, *TABLES, *INDEXES), [statement])
    assert ("unknown", 4) == (found.status, found.present)
    assert found.note.startswith("the pending query can't be explained here (")
    assert reason in found.note
    without = look_at_indexes(made(url, f"DROP INDEX {COMPOSITE}"), [statement])
    assert ("fail", 3) == (without.status, without.present)


def test_a_database_of_something_else(url: str) -> None:
    found = look_at_indexes(made(url, "CREATE TABLE x (a)"), [])
    assert ("unknown", 0, "there is no table 'deployments' in this database") == (
        found.status,
        found.present,
        found.note,
    )


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MonitoringError) as error:
        look_at_indexes(f"sqlite:///{tmp_path}/no.db", [])
    assert f"database '{tmp_path}/no.db': no such file" == str(error.value)
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"junk" * 1000)
    with pytest.raises(MonitoringError, match="can't be asked \\(file is not a database\\)"):
        look_at_indexes(f"sqlite:///{tmp_path}/a.db", [])


@pytest.mark.parametrize("url", ["", "master.db", "://secret@x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(UsageError) as error:
        look_at_indexes(url, [])
    assert "option '--database-url': not understood, need a form such as sqlite:///master.db" == str(error.value)


def test_a_driver_that_is_not_installed() -> None:
    with pytest.raises(UsageError) as error:
        look_at_indexes("nosuch://user:secret@host/db", [])
    assert str(error.value).startswith("database 'nosuch://user:***@host/db': no driver (")


def test_postgresql_counts_its_scans(postgres_url: str) -> None:
    """A table that is small is read whole by a healthy server; a large one whose index is idle is a warning."""
    made(postgres_url, *TABLES, *INDEXES)
    found = look_at_indexes(postgres_url, [])
    assert ("unknown", 4, "0 rows: a healthy server reads so small a table as a whole") == (
        found.status,
        found.present,
        found.note,
    )
    made(
        postgres_url,
        "INSERT INTO deployments SELECT n, 'a' || n % 50, 'pending', now() FROM generate_series(1, 20000) n",
        "SELECT pg_stat_force_next_flush()",
    )
    assert "warn" == look_at_indexes(postgres_url, []).status
    made(
        postgres_url,
        "ANALYZE deployments",
        "SET enable_seqscan = off",
        "SET enable_bitmapscan = off",
        "SELECT id FROM deployments WHERE agent_id = 'a1' AND status = 'pending' ORDER BY created_at",
        "SELECT pg_stat_force_next_flush()",
    )
    found = look_at_indexes(postgres_url, [])
    assert ("pass", f"{COMPOSITE} was scanned 1 times") == (found.status, found.note)


def test_a_server_that_is_not_there_and_no_password_in_the_error() -> None:
    with pytest.raises(MonitoringError) as error:
        look_at_indexes("postgresql+asyncpg://user:secret@127.0.0.1:1/x", [])
    assert str(error.value).startswith("database 'postgresql+asyncpg://user:***@127.0.0.1:1/x': can't be asked (")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("secret", ["u@127.0.0.1:1/x?password=hunter2", "u:hunter2@127.0.0.1:1/x"])
def test_a_password_is_shown_nowhere(secret: str) -> None:
    """libpq takes one in the query too, which SQLAlchemy's own masking leaves as it is."""
    with pytest.raises(MonitoringError) as refusal:
        look_at_indexes(f"postgresql+psycopg://{secret}", [])
    assert "hunter2" not in str(refusal.value)
