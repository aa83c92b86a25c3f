"""`harness init`: write a gate file to begin with. Light to import."""

import argparse
from pathlib import Path

from harness.errors import ExitCode, UsageError, explain

EPILOG = """\
examples:
  harness init
  harness init --out staging.toml

The file holds the targets of the specification, one line each, with comments. harness run and harness gate use
gates.toml when it stands in the working directory or beside the project's pyproject.toml.
"""


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness init`, which `run_init` reads."""
    parser.add_argument(
        "--out", type=Path, default=Path("gates.toml"), metavar="FILE", help="where to (default: gates.toml)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")


def run_init(parsed: argparse.Namespace) -> int:
    """
    Write the file.

    Raises:
        UsageError: it is there already.
        HarnessError: it can't be written.
    """
    from harness.gatefiles import STARTER_FILE
    from harness.rundir import write_atomically

    path: Path = parsed.out
    if path.is_dir() or (path.exists() and not parsed.force):
        fault = "is a folder" if path.is_dir() else "is there already"
        remedy = "--out with the name of a file" if path.is_dir() else "--force to overwrite it, or --out FILE"
        raise UsageError(explain("file", str(path), fault=fault, remedy=remedy))
    write_atomically(path, STARTER_FILE.encode())
    print(f"{path} holds the targets of the specification; harness run judges by it from now on")
    return ExitCode.PASS
