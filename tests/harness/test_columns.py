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
