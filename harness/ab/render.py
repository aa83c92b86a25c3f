"""What came of an A/B job, for people."""

from rich.console import Console

from harness.ab.job import AbResult
from harness.comparison.render import print_comparisons, print_line, print_status
from harness.judge.wording import count, percent
from harness.model import Status


def print_ab(result: AbResult, console: Console) -> None:
    """
    Print what was compared, the table, the reasons, and the verdict in the last line.

    Args:
        result: what to show.
        console: where; its width, encoding and colour decide the form.
    """
    print_line(console, "A", result.a)
    print_line(console, "B", result.b)
    for line in result.differences:
        print_line(console, "differs", line)
    for name, reason in result.left_out.items():
        print_line(console, "left out", f"{name}: {reason}.")
    print_line(console, "rounds", f"{count(result.rounds, 'whole round')}; {result.stopped}.")
    print_line(console, "folder", result.folder)
    print_comparisons(result.comparisons, console, headings=("A", "B"))
    print_status(result.status, _sentence(result), console)


def _sentence(result: AbResult) -> str:
    if not result.comparisons:
        return "Nothing could be compared."
    limit = percent(result.comparisons[0].limit_ratio)
    if result.status is Status.PASS:
        return f"B is surely not worse than A by more than {limit} in any figure."
    if result.status is Status.FAIL:
        return f"B is surely worse than A by more than {limit}."
    return f"Whether B is worse than A by more than {limit} can't be told in every figure."
