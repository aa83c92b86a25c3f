"""How often changes are told where there are none, and found where there are: by simulation, bounded in time."""

import math
import time

import numpy as np
import pytest

from benchmarks.history import changepoints as bench
from harness.history.trend import judge_trend
from harness.history_model import ChangeKind

pytestmark = pytest.mark.slow


def at_most(share, runs):
    """Return the share that `runs` series stay below when the true one is `share`, but for 1 in 700."""
    return share + 3 * math.sqrt(share * (1 - share) / runs)


@pytest.mark.parametrize("name", bench.SHAPES)
@pytest.mark.parametrize(("n", "runs"), [(30, 300), (100, 300), (300, 200)])
def test_where_nothing_happened_little_is_told(name, n, runs):
    """At most 3 % of the series, whatever the shape of the noise."""
    assert bench.false_changes(bench.SHAPES[name], n=n, runs=runs).any_change <= at_most(0.03, runs)


@pytest.mark.parametrize(("n", "runs"), [(30, 300), (100, 300), (300, 150)])
def test_correlation_confirms_little(n, runs):
    """AR(1) with 0.5: at most 5 % confirmed."""
    assert bench.false_changes(bench.correlated(0.5), n=n, runs=runs).confirmed <= at_most(0.05, runs)


@pytest.mark.parametrize(
    ("before", "after", "size", "least", "confirmed"),
    [(30, 5, 0.10, 0.95, 0.87), (30, 30, 0.10, 0.99, 0.98), (30, 30, 0.05, 0.80, 0.78)],
)
def test_steps_are_found(before, after, size, least, confirmed):
    """3 % noise. A step of 10 %: 95 % with 5 runs after it, 99 % with 30; of 5 % with 30 runs: 80 %."""
    found = bench.find_step(before=before, after=after, size=size, runs=300)
    assert found.told >= least
    assert found.confirmed >= confirmed
    assert found.in_range >= 0.93
    assert found.in_interval >= 0.90


def test_two_hundred_series_are_judged_together():
    """All five real regressions, and at most half a false series on average."""
    many = bench.many_series(trials=6)
    assert 1.0 == many.found_ratio
    assert many.false_series <= 0.5 + 3 * math.sqrt(0.5 / 6)


def test_what_is_no_step_is_told_as_what_it_is():
    told = bench.other_happenings(runs=60)
    assert told["drift of 20 % over 60 runs"][ChangeKind.DRIFT] >= 0.85
    assert told["step of 10 % in the middle"][ChangeKind.STEP] >= 0.98
    assert told["step of 10 % in the middle"][ChangeKind.DRIFT] <= 0.1
    assert told["3 outliers of twice the value"][ChangeKind.STEP] <= 0.08
    assert told["noise 4 times as wide"][ChangeKind.VARIANCE] >= 0.9
    assert told["noise 4 times as wide"][ChangeKind.STEP] <= 0.1


def test_two_hundred_series_of_a_thousand_runs_cost_little():
    """Ten seconds are promised; processor time is what a busy machine leaves comparable."""
    rng = np.random.default_rng(1)
    series = [bench.series_of_values(bench.levels(bench.normal, rng, 1000), f"s{i}") for i in range(200)]
    began = time.process_time()
    judge_trend(series, now_s=0.0)
    assert time.process_time() - began <= 20


def test_the_command_prints_and_names_an_unknown_part(capsys):
    assert 0 == bench.main(["public"])
    assert "| runs3 | 150 | 24, 98 | 24, 98 | – | 1.00 | 1.00 | 1.00 |" in capsys.readouterr().out
    assert 2 == bench.main(["publik"])
    assert "part 'publik': unknown" in capsys.readouterr().err
