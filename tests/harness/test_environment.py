"""The record of machine and software: what can't be told is None, and nothing in it names a person or a host."""

import getpass
import platform
import subprocess
from pathlib import Path

import pytest

from harness.environment import (
    describe_branch,
    describe_commit,
    describe_commit_time,
    describe_environment,
)
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


def test_the_branch_is_told_by_git_or_by_the_build_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_REF_NAME", "topic")
    assert None is describe_branch(tmp_path)
    git(tmp_path, "init", "-b", "trunk")
    git(tmp_path, "commit", "--allow-empty", "-m", "x")
    assert "trunk" == describe_branch(tmp_path)
    git(tmp_path, "checkout", "--detach")
    assert "topic" == describe_branch(tmp_path)
    monkeypatch.delenv("GITHUB_REF_NAME")
    assert None is describe_branch(tmp_path)


def test_a_commit_has_a_time_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-11-20T10:00:00+01:00")
    git(tmp_path, "commit", "--allow-empty", "-m", "x")
    commit, _ = describe_commit(tmp_path)
    assert "2026-11-20T09:00:00Z" == describe_commit_time(tmp_path, commit or "")
    assert None is describe_commit_time(tmp_path, "0123456789")
    assert None is describe_commit_time(tmp_path, "--exec=x")
