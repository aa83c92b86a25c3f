"""Show a verdict over benchmarks: in a terminal, and in the form that the outputs are written from."""

from rich.console import Console

from harness.gating.benchmark_judge import BenchmarkVerdict
from harness.model import Status
from harness.report.judged import Judged, gate_figures
from harness.report.terminal import print_findings
from harness.report.words import counted, ended, names, plain

_ENDINGS = {
    Status.FAIL: "failed",
    Status.INVALID: "can't be judged: a benchmark or its values are missing",
    Status.INCONCLUSIVE: "could not be decided",
}


def print_benchmarks(verdict: BenchmarkVerdict, console: Console) -> None:
    """Print gates and verdict, the verdict in the last line."""
    ungated = verdict.verdict.coverage.ungated
    told = [
        ("file", f"{plain(verdict.file)}, {counted(verdict.benchmarks, 'benchmark')}, {plain(verdict.machine)}")
    ]
    if ungated:
        shown = names([plain(name) for name in ungated[:3]])
        more = f" and {len(ungated) - 3} more" if len(ungated) > 3 else ""
        told.append(("no gate", f"{shown}{more}"))
    told += [("warning", ended(warning)) for warning in verdict.warnings]
    print_findings(verdict.verdict, console, lines=told, sentence=benchmarks_sentence(verdict))


def benchmarks_sentence(verdict: BenchmarkVerdict) -> str:
    """Say in one or two sentences why the verdict is what it is."""
    findings, status = verdict.verdict.findings, verdict.verdict.status
    if not findings:
        return "Nothing was judged, so nothing is known."
    if status is Status.PASS:
        held = sum(finding.status is Status.PASS for finding in findings)
        return f"{held} of {counted(len(findings), 'gate')} held, on {counted(verdict.benchmarks, 'benchmark')}."
    decisive = [finding for finding in findings if finding.status is status]
    lead = f"{len(decisive)} of {counted(len(findings), 'gate')} {_ENDINGS[status]}."
    if not decisive:
        return lead
    # A test's name keeps its small letter, also at the beginning of a sentence.
    return f"{lead} {plain(decisive[0].gate.name)}: {ended(decisive[0].reason)}"


def judged_benchmarks(verdict: BenchmarkVerdict) -> Judged:
    """Return a verdict over benchmarks in the form that the outputs are written from."""
    facts = [
        ("file", plain(verdict.file)),
        ("machine", plain(verdict.machine)),
        ("commit", plain(verdict.commit or "unknown")),
        *(("baseline", plain(name)) for name in verdict.baselines),
    ]
    return Judged(
        kind="benchmarks",
        title="benchmarks",
        id=plain(verdict.file),
        at_utc=verdict.at_utc,
        duration_s=None,
        sentence=benchmarks_sentence(verdict),
        verdict=verdict.verdict,
        facts=tuple(facts),
        figures=tuple({figure.name: figure for figure in gate_figures(verdict.verdict)}.values()),
        warnings=verdict.warnings,
    )
