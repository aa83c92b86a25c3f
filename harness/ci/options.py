"""The output options that `harness run`, `harness report` and `harness gate` share. Light to import."""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, UsageError, explain

STEP_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
GITHUB_VARIABLE = "GITHUB_ACTIONS"

_FILES = (
    ("--junit", "junit", "JUnit XML, one test case a gate"),
    ("--markdown", "markdown", "Markdown for a comment on a pull request, below 64 KB"),
    (
        "--github-benchmark",
        "github_benchmark",
        "figures for github-action-benchmark (smaller is better; the others go into FILE-bigger)",
    ),
    (
        "--openmetrics",
        "openmetrics",
        "measured values as OpenMetrics text, which GitLab shows as a metrics report",
    ),
    ("--badge", "badge", "the verdict as an SVG badge"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """
    Where a verdict goes besides the terminal.

    Args:
        junit: file for JUnit XML; None for none, as for each of these.
        markdown: file for the comment.
        github_benchmark: file for github-action-benchmark.
        openmetrics: file for OpenMetrics text.
        badge: file for the badge.
        annotations: whether GitHub's annotations are written to standard error.
        step_summary: file that the summary is appended to.
    """

    junit: Path | None = None
    markdown: Path | None = None
    github_benchmark: Path | None = None
    openmetrics: Path | None = None
    badge: Path | None = None
    annotations: bool = False
    step_summary: Path | None = None


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, which `read_output_options` reads."""
    group = parser.add_argument_group("outputs for CI")
    for flag, name, told in _FILES:
        group.add_argument(flag, dest=name, type=Path, metavar="FILE", help=told)
    group.add_argument(
        "--annotations",
        action=argparse.BooleanOptionalAction,
        help="annotations on the commit, as GitHub's workflow commands on standard error "
        f"(default: where ${GITHUB_VARIABLE} is true)",
    )
    group.add_argument(
        "--step-summary",
        action=argparse.BooleanOptionalAction,
        help=f"append the verdict to the file that ${STEP_SUMMARY_VARIABLE} names (default: where it is set)",
    )


def read_output_options(parsed: argparse.Namespace, environment: Mapping[str, str] | None = None) -> OutputOptions:
    """
    Turn what argparse read into a record, and refuse files that can't be written before any load is made.

    Args:
        parsed: as `add_output_arguments` declared.
        environment: the process's own when None.

    Raises:
        UsageError: two options name one file, or a step summary is asked for where no variable names its file.
        HarnessError: a file can't be written where it is wanted.
    """
    environment = os.environ if environment is None else environment
    taken: dict[str, str] = {}
    for flag, name, _ in _FILES:
        path: Path | None = getattr(parsed, name)
        if path is not None:
            _check_place(flag, path)
            _claim(taken, flag, path)
    # Last, so that the option that somebody wrote is the one that is named.
    if parsed.github_benchmark is not None:
        _claim(taken, "--github-benchmark", bigger_path(parsed.github_benchmark))
    summary = environment.get(STEP_SUMMARY_VARIABLE) or None
    if parsed.step_summary and summary is None:
        fault = f"${STEP_SUMMARY_VARIABLE} is not set, so there is no file to append to"
        raise UsageError(explain("option", "--step-summary", fault=fault, remedy="--markdown FILE"))
    in_github = environment.get(GITHUB_VARIABLE) == "true"
    return OutputOptions(
        **{name: getattr(parsed, name) for _, name, _ in _FILES},
        annotations=in_github if parsed.annotations is None else parsed.annotations,
        step_summary=None if summary is None or parsed.step_summary is False else Path(summary),
    )


def bigger_path(path: Path) -> Path:
    """Return the file for the figures of which more is better, beside the one for the others."""
    return path.with_name(f"{path.stem}-bigger{path.suffix}")


def _claim(taken: dict[str, str], flag: str, path: Path) -> None:
    """Refuse a file that another option writes, by whatever name: only the later of the two would be left."""
    other = taken.setdefault(os.path.realpath(path), flag)
    if other != flag:
        raise UsageError(explain("option", flag, fault=f"the file of {other}", got=path, need="its own file"))


def _check_place(flag: str, path: Path) -> None:
    """Refuse a place where no file can be made, or where one would take the place of a device or a folder."""
    try:
        if path.is_dir():
            raise HarnessError(explain("option", flag, fault="a folder", got=path, need="a file in it"))
        # Files are renamed into place: as root, a device would be gone.
        if path.exists() and not path.is_file():
            raise HarnessError(explain("option", flag, fault="not a file", got=path, need="a path that is free"))
        folder = next(parent for parent in path.absolute().parents if parent.exists())
    except (OSError, ValueError) as fault:
        # ValueError: a null character.
        why = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise HarnessError(
            explain("option", flag, fault=f"can't be written: {why}", got=repr(str(path)))
        ) from fault
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = f"'{folder}' is {'no folder' if not folder.is_dir() else 'not writable'}"
        raise HarnessError(explain("option", flag, fault=what, got=path, need="a folder that you can write"))
