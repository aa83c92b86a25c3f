"""What a reader should know besides the gates."""

import pytest

from harness.columns import Columns, columns_of
from harness.judge.observations import keep_alive_note, recovery_note
from harness.model import PENDING_ROUTE, Sample


def poll(
    agent: str, start_s: float, *, new: bool | None = False, error: str | None = None, took_s: float = 0.1
) -> Sample:
    return Sample(
        agent=agent,
        name=PENDING_ROUTE,
        method="GET",
        intended_start_s=start_s,
        start_s=start_s,
        end_s=start_s + took_s,
        status=None if error else 200,
        error=error,
        bytes_in=2,
        new_connection=new,
        request_id=None,
    )


def fleet(*, new: bool | None, error: str | None = None) -> Columns:
    """Five agents that poll four times, ten seconds apart."""
    return columns_of(poll(f"a{n}", n + 10.0 * k, new=new, error=error) for n in range(5) for k in range(4))


def test_a_target_that_closes_idle_connections_is_told_what_cures_it() -> None:
    assert (
        "100 % of the polls had to open a new connection: idle ones were closed after 9.90 s at the latest, and "
        "agents come back after 10.0 s; a time-out above the interval cures it, such as timeout_keep_alive=75 of "
        "uvicorn (5 by default), and of every proxy before it."
    ) == keep_alive_note(fleet(new=True), interval_s=10.0)


def test_the_time_out_is_told_from_both_sides() -> None:
    """Retries that came sooner found their connection still open."""
    polls = [poll("a", 10.0 * k, new=True) for k in range(8)]
    polls += [poll("a", 10.0 * k + 3.1, new=False) for k in range(4)]
    note = keep_alive_note(columns_of(polls), interval_s=10.0)
    assert note is not None
    assert "idle ones were closed after 6.80 s at the latest, and still open after 3.00 s," in note


@pytest.mark.parametrize(
    "columns",
    [
        fleet(new=False),
        fleet(new=None),
        # failed polls cost connections by themselves
        fleet(new=True, error="timeout"),
        # the first poll of each agent has to open one
        columns_of(poll(f"a{n}", 0.0, new=True) for n in range(50)),
        columns_of([]),
    ],
)
def test_nothing_is_said_where_nothing_can_be_told(columns: Columns) -> None:
    assert keep_alive_note(columns, interval_s=10.0) is None


def test_the_way_back_after_an_outage_is_told() -> None:
    polls = [poll("a", 1.0), poll("b", 1.5), poll("a", 5.0, error="connection-refused")]
    polls += [poll("b", 10.2, error="timeout", took_s=1.0), poll("a", 10.5), poll("b", 12.0, took_s=0.5)]
    assert "All 2 agents were answered again within 2.50 s of the target's return." == recovery_note(
        columns_of(polls), back_s=10.0
    )


def test_agents_that_never_came_back_are_told() -> None:
    polls = [poll("a", 10.5), poll("b", 11.0, error="timeout")]
    assert "1 of 2 agents that polled after the outage were never answered again." == recovery_note(
        columns_of(polls), back_s=10.0
    )


@pytest.mark.parametrize("polls", [[], [poll("a", 1.0)]])
def test_no_polls_after_the_outage_tell_nothing(polls: list[Sample]) -> None:
    assert recovery_note(columns_of(polls), back_s=10.0) is None
