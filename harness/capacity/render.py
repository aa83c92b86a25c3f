"""What a search came to, in words and as a table for a terminal."""

from rich.console import Console
from rich.table import Table

from harness.capacity_model import Capacity, Step
from harness.model import Status
from harness.report.writer import STYLES, Writer
from harness.units import format_count, format_duration, format_ratio


def headline(capacity: Capacity) -> str:
    """Return the answer in one sentence."""
    holds, breaks = capacity.agents, capacity.fails_at
    if holds is None:
        known = "at any size that was tried" if breaks is None else f"at {format_count(breaks)} agents either"
        return f"no fleet was shown to be served within the limits, {known}"
    upper = "?" if breaks is None else format_count(breaks)
    text = f"max agents = {format_count(holds)} [{format_count(holds)}, {upper}]"
    if capacity.first_limit is None:
        doubtful = any(step.agents > holds and step.status is not Status.PASS for step in capacity.steps)
        reached = "no limit is sure to break" if doubtful else "no limit was reached"
        return f"{text}, {reached}: {capacity.stopped}"
    return f"{text}, first limit to break: {capacity.first_limit}, limiting resource: {capacity.resource}"


def print_capacity(capacity: Capacity, console: Console) -> None:
    """
    Print the runs by size of fleet, what a person should know, and the answer in the last line.

    Args:
        capacity: what to show.
        console: where; its width, encoding and colour decide the form.
    """
    writer = Writer(console)
    table = Table(box=writer.box, show_edge=False, pad_edge=False)
    for heading in ("Agents", "Polls/s", "p50", "p95", "p99", "Errors", "CPU"):
        table.add_column(writer.text(heading), justify="right", no_wrap=True)
    table.add_column(writer.text("Verdict"))
    for step in sorted(capacity.steps, key=lambda one: one.agents):
        table.add_row(
            *(writer.text(cell) for cell in _cells(step)), writer.text(_verdict(step), STYLES[step.status])
        )
    console.print(table)
    console.print()
    rate = format_count(round((capacity.agents or 0) / capacity.interval_s))
    if capacity.agents is not None:
        writer.line("rate", f"{rate} polls a second at an interval of {format_duration(capacity.interval_s)}")
    writer.line("knee", _knee(capacity))
    for warning in capacity.warnings:
        writer.line("warning", warning)
    writer.line("ended", f"{capacity.stopped}.")
    writer.verdict(capacity.status, f"{headline(capacity)}.")


def _knee(capacity: Capacity) -> str:
    if capacity.knee_agents is not None:
        return f"the response time begins to climb at {format_count(capacity.knee_agents)} agents"
    largest = max(step.agents for step in capacity.steps)
    return f"none seen up to {format_count(largest)} agents"


def _cells(step: Step) -> tuple[str, ...]:
    cpu = "?" if step.target_cpu_ratio is None else f"{step.target_cpu_ratio:.2f}"
    return (
        format_count(step.agents),
        f"{step.achieved_per_s:.3g}",
        format_duration(step.p50_s),
        format_duration(step.p95_s),
        format_duration(step.p99_s),
        format_ratio(step.error_ratio),
        cpu,
    )


def _verdict(step: Step) -> str:
    names = step.broken or (step.unsettled if step.status is not Status.PASS else ())
    return f"{step.status.value} {', '.join(names)}".rstrip()
