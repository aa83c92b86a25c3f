"""A run and what it leaves: the part that is the same whether one process drives the agents or several."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from harness.errors import HarnessError
from harness.load.behaviour import Behaviour
from harness.load.command import LoadOptions
from harness.load.credentials import Destination
from harness.load.fleet import ORIGIN_DELAY_S, Fleet, Report, Share
from harness.load.plan import Plan
from harness.load.recording import Recording
from harness.load.tally import RunFacts, describe
from harness.rundir import RunDirectory
from harness.schedule import count_in_shape


class Run(Protocol):
    """What Locust's course of events is turned into."""

    plan: Plan
    directory: RunDirectory

    @property
    def end_s(self) -> float | None:
        """Polls meant for this instant or later are not sent [s since the origin]; None for no end."""

    @property
    def running(self) -> bool:
        """Whether the origin has been set."""

    @property
    def is_done(self) -> bool:
        """Whether the end has come, and every poll has its answer."""

    def now_s(self) -> float:
        """Return the present [s since the run's origin]."""

    def begin(self) -> None:
        """Set the origin and let the agents go. Once."""

    def end_sending(self, grace_s: float, *, at_s: float | None = None) -> None:
        """
        Call the rest off.

        Args:
            grace_s: how long what is in flight may take to finish [s].
            at_s: the run's new end [s since its origin]; None for now.
        """

    def flush(self) -> None:
        """Write what is waiting, now."""

    def finish(self) -> str | None:
        """Close the files; return a summary for people, None for a run that never began and leaves no file."""


class RecordedRun:
    """
    The files of a run and its summary.

    Args:
        plan: what is going to be done.
        directory: where the files go.
    """

    def __init__(self, plan: Plan, directory: RunDirectory) -> None:
        self.plan = plan
        self.directory = directory
        self.recording = Recording(directory, warmup_s=plan.options.warmup_s)
        self.retries = 0
        """Polls that were sent anew after an idle close."""

    @property
    def options(self) -> LoadOptions:
        """What was asked for."""
        return self.plan.options

    def write_header(self, delay_s: float, warnings: tuple[str, ...] = ()) -> float:
        """
        Set the origin, and write the first line of the samples.

        Args:
            delay_s: from now to the origin [s].
            warnings: besides those of the plan.

        Returns:
            The origin [s, by `time.perf_counter`].
        """
        clock_origin_s = time.perf_counter() + delay_s
        origin = datetime.now(UTC) + timedelta(seconds=delay_s)
        self.recording.append(self.directory.samples.name, self.plan.header(origin, warnings=warnings))
        self.recording.flush()
        return clock_origin_s

    def close(self, end_s: float | None) -> str | None:
        """
        Close the files.

        Args:
            end_s: when the run ended [s since its origin]; None when it never began.

        Returns:
            A summary for people; None for a run that never began.
        """
        self.recording.close()
        if end_s is None:
            if self.options.samples_dir is None:
                self.directory.path.rmdir()
            return None
        plan, warmup_s = self.plan, self.options.warmup_s
        end_s = max(warmup_s, end_s)
        return describe(
            self.recording.tally,
            RunFacts(
                agents=plan.schedule.agents,
                measured_s=end_s - warmup_s,
                intended=count_in_shape(plan.schedule, plan.shape, warmup_s, end_s),
                retries=self.retries,
                samples=str(self.directory.samples),
            ),
        )


class LocalRun(RecordedRun):
    """
    A run whose agents are all driven by this process.

    Args:
        plan: what to do.
        directory: where the files go.
        destination: where the polls go.
        behaviour: what the scenario does besides.
        report: see `Fleet`.
        on_fault: see `Fleet`.
    """

    def __init__(
        self,
        plan: Plan,
        directory: RunDirectory,
        *,
        destination: Destination,
        behaviour: Behaviour,
        report: Report,
        on_fault: Callable[[HarnessError], None],
    ) -> None:
        super().__init__(plan, directory)
        self.fleet = Fleet(
            plan,
            destination=destination,
            behaviour=behaviour,
            sink=self.recording,
            directory=directory,
            share=Share(),
            report=report,
            on_fault=on_fault,
        )
        self._on_fault = on_fault

    @property
    def end_s(self) -> float | None:
        """See `Run`."""
        return self.fleet.end_s

    @property
    def running(self) -> bool:
        """See `Run`."""
        return self.fleet.running

    @property
    def is_done(self) -> bool:
        """See `Run`."""
        return self.fleet.is_done

    def now_s(self) -> float:
        """See `Run`."""
        return self.fleet.now_s()

    def begin(self) -> None:
        """See `Run`."""
        if not self.running:
            self.fleet.begin(self.write_header(ORIGIN_DELAY_S))

    def end_sending(self, grace_s: float, *, at_s: float | None = None) -> None:  # noqa: ARG002  # Locust sees to it
        """See `Run`."""
        self.fleet.end_sending(at_s)

    def flush(self) -> None:
        """See `Run`."""
        self.fleet.flush()

    def finish(self) -> str | None:
        """See `Run`."""
        end_s = None
        if self.running:
            end_s = self.now_s() if self.end_s is None else self.end_s
        self.fleet.finish()
        self.retries = self.fleet.retries
        words = self.close(end_s)
        if self.recording.fault is not None:
            self.fleet.call_off(self.recording.fault)
        return words
