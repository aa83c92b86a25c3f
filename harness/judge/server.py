"""Gates on what the target says of itself, and on what its database says: statements, handler, pool, plans."""

import difflib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.judge.autocorrelation import EDGE_QUANTILE, integrated_time, time_at_limit
from harness.judge.context import Context
from harness.judge.findings import (
    NotJudged,
    Outcome,
    allowed_ratio,
    no_polls,
    nothing_observed,
    observed_finding,
    per_s,
    plain_finding,
    quantile_finding,
)
from harness.judge.shares import Tally
from harness.judge.wording import count, duration, percent
from harness.model import PENDING_ROUTE, Finding, Gate, IndexEvidence, ServerFigures, Status
from monitoring.histogram import Histogram

_NO_SERVER = (
    "the target gave no figures of its own; install the monitoring layer there, or check that "
    "/api/metrics/pending-deployments answers"
)


def query_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of the durations of single statements, as the server measured them."""
    return _histogram(gate, context, lambda server: server.query, noun="statement")


def handler_time(gate: Gate, context: Context) -> Outcome:
    """
    Judge a quantile of the handler times, as the server measured them.

    The target's figures are of the polled route. For another one, and where there are no figures, the times that
    the answers carried themselves are taken (``Server-Timing``).
    """
    server = context.evidence.server
    if context.evidence.planned and server is not None and server.handler is not None:
        return _histogram(gate, context, lambda server: server.handler, noun="request")
    values_s = context.polls.handler_s
    told_s = values_s[np.isfinite(values_s)]
    if not len(values_s):
        return no_polls(gate)
    if not len(told_s):
        return NotJudged(reason=f"{_NO_SERVER}; no answer of {gate.subject} told its handler time either")
    silent = len(values_s) - len(told_s)
    return observed_finding(
        gate,
        told_s,
        noun="answer",
        per_s=per_s(len(told_s), context.window_s),
        caveat=f"; {count(silent, 'more request')} without such a time" if silent else "",
    )


def pool_wait(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of the waits for a pooled connection, as the server measured them."""
    return _histogram(gate, context, lambda server: server.pool_wait, noun="checkout")


def pool_use(gate: Gate, context: Context) -> Outcome:
    """Judge the most connections that were checked out at once, relative to what the pool may open."""
    server = context.evidence.server
    if server is None:
        return NotJudged(reason=_NO_SERVER)
    ratio = server.pool_use_ratio
    if ratio is None:
        fault = "its connection pool has no bound" if server.pool_size is None else "it gave no peak of its pool"
        return NotJudged(reason=f"the target's figures hold no pool use: {fault}")
    if server.requests == 0:
        return nothing_observed(gate, "the target handled no poll in the measured window")
    reason = f"{server.pool_peak} of {server.pool_size} connections were checked out at once, {percent(ratio)}"
    cure = "a larger pool_size in database.py, or the connections that are held too long (/api/health)"
    return plain_finding(gate, ratio, percent, reason=reason, n=server.requests, cure=cure)


def index(gate: Gate, context: Context) -> Outcome:
    """Judge whether the database serves the statements that expect an index by searching it."""
    plans = [plan for plan in context.evidence.indexes if plan.expected_index == gate.subject]
    if not plans and context.evidence.indexes:
        names = sorted({plan.expected_index for plan in context.evidence.indexes})
        near = difflib.get_close_matches(gate.subject, names, n=1)
        reason = f"no statement that was explained is meant for {gate.subject}, only for {', '.join(names)}"
        remedy = f"'index({near[0]})', if that was meant" if near else "an index that the specification names"
        if gate.optional:
            return NotJudged(reason=reason)
        return nothing_observed(gate, reason, remedy=remedy)
    if not plans:
        return NotJudged(reason="no query plan was read: that takes the database's URL (--database-url)")
    known = [plan for plan in plans if plan.served is not None]
    if not known:
        return NotJudged(reason=plans[0].note or "the query plan could not be judged")
    unserved = [plan for plan in known if not plan.served]
    shown = (unserved or known)[0]
    return Finding(
        gate=gate,
        status=Status.FAIL if unserved else Status.PASS,
        measured=(len(known) - len(unserved)) / len(known),
        interval=None,
        n=len(known),
        effective_n=None,
        exceedances=None,
        reason=_unserved(gate, shown) if unserved else f"the plan searches {gate.subject}: {shown.plan}",
        remedy=f"an index {gate.subject} on the columns that the specification names" if unserved else None,
    )


def _unserved(gate: Gate, evidence: IndexEvidence) -> str:
    """Say what is wrong before the plan, which may use an index of the right name and the wrong columns."""
    if evidence.note is None:
        return f"the plan does not search {gate.subject}: {evidence.plan}"
    # A note that points at a step of the plan has said it.
    return evidence.note if evidence.plan in evidence.note else f"{evidence.note}; the plan: {evidence.plan}"


def _histogram(
    gate: Gate, context: Context, pick: Callable[[ServerFigures], Histogram | None], *, noun: str
) -> Outcome:
    if gate.subject not in {PENDING_ROUTE, context.evidence.subject}:
        return NotJudged(reason=f"the target's figures were asked for {PENDING_ROUTE} alone")
    server = context.evidence.server
    if server is None:
        return NotJudged(reason=_NO_SERVER)
    histogram = pick(server)
    if histogram is None:
        return NotJudged(reason=f"the target's figures hold no durations of its {noun}s")
    if histogram.n == 0:
        return nothing_observed(gate, f"the target measured no {noun} in {duration(server.window_s)}")
    exceedances = histogram.count_at_least(gate.limit)
    tally = Tally(
        n=histogram.n,
        exceedances=exceedances,
        certain=sum(hits for low, _, hits in histogram.buckets() if low >= gate.limit),
        unsent=0,
        tau=_tau(gate.limit, context, histogram, exceedances),
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )
    return quantile_finding(
        gate,
        tally,
        measured=histogram.quantile(gate.quantile or 1.0),
        interval=None,
        noun=noun,
        per_s=per_s(histogram.n, server.window_s),
    )


def _tau(limit_s: float, context: Context, histogram: Histogram, exceedances: int) -> float:
    """
    Return the τ for a histogram, which has lost the order of what it counted.

    Slow spells of the polls are slow spells of what serves them: each level of the histogram is taken to hang
    together as the same level of the response times does.
    """
    at_limit = integrated_time(context.response_time_s >= limit_s) if exceedances else 1.0
    low, high = (histogram.quantile(q) or 0.0 for q in (EDGE_QUANTILE, 1 - EDGE_QUANTILE))
    levels = [
        replace(level, value=histogram.quantile(level.quantile) or 0.0, low=low, high=high)
        for level in context.response_levels
    ]
    return time_at_limit(at_limit, levels, limit=limit_s)
