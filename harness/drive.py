"""Drive the load: Locust in a process of its own, watched through the samples it writes."""

import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from harness.errors import ExitCode, HarnessError, explain
from harness.interrupt import Interrupt
from harness.model import EarlyStop, Sample
from harness.processes import Child, start_child
from harness.progress import ProgressLine, SampleTail
from harness.rundir import RunDirectory

_LOOK_EVERY_S = 0.25
_LOOK_OFTEN_S = 0.05
_START_TIMEOUT_S = 60.0
_STOP_GRACE_S = 10.0
_END_SLACK_S = 15.0
_EARLY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """
    How the load went, besides its samples.

    Args:
        ended_s: when the load ended [s since the run's origin].
        interrupted: whether the user ended it.
        target_death: how the target's process ended meanwhile; None when it lived.
        called_off: why the load ended itself to spare the target; None when it did not.
        stop: why the gates ended it; None when they did not.
        clock_step_s: by how much this machine's wall clock was set meanwhile, forward being positive [s].
    """

    ended_s: float
    interrupted: bool
    target_death: str | None
    called_off: str | None = None
    stop: EarlyStop | None = None
    clock_step_s: float = 0.0


class Watch(Protocol):
    """Sees the samples as they come, and may end the load."""

    def take(self, sample: Sample) -> None:
        """Take in a sample."""

    def look(self, elapsed_s: float) -> EarlyStop | None:
        """Return why the load need not go on at this instant [s since the run's origin]; None while it has to."""


def drive(
    command: Sequence[str],
    directory: RunDirectory,
    *,
    run_time_s: float,
    request_timeout_s: float,
    target_death: Callable[[], str | None],
    interrupt: Interrupt,
    look: Callable[[float], None] = lambda _elapsed_s: None,
    environment: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> Drive:
    """
    Start Locust, show how it goes, and see it ended: by itself, by the user, or because the target is gone.

    Args:
        command: Locust's command line; it writes its samples into `directory`.
        directory: the run's folder.
        run_time_s: planned length of the load [s].
        request_timeout_s: how long the last polls may take on top [s].
        target_death: says how the target ended; None while it runs.
        interrupt: set by the user's first Ctrl-C.
        look: called several times a second while the load runs, with the seconds since the run's origin.
        environment: added to ours for the load.
        watch: sees every sample, and may end the load before its time.

    Raises:
        HarnessError: Locust did not start, or broke off by itself.
        KeyboardInterrupt: interrupted before the first poll.
    """
    load = start_child("load generator", command, log=directory.locust_log, environment=environment)
    try:
        tail = SampleTail(directory.samples, None if watch is None else watch.take)
        clock_origin_s = _wait_for_origin(load, tail, interrupt)
        wall_ahead_s = time.time() - time.monotonic()
        ended = _watch(
            load,
            tail,
            clock_origin_s=clock_origin_s,
            run_time_s=run_time_s,
            give_up_s=run_time_s + request_timeout_s + _END_SLACK_S,
            target_death=target_death,
            interrupt=interrupt,
            look=look,
            watch=watch,
        )
        ended = replace(ended, clock_step_s=time.time() - time.monotonic() - wall_ahead_s)
    finally:
        # On SIGTERM Locust writes what it has; polls still in flight are given up.
        code = load.stop(grace_s=_STOP_GRACE_S)
    return _ended(ended, load, code, run_time_s=run_time_s)


def _ended(ended: Drive, load: Child, code: int | None, *, run_time_s: float) -> Drive:
    """
    Tell an end that was meant from one that was not.

    Raises:
        HarnessError: the load broke off, or somebody ended it.
    """
    if ended.stop is not None:
        return ended
    if code == ExitCode.FAIL and not ended.interrupted:
        return replace(ended, called_off=load.last_words())
    if not ended.interrupted and ended.target_death is None:
        if code is not None and code < 0:
            fault = f"was ended by {_signal_name(-code)} after {ended.ended_s:.0f} of {run_time_s:.0f} s"
            raise HarnessError(explain("load generator", fault=fault))
        if code != 0:
            raise HarnessError(_last_words(load, f"broke off after {ended.ended_s:.0f} s with exit code {code}"))
        if ended.ended_s < run_time_s - _EARLY_S:
            fault = f"somebody ended it after {ended.ended_s:.0f} of {run_time_s:.0f} s"
            raise HarnessError(explain("load generator", fault=fault))
    return ended


def _watch(
    load: Child,
    tail: SampleTail,
    *,
    clock_origin_s: float,
    run_time_s: float,
    give_up_s: float,
    target_death: Callable[[], str | None],
    interrupt: Interrupt,
    look: Callable[[float], None],
    watch: Watch | None,
) -> Drive:
    death: str | None = None
    stop: EarlyStop | None = None
    elapsed_s = 0.0
    with ProgressLine(sys.stderr) as line:
        while load.wait(_LOOK_EVERY_S) is None and elapsed_s < give_up_s:
            tail.read()
            elapsed_s = time.monotonic() - clock_origin_s
            line.show(tail.progress(elapsed_s=elapsed_s, run_time_s=run_time_s))
            look(elapsed_s)
            death = target_death()
            if interrupt.requested or death is not None:
                break
            stop = None if watch is None else watch.look(elapsed_s)
            if stop is not None:
                break
        else:
            elapsed_s = time.monotonic() - clock_origin_s
            tail.read()
            line.show(tail.progress(elapsed_s=elapsed_s, run_time_s=run_time_s))
    return Drive(
        ended_s=min(run_time_s, elapsed_s), interrupted=interrupt.requested, target_death=death, stop=stop
    )


def _wait_for_origin(load: Child, tail: SampleTail, interrupt: Interrupt) -> float:
    """Wait until the schedule starts; return that instant [s, by `time.monotonic`: wall clocks are set]."""
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        code = load.wait(_LOOK_OFTEN_S)
        tail.read()
        origin_epoch_s = tail.origin_epoch_s
        if origin_epoch_s is not None:
            return time.monotonic() - (time.time() - origin_epoch_s)
        if interrupt.requested:
            raise KeyboardInterrupt
        if code is not None:
            raise HarnessError(_last_words(load, f"ended at once with exit code {code}"))
        if time.monotonic() > deadline_s:
            raise HarnessError(explain("load generator", fault=f"did not start within {_START_TIMEOUT_S:.0f} s"))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # A real-time signal.
        return f"signal {number}"


def _last_words(load: Child, fault: str) -> str:
    return explain("load generator", fault=f"{fault}: {load.last_words() or 'it said nothing'}")
