"""`harness ab`: two targets, revisions or settings, measured in one job."""

import argparse
import sys
from pathlib import Path

from harness.comparison.command import add_judging_arguments, read_judging
from harness.errors import ExitCode, UsageError, explain
from harness.run_arguments import add_agents_argument

EPILOG = """\
A and B are measured in short rounds, a leg of each, in a random order; only what differs within a round counts. So
a machine that is busy, or gets slower, does not tell against one of them: this is the comparison to trust on a
noisy machine. After some of the rounds the outcome is looked at, and the job ends when every figure is clear;
the confidence holds for all looks together.

What decides is --limit and --metric: gates have no part in it, nor has a gates.toml.

PASS: B is surely not worse than A by more than --limit. FAIL: it surely is. INCONCLUSIVE: neither can be told.

examples:
  harness ab --a '' --b 'target-delay=5ms'
  harness ab --host-a http://127.0.0.1:8000 --host-b http://127.0.0.1:8001
  harness ab --rev-a HEAD~1 --rev-b HEAD --limit 5%
  harness ab --a 'database-url=sqlite:///a.db' --b 'database-url=sqlite:///b.db' --max-rounds 30 --json

exit codes: 0 pass, 3 fail, 4 inconclusive, 1 own error, 2 usage
"""

_ROUNDS = 6
_LEAST_ROUNDS = 4
_MOST_ROUNDS = 1000


def add_ab_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness ab`, which `run_ab_command` reads."""
    sides = parser.add_argument_group("what to compare (one pair of these)")
    sides.add_argument("--host-a", metavar="URL", help="a running target")
    sides.add_argument("--host-b", metavar="URL", help="another one")
    sides.add_argument("--rev-a", metavar="REV", help="a git revision of the reference master")
    sides.add_argument("--rev-b", metavar="REV", help="another one")
    sides.add_argument("--a", metavar="SETTINGS", help="options of harness run for A, as name=value")
    sides.add_argument("--b", metavar="SETTINGS", help="the same for B")
    load = parser.add_argument_group("load")
    add_agents_argument(load)
    load.add_argument(
        "--interval", default="1s", metavar="TIME", help="between two polls of an agent (default: 1s)"
    )
    load.add_argument(
        "--round-time",
        default="12s",
        metavar="TIME",
        help="length of the load in each leg, the warm-up included (default: 12s)",
    )
    load.add_argument(
        "--warmup", default="2s", metavar="TIME", help="first part of a leg, not judged (default: 2s)"
    )
    load.add_argument("--deployments", default="10000", metavar="N", help="rows to fill with (default: 10000)")
    load.add_argument("--seed", type=int, default=1, metavar="N", help="of order and schedules (default: 1)")
    judging = parser.add_argument_group("judging")
    add_judging_arguments(judging)
    judging.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help=f"rounds before the first look (default: {_ROUNDS}, or --max-rounds where that is fewer)",
    )
    judging.add_argument("--max-rounds", type=int, default=20, metavar="N", help="rounds at most (default: 20)")
    judging.add_argument(
        "--metric",
        action="append",
        metavar="PATTERN",
        help="metrics that decide, * for any text; may be given again (default: response_time and error_ratio)",
    )
    output = parser.add_argument_group("output")
    output.add_argument(
        "--out", type=Path, default=Path("runs"), metavar="DIR", help="gets the job's folder (default: runs)"
    )
    output.add_argument("--json", action="store_true", help="print the result as JSON")


def run_ab_command(parsed: argparse.Namespace) -> int:
    """
    Compare as the options say, print the outcome on stdout, and return the exit code.

    Raises:
        UsageError: an option can't work.
        HarnessError: a target can't be had or measured.
    """
    kind = _kind(parsed)
    limit_ratio, confidence = read_judging(parsed)
    rounds = _rounds(parsed)
    # Heavy, so that --help stays instant.
    from rich.console import Console

    from harness.ab.job import run_ab
    from harness.ab.render import print_ab
    from harness.ab.rounds import Plan
    from harness.ab.sides import AbOptions, words_of_settings
    from harness.ci.command import print_safely
    from harness.comparison.render import to_json
    from harness.interrupt import Interrupt

    common = ["--agents", str(parsed.agents), "--interval", parsed.interval, "--run-time", parsed.round_time]
    common += ["--warmup", parsed.warmup, "--seed", str(parsed.seed), "--deployments", parsed.deployments]
    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()
    if kind == "host":
        a, b = (f"--host={parsed.host_a}",), (f"--host={parsed.host_b}",)
    elif kind == "settings":
        a, b = words_of_settings(parsed.a), words_of_settings(parsed.b)
    options = AbOptions(
        common=tuple(common),
        a=a,
        b=b,
        revisions=(parsed.rev_a, parsed.rev_b) if kind == "revision" else None,
        out=parsed.out,
        plan=Plan(
            least_rounds=rounds,
            most_rounds=parsed.max_rounds,
            limit_ratio=limit_ratio,
            confidence=confidence,
            metrics=tuple(parsed.metric or ("response_time", "error_ratio")),
            seed=parsed.seed,
        ),
    )
    with Interrupt().installed() as interrupt:
        result = run_ab(options, interrupt)

    def show() -> None:
        if parsed.json:
            sys.stdout.write(to_json(result).decode() + "\n")
        else:
            print_ab(result, Console())

    print_safely(show)
    return ExitCode[result.status.name]


def _kind(parsed: argparse.Namespace) -> str:
    """Return which pair was given; exactly one has to be, whole."""
    pairs = {
        "host": (parsed.host_a, parsed.host_b),
        "revision": (parsed.rev_a, parsed.rev_b),
        "settings": (parsed.a, parsed.b),
    }
    given = [kind for kind, values in pairs.items() if any(value is not None for value in values)]
    if len(given) != 1:
        got = "none of them" if not given else "several of them"
        need = "--host-a and --host-b, or --rev-a and --rev-b, or --a and --b"
        raise UsageError(explain("command", "ab", fault="what is to be compared?", got=got, need=need))
    kind = given[0]
    if None in pairs[kind]:
        need = {"host": "--host-a and --host-b", "revision": "--rev-a and --rev-b", "settings": "--a and --b"}[
            kind
        ]
        remedy = "'' for the options as they are" if kind == "settings" else None
        raise UsageError(explain("command", "ab", fault="one side is missing", need=need, remedy=remedy))
    return kind


def _rounds(parsed: argparse.Namespace) -> int:
    """Return the rounds before the first look."""
    for option, value in (("--max-rounds", parsed.max_rounds), ("--rounds", parsed.rounds)):
        if value is not None and not _LEAST_ROUNDS <= value <= _MOST_ROUNDS:
            need = f"{_LEAST_ROUNDS} to {_MOST_ROUNDS}"
            raise UsageError(explain("option", option, fault="out of range", got=value, need=need))
    most: int = parsed.max_rounds
    if parsed.rounds is None:
        return min(_ROUNDS, most)
    rounds: int = parsed.rounds
    if rounds > most:
        need = f"{most} or fewer"
        raise UsageError(explain("option", "--rounds", fault="more than --max-rounds", got=rounds, need=need))
    return rounds
