"""From a judged run to its record in a history: what later runs are compared with, and no more."""

import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from harness.columns import Floats, columns_of
from harness.conclude import Conclusion, conclude_again
from harness.environment import describe_branch, describe_commit_time
from harness.errors import HarnessError
from harness.history.records import fault_of, new_id
from harness.history.store import History, open_history
from harness.history_model import HISTORY_SCHEMA_VERSION, Distribution, HistoryRecord, Metric
from harness.judge.autocorrelation import bulk_levels
from harness.judge.catalogue import METRICS
from harness.judge.kinds import answered_with, is_named
from harness.judge.routes import routes_named
from harness.model import (
    PENDING_ROUTE,
    Direction,
    Environment,
    Finding,
    Gate,
    Quantiles,
    Result,
    Run,
    RunState,
    ServerFigures,
    Summary,
    Target,
    TargetKind,
)
from harness.rundir import RunDirectory, decode
from monitoring.histogram import Histogram

SOURCE = "harness"

_QUANTILES = (0.50, 0.95, 0.99)

_KEPT_OF_ROUTES = {("error_ratio", None), *(("response_time", q) for q in _QUANTILES)}
"""Metric and quantile of what is kept of each route besides the polled one."""

Key = tuple[str, str, float | None]
"""Subject, metric and quantile of a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """
    What came of recording a run.

    Args:
        where: the history, for people.
        record: what was kept; None when it was not.
        fault: why it was not kept; None when it was.
    """

    where: str
    record: HistoryRecord | None
    fault: HarnessError | None


def record_run(conclusion: Conclusion, directory: RunDirectory, where: str | Path) -> Recording:
    """
    Keep a run in a history. A history that can't be written costs nobody a verdict: the fault is returned.

    Args:
        conclusion: the judged run.
        directory: its folder, under its final name.
        where: as `open_history` takes it.
    """
    shown = "the history" if "://" in str(where) else str(where)
    try:
        history = open_history(where)
        shown = history.where
        record = record_of(conclusion, report=report_link(directory, history), repository=Path())
        history.add(record)
    except HarnessError as fault:
        return Recording(where=shown, record=None, fault=fault)
    return Recording(where=shown, record=record, fault=None)


def report_link(directory: RunDirectory, history: History) -> str | None:
    """Return where a run's report lies, relative to the folder of its history; None in a database."""
    if "://" in history.where:
        return None
    return Path(os.path.relpath(directory.report.absolute(), Path(history.where).absolute())).as_posix()


def record_of(
    conclusion: Conclusion, *, report: str | None = None, repository: Path | None = None
) -> HistoryRecord:
    """
    Make a run's record.

    Args:
        conclusion: the judged run; without samples its distributions are left out.
        report: see `HistoryRecord.report`.
        repository: working directory of the code that was measured, asked for branch and commit time; None for a
            run of another time or place, whose branch can't be known.
    """
    run = conclusion.result.run
    finished = run.state is RunState.FINISHED
    ended = "was interrupted" if run.state is RunState.INTERRUPTED else "ended before its time"
    notes = () if finished else (f"The run {ended}: it is no baseline.",)
    injected = injected_text(run.target)
    if injected is not None:
        notes = (*notes, f"A fault was put into the target on purpose ({injected}): the run is no baseline.")
    commit_utc = None
    if repository is not None and run.commit is not None:
        commit_utc = describe_commit_time(repository, run.commit)
    record = HistoryRecord(
        schema_version=HISTORY_SCHEMA_VERSION,
        id=run.id,
        at_utc=run.started_utc,
        source=SOURCE,
        commit=run.commit,
        commit_utc=commit_utc,
        dirty=run.dirty,
        branch=None if repository is None else describe_branch(repository),
        version=run.target.version,
        environment_key=run.environment.key,
        environment=environment_of(run.environment),
        scenario=run.scenario.name,
        scenario_digest=work_digest(run),
        target=target_text(run.target),
        status=conclusion.result.verdict.status,
        report=report,
        metrics=_metrics(conclusion),
        distributions=_distributions(conclusion),
        notes=notes,
        complete=finished,
        injected=injected,
        extra={"harness": run.harness_version, "seed": str(run.scenario.seed)},
    )
    # Plain Locust names its folder as it likes.
    if fault_of(record) is None:
        return record
    return replace(record, id=new_id(datetime.fromisoformat(record.at_utc), run.id.encode()))


def record_of_path(path: Path, history: History) -> HistoryRecord:
    """
    Make the record of a stored run.

    Args:
        path: a run's folder, or a ``result.json``. Without samples beside it the record has no distributions of
            the client's side, since the result holds figures only.
        history: that its report is linked from.

    Raises:
        HarnessError: no run, or files in it that can't be read.
    """
    directory = RunDirectory(path if path.is_dir() else path.parent)
    if directory.samples.exists() and (path.is_dir() or path.name == directory.result.name):
        conclusion = conclude_again(directory.path)
    else:
        file = directory.result if path.is_dir() else path
        result = decode(file.read_bytes(), Result, path=file)
        conclusion = Conclusion(result=result, columns=columns_of(()), ticks=())
    report = report_link(directory, history) if directory.report.exists() else None
    commit = conclusion.result.run.commit
    record = record_of(conclusion, report=report)
    return replace(record, commit_utc=None if commit is None else describe_commit_time(Path(), commit))


def work_digest(run: Run) -> str:
    """
    Return what is equal for runs of the same work on the same target.

    The scenario's digest knows the fleet only. A run on another kind of database, against another host, or on a
    reference master with other rows, another pool or another design is no repetition, nor is one that opens a
    connection for each poll. A run with an injected fault
    is one, of a worse target: it may be compared with the others, and they never with it
    (`HistoryRecord.injected`).
    """
    target = run.target
    place = str(target.deployments) if target.kind is TargetKind.EMBEDDED else target.url
    database = (target.database or "").partition(" ")[0]
    words = [
        run.scenario.digest,
        target.kind,
        database,
        place,
        *changed_settings(target, keep_alive=run.keep_alive),
    ]
    return sha256("|".join(words).encode()).hexdigest()[:12]


def changed_settings(target: Target, *, keep_alive: bool) -> tuple[str, ...]:
    """Return what was set on purpose, and makes other work of the same load; empty for the usual."""
    changed = tuple(f"{name}={value}" for name, value in _settings_of(target) if value is not None)
    return changed if keep_alive else (*changed, "keep-alive=off")


def injected_text(target: Target) -> str | None:
    """Return the faults that were put into a target on purpose, in words; None for none."""
    faults = (
        f"delayed by {target.delay_s:g} s" if target.delay_s else None,
        f"{target.error_ratio:.2%} artificial errors" if target.error_ratio else None,
        f"connections held {target.hold_s:g} s" if target.hold_s else None,
        f"without {target.dropped_index}" if target.dropped_index else None,
    )
    return ", ".join(fault for fault in faults if fault) or None


def environment_of(environment: Environment) -> Mapping[str, str]:
    """Return an environment as a record keeps it."""
    told = {
        "cpu": environment.cpu,
        "cores": environment.cores,
        "memory_bytes": environment.memory_bytes,
        "platform": environment.platform,
        "python": environment.python,
    }
    return {name: str(value) for name, value in told.items() if value is not None} | dict(environment.packages)


def target_text(target: Target) -> str:
    """Return a target in words for people, without its address."""
    rows = None if target.deployments is None else f"{target.deployments:,} deployments"
    settings = [f"{name} {value}" for name, value in _settings_of(target) if value is not None]
    parts = (target.kind.value, target.database, rows, *settings, injected_text(target))
    return ", ".join(part for part in parts if part)


def _settings_of(target: Target) -> tuple[tuple[str, object], ...]:
    """Return what was set on purpose and is no fault."""
    return ("pool of", target.pool_size), ("design", target.design)


def figure_key(gate: Gate, routes: Iterable[str]) -> Key:
    """
    Return subject, metric and quantile by which a record calls the figure of a gate.

    Args:
        gate: the rule. Its route may be written without a method, and ``errors(timeout)`` are not all ``errors``.
        routes: those of the run besides the polled one, by method and template.
    """
    named = routes_named(gate.subject, PENDING_ROUTE, routes)
    metric = gate.metric if gate.kind is None else f"{gate.metric}({gate.kind})"
    return named[0] if len(named) == 1 else gate.subject, metric, gate.quantile


def _metrics(conclusion: Conclusion) -> tuple[Metric, ...]:
    """Return the run's figures; what a gate said of one of them is added to it, other findings follow."""
    result = conclusion.result
    gates = {finding.gate: figure_key(finding.gate, result.routes) for finding in result.verdict.findings}
    findings = {
        gates[finding.gate]: finding
        for finding in reversed(result.verdict.findings)
        if not finding.gate.against_baseline
    }
    asked = {key: gate for gate, key in gates.items() if gate.against_baseline}
    told = []
    usual = (*_client_metrics(result), *_server_metrics(result), *_index_metrics(result))
    for metric in (*usual, *_route_metrics(result, {*findings, *asked})):
        finding = findings.pop(_key(metric), None)
        told.append(metric if finding is None else _judged(metric, finding))
    told += [_judged(_found(finding, key), finding) for key, finding in reversed(findings.items())]
    known = {_key(metric) for metric in told}
    told += [_asked(gate, key, conclusion) for key, gate in asked.items() if key not in known]
    return tuple(metric for metric in told if metric.value is not None or metric.limit is not None)


def _key(metric: Metric) -> Key:
    return metric.subject, metric.metric, metric.quantile


def _client_metrics(result: Result) -> Iterator[Metric]:
    """Yield the figures of the polled route."""
    summary = result.summary
    length_s = summary.window_end_s - summary.window_start_s
    agents = result.run.scenario.agents
    measured = length_s > 0 and summary.sent > 0
    missed_ratio = summary.missed / summary.intended if summary.intended else None
    poll_rate = summary.completed / agents / length_s if measured and agents else None
    yield from _request_metrics(summary, PENDING_ROUTE)
    yield _figure("missed_ratio", missed_ratio, "ratio", n=summary.intended)
    yield _figure("poll_rate", poll_rate, "per_s", Direction.NEAR, n=summary.completed)


def _route_metrics(result: Result, asked: Collection[Key]) -> Iterator[Metric]:
    """Yield the figures of the other routes: few of each, as they may be many, and what the gates ask for."""
    for route, summary in result.routes.items():
        for metric in _request_metrics(summary, route):
            if (metric.metric, metric.quantile) in _KEPT_OF_ROUTES or _key(metric) in asked:
                yield metric


def _request_metrics(summary: Summary, route: str) -> Iterator[Metric]:
    """Yield what is known of the requests of any route."""
    measured = summary.window_end_s > summary.window_start_s and summary.sent > 0
    error_ratio = summary.failed / summary.sent if summary.sent else None
    told = (
        *_quantiles("response_time", summary.response_time),
        *_quantiles("service_time", summary.service_time),
        *_quantiles("start_lag", summary.start_lag),
        _figure("error_ratio", error_ratio, "ratio", n=summary.sent),
        _figure("offered_rate", summary.offered_per_s if measured else None, "per_s", Direction.NEAR),
        _figure("achieved_rate", summary.achieved_per_s if measured else None, "per_s", Direction.ABOVE),
        _figure("connections_per_poll", summary.new_connections_per_poll, "count"),
    )
    yield from (replace(metric, subject=route) for metric in told)


def _server_metrics(result: Result) -> Iterator[Metric]:
    server = result.server
    if server is None:
        return
    for name, histogram in _server_histograms(server):
        for q, value in zip(_QUANTILES, histogram.quantiles(_QUANTILES), strict=True):
            yield _figure(name, value, "s", quantile=q, n=histogram.n)
    yield _figure("pool_use", server.pool_use_ratio, "ratio")
    server_error_ratio = server.errors / server.requests if server.requests else None
    yield _figure("server_error_ratio", server_error_ratio, "ratio", n=server.requests)


def _index_metrics(result: Result) -> Iterator[Metric]:
    for evidence in result.indexes:
        yield Metric(
            subject=evidence.expected_index,
            metric="index",
            quantile=None,
            value=None if evidence.served is None else float(evidence.served),
            unit="index",
            direction=Direction.ABOVE,
        )


def _quantiles(name: str, quantiles: Quantiles) -> Iterator[Metric]:
    for q, value in zip(_QUANTILES, (quantiles.p50, quantiles.p95, quantiles.p99), strict=True):
        yield _figure(name, value, "s", quantile=q, n=quantiles.n)
    yield _figure(f"{name}_mean", quantiles.mean, "s", n=quantiles.n)
    yield _figure(f"{name}_max", quantiles.max, "s", n=quantiles.n)


def _figure(
    name: str,
    value: float | None,
    unit: str,
    direction: Direction = Direction.BELOW,
    *,
    quantile: float | None = None,
    n: int | None = None,
) -> Metric:
    return Metric(
        subject=PENDING_ROUTE,
        metric=name,
        quantile=quantile,
        value=value,
        unit=unit,
        direction=direction,
        n=n,
    )


def _asked(gate: Gate, key: Key, conclusion: Conclusion) -> Metric:
    """Return a figure that a gate against the baseline compares, and that is not among the usual figures."""
    subject, metric, quantile = key
    result = conclusion.result
    summary = result.summary if subject == PENDING_ROUTE else result.routes.get(subject)
    return Metric(
        subject=subject,
        metric=metric,
        quantile=quantile,
        value=_counted(gate, summary, conclusion) if summary is not None and summary.sent else None,
        unit=METRICS[gate.metric].unit,
        direction=gate.direction,
        n=None if summary is None else summary.sent,
    )


def _counted(gate: Gate, summary: Summary, conclusion: Conclusion) -> float | None:
    """Return what a gate counts among the requests of a route; None where it counts something else."""
    if gate.metric in {"errors", "error_ratio"}:
        kinds = summary.errors_by_kind
        named = (n for kind, n in kinds.items() if gate.kind is not None and is_named(kind, gate.kind))
        failed = summary.failed if gate.kind is None else sum(named)
        return failed / summary.sent if gate.metric == "error_ratio" else float(failed)
    if gate.metric == "lock_step_index":
        return summary.lock_step_index
    if summary is not conclusion.result.summary:
        return None
    if gate.metric == "missed":
        return float(summary.missed)
    status = conclusion.columns.window(summary.window_start_s, summary.window_end_s).status
    if gate.metric != "answers" or not len(status):
        return None
    return float(answered_with(gate.kind, status).sum())


def _found(finding: Finding, key: Key) -> Metric:
    """Return the figure of a gate on something that is not among the usual figures."""
    subject, metric, quantile = key
    return Metric(
        subject=subject,
        metric=metric,
        quantile=quantile,
        value=finding.measured,
        unit=finding.gate.unit,
        direction=finding.gate.direction,
        n=finding.n,
    )


def _judged(metric: Metric, finding: Finding) -> Metric:
    """Return a figure with what its gate said: limit, interval, exceedances."""
    if metric.unit != finding.gate.unit:
        return metric
    return replace(
        metric,
        limit=finding.gate.limit,
        interval=finding.interval,
        exceedances=finding.exceedances,
        n=metric.n if finding.n is None else finding.n,
    )


def _distributions(conclusion: Conclusion) -> tuple[Distribution, ...]:
    result = conclusion.result
    polls = conclusion.columns.window(result.summary.window_start_s, result.summary.window_end_s)
    told = []
    if len(polls):
        failed_as_infinite = np.where(polls.ok, polls.service_time_s, math.inf)
        told = [
            _distribution("response_time", polls.with_missed().response_time_s),
            _distribution("service_time", failed_as_infinite),
            _distribution("start_lag", polls.start_lag_s),
        ]
    if result.server is not None:
        told += [
            Distribution(
                subject=PENDING_ROUTE,
                metric=name,
                unit="s",
                n=histogram.n,
                failures=0,
                tau=None,
                histogram=histogram,
            )
            for name, histogram in _server_histograms(result.server)
        ]
    return tuple(told)


def _distribution(name: str, values_s: Floats) -> Distribution:
    finite = values_s[np.isfinite(values_s)]
    return Distribution(
        subject=PENDING_ROUTE,
        metric=name,
        unit="s",
        n=len(values_s),
        failures=len(values_s) - len(finite),
        tau=max((level.time for level in bulk_levels(values_s)), default=None),
        histogram=Histogram.of(finite.tolist()),
    )


def _server_histograms(server: ServerFigures) -> Iterator[tuple[str, Histogram]]:
    named = (("handler_time", server.handler), ("query_time", server.query), ("pool_wait", server.pool_wait))
    for name, histogram in named:
        if histogram is not None and histogram.n:
            yield name, histogram
