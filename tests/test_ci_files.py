"""The CI files of the documentation: real YAML, as the services read it, with commands that our parser takes."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "docs" / "ci").glob("*.yml"))
GITHUB = [path for path in FILES if path.name.startswith("github-")]
GITLAB = [path for path in FILES if path.name.startswith("gitlab-")]


def content(path: Path) -> dict[Any, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def github_steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in content(path)["jobs"].values():
        yield from job["steps"]


def scripts(path: Path) -> list[str]:
    """Return every script of a file, GitHub's or GitLab's."""
    if path in GITHUB:
        return [step["run"] for step in github_steps(path) if "run" in step]
    jobs = [job for job in content(path).values() if isinstance(job, dict)]
    return [line for job in jobs for key in ("before_script", "script") for line in job.get(key, [])]


def commands(path: Path) -> list[list[str]]:
    """Return the words of each command of ours in a file."""
    found = []
    for script in scripts(path):
        for line in script.replace("\\\n", " ").splitlines():
            text = re.split(r"\s(?:\|\||&&|;|>|\|)\s", line.strip())[0]
            text = re.sub(r"\$\{\{[^}]*\}\}", "http://staging.example", text).replace(
                "$STAGING_URL", "http://staging.example"
            )
            if text.startswith("harness "):
                found.append(shlex.split(text)[1:])
    return found


def test_there_are_files_for_both_services() -> None:
    assert ["github-embedded.yml", "github-staging.yml", "gitlab-ci.yml"] == [path.name for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_command_is_one_of_ours(path: Path) -> None:
    words = commands(path)
    assert any(command[0] == "run" for command in words)
    for command in words:
        assert callable(build_parser().parse_args(command).command)


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_steps_name_pinned_actions_or_scripts(path: Path) -> None:
    # YAML 1.1 reads the key `on` as true.
    assert {"name", True, "permissions", "jobs"} <= set(content(path))
    for step in github_steps(path):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step["uses"])


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_what_is_kept_and_shown_is_what_the_gates_write(path: Path) -> None:
    kept = next(step for step in github_steps(path) if "upload-artifact" in step.get("uses", ""))
    assert "results/" in kept["with"]["path"]
    histories = {step["with"]["path"] for step in github_steps(path) if "cache/" in step.get("uses", "")}
    (run,) = (command for command in commands(path) if command[0] == "run")
    assert {run[run.index("--history") + 1]} == histories
    for flag in ("--junit", "--badge"):
        assert run[run.index(flag) + 1].startswith("results/")


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_scripts_are_shell_that_bash_can_read(path: Path) -> None:
    for script in scripts(path):
        text = re.sub(r"\$\{\{[^}]*\}\}", "x", script)
        subprocess.run(["bash", "-n"], input=text, text=True, check=True, timeout=10)


@pytest.mark.parametrize("path", GITLAB, ids=lambda path: path.name)
def test_gitlab_reads_the_files_that_the_gates_write(path: Path) -> None:
    whole = content(path)
    reports = whole[".gates"]["artifacts"]["reports"]
    assert {"junit": "results/junit.xml", "metrics": "results/metrics.txt"} == reports
    for command in commands(path):
        if command[0] == "run":
            assert reports["junit"] == command[command.index("--junit") + 1]
            assert reports["metrics"] == command[command.index("--openmetrics") + 1]
    assert [4, 5] == whole["staging"]["allow_failure"]["exit_codes"]
    for job, history in (("embedded", "performance-history"), ("staging", "staging-history")):
        assert whole[job]["extends"] in whole
        assert [history] == whole[job]["cache"]["paths"]
        assert f"--history {history}" in " ".join(whole[job]["script"])


def test_the_page_links_to_each_file() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    for path in FILES:
        assert f"](ci/{path.name})" in page
