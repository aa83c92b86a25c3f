"""Gates on what the agents saw: response time, errors, rate, connections."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.columns import Bools, Columns, Floats
from harness.judge.autocorrelation import Level, bulk_levels, integrated_time, time_at_limit
from harness.judge.context import Context
from harness.judge.findings import (
    ERROR_CURE,
    LATE_CURE,
    SLOW_CURE,
    NotJudged,
    Outcome,
    allowed_ratio,
    holds,
    no_polls,
    nothing_observed,
    per_s,
    plain_finding,
    quantile_finding,
    ratio_finding,
    reached,
    wanted,
)
from harness.judge.kinds import GENERATOR_LIMIT, answered_with, is_named, of_kind
from harness.judge.quantiles import quantile, quantile_interval
from harness.judge.shares import Tally
from harness.judge.wording import count, duration, number, percent
from harness.model import Finding, Gate, Interval, Status

_NOT_PLANNED = NotJudged(reason="no schedule says how many requests of this route there should have been")


def response_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of end − intended start, failures infinite; of polls that were missed as well."""
    return _times(
        gate,
        context,
        context.response_time_s,
        polls=context.wanted,
        unsent=context.unknown,
        levels=context.response_levels,
        late_s=lambda: context.response_lateness_s,
    )


def service_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of end − start, failures infinite."""
    return _times(
        gate,
        context,
        context.service_time_s,
        levels=context.service_levels,
        late_s=lambda: context.loop_lateness_s,
    )


def error_ratio(gate: Gate, context: Context) -> Outcome:
    """Judge the share of polls that failed. A target that ended while it was polled fails, whatever the share."""
    death = context.evidence.target_death
    failed = _failed(gate, context)
    did = _failing(gate)
    if len(failed) == 0:
        finding = no_polls(gate)
    else:
        tau = context.error_tau if gate.kind is None else integrated_time(failed)
        tally = _tally(gate, context, failed, tau=tau)
        finding = ratio_finding(
            gate,
            tally,
            noun=context.noun,
            did=did,
            per_s=per_s(len(failed), context.window_s),
            cure=ERROR_CURE,
        )
        if finding.status is Status.FAIL and death is None:
            finding = _unless_own_fault(
                finding, tally, context, without=failed & ~context.own_failures, did=did, latest_s=0.0
            )
    if death is None or gate.kind is not None:
        return finding
    return replace(
        finding,
        status=Status.FAIL,
        reason=f"{death} during the run; {finding.reason}",
        remedy="the last lines of target.log and master-backend.log",
    )


def errors(gate: Gate, context: Context) -> Outcome:
    """Judge how many polls failed, or failed in one way."""
    if not len(context.polls):
        return no_polls(gate)
    failed = _failed(gate, context)
    n, total = int(failed.sum()), len(failed)
    reason = f"{n:,} of {count(total, context.noun)} {_failing(gate)}"
    finding = plain_finding(gate, n, number, reason=reason, n=total, cure=ERROR_CURE)
    own = int((failed & context.own_failures).sum())
    if finding.status is Status.FAIL and own and holds(gate, n - own):
        reason = f"{reason}, {own:,} of them for want of the load generator's own sockets, ports or memory"
        return replace(finding, status=Status.INVALID, reason=reason, remedy=LATE_CURE)
    return finding


def answers(gate: Gate, context: Context) -> Outcome:
    """Judge how many answers came, or how many with one status or class of status."""
    if not len(context.polls):
        return no_polls(gate)
    status = context.polls.status
    counted = answered_with(gate.kind, status)
    what = "were answered" if gate.kind is None else f"were answered with {gate.kind}"
    n, total = int(counted.sum()), len(status)
    reason = f"{n:,} of {count(total, context.noun)} {what}"
    return plain_finding(gate, n, number, reason=reason, n=total, cure=ERROR_CURE)


def start_lag(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of start − intended start, failed polls included: they were sent."""

    def late_s() -> Floats:
        return context.start_lateness_s

    values_s = context.polls.start_lag_s
    return _times(gate, context, values_s, levels=bulk_levels(values_s), late_s=late_s, failing=False)


def offered_rate(gate: Gate, context: Context) -> Outcome:
    """Judge requests sent a second."""
    return _rate(gate, context, len(context.polls), "sent")


def achieved_rate(gate: Gate, context: Context) -> Outcome:
    """Judge requests completed without error a second."""
    return _rate(gate, context, int(context.polls.ok.sum()), "completed")


def missed(gate: Gate, context: Context) -> Outcome:
    """Judge how many intended polls were never sent, or cut off by the end of the run."""
    if not context.evidence.planned:
        return _NOT_PLANNED
    intended = context.evidence.summary.intended
    if intended <= 0:
        return nothing_observed(gate, "the schedule had no poll in the measured window")
    reason = f"{context.unsent:,} of {count(intended, 'intended poll')} missed"
    return plain_finding(gate, context.unsent, number, reason=reason, n=intended, cure=SLOW_CURE)


def lock_step_index(gate: Gate, context: Context) -> Outcome:
    """Judge how far the agents' polls bunch within the interval."""
    if not len(context.polls):
        return no_polls(gate)
    index = context.evidence.summary.lock_step_index
    if index is None:
        return nothing_observed(gate, "fewer than two agents have no phases to compare", remedy="more agents")
    n = len(context.polls)
    reason = f"the phases of the agents in {count(n, context.noun)} have the index {number(index)}"
    return plain_finding(
        gate, index, number, reason=reason, n=n, cure="--phase-model uniform, or jitter in the agents"
    )


def poll_rate(gate: Gate, context: Context) -> Outcome:
    """Judge completed polls per agent and second: the schedule's, not the retries that a scenario adds to it."""
    agents = context.evidence.agents
    if not len(context.polls) or context.window_s <= 0:
        return no_polls(gate)
    completed = _completed(context)

    def rate(polls: int) -> float:
        return polls / agents / context.window_s

    measured = rate(completed)
    reason = (
        f"{count(round(agents), 'agent')} completed {count(completed, context.noun)} "
        f"in {duration(context.window_s)}, {number(measured)} a second each; {wanted(gate, number)}"
    )
    status, remedy = Status.PASS, None
    if not holds(gate, measured):
        status, blame, remedy = _why_rate_fails(gate, context, rate)
        reason = f"{reason}; {blame}"
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


def missed_ratio(gate: Gate, context: Context) -> Outcome:
    """Judge the share of intended polls that were never sent, or cut off by the end of the run."""
    if not context.evidence.planned:
        return _NOT_PLANNED
    intended = context.evidence.summary.intended
    if intended <= 0:
        return nothing_observed(gate, "the schedule had no poll in the measured window")
    reason = f"{context.unsent:,} of {count(intended, 'intended poll')} missed"
    return plain_finding(gate, context.unsent / intended, percent, reason=reason, n=intended, cure=SLOW_CURE)


def connections_per_poll(gate: Gate, context: Context) -> Outcome:
    """Judge how many connections were opened per poll."""
    if not len(context.polls):
        return no_polls(gate)
    known = context.polls.new_connection[context.polls.new_connection >= 0]
    if not len(known):
        return NotJudged(reason="the samples don't tell whether a connection was opened")
    reason = f"{count(len(known), context.noun)} opened {count(int(known.sum()), 'connection')}"
    cure = "a keep-alive time-out of the target above the polling interval (uvicorn: --timeout-keep-alive 75)"
    if not context.evidence.keep_alive:
        cure = "--keep-alive server: each poll asked for the close of its connection"
    return plain_finding(gate, float(known.mean()), number, reason=reason, n=len(known), cure=cure)


def _failed(gate: Gate, context: Context) -> Bools:
    """Return which polls failed in the way that the gate names."""
    if gate.kind is None:
        return ~context.polls.ok
    kinds = [i for i, kind in enumerate(context.polls.error_kinds) if is_named(kind, gate.kind)]
    return np.isin(context.polls.error, kinds)


def _failing(gate: Gate) -> str:
    """Say what a poll did that the gate counts, as a clause."""
    return "failed" if gate.kind is None else f"failed with {gate.kind}"


def _rate(gate: Gate, context: Context, n: int, did: str) -> Outcome:
    if not len(context.polls) or context.window_s <= 0:
        return no_polls(gate)
    rate = n / context.window_s
    reason = f"{count(n, context.noun)} {did} in {duration(context.window_s)}, {number(rate)} a second"
    cure = "the errors by kind and the missed polls in the report"
    return plain_finding(gate, rate, lambda value: f"{number(value)} a second", reason=reason, n=n, cure=cure)


def _times(
    gate: Gate,
    context: Context,
    values_s: Floats,
    *,
    levels: tuple[Level, ...],
    late_s: Callable[[], Floats],
    polls: Columns | None = None,
    unsent: int | None = None,
    failing: bool = True,
) -> Finding:
    """
    Judge a quantile of times.

    Args:
        gate: the rule.
        context: the evidence.
        values_s: of each of `polls`.
        levels: how their bulk hangs together.
        late_s: what the generator added to each.
        polls: what they are of; None for all that were sent.
        unsent: of how many more nothing is known; None for all that were not sent.
        failing: whether failures are among what exceeds.
    """
    if len(values_s) == 0:
        return no_polls(gate)
    polls = context.polls if polls is None else polls
    # "Not below" instead of "at least": a value that is no number is an exceedance too.
    exceeds = ~(values_s < gate.limit)
    failures = int(len(values_s) - polls.ok.sum()) if failing else 0
    tau = time_at_limit(integrated_time(exceeds), levels, limit=gate.limit)
    tally = _tally(gate, context, exceeds, tau=tau, unsent=unsent)
    finding = quantile_finding(
        gate,
        tally,
        measured=quantile(values_s, gate.quantile or 1.0),
        interval=_interval(gate, tally, values_s),
        noun=context.noun,
        per_s=per_s(len(values_s), context.window_s),
        failures=failures,
    )
    if finding.status is not Status.FAIL:
        # Lateness only adds to what is measured, so it can't have made a PASS.
        return finding
    own_s = late_s()
    spared = of_kind(polls, GENERATOR_LIMIT) if failing else np.zeros(len(values_s), dtype=np.bool_)
    without = ~((values_s - own_s < gate.limit) | spared)
    did = reached(gate, failures=failures)
    return _unless_own_fault(finding, tally, context, without=without, did=did, latest_s=float(own_s.max()))


def _unless_own_fault(
    finding: Finding, tally: Tally, context: Context, *, without: Bools, did: str, latest_s: float
) -> Finding:
    """Turn a FAIL into INVALID where it would not be one without what the generator itself did to the polls."""
    remaining = int(without.sum())
    if replace(tally, exceedances=remaining, certain=remaining).status is Status.FAIL:
        return finding
    faults = []
    if latest_s > 0:
        faults.append(f"lateness (up to {duration(latest_s)})")
    if context.own_failures.any():
        faults.append(f"want of sockets, ports or memory ({count(int(context.own_failures.sum()), 'poll')})")
    return replace(
        finding,
        status=Status.INVALID,
        reason=(
            f"{tally.exceedances:,} of {count(tally.n, context.noun)} {did}, but without the load generator's own "
            f"{' and '.join(faults)} only {remaining:,} would have"
        ),
        remedy=LATE_CURE,
    )


def _tally(gate: Gate, context: Context, exceeds: Bools, *, tau: float, unsent: int | None = None) -> Tally:
    exceedances = int(exceeds.sum())
    return Tally(
        n=len(exceeds),
        exceedances=exceedances,
        certain=exceedances,
        unsent=context.unsent if unsent is None else unsent,
        tau=tau,
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
        always_valid=context.evidence.settling or context.evidence.watching,
        halved=gate.abort_on_fail and not context.evidence.settling,
    )


def _interval(gate: Gate, tally: Tally, values_s: Floats) -> Interval | None:
    if tally.allowed_ratio == 0 or gate.quantile is None:
        return None
    return quantile_interval(
        values_s,
        gate.quantile,
        confidence=tally.deciding_confidence,
        tau=tally.tau,
        failing_confidence=tally.failing_confidence,
        always_valid=tally.always_valid,
    )


def _completed(context: Context) -> int:
    """Return how many of the schedule's polls were answered without error."""
    polls = context.polls
    return int((polls.ok if polls.extra is None else polls.ok & ~polls.extra).sum())


def _why_rate_fails(gate: Gate, context: Context, rate: Callable[[int], float]) -> tuple[Status, str, str]:
    """Return status, addition to the reason, and remedy of a poll rate outside its range."""
    evidence = context.evidence
    completed = _completed(context)
    intended = evidence.summary.intended
    # A window that is no multiple of the interval holds up to one poll of each agent more or less.
    uneven = (
        evidence.planned
        and abs(intended - evidence.agents * context.window_s / evidence.interval_s) <= evidence.agents
    )
    if uneven and not holds(gate, rate(intended)) and holds(gate, 1 / evidence.interval_s):
        blame = f"the window is too short to tell: the schedule itself put {count(intended, 'poll')} in it"
        return Status.INCONCLUSIVE, blame, "a run time of whole intervals after the warm-up"
    planned = len(context.polls) - context.besides
    if evidence.planned and planned > intended:
        blame = f"the generator sent {planned - intended:,} more than the schedule wanted"
        return Status.INVALID, blame, "the schedule and the samples of one and the same run"
    # A poll that outlasts the interval keeps its agent from sending the next: those are the target's.
    held_back = int((context.polls.service_time_s // evidence.interval_s).sum())
    own = max(0, context.unsent - held_back) + int(context.own_failures.sum())
    if own and holds(gate, rate(completed + own)):
        blame = f"{count(own, 'poll')} were missing although the target kept no agent waiting"
        if evidence.interrupted:
            return Status.INCONCLUSIVE, f"{blame}: the run was interrupted", "a run to its end"
        return Status.INVALID, blame, LATE_CURE
    blame = f"{len(context.polls) - completed:,} failed, {context.unsent:,} missed"
    if context.besides:
        blame = f"{blame}, {context.besides:,} sent besides the schedule"
    return Status.FAIL, blame, "the errors by kind and the longest polls in the report"
