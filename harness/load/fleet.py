"""
One run of a fleet: the schedule's clock, the agents' identities, the files. Knows gevent, not Locust.

::

    prepare_fleet ─▶ enrol … ─▶ begin (the origin) ─▶ record … ─▶ end_sending ─▶ finish
"""

import logging
import secrets
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import gevent
import gevent.event
import psutil  # type: ignore[import-untyped]  # publishes no types

from harness.errors import HarnessError, explain
from harness.load.command import LoadOptions
from harness.load.discovery import Identities, identify_agents
from harness.load.endpoint import Endpoint, parse_endpoint
from harness.load.generator import PROBE_INTERVAL_S, GeneratorMeter
from harness.load.recorder import FLUSH_INTERVAL_S, LineWriter
from harness.load.tally import RunFacts, Tally, describe
from harness.model import SCHEMA_VERSION, Sample, SampleHeader
from harness.rundir import RunDirectory
from harness.schedule import Schedule

_log = logging.getLogger("pollgauge")

SCENARIO = "agent-polling"

ORIGIN_DELAY_S = 0.2
"""From "everyone is there" to the origin [s]: time for every agent to set its timer, so that none starts late."""


class Fleet:
    """
    The state that all agents of a run share.

    Args:
        options: what was asked for.
        endpoint: `options.host` in parts.
        who: an id for each agent, and the warnings that stand in the header.
        directory: where the files go.
        on_fault: called once, from a greenlet of its own, when the samples can't be written any more.
    """

    def __init__(
        self,
        options: LoadOptions,
        *,
        endpoint: Endpoint,
        who: Identities,
        directory: RunDirectory,
        on_fault: Callable[[HarnessError], None],
    ) -> None:
        self.options = options
        self.endpoint = endpoint
        self.directory = directory
        self.schedule = make_schedule(options)
        self.agent_ids = who.ids
        self.warnings = who.warnings
        self.end_s = options.run_time_s
        """Polls meant for this instant or later are not sent [s since the origin]; None for no end."""
        self.retries = 0
        """Polls that were sent anew after an idle close."""
        self.tally = Tally(warmup_s=options.warmup_s)
        # One context for all: each would read the system's certificates again, 10 ms and half a megabyte.
        self.tls = ssl.create_default_context() if endpoint.tls else None
        self._samples = LineWriter(directory.samples)
        self._ticks = LineWriter(directory.generator)
        self._on_fault = on_fault
        self._clock_origin_s: float | None = None
        self._ready = gevent.event.Event()
        self._left = 0
        self._enrolled = count()
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:06x}}".format, count())
        self._workers: list[gevent.Greenlet] = []

    @property
    def running(self) -> bool:
        """Whether the origin has been set."""
        return self._clock_origin_s is not None

    def enrol(self) -> int | None:
        """Return the next agent's index; None when the fleet is complete."""
        index = next(self._enrolled)
        if index == self.schedule.agents:
            _log.warning("the fleet of %d is complete and stays so while it runs: further users are idle", index)
        return index if index < self.schedule.agents else None

    def begin(self) -> None:
        """Set the origin a moment from now, write the header and let the agents go. Once."""
        if self.running:
            return
        self._clock_origin_s = time.perf_counter() + ORIGIN_DELAY_S
        origin = datetime.now(UTC) + timedelta(seconds=ORIGIN_DELAY_S)
        self._samples.append(
            SampleHeader(
                schema_version=SCHEMA_VERSION,
                origin_utc=origin.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                host=self.options.host,
                scenario=SCENARIO,
                agents=self.schedule.agents,
                interval_s=self.schedule.interval_s,
                seed=self.schedule.seed,
                phase_model=str(self.schedule.phase_model),
                jitter_ratio=self.schedule.jitter_ratio,
                warnings=self.warnings,
            )
        )
        self._flush()
        self._workers = [gevent.spawn(self._keep_flushing), gevent.spawn(self._watch_generator)]
        self._ready.set()

    def wait_until_ready(self) -> None:
        """Block the greenlet until the origin is set, or the run is called off."""
        self._ready.wait()

    def now_s(self) -> float:
        """Return the present [s since the run's origin]; negative in the moment before it."""
        if self._clock_origin_s is None:
            raise RuntimeError("the run has no origin yet")
        return time.perf_counter() - self._clock_origin_s

    def next_request_id(self) -> str:
        """Return an id that no other poll of this or another run carries."""
        return next(self._request_ids)

    def record(self, sample: Sample) -> None:
        """Keep one poll."""
        self._samples.append(sample)
        self.tally.add(sample)

    def end_sending(self) -> None:
        """Call the rest of the schedule off: nothing meant for later than now is sent. Once, by an interrupt."""
        if self.running and (self.end_s is None or self.now_s() < self.end_s):
            self.end_s = max(0.0, self.now_s())
        self._ready.set()

    def left(self) -> None:
        """Note that an agent has sent its last poll."""
        self._left += 1

    @property
    def all_left(self) -> bool:
        """Whether every agent has sent its last poll and has its answer."""
        return self._left >= self.schedule.agents

    def flush(self) -> None:
        """Write what is waiting, now."""
        self._samples.flush()
        self._ticks.flush()

    def finish(self) -> str | None:
        """
        Close the files.

        Returns:
            A summary for people; None when the run never had an origin, in which case it leaves no file.
        """
        gevent.killall(self._workers)
        self._samples.close()
        self._ticks.close()
        self._report_fault()
        if not self.running:
            if self.options.samples_dir is None:
                self.directory.path.rmdir()
            return None
        warmup_s = self.options.warmup_s
        end_s = max(warmup_s, self.now_s() if self.end_s is None else self.end_s)
        return describe(
            self.tally,
            RunFacts(
                agents=self.schedule.agents,
                measured_s=end_s - warmup_s,
                intended=self.schedule.count_between(warmup_s, end_s),
                retries=self.retries,
                samples=str(self.directory.samples),
            ),
        )

    def _flush(self) -> None:
        self.flush()
        self._report_fault()

    def _report_fault(self) -> None:
        fault = self._samples.fault or self._ticks.fault
        if fault is not None:
            on_fault, self._on_fault = self._on_fault, _nobody
            on_fault(fault)

    def _keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_INTERVAL_S)
            self._flush()

    def _watch_generator(self) -> None:
        process = psutil.Process()
        meter = GeneratorMeter(
            started_s=time.perf_counter(),
            # Finer than the operating system's own accounting, which psutil reads: that counts hundredths.
            cpu_s=time.process_time,
            rss_bytes=lambda: int(process.memory_info().rss),
        )
        while True:
            due_s = time.perf_counter() + PROBE_INTERVAL_S
            gevent.sleep(PROBE_INTERVAL_S)
            now_s = time.perf_counter()
            meter.woke(due_s=due_s, now_s=now_s)
            if meter.tick_due(now_s):
                self._ticks.append(meter.tick(now_s=now_s, t_s=self.now_s()))


def make_schedule(options: LoadOptions) -> Schedule:
    """Return the schedule that the options describe; see `Schedule` for errors."""
    return Schedule(
        seed=options.seed,
        agents=options.agents,
        interval_s=options.interval_s,
        phase_model=options.phase_model,
        jitter_ratio=options.jitter_ratio,
    )


def prepare_directory(options: LoadOptions) -> RunDirectory:
    """
    Make the folder for the samples: the one asked for, or a new one named by the time.

    Raises:
        HarnessError: it can't be made or written.
    """
    path = options.samples_dir
    if path is None:
        path = Path("runs") / f"locust-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    remedy = "another --samples-dir"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        reason = f"can't be made: {fault.strerror or fault}"
        raise HarnessError(explain("folder", str(path), fault=reason, remedy=remedy)) from fault
    directory = RunDirectory(path)
    if directory.samples.exists() or directory.generator.exists():
        raise HarnessError(explain("folder", str(path), fault="holds the samples of another run", remedy=remedy))
    return directory


def prepare_fleet(options: LoadOptions, *, on_fault: Callable[[HarnessError], None]) -> Fleet:
    """
    Do everything that can fail before the first poll.

    Args:
        options: what was asked for.
        on_fault: see `Fleet`.

    Returns:
        The fleet, ready to enrol.

    Raises:
        UsageError: options that can't work.
        HarnessError: no answer from the target, or a folder that can't be written. Nothing is left behind.
    """
    make_schedule(options)
    endpoint = parse_endpoint(options.host)
    who = identify_agents(options, endpoint)
    return Fleet(options, endpoint=endpoint, who=who, directory=prepare_directory(options), on_fault=on_fault)


def _nobody(fault: HarnessError) -> None:
    """Take a fault that was reported already."""
