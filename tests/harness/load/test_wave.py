"""Who is to fetch what, and when it was fetched."""

import pytest

from harness.load.wave import PickupBook, pending_ids
from harness.model import Pickup


def pickup(deployment: str, created_s: float, fetched_s: float | None) -> Pickup:
    return Pickup(deployment=deployment, agent="a", created_s=created_s, fetched_s=fetched_s)


def ordered(book: PickupBook, deployment: str | None, at_s: float) -> Pickup | None:
    book.ordering()
    return book.ordered(deployment, "a", at_s)


def test_a_deployment_is_fetched_by_the_first_poll_that_holds_it() -> None:
    book = PickupBook()
    assert ordered(book, "7", 1.0) is None
    assert [] == book.polled(("3", "4"), 2.0)
    assert [pickup("7", 1.0, 3.5)] == book.polled(("3", "7"), 3.5)
    assert [] == book.polled(("7",), 4.0)
    assert () == book.left()


def test_an_agent_may_be_faster_than_its_operator() -> None:
    """The poll's answer is read before the order's: no negative time, and no deployment lost."""
    book = PickupBook()
    book.ordering()
    assert [] == book.polled(("7",), 1.0)
    assert pickup("7", 1.2, 1.2) == book.ordered("7", "a", 1.2)


def test_what_nobody_fetched_is_left() -> None:
    book = PickupBook()
    ordered(book, "7", 1.0)
    ordered(book, None, 1.1)
    assert (pickup("7", 1.0, None),) == book.left()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"deployments":[{"id":"\xff"}]}', ()),
        (b'{"agent_id":"a","deployments":[{"id":7,"artifact":"x"},{"id":"b-8"}]}', ("7", "b-8")),
        (b'{"deployments":[]}', ()),
        (b"[]", ()),
        (b"<html>", ()),
        (b"", ()),
    ],
)
def test_reads_the_numbers_in_a_poll(body: bytes, expected: tuple[str, ...]) -> None:
    assert expected == pending_ids(body)


def test_the_time_to_pickup_is_the_difference() -> None:
    assert (2.5, None) == (pickup("7", 1.0, 3.5).time_to_pickup_s, pickup("7", 1.0, None).time_to_pickup_s)
