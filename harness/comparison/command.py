"""`harness compare`: runs against their baseline, the run being the unit."""

import argparse
import sys
from typing import TYPE_CHECKING

from harness.errors import ExitCode, UsageError, explain
from harness.project import add_history_argument, history_place
from harness.units import parse_ratio

if TYPE_CHECKING:
    from harness.history_model import Acceptance, HistoryRecord

EPILOG = """\
A run is a run's folder, or a record of the history: its id, the beginning of it, or 'latest'. Without --baseline
the baseline is taken from the history: the last 30 runs, of the same work on the same kind of machine, since the
last change.

PASS: surely not worse by more than --limit. FAIL: surely worse. INCONCLUSIVE: neither can be told. How small a
change could have been seen is always said. Of the baseline three runs are needed, ten are good.

examples:
  harness compare --contender runs/20261123T083000Z-3f9a
  harness compare --history perf-history --contender runs/20261123T083000Z-3f9a --limit 5%
  harness compare --baseline runs/a runs/b runs/c --contender runs/d runs/e
  harness compare --contender 20261123T083000Z-3f9a --metric response_time --json

exit codes: 0 pass, 3 fail, 4 inconclusive or nothing compared, 1 own error, 2 usage
"""


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness compare`, which `run_compare` reads."""
    parser.add_argument(
        "--baseline",
        nargs="+",
        metavar="RUN",
        help="runs to compare with, the oldest first (default: from the history)",
    )
    parser.add_argument("--contender", nargs="+", required=True, metavar="RUN", help="runs to be judged")
    add_history_argument(parser)
    add_judging_arguments(parser)
    parser.add_argument(
        "--metric",
        action="append",
        metavar="PATTERN",
        help="metrics to compare, * for any text; may be given again (default: response_time, error_ratio and "
        "achieved_rate of our own runs, everything of others)",
    )
    parser.add_argument(
        "--control",
        metavar="PATTERN",
        help="subject of a control: something frozen, measured in the same runs, that tells of the machine alone",
    )
    parser.add_argument(
        "--any-environment", action="store_true", help="compare with runs of other machines and Pythons as well"
    )
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def add_judging_arguments(parser: argparse._ActionsContainer) -> None:
    """Add ``--limit`` and ``--confidence``, which `read_judging` reads."""
    parser.add_argument(
        "--limit",
        default="10%",
        metavar="RATIO",
        help="largest change for the worse that is allowed (default: 10%%)",
    )
    parser.add_argument(
        "--confidence", default="95%", metavar="RATIO", help="of PASS and of FAIL each (default: 95%%)"
    )


def read_judging(parsed: argparse.Namespace) -> tuple[float, float]:
    """
    Return limit and confidence as ratios.

    Raises:
        UsageError: one of them is none, or out of range.
    """
    limit_ratio = parse_ratio(parsed.limit.strip().removeprefix("+"), name="--limit")
    confidence = parse_ratio(parsed.confidence, name="--confidence")
    if not 0.5 <= confidence < 1:
        raise UsageError(
            explain(
                "option", "--confidence", fault="out of range", got=parsed.confidence, need="50% to below 100%"
            )
        )
    return limit_ratio, confidence


def run_compare(parsed: argparse.Namespace) -> int:
    """
    Compare as the options say, print the outcome on stdout, and return the exit code.

    Raises:
        UsageError: an option can't work.
        HarnessError: the history can't be read.
    """
    limit_ratio, confidence = read_judging(parsed)
    # Heavy, so that --help stays instant.
    from rich.console import Console

    from harness.ci.command import print_safely
    from harness.comparison.comparing import Settings, compare_records
    from harness.comparison.render import print_compared, to_json
    from harness.comparison.sources import read_named, read_past
    from harness.history.store import open_history

    history = open_history(history_place(parsed.history))
    settings = Settings(
        limit_ratio=limit_ratio,
        confidence=confidence,
        metrics=None if parsed.metric is None else tuple(parsed.metric),
        control=parsed.control,
        any_environment=parsed.any_environment,
    )
    contenders = read_named(parsed.contender, history)
    left_out = dict(contenders.left_out)
    candidates: tuple[HistoryRecord, ...] = ()
    acceptances: tuple[Acceptance, ...] = ()
    if parsed.baseline is not None:
        named = read_named(parsed.baseline, history)
        left_out |= named.left_out
        candidates = named.records
    elif contenders.records:
        past = read_past(history, before=min(contenders.records, key=lambda record: record.at_utc))
        left_out |= past.left_out
        candidates, acceptances = past.records, past.acceptances
    compared = compare_records(
        candidates,
        contenders.records,
        settings=settings,
        segmented=parsed.baseline is None,
        acceptances=acceptances,
        left_out=left_out,
    )

    def show() -> None:
        if parsed.json:
            sys.stdout.write(to_json(compared).decode() + "\n")
        else:
            print_compared(compared, Console())

    print_safely(show)
    return ExitCode[compared.status.name]
