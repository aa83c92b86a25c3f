"""
Show a result in a terminal: the gates as a table, the figures in a few lines, the verdict last.

Everything goes to the console it is given, normally standard output: a result is what was asked for.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from harness.model import Finding, Quantiles, Result, ServerFigures, Status, Summary, Verdict
from harness.report.words import (
    counted,
    effective_n_text,
    ended,
    index_text,
    interval_text,
    limit_text,
    n_text,
    names,
    plain,
    server_window_text,
    state_sentence,
    trimmed_duration,
    value_text,
    verdict_sentence,
)
from harness.report.writer import STYLES, Writer
from harness.units import format_count, format_duration, format_number, format_ratio
from monitoring.histogram import Histogram

__all__ = ["STYLES", "print_findings", "print_verdict"]

K = TypeVar("K")

_TABLE_WIDTH = 78
"""Below this the table of gates would fold or lose columns."""


def print_verdict(result: Result, console: Console) -> None:
    """
    Print gates, figures and verdict, the verdict in the last line.

    Args:
        result: what to show.
        console: where; its width, encoding and colour decide the form.
    """
    show = Writer(console)
    _print_gates(result.verdict, console, show)
    for label, text in _figure_lines(result):
        show.line(label, text)
    for warning in result.warnings:
        show.line("warning", ended(warning))
    if result.gates_from is not None:
        show.line("gates", plain(result.gates_from))
    if result.verdict.coverage.ungated:
        show.line("no gate on", names(map(plain, result.verdict.coverage.ungated)))
    console.print()
    unfinished = state_sentence(result.run)
    if unfinished is not None:
        show.line("run", unfinished)
    show.verdict(result.verdict.status, verdict_sentence(result))


def print_findings(verdict: Verdict, console: Console, *, lines: Sequence[tuple[str, str]], sentence: str) -> None:
    """
    Print the gates and the verdict over something that is no run, the verdict in the last line.

    Args:
        verdict: what to show.
        console: where; its width, encoding and colour decide the form.
        lines: label and text of each line below the gates.
        sentence: why the verdict is what it is.
    """
    show = Writer(console)
    _print_gates(verdict, console, show)
    for label, text in lines:
        show.line(label, text)
    console.print()
    show.verdict(verdict.status, sentence)


def _print_gates(verdict: Verdict, console: Console, show: Writer) -> None:
    """Print the gates as a table or, where that has no room, one below the other, and why they did not pass."""
    if verdict.findings:
        if console.width < _TABLE_WIDTH:
            _print_stacked(verdict.findings, show)
        else:
            console.print(_gates_table(verdict.findings, show))
    if any(finding.status is not Status.PASS for finding in verdict.findings):
        console.print()
        _print_notes(verdict.findings, show)
    for name, reason in verdict.coverage.not_judged.items():
        show.line("not judged", f"{plain(name)}: {ended(reason)}")
    if verdict.findings or verdict.coverage.not_judged:
        console.print()


def _print_notes(findings: tuple[Finding, ...], show: Writer) -> None:
    """Say why gates did not pass and what would help, once for gates that share a reason or a remedy."""
    left = [finding for finding in findings if finding.status is not Status.PASS]
    for (status, reason), gates in _grouped(((f.status, ended(f.reason)), f.gate.name) for f in left).items():
        show.line(status.value, f"{names(gates)}: {reason}", STYLES[status])
    for remedy, gates in _grouped((ended(f.remedy), f.gate.name) for f in left if f.remedy).items():
        show.line("remedy", f"{names(gates)}: {remedy}")


def _grouped(pairs: Iterable[tuple[K, str]]) -> dict[K, list[str]]:
    grouped: dict[K, list[str]] = {}
    for key, gate in pairs:
        grouped.setdefault(key, []).append(plain(gate))
    return grouped


def _print_stacked(findings: tuple[Finding, ...], show: Writer) -> None:
    """Give each gate a line that names it, for a terminal too narrow for columns."""
    for finding in findings:
        show.gate(
            plain(finding.gate.name),
            finding.status,
            [value_text(finding.measured, finding.gate.unit), limit_text(finding.gate)],
        )


def _gates_table(findings: tuple[Finding, ...], show: Writer) -> Table:
    # One blank left of a cell and one for the rule that is not drawn: two between columns, to fit into 80.
    table = Table(box=show.box, padding=(0, 0, 0, 1), pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("Gate", overflow="fold")
    table.add_column("Limit", justify="right", overflow="fold")
    table.add_column("Measured", justify="right", no_wrap=True)
    table.add_column("Interval", justify="right", no_wrap=True)
    table.add_column("n (worth)" if any(map(_is_worth_less, findings)) else "n", justify="right")
    table.add_column("Verdict", no_wrap=True, min_width=12)
    for finding in findings:
        table.add_row(
            show.text(plain(finding.gate.name)),
            show.text(limit_text(finding.gate)),
            show.text(value_text(finding.measured, finding.gate.unit)),
            show.text(interval_text(finding)),
            show.text(_n_with_worth(finding)),
            show.text(finding.status.value, STYLES[finding.status]),
        )
    return table


def _is_worth_less(finding: Finding) -> bool:
    return finding.n is not None and finding.effective_n is not None and round(finding.effective_n) < finding.n


def _n_with_worth(finding: Finding) -> str:
    """Add the effective n only where it differs: it is the number that decided."""
    return f"{n_text(finding)} ({effective_n_text(finding)})" if _is_worth_less(finding) else n_text(finding)


def _figure_lines(result: Result) -> list[tuple[str, str]]:
    summary = result.summary
    length = trimmed_duration(summary.window_end_s - summary.window_start_s)
    polls = (
        f"{format_count(summary.sent)} sent of {format_count(summary.intended)} intended in {length},"
        f" {format_count(summary.failed)} failed, {format_count(summary.missed)} missed"
    )
    rate = f"offered {format_number(summary.offered_per_s)}/s, achieved {format_number(summary.achieved_per_s)}/s"
    client = (
        f"{format_number(summary.new_connections_per_poll)} new connections per poll,"
        f" lock-step index {index_text(summary.lock_step_index)}"
    )
    lines = [
        ("polls", polls),
        ("rate", rate),
        ("response", _quantiles(summary.response_time)),
        ("service", _quantiles(summary.service_time)),
        ("start lag", _quantiles(summary.start_lag)),
        ("errors", _errors(summary)),
        ("client", client),
    ]
    if result.server is not None:
        lines += _server(result.server)
    return lines


def _quantiles(times: Quantiles) -> str:
    if times.n == 0:
        return "no polls"
    parts = (("p50", times.p50), ("p95", times.p95), ("p99", times.p99), ("max", times.max))
    return "  ".join(f"{name} {format_duration(value)}" for name, value in parts)


def _errors(summary: Summary) -> str:
    if not summary.errors_by_kind:
        return "none"
    ordered = sorted(summary.errors_by_kind.items(), key=lambda item: (-item[1], item[0]))
    ratio = summary.failed / summary.sent if summary.sent else None
    return f"{format_ratio(ratio)}: " + ", ".join(f"{plain(kind)} {format_count(n)}" for kind, n in ordered)


def _server(server: ServerFigures) -> list[tuple[str, str]]:
    size = "no bound" if server.pool_size is None else format_count(server.pool_size)
    times = f"p95 handler {_p95(server.handler)}, query {_p95(server.query)}"
    return [
        ("server", f"{counted(server.requests, 'request')} in {server_window_text(server)}, {times}"),
        ("pool", f"peak {format_count(server.pool_peak)} of {size}, p95 wait {_p95(server.pool_wait)}"),
    ]


def _p95(histogram: Histogram | None) -> str:
    return format_duration(None if histogram is None else histogram.quantile(0.95))
