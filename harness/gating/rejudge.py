"""Judge a stored run under other gates, without load."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.comparison.against import with_baseline
from harness.conclude import Conclusion, TakenUp, conclude, draw, take_up
from harness.errors import HarnessError
from harness.gatefiles import choose_gates
from harness.model import SCHEMA_VERSION, Reading, Result, RunState
from harness.rundir import RunDirectory, encode, read_result, require_run, write_atomically


def rejudge(
    path: Path,
    *,
    file: Path | None,
    texts: Sequence[str],
    defaults: bool = True,
    written: bool = False,
    history: str | None = None,
) -> Conclusion:
    """
    Judge a stored run again.

    What can't be read and isn't needed is left out, and a warning says so: the samples are what counts.

    Args:
        path: the run's folder, finished or ``.partial``, or one that plain Locust left.
        file: gate file; None looks for one as `harness run` does.
        texts: gates of the command line.
        defaults: whether gates that nobody named count too.
        written: whether ``result.json`` is written anew. Otherwise the folder stays as the run left it.
        history: folder or URL of the history that gates against a baseline are compared with; None for none.

    Returns:
        The new verdict on the old samples.

    Raises:
        UsageError: a gate that can't be read or judged.
        HarnessError: no run folder, or files in it that can't be read.
    """
    directory = RunDirectory(path)
    require_run(directory)
    before, unread = _result_before(directory)
    taken = _taken_up(directory, before)
    gates = choose_gates(interval_s=taken.run.scenario.interval_s, file=file, texts=texts, defaults=defaults)
    warnings = (*unread, *taken.warnings)
    reading = taken.reading
    if before is not None:
        # What was warned of when the run was made still holds; what the samples tell is told again.
        warnings = (*warnings, *(text for text in before.warnings if text not in warnings))
        if reading is None and taken.run.state is not RunState.RUNNING:
            # A run of before evidence.json: its result holds the same.
            reading = _reading_of(before)
    conclusion = conclude(
        directory, run=taken.run, reading=reading, warnings=warnings, gates=gates, written=written
    )
    conclusion = with_baseline(conclusion, directory, history, written=written)
    # What the samples tell was warned of before, and is told again.
    result = replace(conclusion.result, warnings=tuple(dict.fromkeys(conclusion.result.warnings)))
    if written:
        write_atomically(directory.result, encode(result))
    return replace(conclusion, result=result)


def _result_before(directory: RunDirectory) -> tuple[Result | None, tuple[str, ...]]:
    """Return the result that is there, or why it can't be read."""
    if not directory.result.exists():
        return None, ()
    try:
        return read_result(directory), ()
    except HarnessError as fault:
        return None, (f"The verdict of before is left out, and the samples were judged anew: {fault}.",)


def _taken_up(directory: RunDirectory, before: Result | None) -> TakenUp:
    """Read what the folder holds besides samples; what is missing of it, from the result of before."""
    try:
        taken = take_up(directory)
    except HarnessError as fault:
        if before is None:
            raise
        return _from_result(before, str(fault))
    if before is not None and not directory.run.exists():
        return _from_result(before, f"file '{directory.run}': missing")
    return taken


def _from_result(before: Result, fault: str) -> TakenUp:
    warning = f"The run's record and what its target said are taken from result.json: {fault}."
    return TakenUp(run=before.run, reading=_reading_of(before), warnings=(warning,))


def _reading_of(before: Result) -> Reading:
    return Reading(
        schema_version=SCHEMA_VERSION,
        server=before.server,
        indexes=before.indexes,
        target_death=None,
        notes=(),
    )


def redraw(conclusion: Conclusion, path: Path) -> HarnessError | None:
    """Draw the report of a verdict that was written; return why it could not be, None when all is well."""
    return draw(conclusion, RunDirectory(path))
