"""What a benchmark's command says of itself, instead of starting to work for minutes."""

from collections.abc import Callable, Sequence

import pytest

from benchmarks.gallery.__main__ import main as draw_gallery
from benchmarks.judge.__main__ import PARTS
from benchmarks.judge.__main__ import main as print_judge
from benchmarks.judge.looks import point_estimate_ends

Command = Callable[[Sequence[str]], int]


@pytest.mark.parametrize("command", [draw_gallery, print_judge])
def test_help_is_printed_and_nothing_done(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(["--help"])
    assert 0 == ended.value.code
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m benchmarks.")
    assert "examples:\n  python -m benchmarks." in out


@pytest.mark.parametrize("command", [draw_gallery, print_judge])
def test_what_is_not_known_is_refused(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command(["nonsense"])
    assert 2 == ended.value.code
    assert "nonsense" in capsys.readouterr().err


def test_every_part_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        print_judge(["--help"])
    described = capsys.readouterr().out.partition("parts:\n")[2].partition("\n\n")[0]
    assert list(PARTS) == [line.split()[0] for line in described.splitlines()]


def test_only_the_parts_named_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == print_judge(["tables"])
    out = capsys.readouterr().out
    assert "Smallest n that passes" in out
    assert "Truth on the limit" not in out


def test_more_looks_end_more_good_runs() -> None:
    short, long = (point_estimate_ends(0.01, n=n, runs=200, seed=1) for n in (100, 5000))
    assert short < long < 1.0
