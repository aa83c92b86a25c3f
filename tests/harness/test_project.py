"""Where the history is: what was said, then the environment, then the project, then a folder beside the runs."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.project import history_place, read_project_table


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HARNESS_HISTORY", raising=False)
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")
    return tmp_path


def test_what_was_said_last_counts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "runs/history" == history_place(None)
    assert "out/history" == history_place(None, out=Path("out"))
    (project / "pyproject.toml").write_text('[tool.harness]\nhistory = "perf"\n')
    assert str(project / "perf") == history_place(None, out=Path("out"))
    (project / "pyproject.toml").write_text('[tool.harness]\nhistory = "sqlite:///perf.db"\n')
    assert "sqlite:///perf.db" == history_place(None)
    monkeypatch.setenv("HARNESS_HISTORY", "from the environment")
    assert "from the environment" == history_place(None)
    assert "given" == history_place("given")


def test_the_nearest_project_counts(project: Path) -> None:
    (project / "deep" / "pyproject.toml").write_text("[tool.harness]\nanswer = 42\n")
    table = read_project_table()
    assert table is not None
    assert (project / "deep" / "pyproject.toml", {"answer": 42}) == (table.path, table.values)


def test_a_folder_without_a_project_has_no_table(tmp_path: Path) -> None:
    assert None is read_project_table(Path("/"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not toml", "can't be read: "),
        ("[tool]\nharness = 3\n", "tool.harness is no table, got 3"),
        ("[tool.harness]\nhistory = 3\n", r"\[tool.harness\] history is no text, got 3"),
        ('[tool.harness]\nhistory = " "\n', r"\[tool.harness\] history is no text, got ' '"),
    ],
)
def test_a_table_that_makes_no_sense_is_named(project: Path, content: str, why: str) -> None:
    (project / "pyproject.toml").write_text(content)
    with pytest.raises(UsageError, match=f"file '.*pyproject.toml': {why}"):
        history_place(None)
