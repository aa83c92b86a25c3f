"""Children of the harness: their output is kept, and none of them outlives it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.processes import kill_children, start_child

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]


def wait_for(condition: object, timeout_s: float = 20.0) -> None:
    """Wait for a condition that another process brings about; a timeout is a failure, not a pass."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline_s, "timed out"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_a_child_that_ends_leaves_its_code_and_its_words(tmp_path: Path) -> None:
    script = "import sys; print('first'); print('port 80: taken', file=sys.stderr); print(); sys.exit(7)"
    child = start_child("x", [sys.executable, "-c", script], log=tmp_path / "x.log")
    assert 7 == child.wait(20)
    assert {"first", "port 80: taken"} == set((tmp_path / "x.log").read_text().split("\n")) - {""}
    assert child.last_words() in {"first", "port 80: taken"}
    assert 7 == child.stop(grace_s=0.1)


@pytest.mark.parametrize(("command", "code"), [(SLEEPER, -signal.SIGTERM), (STUBBORN, -signal.SIGKILL)])
def test_stop_asks_first_and_kills_when_it_must(tmp_path: Path, command: list[str], code: int) -> None:
    child = start_child("x", command, log=tmp_path / "x.log")
    wait_for(lambda: child.last_words() == "up")
    assert child.exit_code() is None
    assert code == child.stop(grace_s=0.2)
    assert gone(child.pid)


def test_stop_takes_grandchildren_along(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(p.pid, flush=True);"
        "time.sleep(60)"
    )
    child = start_child("x", [sys.executable, "-c", script], log=tmp_path / "x.log")
    wait_for(lambda: child.last_words().isdigit())
    grandchild = int(child.last_words())
    child.stop(grace_s=5)
    wait_for(lambda: gone(grandchild))


def test_all_children_can_be_killed_at_once(tmp_path: Path) -> None:
    children = [start_child("x", STUBBORN, log=tmp_path / f"{i}.log") for i in range(2)]
    kill_children()
    assert [-signal.SIGKILL] * 2 == [child.wait(10) for child in children]
    for child in children:
        child.stop(grace_s=0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_harness_takes_its_children_along(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; import sys, time; from harness.processes import start_child;"
        f"c = start_child('x', {SLEEPER!r}, log=Path({str(tmp_path / 'x.log')!r})); print(c.pid, flush=True);"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child_pid = int(parent.stdout.readline())
    assert not gone(child_pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: gone(child_pid))


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as refusal:
        start_child("load generator", [str(tmp_path / "none")], log=tmp_path / "x.log")
    assert (
        f"process 'load generator': can't be started: [Errno 2] No such file or directory: '{tmp_path}/none'"
        == str(refusal.value)
    )


def test_a_child_without_words_has_none(tmp_path: Path) -> None:
    child = start_child("x", [sys.executable, "-c", ""], log=tmp_path / "x.log")
    assert (0, "") == (child.wait(20), child.last_words())
    (tmp_path / "x.log").unlink()
    assert "" == child.last_words()
    child.stop(grace_s=0)
