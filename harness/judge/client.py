"""Gates on what the agents saw: response time, errors, rate, connections."""

from collections.abc import Callable
from dataclasses import replace

from harness.columns import Bools, Floats
from harness.judge.autocorrelation import Level, integrated_time, time_at_limit
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
from harness.judge.quantiles import quantile, quantile_interval
from harness.judge.shares import Tally
from harness.judge.wording import count, duration, number, percent
from harness.model import Finding, Gate, Interval, Status


def response_time(gate: Gate, context: Context) -> Outcome:
    """Judge a quantile of end − intended start, failures infinite."""

    def late_s() -> Floats:
        return context.start_lateness_s + context.loop_lateness_s

    return _times(gate, context, context.response_time_s, levels=context.response_levels, late_s=late_s)


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
    failed = ~context.polls.ok
    if len(failed) == 0:
        finding = no_polls(gate)
    else:
        tally = _tally(gate, context, failed, tau=context.error_tau)
        finding = ratio_finding(
            gate,
            tally,
            noun="poll",
            did="failed",
            per_s=per_s(len(failed), context.window_s),
            cure=ERROR_CURE,
        )
        if finding.status is Status.FAIL and death is None:
            finding = _unless_own_fault(
                finding, tally, context, without=failed & ~context.own_failures, did="failed", latest_s=0.0
            )
    if death is None:
        return finding
    return replace(
        finding,
        status=Status.FAIL,
        reason=f"{death} during the run; {finding.reason}",
        remedy="the last lines of target.log and master-backend.log",
    )


def poll_rate(gate: Gate, context: Context) -> Outcome:
    """Judge completed polls per agent and second."""
    agents = context.evidence.agents
    if not len(context.polls) or context.window_s <= 0:
        return no_polls(gate)
    completed = int(context.polls.ok.sum())

    def rate(polls: int) -> float:
        return polls / agents / context.window_s

    measured = rate(completed)
    reason = (
        f"{count(agents, 'agent')} completed {count(completed, 'poll')} in {duration(context.window_s)}, "
        f"{number(measured)} a second each; {wanted(gate, number)}"
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
    reason = f"{count(len(known), 'poll')} opened {count(int(known.sum()), 'connection')}"
    cure = "a keep-alive time-out of the target above the polling interval (uvicorn: --timeout-keep-alive 75)"
    return plain_finding(gate, float(known.mean()), number, reason=reason, n=len(known), cure=cure)


def _times(
    gate: Gate, context: Context, values_s: Floats, *, levels: tuple[Level, ...], late_s: Callable[[], Floats]
) -> Finding:
    if len(values_s) == 0:
        return no_polls(gate)
    # "Not below" instead of "at least": a value that is no number is an exceedance too.
    exceeds = ~(values_s < gate.limit)
    failures = int(len(values_s) - context.polls.ok.sum())
    tau = time_at_limit(integrated_time(exceeds), levels, limit=gate.limit)
    tally = _tally(gate, context, exceeds, tau=tau)
    finding = quantile_finding(
        gate,
        tally,
        measured=quantile(values_s, gate.quantile or 1.0),
        interval=_interval(gate, tally, values_s),
        noun="poll",
        per_s=per_s(len(values_s), context.window_s),
        failures=failures,
    )
    if finding.status is not Status.FAIL:
        # Lateness only adds to what is measured, so it can't have made a PASS.
        return finding
    own_s = late_s()
    without = ~((values_s - own_s < gate.limit) | context.own_failures)
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
            f"{tally.exceedances:,} of {count(tally.n, 'poll')} {did}, but without the load generator's own "
            f"{' and '.join(faults)} only {remaining:,} would have"
        ),
        remedy=LATE_CURE,
    )


def _tally(gate: Gate, context: Context, exceeds: Bools, *, tau: float) -> Tally:
    exceedances = int(exceeds.sum())
    return Tally(
        n=len(exceeds),
        exceedances=exceedances,
        certain=exceedances,
        unsent=context.unsent,
        tau=tau,
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )


def _interval(gate: Gate, tally: Tally, values_s: Floats) -> Interval | None:
    if tally.allowed_ratio == 0 or gate.quantile is None:
        return None
    return quantile_interval(values_s, gate.quantile, confidence=tally.deciding_confidence, tau=tally.tau)


def _why_rate_fails(gate: Gate, context: Context, rate: Callable[[int], float]) -> tuple[Status, str, str]:
    """Return status, addition to the reason, and remedy of a poll rate outside its range."""
    evidence = context.evidence
    completed = int(context.polls.ok.sum())
    intended = evidence.summary.intended
    # A window that is no multiple of the interval holds up to one poll of each agent more or less.
    uneven = abs(intended - evidence.agents * context.window_s / evidence.interval_s) <= evidence.agents
    if uneven and not holds(gate, rate(intended)) and holds(gate, 1 / evidence.interval_s):
        blame = f"the window is too short to tell: the schedule itself put {count(intended, 'poll')} in it"
        return Status.INCONCLUSIVE, blame, "a run time of whole intervals after the warm-up"
    if len(context.polls) > intended:
        blame = f"the generator sent {len(context.polls) - intended:,} more than the schedule wanted"
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
    return Status.FAIL, blame, "the errors by kind and the longest polls in the report"
