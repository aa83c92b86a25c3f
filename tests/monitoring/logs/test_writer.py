import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.logs import writer as writer_module
from monitoring.logs.writer import RETRY_S, RotatingWriter

TIMEOUT_S = 30.0
"""Far longer than anything here takes: reached only when a test fails."""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., RotatingWriter]]:
    """Make writers that are closed in the end."""
    made: list[RotatingWriter] = []

    def make(**changes: Any) -> RotatingWriter:
        writer = RotatingWriter(**{"path": tmp_path / "a.log"} | changes)
        made.append(writer)
        return writer

    yield make
    for writer in made:
        assert writer.close(TIMEOUT_S)


class Gate:
    """A monotonic clock that keeps whoever asks for the time waiting until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> float:
        self.reached.set()
        assert self._open.wait(TIMEOUT_S)
        return 0.0

    def open(self) -> None:
        self._open.set()


def run(script: str, *arguments: object) -> str:
    """Run a script as a process of its own; it must end well and say nothing on standard error."""
    process = subprocess.run(
        # From 3.12 on, Python warns of forking beside a thread, which is what some of these scripts are about.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


def test_lines_are_written_in_order(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    writer = make()
    assert all(writer.submit(b"line %d" % number) for number in range(5000))
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"".join(b"line %d\n" % number for number in range(5000))
    assert (writer.dropped, writer.diverted, writer.fault) == (0, 0, None)


def test_a_line_is_written_without_anybody_asking(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """The thread wakes for the first line, and for one after a pause as well."""
    seen = threading.Event()

    def monotonic() -> float:
        seen.set()
        return 0.0

    writer = make(monotonic=monotonic)
    for number in range(3):
        seen.clear()
        writer.submit(b"line %d" % number)
        assert seen.wait(TIMEOUT_S)
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"line 0\nline 1\nline 2\n"


def test_flushing_what_is_closed_returns_at_once(
    make: Callable[..., RotatingWriter], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever closes twice (an application that is taken apart before it shuts down) doesn't wait for nobody."""
    writer = make()
    writer.submit(b"one")
    assert writer.close(TIMEOUT_S)
    writer.submit(b"two")
    monkeypatch.setattr(writer_module, "FLUSH_S", 2**20)
    assert writer.flush(timeout_s=2**20)
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"


def test_a_half_full_queue_is_not_left_to_fill_up(
    make: Callable[..., RotatingWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst is written before the time for gathering is over, or it would overflow the queue."""
    monkeypatch.setattr(writer_module, "FLUSH_S", 2 * TIMEOUT_S)
    seen = threading.Event()

    def monotonic() -> float:
        seen.set()
        return 0.0

    writer = make(queue_lines=4, monotonic=monotonic)
    writer.submit(b"first")
    assert writer.flush(TIMEOUT_S)
    for pause_s in (0.0, 0.05):  # the second line finds the thread asleep, or gathering already
        seen.clear()
        writer.submit(b"one")
        seen.wait(pause_s)
        writer.submit(b"two")
        assert seen.wait(TIMEOUT_S)


def test_nothing_is_touched_before_the_first_line(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """A service that only imports its application (a migration, a check) leaves no files and no threads."""
    writer = make(path=tmp_path / "untouched.log")
    assert writer.flush(TIMEOUT_S)
    assert list(tmp_path.iterdir()) == []
    assert "log-writer-untouched.log" not in {thread.name for thread in threading.enumerate()}


def test_a_full_queue_drops_and_counts(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """While the disk hangs, submitting goes on at once; what found no room is counted."""
    gate = Gate()
    writer = make(queue_lines=4, monotonic=gate)
    writer.submit(b"hangs")
    assert gate.reached.wait(TIMEOUT_S)
    assert [writer.submit(b"line %d" % number) for number in range(7)] == [True] * 4 + [False] * 3
    assert writer.dropped == 3
    gate.open()
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"hangs\nline 0\nline 1\nline 2\nline 3\n"


def test_flush_and_close_give_up_in_time_on_a_disk_that_hangs(make: Callable[..., RotatingWriter]) -> None:
    gate = Gate()
    writer = make(monotonic=gate)
    writer.submit(b"hangs")
    assert gate.reached.wait(TIMEOUT_S)
    assert not writer.flush(0.0)
    assert not writer.close(0.0)
    gate.open()


def test_close_writes_what_is_queued(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    writer = make()
    for number in range(100):
        writer.submit(b"line %d" % number)
    assert writer.close(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes().count(b"\n") == 100
    assert writer.close(TIMEOUT_S)


def test_a_line_after_the_close_is_written_at_once(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """Other exit handlers may still log; whether the writer was ever used or not."""
    used, unused = make(), make(path=tmp_path / "b.log")
    used.submit(b"before")
    for writer in (used, unused):
        assert writer.close(TIMEOUT_S)
        assert writer.submit(b"after")
    assert (tmp_path / "a.log").read_bytes() == b"before\nafter\n"
    assert (tmp_path / "b.log").read_bytes() == b"after\n"


def test_a_newline_within_a_line_stays_within_it(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """The writer is the last to see a line: whoever made it, it stays one."""
    writer = make()
    writer.submit(b"one\nforged")
    writer.submit(b"two")
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"one\\nforged\ntwo\n"


def test_a_path_is_taken_from_where_the_process_was(
    make: Callable[..., RotatingWriter], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writer = make(path="logs/a.log")
    monkeypatch.chdir("/")
    writer.submit(b"one")
    assert writer.flush(TIMEOUT_S)
    assert writer.path == tmp_path / "logs" / "a.log"
    assert writer.path.read_bytes() == b"one\n"


def test_a_file_that_cannot_be_written_degrades_to_stderr_and_recovers(
    make: Callable[..., RotatingWriter], tmp_path: Path
) -> None:
    """One warning however long it lasts, every line on standard error, and one notice when it is over."""
    logs = tmp_path / "logs"
    logs.write_bytes(b"a file, not a folder")
    now_s = 100.0
    errors: list[bytes] = []
    writer = make(path=logs / "a.log", monotonic=lambda: now_s, stderr=errors.append)
    for number in range(3):
        writer.submit(b"line %d" % number)
        assert writer.flush(TIMEOUT_S)
        now_s += RETRY_S
    assert str(writer.fault).startswith("[Errno 20]")
    logs.unlink()
    now_s -= 0.001
    writer.submit(b"too early to try again")
    assert writer.flush(TIMEOUT_S)
    now_s += 0.001
    writer.submit(b"line 4")
    assert writer.flush(TIMEOUT_S)
    assert b"".join(errors).decode().splitlines() == [
        (
            f"monitoring: log file '{logs}/a.log': can't be written: Not a directory; "
            "its lines go to standard error until it can, try free space or another folder"
        ),
        "line 0",
        "line 1",
        "line 2",
        "too early to try again",
        f"monitoring: log file '{logs}/a.log': is written again; 4 lines went to standard error",
    ]
    assert (logs / "a.log").read_bytes() == b"line 4\n"
    assert (writer.fault, writer.diverted, writer.dropped) == (None, 4, 0)


def test_without_file_and_stderr_lines_are_dropped_and_counted(
    make: Callable[..., RotatingWriter], tmp_path: Path
) -> None:
    def closed(data: bytes) -> None:
        raise OSError("gone")

    (tmp_path / "logs").write_bytes(b"a file, not a folder")
    writer = make(path=tmp_path / "logs" / "a.log", stderr=closed)
    writer.submit(b"one")
    writer.submit(b"two")
    assert writer.flush(TIMEOUT_S)
    assert (writer.diverted, writer.dropped) == (0, 2)


def test_standard_error_is_where_lines_go(
    make: Callable[..., RotatingWriter], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_bytes(b"a file, not a folder")
    writer = make(path=tmp_path / "logs" / "a.log")
    writer.submit(b"one")
    assert writer.flush(TIMEOUT_S)
    assert capfd.readouterr().err.splitlines()[1:] == ["one"]


def test_a_file_that_cannot_be_rotated_is_said_once_each_time(
    make: Callable[..., RotatingWriter], tmp_path: Path
) -> None:
    obstacle = tmp_path / "a.log.1"
    errors: list[bytes] = []
    writer = make(max_bytes=10, backups=1, stderr=errors.append)
    for step in ("made", "still there", "removed", "made", "still there"):
        if step == "made":
            obstacle.unlink(missing_ok=True)
            obstacle.mkdir()
        if step == "removed":
            obstacle.rmdir()
        for _ in range(2):
            writer.submit(b"123456789")
            assert writer.flush(TIMEOUT_S)
    obstacle.rmdir()
    texts = b"".join(errors).decode().splitlines()
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert texts[0].startswith(f"monitoring: log file '{tmp_path}/a.log': can't be rotated: ")
    assert texts[0].endswith("; it grows past its limit until it can, try the permissions of its folder")


def test_rotated_files_are_compressed_while_lines_go_on(
    make: Callable[..., RotatingWriter], tmp_path: Path
) -> None:
    writer = make(max_bytes=1000, compress=True)
    for number in range(101):
        writer.submit(b"line %04d" % number)
    assert writer.close(TIMEOUT_S)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1.gz"]


def test_a_fault_of_ours_is_said_and_does_not_end_the_thread(
    make: Callable[..., RotatingWriter], tmp_path: Path
) -> None:
    """A clock that raises stands for any mistake within the writer."""
    faults = [RuntimeError("no time")]

    def monotonic() -> float:
        if faults:
            raise faults.pop()
        return 0.0

    errors: list[bytes] = []
    writer = make(monotonic=monotonic, stderr=errors.append)
    writer.submit(b"lost")
    assert writer.flush(TIMEOUT_S)
    writer.submit(b"next")
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"next\n"
    assert b"".join(errors).decode() == (
        f"monitoring: log file '{tmp_path}/a.log': lines were lost: RuntimeError: no time\n"
    )


def test_many_threads_lose_nothing(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    writer = make()

    def submit(thread: int) -> None:
        for number in range(500):
            writer.submit(b"%d %d" % (thread, number))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(TIMEOUT_S)
    expected = {b"%d %d" % (thread, number) for thread in range(8) for number in range(500)}
    lines = (tmp_path / "a.log").read_bytes().splitlines()
    assert (len(lines), set(lines)) == (4000, expected)


def test_limits_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^queue_lines: out of range, got 0, need 1 or more$"):
        RotatingWriter(tmp_path / "a.log", queue_lines=0)
    with pytest.raises(ValueError, match=r"^max_bytes: out of range, got 0, need 1 or more$"):
        RotatingWriter(tmp_path / "a.log", max_bytes=0)


def test_nothing_is_lost_when_the_interpreter_ends(tmp_path: Path) -> None:
    """Not even what an exit handler logs that runs after ours."""
    run(
        """
        import atexit, sys
        atexit.register(lambda: writer.submit(b"from an exit handler"))
        from monitoring.logs.writer import RotatingWriter
        writer = RotatingWriter(sys.argv[1])
        for number in range(1000):
            writer.submit(b"line %d" % number)
        """,
        tmp_path / "a.log",
    )
    lines = (tmp_path / "a.log").read_bytes().splitlines()
    assert lines == [b"line %d" % number for number in range(1000)] + [b"from an exit handler"]


def test_a_forked_child_writes_its_own_lines_and_only_these(tmp_path: Path) -> None:
    """What the parent had queued is the parent's; the child's counts begin at nought; both share the file."""
    output = run(
        """
        import os, sys
        from monitoring.logs.writer import RotatingWriter
        writer = RotatingWriter(sys.argv[1], queue_lines=2)
        for line in (b"written before", b"queued", b"queued too", b"dropped"):
            writer.submit(line)
            if line == b"written before":
                writer.flush()
        child = os.fork()
        if child == 0:
            writer.submit(b"child")
            print(writer.close(), writer.dropped, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        writer.flush()
        print(writer.submit(b"parent"), writer.dropped)
        """,
        tmp_path / "a.log",
    )
    assert output.splitlines() == ["True 0", "True 1"]
    lines = (tmp_path / "a.log").read_bytes().splitlines()
    assert sorted(lines) == [b"child", b"parent", b"queued", b"queued too", b"written before"]


def test_a_child_holds_neither_lock_nor_file_of_its_parent(tmp_path: Path) -> None:
    """A descriptor taken over by fork shares the lock: a child that lives on would block every rotation."""
    run(
        """
        import os, sys
        from monitoring.logs.writer import RotatingWriter
        writer = RotatingWriter(sys.argv[1])
        writer.submit(b"before")
        writer.flush()
        child = os.fork()
        if child == 0:
            held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if int(fd) > 2
                    and os.path.exists(f"/proc/self/fd/{fd}")]
            os._exit(any(sys.argv[1] in name for name in held))
        assert os.waitpid(child, 0)[1] == 0
        """,
        tmp_path / "a.log",
    )


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_nothing_is_lost_when_a_multiprocessing_child_ends(tmp_path: Path, method: str) -> None:
    """Such children leave without running `atexit`; uvicorn's and gunicorn's helpers are made of them."""
    script = tmp_path / "main.py"
    script.write_text(
        textwrap.dedent(
            """
            import multiprocessing, sys
            from monitoring.logs.writer import RotatingWriter
            writer = RotatingWriter(sys.argv[2])

            def work(number):
                for line in range(100):
                    writer.submit(b"%d %d" % (number, line))

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[1])
                writer.submit(b"parent")
                children = [context.Process(target=work, args=(number,)) for number in range(2)]
                for child in children:
                    child.start()
                for child in children:
                    child.join()
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.run(
        [sys.executable, script, method, tmp_path / "a.log"],
        capture_output=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert (process.returncode, process.stderr) == (0, b"")
    lines = sorted((tmp_path / "a.log").read_bytes().splitlines())
    assert lines == sorted([b"%d %d" % (child, line) for child in range(2) for line in range(100)] + [b"parent"])


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_that_really_fills_up(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """Whole lines up to the brim, the rest on standard error, and the file again once there is room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"can't mount here: {mounted.stderr.decode().strip()}")
    try:
        now_s = 0.0
        errors: list[bytes] = []
        writer = make(path=disk / "a.log", monotonic=lambda: now_s, stderr=errors.append)
        lines = [b"%05d " % number + b"x" * 94 for number in range(1000)]
        for line in lines:
            writer.submit(line)
        assert writer.flush(TIMEOUT_S)
        assert writer.fault is not None
        assert writer.fault.strerror == "No space left on device"
        stored = (disk / "a.log").read_bytes()
        assert stored.endswith(b"\n")
        diverted = [line for line in b"".join(errors).splitlines() if not line.startswith(b"monitoring:")]
        assert stored.splitlines() + diverted == lines
        (disk / "a.log").unlink()
        now_s += RETRY_S
        writer.submit(b"room again")
        assert writer.flush(TIMEOUT_S)
        assert (disk / "a.log").read_bytes() == b"room again\n"
        assert writer.close(TIMEOUT_S)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        errors.clear()
        now_s += RETRY_S
        writer = make(path=disk / "b.log", stderr=errors.append)
        writer.submit(b"read-only")
        assert writer.close(TIMEOUT_S)
        assert b"can't be written: Read-only file system;" in errors[0]
        assert errors[1] == b"read-only\n"
    finally:
        subprocess.run(["umount", disk], check=True)


def test_blocks_of_lines(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """Lines handed in together stand in the file beside those that came one by one."""
    writer = make()
    assert writer.submit_block(b"", 0)
    assert writer.submit(b"single")
    assert writer.submit_block(b"one\ntwo\n", 2)
    assert writer.flush()
    assert sorted((tmp_path / "a.log").read_bytes().splitlines()) == [b"one", b"single", b"two"]


def test_a_block_that_does_not_fit_is_cut(make: Callable[..., RotatingWriter], tmp_path: Path) -> None:
    """The first lines that fit are kept, the others counted, however small the queue."""
    gate = Gate()
    writer = make(queue_lines=4, monotonic=gate)
    writer.submit(b"first")
    assert gate.reached.wait(TIMEOUT_S)  # it is being written, and waits in no queue
    assert writer.submit_block(b"1\n2\n3\n", 3)
    assert not writer.submit_block(b"4\n5\n6\n", 3)
    assert not writer.submit_block(b"7\n", 1)
    assert not writer.submit(b"8")
    assert writer.dropped == 4
    gate.open()
    assert writer.flush(TIMEOUT_S)
    assert (tmp_path / "a.log").read_bytes() == b"first\n1\n2\n3\n4\n"
