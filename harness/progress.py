"""How a run is going: read off the growing samples file, and shown on one line of the terminal."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import msgspec

from harness.model import Sample, SampleHeader
from harness.units import format_duration
from monitoring.histogram import Histogram, nearest_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """
    A run so far.

    Args:
        elapsed_s: since the run's origin [s].
        run_time_s: planned [s].
        polls: samples written.
        errors: of these, failed.
        p95_s: 95th percentile of the response time so far, failures infinite; None before the first poll.
    """

    elapsed_s: float
    run_time_s: float
    polls: int
    errors: int
    p95_s: float | None


class SampleTail:
    """
    Follows a samples file while another process writes it.

    `origin_epoch_s` is the instant the schedule starts [s since the Unix epoch]; None until the header is there.

    Args:
        path: the file; it need not be there yet.
        taken: called with each sample.
    """

    def __init__(self, path: Path, taken: Callable[[Sample], None] | None = None) -> None:
        self._path = path
        self._taken = taken
        self._offset = 0
        self._rest = b""
        self.origin_epoch_s: float | None = None
        self._decoder = msgspec.json.Decoder(Sample)
        self._response_time = Histogram()
        self.polls = 0
        self.errors = 0
        self._missed = 0

    def read(self) -> None:
        """Take in whatever whole lines were added since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
        except FileNotFoundError:
            return
        self._offset += len(added)
        *lines, self._rest = (self._rest + added).split(b"\n")
        for line in lines:
            if self.origin_epoch_s is None:
                header = msgspec.json.decode(line, type=SampleHeader)
                self.origin_epoch_s = datetime.fromisoformat(header.origin_utc).timestamp()
            else:
                self._take(self._decoder.decode(line))

    def _take(self, sample: Sample) -> None:
        self.polls += 1
        if self._taken is not None:
            self._taken(sample)
        self._missed += len(sample.missed_s)
        if sample.error is None:
            self._response_time.record(sample.response_time_s)
            for intended_s in sample.missed_s:
                self._response_time.record(sample.end_s - intended_s)
        else:
            self.errors += 1

    def progress(self, *, elapsed_s: float, run_time_s: float) -> Progress:
        """Return what has been read so far, as of `elapsed_s` seconds after the origin."""
        return Progress(
            elapsed_s=elapsed_s,
            run_time_s=run_time_s,
            polls=self.polls,
            errors=self.errors,
            p95_s=self._p95_s(),
        )

    def _p95_s(self) -> float | None:
        """Return the 95th percentile of the response time so far [s]; infinite when failures reach it."""
        if self.polls == 0:
            return None
        rank = nearest_rank(0.95, self.polls + self._missed)
        answered = self._response_time.n
        return float("inf") if rank > answered else self._response_time.quantile(rank / answered)


class ProgressLine:
    """
    One line on stderr, redrawn in place on a terminal, written every ten seconds elsewhere.

    Use as a context manager; it leaves the cursor on a fresh line.
    """

    _QUIET_STEP_S = 10.0
    _BAR_WIDTH = 24

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._next_s = self._QUIET_STEP_S
        self._shown = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._write("\n")

    def show(self, progress: Progress) -> None:
        """Show where the run is."""
        text = self._text(progress)
        if self._live:
            # A line that wraps can't be redrawn in place.
            text = text[: shutil.get_terminal_size().columns - 1]
            self._write("\r" + text.ljust(self._shown))
            self._shown = len(text)
        elif progress.elapsed_s >= self._next_s:
            self._write(text + "\n")
            self._next_s += self._QUIET_STEP_S

    def _write(self, text: str) -> None:
        # A terminal that was closed must not cost the run: nobody looks, and the run goes on.
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()

    def _text(self, progress: Progress) -> str:
        done = min(1.0, max(0.0, progress.elapsed_s / progress.run_time_s))
        bar = ""
        if self._live:
            full = round(done * self._BAR_WIDTH)
            bar = "[" + "#" * full + "-" * (self._BAR_WIDTH - full) + "] "
        elapsed_s = max(0.0, min(progress.elapsed_s, progress.run_time_s))
        return (
            f"{bar}{elapsed_s:.0f}/{progress.run_time_s:.0f} s  {progress.polls} polls  "
            f"{progress.errors} errors  p95 so far {format_duration(progress.p95_s)}"
        )
