"""The live line: read from a file that grows, shown according to where it goes."""

import io
import math
from dataclasses import replace
from pathlib import Path

from harness.model import Sample
from harness.progress import Progress, ProgressLine, SampleTail
from harness.rundir import encode
from tests.harness.test_rundir import HEADER, sample


def poll(response_time_s: float, error: str | None = None) -> Sample:
    return replace(sample(), intended_start_s=1.0, start_s=1.0, end_s=1.0 + response_time_s, error=error)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_a_file_that_is_not_there_yet_is_no_progress(tmp_path: Path) -> None:
    tail = SampleTail(tmp_path / "samples.jsonl")
    tail.read()
    assert tail.origin_epoch_s is None
    assert Progress(elapsed_s=0, run_time_s=70, polls=0, errors=0, p95_s=None) == tail.progress(
        elapsed_s=0, run_time_s=70
    )


def test_lines_are_taken_once_and_only_when_whole(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    tail = SampleTail(path)
    append(path, encode(HEADER)[:30])
    tail.read()
    assert tail.origin_epoch_s is None
    append(path, encode(HEADER)[30:] + b"\n" + encode(poll(0.125)) + b"\n" + encode(poll(0.2))[:50])
    tail.read()
    assert (1795422600.0, 1) == (tail.origin_epoch_s, tail.polls)
    append(path, encode(poll(0.2))[50:] + b"\n" + encode(poll(0.125, "timeout")) + b"\n")
    tail.read()
    tail.read()
    assert (3, 1) == (tail.polls, tail.errors)


def test_p95_counts_failures_as_infinitely_slow(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    answered, failed = encode(poll(0.125)) + b"\n", encode(poll(0.125, "timeout")) + b"\n"
    append(path, encode(HEADER) + b"\n" + answered * 19 + failed)
    tail = SampleTail(path)
    tail.read()
    assert 0.125 == tail.progress(elapsed_s=1, run_time_s=2).p95_s
    append(path, failed)
    tail.read()
    assert math.inf == tail.progress(elapsed_s=1, run_time_s=2).p95_s


def test_p95_counts_what_was_missed(tmp_path: Path) -> None:
    """Of 20 polls two took half a second: one was missed, and answered with the next."""
    path = tmp_path / "samples.jsonl"
    late = replace(poll(0.25), intended_start_s=10.0, start_s=10.0, end_s=10.25, missed_s=(9.75, 9.5))
    append(path, encode(HEADER) + b"\n" + (encode(poll(0.125)) + b"\n") * 17 + encode(late) + b"\n")
    tail = SampleTail(path)
    tail.read()
    assert 18 == tail.polls
    p95_s = tail.progress(elapsed_s=1, run_time_s=2).p95_s
    assert p95_s is not None
    assert 0.49 < p95_s < 0.51


def at(elapsed_s: float, polls: int) -> Progress:
    return Progress(elapsed_s=elapsed_s, run_time_s=70.0, polls=polls, errors=1, p95_s=0.0042)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_redrawn_in_place() -> None:
    stream = Terminal()
    with ProgressLine(stream) as line:
        line.show(at(35.0, 175))
        line.show(at(70.0, 9))
    first, second = stream.getvalue().split("\r")[1:]
    assert "[############------------] 35/70 s  175 polls  1 errors  p95 so far 4.20 ms" == first
    # The second text is shorter: blanks cover the rest of the first.
    assert "[########################] 70/70 s  9 polls  1 errors  p95 so far 4.20 ms  \n" == second


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    stream = io.StringIO()
    with ProgressLine(stream) as line:
        for elapsed_s in (0.2, 9.9, 10.1, 10.3, 20.2):
            line.show(at(elapsed_s, 5))
    assert ["10/70 s  5 polls", "20/70 s  5 polls"] == [
        text.partition("  1 errors")[0] for text in stream.getvalue().splitlines()
    ]


def test_nothing_shown_leaves_nothing_behind() -> None:
    stream = Terminal()
    with ProgressLine(stream):
        pass
    assert "" == stream.getvalue()
