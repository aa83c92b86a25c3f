"""Columns hold what the samples held, in the order of their starts."""

import math
from dataclasses import replace

import numpy as np

from harness.columns import columns_of
from harness.model import ServerTiming
from tests.harness.test_rundir import sample


def test_no_samples_are_empty_columns() -> None:
    columns = columns_of([])
    assert (0, (), ()) == (len(columns), columns.agents, columns.error_kinds)
    assert 0 == len(columns.response_time_s)


def test_samples_are_ordered_by_start_whatever_their_order() -> None:
    first = replace(sample("a"), start_s=1.0)
    second = replace(sample("b"), start_s=2.0, new_connection=True, server=ServerTiming(handler_s=0.5))
    for order in ([first, second], [second, first]):
        columns = columns_of(order)
        assert ["a", "b"] == [columns.agents[i] for i in columns.agent]
        assert [-1, 1] == columns.new_connection.tolist()
        assert [True, False] == np.isnan(columns.handler_s).tolist()
        assert [True, True] == np.isnan(columns.database_s).tolist()


def test_what_opening_a_connection_took_is_kept_through_every_cut_and_unknown_where_none_was_opened() -> None:
    opened = replace(sample("a"), intended_start_s=1.0, start_s=1.0, end_s=2.0, connect_s=0.25)
    kept = replace(sample("b"), intended_start_s=3.0, start_s=3.0, end_s=3.5, missed_s=(2.5,))
    columns = columns_of([kept, opened])
    assert columns.connect_s is not None
    assert [0.25] == columns.window(0.0, 2.0).connect_s.tolist()  # type: ignore[union-attr]
    assert [False, True, True] == np.isnan(columns.with_missed().connect_s).tolist()  # type: ignore[arg-type]
    assert columns_of([kept]).connect_s is None
    assert columns_of([kept]).with_missed().connect_s is None


def test_a_failed_poll_is_slower_than_every_limit() -> None:
    failed = replace(sample(), error="timeout", status=None)
    columns = columns_of([failed])
    assert [math.inf] == columns.response_time_s.tolist()
    assert ([0], [0], ("timeout",)) == (columns.status.tolist(), columns.error.tolist(), columns.error_kinds)
    assert [0.75] == columns.service_time_s.tolist()


def test_a_window_is_cut_by_the_intended_start() -> None:
    """A late poll belongs to the instant at which it was due, or a stall could push it out of the window."""
    late = replace(sample("late"), intended_start_s=9.9, start_s=12.0, end_s=12.5)
    due = replace(sample("due"), intended_start_s=10.0, start_s=10.0, end_s=10.1)
    columns = columns_of([late, due]).window(0.0, 10.0)
    assert ["late"] == [columns.agents[i] for i in columns.agent]


def test_a_missed_poll_has_the_end_and_the_fate_of_the_one_sent_in_its_stead() -> None:
    """Two polls were missed before one that failed, one before one that was answered; a third had none."""
    answered = replace(sample("a"), intended_start_s=4.0, start_s=4.5, end_s=5.0, missed_s=(2.0,))
    failed = replace(
        sample("b"), intended_start_s=5.0, start_s=5.0, end_s=6.0, missed_s=(1.0, 3.0), error="timeout"
    )
    prompt = replace(sample("c"), intended_start_s=0.0, start_s=0.0, end_s=0.5, new_connection=True)
    columns = columns_of([failed, answered, prompt])
    assert 3 == len(columns)
    known = columns.with_missed()
    assert [0.0, 2.0, 4.0, 1.0, 3.0, 5.0] == known.intended_start_s.tolist()
    assert [0.5, 3.0, 1.0, math.inf, math.inf, math.inf] == known.response_time_s.tolist()
    assert [1, -1, -1, -1, -1, -1] == known.new_connection.tolist()


def test_a_missed_poll_belongs_to_the_window_that_it_was_meant_for() -> None:
    """Also when the one sent in its stead was meant for later; a mask keeps samples only."""
    columns = columns_of([replace(sample(), intended_start_s=10.0, start_s=10.0, end_s=11.0, missed_s=(6.0, 8.0))])
    assert [8.0] == columns.window(7.0, 9.0).with_missed().intended_start_s.tolist()
    assert [10.0] == columns.window(9.0, 11.0).with_missed().intended_start_s.tolist()
    assert columns.where(columns.ok).missed is None


def test_where_nothing_was_missed_nothing_is_copied() -> None:
    columns = columns_of([sample()])
    assert columns.with_missed() is columns
