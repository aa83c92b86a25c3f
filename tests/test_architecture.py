"""The import directions of the house, kept by walking every module's syntax tree."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("harness", "monitoring", "locustfiles", "benchmarks", "tests")
ROOMS = ("backend", "load", "judge", "history", "indexes", "report")
"""Rooms inside harness: each stands on the ground floor, none on another."""


def modules(package: str) -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted name of each import, wherever in the module it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_at_run_time(tree: ast.Module) -> Iterator[str]:
    """Yield the imports of a module but for those of `if TYPE_CHECKING`, which only a type checker follows."""
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in typing_only:
            yield from imports(node)


HARNESS = modules("harness")
MONITORING = modules("monitoring")


def room_of(name: str) -> str | None:
    """Return the room that a module of harness is in; None for the ground floor and for what joins rooms."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def reached_from(name: str) -> set[str]:
    """Return every module of harness that a module imports, and those that they import."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for target in imports(HARNESS[waiting.pop()]):
            for candidate in (target, target.rpartition(".")[0]):
                if candidate in HARNESS and candidate not in seen:
                    seen.add(candidate)
                    waiting.append(candidate)
                    break
    return seen


def heads(names: Iterator[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("name", MONITORING)
def test_monitoring_imports_nothing_else_of_ours(name: str) -> None:
    assert set() == heads(imports(MONITORING[name])) & (set(OURS) - {"monitoring"})


@pytest.mark.parametrize("name", HARNESS)
def test_harness_imports_only_itself_and_monitoring(name: str) -> None:
    assert set() == heads(imports(HARNESS[name])) & {"benchmarks", "tests", "locustfiles"}


@pytest.mark.parametrize(
    "name", [name for name in HARNESS if name.split(".")[1:2] and name.split(".")[1] in ROOMS]
)
def test_a_room_stands_on_the_ground_floor_only(name: str) -> None:
    room = name.split(".")[1]
    others = {
        target
        for target in imports(HARNESS[name])
        if target.startswith("harness.") and target.split(".")[1] in set(ROOMS) - {room}
    }
    assert set() == others


@pytest.mark.parametrize("name", [name for name in HARNESS if room_of(name) and not name.endswith(".command")])
def test_what_a_room_stands_on_knows_no_room(name: str) -> None:
    """What joins rooms stands above them; a room's own command, which is called from above, may use it."""
    own = room_of(name)
    assert set() == {room for room in map(room_of, reached_from(name)) if room is not None} - {own}


@pytest.mark.parametrize("name", HARNESS)
def test_the_heavy_libraries_stay_in_their_rooms(name: str) -> None:
    used = heads(imports(HARNESS[name]))
    if not name.startswith("harness.load"):
        assert set() == used & {"locust", "gevent", "geventhttpclient"}
    if not name.startswith("harness.report.charts"):
        assert set() == used & {"matplotlib"}


@pytest.mark.parametrize("path", sorted((ROOT / "locustfiles").glob("*.py")), ids=lambda path: path.name)
def test_scenarios_import_of_ours_only_the_load_and_the_ground_floor(path: Path) -> None:
    for target in imports(ast.parse(path.read_text(encoding="utf-8"))):
        if target.startswith("harness."):
            assert target.split(".")[1] not in set(ROOMS) - {"load"}, target
        assert target.partition(".")[0] not in {"monitoring", "benchmarks", "tests"}


def test_there_is_no_import_cycle() -> None:
    known = HARNESS | MONITORING
    graph = {name: set() for name in known}
    for name, tree in known.items():
        for target in imports_at_run_time(tree):
            # `from package import name` may name a module or something inside one.
            for candidate in (target, target.rpartition(".")[0]):
                if candidate in known and candidate != name:
                    graph[name].add(candidate)
                    break
    assert [] == cycles(graph)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return each cycle that a depth-first walk meets."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name) :], name])
            return
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, [*trail, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def test_cycles_are_found() -> None:
    assert [["a", "b", "a"]] == cycles({"a": {"b"}, "b": {"a"}, "c": set()})
    assert [] == cycles({"a": {"b"}, "b": set()})


HEAVY = {
    *("locust", "gevent", "matplotlib", "numpy", "sqlalchemy", "fastapi"),
    *("pydantic", "uvicorn", "rich", "alembic", "jinja2", "msgspec"),
}


@pytest.mark.parametrize("command", ["harness", "monitoring"])
def test_help_imports_nothing_heavy(command: str) -> None:
    """`--help` is instant because of what it leaves out; the time itself is measured in benchmarks/."""
    script = (
        f"import atexit, sys; from {command}.cli import main;"
        f"atexit.register(lambda: print(sorted(set(sys.modules) & {HEAVY!r})));"
        "main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "[]" == done.stdout.splitlines()[-1]
