"""The specification's targets as gates, and the verdict over gates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.judge.against import against_baseline
from harness.judge.always import always_within
from harness.judge.catalogue import METRICS, Kind, Scope
from harness.judge.checks import check_gates
from harness.judge.evidence import Evidence
from harness.judge.findings import ERROR_CURE, SLOW_CURE, NotJudged, Outcome, allowed_ratio, nothing_observed
from harness.judge.intervals import smallest_n
from harness.judge.metrics import EVALUATORS
from harness.judge.routes import Contexts
from harness.model import (
    PENDING_ROUTE,
    Coverage,
    Direction,
    Finding,
    Gate,
    Scenario,
    Status,
    Verdict,
)

__all__ = [
    "Evidence",
    "Shortfall",
    "check_gates",
    "judge",
    "overall",
    "plan_shortfall",
    "required_polls",
    "spec_gates",
    "status_of",
]

PENDING_INDEX = "idx_deployment_agent_status_created"
"""Index that has to serve the pending query."""

_PRECEDENCE = (Status.FAIL, Status.INVALID, Status.INCONCLUSIVE, Status.PASS)
"""Worst first: what the target surely did wrong outweighs what could not be told."""


def spec_gates(*, interval_s: float) -> tuple[Gate, ...]:
    """
    Return the targets of the specification.

    Args:
        interval_s: polling interval of each agent, > 0 [s].
    """

    def pending(
        name: str, metric: str, limit: float, unit: str, quantile: float | None = None, *, optional: bool = False
    ) -> Gate:
        return Gate(
            name=name,
            metric=metric,
            subject=PENDING_ROUTE,
            limit=limit,
            unit=unit,
            quantile=quantile,
            optional=optional,
        )

    return (
        pending("p50", "response_time", 0.050, "s", 0.50),
        pending("p95", "response_time", 0.200, "s", 0.95),
        pending("p99", "response_time", 0.500, "s", 0.99),
        pending("error-ratio", "error_ratio", 0.01, "ratio"),
        Gate(
            name="poll-rate",
            metric="poll_rate",
            subject=PENDING_ROUTE,
            limit=1 / interval_s,
            unit="per_s",
            direction=Direction.NEAR,
            tolerance_ratio=0.10,
        ),
        pending("query-time", "query_time", 0.100, "s", 0.99, optional=True),
        pending("pool-use", "pool_use", 0.80, "ratio", optional=True),
        Gate(
            name="pending-index",
            metric="index",
            subject=PENDING_INDEX,
            limit=1.0,
            unit="index",
            direction=Direction.NEAR,
            tolerance_ratio=0.0,
            optional=True,
        ),
    )


def judge(gates: Sequence[Gate], evidence: Evidence) -> Verdict:
    """
    Judge a run.

    Args:
        gates: the rules, with unique names.
        evidence: what is known of the run.

    Returns:
        One finding for each gate whose source is there. Of the others those that are optional stand in the
        coverage with the reason, and those that are not are inconclusive. A run that was called off has one more,
        which fails.

    Raises:
        UsageError: a gate that can't be judged on any run (`check_gates`).
    """
    check_gates(gates)
    contexts = Contexts(evidence)
    findings: list[Finding] = []
    not_judged: dict[str, str] = {}
    for gate in gates:
        outcome = _outcome(gate, contexts)
        if isinstance(outcome, Finding):
            findings.append(_stopped(outcome, evidence))
        elif evidence.lost:
            reason = "the run was killed before this could be asked"
            findings.append(nothing_observed(gate, reason, remedy="a run to its end"))
        elif gate.optional:
            not_judged[gate.name] = outcome.reason
        else:
            findings.append(_unanswered(gate, outcome))
    if evidence.called_off is not None:
        findings.append(_target_down(evidence.called_off))
    return Verdict(
        status=status_of(findings),
        findings=tuple(findings),
        coverage=Coverage(
            judged=tuple(finding.gate.name for finding in findings),
            not_judged=not_judged,
            ungated=contexts.ungated(gates),
        ),
    )


def status_of(findings: Sequence[Finding]) -> Status:
    """
    Return the status of a verdict: the worst of its findings.

    An inconclusive finding of a gate with ``on_inconclusive = "pass"`` does not count, unless nothing at all was
    seen of what the gate is about. A verdict that rests on nothing is never a PASS.
    """
    counted = [finding.status for finding in findings if not finding.is_waived]
    if counted:
        return overall(counted)
    seen = any(finding.measured is not None for finding in findings)
    return Status.PASS if seen else Status.INCONCLUSIVE


def overall(statuses: Sequence[Status]) -> Status:
    """Return the status of several together: the worst of them, and INCONCLUSIVE for none."""
    return next((status for status in _PRECEDENCE if status in statuses), Status.INCONCLUSIVE)


def required_polls(gates: Sequence[Gate]) -> int:
    """Return how many polls the most demanding gate needs before it can pass with no exceedance; 0 for none."""
    return max((_polls_needed(gate) for gate in gates), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """
    A gate that a planned run can't pass, however fast the target.

    Args:
        gate: the rule.
        planned: polls that the plan puts in the measured window.
        needed: polls that the gate needs with no exceedance among them.
        run_time_s: run time that would do, the warm-up included [s].
    """

    gate: Gate
    planned: int
    needed: int
    run_time_s: float


def plan_shortfall(gates: Sequence[Gate], scenario: Scenario, *, settling: bool = False) -> list[Shortfall]:
    """
    Find the gates that a planned run is too short for.

    Args:
        gates: the rules.
        scenario: the plan.
        settling: see `Evidence.settling`.

    Returns:
        One entry for each such gate, in the order of `gates`; empty when the run is long enough.
    """
    planned = max(0, math.floor(scenario.agents * scenario.measured_s / scenario.interval_s + 1e-9))
    # Whole intervals: each holds one poll of every agent, whatever the phases.
    return [
        Shortfall(
            gate=gate,
            planned=planned,
            needed=needed,
            run_time_s=scenario.warmup_s + math.ceil(needed / scenario.agents) * scenario.interval_s,
        )
        for gate in gates
        if (needed := _polls_needed(gate, settling=settling)) > planned
    ]


def _outcome(gate: Gate, contexts: Contexts) -> Outcome:
    if gate.against_baseline:
        return against_baseline(gate, contexts.evidence.comparisons)
    context = contexts.of(gate)
    return context if isinstance(context, Finding) else EVALUATORS[gate.metric](gate, context)


def _stopped(finding: Finding, evidence: Evidence) -> Finding:
    """
    Let a gate that ended the run stay failed.

    Its evidence was strong enough at one instant, which is what the always-valid bound promises to be right about;
    that the polls still on their way then weaken it does not take that back.
    """
    stop = evidence.stop
    if stop is None or stop.status is not Status.FAIL or finding.gate.name not in stop.gates:
        return finding
    if finding.status in {Status.FAIL, Status.INVALID}:
        return finding
    return replace(finding, status=Status.FAIL, reason=f"{stop.reason}; {finding.reason}", remedy=SLOW_CURE)


def _target_down(called_off: str) -> Finding:
    """Return the finding of a target that went down: no gate that holds until then makes the run a PASS."""
    return Finding(
        # As monitoring systems have it: 1 for a target that is up, and 0 for one that is not.
        gate=Gate(
            name="target-up",
            metric="target_up",
            subject=PENDING_ROUTE,
            limit=0.0,
            unit="count",
            direction=Direction.ABOVE,
        ),
        status=Status.FAIL,
        measured=0.0,
        interval=None,
        n=None,
        effective_n=None,
        exceedances=None,
        reason=called_off,
        remedy=ERROR_CURE,
    )


def _unanswered(gate: Gate, outcome: NotJudged) -> Finding:
    """Return the finding of a gate that somebody asked for and that the target can't answer."""
    return Finding(
        gate=gate,
        status=Status.INCONCLUSIVE,
        measured=None,
        interval=None,
        n=None,
        effective_n=None,
        exceedances=None,
        reason=outcome.reason,
        remedy="'optional' in the gate, if it may be left out",
    )


def _polls_needed(gate: Gate, *, settling: bool = False) -> int:
    facts = METRICS[gate.metric]
    if facts.kind is Kind.PLAIN or gate.against_baseline:
        return 0
    allowed = allowed_ratio(gate)
    if allowed == 0:
        # A statement about the polls observed: one is enough to make it.
        return 1
    # Only what is measured on the samples is looked at while the run goes on.
    within = always_within if settling and facts.scope is Scope.ROUTE else None
    return smallest_n(0, allowed_ratio=allowed, confidence=gate.confidence, within=within) or 0
