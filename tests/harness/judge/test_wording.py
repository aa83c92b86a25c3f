"""Quantities as sentences write them."""

import pytest

from harness.judge.wording import count, duration, number, percent


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0 %"),
        (0.00993608, "0.994 %"),
        (0.01, "1 %"),
        (0.05, "5 %"),
        (0.5, "50 %"),
        (0.975, "97.5 %"),
        (0.99, "99 %"),
        (0.9998, "99.98 %"),
        (1.0, "100 %"),
    ],
)
def test_percent(ratio, text):
    assert percent(ratio) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.05, "50 ms"),
        (0.5, "500 ms"),
        (1.0, "1 s"),
        (71.0, "71 s"),
        (1405.0, "23m25s"),
    ],
)
def test_duration(duration_s, text):
    assert duration(duration_s) == text


def test_number_and_count():
    assert [number(0.1), number(5.0), number(299.9), number(2995.4)] == ["0.1", "5", "300", "2,995"]
    assert [count(0, "poll"), count(1, "poll"), count(1049, "poll")] == ["0 polls", "1 poll", "1,049 polls"]
