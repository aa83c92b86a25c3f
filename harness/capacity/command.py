"""`harness capacity`: the largest fleet that meets the gates."""

import argparse
import sys
from typing import TYPE_CHECKING

from harness.errors import ExitCode, HarnessError, UsageError, explain
from harness.options import read_run_options
from harness.run_arguments import add_search_arguments
from harness.units import parse_duration_s, parse_ratio

if TYPE_CHECKING:
    from harness.capacity.job import Found

EPILOG = """\
The fleet is doubled from --agents until it breaks, then the gap is bisected. Each fleet is a run of its own with a
verdict: a fleet holds when every gate is PASS, and breaks when a gate is FAIL in two runs. The answer is the
largest fleet that held and the smallest that broke; in between, nothing is claimed.

Every gate and target option of harness run holds here too. Against --host mind its other users: the last fleets
overload the target by design, so --max-rate and --abort-errors apply as for any run.

examples:
  harness capacity
  harness capacity --interval 1s --agents 50              ten times the polls of an agent, a tenth of the agents
  harness capacity --at-least 200                         exit 3 when 200 agents are surely too many
  harness capacity --gate 'p(95) < 100ms' --precision 5%
  harness capacity --host http://127.0.0.1:8000 --most 2000 --json

exit codes: 0 pass (a fleet held; with --at-least, one of that size), 3 fail, 4 inconclusive, 1 own error, 2 usage
"""

_FIRST_FLEET = 100
_MOST_AGENTS = 100_000


def add_capacity_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness capacity`, which `run_capacity` reads."""
    search = parser.add_argument_group("search")
    search.add_argument(
        "--most", type=int, default=20_000, metavar="N", help="largest fleet that is tried (default: 20000)"
    )
    search.add_argument(
        "--precision",
        default="10%",
        metavar="RATIO",
        help="the search ends when what breaks is above what holds by no more than this (default: 10%%)",
    )
    search.add_argument("--max-runs", type=int, default=20, metavar="N", help="runs at most (default: 20)")
    search.add_argument(
        "--step-time",
        metavar="DURATION",
        help="length of each run after its warm-up (default: 1.6 times what the gates need)",
    )
    search.add_argument(
        "--at-least", type=int, metavar="N", help="the fleet that the target has to serve: decides the exit code"
    )
    add_search_arguments(parser, first_fleet=_FIRST_FLEET)


def run_capacity(parsed: argparse.Namespace) -> int:
    """
    Search as the options say, print the answer on stdout, and return the exit code.

    Raises:
        UsageError: an option can't work.
        HarnessError: the target can't be had or measured.
    """
    _check(parsed)
    step_time_s = None if parsed.step_time is None else parse_duration_s(parsed.step_time, name="--step-time")
    precision_ratio = parse_ratio(parsed.precision, name="--precision")
    if not 0.01 <= precision_ratio <= 1:
        raise UsageError(
            explain("option", "--precision", fault="out of range", got=parsed.precision, need="1% to 100%")
        )
    # Heavy, so that --help stays instant.
    from rich.console import Console

    from harness.capacity.job import CapacityOptions, search_capacity
    from harness.capacity.recording import record_capacity
    from harness.capacity.render import print_capacity
    from harness.capacity.search import Plan
    from harness.ci.command import print_safely
    from harness.interrupt import Interrupt
    from harness.rundir import encode

    run = read_run_options(parsed)
    if step_time_s is not None and step_time_s < run.interval_s:
        need = f"{run.interval_s:g} s or more, one interval"
        raise UsageError(explain("option", "--step-time", fault="too short", got=parsed.step_time, need=need))
    # The ceiling on the rate is one on the fleet, unless the first one is beyond it: that is told as for any run.
    most = max(parsed.agents, min(parsed.most, int(run.most_per_s * run.interval_s)))
    options = CapacityOptions(
        run=run,
        plan=Plan(start=parsed.agents, most=most, precision_ratio=precision_ratio, most_steps=parsed.max_runs),
        step_time_s=step_time_s,
        wanted=parsed.at_least,
    )
    with Interrupt().installed() as interrupt:
        found = search_capacity(options, interrupt)
    drawing_fault = _draw(found)
    # What part of a search found is no figure to compare others with.
    if options.run.history is not None and found.finished:
        record_capacity(found.capacity, options.run.history)

    def show() -> None:
        if parsed.json:
            sys.stdout.write(encode(found.capacity).decode() + "\n")
        else:
            print_capacity(found.capacity, Console())
            sys.stdout.write(f"report: {found.folder / 'capacity.png'}\n")

    print_safely(show)
    fault = found.fault or drawing_fault
    if fault is not None:
        raise fault
    return ExitCode[found.capacity.status.name]


def _draw(found: "Found") -> HarnessError | None:
    from harness.report.charts_capacity import write_capacity_charts

    try:
        write_capacity_charts(found.capacity, found.folder)
    except HarnessError as fault:
        return fault
    return None


def _check(parsed: argparse.Namespace) -> None:
    for option, given in (("--run-time", parsed.run_time), ("--dry-run", parsed.dry_run)):
        if given:
            raise UsageError(
                explain(
                    "option", option, fault="not for a search of many runs", remedy="--step-time for their length"
                )
            )
    if parsed.scenario != "agent-polling":
        raise UsageError(
            explain("option", "--scenario", fault="capacity is that of steady polling", got=parsed.scenario)
        )
    for option, value, least, most in (
        ("--agents", parsed.agents, 1, parsed.most),
        ("--most", parsed.most, 1, _MOST_AGENTS),
        ("--max-runs", parsed.max_runs, 1, 1000),
        ("--at-least", parsed.at_least, 1, _MOST_AGENTS),
    ):
        if value is not None and not least <= value <= most:
            raise UsageError(explain("option", option, fault="out of range", got=value, need=f"{least} to {most}"))
