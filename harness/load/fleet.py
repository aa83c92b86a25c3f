"""
One process's part of a run: the clock, the engine that polls, and the way of its samples into a sink.

::

    Fleet(plan, sink) ─▶ begin (the origin) ─▶ record … ─▶ end_sending ─▶ done ─▶ finish
"""

import gc
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import gevent
import psutil  # type: ignore[import-untyped]  # publishes no types

from harness.errors import HarnessError
from harness.load.behaviour import Behaviour
from harness.load.credentials import Destination
from harness.load.endpoint import Endpoint
from harness.load.engine import Engine
from harness.load.generator import PROBE_INTERVAL_S, GarbageWatch, GeneratorMeter
from harness.load.pacing import FleetPacing
from harness.load.plan import Plan
from harness.load.recorder import FLUSH_INTERVAL_S
from harness.load.recording import Sink
from harness.model import Sample
from harness.rundir import RunDirectory

ORIGIN_DELAY_S = 0.2
"""From "everyone is there" to the origin [s]: time to set everything up, so that no poll starts late."""

_KEEP_EVERY_S = 0.02
_KEPT_AT_ONCE = 50
"""Samples kept before polls get their turn: about a millisecond. Ten at a time cost a seventh more CPU."""

Report = Callable[[deque[Sample]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """
    The agents that one process drives: every `of`-th, from number `rank` on.

    Args:
        rank: 0..of − 1.
        of: number of processes.
        worker: this one's name; None when it is alone.
    """

    rank: int = 0
    of: int = 1
    worker: str | None = None

    def indices(self, agents: int) -> Sequence[int]:
        """Return the indices of its agents in a fleet of so many."""
        return range(self.rank, agents, self.of)


@dataclass(slots=True, kw_only=True)
class _Greenlets:
    """What runs beside the engine."""

    all: list[gevent.Greenlet] = field(default_factory=list)

    def kill(self) -> None:
        gevent.killall(self.all)
        self.all = []


class Fleet:
    """
    The agents of this process, at work.

    Args:
        plan: what to do.
        destination: where to.
        behaviour: what the scenario does besides polling.
        sink: where records go.
        directory: the run's folder; that of a worker holds nothing.
        share: which agents are this process's.
        report: takes requests that have ended, from the left, called from a greenlet: Locust's tables live on it.
        on_fault: called once, from a greenlet, when the run can't go on: the sink is full, the engine broke.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        destination: Destination,
        behaviour: Behaviour,
        sink: Sink,
        directory: RunDirectory,
        share: Share,
        report: Report,
        on_fault: Callable[[HarnessError], None],
    ) -> None:
        self.plan = plan
        self.directory = directory
        self.share = share
        self.end_s = plan.options.run_time_s
        """Polls meant for this instant or later are not sent [s since the origin]; None for no end."""
        self._endpoint = behaviour.connects_to(destination.endpoint)
        self._behaviour = behaviour
        self._sink = sink
        self._report = report
        self._on_fault = on_fault
        self._clock_origin_s: float | None = None
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:06x}}".format, count())
        self._waiting: deque[Sample] = deque()
        self._unreported: deque[Sample] = deque()
        self._greenlets = _Greenlets()
        self._garbage = GarbageWatch(time.perf_counter)
        self._finished = False
        options = plan.options
        self._engine = Engine(
            agent_ids=plan.agent_ids,
            mine=self.agent_indices,
            pacing=FleetPacing(plan.schedule, plan.shape),
            endpoint=self._endpoint if options.keep_alive else _closing(self._endpoint),
            tls=destination.tls,
            request_timeout_s=options.request_timeout_s,
            keeps_connections=options.keep_alive,
            behaviour=behaviour,
            now_s=self.now_s,
            # Without a call of ours between, for each poll.
            next_request_id=self._request_ids.__next__,
            record=self._waiting.append,
            on_fault=self.call_off,
        )

    @property
    def running(self) -> bool:
        """Whether the origin has been set."""
        return self._clock_origin_s is not None

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The id of each agent of the whole fleet, by index."""
        return self.plan.agent_ids

    @property
    def agent_indices(self) -> Sequence[int]:
        """The agents that this process drives: all of them, unless several processes share the run."""
        return self.share.indices(self.plan.schedule.agents)

    @property
    def endpoint(self) -> Endpoint:
        """The target, as the agents connect to it."""
        return self._endpoint

    @property
    def has_behaviour(self) -> bool:
        """Whether the scenario does more than polling."""
        return type(self._behaviour) is not Behaviour

    @property
    def retries(self) -> int:
        """Polls that were sent anew after an idle close."""
        return self._engine.retries

    def begin(self, clock_origin_s: float) -> None:
        """
        Start the schedule. Once.

        Args:
            clock_origin_s: the run's origin [s, by `time.perf_counter` of this process], a moment from now.
        """
        self._clock_origin_s = clock_origin_s
        # What is there by now stays: collections need not look at it again and again.
        gc.collect()
        gc.freeze()
        self._garbage.start()
        self._engine.start(end_s=self.end_s)
        self._greenlets.all = [
            gevent.spawn(self._keep_keeping),
            gevent.spawn(self._keep_flushing),
            gevent.spawn(self._watch_generator),
        ]
        self._behaviour.started(self)

    def now_s(self) -> float:
        """Return the present [s since the run's origin]; negative in the moment before it."""
        if self._clock_origin_s is None:
            raise RuntimeError("the run has no origin yet")
        return time.perf_counter() - self._clock_origin_s

    def next_request_id(self) -> str:
        """Return an id that no other request of this or another run carries."""
        return next(self._request_ids)

    def record(self, sample: Sample) -> None:
        """Keep a request: soon, and from a greenlet, so that this may be called on the hub."""
        self._waiting.append(sample)

    def keep(self, file: str, record: object) -> None:
        """
        Keep a record of another kind in the run's folder, wherever that is.

        Args:
            file: name of the file, such as ``pickups.jsonl``.
            record: of `harness.model`.
        """
        self._sink.append(file, record)

    def call_off(self, fault: HarnessError) -> None:
        """End the run at once, as by an interrupt; the fault is the last word and gives the exit code."""
        on_fault, self._on_fault = self._on_fault, _nobody
        # Whoever is told may block, and this may be the hub.
        gevent.spawn(on_fault, fault)

    def end_sending(self, at_s: float | None = None) -> None:
        """
        Call the rest of the schedule off.

        Args:
            at_s: nothing meant for this instant or later is sent [s since the run's origin]; None for now.
        """
        if not self.running:
            self._engine.end(0.0)
            return
        at_s = max(0.0, self.now_s() if at_s is None else at_s)
        if self.end_s is None or at_s < self.end_s:
            self.end_s = at_s
            self._engine.end(at_s)

    @property
    def is_done(self) -> bool:
        """Whether the end has come, and every poll has its answer."""
        return bool(self._engine.done.is_set())

    def wait_until_done(self) -> None:
        """Block the greenlet until `is_done`."""
        self._engine.done.wait()

    def flush(self) -> None:
        """Pass on what is waiting, now."""
        self._keep_waiting()
        self._sink.flush()

    def finish(self) -> None:
        """Break off what is in flight, and pass everything on; the sink stays open. Again is harmless."""
        if self._finished:
            return
        self._finished = True
        self._engine.abort()
        self._behaviour.stopped()
        self._greenlets.kill()
        if self.running:
            self._garbage.stop()
            gc.unfreeze()
        self.flush()

    def _keep_waiting(self, most: int | None = None) -> bool:
        """Keep what the engine and others have to tell, so many of each at most; return whether there is more."""
        more = self._engine.pass_on(most)
        waiting, name = self._waiting, self.directory.samples.name
        for _ in range(len(waiting) if most is None else min(most, len(waiting))):
            sample = waiting.popleft()
            self._sink.append(name, sample)
            self._unreported.append(sample)
        if self._unreported:
            self._report(self._unreported)
        return more or bool(waiting)

    def _keep_keeping(self) -> None:
        while True:
            gevent.sleep(_KEEP_EVERY_S)
            while self._keep_waiting(_KEPT_AT_ONCE):
                gevent.sleep(0)

    def _keep_flushing(self) -> None:
        while True:
            gevent.sleep(FLUSH_INTERVAL_S)
            self._sink.flush()
            if self._sink.fault is not None:
                self.call_off(self._sink.fault)

    def _watch_generator(self) -> None:
        process = psutil.Process()
        engine = self._engine
        meter = GeneratorMeter(
            started_s=time.perf_counter(),
            # Finer than the operating system's own accounting, which psutil reads: that counts hundredths.
            cpu_s=time.process_time,
            rss_bytes=lambda: int(process.memory_info().rss),
            worker=self.share.worker,
        )
        missed = 0
        while True:
            due_s = time.perf_counter() + PROBE_INTERVAL_S
            gevent.sleep(PROBE_INTERVAL_S)
            now_s = time.perf_counter()
            meter.woke(due_s=due_s, now_s=now_s)
            if meter.tick_due(now_s):
                tick = meter.tick(
                    now_s=now_s,
                    t_s=self.now_s(),
                    start_lag_s=engine.take_worst_lag_s(),
                    gc_pause_s=self._garbage.take_worst_s(),
                    missed=engine.missed - missed,
                    connections=engine.connections,
                )
                missed = engine.missed
                self._sink.append(self.directory.generator.name, tick)


def _closing(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose requests ask for the close: then it is the target's port that is kept waiting."""
    return replace(endpoint, headers=f"{endpoint.headers}Connection: close\r\n")


def _nobody(fault: HarnessError) -> None:
    """Take a fault that was reported already."""
