"""
What every machine-readable output is written from: a verdict with what it was about.

A run's `Result` and a judged benchmark file both become a `Judged`, so that each output needs one renderer.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from harness.model import PENDING_ROUTE, Direction, Finding, Gate, Quantiles, Result, Status, Verdict
from harness.report.words import (
    command_line,
    interval_text,
    limit_text,
    plain,
    scenario_text,
    sentence,
    state_sentence,
    target_text,
    value_text,
    verdict_sentence,
)


class Outcome(StrEnum):
    """What a gate means to whoever reads test results: JUnit's four words."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """
    One number that a chart over many runs would show.

    Args:
        name: unique within one `Judged` and the same from run to run.
        value: finite.
        unit: short, such as ``ms`` or ``polls/s``.
        spread: its confidence interval as text; None without one.
        note: what a person should know besides; None for nothing.
        bigger_is_better: which side is the better one.
    """

    name: str
    value: float
    unit: str
    spread: str | None = None
    note: str | None = None
    bigger_is_better: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """
    A verdict and what it is about.

    Args:
        kind: the same from run to run for one and the same job, such as ``agent-polling embedded``.
        title: for a headline.
        id: of the run or the file.
        at_utc: when it began, ISO 8601 in UTC; None when not known.
        duration_s: how long it took [s]; None when not known.
        sentence: why the verdict is what it is.
        verdict: the findings.
        facts: label → text, in order.
        figures: for charts over many runs.
        warnings: sentences.
    """

    kind: str
    title: str
    id: str
    at_utc: str | None
    duration_s: float | None
    sentence: str
    verdict: Verdict
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]


def judged_result(result: Result) -> Judged:
    """Return a run's verdict in the form that the outputs are written from."""
    run = result.run
    unfinished = state_sentence(run)
    facts = [
        ("scenario", scenario_text(run.scenario)),
        ("target", target_text(run.target)),
        ("commit", "unknown" if run.commit is None else plain(run.commit) + (", modified" if run.dirty else "")),
        ("machine", f"{plain(run.environment.cpu or 'unknown processor')}, {plain(run.environment.python)}"),
        ("gates", plain(result.gates_from or "the shipped ones")),
        ("command", command_line(run)),
    ]
    return Judged(
        kind=plain(f"{run.scenario.name} {run.target.kind.value}"),
        title=plain(run.scenario.name),
        id=plain(run.id),
        at_utc=run.started_utc,
        duration_s=run.scenario.run_time_s if run.ended_s is None else run.ended_s,
        sentence=verdict_sentence(result),
        verdict=result.verdict,
        facts=tuple(facts),
        figures=tuple(_figures(result)),
        warnings=(*([unfinished] if unfinished else []), *(sentence(warning) for warning in result.warnings)),
    )


def outcome_of(finding: Finding) -> Outcome:
    """Return what a finding means to a reader of test results."""
    if finding.status is Status.INCONCLUSIVE:
        return Outcome.SKIPPED if finding.is_waived else Outcome.FAILURE
    return {Status.PASS: Outcome.PASSED, Status.FAIL: Outcome.FAILURE, Status.INVALID: Outcome.ERROR}[
        finding.status
    ]


def needs_own_failure(verdict: Verdict) -> bool:
    """Tell whether a verdict is no PASS although no gate of it is a failure or an error: it rests on nothing."""
    told = {outcome_of(finding) for finding in verdict.findings}
    return verdict.status is not Status.PASS and not told & {Outcome.FAILURE, Outcome.ERROR}


def headline(finding: Finding) -> str:
    """Say in one clause what was measured and what was wanted: ``612 ms (601–640 ms), wanted < 500 ms``."""
    text = value_text(finding.measured, finding.gate.unit) if finding.measured is not None else "nothing measured"
    interval = finding.interval
    if finding.measured is not None and interval is not None and not (interval.low is interval.high is None):
        text += f" ({interval_text(finding)})"
    return f"{text}, wanted {limit_text(finding.gate)}"


def gate_figures(verdict: Verdict) -> Iterator[Figure]:
    """Yield the measured value of each gate whose better side is known, whose value is finite and not in doubt."""
    for finding in verdict.findings:
        gate = finding.gate
        value = finding.measured
        if finding.status is Status.INVALID or gate.direction is Direction.NEAR or gate.unit == "index":
            continue
        if value is None or not math.isfinite(value):
            continue
        scale, unit = _shown_unit(gate.unit)
        interval = finding.interval
        bounded = interval is not None and interval.low is not None and interval.high is not None
        yield Figure(
            name=figure_name(gate),
            value=value * scale,
            unit=unit,
            spread=interval_text(finding) if bounded else None,
            note=f"{finding.status.value}: {headline(finding)}"
            + ("" if finding.n is None else f"; n = {finding.n}"),
            bigger_is_better=gate.direction is Direction.ABOVE,
        )


def figure_name(gate: Gate) -> str:
    """Return the name that a figure keeps, whatever its gate is called: ``response_time p95 /api/…``."""
    parts = [gate.metric, gate.kind, None if gate.quantile is None else f"p{gate.quantile * 100:g}", gate.subject]
    return plain(" ".join([part for part in parts if part] + (["vs baseline"] if gate.against_baseline else [])))


def _figures(result: Result) -> Iterator[Figure]:
    # What is in doubt as a gate is no better as a bare figure.
    seen = {figure_name(f.gate) for f in result.verdict.findings if f.status is Status.INVALID}
    for figure in (*gate_figures(result.verdict), *_summary_figures(result)):
        if figure.name not in seen:
            seen.add(figure.name)
            yield figure


def _summary_figures(result: Result) -> Iterator[Figure]:
    """Yield the figures of the polls themselves: a series in a chart must not end where a gate is taken away."""
    summary = result.summary
    for metric, times in (("response_time", summary.response_time), ("service_time", summary.service_time)):
        for name, value_s in _named(times):
            if value_s is not None and math.isfinite(value_s):
                full = f"{metric} {name} {PENDING_ROUTE}"
                yield Figure(name=full, value=value_s * 1e3, unit="ms", note=f"n = {times.n}")
    if summary.sent:
        rate = summary.achieved_per_s
        yield Figure(name=f"achieved_rate {PENDING_ROUTE}", value=rate, unit="polls/s", bigger_is_better=True)


def _named(times: Quantiles) -> Iterator[tuple[str, float | None]]:
    yield from (("p50", times.p50), ("p95", times.p95), ("p99", times.p99))


def _shown_unit(unit: str) -> tuple[float, str]:
    return {"s": (1e3, "ms"), "ratio": (100.0, "%"), "per_s": (1.0, "1/s")}.get(unit, (1.0, unit))
