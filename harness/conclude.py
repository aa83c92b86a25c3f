"""From stored samples to a stored verdict and its report. Needs no target and no load."""

import math
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

import harness
from harness.columns import Columns
from harness.environment import describe_commit, describe_environment
from harness.errors import HarnessError
from harness.gatefiles import GateSet, spec_gate_set
from harness.judge.autocorrelation import bulk_levels
from harness.judge.evidence import Evidence, RouteEvidence
from harness.judge.gates import judge
from harness.judge.observations import keep_alive_note, recovery_note
from harness.judge.quantiles import quantile_interval
from harness.judge.soak import with_findings
from harness.judge.summary import summarise
from harness.judge.wording import count
from harness.model import (
    SCHEMA_VERSION,
    GeneratorTick,
    LoadNote,
    Pickup,
    Reading,
    Result,
    Run,
    RunState,
    SampleHeader,
    Summary,
    Target,
    TargetKind,
    TargetTick,
)
from harness.report.context import QuantileBand, RunContext
from harness.rundir import (
    RunDirectory,
    StoredLines,
    decode,
    encode,
    read_lines,
    read_reading,
    read_result,
    read_run,
    write_atomically,
)
from harness.samplefile import POLLED, StoredColumns, read_columns
from harness.scenario import make_scenario
from harness.schedule import intended_in_window
from harness.shape import shape_of
from harness.soaking import soak_findings

_TICKS_APART_S = 2.0
"""Longer than from one sign of life of a load to the next, also of one that is a little late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """
    A judged run, and what its report is drawn from.

    Args:
        result: as written to ``result.json``.
        columns: the samples of the whole run.
        ticks: the generator's health.
    """

    result: Result
    columns: Columns
    ticks: tuple[GeneratorTick, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What was written into a run's folder while it went on."""

    samples: StoredColumns
    ticks: StoredLines[GeneratorTick]
    notes: StoredLines[LoadNote]
    pickups: StoredLines[Pickup]
    target_ticks: StoredLines[TargetTick]


def conclude(
    directory: RunDirectory,
    *,
    run: Run,
    reading: Reading | None,
    warnings: tuple[str, ...] = (),
    gates: GateSet | None = None,
    written: bool = True,
) -> Conclusion:
    """
    Judge what a run left in its folder, and write ``result.json``.

    Args:
        directory: holds at least the samples.
        run: its record.
        reading: what the target and its database said; None when the run was killed before they were asked.
        warnings: what a person should know besides.
        gates: the rules and where they came from; None for those that the run was started with, which are the
            targets of the specification where it names none.
        written: whether ``result.json`` is written, or left as it is.

    Raises:
        HarnessError: no readable samples, or the folder can't be written.
    """
    stored = _read_stored(directory)
    chosen = gates or read_gates(directory) or spec_gate_set(interval_s=run.scenario.interval_s)
    evidence = _evidence(stored, run=run, reading=reading)
    until_s = evidence.summary.window_end_s
    result = Result(
        schema_version=SCHEMA_VERSION,
        run=run,
        summary=evidence.summary,
        server=evidence.server,
        indexes=evidence.indexes,
        verdict=with_findings(
            judge(chosen.gates, evidence),
            soak_findings(directory, run, stored.samples.polled, until_s=until_s, written=written),
        ),
        warnings=(
            *stored.samples.header.warnings,
            *(note.text for note in stored.notes.records),
            *warnings,
            *(reading.notes if reading else ()),
            *([f"{run.stop.reason}."] if run.stop else []),
            *_observed(run, evidence),
            *_torn(directory, stored),
            *_unknown_health(evidence),
        ),
        routes={key: route.summary for key, route in evidence.others.items()},
        gates_from=chosen.source,
    )
    if written:
        write_atomically(directory.result, encode(result))
    return Conclusion(result=result, columns=stored.samples.polled, ticks=evidence.ticks)


def _read_stored(directory: RunDirectory) -> _Stored:
    return _Stored(
        samples=read_columns(directory.samples),
        ticks=read_lines(directory.generator, GeneratorTick),
        notes=read_lines(directory.notes, LoadNote),
        pickups=read_lines(directory.pickups, Pickup),
        target_ticks=read_lines(directory.target_ticks, TargetTick),
    )


def _evidence(stored: _Stored, *, run: Run, reading: Reading | None) -> Evidence:
    """Put together everything that is known of a run."""
    samples = stored.samples
    start_s, end_s = measured_window(run, samples.polled)
    summary = summarise(
        samples.polled,
        header=samples.header,
        window_start_s=start_s,
        window_end_s=end_s,
        intended=intended_in_window(samples.header, start_s, end_s),
    )
    return Evidence(
        summary=summary,
        columns=samples.polled,
        agents=_present(samples.header, summary),
        interval_s=run.scenario.interval_s,
        server=reading.server if reading else None,
        indexes=reading.indexes if reading else (),
        ticks=stored.ticks.records,
        interrupted=run.state is not RunState.FINISHED,
        target_death=reading.target_death if reading else None,
        lost=reading is None,
        others=_other_routes(samples, start_s, end_s),
        pickups=stored.pickups.records,
        settling=run.settling,
        stop=run.stop,
        keep_alive=run.keep_alive,
        called_off=run.called_off,
    )


def _present(header: SampleHeader, summary: Summary) -> float:
    """Return how many agents were to be there on average: the fleet, but where agents come and go."""
    window_s = summary.window_end_s - summary.window_start_s
    if shape_of(header).is_steady or window_s <= 0 or not summary.intended:
        return header.agents
    return summary.intended * header.interval_s / window_s


def _observed(run: Run, evidence: Evidence) -> tuple[str, ...]:
    """Return what the polls tell besides the gates."""
    columns, summary = evidence.columns, evidence.summary
    notes = (
        None if run.back_s is None else recovery_note(columns, back_s=run.back_s),
        _keep_alive(run, columns.window(summary.window_start_s, summary.window_end_s)),
    )
    return tuple(note for note in notes if note is not None)


def _torn(directory: RunDirectory, stored: _Stored) -> tuple[str, ...]:
    """Return for each file how many of its lines could not be read; nothing of those that are whole."""
    torn = {
        directory.samples: stored.samples.torn_lines,
        directory.generator: stored.ticks.torn_lines,
        directory.notes: stored.notes.torn_lines,
        directory.pickups: stored.pickups.torn_lines,
        directory.target_ticks: stored.target_ticks.torn_lines,
    }
    return tuple(
        f"{count(n, 'line')} of {path.name} {'is' if n == 1 else 'are'} torn or impossible, and left out."
        for path, n in torn.items()
        if n
    )


def _unknown_health(evidence: Evidence) -> tuple[str, ...]:
    text = (
        "The load generator's own health is not known, generator.jsonl holds none of it: what it was late "
        "itself in noticing answers counts as the target's."
    )
    return () if evidence.ticks else (text,)


def write_gates(directory: RunDirectory, gates: GateSet) -> None:
    """Keep the rules that a run was started with, so that a run that is killed is judged by them."""
    write_atomically(directory.path / _GATES, encode(gates))


def read_gates(directory: RunDirectory) -> GateSet | None:
    """Return the rules that a run was started with; None where none were kept, as by plain Locust."""
    path = directory.path / _GATES
    return decode(path.read_bytes(), GateSet, path=path) if path.exists() else None


_GATES = "gates.json"
"""File in a run's folder that holds its `GateSet`."""


def _other_routes(stored: StoredColumns, start_s: float, end_s: float) -> dict[str, RouteEvidence]:
    """Return what is known of the routes that no schedule plans."""
    others = {}
    for key, columns in stored.routes.items():
        if key != POLLED:
            inside = (columns.intended_start_s >= start_s) & (columns.intended_start_s < end_s)
            summary = summarise(
                columns,
                header=stored.header,
                window_start_s=start_s,
                window_end_s=end_s,
                intended=int(inside.sum()),
            )
            others[key] = RouteEvidence(columns=columns, summary=summary)
    return others


def draw(
    conclusion: Conclusion, directory: RunDirectory, context: RunContext | None = None
) -> HarnessError | None:
    """
    Write the plots and ``report.html``.

    Args:
        conclusion: the judged run.
        directory: where to.
        context: the runs before this one; None without any.

    Returns:
        Why they could not be written: the verdict stands all the same. None when all is well.
    """
    # Matplotlib takes a second to import: after the load, not before it.
    from harness.report.files import write_report  # noqa: PLC0415

    try:
        write_report(
            conclusion.result,
            conclusion.columns,
            conclusion.ticks,
            directory,
            band=response_band(conclusion),
            context=context,
            keep_alive=_keep_alive(conclusion.result.run, _measured(conclusion)),
        )
    except HarnessError as fault:
        return fault
    return None


def _keep_alive(run: Run, measured: Columns) -> str | None:
    """Return what the polls tell of the target's keep-alive; nothing where each asked for the close itself."""
    return keep_alive_note(measured, interval_s=run.scenario.interval_s) if run.keep_alive else None


def _measured(conclusion: Conclusion) -> Columns:
    summary = conclusion.result.summary
    return conclusion.columns.window(summary.window_start_s, summary.window_end_s)


def response_band(conclusion: Conclusion) -> QuantileBand | None:
    """Return where each quantile of a run's response time lies with 95 % confidence; None without a poll."""
    values = _measured(conclusion).with_missed().response_time_s
    n = len(values)
    if n < 2:
        return None
    tau = max((level.time for level in bulk_levels(values)), default=1.0)
    ordered = np.sort(values)
    # Evenly over the plot's axis, up to the share that one poll in n makes.
    shares = [1 - 10**-nines for nines in np.linspace(0.02, math.log10(n), 48)]
    # Both ends by themselves at 97.5 % make 95 %.
    bounds = [quantile_interval(ordered, float(q), confidence=0.975, tau=tau) for q in shares]
    return QuantileBand(
        shares=tuple(float(q) for q in shares),
        low_s=tuple(bound.low for bound in bounds),
        high_s=tuple(bound.high for bound in bounds),
        confidence=0.95,
        effective_n=n / tau,
    )


def measured_window(run: Run, columns: Columns) -> tuple[float, float]:
    """
    Return the part of a run that is judged, as [start, end) of intended starts [s since the run's origin].

    A run that ended early is judged up to its end, one that the gates ended up to what they decided on; one that
    was killed, up to the last thing it wrote.
    """
    start_s = run.judged_from_s
    end_s = run.scenario.run_time_s
    if run.stop is not None:
        end_s = min(end_s, run.stop.judged_until_s)
    elif run.ended_s is not None:
        end_s = min(end_s, run.ended_s)
    elif run.state is RunState.RUNNING:
        end_s = min(end_s, float(columns.start_s[-1]) if len(columns) else 0.0)
    return start_s, max(start_s, end_s)


def conclude_again(path: Path) -> Conclusion:
    """
    Take a stored run up again; one that was killed before its verdict is judged on what it has.

    Args:
        path: a run's folder, finished or ``.partial``, or one that plain Locust left.

    Raises:
        HarnessError: no run folder, or files in it that can't be read.
    """
    directory = RunDirectory(path)
    if directory.result.exists():
        result = stored_result(directory)
        stored = _read_stored(directory)
        # What was damaged since the verdict is missing in the report that is drawn now.
        warnings = tuple(dict.fromkeys((*result.warnings, *_torn(directory, stored))))
        return Conclusion(
            result=replace(result, warnings=warnings), columns=stored.samples.polled, ticks=stored.ticks.records
        )
    taken = take_up(directory)
    return conclude(directory, run=taken.run, reading=taken.reading, warnings=taken.warnings)


def stored_result(directory: RunDirectory) -> Result:
    """
    Read a run's result.

    Raises:
        HarnessError: none, or one that can't be read; where the samples can give a new one, it says how.
    """
    try:
        return read_result(directory)
    except HarnessError as fault:
        # One of a newer version is whole: that is not to be removed.
        if not isinstance(fault.__cause__, msgspec.DecodeError | ValueError):
            raise
        if not directory.samples.exists():
            raise HarnessError(f"{fault}; without samples.jsonl it can't be judged anew") from fault
        # Not harness gate --write: its gates may be others than those the run was started with.
        again = f"removing it, then 'harness report {shlex.quote(str(directory.path))}'"
        raise HarnessError(
            f"{fault}; try {again}, which judges the samples anew by the run's own gates"
        ) from fault


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenUp:
    """
    What a run's folder holds besides samples, for judging it again.

    Args:
        run: its record, or one made from the samples' header where plain Locust wrote them.
        reading: what the target and its database said; None when the run was killed before they were asked.
        warnings: what a person should know of it.
    """

    run: Run
    reading: Reading | None
    warnings: tuple[str, ...] = ()


def take_up(directory: RunDirectory) -> TakenUp:
    """
    Read what a run's folder holds besides samples.

    Raises:
        HarnessError: no run folder, or files in it that can't be read.
    """
    if directory.run.exists() or not directory.samples.exists():
        reading = read_reading(directory)
        warning = "The run ended before it was judged: this is judged on what it had written."
        return TakenUp(
            run=read_run(directory),
            reading=reading,
            warnings=() if directory.result.exists() else (warning,),
        )
    note = "A run of plain Locust: neither the target's own figures nor its query plans were asked for."
    reading = Reading(schema_version=SCHEMA_VERSION, server=None, indexes=(), target_death=None, notes=(note,))
    return TakenUp(run=_run_of_plain_locust(directory), reading=reading)


def _run_of_plain_locust(directory: RunDirectory) -> Run:
    """Make a run's record of what Locust wrote by itself: the header of its samples, and when it ended."""
    stored = read_columns(directory.samples)
    header = stored.header
    end_s = _end_of_plain_locust(directory, stored)
    commit, dirty = describe_commit(Path())
    return Run(
        id=directory.path.name,
        schema_version=SCHEMA_VERSION,
        started_utc=header.origin_utc,
        state=RunState.FINISHED,
        scenario=make_scenario(
            name=header.scenario,
            agents=header.agents,
            interval_s=header.interval_s,
            run_time_s=end_s,
            warmup_s=min(header.warmup_s, end_s),
            phase_model=header.phase_model,
            seed=header.seed,
        ),
        target=Target(kind=TargetKind.ATTACHED, url=header.host),
        environment=describe_environment(),
        commit=commit,
        dirty=dirty,
        harness_version=harness.__version__,
        ended_s=end_s,
        keep_alive=header.keep_alive,
    )


def _end_of_plain_locust(directory: RunDirectory, stored: StoredColumns) -> float:
    """
    Return when the load ended [s since the run's origin]: as planned, or with the last sign of life before that.

    Polls alone don't tell: where all agents poll at once, the last ones leave a whole interval before the end.
    """
    header = stored.header
    sent_s = max((float(columns.start_s[-1]) for columns in stored.routes.values()), default=0.0)
    ticks = read_lines(directory.generator, GeneratorTick).records
    # Ticks go on while the last answers are waited for.
    seen_s = max(sent_s, min(max((tick.t_s for tick in ticks), default=0.0), sent_s + header.interval_s))
    planned_s = header.run_time_s
    return planned_s if planned_s is not None and seen_s >= planned_s - _TICKS_APART_S else seen_s
