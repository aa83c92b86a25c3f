"""A soak's drift: the watched series to a file, and the findings that they give."""

from dataclasses import asdict

import msgspec

from harness.columns import Columns
from harness.judge.drift import drift_of
from harness.judge.soak import drift_finding, soak_series
from harness.model import Finding, Run
from harness.rundir import RunDirectory, read_target_ticks, write_atomically


def soak_findings(
    directory: RunDirectory, run: Run, columns: Columns, *, until_s: float, written: bool = True
) -> tuple[Finding, ...]:
    """
    Judge a soak's series, and write them down.

    Args:
        directory: of the run.
        run: a soak; any other gives no findings.
        columns: its polls.
        until_s: end of what is judged [s since the run's origin].
        written: whether the series are written to ``drift.json``.

    Raises:
        HarnessError: the folder can't be written.
    """
    slice_s = run.scenario.parameters.get("slice_s")
    if slice_s is None:
        return ()
    series = soak_series(
        columns,
        read_target_ticks(directory.target_ticks),
        from_s=run.judged_from_s,
        until_s=until_s,
        slice_s=float(slice_s),
    )
    if written:
        stored = {
            one.name: {
                **asdict(one),
                "drift": asdict(drift_of(one.times_s, one.values, least_ratio=one.limit_ratio)),
            }
            for one in series
        }
        write_atomically(directory.drift, msgspec.json.format(msgspec.json.encode(stored), indent=1))
    return tuple(drift_finding(one) for one in series)
