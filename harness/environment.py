"""What the machine and its software are: the part of a run that nobody chose and everybody must know."""

import hashlib
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from harness.model import Environment

_PACKAGES = ("locust", "fastapi", "starlette", "uvicorn", "sqlalchemy", "geventhttpclient", "psycopg")
_BRANCH_VARIABLES = ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME")
_COMMIT = re.compile(r"[0-9a-fA-F]{4,64}")


def describe_environment() -> Environment:
    """
    Describe this machine and this interpreter.

    Returns:
        An `Environment`; what can't be told is None or left out, never guessed. It holds no host or user name.
    """
    cpu = _cpu_model()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    # The kernel's patch level and the third part of Python's version don't make two runs incomparable.
    comparable = "|".join(
        [cpu or "?", str(cores), platform.system(), platform.machine(), python.rpartition(".")[0]]
    )
    return Environment(
        key=hashlib.sha256(comparable.encode()).hexdigest()[:12],
        cpu=cpu,
        cores=cores,
        memory_bytes=_memory_bytes(),
        platform=system,
        python=python,
        packages=_versions(),
    )


def describe_commit(directory: Path) -> tuple[str | None, bool | None]:
    """
    Return the git commit of a directory and whether tracked files differ from it.

    Returns:
        ``(commit, dirty)``; ``(None, None)`` outside a repository, in one without a commit, or without git.
    """
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def describe_branch(directory: Path) -> str | None:
    """
    Return the git branch of a directory.

    A build server checks out a commit without its branch, and tells the name in a variable.

    Returns:
        The name; None outside a repository, and for a commit without a branch.
    """
    branch = _git(directory, "symbolic-ref", "--quiet", "--short", "HEAD")
    if branch is None and _git(directory, "rev-parse", "HEAD") is not None:
        branch = next((os.environ[name] for name in _BRANCH_VARIABLES if os.environ.get(name)), None)
    return branch


def describe_commit_time(directory: Path, commit: str) -> str | None:
    """
    Return when a commit was made, ISO 8601 in UTC.

    Args:
        directory: in the repository.
        commit: full or short.

    Returns:
        The committer's time; None when the repository does not know the commit.
    """
    if not _COMMIT.fullmatch(commit):
        return None
    told = _git(directory, "show", "--no-patch", "--format=%cI", commit)
    if not told:
        return None
    instant = datetime.fromisoformat(told.splitlines()[-1]).astimezone(UTC)
    return instant.isoformat().replace("+00:00", "Z")


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(directory), *arguments],  # noqa: S607  # the user's own git, wherever it is
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip() or None
    except OSError:
        # Not Linux: the platform module knows less, but it knows something.
        return platform.processor() or None
    return platform.processor() or None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
