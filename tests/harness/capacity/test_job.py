"""The search over made-up runs: what counts as broken, and what ends it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.capacity import job
from harness.capacity.job import CapacityOptions, Found, search_capacity
from harness.capacity.search import Plan
from harness.errors import HarnessError
from harness.interrupt import Interrupt
from harness.model import Result, RunState, Status, Verdict
from harness.options import RunOptions
from harness.run import Outcome
from harness.rundir import RunDirectory
from tests.harness.results import fleet, result_of

Play = Callable[[RunOptions, Interrupt], Outcome]


def outcome(options: RunOptions, status: Status = Status.PASS, **changes: object) -> Outcome:
    """Return a run of the fleet that was asked for, with this verdict."""
    result = result_of(fleet(agents=5))
    scenario = replace(result.run.scenario, agents=options.agents)
    made: Result = replace(
        result,
        run=replace(result.run, scenario=scenario, **changes),  # type: ignore[arg-type]
        verdict=Verdict(status=status, findings=(), coverage=result.verdict.coverage),
    )
    return Outcome(
        result=made,
        directory=RunDirectory(options.out / "run"),
        drawing_fault=None,
    )


def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, play: Play) -> Found:
    """Search from 50 agents to 400 at most, with runs that are played."""

    def execute(options: RunOptions, interrupt: Interrupt, *, drawn: bool) -> Outcome:
        assert not drawn
        return play(options, interrupt)

    monkeypatch.setattr(job, "execute", execute)
    run = RunOptions(
        host="http://127.0.0.1:8000",
        agents=50,
        interval_s=1.0,
        run_time_s=10.0,
        warmup_s=None,
        phase_model="uniform",
        seed=1,
        out=tmp_path,
        database_url=None,
        deployments=0,
        request_timeout_s=10.0,
        target_delay_s=0.0,
        target_error_ratio=0.0,
    )
    options = CapacityOptions(run=run, plan=Plan(start=50, most=400), step_time_s=6.0, wanted=None)
    return search_capacity(options, Interrupt(), tell=lambda _: None)


def test_a_fleet_whose_run_was_called_off_broke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard ends a run before there is enough to judge, and that is not the user's Ctrl-C."""

    def play(options: RunOptions, _: Interrupt) -> Outcome:
        if options.agents <= 100:
            return outcome(options)
        return outcome(options, Status.FAIL, state=RunState.INTERRUPTED, called_off="the run was called off")

    found = search(tmp_path, monkeypatch, play)
    assert found.finished
    assert found.fault is None
    assert (found.capacity.agents, found.capacity.fails_at) == (100, 109)
    assert {Status.FAIL} == {step.status for step in found.capacity.steps if step.agents > 100}


def test_a_target_that_is_gone_ends_the_search_with_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = HarnessError("target 'http://127.0.0.1:8000': no answer")

    def play(options: RunOptions, _: Interrupt) -> Outcome:
        if options.agents > 100:
            raise gone
        return outcome(options)

    found = search(tmp_path, monkeypatch, play)
    assert (found.finished, found.fault, found.capacity.agents) == (False, gone, 100)
    assert "a run of 200 agents could not be made" == found.capacity.stopped
    assert (found.folder / "capacity.json").exists()


def test_a_target_that_was_never_there_is_the_only_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def play(_: RunOptions, __: Interrupt) -> Outcome:
        raise HarnessError("target 'http://127.0.0.1:8000': no answer")

    with pytest.raises(HarnessError, match=r"^target .*: no answer$"):
        search(tmp_path, monkeypatch, play)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("while_starting", [True, False])
def test_an_interrupted_search_answers_with_what_it_had(
    *, while_starting: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before a run's first poll, and during it: neither run counts."""

    def play(options: RunOptions, _: Interrupt) -> Outcome:
        if options.agents <= 50:
            return outcome(options)
        if while_starting:
            raise KeyboardInterrupt
        return outcome(options, Status.FAIL, state=RunState.INTERRUPTED)

    found = search(tmp_path, monkeypatch, play)
    assert (found.finished, found.fault, found.capacity.agents) == (False, None, 50)
    assert ("it was interrupted", None) == (found.capacity.stopped, found.capacity.fails_at)
