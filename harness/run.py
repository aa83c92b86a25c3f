"""
The main job: a target, a fleet of agents polling it, a verdict, a report.

The steps, each a function of its own::

    check ─▶ prepare the target ─▶ drive the load ─▶ ask the target and its database ─▶ conclude
"""

import contextlib
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import harness
from harness.backend.queries import pending_statement
from harness.backend.seed import progress_bar, seed
from harness.comparison.against import with_baseline
from harness.conclude import conclude, draw, write_gates
from harness.credentials import TOKEN_VARIABLE, Access, is_loopback
from harness.database import describe_database
from harness.drive import Drive, drive
from harness.environment import describe_commit, describe_environment
from harness.errors import HarnessError
from harness.figures import ServerReading, read_server_figures, window_by_clock
from harness.gatefiles import GateSet, choose_gates
from harness.indexes.audit import audit_pending_query
from harness.interrupt import Interrupt
from harness.judge.gates import plan_shortfall
from harness.load.command import locust_command
from harness.model import SCHEMA_VERSION, IndexEvidence, Reading, Result, Run, RunState, Scenario
from harness.options import RunOptions, check_options, load_options
from harness.recording import Recording, record_run
from harness.rundir import PARTIAL_SUFFIX, RunDirectory, cannot_write, encode, read_header, write_atomically
from harness.scenario_gates import with_scenario_gates
from harness.scene import Scene
from harness.target import EmbeddedOptions, RunningTarget, attach, embedded_target
from harness.trending.context import run_context
from harness.watching import RunWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    A finished run.

    Args:
        result: its result.
        directory: the folder that holds it.
        drawing_fault: why its report could not be drawn; None when it was.
        recording: what came of keeping it in a history; None when that was not asked for.
    """

    result: Result
    directory: RunDirectory
    drawing_fault: HarnessError | None
    recording: Recording | None = None


def shortfall_text(options: RunOptions) -> str | None:
    """
    Say which gates the planned run is too short to pass, and how long would do.

    Returns:
        One sentence; None when the run is long enough.
    """
    scenario = check_options(options)
    missing = plan_shortfall(_gates(options, scenario).gates, scenario, settling=options.stop_when_settled)
    if not missing:
        return None
    names = ", ".join(shortfall.gate.name for shortfall in missing)
    worst = max(missing, key=lambda shortfall: shortfall.needed)
    return (
        f"this run is too short to pass {names}: {worst.planned} polls are planned after the warm-up, "
        f"{worst.needed} are needed; --run-time {worst.run_time_s:.0f}s would do"
    )


def _gates(options: RunOptions, scenario: Scenario) -> GateSet:
    chosen = choose_gates(
        interval_s=scenario.interval_s,
        file=options.gates_file,
        texts=options.gate_texts,
        defaults=options.default_gates,
    )
    return with_scenario_gates(chosen, scenario) if options.default_gates else chosen


def execute(
    options: RunOptions, interrupt: Interrupt, *, drawn: bool = True, gates: GateSet | None = None
) -> Outcome:
    """
    Do the whole job. Everything that was started is stopped when this returns or raises.

    Args:
        options: checked here once more.
        interrupt: the user's Ctrl-C; a run that has begun is then ended, judged and written all the same.
        drawn: whether plots and page are wanted too.
        gates: what the run is judged by; None for what the options and the gate files say.

    Returns:
        The result and its folder.

    Raises:
        UsageError: see `check_options`.
        HarnessError: the target, the database or the folder would not do. Nothing half-written is left, except
            the samples of a run that had begun.
    """
    scenario = check_options(options)
    gates = gates or _gates(options, scenario)
    with run_directory(options.out) as directory, ExitStack() as stack:
        target, database_url = _prepare_target(options, directory, stack)
        run = _describe(options, scenario, target, directory)
        write_atomically(directory.run, encode(run))
        write_gates(directory, gates)
        scene = Scene(target, scenario, directory)
        with interrupt.graceful():
            driven = _drive_load(
                options, run, gates=gates, scene=scene, target=target, directory=directory, interrupt=interrupt
            )
            run = _ended(run, driven, back_s=scene.back_s)
            write_atomically(directory.run, encode(run))
            reading = _ask(run, directory, database_url, driven, options.access)
            reading = replace(reading, notes=(*scene.notes(), *reading.notes))
            write_atomically(directory.evidence, encode(reading))
            # The target is stopped before the report is drawn: drawing takes a core for seconds.
            stack.close()
            conclusion = conclude(directory, run=run, reading=reading)
            conclusion = with_baseline(conclusion, directory, options.history)
            drawing_fault = None
            if drawn:
                drawing_fault = draw(conclusion, directory, run_context(conclusion, options.history))
    final = RunDirectory(_final(directory.path))
    return Outcome(
        result=conclusion.result,
        directory=final,
        drawing_fault=drawing_fault,
        recording=None if options.history is None else record_run(conclusion, final, options.history),
    )


@contextmanager
def run_directory(out: Path) -> Iterator[RunDirectory]:
    """
    Make a run's folder, and give it its final name when all is well.

    A folder in which no sample was written is removed when the run fails; one with samples is kept as it is.

    Raises:
        HarnessError: the folder can't be made.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = out / f"{stamp}-{secrets.token_hex(2)}{PARTIAL_SUFFIX}"
    is_new = not out.exists()
    try:
        path.mkdir(parents=True)
    except OSError as fault:
        raise cannot_write(path, fault) from fault
    directory = RunDirectory(path)
    try:
        yield directory
        path.rename(_final(path))
    except BaseException:
        # The load makes the file before its first line, and may have been stopped in between.
        if directory.samples.exists() and directory.samples.stat().st_size > 0:
            sys.stderr.write(f"harness: what the run had is kept; judge it with: harness report {path}\n")
        else:
            shutil.rmtree(path, ignore_errors=True)
            if is_new:
                # Another run may have moved in meanwhile: then it is not empty, and stays.
                with contextlib.suppress(OSError):
                    out.rmdir()
        raise


def _prepare_target(
    options: RunOptions, directory: RunDirectory, stack: ExitStack
) -> tuple[RunningTarget, str | None]:
    """Start or attach to the target; return it with the URL of its database, None when that is not known."""
    url = options.database_url
    if options.host is not None:
        target = attach(
            options.host,
            access=options.access,
            agents_path=options.agents_path,
            pending_route=options.pending_route,
            timeout_s=options.request_timeout_s,
        )
        if url is None:
            return target, None
    else:
        if url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-target-"))
            url = f"sqlite:///{folder}/master.db"
        with progress_bar() as progress:
            seed(url, agents=options.agents, deployments=options.deployments, seed=options.seed, progress=progress)
        embedded = EmbeddedOptions(
            database_url=url,
            delay_s=options.target_delay_s,
            error_ratio=options.target_error_ratio,
            pool_size=options.target_pool_size,
            hold_s=options.target_hold_s,
            drop_index=options.target_drop_index,
            design=options.target_design,
            logs=directory.path / "logs",
            log=directory.target_log,
        )
        target = stack.enter_context(embedded_target(embedded))
    facts = describe_database(url)
    record = replace(target.record, database=facts.version, deployments=facts.deployments)
    return replace(target, record=record), url


def _describe(options: RunOptions, scenario: Scenario, target: RunningTarget, directory: RunDirectory) -> Run:
    commit, dirty = describe_commit(Path())
    return Run(
        id=_final(directory.path).name,
        schema_version=SCHEMA_VERSION,
        started_utc=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        state=RunState.RUNNING,
        scenario=scenario,
        target=target.record,
        environment=describe_environment(),
        commit=commit,
        dirty=dirty,
        harness_version=harness.__version__,
        settling=options.stop_when_settled,
        keep_alive=options.keep_alive,
        processes=options.processes,
    )


def _drive_load(
    options: RunOptions,
    run: Run,
    *,
    gates: GateSet,
    scene: Scene,
    target: RunningTarget,
    directory: RunDirectory,
    interrupt: Interrupt,
) -> Drive:
    watch = RunWatch(
        gates.gates,
        run.scenario,
        directory,
        settling=options.stop_when_settled,
        since_s=lambda: scene.judged_from_s,
    )
    return drive(
        locust_command(load_options(options, run.scenario, host=target.record.url, folder=directory.path)),
        directory,
        run_time_s=run.scenario.run_time_s,
        request_timeout_s=options.request_timeout_s,
        target_death=target.death,
        interrupt=interrupt,
        look=scene.look,
        environment=_load_environment(options),
        watch=None if watch.is_idle else watch,
    )


def _ended(run: Run, driven: Drive, *, back_s: float | None) -> Run:
    cut_short = driven.interrupted or driven.called_off is not None
    state = RunState.INTERRUPTED if cut_short else RunState.FINISHED
    return replace(
        run,
        state=state,
        ended_s=driven.ended_s,
        back_s=back_s,
        stop=driven.stop,
        called_off=_called_off(driven),
    )


def _load_environment(options: RunOptions) -> dict[str, str]:
    """Return what is added to the load's environment: to the embedded target, no secret is shown."""
    return {TOKEN_VARIABLE: ""} if options.host is None else {}


def _called_off(driven: Drive) -> str | None:
    if driven.called_off is None:
        return None
    # Its last words begin with the name of the one who says them.
    said = driven.called_off.partition("the run was called off")
    return f"the run was called off after {driven.ended_s:.0f} s{said[2] or ': ' + driven.called_off}"


def _ask(run: Run, directory: RunDirectory, database_url: str | None, driven: Drive, access: Access) -> Reading:
    served, window_notes = _ask_server(run, directory, access, driven.clock_step_s)
    indexes, notes = _ask_database(database_url)
    return Reading(
        schema_version=SCHEMA_VERSION,
        server=served.figures,
        indexes=indexes,
        target_death=driven.target_death,
        notes=(*window_notes, *([served.note] if served.note else []), *notes),
    )


def _ask_server(
    run: Run, directory: RunDirectory, access: Access, clock_step_s: float
) -> tuple[ServerReading, tuple[str, ...]]:
    header = read_header(directory.samples)
    end_s = run.scenario.run_time_s if run.ended_s is None else min(run.ended_s, run.scenario.run_time_s)
    if end_s <= run.judged_from_s:
        note = "The run ended within its warm-up: nothing was measured."
        return ServerReading(figures=None, raw=None, note=note), ()
    window = window_by_clock(
        datetime.fromisoformat(header.origin_utc),
        from_s=run.judged_from_s,
        until_s=end_s,
        step_s=clock_step_s,
        shared=is_loopback(urlsplit(run.target.url).hostname or ""),
    )
    reading = read_server_figures(run.target.url, since=window.since, until=window.until, access=access)
    if reading.raw is not None:
        write_atomically(directory.server, json.dumps(reading.raw, indent=1).encode())
    return reading, window.notes


def _ask_database(url: str | None) -> tuple[tuple[IndexEvidence, ...], tuple[str, ...]]:
    if url is None:
        return (), ()
    try:
        return audit_pending_query(url, pending_statement("agent-0001")), ()
    except HarnessError as fault:
        return (), (f"The query plan could not be read: {fault}.",)


def _final(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(PARTIAL_SUFFIX))
