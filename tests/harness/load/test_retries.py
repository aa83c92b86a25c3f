"""Agents that ask again."""

import pytest

from harness.load.retries import Retries, is_worth_a_retry
from tests.harness.load.test_guard import poll


def retries(*, back_off: bool = True) -> Retries:
    return Retries(back_off=back_off, retry_s=0.5, retry_most_s=4.0, seed=1)


def test_without_back_off_each_retry_comes_at_the_same_step() -> None:
    asking = retries(back_off=False)
    assert [10.5] * 5 == [asking.answered(0, poll(10.0, "timeout"), b"") for _ in range(5)]


def test_with_back_off_the_steps_double_up_to_the_longest_and_are_drawn_by_chance() -> None:
    """200 agents: the n-th wait lies below 0.5 s × 2ⁿ, below 4 s at last, and anywhere there."""
    asking = retries()
    for most_s in (0.5, 1.0, 2.0, 4.0, 4.0):
        waits_s = [(asking.answered(agent, poll(10.0, "timeout"), b"") or 0.0) - 10.0 for agent in range(200)]
        assert 0.0 <= min(waits_s) < 0.2 * most_s
        assert 0.8 * most_s < max(waits_s) <= most_s


def test_a_success_begins_anew() -> None:
    asking = retries()
    for _ in range(10):
        asking.answered(0, poll(10.0, "timeout"), b"")
    assert asking.answered(0, poll(11.0), b"") is None
    wanted_s = asking.answered(0, poll(12.0, "timeout"), b"")
    assert wanted_s is not None
    assert wanted_s <= 12.5


def test_a_long_row_of_failures_stays_a_number() -> None:
    asking = retries()
    for _ in range(5000):
        wanted_s = asking.answered(0, poll(1.0, "timeout"), b"")
    assert wanted_s is not None
    assert wanted_s <= 5.0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("timeout", True),
        ("connection-refused", True),
        ("http-500", True),
        ("http-503", True),
        ("http-429", True),
        ("http-408", True),
        ("bad-json", True),
        # the same answer would come again
        ("http-404", False),
        ("http-401", False),
        # our own fault, or our own end
        ("generator-limit", False),
        ("interrupted", False),
    ],
)
def test_what_is_worth_a_retry(error: str, expected: bool) -> None:  # noqa: FBT001  # a table's column
    assert expected == is_worth_a_retry(error)
