"""What the generator itself added to a poll."""

import pytest

from harness.columns import columns_of
from harness.judge.lateness import loop_lateness_s, start_lateness_s
from harness.model import GeneratorTick
from tests.harness.judge.support import poll


def tick(t_s, lag_s):
    return GeneratorTick(t_s=t_s, cpu_ratio=0.1, loop_lag_s=lag_s, rss_bytes=1)


def test_a_poll_sent_late_by_a_free_agent_is_the_generators_fault():
    columns = columns_of([poll(0, 0.0), poll(0, 10.0, start_s=10.7)])
    assert start_lateness_s(columns).tolist() == pytest.approx([0.0, 0.7])


def test_a_poll_sent_late_because_the_agent_still_waited_is_not():
    """Sent 0.1 s after the previous answer came, 5.1 s after it was meant: 0.1 s are the generator's."""
    columns = columns_of([poll(0, 0.0, 15.0), poll(0, 10.0, start_s=15.1)])
    assert start_lateness_s(columns).tolist() == pytest.approx([0.0, 0.1])


def test_another_agents_poll_is_no_excuse():
    columns = columns_of([poll(1, 0.0, 15.0), poll(0, 10.0, start_s=15.1)])
    assert start_lateness_s(columns).tolist() == pytest.approx([0.0, 5.1])


def test_a_poll_sent_early_is_not_late():
    assert start_lateness_s(columns_of([poll(0, 10.0, start_s=9.9)])).tolist() == [0.0]


def test_no_polls_have_no_lateness():
    assert start_lateness_s(columns_of([])).tolist() == []
    assert loop_lateness_s(columns_of([]), [tick(1.0, 0.5)]).tolist() == []


@pytest.mark.parametrize(
    ("intended_s", "took_s", "ticks", "expected_s"),
    [
        (1.2, 0.3, [], 0.0),
        (1.2, 0.3, [tick(1.0, 0.9), tick(2.0, 0.0)], 0.0),
        (1.2, 0.3, [tick(1.0, 0.0), tick(2.0, 0.1)], 0.1),
        (1.2, 0.3, [tick(1.0, 0.0), tick(2.0, 0.9)], 0.3),
        (1.8, 0.4, [tick(1.0, 0.0), tick(2.0, 0.9), tick(3.0, 0.05)], 0.25),
        (0.5, 3.0, [tick(1.0, 0.1), tick(2.0, 0.2), tick(3.0, 0.3), tick(4.0, 0.4)], 1.0),
        (0.5, 0.2, [tick(1.0, 0.1)], 0.1),
        (1.5, 0.2, [tick(1.0, 0.1)], 0.0),
        (1.2, 0.3, [tick(2.0, -0.5)], 0.0),
        (1.2, 0.3, [tick(2.0, 0.1), tick(1.0, 0.0)], 0.1),
    ],
    ids=[
        "no ticks",
        "another tick's",
        "all of the pause",
        "no more than the poll",
        "over two ticks",
        "over four ticks",
        "before the first tick",
        "after the last tick",
        "a clock that stepped",
        "in any order",
    ],
)
def test_pauses_of_the_loop_count_as_far_as_the_poll_could_have_met_them(intended_s, took_s, ticks, expected_s):
    columns = columns_of([poll(0, intended_s, took_s)])
    assert loop_lateness_s(columns, ticks).tolist() == pytest.approx([expected_s])


def test_ticks_of_several_workers_do_not_cut_each_others_pauses_short():
    """A pause of 0.8 s within one second of one worker, whose ticks stand between those of another."""
    columns = columns_of([poll(0, 1.0, 0.9)])
    paused = [
        GeneratorTick(t_s=t, cpu_ratio=1.0, loop_lag_s=lag, rss_bytes=1, worker="a")
        for t, lag in ((1, 0), (2, 0.8))
    ]
    busy = [GeneratorTick(t_s=t, cpu_ratio=0.1, loop_lag_s=0.0, rss_bytes=1, worker="b") for t in (0.9, 1.9, 2.9)]
    assert [0.8] == pytest.approx(loop_lateness_s(columns, [*paused, *busy]).tolist())


def test_a_missed_poll_was_late_from_when_its_agent_was_free():
    """
    The first agent was busy all the time, the second free from 12 s on: its poll of 20 s was sent at 31 s, and
    that of 10 s, which it could have sent at 12 s, was missed.
    """
    polls = [
        *(poll(0, 0.0, 31.0), poll(0, 30.0, start_s=31.0, missed_s=(10.0, 20.0))),
        *(poll(1, 0.0, 12.0), poll(1, 20.0, start_s=31.0, missed_s=(10.0,))),
    ]
    columns = columns_of(polls).with_missed()
    late_s = dict(
        zip(zip(columns.agent, columns.intended_start_s, strict=True), start_lateness_s(columns), strict=True)
    )
    assert late_s == pytest.approx(
        {(0, 0.0): 0, (0, 10.0): 0, (0, 20.0): 0, (0, 30.0): 0, (1, 0.0): 0, (1, 10.0): 19.0, (1, 20.0): 11.0}
    )
