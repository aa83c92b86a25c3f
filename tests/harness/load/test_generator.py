"""The generator's own health, from wakes that the test invents."""

import gc

from harness.load.generator import GarbageWatch, GeneratorMeter
from harness.model import GeneratorTick


class Machine:
    """A process whose CPU time and memory the test sets."""

    def __init__(self) -> None:
        self.cpu_s = 5.0
        self.rss_bytes = 1000

    def meter(self) -> GeneratorMeter:
        return GeneratorMeter(started_s=100.0, cpu_s=lambda: self.cpu_s, rss_bytes=lambda: self.rss_bytes)


def test_a_tick_holds_cpu_memory_and_the_worst_wake() -> None:
    machine = Machine()
    meter = machine.meter()
    meter.woke(due_s=100.05, now_s=100.051)
    meter.woke(due_s=100.10, now_s=100.35)
    meter.woke(due_s=100.40, now_s=100.402)
    machine.cpu_s, machine.rss_bytes = 5.5, 2000
    tick = meter.tick(now_s=102.0, t_s=1.25)
    assert tick == GeneratorTick(t_s=1.25, cpu_ratio=0.25, loop_lag_s=0.25, rss_bytes=2000)


def test_each_tick_begins_anew() -> None:
    """A pause is told once, and CPU is what was used since the last tick."""
    machine = Machine()
    meter = machine.meter()
    meter.woke(due_s=100.0, now_s=100.9)
    machine.cpu_s = 6.0
    meter.tick(now_s=101.0, t_s=1.0)
    tick = meter.tick(now_s=103.0, t_s=3.0)
    assert tick == GeneratorTick(t_s=3.0, cpu_ratio=0.0, loop_lag_s=0.0, rss_bytes=1000)


def test_a_tick_is_due_each_second() -> None:
    meter = Machine().meter()
    assert not meter.tick_due(100.99)
    assert meter.tick_due(101.0)
    meter.tick(now_s=101.2, t_s=0.0)
    assert not meter.tick_due(102.1)
    assert meter.tick_due(102.2)


def test_a_wake_that_came_early_is_no_lag() -> None:
    meter = Machine().meter()
    meter.woke(due_s=100.5, now_s=100.4999)
    assert meter.tick(now_s=101.0, t_s=1.0).loop_lag_s == 0.0


def test_a_tick_tells_what_it_is_told() -> None:
    machine = Machine()
    meter = GeneratorMeter(
        started_s=100.0, cpu_s=lambda: machine.cpu_s, rss_bytes=lambda: machine.rss_bytes, worker="host/1"
    )
    tick = meter.tick(now_s=101.0, t_s=1.0, start_lag_s=0.002, gc_pause_s=0.0301, missed=3, connections=12)
    assert tick == GeneratorTick(
        t_s=1.0,
        cpu_ratio=0.0,
        loop_lag_s=0.0,
        rss_bytes=1000,
        start_lag_s=0.002,
        gc_pause_s=0.0301,
        missed=3,
        connections=12,
        worker="host/1",
    )


def test_the_longest_collection_is_kept_until_it_is_asked_for() -> None:
    instants_s = iter([1.0, 1.25, 2.0, 2.5, 3.0, 3.125])
    watch = GarbageWatch(lambda: next(instants_s))
    for phase in ("start", "stop") * 2:
        watch.collecting(phase, {})
    assert watch.take_worst_s() == 0.5
    watch.collecting("start", {})
    watch.collecting("stop", {})
    assert watch.take_worst_s() == 0.125
    assert watch.take_worst_s() == 0.0


def test_a_collection_is_noticed_while_it_is_watched() -> None:
    """And one that had begun before is passed over: how long it took is not known."""
    seconds = iter(range(100))
    watch = GarbageWatch(lambda: float(next(seconds)))
    watch.collecting("stop", {})
    watch.start()
    try:
        gc.collect()
    finally:
        watch.stop()
    assert watch.take_worst_s() >= 1.0
    gc.collect()
    assert watch.take_worst_s() == 0.0
