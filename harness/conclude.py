"""From stored samples to a stored verdict: summarise, judge, write, render. Needs no target and no load."""

from pathlib import Path

import msgspec

import harness
from harness.columns import Columns, columns_of
from harness.environment import describe_commit, describe_environment
from harness.errors import HarnessError
from harness.figures import parse_server_figures
from harness.judge.evidence import Evidence
from harness.judge.gates import judge, spec_gates
from harness.judge.summary import summarise
from harness.model import (
    PENDING_ROUTE,
    SCHEMA_VERSION,
    GeneratorTick,
    IndexEvidence,
    Result,
    Run,
    RunState,
    ServerFigures,
    Target,
    TargetKind,
)
from harness.rundir import RunDirectory, encode, read_result, read_run, read_samples, read_ticks, write_atomically
from harness.scenario import make_scenario
from harness.schedule import intended_in_window


def conclude(
    directory: RunDirectory,
    *,
    run: Run,
    server: ServerFigures | None,
    indexes: tuple[IndexEvidence, ...],
    target_death: str | None,
    warnings: tuple[str, ...],
) -> Result:
    """
    Judge what a run left in its folder, and write ``result.json``, the plots and ``report.html``.

    Args:
        directory: holds at least the samples.
        run: its record.
        server: the target's own figures for the measured window; None when it gave none.
        indexes: how the database would serve the hot queries; empty when it could not be asked.
        target_death: how the target ended during the run; None when it lived, or when that can't be known.
        warnings: what else a person should know.

    Returns:
        The result as written.

    Raises:
        HarnessError: no readable samples, or the folder can't be written.
    """
    stored = read_samples(directory.samples)
    columns = columns_of(sample for sample in stored.samples if sample.name == PENDING_ROUTE)
    ticks = read_ticks(directory.generator)
    if stored.torn_lines:
        warnings = (*warnings, f"{stored.torn_lines} lines of samples.jsonl were torn and are left out.")
    start_s, end_s = measured_window(run, columns)
    measured = columns.window(start_s, end_s)
    summary = summarise(
        measured,
        header=stored.header,
        window_start_s=start_s,
        window_end_s=end_s,
        intended=intended_in_window(stored.header, start_s, end_s),
    )
    verdict = judge(
        spec_gates(interval_s=run.scenario.interval_s),
        Evidence(
            summary=summary,
            columns=columns,
            agents=run.scenario.agents,
            interval_s=run.scenario.interval_s,
            server=server,
            indexes=indexes,
            ticks=ticks,
            interrupted=run.state is not RunState.FINISHED,
            target_death=target_death,
        ),
    )
    result = Result(
        schema_version=SCHEMA_VERSION,
        run=run,
        summary=summary,
        server=server,
        indexes=indexes,
        verdict=verdict,
        warnings=warnings,
    )
    write_atomically(directory.result, encode(result))
    _render(result, columns, ticks, directory)
    return result


def measured_window(run: Run, columns: Columns) -> tuple[float, float]:
    """
    Return the part of a run that is judged, as [start, end) of intended starts [s since the run's origin].

    A run that ended early is judged up to its end; one that was killed, up to the last thing it wrote.
    """
    start_s = run.scenario.warmup_s
    end_s = run.scenario.run_time_s
    if run.ended_s is not None:
        end_s = min(end_s, run.ended_s)
    elif run.state is RunState.RUNNING:
        end_s = min(end_s, float(columns.start_s[-1]) if len(columns) else 0.0)
    return start_s, max(start_s, end_s)


def report_again(path: Path) -> Result:
    """
    Render a run's report anew; a run that was killed before its verdict is judged first, on what it has.

    Args:
        path: a run's folder, finished or ``.partial``.

    Raises:
        HarnessError: no run folder, or files in it that can't be read.
    """
    directory = RunDirectory(path)
    if directory.result.exists():
        result = read_result(directory)
        stored = read_samples(directory.samples)
        columns = columns_of(sample for sample in stored.samples if sample.name == PENDING_ROUTE)
        _render(result, columns, read_ticks(directory.generator), directory)
        return result
    if directory.run.exists() or not directory.samples.exists():
        run = read_run(directory)
        warning = "The run ended before it was judged: this is judged on what it had written."
    else:
        run = _run_of_plain_locust(directory)
        warning = "A run of plain Locust: neither the target's own figures nor its query plans were asked for."
    return conclude(
        directory,
        run=run,
        server=_stored_figures(directory),
        indexes=(),
        target_death=None,
        warnings=(warning,),
    )


def _run_of_plain_locust(directory: RunDirectory) -> Run:
    """Make a run's record of what Locust wrote by itself: the header of its samples, and their last instant."""
    stored = read_samples(directory.samples)
    header = stored.header
    end_s = max((sample.start_s for sample in stored.samples), default=0.0)
    commit, dirty = describe_commit(Path.cwd())
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
            warmup_s=0.0,
            phase_model=header.phase_model,
            seed=header.seed,
        ),
        target=Target(kind=TargetKind.ATTACHED, url=header.host),
        environment=describe_environment(),
        commit=commit,
        dirty=dirty,
        harness_version=harness.__version__,
        ended_s=end_s,
    )


def _render(result: Result, columns: Columns, ticks: tuple[GeneratorTick, ...], directory: RunDirectory) -> None:
    # Matplotlib takes a second to import: after the load, not before it.
    from harness.report.files import write_report  # noqa: PLC0415

    write_report(result, columns, ticks, directory)


def _stored_figures(directory: RunDirectory) -> ServerFigures | None:
    if not directory.server.exists():
        return None
    try:
        return parse_server_figures(msgspec.json.decode(directory.server.read_bytes()))
    except (OSError, ValueError, KeyError) as fault:
        raise HarnessError(f"file '{directory.server}': can't be read: {fault}") from fault
