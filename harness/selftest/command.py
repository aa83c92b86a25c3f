"""`harness selftest`: see the gates trip for known faults, and hold without any. Light to import."""

import argparse
import sys
from pathlib import Path

EPILOG = """\
examples:
  harness selftest                    eight runs, about two and a half minutes
  harness selftest --quick            six runs, about a minute
  harness selftest --json > selftest.json
  harness selftest --out selftest     keep the runs' folders, to look at what a gate saw

Exit code 0 only when each injected fault tripped exactly the gates it has to and none tripped without a fault;
3 when a gate did what it must not, 5 when the machine was too busy to tell, 4 when something stayed undecided.
The runs' own verdicts are FAIL where a fault was injected, as they have to be.
"""


def add_selftest_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness selftest`, which `run_selftest` reads."""
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs, about a minute in all")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="keep the runs' folders here (default: none is kept)"
    )
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON instead of a table")


def run_selftest(parsed: argparse.Namespace) -> int:
    """
    Make the runs, print the table, and return the exit code.

    Raises:
        KeyboardInterrupt: interrupted; what was started is stopped.
        HarnessError: a target or a folder was not to be had.
    """
    from rich.console import Console

    from harness.ci.command import exit_code, print_safely
    from harness.interrupt import Interrupt
    from harness.rundir import encode
    from harness.selftest.conduct import conduct
    from harness.selftest.plan import plan
    from harness.selftest.show import print_selftest

    with Interrupt().installed() as interrupt:
        report = conduct(
            plan(quick=parsed.quick), quick=parsed.quick, out=parsed.out, interrupt=interrupt, say=_say
        )

    def show() -> None:
        if parsed.json:
            print(encode(report).decode())
        else:
            print_selftest(report, Console())

    print_safely(show)
    return exit_code(report.status)


def _say(text: str) -> None:
    sys.stderr.write(f"harness: selftest {text}\n")
    sys.stderr.flush()
