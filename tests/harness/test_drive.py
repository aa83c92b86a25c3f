"""The load's process is watched by a clock that nobody sets."""

import sys
import time
from pathlib import Path

import pytest

from harness import drive as module
from harness.drive import drive
from harness.errors import HarnessError
from harness.interrupt import Interrupt
from harness.rundir import RunDirectory, encode
from tests.harness.test_rundir import HEADER

LOAD = """
import datetime, sys, time
now = datetime.datetime.now(datetime.UTC).isoformat()
header = sys.argv[1].replace("2026-11-23T08:30:00.000000Z", now)
with open(sys.argv[2], "w") as file:
    file.write(header + "\\n")
time.sleep(1.2)
"""


class SteppedTime:
    """The time module, whose wall clock is set after it was read twice: at the origin, and as the load begins."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._asked = 0
        self.monotonic = time.monotonic

    def time(self) -> float:
        self._asked += 1
        return time.time() + (self._step_s if self._asked > 2 else 0.0)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_wall_clock_that_is_set_neither_ends_a_run_nor_shortens_it(
    step_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour forward would be beyond every patience; an hour back, a load that ended before it began."""
    monkeypatch.setattr(module, "time", SteppedTime(step_s))
    directory = RunDirectory(tmp_path)
    seen_s: list[float] = []
    driven = drive(
        [sys.executable, "-c", LOAD, encode(HEADER).decode(), str(directory.samples)],
        directory,
        run_time_s=1.0,
        request_timeout_s=10.0,
        target_death=lambda: None,
        interrupt=Interrupt(),
        look=seen_s.append,
    )
    assert (driven.ended_s, driven.called_off, driven.interrupted) == (1.0, None, False)
    assert driven.clock_step_s == pytest.approx(step_s, abs=1.0)
    assert all(0.0 <= elapsed_s < 60.0 for elapsed_s in seen_s)


def test_a_load_that_somebody_killed_says_by_what(tmp_path: Path) -> None:
    """And not what it happened to say last."""
    directory = RunDirectory(tmp_path)
    load = LOAD.replace("time.sleep(1.2)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(HarnessError, match=r"^load generator: was ended by SIGKILL after \d of 60 s$"):
        drive(
            [sys.executable, "-c", load, encode(HEADER).decode(), str(directory.samples)],
            directory,
            run_time_s=60.0,
            request_timeout_s=10.0,
            target_death=lambda: None,
            interrupt=Interrupt(),
        )
