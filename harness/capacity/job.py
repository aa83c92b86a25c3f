"""The whole search: a run for each fleet, the answer, and a folder that holds everything."""

import math
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

from harness.capacity.reading import knee, limiting_resource, step_of
from harness.capacity.search import Bracket, Next, Plan, Try, bracket, next_try, outcomes
from harness.capacity_model import CAPACITY_SCHEMA_VERSION, Capacity, Step
from harness.environment import describe_environment
from harness.errors import HarnessError, explain
from harness.gate_text import format_gate
from harness.gatefiles import choose_gates
from harness.interrupt import Interrupt
from harness.judge.gates import required_polls
from harness.model import Gate, RunState, Status, Target
from harness.options import RunOptions, check_options
from harness.run import Outcome, execute
from harness.rundir import (
    RunDirectory,
    cannot_write,
    encode,
    read_target_ticks,
    read_ticks,
    write_atomically,
)

SPARE = 1.6
"""Polls of a run over those that its gates need at least: a target near its limit has a slow one now and then."""
LEAST_INTERVALS = 2
_INTERRUPTED = "it was interrupted"

Measure = Callable[[RunOptions], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityOptions:
    """
    What `harness capacity` was asked for.

    Args:
        run: options of each run; agents, run time and folder are set anew for each.
        plan: how to search.
        step_time_s: length of each run after its warm-up [s]; None is as long as the gates need.
        wanted: fleet that the target has to serve; None without.
    """

    run: RunOptions
    plan: Plan
    step_time_s: float | None
    wanted: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What a search came to.

    Args:
        capacity: the answer.
        folder: holds it.
        finished: whether it came to its end; the answer of one that did not is of fewer runs.
        fault: why a run could not be made, which ended it; None where that is not so.
    """

    capacity: Capacity
    folder: Path
    finished: bool = True
    fault: HarnessError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """The runs of a search, and why there are no more: `why` and `fault` as in `Found`."""

    steps: tuple[Step, ...]
    target: Target | None
    why: str
    finished: bool = False
    fault: HarnessError | None = None


def search_capacity(
    options: CapacityOptions, interrupt: Interrupt, *, tell: Callable[[str], None] | None = None
) -> Found:
    """
    Do the whole search. Everything that was started is stopped when this returns or raises.

    Args:
        options: what to search, and how.
        interrupt: the user's Ctrl-C: the run under way is ended, and the runs so far are answered with.
        tell: gets a line for each run; to standard error when None.

    Raises:
        UsageError: options that can't work.
        HarnessError: not a single run could be made. One that could not be made later ends the search.
    """
    began = datetime.now(UTC)
    # Gates are read for an interval, so that has to make sense first.
    check_options(run_options(options, options.plan.start, 1.0, (), Path()))
    gates = _gates(options.run)
    folder = options.run.out / f"capacity-{began.strftime('%Y%m%dT%H%M%SZ')}-{token_hex(2)}"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True)
        except OSError as fault:
            raise cannot_write(folder, fault) from fault
        # A folder into which nothing was measured says nothing.
        stack.callback(_remove_empty, folder)
        shared = _with_database(options, stack)

        def measure(one: RunOptions) -> Outcome:
            return execute(one, interrupt, drawn=False)

        taken = _run_steps(shared, gates, folder, measure, tell or _tell)
        if not taken.steps or taken.target is None:
            raise taken.fault or HarnessError(explain("capacity", fault="not a single run was finished"))
        capacity = answer(
            taken.steps,
            folder.name,
            gates=gates,
            target=taken.target,
            options=options,
            stopped=taken.why,
            at_utc=began.isoformat(timespec="seconds").replace("+00:00", "Z"),
        )
        write_atomically(folder / "capacity.json", encode(capacity))
    return Found(capacity=capacity, folder=folder, finished=taken.finished, fault=taken.fault)


def run_options(
    options: CapacityOptions, agents: int, patience: float, gates: tuple[Gate, ...], folder: Path
) -> RunOptions:
    """
    Return the options of one run of the search.

    Args:
        options: of the search.
        agents: size of the fleet.
        patience: how much longer than usual.
        gates: that have to be settled.
        folder: gets the run's own.
    """
    interval_s = options.run.interval_s
    warmup_s = interval_s if options.run.warmup_s is None else options.run.warmup_s
    measured_s = options.step_time_s
    if measured_s is None:
        intervals = max(LEAST_INTERVALS, math.ceil(SPARE * required_polls(gates) / agents))
        measured_s = intervals * interval_s
    run_time_s = math.ceil(warmup_s + patience * measured_s)
    return replace(
        options.run, agents=agents, run_time_s=float(run_time_s), warmup_s=warmup_s, out=folder, history=None
    )


def answer(
    steps: tuple[Step, ...],
    search_id: str,
    *,
    gates: tuple[Gate, ...],
    target: Target,
    options: CapacityOptions,
    stopped: str,
    at_utc: str,
) -> Capacity:
    """
    Turn the runs into the answer.

    Args:
        steps: at least one, in the order they were taken.
        search_id: of the search.
        gates: that every run was judged by.
        target: the system under test.
        options: of the search.
        stopped: why it ended.
        at_utc: when it began.
    """
    tries = [Try(agents=step.agents, status=step.status) for step in steps]
    span = bracket(tries)
    environment = describe_environment()
    edge = _edge(steps, span)
    first_limit = None if edge is None else next(iter(edge.broken or edge.unsettled), None)
    return Capacity(
        schema_version=CAPACITY_SCHEMA_VERSION,
        id=search_id,
        at_utc=at_utc,
        status=_status(span, options.wanted),
        agents=span.holds,
        fails_at=span.breaks,
        first_limit=first_limit,
        resource=None if edge is None else limiting_resource(edge, cores=environment.cores),
        knee_agents=knee(steps, breaks=span.breaks),
        wanted=options.wanted,
        interval_s=options.run.interval_s,
        gates=tuple(map(format_gate, gates)),
        limits_s={
            f"p{100 * gate.quantile:g}": gate.limit
            for gate in gates
            if gate.metric == "response_time" and gate.quantile is not None and not gate.against_baseline
        },
        stopped=stopped,
        target=target,
        environment=environment,
        steps=steps,
        warnings=tuple(_warnings(tries, span)),
        keep_alive=options.run.keep_alive,
    )


def _run_steps(
    options: CapacityOptions,
    gates: tuple[Gate, ...],
    folder: Path,
    measure: Measure,
    tell: Callable[[str], None],
) -> _Taken:
    steps: list[Step] = []
    target: Target | None = None
    while True:
        wanted = next_try([Try(agents=step.agents, status=step.status) for step in steps], options.plan)
        if wanted.agents is None:
            return _Taken(steps=tuple(steps), target=target, why=wanted.why, finished=True)
        one = run_options(options, wanted.agents, wanted.patience, gates, folder)
        tell(_announced(len(steps) + 1, wanted, one))
        try:
            outcome = measure(one)
        except KeyboardInterrupt:
            return _Taken(steps=tuple(steps), target=target, why=_INTERRUPTED)
        except HarnessError as fault:
            # What was found before stands.
            why = f"a run of {wanted.agents:,} agents could not be made"
            return _Taken(steps=tuple(steps), target=target, why=why, fault=fault)
        run = outcome.result.run
        target = run.target
        # A fleet that makes the target go down is too large: that run is a FAIL.
        if run.state is RunState.INTERRUPTED and run.called_off is None:
            return _Taken(steps=tuple(steps), target=target, why=_INTERRUPTED)
        steps.append(_step(outcome))
        tell(f"        {steps[-1].status.value}{': ' + ', '.join(steps[-1].broken) if steps[-1].broken else ''}")


def _step(outcome: Outcome) -> Step:
    directory: RunDirectory = outcome.directory
    return step_of(
        outcome.result,
        generator=read_ticks(directory.generator),
        target=read_target_ticks(directory.target_ticks),
    )


def _gates(run: RunOptions) -> tuple[Gate, ...]:
    chosen = choose_gates(
        interval_s=run.interval_s, file=run.gates_file, texts=run.gate_texts, defaults=run.default_gates
    )
    return tuple(chosen.gates)


def _with_database(options: CapacityOptions, stack: ExitStack) -> CapacityOptions:
    """Give the embedded targets of all runs one database: it is filled once, and topped up with agents."""
    run = options.run
    if run.host is not None or run.database_url is not None or run.target_drop_index is not None:
        return options
    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-capacity-"))
    return replace(options, run=replace(run, database_url=f"sqlite:///{place}/master.db"))


def _edge(steps: tuple[Step, ...], span: Bracket) -> Step | None:
    """Return the run that shows what breaks first: the first FAIL of the smallest fleet that surely broke."""
    at = span.breaks if span.breaks is not None else span.generator_limit
    wanted = Status.FAIL if span.breaks is not None else Status.INVALID
    return next((step for step in steps if step.agents == at and step.status is wanted), None)


def _status(span: Bracket, wanted: int | None) -> Status:
    if wanted is None:
        if span.holds is not None:
            return Status.PASS
        return Status.FAIL if span.breaks == 1 else Status.INCONCLUSIVE
    if span.holds is not None and span.holds >= wanted:
        return Status.PASS
    if span.breaks is not None and span.breaks <= wanted:
        return Status.FAIL
    return Status.INCONCLUSIVE


def _warnings(tries: list[Try], span: Bracket) -> list[str]:
    found = outcomes(tries)
    warnings = []
    above = [agents for agents, status in found.items() if status is Status.PASS and agents > (span.holds or 0)]
    if above and span.breaks is not None:
        warnings.append(
            f"A fleet of {max(above):,} held although {span.breaks:,} broke: something else than the fleet's size "
            "made the difference."
        )
    if span.generator_limit is not None:
        warnings.append(
            f"At {span.generator_limit:,} agents the load generator itself was late: what the target does there "
            "is not known. --processes shares the agents, or a faster machine drives them."
        )
    unsettled = sorted(
        agents for agents, status in found.items() if status is Status.INCONCLUSIVE and agents > (span.holds or 0)
    )
    if unsettled:
        named = ", ".join(f"{agents:,}" for agents in unsettled)
        warnings.append(f"What a fleet of {named} does could not be told; --step-time gives each run longer.")
    return warnings


def _announced(number: int, wanted: Next, one: RunOptions) -> str:
    return f"run {number}: {one.agents:,} agents for {one.run_time_s:.0f} s ({wanted.why})"


def _tell(line: str) -> None:
    sys.stderr.write(f"harness: {line}\n")
    sys.stderr.flush()


def _remove_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()
