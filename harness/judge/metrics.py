"""One evaluator for each metric that a gate can name, and the registry that finds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.columns import Floats
from harness.judge.context import Context
from harness.judge.quantiles import quantile, quantile_interval
from harness.judge.shares import Tally
from harness.judge.wording import count, duration, number, percent
from harness.model import Direction, Finding, Gate, Interval, ServerFigures, Status
from monitoring.histogram import Histogram

_NO_SERVER = (
    "the target gave no figures of its own; install the monitoring layer there, or check that "
    "/api/metrics/pending-deployments answers"
)
_SLOW = "the report's 'where the time went': handler, database or pool wait; then database-queries.log"
_LATE = "fewer agents, or a faster or less busy machine for the generator"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJudged:
    """A gate whose source is missing, and why."""

    reason: str


Outcome = Finding | NotJudged
Evaluator = Callable[[Gate, Context], Outcome]


def evaluate_response_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of end − intended start."""
    late_s = context.start_lateness_s + context.loop_lateness_s
    return _polls_finding(gate, context, context.polls.response_time_s, late_s)


def evaluate_service_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of end − start, failures infinite."""
    polls = context.polls
    service_time_s = np.where(polls.ok, polls.service_time_s, np.inf)
    return _polls_finding(gate, context, service_time_s, context.loop_lateness_s)


def evaluate_error_ratio(gate: Gate, context: Context) -> Outcome:
    """Judge the share of polls that failed."""
    n = len(context.polls)
    if n == 0:
        return _no_polls(gate)
    failed = int(n - context.polls.ok.sum())
    tally = Tally(
        n=n,
        exceedances=failed,
        certain=failed,
        unsent=context.unsent,
        tau=context.error_tau,
        confidence=gate.confidence,
        allowed_ratio=gate.limit,
    )
    return Finding(
        gate=gate,
        status=tally.status,
        measured=failed / n,
        interval=tally.interval,
        n=n,
        effective_n=tally.effective_n,
        exceedances=failed,
        reason=tally.reason(noun="poll", did="failed"),
        remedy=_share_remedy(
            tally,
            noun="poll",
            per_s=_per_s(n, context.window_s),
            cure="the errors by kind in the report; then master-backend.log of the target",
        ),
    )


def evaluate_query_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of the durations of single statements, as the server measured them."""
    return _histogram_finding(gate, context, lambda server: server.query, noun="statement")


def evaluate_handler_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of the handler times, as the server measured them."""
    return _histogram_finding(gate, context, lambda server: server.handler, noun="request")


def evaluate_pool_wait(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of the waits for a pooled connection, as the server measured them."""
    return _histogram_finding(gate, context, lambda server: server.pool_wait, noun="checkout")


def evaluate_poll_rate(gate: Gate, context: Context) -> Outcome:
    """Judge completed polls per agent and second."""
    evidence = context.evidence
    if not len(context.polls) or context.window_s <= 0:
        return _no_polls(gate)
    completed = int(context.polls.ok.sum())

    def rate(polls: int) -> float:
        return polls / evidence.agents / context.window_s

    measured = rate(completed)
    reason = (
        f"{count(evidence.agents, 'agent')} completed {count(completed, 'poll')} in {duration(context.window_s)}, "
        f"{number(measured)} a second each; {_wanted(gate, number)}"
    )
    status, remedy = Status.PASS, None
    if not _holds(gate, measured):
        status, blame, remedy = _why_rate_fails(gate, context, rate)
        reason += blame
    return Finding(
        gate=gate,
        status=status,
        measured=measured,
        interval=None,
        n=completed,
        effective_n=None,
        exceedances=None,
        reason=reason,
        remedy=remedy,
    )


def evaluate_missed_ratio(gate: Gate, context: Context) -> Outcome:
    """Judge the share of intended polls that were never sent."""
    intended = context.evidence.summary.intended
    if intended <= 0:
        return _nothing_observed(gate, "the schedule had no poll in the measured window")
    reason = f"{context.unsent:,} of {count(intended, 'intended poll')} never sent"
    return _plain_finding(gate, context.unsent / intended, percent, reason=reason, n=intended, cure=_SLOW)


def evaluate_connections_per_poll(gate: Gate, context: Context) -> Outcome:
    """Judge how many connections were opened per poll."""
    known = context.polls.new_connection[context.polls.new_connection >= 0]
    if not len(context.polls):
        return _no_polls(gate)
    if not len(known):
        return NotJudged(reason="the samples don't tell whether a connection was opened")
    reason = f"{count(len(known), 'poll')} opened {count(int(known.sum()), 'connection')}"
    cure = "a keep-alive time-out of the target above the polling interval (uvicorn: --timeout-keep-alive 75)"
    return _plain_finding(gate, float(known.mean()), number, reason=reason, n=len(known), cure=cure)


def evaluate_pool_use(gate: Gate, context: Context) -> Outcome:
    """Judge the most connections that were checked out at once, relative to what the pool may open."""
    server = context.evidence.server
    if server is None:
        return NotJudged(reason=_NO_SERVER)
    ratio = server.pool_use_ratio
    if ratio is None:
        fault = "its connection pool has no bound" if server.pool_size is None else "it gave no peak of its pool"
        return NotJudged(reason=f"the target's figures hold no pool use: {fault}")
    if server.requests == 0:
        return _nothing_observed(gate, "the target handled no poll in the measured window")
    reason = f"{server.pool_peak} of {server.pool_size} connections were checked out at once, {percent(ratio)}"
    cure = "a larger pool_size in database.py, or the connections that are held too long (/api/health)"
    return _plain_finding(gate, ratio, percent, reason=reason, n=server.requests, cure=cure)


def evaluate_index(gate: Gate, context: Context) -> Outcome:
    """Judge whether the database serves the statements that expect an index by searching it."""
    plans = [plan for plan in context.evidence.indexes if plan.expected_index == gate.subject]
    if not plans:
        return NotJudged(reason="no query plan was read: that takes the database's URL (--database-url)")
    known = [plan for plan in plans if plan.served is not None]
    if not known:
        return NotJudged(reason=plans[0].note or "the query plan could not be judged")
    passed_by = [plan for plan in known if not plan.served]
    return Finding(
        gate=gate,
        status=Status.FAIL if passed_by else Status.PASS,
        measured=(len(known) - len(passed_by)) / len(known),
        interval=None,
        n=len(known),
        effective_n=None,
        exceedances=None,
        reason=(
            f"the plan does not search {gate.subject}: {passed_by[0].plan}"
            if passed_by
            else f"the plan searches {gate.subject}: {known[0].plan}"
        ),
        remedy=f"create {gate.subject}, or bring its columns in line with the specification"
        if passed_by
        else None,
    )


EVALUATORS: Mapping[str, Evaluator] = {
    "connections_per_poll": evaluate_connections_per_poll,
    "error_ratio": evaluate_error_ratio,
    "handler_time": evaluate_handler_time,
    "index": evaluate_index,
    "missed_ratio": evaluate_missed_ratio,
    "poll_rate": evaluate_poll_rate,
    "pool_use": evaluate_pool_use,
    "pool_wait": evaluate_pool_wait,
    "query_time": evaluate_query_time,
    "response_time": evaluate_response_time,
    "service_time": evaluate_service_time,
}
"""Metric → the function that judges it."""

QUANTILE_METRICS = frozenset({"handler_time", "pool_wait", "query_time", "response_time", "service_time"})
"""Metrics that are distributions: their gates name a quantile."""

SHARE_METRICS = QUANTILE_METRICS | {"error_ratio"}
"""Metrics that are judged by counting exceedances, and so need a number of polls."""


def allowed_ratio(gate: Gate) -> float:
    """Return the share of observations that may exceed under a gate on a quantile or an error ratio, 0..1."""
    return gate.limit if gate.quantile is None else round(1 - gate.quantile, 12)


def _polls_finding(gate: Gate, context: Context, values_s: Floats, late_s: Floats) -> Finding:
    n = len(values_s)
    if n == 0:
        return _no_polls(gate)
    # "Not below" instead of "at least": a value that is no number is an exceedance too.
    exceedances = int((~(values_s < gate.limit)).sum())
    tally = Tally(
        n=n,
        exceedances=exceedances,
        certain=exceedances,
        unsent=context.unsent,
        tau=context.tau(gate.limit),
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )
    did = f"took {duration(gate.limit)} or longer"
    finding = _quantile_finding(
        gate,
        tally,
        measured=quantile(values_s, gate.quantile or 1.0),
        interval=_interval_of(values_s, gate, tally),
        noun="poll",
        per_s=_per_s(n, context.window_s),
    )
    if finding.status is not Status.FAIL:
        return finding
    without = int((~(values_s - late_s < gate.limit)).sum())
    if replace(tally, exceedances=without, certain=without).status is Status.FAIL:
        return finding
    return replace(
        finding,
        status=Status.INVALID,
        reason=(
            f"{exceedances:,} of {count(n, 'poll')} {did}, but without the load generator's own lateness "
            f"(up to {duration(float(late_s.max()))}) only {without:,} would have"
        ),
        remedy=_LATE,
    )


def _histogram_finding(
    gate: Gate, context: Context, pick: Callable[[ServerFigures], Histogram | None], *, noun: str
) -> Outcome:
    server = context.evidence.server
    if server is None:
        return NotJudged(reason=_NO_SERVER)
    histogram = pick(server)
    if histogram is None:
        return NotJudged(reason=f"the target's figures hold no durations of its {noun}s")
    if histogram.n == 0:
        reason = f"the target measured no {noun} in {duration(server.window_s)}"
        return _nothing_observed(gate, reason)
    tally = Tally(
        n=histogram.n,
        exceedances=histogram.count_at_least(gate.limit),
        certain=sum(hits for low, _, hits in histogram.buckets() if low >= gate.limit),
        unsent=0,
        # The histogram has lost the order; slow spells of the polls are slow spells of what serves them.
        tau=context.tau(gate.limit),
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )
    return _quantile_finding(
        gate,
        tally,
        measured=histogram.quantile(gate.quantile or 1.0),
        interval=None,
        noun=noun,
        per_s=_per_s(histogram.n, server.window_s),
    )


def _quantile_finding(
    gate: Gate, tally: Tally, *, measured: float | None, interval: Interval | None, noun: str, per_s: float
) -> Finding:
    return Finding(
        gate=gate,
        status=tally.status,
        measured=measured,
        interval=interval,
        n=tally.n,
        effective_n=tally.effective_n,
        exceedances=tally.exceedances,
        reason=tally.reason(noun=noun, did=f"took {duration(gate.limit)} or longer"),
        remedy=_share_remedy(tally, noun=noun, per_s=per_s, cure=_SLOW),
    )


def _interval_of(values_s: Floats, gate: Gate, tally: Tally) -> Interval | None:
    if tally.allowed_ratio == 0 or gate.quantile is None:
        return None
    return quantile_interval(values_s, gate.quantile, confidence=tally.deciding_confidence, tau=tally.tau)


def _share_remedy(tally: Tally, *, noun: str, per_s: float, cure: str) -> str | None:
    if tally.status is Status.PASS:
        return None
    if tally.status is Status.FAIL:
        return cure
    return tally.settling_remedy(noun=noun, per_s=per_s)


def _plain_finding(
    gate: Gate, measured: float, text: Callable[[float], str], *, reason: str, n: int, cure: str
) -> Finding:
    """Judge a figure that is no sample of anything: it is compared as it is."""
    holds = _holds(gate, measured)
    return Finding(
        gate=gate,
        status=Status.PASS if holds else Status.FAIL,
        measured=measured,
        interval=None,
        n=n,
        effective_n=None,
        exceedances=None,
        reason=f"{reason}; {_wanted(gate, text)}",
        remedy=None if holds else cure,
    )


def _why_rate_fails(gate: Gate, context: Context, rate: Callable[[int], float]) -> tuple[Status, str, str]:
    """Return status, addition to the reason, and remedy of a poll rate outside its range."""
    evidence = context.evidence
    completed = int(context.polls.ok.sum())
    intended = evidence.summary.intended
    # A window that is no multiple of the interval holds up to one poll of each agent more or less.
    uneven = abs(intended - evidence.agents * context.window_s / evidence.interval_s) <= evidence.agents
    if uneven and not _holds(gate, rate(intended)) and _holds(gate, 1 / evidence.interval_s):
        blame = f"; the window is too short to tell: the schedule itself put {count(intended, 'poll')} in it"
        return Status.INCONCLUSIVE, blame, "a run time of whole intervals after the warm-up"
    if len(context.polls) > intended:
        blame = f"; the generator sent {len(context.polls) - intended:,} more than the schedule wanted"
        return Status.INVALID, blame, "the schedule and the samples of one and the same run"
    unsent = context.unsent
    # A poll that outlasts the interval keeps its agent from sending the next: those are the target's.
    held_back = int((context.polls.service_time_s // evidence.interval_s).sum())
    own = max(0, unsent - held_back)
    if own and _holds(gate, rate(completed + own)):
        blame = f"; {count(own, 'poll')} never sent although the target kept no agent waiting"
        if evidence.interrupted:
            return Status.INCONCLUSIVE, f"{blame}: the run was interrupted", "a run to its end"
        return Status.INVALID, blame, _LATE
    blame = f"; {len(context.polls) - completed:,} failed, {unsent:,} never sent"
    return Status.FAIL, blame, "the errors by kind and the longest polls in the report"


def _holds(gate: Gate, measured: float) -> bool:
    if gate.direction is Direction.BELOW:
        return measured < gate.limit
    if gate.direction is Direction.ABOVE:
        return measured > gate.limit
    low, high = _near_range(gate)
    # The slack undoes binary rounding: 0.11 is within 10 % of 0.1.
    return low - 1e-9 * abs(gate.limit) <= measured <= high + 1e-9 * abs(gate.limit)


def _near_range(gate: Gate) -> tuple[float, float]:
    margin = abs(gate.limit) * (gate.tolerance_ratio or 0.0)
    return gate.limit - margin, gate.limit + margin


def _wanted(gate: Gate, text: Callable[[float], str]) -> str:
    if gate.direction is Direction.NEAR:
        low, high = _near_range(gate)
        return f"{text(low)} to {text(high)} are allowed"
    return f"{gate.direction.value} {text(gate.limit)} is wanted"


def _no_polls(gate: Gate) -> Finding:
    return _nothing_observed(gate, f"no poll of {gate.subject} in the measured window")


def _nothing_observed(gate: Gate, reason: str) -> Finding:
    return Finding(
        gate=gate,
        status=Status.INCONCLUSIVE,
        measured=None,
        interval=None,
        n=0,
        effective_n=0.0,
        exceedances=None,
        reason=reason,
        remedy="a run that goes on for at least one interval after the warm-up",
    )


def _per_s(n: int, window_s: float) -> float:
    return n / window_s if window_s > 0 else 0.0
