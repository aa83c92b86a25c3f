"""
The way out for log lines: a bounded queue, and one thread that appends them in batches.

`RotatingWriter.submit` costs the caller an append to a queue. The thread sleeps until the first line, gathers for
`FLUSH_S`, appends everything with one write and sleeps again, so an idle service does nothing and a busy one makes
few system calls. When the file can't be written the lines go to standard error, with one warning, and the file is
tried again about once a second, by an idle service too.

A process that is killed outright loses what it gathered in the last `FLUSH_S`. Nothing is lost at a clean end:
`atexit` and the end of a `multiprocessing` child are taken care of here. A server that ends its workers by a
signal's default action (uvicorn does, after its graceful shutdown) runs neither: call `flush` when the application
shuts down.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from monitoring.logs.rotation import RotatingFile

FLUSH_S: Final = 0.2
"""How long lines are gathered before they are written."""

RETRY_S: Final = 1.0
"""How often a file that couldn't be written is tried again."""

_BATCH_LINES: Final = 2048
_EXIT_TIMEOUT_S: Final = 5.0
_STDERR_FD: Final = 2


class RotatingWriter:
    """
    Several processes may each have one on the same path; within a process any thread may submit.

    It starts its thread with the first line, and starts anew in a forked child.

    Args:
        path: the current log file, such as ``logs/master-backend.log``; its folder is made when it isn't there.
        max_bytes: a file is rotated before it would outgrow this [bytes, ≥ 1].
        backups: rotated files that are kept, ``.1`` the newest [≥ 0].
        max_age_s: rotate as well when a period of this length, counted from the Unix epoch, has ended; None for by
            size only [s, > 0].
        compress: whether rotated files become ``.gz``.
        queue_lines: lines that may wait to be written; further ones are dropped and counted [≥ 1].
        clock: wall clock [s since the Unix epoch].
        monotonic: clock for retries [s].
        stderr: takes what can't be written to the file.

    Raises:
        ValueError: a limit out of its range.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        max_bytes: int = 10_000_000,
        backups: int = 5,
        max_age_s: float | None = None,
        compress: bool = False,
        queue_lines: int = 20_000,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        stderr: Callable[[bytes], None] | None = None,
    ) -> None:
        if queue_lines < 1:
            raise ValueError(f"queue_lines: out of range, got {queue_lines}, need 1 or more")
        # Absolute now: the service may change its working directory later.
        self._file = RotatingFile(
            Path(path).absolute(),
            max_bytes=max_bytes,
            backups=backups,
            max_age_s=max_age_s,
            compress=compress,
            clock=clock,
        )
        self.dropped = 0
        """Lines that were neither queued nor written: the queue was full, or standard error gone as well."""
        self.diverted = 0
        """Lines that went to standard error because the file couldn't be written."""
        self._monotonic = monotonic
        self._stderr = stderr or _write_stderr
        self._limit = queue_lines
        self._rouse_at = max(1, queue_lines // 2)
        self._fault: OSError | None = None
        self._warned_of_rotation = False
        self._retry_at_s = 0.0
        self._closed = False
        self._prepare()
        _writers.add(self)

    def _prepare(self) -> None:
        """Make what a process has for itself."""
        self._queue: deque[bytes] = deque()
        self._blocks: deque[tuple[bytes, int]] = deque()
        self._n_in_blocks = 0
        # Re-entrant: a garbage collection within may end a request, or log, and come here again.
        self._counting = threading.RLock()
        self._waiters: deque[threading.Event] = deque()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._draining = threading.Lock()
        # A lock as a binary semaphore: the thread waits to acquire it, whoever has news releases it. Unlike an
        # Event it can be signalled from anywhere, even from a signal handler, without waiting for anything.
        self._news = threading.Lock()
        self._news.acquire()
        self._idle = True  # nobody looks at the queue until someone rouses the thread

    @property
    def path(self) -> Path:
        """The current log file."""
        return self._file.path

    @property
    def fault(self) -> OSError | None:
        """Why lines go to standard error now; None while the file can be written."""
        return self._fault

    @property
    def trouble(self) -> str | None:
        """What is wrong with the file now, in a line for a person; None when all is well."""
        fault, text = self._fault, "can't be written ({}), lines go to standard error"
        if fault is None:
            fault, text = self._file.rotation_fault, "can't be rotated ({}), it grows past its limit"
        return f"{self.path}: {text.format(fault.strerror or fault)}" if fault is not None else None

    def submit(self, line: bytes) -> bool:
        r"""
        Queue one line; never blocks.

        Args:
            line: without its newline; a newline inside is written as ``\n``, so that one line stays one line.

        Returns:
            Whether it was queued; if not, it has been counted in `dropped`.
        """
        queue = self._queue
        if len(queue) + self._n_in_blocks >= self._limit:
            self.dropped += 1
            return False
        queue.append(line)
        # After the append: the thread looks at the queue once more after it has said that it is idle.
        if self._idle or len(queue) == self._rouse_at:
            self._rouse()
        return True

    def submit_block(self, block: bytes, n_lines: int) -> bool:
        """
        Queue several lines at once; never blocks.

        Args:
            block: whole lines, each with its newline and no other in it.
            n_lines: how many there are [≥ 0].

        Returns:
            Whether all of them were queued; those that were not, the last, have been counted in `dropped`.
        """
        if n_lines == 0:
            return True
        waiting = len(self._queue) + self._n_in_blocks
        fitting = self._limit - waiting
        if n_lines > fitting:
            self.dropped += n_lines - max(0, fitting)
            if fitting > 0:
                self.submit_block(b"\n".join(block.split(b"\n")[:fitting]) + b"\n", fitting)
            return False
        with self._counting:
            self._blocks.append((block, n_lines))
            self._n_in_blocks += n_lines
        if self._idle or waiting < self._rouse_at <= waiting + n_lines:
            self._rouse()
        return True

    def flush(self, timeout_s: float = _EXIT_TIMEOUT_S) -> bool:
        """
        Wait until every line submitted before is written (or on standard error).

        Args:
            timeout_s: how long to wait [s, ≥ 0].

        Returns:
            Whether it was done in time.
        """
        if self._thread is None and not self._waiting:
            return True
        done = threading.Event()
        self._waiters.append(done)
        self._rouse()
        deadline_s = time.monotonic() + timeout_s
        while True:
            thread = self._thread
            if thread is None or not thread.is_alive():  # closed, or none to be had: nobody looks at the waiters
                self._drain_here()
                return not self._waiting
            left_s = deadline_s - time.monotonic()
            if done.wait(max(0.0, min(FLUSH_S, left_s))):
                return True
            if left_s <= 0:
                return False

    def close(self, timeout_s: float = _EXIT_TIMEOUT_S) -> bool:
        """
        Write what is queued, end the thread and close the file.

        A line submitted later is written at once, by its caller: what other exit handlers log isn't lost.

        Args:
            timeout_s: how long to wait for a slow disk [s, ≥ 0].

        Returns:
            Whether everything was written in time.
        """
        deadline_s = time.monotonic() + timeout_s
        with self._starting:
            self._closed = True
            thread = self._thread
        _writers.discard(self)
        if thread is not None:
            self._rouse()
            thread.join(timeout_s)
            if thread.is_alive():
                return False
        self._idle = True
        self._drain_here()
        with self._draining:
            while self._file.compressing and time.monotonic() < deadline_s:
                self._file.compress_some()
            self._file.abandon_compression()
            self._file.close()
        return True

    def _rouse(self) -> None:
        if self._thread is None and not self._closed:
            self._start()
        if self._closed and (self._thread is None or not self._thread.is_alive()):
            self._drain_here()
            return
        # Released already when it can't be released: then the thread will look anyway.
        with contextlib.suppress(RuntimeError):
            self._news.release()

    def _start(self) -> None:
        # Without waiting: if another caller is starting the thread, it will find our line as well.
        if not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self._closed:
                _flush_before_child_ends()
                # Set before it starts: whoever submits once it runs must know that it can be roused.
                self._thread = threading.Thread(target=self._run, name=f"log-writer-{self.path.name}", daemon=True)
                self._thread.start()
        except RuntimeError:
            # No thread to be had now. The lines wait in the queue for the next attempt, or for `close`.
            self._thread = None
        finally:
            self._starting.release()

    def _run(self) -> None:
        while not (self._closed and not self._waiting):
            if not self._pending():
                self._idle = True
                if not self._pending():
                    self._wait_for_news()
                self._idle = False
            if not self._hurried():
                self._news.acquire(timeout=FLUSH_S)
            waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
            try:
                with self._draining:
                    self._drain()
                    self._file.compress_some()
            except Exception as fault:  # noqa: BLE001  # without its thread the service would log nothing more
                self._say(f"lines were lost: {type(fault).__name__}: {fault}")
            for waiter in waiters:
                waiter.set()

    def _wait_for_news(self) -> None:
        """Wait for a line; meanwhile look now and then whether a file in trouble is well again."""
        if self._fault is None:
            self._news.acquire()
        elif not self._news.acquire(timeout=RETRY_S):
            with self._draining:
                if self._file.can_append():
                    self._recover()

    def _pending(self) -> bool:
        return bool(self._waiting or self._waiters or self._closed or self._file.compressing)

    def _hurried(self) -> bool:
        half_full = self._waiting >= self._rouse_at
        return bool(half_full or self._waiters or self._closed or self._file.compressing)

    @property
    def _waiting(self) -> int:
        """Lines that wait to be written."""
        return len(self._queue) + self._n_in_blocks

    def _drain_here(self) -> None:
        # Whoever holds the lock looks at the queue again after letting go of it, so nobody needs to wait.
        while self._waiting and self._draining.acquire(blocking=False):
            try:
                self._drain()
                self._file.close()
            finally:
                self._draining.release()

    def _drain(self) -> None:
        take = self._queue.popleft
        todo = len(self._queue)
        while todo > 0:
            n_lines = min(todo, _BATCH_LINES)
            todo -= n_lines
            lines = [take() for _ in range(n_lines)]
            # Looking for one that should not be there is several times cheaper than counting those that should.
            if b"\n" in b"".join(lines):
                lines = [line.replace(b"\n", b"\\n") for line in lines]
            lines.append(b"")
            self._append(b"\n".join(lines))
        while self._blocks:
            self._append(self._some_blocks())

    def _some_blocks(self) -> bytes:
        blocks, n_lines = [], 0
        with self._counting:
            while self._blocks and n_lines < _BATCH_LINES:
                block, n_more = self._blocks.popleft()
                blocks.append(block)
                n_lines += n_more
            self._n_in_blocks -= n_lines
        return b"".join(blocks)

    def _append(self, data: bytes) -> None:
        now_s = self._monotonic()
        if self._fault is not None and now_s < self._retry_at_s:
            self._divert(data)
            return
        written, fault = self._file.append(data)
        if fault is not None:
            if self._fault is None:
                self._say(
                    f"can't be written: {fault.strerror or fault}; its lines go to standard error until it can, "
                    "try free space or another folder"
                )
            self._fault = fault
            self._retry_at_s = now_s + RETRY_S
            self._divert(data[written:])
        elif self._fault is not None:
            self._recover()
        self._warn_of_rotation()

    def _recover(self) -> None:
        self._fault = None
        self._say(f"is written again; {self.diverted} lines went to standard error")

    def _warn_of_rotation(self) -> None:
        fault = self._file.rotation_fault
        if fault is not None and not self._warned_of_rotation:
            self._say(
                f"can't be rotated: {fault.strerror or fault}; it grows past its limit until it can, "
                "try the permissions of its folder"
            )
        self._warned_of_rotation = fault is not None

    def _divert(self, data: bytes) -> None:
        n_lines = data.count(b"\n")
        try:
            self._stderr(data)
        except OSError:
            self.dropped += n_lines
        else:
            self.diverted += n_lines

    def _say(self, text: str) -> None:
        # Nobody to tell when standard error is gone too; `fault`, `diverted` and `dropped` still show it.
        with contextlib.suppress(OSError):
            self._stderr(f"monitoring: log file '{self.path}': {text}\n".encode("utf-8", "backslashreplace"))

    def _begin_anew(self) -> None:
        """Make a forked child's copy its own: the parent writes what was queued before the fork."""
        self._file.forget()
        self.dropped = self.diverted = 0
        self._fault = None
        self._prepare()


def _write_stderr(data: bytes) -> None:
    # Not through sys.stderr: its lock may be held for ever when the interpreter ends before this thread does.
    if sys.__stderr__ is None:
        raise OSError("the process has no standard error")
    view = memoryview(data)
    while view:
        view = view[os.write(_STDERR_FD, view) :]


_writers: "weakref.WeakSet[RotatingWriter]" = weakref.WeakSet()


def _each(act: Callable[[RotatingWriter], object]) -> None:
    for writer in list(_writers):
        act(writer)


def _flush_before_child_ends() -> None:
    """Flush at the end of a `multiprocessing` child, which leaves without running `atexit`."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        # Imported already, by the machinery that runs the child.
        sys.modules["multiprocessing.util"].Finalize(None, _each, (RotatingWriter.flush,), exitpriority=0)


os.register_at_fork(after_in_child=lambda: _each(RotatingWriter._begin_anew))
atexit.register(_each, RotatingWriter.close)
