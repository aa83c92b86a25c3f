"""The pieces of work that are timed: each hot path, and what it is divided by."""

import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.judge.rates import columns_from, evidence_from
from benchmarks.monitoring.subjects import application, directly, settle
from benchmarks.reports.day import polls
from harness.history.trend import judge_trend
from harness.history_model import Point, Series, SeriesKey
from harness.judge.gates import judge, spec_gates
from harness.load.recorder import LineWriter
from harness.model import PENDING_ROUTE, Direction, Sample
from harness.schedule import Schedule
from monitoring import Settings, instrument
from monitoring.histogram import Histogram
from monitoring.logs.lines import as_json, format_requests

Work = Callable[[], object]

_NEWER = sys.version_info >= (3, 13)
"""From CPython 3.13 on `reference` takes less beside our own code: ratios to it have limits of their own there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """
    A hot path under guard.

    Args:
        name: what is timed, in a few words.
        limit: largest ratio that is allowed with the interpreter that runs.
        prepare: yields the work, and the work it is divided by.
    """

    name: str
    limit: float
    prepare: Callable[[ExitStack], tuple[Work, Work]]


def reference() -> object:
    """Do a fixed mixture of what our code is made of: calls, dictionaries, numbers, text, a C encoder."""
    table: dict[str, float] = {}
    for number in range(400):
        key = f"key-{number % 37}"
        table[key] = max(table.get(key, 0.0), number * 0.5)
        if number % 8 == 0:
            json.dumps({"key": key, "value": number, "text": "a line of text"})
    return table


def repeated(work: Work, times: int) -> Work:
    """Return the work done several times over, to be as long as what it is compared with."""

    def again() -> None:
        for _ in range(times):
            work()

    return again


def _histogram(_: ExitStack) -> tuple[Work, Work]:
    spread = random.Random(1)
    values = [spread.lognormvariate(-4, 1) for _ in range(5000)]
    histogram = Histogram()

    def record() -> None:
        for value in values:
            histogram.record(value)

    return record, repeated(reference, 8)


def _log_lines(_: ExitStack) -> tuple[Work, Work]:
    observations = list(polls(0.1))[:1000]
    return (lambda: format_requests(observations, slow_s=1.0, form=as_json)), repeated(reference, 8)


def _request(stack: ExitStack) -> tuple[Work, Work]:
    """Put a request through the middleware, all logs on, and through the bare application."""
    loop = asyncio.new_event_loop()
    stack.callback(loop.close)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    bare, monitored = application(None, threaded=False), application(None, threaded=False)
    handle = instrument(monitored, None, Settings(log_dir=folder))
    stack.callback(handle.close)
    plain, watched = directly(bare), directly(monitored)

    def with_monitoring() -> None:
        loop.run_until_complete(watched(200))
        settle(handle)

    return with_monitoring, lambda: loop.run_until_complete(plain(200))


def _schedule(_: ExitStack) -> tuple[Work, Work]:
    schedule = Schedule(seed=1, agents=50, interval_s=10.0)

    def look() -> None:
        for k in range(100):
            for agent in range(50):
                schedule.intended_start_s(agent, k)

    return look, repeated(reference, 4)


def _samples(stack: ExitStack) -> tuple[Work, Work]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    writer = LineWriter(folder / "samples.jsonl")
    stack.callback(writer.close)
    sample = Sample(
        agent="agent-0001",
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=12.345678,
        start_s=12.345901,
        end_s=12.349012,
        status=200,
        error=None,
        bytes_in=345,
        new_connection=False,
        request_id="7d261e6764299a8c00000001",
    )

    def write() -> None:
        for _ in range(2000):
            writer.append(sample)
        writer.flush()

    return write, repeated(reference, 8)


def _judging(_: ExitStack) -> tuple[Work, Work]:
    times_s = np.random.default_rng(1).lognormal(-4, 0.7, 20_000)
    evidence = evidence_from(columns_from(times_s))
    gates = spec_gates(interval_s=10.0)
    return (lambda: judge(gates, evidence)), lambda: [np.fft.rfft(times_s) for _ in range(20)]


def _change_points(_: ExitStack) -> tuple[Work, Work]:
    values = np.random.default_rng(1).lognormal(-4, 0.03, 60)
    values[30:] *= 1.1
    points = tuple(
        Point(record=f"run-{number:03d}", at_s=1_795_000_000.0 + 3600 * number, value=float(value))
        for number, value in enumerate(values)
    )
    key = SeriesKey(subject="a", metric="response_time", quantile=0.95, scenario="", environment_key="")
    series = Series(key=key, label="p95", unit="s", direction=Direction.BELOW, points=points, left_out={})
    table = np.random.default_rng(1).normal(size=(500, 60))
    return (lambda: judge_trend([series], now_s=1_796_000_000.0)), lambda: [
        np.abs(np.cumsum(np.random.default_rng(number).permuted(table, axis=1), axis=1)).max(axis=1)
        for number in range(10)
    ]


GUARDS = (
    Guard(name="record 5,000 durations in a histogram", limit=1.5 if _NEWER else 1.3, prepare=_histogram),
    Guard(name="format 1,000 request lines", limit=1.8 if _NEWER else 1.5, prepare=_log_lines),
    Guard(name="a request through the monitoring layer, over a bare one", limit=1.7, prepare=_request),
    Guard(name="5,000 intended starts", limit=0.95 if _NEWER else 0.75, prepare=_schedule),
    Guard(name="write 2,000 samples", limit=1.7 if _NEWER else 1.1, prepare=_samples),
    Guard(name="judge 20,000 polls by the specification", limit=4.3, prepare=_judging),
    Guard(name="search a series of 60 runs for changes", limit=1.1, prepare=_change_points),
)


@contextmanager
def prepared(guard: Guard) -> Iterator[tuple[Work, Work]]:
    """Yield a guard's work and the work it is divided by, both done once."""
    with ExitStack() as stack:
        work, divisor = guard.prepare(stack)
        work()
        divisor()
        yield work, divisor
