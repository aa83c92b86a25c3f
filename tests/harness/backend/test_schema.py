"""Bringing databases to the schema: empty, current, foreign, newer, and several processes at once."""

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from harness.backend.database import make_sole_engine
from harness.backend.schema import drop_index, head_revision, migration_config, upgrade
from harness.errors import HarnessError, UsageError

TABLES = {"agents", "deployments", "deployment_events", "alembic_version"}


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    engine = make_sole_engine(database_url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_an_empty_database_gets_every_table_and_the_specified_indexes(empty: Engine) -> None:
    upgrade(empty)
    assert tables(empty) == TABLES
    found = {
        index["name"]: (index["column_names"], bool(index["unique"]))
        for table in ("agents", "deployments")
        for index in inspect(empty).get_indexes(table)
    }
    assert {
        "idx_agent_name": (["name"], True),
        "idx_deployment_agent_status_created": (["agent_id", "status", "created_at"], False),
        "idx_deployment_status": (["status"], False),
        "idx_deployment_created_at": (["created_at"], False),
    } == found
    assert ["id"] == inspect(empty).get_pk_constraint("agents")["constrained_columns"]


def test_the_migrations_make_what_the_models_say(empty: Engine) -> None:
    """`alembic check` finds nothing to do."""
    upgrade(empty)
    with empty.connect() as connection:
        command.check(migration_config(connection))


def test_upgrading_again_changes_nothing_and_needs_no_lock(empty: Engine) -> None:
    upgrade(empty)
    with empty.connect() as connection:
        if empty.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(empty)
    assert tables(empty) == TABLES


def test_the_way_back_removes_the_tables(empty: Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        command.downgrade(migration_config(connection), "base")
    assert {"alembic_version"} == tables(empty)
    upgrade(empty)
    assert tables(empty) == TABLES


def test_a_migration_that_fails_in_the_middle_leaves_nothing(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = command.upgrade

    def break_off(*arguments: object) -> None:
        real(*arguments)
        raise RuntimeError("the power went")

    monkeypatch.setattr(command, "upgrade", break_off)
    with pytest.raises(RuntimeError, match="the power went"):
        upgrade(empty)
    assert set() == tables(empty)


def test_several_processes_may_upgrade_at_once(database_url: str) -> None:
    """One of them does the work; the others wait and find it done."""
    engines = [make_sole_engine(database_url) for _ in range(4)]
    faults: list[BaseException] = []

    def one(engine: Engine) -> None:
        try:
            upgrade(engine)
        except BaseException as fault:  # noqa: BLE001  # looked at below
            faults.append(fault)

    threads = [threading.Thread(target=one, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == faults
    assert tables(engines[0]) == TABLES
    for engine in engines:
        engine.dispose()


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("users", "it holds somebody else's tables, such as 'users'"),
        ("deployments", "its table 'deployments' was not made by the master's migrations"),
    ],
)
def test_a_database_of_somebody_elses_is_left_alone(empty: Engine, table: str, fault: str) -> None:
    with empty.begin() as connection:
        connection.execute(text(f"CREATE TABLE {table} (id INTEGER)"))
    with pytest.raises(HarnessError, match=re.escape(f"{fault}; try an empty database")):
        upgrade(empty)
    assert {table} == tables(empty)


def test_a_schema_of_a_newer_version_is_refused_by_name(empty: Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'beef'"))
    expected = rf"another program's, or of a newer version .*'beef'.*, need revision {head_revision()} or before"
    with pytest.raises(HarnessError, match=expected):
        upgrade(empty)


def test_sqlite_files_are_switched_to_write_ahead_logging(tmp_path: Path) -> None:
    engine = make_sole_engine(f"sqlite:///{tmp_path / 'master.db'}")
    upgrade(engine)
    with engine.connect() as connection:
        assert "wal" == connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    engine.dispose()


def test_an_index_is_dropped_once_and_stays_dropped(engine: Engine) -> None:
    for _ in range(2):
        drop_index(engine, "idx_deployment_agent_status_created")
        upgrade(engine)
    left = {index["name"] for index in inspect(engine).get_indexes("deployments")}
    assert {"idx_deployment_status", "idx_deployment_created_at"} == left


def test_only_the_masters_own_indexes_can_be_dropped(engine: Engine) -> None:
    with pytest.raises(UsageError) as refusal:
        drop_index(engine, "idx_deployment_agent_created")
    assert str(refusal.value).startswith(
        "option '--drop-index': no index of the master's, got 'idx_deployment_agent_created', need one of idx_"
    )
    assert str(refusal.value).endswith("; try 'idx_deployment_agent_status_created'")
