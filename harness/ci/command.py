"""How a command shows a verdict and ends: tables or JSON on standard output, the outputs for CI, the exit code."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from harness.ci.options import OutputOptions
from harness.errors import ExitCode, HarnessError, explain
from harness.model import Result, Status
from harness.report.judged import Judged

_EXIT_CODES = {
    Status.PASS: ExitCode.PASS,
    Status.FAIL: ExitCode.FAIL,
    Status.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
    Status.INVALID: ExitCode.INVALID,
}


def exit_code(status: Status) -> ExitCode:
    """Return the exit code of a verdict."""
    return _EXIT_CODES[status]


def show_result(
    result: Result,
    outputs: OutputOptions,
    *,
    as_json: bool,
    report: Path | None,
    fault: HarnessError | None = None,
    told: str | None = None,
) -> int:
    """
    Print a run's verdict and write the outputs.

    Args:
        result: the verdict.
        outputs: where it goes besides.
        as_json: whether the result is printed instead of tables.
        report: the page that was drawn; None when none was.
        told: a line below the verdict; None for none.
        fault: what went wrong before this and keeps the command from being a success; said last.

    Returns:
        The verdict's exit code.

    Raises:
        HarnessError: `fault`, or a file that could not be written; everything else has been done by then.
    """
    from harness.report.judged import judged_result
    from harness.rundir import encode

    def show() -> None:
        from rich.console import Console

        from harness.report.terminal import print_verdict

        if as_json:
            print(encode(result).decode())
            return
        print_verdict(result, Console())
        if told is not None:
            print(told)
        if report is not None:
            print(f"report: {report}")

    return show_judged(show, judged_result(result), outputs, fault=fault)


def show_judged(
    show: Callable[[], None], judged: Judged, outputs: OutputOptions, *, fault: HarnessError | None = None
) -> int:
    """Print by `show`, then as `show_result`."""
    from harness.ci.outputs import write_outputs

    try:
        print_safely(show)
    except HarnessError as unprinted:
        # The files may be all that is left of it.
        fault = fault or unprinted
    unwritten = write_outputs(outputs, judged, sys.stderr)
    if unwritten is not None or fault is not None:
        raise unwritten or fault or HarnessError
    return exit_code(judged.verdict.status)


def print_safely(show: Callable[[], None]) -> None:
    """
    Print by `show` to a standard output that may be closed, or whose reader may be gone.

    Raises:
        HarnessError: what it goes to can't be written, as on a full disk.
    """
    if sys.stdout is None:
        # Closed by the caller: the exit code and the files have to do.
        return
    try:
        show()
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # SystemExit is what rich makes of a broken pipe, with a code that is no verdict of ours.
        # Whoever read our output has gone (`| head`), and the verdict stands.
        _silence()
    except OSError as fault:
        _silence()
        raise HarnessError(
            explain("standard output", fault=f"can't be written: {fault.strerror or fault}")
        ) from fault


def _silence() -> None:
    """Send what is still in the buffer nowhere: Python would try once more at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
