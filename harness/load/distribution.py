"""
A run shared by several processes or machines, over Locust's own channel.

::

    master                                   worker (one of n)
      compares the clocks       ─▶  ◀─         answers with its own, once it is ready
      plan, rank, origin        ─▶             drives agents rank, rank + n, rank + 2n …
      samples.jsonl, ticks      ◀─             lines, in batches; "left" after the last one
      calls the rest off        ─▶

There is one schedule, one origin and one file of samples, so one verdict. A worker that is gone leaves its polls
unsent, which is what they count as; one that comes when the agents have been dealt out has none. What a worker
says carries the run that it belongs to: one that was cut off from another run, or from a master that is gone, may
still be talking.
"""

import logging
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.event
import msgspec

from harness.errors import HarnessError, explain
from harness.load.distribution_channel import CLOCK, END, PLAN, Post, RemoteFaultError, UndeliveredError, boot_id
from harness.load.fleet import Share
from harness.load.plan import Plan
from harness.load.run import RecordedRun
from harness.model import Sample
from harness.rundir import RunDirectory

_log = logging.getLogger("pollgauge")

_LEAST_DELAY_S = 0.5
_DELAY_S_PER_AGENT = 1e-5
_READY_TIMEOUT_S = 10.0
"""How long workers may take to answer at all: Locust calls them ready before their scenario is [s]."""
_CLOCK_ROUNDS = 5
_CLOCK_TIMEOUT_S = 2.0
_TOLERATED_UNCERTAINTY_S = 0.01
_WATCH_EVERY_S = 0.5
_WORD_S = 0.1
"""How long a word to the workers may be on its way [s]."""


@dataclass(slots=True, kw_only=True)
class _Worker:
    """One of several, as the master knows it."""

    client: str
    rank: int
    name: str
    agents: int
    offset_s: float = 0.0
    """Its clock minus ours."""
    uncertainty_s: float = 0.0
    heard_s: float = 0.0
    """When its last lines came [s since the run's origin]."""
    left: bool = False
    gone: bool = False
    retries: int = 0


class MasterRun(RecordedRun):
    """
    A run whose agents are driven by workers.

    Args:
        plan: what to do.
        directory: where the files go.
        post: reaches the workers.
        on_fault: called once, from a greenlet, when the run can't go on.
    """

    def __init__(
        self, plan: Plan, directory: RunDirectory, *, post: Post, on_fault: Callable[[HarnessError], None]
    ) -> None:
        super().__init__(plan, directory)
        self._end_s = plan.options.run_time_s
        self._post = post
        self._on_fault = on_fault
        self._id = secrets.token_hex(4)
        self._clock_origin_s: float | None = None
        self._asked_to_begin = False
        self._ended = False
        self._workers: dict[str, _Worker] = {}
        self._latecomers: set[str] = set()
        self._answers: dict[str, list[tuple[float, float, float, str]]] = {}
        self._answered = gevent.event.Event()
        self._decoder = msgspec.json.Decoder(Sample)
        self._watch: gevent.Greenlet | None = None

    @property
    def end_s(self) -> float | None:
        """See `harness.load.run.Run`."""
        return self._end_s

    @property
    def running(self) -> bool:
        """See `harness.load.run.Run`."""
        return self._clock_origin_s is not None

    @property
    def is_beginning(self) -> bool:
        """Whether the workers are being asked for the time."""
        return self._asked_to_begin and not self.running and not self._ended

    @property
    def is_done(self) -> bool:
        """See `harness.load.run.Run`."""
        if not self.running:
            return True
        self._look_for_the_gone()
        ended = self._end_s is not None and self.now_s() >= self._end_s
        return all(worker.left or worker.gone for worker in self._workers.values()) and (
            ended or not any(worker.left for worker in self._workers.values())
        )

    def now_s(self) -> float:
        """See `harness.load.run.Run`."""
        if self._clock_origin_s is None:
            raise RuntimeError("the run has no origin yet")
        return time.perf_counter() - self._clock_origin_s

    def begin(self) -> None:
        """See `harness.load.run.Run`. Blocks for as long as comparing the clocks takes."""
        if self._asked_to_begin or self._ended:
            # Locust says so anew when a worker comes or goes, also while the clocks are being compared.
            return
        self._asked_to_begin = True
        self._enrol()
        self._compare_clocks()
        if not self.is_beginning:
            # Stopped meanwhile: whoever was told to start now would never be told to stop.
            return
        present = [worker for worker in self._workers.values() if not worker.gone]
        if not present:
            fault = f"none of {len(self._workers)} answered when the run was to begin"
            self._call_off(HarnessError(explain("workers", fault=fault)))
            return
        delay_s = _LEAST_DELAY_S + _DELAY_S_PER_AGENT * self.plan.schedule.agents
        clock_origin_s = self._clock_origin_s = self.write_header(delay_s, warnings=self._clock_warnings())
        for worker in present:
            self._tell(worker, PLAN, self._plan_for(worker, clock_origin_s))
        self._watch = gevent.spawn(self._keep_watching)

    def end_sending(self, grace_s: float, *, at_s: float | None = None) -> None:
        """See `harness.load.run.Run`; the end is put a moment ahead, so that it is the same for everybody."""
        if not self.running:
            self._ended = True
            return
        at_s = max(0.0, self.now_s() + _WORD_S if at_s is None else at_s)
        if self._end_s is None or at_s < self._end_s:
            self._end_s = at_s
        for worker in self._workers.values():
            if not worker.left:
                self._tell(worker, END, {"grace_s": grace_s, "at_s": self._end_s})

    def flush(self) -> None:
        """See `harness.load.run.Run`."""
        self.recording.flush()

    def finish(self) -> str | None:
        """See `harness.load.run.Run`."""
        self._ended = True
        end_s = None
        if self.running:
            end_s = self.now_s() if self._end_s is None else min(self._end_s, self.now_s())
        if self._watch is not None:
            self._watch.kill()
        self.retries = sum(worker.retries for worker in self._workers.values())
        words = self.close(end_s)
        self._report_fault()
        return words

    def take_clock(self, msg: Any) -> None:
        """Take a worker's answer to the question what time it is."""
        self._answers.setdefault(msg.node_id, []).append(
            (msg.data["sent_s"], msg.data["here_s"], time.perf_counter(), msg.data["boot"])
        )
        self._answered.set()

    def take_lines(self, msg: Any) -> None:
        """Take lines for a file; samples are counted."""
        if not self._is_ours(msg):
            return
        file, lines = msg.data["file"], msg.data["lines"]
        self._workers[msg.node_id].heard_s = self.now_s()
        self.recording.append_lines(file, lines)
        if file == self.directory.samples.name:
            for line in lines.splitlines():
                self.recording.tally.add(self._decoder.decode(line))

    def take_left(self, msg: Any) -> None:
        """Take notice that a worker has sent its last poll and its last line."""
        if not self._is_ours(msg):
            return
        worker = self._workers[msg.node_id]
        worker.left, worker.retries = True, msg.data["retries"]
        if msg.data["lost"]:
            self.recording.note(
                self.now_s(),
                f"Worker {worker.name} could not deliver {msg.data['lost']} lines: they count as missed.",
            )

    def take_fault(self, msg: Any) -> None:
        """Take a worker's reason to end the run."""
        if self._is_ours(msg):
            text = f"worker {self._workers[msg.node_id].name}: {msg.data['text']}"
            self._call_off(RemoteFaultError(text, msg.data["exit_code"]))

    def _is_ours(self, msg: Any) -> bool:
        """Whether a worker speaks of this run, and not of one that it was cut off from."""
        return self.running and msg.data["run"] == self._id

    def _enrol(self) -> None:
        """Deal the agents out to the workers that Locust knows just now."""
        clients = self._post.clients
        names = [id_ for id_ in clients if clients[id_].state in {"ready", "spawning", "running"}]
        names.sort(key=self._post.get_worker_index)
        for rank, id_ in enumerate(names):
            self._workers[id_] = _Worker(
                client=id_,
                rank=rank,
                name=f"{id_.rpartition('_')[0]}/{rank}",
                agents=len(Share(rank=rank, of=len(names)).indices(self.plan.schedule.agents)),
            )

    def _plan_for(self, worker: _Worker, clock_origin_s: float) -> dict[str, Any]:
        return {
            "run": self._id,
            "agent_ids": list(self.plan.agent_ids),
            "rank": worker.rank,
            "of": len(self._workers),
            "worker": worker.name,
            "run_time_s": self.options.run_time_s,
            "origin_s": clock_origin_s + worker.offset_s,
        }

    def _compare_clocks(self) -> None:
        """Ask each worker the time, several times, and believe the quickest answer: it is off by half its way."""
        workers = self._workers.values()
        for worker in workers:
            self._ask_time(worker)
        self._wait_for_answers(workers, 1, timeout_s=_READY_TIMEOUT_S)
        for worker in workers:
            if worker.client not in self._answers:
                worker.gone = True
                continue
            for number in range(2, _CLOCK_ROUNDS + 1):
                self._ask_time(worker)
                self._wait_for_answers([worker], number, timeout_s=_CLOCK_TIMEOUT_S)
            sent_s, here_s, back_s, boot = min(
                self._answers[worker.client], key=lambda answer: answer[2] - answer[0]
            )
            if boot and boot == boot_id():
                # The same machine, so the same clock: better known than it could be measured.
                continue
            worker.offset_s = here_s - (sent_s + back_s) / 2
            worker.uncertainty_s = (back_s - sent_s) / 2

    def _ask_time(self, worker: _Worker) -> None:
        self._tell(worker, CLOCK, {"sent_s": time.perf_counter()})

    def _wait_for_answers(self, workers: Collection[_Worker], number: int, *, timeout_s: float) -> None:
        """Wait until each worker has given so many answers, or is lost to Locust; and no longer than it helps."""
        deadline_s = time.perf_counter() + timeout_s
        while not self._ended and time.perf_counter() < deadline_s:
            self._answered.clear()
            if all(len(self._answers.get(w.client, ())) >= number or self._is_lost(w) for w in workers):
                return
            self._answered.wait(0.05)

    def _clock_warnings(self) -> tuple[str, ...]:
        warnings = [
            f"Worker {worker.name} did not answer when the run began: its {worker.agents} agents do not poll."
            for worker in self._workers.values()
            if worker.gone
        ]
        warnings += [
            f"The clock of worker {worker.name} is known to {worker.uncertainty_s * 1e3:.0f} ms only: "
            "its agents' phases are off by up to that."
            for worker in self._workers.values()
            if worker.uncertainty_s > _TOLERATED_UNCERTAINTY_S
        ]
        return tuple(warnings)

    def _keep_watching(self) -> None:
        while True:
            gevent.sleep(_WATCH_EVERY_S)
            self._look_for_the_gone()
            self._look_for_the_late()
            self.recording.flush()
            self._report_fault()

    def _look_for_the_gone(self) -> None:
        """Note the workers that Locust no longer hears of, though they had not finished."""
        for worker in self._workers.values():
            if worker.left or worker.gone or not self._is_lost(worker):
                continue
            worker.gone = True
            text = (
                f"Worker {worker.name} with {worker.agents} agents was lost, and last heard of at "
                f"{worker.heard_s:.1f} s: polls that it has not told of count as missed."
            )
            _log.warning("%s", text)
            self.recording.note(self.now_s(), text)

    def _look_for_the_late(self) -> None:
        """Say which workers have come since the agents were dealt out: they take no part."""
        for id_ in set(self._post.clients) - set(self._workers) - self._latecomers:
            self._latecomers.add(id_)
            name = id_.rpartition("_")[0]
            _log.warning("a worker on %s came when the run had begun: it drives no agents before the next", name)

    def _is_lost(self, worker: _Worker) -> bool:
        client = self._post.clients.get(worker.client)
        return client is None or client.state == "missing"

    def _tell(self, worker: _Worker, kind: str, data: dict[str, Any]) -> None:
        try:
            self._post.send_message(kind, data, client_id=worker.client)
        except UndeliveredError as fault:
            _log.warning("worker %s can't be told: %s", worker.name, fault)

    def _report_fault(self) -> None:
        if self.recording.fault is not None:
            self._call_off(self.recording.fault)

    def _call_off(self, fault: HarnessError) -> None:
        on_fault, self._on_fault = self._on_fault, _nobody
        gevent.spawn(on_fault, fault)


def _nobody(fault: HarnessError) -> None:
    """Take a fault that was reported already."""
