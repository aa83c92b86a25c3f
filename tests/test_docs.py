"""The documentation's commands exist as written, its links lead somewhere, and its promises name real files."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from harness.cli import build_parser
from monitoring.cli import main as monitoring_main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands() -> list[tuple[str, str]]:
    """Return (page, command line) of each command in a shell block of the documentation."""
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                text = line.removeprefix("$ ").partition("  #")[0].strip()
                if text and not text.startswith("#"):
                    found.append((page.name, text))
    return found


def of_program(name: str) -> list[tuple[str, str]]:
    return [(page, text) for page, text in commands() if Path(words(text)[0]).name == name]


def words(text: str) -> list[str]:
    return shlex.split(re.split(r"\s(?:>|\||&&|2>)", text)[0])


def test_the_readme_shows_both_commands_with_their_output() -> None:
    first_screen = (ROOT / "README.md").read_text(encoding="utf-8")[:3500]
    assert "make run" in first_screen
    assert "make test" in first_screen
    assert "All 8 gates held" in first_screen
    assert re.search(r"\d+ passed", first_screen)


@pytest.mark.parametrize(("page", "text"), of_program("harness"), ids=str)
def test_commands_of_harness_parse(page: str, text: str) -> None:
    options = build_parser().parse_args(words(text)[1:])
    assert callable(options.command)


@pytest.mark.parametrize(("page", "text"), of_program("monitoring"), ids=str)
def test_commands_of_monitoring_exist(page: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag that the documentation uses stands in the help of its command."""
    command, *rest = words(text)[1:]
    with pytest.raises(SystemExit) as end:
        monitoring_main([command, "--help"])
    assert 0 == end.value.code
    shown = capsys.readouterr().out
    for flag in (word for word in rest if word.startswith("--")):
        assert flag.partition("=")[0] in shown, flag


@pytest.mark.parametrize(("page", "text"), of_program("make"), ids=str)
def test_targets_of_make_exist(page: str, text: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    target = next(word for word in words(text)[1:] if "=" not in word)
    assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize(("page", "text"), of_program("locust"), ids=str)
def test_scenarios_named_for_locust_exist(page: str, text: str) -> None:
    parts = words(text)
    assert (ROOT / parts[parts.index("-f") + 1]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_no_page_names_a_folder_of_somebodys_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(?:home|root|Users)/", page.read_text(encoding="utf-8")), page.name


def test_the_page_of_dependencies_lists_each_of_the_project_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!package)([a-z][^|]*?) \|", page, re.MULTILINE)
    # An extra of one package stands in a sentence instead of a table.
    sentences = re.findall(r"^`pip install [^`]*` adds ([a-z-]+)", page, re.MULTILINE)
    listed = [name for row in rows for name in row.split(", ")] + sentences
    assert sorted(re.split(r"[\[<>=]", one)[0] for one in wanted) == sorted(listed)
