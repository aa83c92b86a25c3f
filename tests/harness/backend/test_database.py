"""What a person is told about a database that can't be used, and how calls get to one that can."""

import asyncio
import contextvars
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text

from harness.backend.config import BackendConfig
from harness.backend.database import Database, check_url, make_engine, make_sole_engine, one_line_errors
from harness.backend.models import Agent
from harness.backend.schema import upgrade
from harness.errors import ExitCode, HarnessError, UsageError
from tests.harness.backend.conftest import NOW

FORM = "need a form such as sqlite:///master.db or postgresql+psycopg://user:password@host/name"
AGENT = {"id": "a", "name": "a", "registered_by": "t", "registered_at": NOW, "last_seen_at": None}


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("u:geheim@host", f"option '--database-url': not a database URL, {FORM}"),
        ("postgresql+psycopg://u:geheim@host:port/x", f"option '--database-url': not a database URL, {FORM}"),
        (
            "mysql://u:geheim@host/x",
            f"database 'mysql://u:***@host/x': only SQLite and PostgreSQL are supported, got mysql, {FORM}",
        ),
        (
            "postgresql+asyncpg://u:geheim@host/x",
            f"database 'postgresql+asyncpg://u:***@host/x': this driver isn't supported, got asyncpg, {FORM}",
        ),
        (
            "sqlite://",
            f"database 'sqlite://': a database in memory is another one for every connection, {FORM}",
        ),
        (
            "sqlite:///:memory:",
            f"database 'sqlite:///:memory:': a database in memory is another one for every connection, {FORM}",
        ),
        (
            "sqlite:///x.db?bogus=geheim",
            f"database 'sqlite:///x.db': parameters after a question mark are not supported for SQLite, {FORM}",
        ),
        (
            "sqlite://u:geheim@host/x.db",
            f"database 'sqlite:///x.db': a SQLite database has no host and no user, {FORM}",
        ),
    ],
)
def test_a_url_that_cannot_work_is_a_usage_error_without_the_password(url: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(url)
    assert error == str(caught.value)
    assert ExitCode.USAGE == caught.value.exit_code


def test_a_driver_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'psycopg'")

    dialect = check_url("postgresql://u@host/x").get_dialect()
    monkeypatch.setattr(dialect, "import_dbapi", staticmethod(missing))
    with pytest.raises(UsageError) as caught:
        check_url("postgresql://u:geheim@host/x")
    assert (
        "database 'postgresql+psycopg://u:***@host/x': its driver can't be loaded: No module named 'psycopg'; "
        "try pip install 'pollgauge[postgres]'"
    ) == str(caught.value)


def test_the_driver_of_postgresql_is_named_for_every_release_of_sqlalchemy() -> None:
    assert "postgresql+psycopg" == check_url("postgresql://u@host/x").drivername
    assert "sqlite" == check_url("sqlite:///x.db").drivername


def connect_error(url: str) -> str:
    engine = make_sole_engine(url)
    with pytest.raises(HarnessError) as caught, one_line_errors(engine), engine.connect() as connection:
        connection.execute(text("CREATE TABLE x (id INTEGER)"))
    return str(caught.value)


def test_a_folder_that_does_not_exist_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    file = tmp_path / "no" / "master.db"
    assert (
        f"database 'sqlite:///{file}': can't be used: the folder '{file.parent}' does not exist; "
        f"try mkdir -p '{file.parent}'"
    ) == connect_error(f"sqlite:///{file}")


def test_a_folder_where_the_file_should_be_is_no_database(tmp_path: Path) -> None:
    assert (
        f"database 'sqlite:///{tmp_path}': can't be used: unable to open database file; "
        "try a file in a folder that you can write"
    ) == connect_error(f"sqlite:///{tmp_path}")


def test_a_file_of_another_kind_is_no_database(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("just some notes, quite long enough to be looked at " * 20)
    assert (
        f"database 'sqlite:///{file}': can't be used: file is not a database; try another file"
        == connect_error(f"sqlite:///{file}")
    )


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    text_ = connect_error("postgresql+psycopg://u:geheim@127.0.0.1:1/x")
    assert text_.startswith(
        "database 'postgresql+psycopg://u:***@127.0.0.1:1/x': can't be used: connection failed"
    )
    assert text_.endswith("; try starting the server, or another --database-url")
    assert "geheim" not in text_
    assert "\n" not in text_


@pytest.mark.parametrize("name", ["password", "sslpassword", "passfile"])
def test_a_secret_in_the_query_is_not_shown(name: str) -> None:
    """libpq takes them there; SQLAlchemy masks only the one before the host."""
    text_ = connect_error(f"postgresql+psycopg://u@127.0.0.1:1/x?{name}=geheim")
    assert text_.startswith("database 'postgresql+psycopg://u@127.0.0.1:1/x': can't be used: ")
    assert "geheim" not in text_


def test_a_wrong_password_is_not_repeated(postgres_url: str) -> None:
    wrong = check_url(postgres_url).set(password="geheim").render_as_string(hide_password=False)
    text_ = connect_error(wrong)
    assert "password authentication failed" in text_
    assert "geheim" not in text_


def make_database(url: str, *, threads: int) -> Database:
    migrating = make_sole_engine(url)
    upgrade(migrating)
    migrating.dispose()
    return Database(make_engine(BackendConfig(database_url=url)), threads=threads)


def test_a_write_is_kept_when_it_returns_and_undone_when_it_raises(database_url: str) -> None:
    database = make_database(database_url, threads=2)

    def enter(connection: Connection) -> str:
        connection.execute(insert(Agent), [AGENT])
        return "entered"

    def enter_and_fail(connection: Connection) -> None:
        connection.execute(insert(Agent), [{**AGENT, "id": "b", "name": "b"}])
        raise LookupError("changed my mind")

    def ids(connection: Connection) -> list[str]:
        return list(connection.execute(select(Agent.id)).scalars())

    async def use() -> list[str]:
        assert "entered" == await database.write(enter)
        with pytest.raises(LookupError, match="changed my mind"):
            await database.write(enter_and_fail)
        found = await database.read(ids)
        await database.close()
        return found

    assert ["a"] == asyncio.run(use())


def test_no_more_calls_are_under_way_than_threads_and_all_are_served(database_url: str) -> None:
    """A hundred calls at once on two threads: never a third connection, none lost, none refused."""
    database = make_database(database_url, threads=2)
    lock, now, most = threading.Lock(), 0, 0

    def work(connection: Connection) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        answer: int = connection.execute(text("SELECT 1")).scalar_one()
        with lock:
            now -= 1
        return answer

    async def use() -> int:
        answers = await asyncio.gather(*(database.read(work) for _ in range(100)))
        await database.close()
        return sum(answers)

    assert 100 == asyncio.run(use())
    assert most <= 2


def test_a_call_sees_the_context_of_its_request(database_url: str) -> None:
    """The monitoring layer finds the request that a query belongs to in a context variable."""
    database = make_database(database_url, threads=1)
    request = contextvars.ContextVar[str]("request", default="none")

    async def ask(name: str) -> str:
        request.set(name)
        return await database.read(lambda _connection: request.get())

    async def use() -> list[str]:
        found = await asyncio.gather(ask("first"), ask("second"))
        await database.close()
        return found

    assert ["first", "second"] == asyncio.run(use())
