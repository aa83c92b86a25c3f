"""Which runs a baseline is made of, and what is said of the others."""

from dataclasses import replace

import pytest

from harness.history_model import HistoryRecord
from harness.judge.baseline import choose_baseline, unfit
from harness.model import Status

RUN = HistoryRecord(
    schema_version=1,
    id="new",
    at_utc="2026-11-23T08:00:00Z",
    source="harness",
    environment={},
    metrics=(),
    scenario="agent-polling",
    scenario_digest="aaa",
    environment_key="here",
    dirty=False,
)


def earlier(n, **changes):
    return [replace(RUN, id=f"old{i:02d}", **changes) for i in range(n)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "new"}, "it is the contender itself"),
        ({"complete": False}, "it did not come to its end"),
        ({"status": Status.INVALID}, "its load generator was at fault"),
        ({"source": "k6"}, "it was made by k6 instead of harness"),
        ({"scenario": None}, "it is of another scenario: none instead of agent-polling"),
        ({"scenario_digest": "bbb"}, "it is of other settings or another target"),
        ({"environment_key": "there"}, "it was made on another kind of machine, or with another Python"),
    ],
)
def test_what_does_not_belong_is_left_out_with_the_reason(changes, reason):
    (odd,) = earlier(1, **changes) if "id" not in changes else [RUN]
    assert reason == unfit(odd, RUN)
    assert {odd.id: reason} == choose_baseline([odd], RUN).left_out


def test_a_run_with_an_injected_fault_is_compared_and_is_no_baseline():
    delayed = replace(RUN, id="delayed", injected="delayed by 0.6 s")
    chosen = choose_baseline([*earlier(3), delayed], RUN)
    assert {"delayed": "a fault was put into its target on purpose: delayed by 0.6 s"} == chosen.left_out
    assert 3 == len(choose_baseline(earlier(3), delayed).records)


def test_a_failed_run_belongs_to_it():
    """A baseline of passed runs only would be too good to be true."""
    assert unfit(replace(RUN, id="old", status=Status.FAIL), RUN) is None


def test_other_machines_count_where_that_is_asked_for():
    (odd,) = earlier(1, environment_key="there")
    assert unfit(odd, RUN, any_environment=True) is None


def test_uncommitted_runs_are_left_out_where_there_are_enough_others():
    dirty = replace(RUN, id="dirty", dirty=True)
    chosen = choose_baseline([*earlier(10), dirty], RUN)
    assert 10 == len(chosen.records)
    assert {"dirty": "it measured uncommitted changes"} == chosen.left_out
    assert () == chosen.warnings


def test_uncommitted_runs_count_where_there_are_not_and_it_is_said():
    chosen = choose_baseline([*earlier(3), replace(RUN, id="dirty", dirty=True)], RUN)
    assert 4 == len(chosen.records)
    assert (
        "1 of the 4 runs of the baseline measured uncommitted changes: there are fewer than 10 others.",
    ) == chosen.warnings


def test_nothing_gives_nothing():
    chosen = choose_baseline([], RUN)
    assert ((), {}, ()) == (chosen.records, chosen.left_out, chosen.warnings)
