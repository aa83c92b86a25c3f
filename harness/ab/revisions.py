"""Two git revisions of the reference master, each from a worktree of its own, running side by side."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import HarnessError, UsageError, explain
from harness.http import get_json
from harness.processes import start_child

_SEED_TIMEOUT_S = 600.0
_READY_TIMEOUT_S = 30.0
_STOP_GRACE_S = 5.0
_SEED = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """
    What a revision's database is filled with.

    Args:
        agents: rows in its agents table.
        deployments: rows in its deployments table.
        seed: of both.
    """

    agents: int
    deployments: int
    seed: int


def resolve(revision: str, repository: Path) -> str:
    """
    Return the commit that a revision names.

    Raises:
        UsageError: there is no such revision, or no repository.
    """
    done = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if done.returncode != 0:
        fault = "no revision of the repository of the working directory"
        raise UsageError(explain("revision", revision, fault=fault, remedy="git log --oneline"))
    return done.stdout.strip()


@contextmanager
def revision_target(commit: str, repository: Path, fill: Fill) -> Iterator[str]:
    """
    Run the reference master as it was at a commit, filled by its own code, and yield its base URL.

    The dependencies are those of this environment: what a revision needs besides can't be had here.

    Raises:
        HarnessError: the worktree can't be made, or the revision does not fill its database or start.
    """
    with tempfile.TemporaryDirectory(prefix="harness-ab-") as folder:
        home = Path(folder)
        tree = home / "tree"
        done = _git(repository, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        if done.returncode != 0:
            raise HarnessError(explain("revision", commit[:12], fault=f"no worktree: {_last(done.stderr)}"))
        try:
            with _serving(commit, tree, home, fill) as url:
                yield url
        finally:
            _git(repository, "worktree", "remove", "--force", str(tree))


@contextmanager
def _serving(commit: str, tree: Path, home: Path, fill: Fill) -> Iterator[str]:
    environment = {"PYTHONPATH": str(tree), "HARNESS_DATABASE_URL": f"sqlite:///{home}/master.db"}
    name = f"revision {commit[:12]}"
    filling = [sys.executable, "-c", _SEED, "seed", "--agents", str(fill.agents)]
    filling += ["--deployments", str(fill.deployments), "--seed", str(fill.seed)]
    filling += ["--database-url", environment["HARNESS_DATABASE_URL"]]
    seeding = start_child(f"seeding of {name}", filling, log=home / "seed.log", environment=environment)
    try:
        code = seeding.wait(_SEED_TIMEOUT_S)
    finally:
        seeding.stop(grace_s=_STOP_GRACE_S)
    if code != 0:
        raise HarnessError(
            explain("revision", commit[:12], fault=f"does not fill its database: {seeding.last_words()}")
        )
    ready = home / "ready.json"
    serving = [sys.executable, "-m", "harness.backend", "--host", "127.0.0.1", "--port", "0"]
    serving += ["--log-dir", str(home / "logs"), "--ready-file", str(ready)]
    child = start_child(name, serving, log=home / "target.log", environment=environment)
    try:
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        while not ready.exists():
            if child.exit_code() is not None or time.monotonic() > deadline_s:
                fault = f"does not start: {child.last_words() or 'it said nothing'}"
                raise HarnessError(explain("revision", commit[:12], fault=fault))
            time.sleep(0.02)
        url = str(msgspec.json.decode(ready.read_bytes())["url"])
        get_json(f"{url}/api/health", timeout_s=_READY_TIMEOUT_S)
        yield url
    finally:
        child.stop(grace_s=_STOP_GRACE_S)


def _git(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", "-C", str(repository), *arguments],  # noqa: S607  # the user's own git, wherever it is
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as fault:
        raise HarnessError(explain("git", fault=f"can't be started: {fault.strerror or fault}")) from fault


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "git said nothing"
