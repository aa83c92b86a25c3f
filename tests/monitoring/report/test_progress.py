"""The bar: on a terminal, after a second, and gone at the end."""

import io

from monitoring.reports.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Steps:
    """A clock that moves by a quarter of a second each time it is looked at."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.25
        return self.now_s


def shown(stream: io.StringIO, calls: int, total: int = 10_000_000) -> str:
    with ProgressBar(stream, monotonic_s=Steps()) as bar:
        for number in range(1, calls + 1):
            bar(total * number // calls, total)
    return stream.getvalue()


def test_nothing_within_the_first_second() -> None:
    assert not shown(Terminal(), 3)


def test_a_bar_after_it_and_nothing_left_at_the_end() -> None:
    text = shown(Terminal(), 8)
    assert "\rreading logs [" + "#" * 15 + "." * 15 + "]  50% of 10 MB\x1b[K" in text
    assert text.endswith("\r\x1b[K")


def test_nothing_where_there_is_no_terminal() -> None:
    assert not shown(io.StringIO(), 100)


def test_nothing_to_read() -> None:
    assert not shown(Terminal(), 100, total=0)
