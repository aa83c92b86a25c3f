"""Growth of a query's time: planted laws are found, and the gate judges by the interval."""

import random

import pytest

from harness.indexes.growth import fit_growth, growth_gate, judge_growth
from harness.model import Interval, Status

SIZES = (1000, 100_000, 1_000_000)


def planted(exponent: float, *, rounds: int, noise: float, seed: int = 1) -> list[list[float]]:
    """Times of a power law; each round is slow or quick as a whole, each time noisy on top."""
    dice = random.Random(seed)
    made = []
    for _ in range(rounds):
        mood = dice.lognormvariate(0, 0.5)
        made.append([1e-6 * size**exponent * mood * dice.lognormvariate(0, noise) for size in SIZES])
    return made


@pytest.mark.parametrize("exponent", [0.0, 0.02, 0.5, 1.0])
def test_planted_law_is_found(exponent: float) -> None:
    """Moods of the machine that fall on a whole round change nothing."""
    growth = fit_growth(SIZES, planted(exponent, rounds=101, noise=0.05))
    assert pytest.approx(exponent, abs=0.01) == growth.exponent
    assert pytest.approx(1000**exponent, rel=0.05) == growth.ratio


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Of 1,000 intervals over a known ratio of 1, at least 95 % hold it, up to chance."""
    held = 0
    for seed in range(1000):
        interval = fit_growth(SIZES, planted(0.0, rounds=15, noise=0.3, seed=seed)).interval
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= 1.0 <= interval.high
    assert 940 <= held


@pytest.mark.parametrize(
    ("exponent", "rounds", "expected"),
    [
        (0.0, 21, Status.PASS),
        (1.0, 21, Status.FAIL),
        (0.0, 5, Status.INCONCLUSIVE),
        (0.0587, 21, Status.INCONCLUSIVE),
    ],
)
def test_gate(exponent: float, rounds: int, expected: Status) -> None:
    """0.0587 is a growth of 1.5 over a factor of 1,000: right on the limit nothing can be told."""
    finding = judge_growth(
        fit_growth(SIZES, planted(exponent, rounds=rounds, noise=0.1)), growth_gate("the_index")
    )
    assert expected is finding.status
    assert (finding.remedy is None) == (expected is Status.PASS)


def test_words() -> None:
    growth = fit_growth((1, 10), [[1.0, 2.0]] * 6)
    finding = judge_growth(growth, growth_gate("the_index"))
    assert "largest over smallest table: 2 times, interval 2 to 2, limit 1.5" == finding.reason
    assert "the query's plan: is the_index there, and entered?" == finding.remedy
    alone = judge_growth(fit_growth((1, 10), [[1.0, 2.0]]), growth_gate("the_index"))
    assert "largest over smallest table: 2 times, interval unbounded, limit 1.5" == alone.reason
    assert Interval(low=None, high=None) == alone.interval


@pytest.mark.parametrize("sizes", [(), (1,), (2, 1), (1, 1), (0, 1)])
def test_bad_sizes(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^sizes: need two or more, ascending, got "):
        fit_growth(sizes, [[1.0] * len(sizes)])


@pytest.mark.parametrize("rounds", [[], [[1.0]], [[1.0, 0.0]], [[1.0, 2.0], [1.0, -1.0]]])
def test_bad_rounds(rounds: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"^rounds: need one or more, each with a time above 0 for every size$"):
        fit_growth((1, 2), rounds)
