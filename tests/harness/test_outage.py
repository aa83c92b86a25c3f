"""An outage on purpose: when the target is taken away, and when it counts as back."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.columns import columns_of
from harness.conclude import measured_window
from harness.model import Run, Scenario, Target, TargetKind
from harness.outage import Outage, TargetProcess
from harness.rundir import RunDirectory
from harness.scenario import make_scenario
from harness.scene import Scene
from harness.target import RunningTarget
from tests.harness.results import run_of


class _Child:
    """A process that ends when it is told to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pid = 0
        self.code: int | None = None

    def exit_code(self) -> int | None:
        return self.code

    def stop(self, *, grace_s: float) -> int | None:
        assert grace_s > 0
        self.code = 0
        return self.code


class _Started:
    """Starts children, and remembers where."""

    def __init__(self) -> None:
        self.children: list[_Child] = []

    def __call__(self, port: int) -> _Child:
        self.children.append(_Child(port))
        return self.children[-1]


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    path = tmp_path / "target.ready"
    path.write_text("{}")
    return path


def process(start: _Started, ready: Path) -> TargetProcess:
    return TargetProcess(start, ready)  # type: ignore[arg-type]  # a child of our own


def test_the_target_goes_away_comes_back_on_its_port_and_is_back_when_it_answers(ready: Path) -> None:
    start = _Started()
    running = process(start, ready)
    outage = Outage(running, port=8123, at_s=5.0, for_s=2.0)
    outage.look(4.9)
    assert (None, None) == (outage.away_s, start.children[0].code)
    outage.look(5.1)
    assert (5.1, 0, False) == (outage.away_s, start.children[0].code, ready.exists())
    outage.look(7.0)
    assert 1 == len(start.children)
    outage.look(7.2)
    assert [0, 8123] == [child.port for child in start.children]
    outage.look(8.0)
    assert outage.back_s is None
    ready.write_text("{}")
    outage.look(9.0)
    outage.look(10.0)
    assert 9.0 == outage.back_s


def test_a_target_that_is_away_on_purpose_has_not_died(ready: Path) -> None:
    """Its exit code is news before the outage and after it, not in it."""
    start = _Started()
    running = process(start, ready)
    running.stop()
    assert running.exit_code() is None
    running.restart(8123)
    assert running.exit_code() is None
    start.children[1].code = 1
    assert 1 == running.exit_code()


def storm(**parameters: float) -> Scenario:
    return make_scenario(
        name="restart-storm",
        agents=5,
        interval_s=1.0,
        run_time_s=30.0,
        warmup_s=1.0,
        phase_model="uniform",
        seed=1,
        parameters=parameters,
    )


def scene(scenario: Scenario, running: TargetProcess | None, folder: Path) -> Scene:
    kind = TargetKind.ATTACHED if running is None else TargetKind.EMBEDDED
    target = RunningTarget(record=Target(kind=kind, url="http://127.0.0.1:8123"), process=running)
    return Scene(target, scenario, RunDirectory(folder))


def test_the_scene_says_what_happened(ready: Path, tmp_path: Path) -> None:
    staged = scene(storm(down_at_s=5.0, down_for_s=2.0), process(_Started(), ready), tmp_path)
    assert () == staged.notes()
    for elapsed_s in (5.0, 7.5):
        staged.look(elapsed_s)
    assert ("The target was stopped at 5.0 s and had not come back by the end of the run.",) == staged.notes()
    ready.write_text("{}")
    staged.look(8.0)
    assert 8.0 == staged.back_s
    assert (
        "The target was stopped at 5.0 s and answered again at 8.0 s: judged is what was meant for later.",
    ) == staged.notes()


def test_another_ones_target_is_left_alone(tmp_path: Path) -> None:
    staged = scene(storm(down_at_s=0.0, down_for_s=1.0), None, tmp_path)
    staged.look(5.0)
    assert staged.back_s is None
    assert (
        "The target is not ours to restart: what came of the storm depends on who did, and when.",
    ) == staged.notes()
    assert not (tmp_path / "target.jsonl").exists()


@pytest.mark.parametrize(("back_s", "expected"), [(None, 10.0), (25.0, 25.0), (5.0, 10.0)])
def test_what_was_meant_for_before_the_return_is_not_judged(back_s: float | None, expected: float) -> None:
    run: Run = replace(run_of(warmup_s=10.0), back_s=back_s)
    assert expected == measured_window(run, columns_of([]))[0]
