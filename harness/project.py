"""
What a project says to the harness in the table ``[tool.harness]`` of its ``pyproject.toml``.

::

    [tool.harness]
    history = "perf-history"      # a folder beside this file, or a database URL without a password
"""

import argparse
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectTable:
    """
    The table of one project.

    Args:
        path: the file that it stands in; paths in the table are relative to its folder.
        values: as TOML has them; empty for a file without the table.
    """

    path: Path
    values: Mapping[str, Any]

    def text(self, name: str) -> str | None:
        """
        Return an entry that has to be text; None when there is none.

        Raises:
            UsageError: it is something else, or empty.
        """
        value = self.values.get(name)
        if value is None or (isinstance(value, str) and value.strip()):
            return value
        raise UsageError(
            explain("file", str(self.path), fault=f"[tool.harness] {name} is no text", got=repr(value))
        )


HISTORY_VARIABLE = "HARNESS_HISTORY"
"""Read when no ``--history`` is given: command lines are public, and a URL may hold a password."""

DEFAULT_OUT = "runs"
"""Folder of the runs' own folders, and of the history in it."""


def add_history_argument(parser: argparse._ActionsContainer) -> None:
    """Add ``--history``, which `history_place` reads."""
    parser.add_argument(
        "--history",
        metavar="WHERE",
        help="folder or SQLAlchemy URL of the history (default: history in [tool.harness] of pyproject.toml, else "
        f"the folder history inside {DEFAULT_OUT}); ${HISTORY_VARIABLE} keeps a password off the command line",
    )


def history_place(given: str | None, *, out: Path | None = None) -> str:
    """
    Return where the history is.

    Args:
        given: value of ``--history``; None when it was not given.
        out: folder of the runs, for the last resort.

    Returns:
        A folder or a URL: what was given, else what the variable says, else the project, else a folder in `out`.

    Raises:
        UsageError: the project's table can't be read.
    """
    if given is not None:
        return given
    told = os.environ.get(HISTORY_VARIABLE)
    if told:
        return told
    table = read_project_table()
    written = None if table is None else table.text("history")
    if table is not None and written is not None:
        return written if "://" in written else str(table.path.parent / written)
    return str((out or Path(DEFAULT_OUT)) / "history")


def read_project_table(start: Path | None = None) -> ProjectTable | None:
    """
    Read the table of the project that a folder belongs to.

    Args:
        start: the folder; None for the working directory. It and the folders above it are searched for the first
            ``pyproject.toml``.

    Returns:
        The table; None where no such file is found.

    Raises:
        UsageError: the file is no TOML or can't be read, or ``[tool.harness]`` in it is no table.
    """
    folder = (start or Path()).absolute()
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return ProjectTable(path=path, values=_table(path))
    return None


def _table(path: Path) -> Mapping[str, Any]:
    try:
        tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UsageError(explain("file", str(path), fault=f"can't be read: {fault}")) from fault
    table = tools.get("harness", {}) if isinstance(tools, dict) else tools
    if not isinstance(table, dict):
        raise UsageError(explain("file", str(path), fault="tool.harness is no table", got=repr(table)))
    return table
