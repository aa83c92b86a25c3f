"""The whole A/B job: sides from options, targets where they are needed, rounds, and a stored result."""

import contextlib
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from harness.ab.revisions import Fill, resolve, revision_target
from harness.ab.rounds import Leg, Measured, Round, Which, run_rounds
from harness.ab.sides import AbOptions, side_options
from harness.columns import columns_of
from harness.comparison.differences import differences
from harness.comparison.render import to_json
from harness.conclude import Conclusion
from harness.errors import HarnessError, explain
from harness.gatefiles import GateSet, spec_gate_set
from harness.history_model import Comparison, HistoryRecord
from harness.interrupt import Interrupt
from harness.model import RunState, Status
from harness.options import RunOptions, check_options
from harness.recording import record_of
from harness.run import execute
from harness.rundir import cannot_write, write_atomically
from harness.scenario_gates import with_scenario_gates
from harness.target import attach

AB_SCHEMA_VERSION = 1
"""Version of ``ab.json``."""


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
        UsageError: options that can't work, for either side; a pattern of metrics that fits none.
        HarnessError: a target can't be had, or rounds could not be measured: see `run_rounds`.
    """
    began = datetime.now(UTC)
    job_id = f"ab-{began.strftime('%Y%m%dT%H%M%SZ')}-{token_hex(2)}"
    folder = options.out / job_id
    with ExitStack() as stack:
        sides = _prepared(options, folder, stack)
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
        differences=differences_of(measured),
        comparisons=measured.comparisons,
        folder=str(folder),
    )
    write_atomically(folder / "ab.json", to_json(result))
    return result


def _prepared(options: AbOptions, folder: Path, stack: ExitStack) -> dict[Which, RunOptions]:
    """Return the options of both sides, checked; a revision is served until the stack is closed."""
    sides = {which: side_options(options, which, folder) for which in Which}
    alike = replace(sides[Which.A], out=folder) == replace(sides[Which.B], out=folder)
    if options.revisions is not None:
        commits = [resolve(revision, Path()) for revision in options.revisions]
        alike = len(set(commits)) == 1
        for which, commit in zip(Which, commits, strict=True):
            run = sides[which]
            fill = Fill(agents=run.agents, deployments=run.deployments, seed=run.seed)
            _tell(f"revision {commit[:12]} is filled and started as {which.upper()}")
            url = stack.enter_context(revision_target(commit, Path(), fill))
            sides[which] = replace(run, host=url, database_url=None)
    for run in sides.values():
        check_options(run)
    for run in sides.values():
        _check_host(run)
    if alike:
        _tell("A and B are the same: what is found is the machine's own spread")
    return sides


def _check_host(run: RunOptions) -> None:
    """Ask a running target once: a name that is mistyped would else cost a leg of the other side first."""
    if run.host is not None:
        attach(
            run.host,
            access=run.access,
            agents_path=run.agents_path,
            pending_route=run.pending_route,
            timeout_s=run.request_timeout_s,
        )


def _leg(sides: dict[Which, RunOptions], interrupt: Interrupt) -> Leg:
    def measure(which: Which, number: int) -> HistoryRecord:
        # Both legs of a round have one schedule, each round another.
        options = replace(sides[which], seed=sides[which].seed + number - 1)
        outcome = execute(options, interrupt, drawn=False, gates=_leg_gates(options))
        called_off = outcome.result.run.called_off
        if called_off is not None:
            raise HarnessError(explain("leg", which.upper(), fault=f"not whole: {called_off}"))
        if outcome.result.run.state is not RunState.FINISHED:
            raise KeyboardInterrupt
        return record_of(Conclusion(result=outcome.result, columns=columns_of(()), ticks=()))

    return measure


def _leg_gates(options: RunOptions) -> GateSet:
    """
    Return the gates of a leg, which only tell what is measured and whether the generator kept up.

    A gate file is about single runs: one that ends a run early would cut legs short, and one without a quantile
    would let a generator that was at fault pass.
    """
    return with_scenario_gates(spec_gate_set(interval_s=options.interval_s), check_options(options))


def differences_of(measured: Measured) -> tuple[str, ...]:
    """Return what differs between the sides besides what was asked for, one sentence each."""
    whole = [each for each in measured.rounds if each.a is not None and each.b is not None]
    if not whole:
        return ()
    told = differences(*([record for record in side if record is not None] for side in _legs(whole)))
    # What was asked to differ, and what each side's folder and port make of it, is no news. Uncommitted changes
    # are those of the working directory, which both sides have alike and no revision has.
    wanted = ("target:", "settings or target", "uncommitted changes:")
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
