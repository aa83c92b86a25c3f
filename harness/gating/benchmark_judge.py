"""
The verdict over a file of benchmarks: from durations and gates to findings. Pure.

A benchmark that a gate names and the file doesn't hold, or that the baseline holds and the file no longer does,
is an INVALID finding: renaming a benchmark must not make its gate pass.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.columns import Floats
from harness.gating.benchmark_file import Benchmark, BenchmarkFile
from harness.gating.benchmark_gates import METRIC, matches
from harness.judge.autocorrelation import bulk_levels, integrated_time, time_at_limit
from harness.judge.compare import Figure, compare
from harness.judge.findings import allowed_ratio, nothing_observed, quantile_finding
from harness.judge.gates import status_of
from harness.judge.quantiles import quantile, quantile_interval
from harness.judge.shares import Tally
from harness.judge.wording import count
from harness.model import SCHEMA_VERSION, Coverage, Direction, Finding, Gate, Status, Verdict

_PRESENCE = "benchmarks"
_PEDANTIC = "benchmark.pedantic(function, rounds=1000, iterations=1)"
_NO_DATA = "pytest --benchmark-json FILE, or --benchmark-save-data beside --benchmark-save"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkVerdict:
    """
    What became of gates over a file of benchmarks: the content of ``harness gate --benchmark-json … --json``.

    Args:
        schema_version: see `harness.model.SCHEMA_VERSION`.
        file: the file's name.
        at_utc: when it was written; None when it doesn't say.
        commit: git commit; None when it doesn't say.
        machine: as text.
        benchmarks: how many the file holds.
        baselines: the names of the files compared with.
        verdict: the judgement.
        warnings: what a person should know besides, one sentence each.
    """

    schema_version: int
    file: str
    at_utc: str | None
    commit: str | None
    machine: str
    benchmarks: int
    baselines: tuple[str, ...]
    verdict: Verdict
    warnings: tuple[str, ...]


def judge_benchmarks(
    gates: Sequence[Gate], file: BenchmarkFile, baselines: Sequence[BenchmarkFile] = ()
) -> BenchmarkVerdict:
    """
    Judge a file of benchmarks.

    Args:
        gates: from `harness.gating.benchmark_gates`; a pattern gives one finding for each benchmark it names.
        file: the run to judge.
        baselines: earlier runs, the oldest first; each is one value of the baseline.
    """
    findings: list[Finding] = []
    for gate in gates:
        found = [benchmark for benchmark in file.benchmarks if _names(gate, benchmark)]
        findings += [_judge(_about(gate, benchmark), benchmark, baselines) for benchmark in found]
        findings += [] if found else [_matches_nothing(gate, file)]
    findings += _vanished(file, baselines)
    findings = _with_unique_names(findings)
    judged = {finding.gate.subject for finding in findings}
    return BenchmarkVerdict(
        schema_version=SCHEMA_VERSION,
        file=file.path.name,
        at_utc=file.at_utc,
        commit=file.commit,
        machine=file.machine,
        benchmarks=len(file.benchmarks),
        baselines=tuple(baseline.path.name for baseline in baselines),
        verdict=Verdict(
            status=status_of(findings),
            findings=tuple(findings),
            coverage=Coverage(
                judged=tuple(finding.gate.name for finding in findings),
                not_judged={},
                ungated=tuple(b.fullname for b in file.benchmarks if b.fullname not in judged),
            ),
        ),
        warnings=_warnings(file, baselines),
    )


def _names(gate: Gate, benchmark: Benchmark) -> bool:
    return matches(gate.subject, benchmark.fullname) or matches(gate.subject, benchmark.name)


def _about(gate: Gate, benchmark: Benchmark) -> Gate:
    """Return the gate as it is about one benchmark."""
    condition = gate.name.removeprefix(f"{gate.subject} ")
    return replace(gate, subject=benchmark.fullname, name=f"{benchmark.name} {condition}")


def _judge(gate: Gate, benchmark: Benchmark, baselines: Sequence[BenchmarkFile]) -> Finding:
    values_s = benchmark.durations_s
    if values_s is None:
        reason = "the file holds no raw durations of it, so no quantile can be judged"
        return nothing_observed(gate, reason, remedy=_NO_DATA)
    if len(values_s) == 0:
        return nothing_observed(gate, "it was run for no round", remedy="a benchmark that is not skipped")
    odd = int((~np.isfinite(values_s)).sum())
    if odd:
        return replace(
            nothing_observed(gate, f"{odd} of {count(len(values_s), 'value')} are no durations (NaN or infinite)"),
            status=Status.INVALID,
            n=len(values_s),
            remedy="the benchmark itself, which pytest-benchmark timed",
        )
    if gate.against_baseline:
        return _compared(gate, benchmark, values_s, baselines)
    if benchmark.iterations > 1:
        reason = (
            f"each of its {count(len(values_s), 'value')} is the mean of {benchmark.iterations:,} calls, "
            "and the quantile of means says nothing of the quantile of calls"
        )
        return replace(nothing_observed(gate, reason, remedy=_PEDANTIC), n=len(values_s))
    return _absolute(gate, values_s)


def _absolute(gate: Gate, values_s: Floats) -> Finding:
    exceeds = values_s >= gate.limit
    exceedances = int(exceeds.sum())
    tau = time_at_limit(integrated_time(exceeds), bulk_levels(values_s), limit=gate.limit)
    tally = Tally(
        n=len(values_s),
        exceedances=exceedances,
        certain=exceedances,
        unsent=0,
        tau=tau,
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )
    q = gate.quantile or 1.0
    bounded = 0 < tally.allowed_ratio < 1
    finding = quantile_finding(
        gate,
        tally,
        measured=quantile(values_s, q),
        interval=quantile_interval(values_s, q, confidence=tally.deciding_confidence, tau=tau)
        if bounded
        else None,
        noun="round",
        per_s=0.0,
    )
    # Where a run's cure would be in the target's logs.
    cure = "a faster function, or a profile of it (pytest --benchmark-cprofile=tottime)"
    return replace(finding, remedy=cure) if finding.status is Status.FAIL else finding


def _compared(gate: Gate, benchmark: Benchmark, values_s: Floats, baselines: Sequence[BenchmarkFile]) -> Finding:
    """Compare with earlier runs. The run is the unit: a file is one value, however many rounds it holds."""
    q = gate.quantile or 1.0
    outcome = compare(
        [_quantile_of(baseline, benchmark, q) for baseline in baselines],
        [quantile(values_s, q)],
        figure=Figure(subject=gate.subject, metric=METRIC, quantile=q, unit="s"),
        limit_ratio=gate.limit,
        confidence=gate.confidence,
    )
    return Finding(
        gate=gate,
        status=outcome.status,
        measured=outcome.change_ratio,
        interval=outcome.interval,
        # 0 would say that the gate matches nothing; a baseline is yet to grow.
        n=outcome.baseline_n or None,
        effective_n=None,
        exceedances=None,
        reason=outcome.reason,
        remedy=outcome.remedy,
    )


def _quantile_of(file: BenchmarkFile, benchmark: Benchmark, q: float) -> float | None:
    for other in file.benchmarks:
        values_s = other.durations_s
        if other.fullname == benchmark.fullname and values_s is not None and len(values_s):
            value = quantile(values_s, q)
            return value if math.isfinite(value) else None
    return None


def _matches_nothing(gate: Gate, file: BenchmarkFile) -> Finding:
    names = [*(b.name for b in file.benchmarks), *(b.fullname for b in file.benchmarks)]
    near = difflib.get_close_matches(gate.subject, names, n=1)
    held = count(len(file.benchmarks), "benchmark")
    meant = f"; did you mean '{near[0]}'" if near else ""
    reason = f"{file.path.name} holds {held}, and none is '{gate.subject}'{meant}"
    return _missing(gate, reason, "the benchmark's present name, or the benchmark itself")


def _vanished(file: BenchmarkFile, baselines: Sequence[BenchmarkFile]) -> list[Finding]:
    """Return a finding for each benchmark of the latest baseline that the file no longer holds."""
    if not baselines:
        return []
    held = {benchmark.fullname for benchmark in file.benchmarks}
    before = {benchmark.fullname for benchmark in baselines[-1].benchmarks}
    new = sorted(held - before)
    findings = []
    for fullname in sorted(before - held):
        near = difflib.get_close_matches(fullname, new, n=1)
        renamed = f"; '{near[0]}' is new: was it renamed" if near else ""
        reason = f"{baselines[-1].path.name} holds it, and {file.path.name} does not{renamed}"
        gate = Gate(
            name=f"{fullname} is there",
            metric=_PRESENCE,
            subject=fullname,
            limit=0.0,
            unit="count",
            direction=Direction.ABOVE,
        )
        gone = _missing(gate, reason, "the benchmark, or a baseline of after it was taken away")
        findings.append(replace(gone, measured=0.0, n=None, effective_n=None))
    return findings


def _missing(gate: Gate, reason: str, remedy: str) -> Finding:
    return replace(nothing_observed(gate, reason, remedy=remedy), status=Status.INVALID)


def _with_unique_names(findings: Sequence[Finding]) -> list[Finding]:
    """Number the findings of a name that stands before them already: two files may hold tests of one name."""
    taken: dict[str, int] = {}
    named = []
    for finding in findings:
        name = finding.gate.name
        taken[name] = taken.get(name, 0) + 1
        told = name if taken[name] == 1 else f"{name} ({taken[name]})"
        named.append(replace(finding, gate=replace(finding.gate, name=told)))
    return named


def _warnings(file: BenchmarkFile, baselines: Sequence[BenchmarkFile]) -> tuple[str, ...]:
    others = sorted({baseline.machine for baseline in baselines} - {file.machine})
    told = [f"The baseline was measured on another machine or Python: {', '.join(others)}."] if others else []
    if file.dirty:
        told.append("Tracked files differed from the commit when this was measured.")
    return tuple(told)
