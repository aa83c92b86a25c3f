"""
The report as one self-contained HTML file: no script, no network, light and dark, on screen and on paper.

`render_html` is pure. Everything from outside is escaped by Jinja2; the only markup let through is the plots' own
SVG, whose text matplotlib escapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.columns import Columns
from harness.history_model import Comparison
from harness.model import Finding, IndexEvidence, Result, ServerFigures, Summary
from harness.report.assets import environment
from harness.report.charts import Plot
from harness.report.context import RunContext
from harness.report.tables import connection_rows, quantile_cells, route_rows, split_rows, wave_rows
from harness.report.traces import Traces
from harness.report.trend.words import compared_text, interval_clause, signed_ratio, value_of
from harness.report.words import (
    NONE,
    command_line,
    counted,
    effective_n_text,
    ended,
    index_text,
    interval_text,
    limit_text,
    n_text,
    names,
    plain,
    scenario_text,
    sentence,
    server_window_text,
    state_sentence,
    target_text,
    trimmed_duration,
    value_text,
    verdict_sentence,
)
from harness.units import format_count, format_duration, format_number, format_ratio
from monitoring.histogram import Histogram


def render_html(
    result: Result,
    plots: Sequence[Plot],
    context: RunContext | None = None,
    *,
    columns: Columns | None = None,
    traces: Traces | None = None,
) -> str:
    """
    Return the page.

    Args:
        result: the finished run.
        plots: in the order of the page; one without an SVG shows its caption alone.
        context: the runs before this one; None without any.
        columns: its samples, for the tables of the quantiles' parts and of connections; None to leave these out.
        traces: what the run's folder holds besides; None for nothing.
    """
    verdict = result.verdict
    seen = None if columns is None else columns.window(result.summary.window_start_s, result.summary.window_end_s)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            title=plain(f"{verdict.status.value}: {result.run.scenario.name}, {result.run.id}"),
            status=verdict.status.value,
            sentence=verdict_sentence(result),
            unfinished=state_sentence(result.run),
            scenario=f"{plain(result.run.scenario.name)}: {scenario_text(result.run.scenario)}",
            target=target_text(result.run.target),
            started=plain(result.run.started_utc),
            findings=[_finding_row(finding) for finding in verdict.findings],
            not_judged=[(plain(name), plain(why)) for name, why in verdict.coverage.not_judged.items()],
            warnings=[sentence(warning) for warning in result.warnings],
            gates_from=None if result.gates_from is None else plain(result.gates_from),
            ungated=names(plain(route) for route in verdict.coverage.ungated),
            splits=[] if seen is None else split_rows(seen, result.summary),
            routes=route_rows(result),
            connections=connection_rows(result, seen, traces),
            waves=wave_rows(result, traces),
            times=_times(result.summary),
            window=_window(result.summary),
            counts=_counts(result.summary),
            errors=_errors(result.summary),
            server=None if result.server is None else _server(result.server),
            indexes=[_index_row(evidence) for evidence in result.indexes],
            plots=[(plot, None if plot.svg is None else Markup(plot.svg)) for plot in plots],  # noqa: S704  # matplotlib's own, its text escaped
            baseline=None if context is None else _baseline(context),
            record=_record(result),
            command=command_line(result.run),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FindingRow:
    """One row of the gates table, as text."""

    gate: str
    subject: str
    limit: str
    measured: str
    interval: str
    n: str
    effective_n: str
    status: str
    reason: str
    remedy: str | None


def _finding_row(finding: Finding) -> _FindingRow:
    gate = finding.gate
    return _FindingRow(
        gate=plain(gate.name),
        subject=plain(gate.subject),
        limit=limit_text(gate),
        measured=value_text(finding.measured, gate.unit),
        interval=interval_text(finding),
        n=n_text(finding),
        effective_n=effective_n_text(finding),
        status=finding.status.value,
        reason=sentence(finding.reason),
        remedy=None if finding.remedy is None else sentence(finding.remedy),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IndexRow:
    """How one statement is served, as text."""

    statement: str
    expected: str
    served: str
    plan: str
    note: str | None


def _index_row(evidence: IndexEvidence) -> _IndexRow:
    words = {True: "yes", False: "no", None: "not known"}
    return _IndexRow(
        statement=plain(evidence.statement),
        expected=plain(evidence.expected_index),
        served=words[evidence.served],
        plan=plain(evidence.plan),
        note=None if evidence.note is None else plain(evidence.note),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ComparisonRow:
    """One figure beside its baseline, as text."""

    figure: str
    baseline: str
    expected: str
    contender: str
    change: str
    interval: str
    detectable: str
    status: str
    reason: str
    remedy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _BaselinePart:
    """The comparison with the baseline, as text."""

    rows: list[_ComparisonRow]
    told: list[str]


def _baseline(context: RunContext) -> _BaselinePart:
    told = [sentence(line) for line in (*context.differences, *context.warnings)]
    nothing = {(one.reason, one.remedy) for one in context.comparisons if one.baseline is None}
    if len(nothing) == 1 and all(one.baseline is None for one in context.comparisons):
        ((reason, remedy),) = nothing
        why = [sentence(reason), *([f"Remedy: {ended(remedy)}"] if remedy else [])]
        return _BaselinePart(rows=[], told=[" ".join(why), *told])
    return _BaselinePart(rows=[_comparison_row(one) for one in context.comparisons], told=told)


def _comparison_row(compared: Comparison) -> _ComparisonRow:
    unit, expected = compared.unit, compared.expected
    known = expected is not None and expected.low is not None and expected.high is not None
    return _ComparisonRow(
        figure=compared_text(compared),
        baseline=f"{value_of(compared.baseline, unit)} ({counted(compared.baseline_n, 'run')})",
        expected=f"{value_of(expected.low, unit)} to {value_of(expected.high, unit)}"
        if known and expected
        else NONE,
        contender=value_of(compared.contender, unit),
        change=signed_ratio(compared.change_ratio),
        interval=interval_clause(compared.interval).removeprefix(", ") or NONE,
        detectable="?" if compared.detectable_ratio is None else format_ratio(compared.detectable_ratio),
        status=compared.status.value,
        reason=sentence(compared.reason),
        remedy=None if compared.remedy is None else sentence(compared.remedy),
    )


def _times(summary: Summary) -> list[tuple[str, str, list[str]]]:
    return [
        (name, meaning, quantile_cells(times))
        for name, meaning, times in (
            ("Response time", "end − intended start; a failed poll counts as endless", summary.response_time),
            ("Service time", "end − start, of the polls that were answered", summary.service_time),
            ("Start lag", "start − intended start", summary.start_lag),
        )
    ]


def _window(summary: Summary) -> str:
    return f"{trimmed_duration(summary.window_start_s)} to {trimmed_duration(summary.window_end_s)}"


def _counts(summary: Summary) -> list[tuple[str, str]]:
    ratio = summary.failed / summary.sent if summary.sent else None
    return [
        ("Polls intended", format_count(summary.intended)),
        ("Polls sent", format_count(summary.sent)),
        ("Polls missed", format_count(summary.missed)),
        ("Answered without error", format_count(summary.completed)),
        ("Failed", f"{format_count(summary.failed)} ({format_ratio(ratio)})"),
        ("Offered rate", f"{format_number(summary.offered_per_s)}/s"),
        ("Achieved rate", f"{format_number(summary.achieved_per_s)}/s"),
        ("New connections per poll", format_number(summary.new_connections_per_poll)),
        ("Lock-step index", f"{index_text(summary.lock_step_index)} (0 spread evenly, 1 all at one instant)"),
    ]


def _errors(summary: Summary) -> list[tuple[str, str, str]]:
    ordered = sorted(summary.errors_by_kind.items(), key=lambda item: (-item[1], item[0]))
    return [
        (plain(kind), format_count(count), format_ratio(count / summary.sent if summary.sent else None))
        for kind, count in ordered
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServerPart:
    """The server's side, as text."""

    facts: list[tuple[str, str]]
    times: list[tuple[str, list[str]]]


def _server(server: ServerFigures) -> _ServerPart:
    size = "no bound" if server.pool_size is None else format_count(server.pool_size)
    facts = [
        ("Window", server_window_text(server)),
        ("Requests handled", format_count(server.requests)),
        ("Of these, errors", format_count(server.errors)),
        ("Pool peak", f"{format_count(server.pool_peak)} of {size} ({format_ratio(server.pool_use_ratio)})"),
    ]
    times = [
        ("Handler, per request", _histogram_cells(server.handler)),
        ("Database, per statement", _histogram_cells(server.query)),
        ("Pool wait, per connection", _histogram_cells(server.pool_wait)),
    ]
    return _ServerPart(facts=facts, times=times)


def _histogram_cells(histogram: Histogram | None) -> list[str]:
    if histogram is None:
        return ["?"] * 6
    if histogram.n == 0:
        return ["0", *[NONE] * 5]
    values = (histogram.mean_s, *(histogram.quantile(q) for q in (0.5, 0.95, 0.99)), histogram.max_s)
    return [format_count(histogram.n), *map(format_duration, values)]


def _record(result: Result) -> list[tuple[str, str]]:
    run, scenario, machine = result.run, result.run.scenario, result.run.environment
    changes = {True: ", with uncommitted changes", False: "", None: ""}[run.dirty]
    memory = "?" if machine.memory_bytes is None else f"{machine.memory_bytes / 1e9:.3g} GB"
    return [
        ("Run", f"{plain(run.id)}, {run.state.value}"),
        ("Started", f"{plain(run.started_utc)} (UTC)"),
        ("Scenario", f"{plain(scenario.name)} ({plain(scenario.digest)}): {scenario_text(scenario)}"),
        ("Phases and seed", f"{plain(scenario.phase_model)}, seed {scenario.seed}"),
        ("Target", target_text(run.target)),
        ("Machine", f"{plain(machine.cpu or '?')}, {format_count(machine.cores)} cores, {memory} of memory"),
        ("Platform", f"{plain(machine.platform)}, {plain(machine.python)}"),
        ("Environment key", plain(machine.key)),
        ("Packages", ", ".join(f"{plain(n)} {plain(v)}" for n, v in sorted(machine.packages.items())) or "?"),
        ("Commit", "unknown, outside a repository" if run.commit is None else f"{plain(run.commit)}{changes}"),
        ("Harness", f"{plain(run.harness_version)}, schema {result.schema_version}"),
    ]
