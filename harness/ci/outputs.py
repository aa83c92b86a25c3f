"""Write a verdict where CI services look for it."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from harness.ci.options import STEP_SUMMARY_VARIABLE, OutputOptions, bigger_path
from harness.errors import HarnessError, explain
from harness.report.annotations import render_annotations
from harness.report.badge import render_badge
from harness.report.github_benchmark import render_github_benchmark, render_openmetrics
from harness.report.judged import Judged
from harness.report.junit import render_junit
from harness.report.markdown import SUMMARY_LIMIT_BYTES, render_comment, render_summary
from harness.rundir import write_atomically


def write_outputs(options: OutputOptions, judged: Judged, errors: TextIO | None) -> HarnessError | None:
    """
    Write every output that was asked for, each whole or not at all; a fault with one keeps no other back.

    Args:
        options: which, and where.
        judged: the verdict.
        errors: standard error; annotations go there, so that standard output stays what it was asked to be. GitHub
            reads both. None when it was closed.

    Returns:
        Why a file could not be written, the first of them; None when all is well. A step summary that fails is
        only warned of: nobody asked for it on the command line.
    """
    faults = [fault for path, content in _files(options, judged) if (fault := _write(path, content)) is not None]
    if options.step_summary is not None:
        warning = _append_summary(options.step_summary, judged)
        if warning is not None:
            _tell(errors, f"harness: {warning}\n")
    if options.annotations:
        _tell(errors, render_annotations(judged))
    return faults[0] if faults else None


def _tell(errors: TextIO | None, text: str) -> None:
    """Write to a standard error that may be closed, or full: nowhere is left to say so, and the verdict stands."""
    if errors is not None:
        with contextlib.suppress(OSError):
            errors.write(text)
            errors.flush()


def _files(options: OutputOptions, judged: Judged) -> list[tuple[Path, bytes]]:
    renderers: list[tuple[Path | None, Callable[[Judged], bytes]]] = [
        (options.junit, render_junit),
        (options.markdown, render_comment),
        (options.github_benchmark, render_github_benchmark),
        (options.openmetrics, render_openmetrics),
        (options.badge, render_badge),
    ]
    files = [(path, render(judged)) for path, render in renderers if path is not None]
    if options.github_benchmark is not None and any(figure.bigger_is_better for figure in judged.figures):
        bigger = render_github_benchmark(judged, bigger_is_better=True)
        files.append((bigger_path(options.github_benchmark), bigger))
    return files


def _write(path: Path, content: bytes) -> HarnessError | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as fault:
        return HarnessError(explain("file", str(path), fault=f"can't be written: {fault.strerror or fault}"))
    except HarnessError as fault:
        return fault
    return None


def _append_summary(path: Path, judged: Judged) -> str | None:
    """Append to the step summary as much as it has room for; return a warning when it can't be."""
    name = f"${STEP_SUMMARY_VARIABLE}"
    try:
        if path.exists() and not path.is_file():
            # Opening a pipe that nobody reads would wait for ever.
            return explain("variable", name, fault="not a file, so the step summary is not written", got=path)
        before = path.stat().st_size if path.exists() else 0
        room = SUMMARY_LIMIT_BYTES - before - 1
        text = render_summary(judged, room_bytes=room)
        if not text:
            got = f"{before} bytes"
            return explain("variable", name, fault="its file is full, so the step summary is not written", got=got)
        with path.open("ab") as file:
            file.write((b"\n" if before else b"") + text)
    except (OSError, ValueError) as fault:
        why = (fault.strerror or fault) if isinstance(fault, OSError) else fault
        return explain("variable", name, fault=f"the step summary can't be written: {why}", got=path)
    return None
