"""The audit asks real databases: SQLite, and every PostgreSQL of this machine."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.pool import StaticPool

from harness.errors import HarnessError
from harness.indexes import opening
from harness.indexes.audit import audit_pending_query, explain_served
from harness.indexes.database import CannotExplainError
from harness.indexes.opening import open_database
from harness.indexes.sqlite import SqliteDatabase
from harness.postgres import PostgresServer, ephemeral_postgres, find_binaries
from tests.harness.indexes.master import COMPOSITE, build, metadata, pending, run
from tests.postgres_fixture import SKIP_REASON

VERSIONS = [binaries.version for binaries in find_binaries()]


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], PostgresServer]]:
    """A server of each installed version, started when first asked for."""
    with ExitStack() as stack:
        running: dict[str, PostgresServer] = {}

        def server(version: str) -> PostgresServer:
            if version not in running:
                binaries = next(found for found in find_binaries() if found.version == version)
                running[version] = stack.enter_context(ephemeral_postgres(binaries=binaries))
            return running[version]

        yield server


@pytest.fixture(params=["sqlite", *(VERSIONS or ["none"])])
def url(request: pytest.FixtureRequest, servers: Callable[[str], PostgresServer], tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'master.db'}"
    elif request.param == "none":
        pytest.skip(f"{SKIP_REASON}no server binaries")
    else:
        server = servers(request.param)
        yield server.create_database("audited")
        server.drop_database("audited")


def test_served(url: str) -> None:
    """A healthy master of real size passes, and the evidence says how."""
    build(url, rows=5000)
    (evidence,) = audit_pending_query(url, pending())
    assert (True, None) == (evidence.served, evidence.note)
    assert COMPOSITE == evidence.expected_index
    assert COMPOSITE in evidence.plan
    assert "SELECT deployments.id, deployments.artifact FROM deployments WHERE" == evidence.statement[:66]
    assert "agent-1" not in evidence.statement


def test_text_statement(url: str) -> None:
    """Captured text with the driver's placeholders needs no values."""
    engine = build(url, rows=5000)
    mark = "?" if engine.dialect.name == "sqlite" else "%(a)s::VARCHAR"
    statement = f"SELECT id FROM deployments WHERE agent_id = {mark} AND status = {mark} ORDER BY created_at;"
    evidence = explain_served(url, statement, COMPOSITE)
    assert evidence.served is True
    assert statement == evidence.statement


def test_index_dropped(url: str) -> None:
    """Without the index it is False at once and at any size: no stale explanation, no excuse."""
    engine = build(url, rows=5000)
    assert explain_served(engine, pending(), COMPOSITE).served is True
    run(engine, f"DROP INDEX {COMPOSITE}")
    evidence = explain_served(engine, pending(), COMPOSITE)
    assert (False, f"there is no index {COMPOSITE}") == (evidence.served, evidence.note)
    run(engine, "DELETE FROM deployments")
    assert explain_served(engine, pending(), COMPOSITE).served is False


@pytest.mark.parametrize(
    ("definition", "note"),
    [
        ("deployments (agent_id)", f"index {COMPOSITE} is on (agent_id), not on (agent_id, status, created_at)"),
        (
            "deployments (status, agent_id, created_at)",
            f"index {COMPOSITE} is on (status, agent_id, created_at), not on (agent_id, status, created_at)",
        ),
        (
            "deployments (agent_id, status, created_at DESC)",
            f"index {COMPOSITE} is on (agent_id, status, created_at DESC), not on (agent_id, status, created_at)",
        ),
        (
            "deployments (agent_id, status, created_at) WHERE status = 'failed'",
            f"index {COMPOSITE} is partial: it holds only some of the rows",
        ),
        ("agents (id, name)", f"index {COMPOSITE} belongs to the table agents, not to deployments"),
    ],
)
def test_wrong_definition(url: str, definition: str, note: str) -> None:
    """The name alone is not enough."""
    engine = build(url, rows=2000)
    run(engine, f"DROP INDEX {COMPOSITE}")
    run(engine, f"CREATE INDEX {COMPOSITE} ON {definition}")
    (evidence,) = audit_pending_query(url, pending())
    assert (False, note) == (evidence.served, evidence.note)


def test_other_name(url: str) -> None:
    """The same index under another name is not the specification's; the plan still shows what serves."""
    engine = build(url, rows=5000)
    run(engine, f"DROP INDEX {COMPOSITE}")
    run(engine, "CREATE INDEX mine ON deployments (agent_id, status, created_at)")
    evidence = explain_served(url, pending(), COMPOSITE)
    assert evidence.served is False
    assert "mine" in evidence.plan


def test_index_that_does_not_fit_the_statement(url: str) -> None:
    """An existing index that the statement can't enter."""
    build(url, rows=5000)
    evidence = explain_served(url, "SELECT * FROM deployments WHERE artifact = 'x'", COMPOSITE)
    assert evidence.served is False
    assert "all rows are read: " == str(evidence.note)[:19]


@pytest.mark.parametrize(
    ("filling", "note"),
    [
        (
            {"rows": 150},
            (
                "too small to judge: deployments holds 150 rows, "
                "and below 1000 a healthy planner may pass over any index"
            ),
        ),
        (
            {"rows": 1000, "analyse": False},
            "no statistics to judge by: deployments was never analysed; ANALYZE deployments does it",
        ),
        (
            {"rows": 3000, "fleet": 1},
            (
                "too few different values to judge: the planner expects 1000 of 3000 rows of deployments, "
                "a share that other ways find as cheaply"
            ),
        ),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_postgres_may_pass_over_a_good_index(
    servers: Callable[[str], PostgresServer], version: str, filling: dict[str, Any], note: str
) -> None:
    """What a healthy server does as well is no evidence against the index; a missing one has no excuse."""
    server = servers(version)
    url = server.create_database("excused")
    engine = build(url, **filling)
    (evidence,) = audit_pending_query(url, pending())
    run(engine, f"DROP INDEX {COMPOSITE}")
    (dropped,) = audit_pending_query(url, pending())
    server.drop_database("excused")
    assert (None, note) == (evidence.served, evidence.note)
    assert dropped.served is False


def test_sqlite_searches_the_smallest_table(tmp_path: Path) -> None:
    """No excuse on SQLite: it searches an index in an empty table too."""
    url = f"sqlite:///{tmp_path / 'master.db'}"
    build(url, rows=0)
    assert audit_pending_query(url, pending())[0].served is True


def test_scan_of_a_named_index(tmp_path: Path) -> None:
    """The trap of SQLite with statistics: an index is named, and every row is read."""
    engine = build(f"sqlite:///{tmp_path / 'master.db'}", rows=5000)
    run(engine, f"DROP INDEX {COMPOSITE}")
    evidence = explain_served(engine, pending(), "idx_deployment_created_at")
    assert (
        False,
        (
            "the whole index idx_deployment_created_at is read: "
            "SCAN deployments USING INDEX idx_deployment_created_at"
        ),
    ) == (evidence.served, evidence.note)


def test_database_in_memory() -> None:
    """Such a database lives in its engine's connection alone: that one is used, and left as it was."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    assert explain_served(engine, pending(), COMPOSITE).served is True
    run(engine, f"DROP INDEX {COMPOSITE}")
    assert explain_served(engine, pending(), COMPOSITE).served is False
    engine.dispose()


@pytest.mark.parametrize("by_another", [False, True])
def test_explanations_are_never_stale(tmp_path: Path, by_another: bool) -> None:  # noqa: FBT001  # a table's column
    """The driver caches explanations, and SQLite its schema: neither survives a DROP INDEX, whoever sends it."""
    engine = build(f"sqlite:///{tmp_path / 'master.db'}", rows=10)
    statement = "SELECT id FROM deployments WHERE agent_id = ? AND status = ?"
    with engine.connect() as connection:
        database = SqliteDatabase(connection, writable=True)
        assert COMPOSITE in database.explain(statement).one_line()
        connection.rollback()
        if by_another:
            run(engine, f"DROP INDEX {COMPOSITE}")
        else:
            connection.exec_driver_sql(f"DROP INDEX {COMPOSITE}")
        assert COMPOSITE not in database.explain(statement).one_line()


def test_asynchronous_url(tmp_path: Path) -> None:
    """A service's asynchronous URL is read through the plain driver."""
    path = tmp_path / "master.db"
    build(f"sqlite:///{path}", rows=0)
    assert explain_served(f"sqlite+aiosqlite:///{path}", pending(), COMPOSITE).served is True


def test_nothing_can_be_written(url: str) -> None:
    """Whatever a captured statement holds, the audit writes nothing."""
    engine = build(url, rows=10)
    with open_database(url) as database:
        database.explain("DELETE FROM deployments")
        database.explain("INSERT INTO agents VALUES ('x', 'y')")
        for statement in (
            "SELECT 1; DELETE FROM deployments",
            "SELECT 1; COMMIT; DELETE FROM deployments; BEGIN",
            "DROP TABLE deployments",
        ):
            # SQLite explains a DROP; the others are refused.
            with suppress(CannotExplainError):
                database.explain(statement)
    with engine.connect() as connection:
        assert 10 == connection.scalar(text("SELECT count(*) FROM deployments"))


def test_transaction_is_read_only(url: str) -> None:
    """The database itself refuses to write, whatever we would send."""
    build(url, rows=10)
    with pytest.raises(HarnessError, match=r"read-?only"), open_database(url) as database:
        database.connection.exec_driver_sql("DELETE FROM deployments")


def test_time_outs_are_set(postgres_url: str) -> None:
    with open_database(postgres_url) as database:
        shown = [
            database.connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("statement_timeout", "lock_timeout", "plan_cache_mode")
        ]
    assert ["5s", "1s", "force_generic_plan"] == shown


def test_one_bad_statement_does_not_spoil_the_next(url: str) -> None:
    """An audit of many goes on."""
    build(url, rows=10)
    with open_database(url) as database:
        for statement in ("SELECT nonsense", "SELEC", "", "SELECT * FROM deployments WHERE"):
            with pytest.raises(CannotExplainError):
                database.explain(statement)
        assert "deployments" in database.explain("SELECT * FROM deployments").one_line()


def test_missing_table(url: str) -> None:
    """A database that is not the master's: the error says so."""
    engine = create_engine(url)
    run(engine, "CREATE TABLE other (id INTEGER)")
    engine.dispose()
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(url, pending())
    message = str(caught.value)
    assert (
        "statement 'SELECT deployments.id, deployments.artifact FROM deployments WHERE deployment...': " in message
    )
    assert "can't explain it: " in message
    assert message.endswith("; try the database of the deployment master, with its migrations applied")
    assert "\n" not in message


def test_missing_file(tmp_path: Path) -> None:
    """Reading never makes a file."""
    path = tmp_path / "none.db"
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(f"sqlite:///{path}", pending())
    assert (
        f"database 'sqlite:///{path}': can't be read: unable to open database file; "
        "try the path of an existing SQLite file that you may read"
    ) == str(caught.value)
    assert not path.exists()


def test_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to look at" * 10)
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(f"sqlite:///{path}", pending())
    assert (
        f"database 'sqlite:///{path}': can't be read: file is not a database; try the path of an SQLite file"
    ) == str(caught.value)


def test_locked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that never ends is waited for, but not forever."""
    monkeypatch.setattr(opening, "CONNECT_TIMEOUT_S", 0.01)
    path = tmp_path / "master.db"
    build(f"sqlite:///{path}", rows=0).dispose()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(f"sqlite:///{path}", pending())
    holder.close()
    assert (
        f"database 'sqlite:///{path}': can't be read: database is locked; "
        "try again when no other process holds the file"
    ) == str(caught.value)


@pytest.mark.parametrize("wrong", ["", "nonsense", "postgresql://user:secret@host:port/x", "://"])
def test_no_url(wrong: str) -> None:
    """What can't be parsed is not repeated: it may hold a password."""
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(wrong, pending())
    assert (
        "database '…': not a usable URL, "
        "need a form such as sqlite:///master.db or postgresql+psycopg://user@host/name"
    ) == str(caught.value)


def test_other_kind_of_database() -> None:
    with pytest.raises(HarnessError) as caught:
        audit_pending_query("mysql://me:secret@127.0.0.1/x", pending())
    assert (
        "database 'mysql://me:***@127.0.0.1/x': of a kind whose plans can't be read, need SQLite or PostgreSQL"
    ) == str(caught.value)


def test_nobody_listens() -> None:
    with pytest.raises(HarnessError) as caught:
        audit_pending_query("postgresql+psycopg://me:secret@127.0.0.1:1/x", pending())
    message = str(caught.value)
    assert "database 'postgresql+psycopg://me:***@127.0.0.1:1/x': can't be read: " in message
    assert message.endswith("; try starting the server, or another host and port")
    assert "secret" not in message


def test_wrong_password(postgres_url: str) -> None:
    url = make_url(postgres_url).set(password="secret").render_as_string(hide_password=False)
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(url, pending())
    message = str(caught.value)
    assert message.endswith("; try another user or password in the URL")
    assert "secret" not in message


def test_missing_database(postgres_server: PostgresServer) -> None:
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(postgres_server.url("nowhere"), pending())
    assert str(caught.value).endswith("; try another database name or user in the URL")
    assert postgres_server.password not in str(caught.value)


def test_no_rights(postgres_url: str) -> None:
    """A user without SELECT is told what is missing."""
    engine = build(postgres_url, rows=10)
    run(engine, "DROP ROLE IF EXISTS poor")
    run(engine, "CREATE ROLE poor LOGIN PASSWORD 'secret'")
    url = make_url(postgres_url).set(username="poor", password="secret").render_as_string(hide_password=False)
    with pytest.raises(HarnessError) as caught:
        audit_pending_query(url, pending())
    run(engine, "DROP ROLE poor")
    message = str(caught.value)
    assert message.endswith(
        "can't explain it: permission denied for table deployments; "
        "try a user that may read the tables (GRANT SELECT)"
    )
    assert "secret" not in message


def test_table_held_by_another_session(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock is waited for, but not forever."""
    monkeypatch.setattr("harness.indexes.postgres.LOCK_TIMEOUT_MS", 50)
    engine = build(postgres_url, rows=10)
    with engine.begin() as holder:
        holder.execute(text("LOCK TABLE deployments IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(HarnessError) as caught:
            audit_pending_query(postgres_url, pending())
    assert str(caught.value).endswith(
        "canceling statement due to lock timeout; try again when no other session holds the table"
    )


def test_invalid_index(postgres_url: str) -> None:
    """An index whose building failed is kept up and never used."""
    engine: Engine = build(postgres_url, rows=2000)
    run(engine, f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{COMPOSITE}'::regclass")
    (evidence,) = audit_pending_query(postgres_url, pending())
    assert (
        False,
        f"index {COMPOSITE} is invalid: its building failed half-way; REINDEX INDEX {COMPOSITE} builds it anew",
    ) == (evidence.served, evidence.note)


def test_ancient_server(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.indexes.postgres.OLDEST_VERSION", 990000)
    with pytest.raises(
        HarnessError, match=r"^PostgreSQL '\d+\.\d+': too old to ask for a generic plan, need 12 or newer$"
    ):
        audit_pending_query(postgres_url, pending())
