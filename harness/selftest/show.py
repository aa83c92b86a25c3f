"""Show a self-test as a table, its own verdict last."""

from rich.console import Console
from rich.table import Table

from harness.model import Status
from harness.report.words import counted, plain
from harness.report.writer import STYLES, Writer
from harness.selftest.outcome import RunOutcome, SelftestReport

_NONE = "none"


def print_selftest(report: SelftestReport, console: Console) -> None:
    """
    Print one row a run, what differs from what was expected, and the verdict.

    Args:
        report: what to show.
        console: where; its encoding and colour decide the form.
    """
    show = Writer(console)
    table = Table(box=show.box, padding=(0, 0, 0, 1), pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("Injected", overflow="fold", max_width=30)
    table.add_column("Tripped", overflow="fold")
    table.add_column("Held", justify="right")
    table.add_column("Open", overflow="fold")
    table.add_column("n", justify="right")
    table.add_column("Right", no_wrap=True)
    for outcome in report.outcomes:
        table.add_row(
            show.text(plain(outcome.told)),
            show.text(", ".join(outcome.tripped) or _NONE),
            show.text(f"{len(outcome.held)} of {_gates(outcome)}"),
            show.text(", ".join(outcome.open) or _NONE),
            show.text(f"{outcome.polls:,}"),
            show.text("yes" if outcome.status is Status.PASS else "no", STYLES[outcome.status]),
        )
    console.print(table)
    console.print()
    for outcome in report.outcomes:
        if outcome.status is not Status.PASS:
            expected = ", ".join(outcome.expected) or "none"
            show.line(outcome.status.value, f"{plain(outcome.told)}: {outcome.reason}; expected: {expected}")
    show.line("gates", report.gates_from)
    show.line(
        "machine", f"{plain(report.machine)}; {counted(len(report.outcomes), 'run')} in {report.duration_s:.0f} s"
    )
    console.print()
    show.verdict(report.status, selftest_sentence(report))


def selftest_sentence(report: SelftestReport) -> str:
    """Say in one sentence what the self-test showed."""
    if report.status is Status.PASS:
        faulty = sum(bool(outcome.expected) for outcome in report.outcomes)
        clean = len(report.outcomes) - faulty
        return (
            f"Exactly the right gates tripped for {counted(faulty, 'fault')}, and none in "
            f"{counted(clean, 'run')} without a fault."
        )
    return f"The gates did not do what they have to, or it can't be told: {plain(report.reason or 'unknown')}."


def _gates(outcome: RunOutcome) -> int:
    groups = (outcome.tripped, outcome.held, outcome.open, outcome.invalid, outcome.not_judged)
    return sum(map(len, groups))
