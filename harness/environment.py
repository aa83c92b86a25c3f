"""What the machine and its software are: the part of a run that nobody chose and everybody must know."""

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from harness.model import Environment

_PACKAGES = ("locust", "fastapi", "starlette", "uvicorn", "sqlalchemy", "geventhttpclient", "psycopg")


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
