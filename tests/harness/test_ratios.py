"""Median ratios and their gate. That the interval holds the truth often enough is tested where growth is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model import Gate, Interval, Status
from harness.ratios import MedianRatio, judge_ratio, median_ratio

GATE = Gate(name="guard", metric="cpu_ratio", subject="the path", limit=1.5, unit="ratio")


@given(st.lists(st.floats(min_value=1e-6, max_value=1e6), min_size=1, max_size=60))
def test_interval_lies_around_the_median(ratios: list[float]) -> None:
    made = median_ratio(ratios)
    assert len(ratios) == made.rounds
    assert (made.interval.low is None) == (len(ratios) < 6)
    if made.interval.low is not None and made.interval.high is not None:
        assert min(ratios) <= made.interval.low <= made.value <= made.interval.high <= max(ratios)


def test_the_order_of_the_rounds_means_nothing() -> None:
    assert median_ratio([3.0, 1.0, 2.0] * 5) == median_ratio([1.0, 2.0, 3.0] * 5)


@pytest.mark.parametrize("ratios", [[], [1.0, 0.0], [-1.0]])
def test_bad_ratios(ratios: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^ratios: need one or more, each above 0$"):
        median_ratio(ratios)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.1, 1.5, Status.PASS),
        (1.4, 1.6, Status.INCONCLUSIVE),
        (1.5, 1.6, Status.INCONCLUSIVE),
        (1.51, 1.6, Status.FAIL),
        (None, None, Status.INCONCLUSIVE),
    ],
)
def test_status(low: float | None, high: float | None, expected: Status) -> None:
    ratio = MedianRatio(value=1.2, interval=Interval(low=low, high=high), rounds=9)
    finding = judge_ratio(ratio, GATE, subject="a over b", remedies={Status.FAIL: "look"})
    spread = "unbounded" if low is None else f"{low:.3g} to {high:.3g}"
    assert (expected, f"a over b: 1.2 times, interval {spread}, limit 1.5", 1.2, 9) == (
        finding.status,
        finding.reason,
        finding.measured,
        finding.n,
    )
    assert ("look" if expected is Status.FAIL else None) == finding.remedy
