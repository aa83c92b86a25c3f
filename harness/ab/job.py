"""The whole A/B job: sides from options, targets where they are needed, rounds, and a stored result."""

import argparse
import contextlib
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from harness.ab.revisions import Fill, resolve, revision_target
from harness.ab.rounds import Leg, Measured, Plan, Round, Which, run_rounds
from harness.columns import columns_of
from harness.comparison.differences import differences
from harness.comparison.render import to_json
from harness.conclude import Conclusion
from harness.errors import UsageError, explain
from harness.history_model import Comparison, HistoryRecord
from harness.interrupt import Interrupt
from harness.model import RunState, Status
from harness.options import RunOptions, add_run_arguments, check_options, read_run_options
from harness.recording import record_of
from harness.run import execute
from harness.rundir import cannot_write, write_atomically

AB_SCHEMA_VERSION = 1
"""Version of ``ab.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AbOptions:
    """
    What `harness ab` was asked for.

    Args:
        common: options of `harness run` for both sides, as words.
        a: further ones for A.
        b: further ones for B.
        revisions: revisions of A and B; None when the sides differ in their options.
        out: folder that gets the job's folder.
        plan: how to compare.
    """

    common: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]
    revisions: tuple[str, str] | None
    out: Path
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class AbResult:
    """
    What an A/B job came to: the content of ``ab.json``.

    Args:
        schema_version: see `AB_SCHEMA_VERSION`.
        id: of the job.
        at_utc: when it began, ISO 8601 in UTC.
        a: what A was.
        b: what B was.
        status: the worst of all figures.
        stopped: why there were no more rounds.
        seed: of the order within the rounds.
        rounds: rounds that count.
        left_out: round → why it does not count.
        differences: what differs between the sides besides what was asked for, one sentence each.
        comparisons: one a figure, A being the baseline.
        folder: the job's folder, which holds each leg's run.
    """

    schema_version: int
    id: str
    at_utc: str
    a: str
    b: str
    status: Status
    stopped: str
    seed: int
    rounds: int
    left_out: dict[str, str]
    differences: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    folder: str


def run_ab(options: AbOptions, interrupt: Interrupt) -> AbResult:
    """
    Do the whole job. Everything that was started is stopped when this returns or raises.

    Args:
        options: what to compare, and how.
        interrupt: the user's Ctrl-C: the leg under way is ended, and the whole rounds so far are judged.

    Raises:
        UsageError: options that can't work, for either side.
        HarnessError: a target can't be had, or three rounds in a row could not be measured.
    """
    began = datetime.now(UTC)
    job_id = f"ab-{began.strftime('%Y%m%dT%H%M%SZ')}-{token_hex(2)}"
    folder = options.out / job_id
    sides = {which: side_options(options, which, folder) for which in Which}
    with ExitStack() as stack:
        if options.revisions is not None:
            commits = [resolve(revision, Path()) for revision in options.revisions]
            for which, commit in zip(Which, commits, strict=True):
                run = sides[which]
                fill = Fill(agents=run.agents, deployments=run.deployments, seed=run.seed)
                _tell(f"revision {commit[:12]} is filled and started as {which.upper()}")
                url = stack.enter_context(revision_target(commit, Path(), fill))
                sides[which] = replace(run, host=url, database_url=None)
        for run in sides.values():
            check_options(run)
        try:
            folder.mkdir(parents=True)
        except OSError as fault:
            raise cannot_write(folder, fault) from fault
        # A folder into which no leg was measured says nothing.
        stack.callback(_remove_empty, folder)
        measured = run_rounds(options.plan, _leg(sides, interrupt), _tell)
    result = AbResult(
        schema_version=AB_SCHEMA_VERSION,
        id=job_id,
        at_utc=began.isoformat(timespec="seconds").replace("+00:00", "Z"),
        a=_named(options, Which.A),
        b=_named(options, Which.B),
        status=measured.status,
        stopped=measured.stopped,
        seed=options.plan.seed,
        rounds=sum(each.fault is None for each in measured.rounds),
        left_out={f"round {each.number}": each.fault for each in measured.rounds if each.fault is not None},
        differences=_differences(measured),
        comparisons=measured.comparisons,
        folder=str(folder),
    )
    write_atomically(folder / "ab.json", to_json(result))
    return result


def side_options(options: AbOptions, which: Which, folder: Path) -> RunOptions:
    """
    Return the options of `harness run` for one side.

    Raises:
        UsageError: words that `harness run` does not know, or values that can't work.
    """
    parser = _Parser(prog="harness run", add_help=False, allow_abbrev=False)
    add_run_arguments(parser)
    own = options.a if which is Which.A else options.b
    parsed = parser.parse_args([*options.common, *own, "--no-history", "--out", str(folder / which)])
    return replace(read_run_options(parsed), history=None)


def words_of_settings(text: str) -> tuple[str, ...]:
    """
    Turn settings such as ``target-delay=5ms, target-pool-size=5`` into words of a command line.

    Raises:
        UsageError: a part that is no ``name=value``.
    """
    words: list[str] = []
    for part in shlex.split(text.replace(",", " ")):
        name, equals, value = part.partition("=")
        name = name.lstrip("-")
        if not name or not equals:
            need = "options of harness run as name=value, such as target-delay=5ms"
            raise UsageError(explain("setting", part, fault="no name with a value", need=need))
        words += [f"--{name}={value}"]
    return tuple(words)


class _Parser(argparse.ArgumentParser):
    """Argparse, with its errors as ours."""

    def error(self, message: str) -> None:  # type: ignore[override]  # raising is how we end, not exiting
        raise UsageError(explain("settings", fault=message, remedy="harness run --help"))


def _leg(sides: dict[Which, RunOptions], interrupt: Interrupt) -> Leg:
    def measure(which: Which, number: int) -> HistoryRecord:
        # Both legs of a round have one schedule, each round another.
        options = replace(sides[which], seed=sides[which].seed + number - 1)
        outcome = execute(options, interrupt, drawn=False)
        if outcome.result.run.state is not RunState.FINISHED:
            raise KeyboardInterrupt
        return record_of(Conclusion(result=outcome.result, columns=columns_of(()), ticks=()))

    return measure


def _differences(measured: Measured) -> tuple[str, ...]:
    whole = [each for each in measured.rounds if each.a is not None and each.b is not None]
    if not whole:
        return ()
    told = differences(*([record for record in side if record is not None] for side in _legs(whole)))
    # What was asked to differ, and what each side's folder and port make of it, is no news.
    wanted = ("target:", "settings or target")
    return tuple(
        line.replace("in the baseline", "in A")
        .replace("in the contenders", "in B")
        .replace("in the contender", "in B")
        for line in told
        if not line.startswith(wanted)
    )


def _legs(rounds: Sequence[Round]) -> tuple[list[HistoryRecord | None], list[HistoryRecord | None]]:
    return [each.a for each in rounds], [each.b for each in rounds]


def _named(options: AbOptions, which: Which) -> str:
    if options.revisions is not None:
        return f"revision {options.revisions[0 if which is Which.A else 1]}"
    own = options.a if which is Which.A else options.b
    return " ".join(own) or "the options as they are"


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _tell(sentence: str) -> None:
    sys.stderr.write(f"harness: {sentence}\n")
    sys.stderr.flush()
