"""Make the runs of a self-test: each a whole run with a target of its own, judged by the same gates."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.environment import describe_environment
from harness.interrupt import Interrupt
from harness.model import SCHEMA_VERSION, Result
from harness.options import RunOptions
from harness.run import execute
from harness.selftest.outcome import RunOutcome, SelftestReport, outcome_of, overall_of
from harness.selftest.plan import SOURCE, Injection, selftest_gates

DEPLOYMENTS = 2_000
"""
Rows of each target's database: few enough that 150 polls a second can be served without the index, so that its
loss shows in the plan and in no response time.
"""

_REQUEST_TIMEOUT_S = 10.0

RunOne = Callable[[Injection, Path, Interrupt], Result]


def conduct(
    injections: Sequence[Injection],
    *,
    quick: bool,
    out: Path | None,
    interrupt: Interrupt,
    say: Callable[[str], None],
    run_one: RunOne | None = None,
    clock_s: Callable[[], float] = time.monotonic,
) -> SelftestReport:
    """
    Make all runs and judge them.

    Args:
        injections: the runs, in order.
        quick: whether this is the short form.
        out: folder that keeps the runs; None keeps none.
        interrupt: the user's Ctrl-C, which ends the self-test.
        say: takes a line about what happens next.
        run_one: makes one run; the real one when None.
        clock_s: a monotonic clock.

    Raises:
        KeyboardInterrupt: interrupted.
        HarnessError: a target or a folder was not to be had.
    """
    at_utc = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    begun_s = clock_s()
    outcomes: list[RunOutcome] = []
    with _folder(out) as folder:
        for number, injection in enumerate(injections, 1):
            left_s = sum(later.load.run_time_s + 4 for later in injections[number - 1 :])
            say(f"{number} of {len(injections)}: {injection.told} (about {left_s:.0f} s to go)")
            result = (run_one or run_injection)(injection, folder, interrupt)
            if interrupt.requested:
                raise KeyboardInterrupt
            outcomes.append(outcome_of(injection, result.verdict, polls=result.summary.sent))
    status, reason = overall_of(outcomes)
    environment = describe_environment()
    return SelftestReport(
        schema_version=SCHEMA_VERSION,
        at_utc=at_utc,
        quick=quick,
        duration_s=clock_s() - begun_s,
        machine=f"{environment.cpu or 'unknown processor'}, {environment.cores} cores, {environment.python}",
        gates_from=SOURCE,
        outcomes=tuple(outcomes),
        status=status,
        reason=reason,
    )


def run_injection(injection: Injection, folder: Path, interrupt: Interrupt) -> Result:
    """
    Make one run against a target with the fault in it, and judge it by the self-test's gates.

    Args:
        injection: load and fault.
        folder: gets the run's folder.
        interrupt: the user's Ctrl-C.
    """
    gates = selftest_gates(interval_s=injection.load.interval_s)
    return execute(run_options(injection, folder), interrupt, drawn=False, gates=gates).result


def run_options(injection: Injection, folder: Path) -> RunOptions:
    """Return the options of the run; nothing of the user's environment or project has a part in it."""
    load = injection.load
    plain = RunOptions(
        host=None,
        agents=load.agents,
        interval_s=load.interval_s,
        run_time_s=load.run_time_s,
        warmup_s=load.warmup_s,
        phase_model=load.phase_model,
        seed=1,
        out=folder,
        database_url=None,
        deployments=DEPLOYMENTS,
        request_timeout_s=_REQUEST_TIMEOUT_S,
        target_delay_s=0.0,
        target_error_ratio=0.0,
    )
    return replace(plain, **injection.target)


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        yield out
        return
    with tempfile.TemporaryDirectory(prefix="harness-selftest-") as folder:
        yield Path(folder)
