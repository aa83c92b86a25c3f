"""The record of machine and software: what can't be told is None, and nothing in it names a person or a host."""

import getpass
import platform
import subprocess
from pathlib import Path

from harness.environment import describe_commit, describe_environment
from harness.rundir import encode


def test_an_environment_says_what_shapes_the_figures() -> None:
    environment = describe_environment()
    assert environment.python.startswith(platform.python_implementation())
    assert {"locust", "fastapi", "sqlalchemy"} <= set(environment.packages)
    assert (12, True) == (len(environment.key), environment == describe_environment())


def test_an_environment_does_not_name_the_host() -> None:
    assert platform.node().encode() not in encode(describe_environment())
    assert getpass.getuser() not in describe_environment().packages


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_a_commit_is_told_with_its_changes(tmp_path: Path) -> None:
    assert (None, None) == describe_commit(tmp_path)
    git(tmp_path, "init")
    assert (None, None) == describe_commit(tmp_path)
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "x")
    commit, dirty = describe_commit(tmp_path)
    assert (40, False) == (len(commit or ""), dirty)
    (tmp_path / "untracked").write_text("")
    assert (commit, False) == describe_commit(tmp_path)
    (tmp_path / "a").write_text("2")
    assert (commit, True) == describe_commit(tmp_path)
