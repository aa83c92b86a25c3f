"""How a figure becomes a Finding: by counting exceedances, or by comparing it as it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.columns import Floats
from harness.judge.autocorrelation import bulk_levels, integrated_time, time_at_limit
from harness.judge.quantiles import quantile, quantile_interval
from harness.judge.shares import Tally
from harness.judge.wording import duration
from harness.model import Direction, Finding, Gate, Interval, Status

SLOW_CURE = "the report's 'where the time went': handler, database or pool wait; then database-queries.log"
ERROR_CURE = "the errors by kind in the report; then master-backend.log of the target"
LATE_CURE = "fewer agents, or a faster or less busy machine for the generator"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJudged:
    """A gate whose source is missing, and why."""

    reason: str


Outcome = Finding | NotJudged


def allowed_ratio(gate: Gate) -> float:
    """Return the share of observations that may exceed under a gate on a quantile or an error ratio, 0..1."""
    return gate.limit if gate.quantile is None else round(1 - gate.quantile, 12)


def quantile_finding(
    gate: Gate,
    tally: Tally,
    *,
    measured: float | None,
    interval: Interval | None,
    noun: str,
    per_s: float,
    failures: int = 0,
    did: str | None = None,
    cure: str | None = None,
    caveat: str = "",
) -> Finding:
    """
    Judge a quantile of durations by its exceedances.

    Args:
        gate: the rule.
        tally: the exceedances, of at least one observation.
        measured: the quantile itself [s].
        interval: bounds of the quantile [s].
        noun: what was observed, singular.
        per_s: observations a second, for the remedy; 0 when not known.
        failures: how many of the exceedances are failures.
        did: what an exceedance did; None says it of a request.
        cure: where to look when it fails; None says it of a request.
        caveat: added to the reason.
    """
    finding = _share_finding(
        gate,
        tally,
        measured,
        interval,
        noun=noun,
        did=did or reached(gate, failures=failures),
        per_s=per_s,
        cure=cure or (ERROR_CURE if failures > tally.exceedances / 2 else SLOW_CURE),
    )
    return replace(finding, reason=finding.reason + caveat) if caveat else finding


def reached(gate: Gate, *, failures: int) -> str:
    """Say what an exceedance of a gate on durations did, as a clause."""
    return f"took {duration(gate.limit)} or longer{' or failed' if failures else ''}"


def observed_finding(
    gate: Gate,
    values_s: Floats,
    *,
    noun: str,
    per_s: float,
    did: str | None = None,
    cure: str | None = None,
    caveat: str = "",
) -> Finding:
    """
    Judge a quantile of durations that are known one by one.

    Args:
        gate: the rule.
        values_s: at least one, in the order of time; infinite for what never ended [s].
        noun: what was observed, singular.
        per_s: observations a second, for the remedy; 0 when not known.
        did: what an exceedance did; None says it of a request.
        cure: where to look when it fails; None says it of a request.
        caveat: added to the reason.
    """
    # "Not below" instead of "at least": a value that is no number is an exceedance too.
    exceeds = ~(values_s < gate.limit)
    exceedances = int(exceeds.sum())
    tally = Tally(
        n=len(values_s),
        exceedances=exceedances,
        certain=exceedances,
        unsent=0,
        tau=time_at_limit(integrated_time(exceeds), bulk_levels(values_s), limit=gate.limit),
        confidence=gate.confidence,
        allowed_ratio=allowed_ratio(gate),
    )
    q, sure = gate.quantile or 1.0, tally.deciding_confidence
    return quantile_finding(
        gate,
        tally,
        measured=quantile(values_s, q),
        interval=quantile_interval(values_s, q, confidence=sure, tau=tally.tau) if q < 1 else None,
        noun=noun,
        per_s=per_s,
        did=did,
        cure=cure,
        caveat=caveat,
    )


def ratio_finding(gate: Gate, tally: Tally, *, noun: str, did: str, per_s: float, cure: str) -> Finding:
    """
    Judge a ratio by its exceedances; arguments as in `quantile_finding`.

    Args:
        gate: the rule.
        tally: the exceedances, of at least one observation.
        noun: what was observed, singular.
        did: what an exceedance did, such as ``failed``.
        per_s: observations a second.
        cure: where to look when it fails.
    """
    measured = tally.exceedances / tally.n
    return _share_finding(gate, tally, measured, tally.interval, noun=noun, did=did, per_s=per_s, cure=cure)


def plain_finding(
    gate: Gate, measured: float, text: Callable[[float], str], *, reason: str, n: int, cure: str
) -> Finding:
    """
    Judge a figure that is no sample of anything: it is compared as it is.

    Args:
        gate: the rule.
        measured: the figure, in the gate's unit.
        text: writes a figure of this unit.
        reason: what was counted.
        n: observations behind it.
        cure: where to look when it fails.
    """
    kept = holds(gate, measured)
    return Finding(
        gate=gate,
        status=Status.PASS if kept else Status.FAIL,
        measured=measured,
        interval=None,
        n=n,
        effective_n=None,
        exceedances=None,
        reason=f"{reason}; {wanted(gate, text)}",
        remedy=None if kept else cure,
    )


def no_polls(gate: Gate) -> Finding:
    """Return the finding of a gate whose endpoint got no polls."""
    return nothing_observed(gate, f"no poll of {gate.subject} in the measured window")


def nothing_observed(
    gate: Gate, reason: str, *, remedy: str = "a run that goes on for at least one interval after the warm-up"
) -> Finding:
    """Return the finding of a gate whose source is there and holds nothing: never a PASS."""
    return Finding(
        gate=gate,
        status=Status.INCONCLUSIVE,
        measured=None,
        interval=None,
        n=0,
        effective_n=0.0,
        exceedances=None,
        reason=reason,
        remedy=remedy,
    )


def holds(gate: Gate, measured: float) -> bool:
    """Tell whether a figure stays on the gate's side of its limit; on the limit itself only ``near`` does."""
    if gate.direction is Direction.BELOW:
        return measured < gate.limit
    if gate.direction is Direction.ABOVE:
        return measured > gate.limit
    low, high = _near_range(gate)
    # The slack undoes binary rounding: 0.11 is within 10 % of 0.1.
    slack = 1e-9 * abs(gate.limit)
    return low - slack <= measured <= high + slack


def wanted(gate: Gate, text: Callable[[float], str]) -> str:
    """Say what the gate allows, as a clause."""
    if gate.direction is not Direction.NEAR:
        return f"{gate.direction.value} {text(gate.limit)} is wanted"
    low, high = _near_range(gate)
    return f"{text(low)} to {text(high)} are allowed"


def per_s(n: int, window_s: float) -> float:
    """Return observations a second; 0 for a window without length."""
    return n / window_s if window_s > 0 else 0.0


def _near_range(gate: Gate) -> tuple[float, float]:
    margin = abs(gate.limit) * (gate.tolerance_ratio or 0.0)
    return gate.limit - margin, gate.limit + margin


def _share_finding(
    gate: Gate,
    tally: Tally,
    measured: float | None,
    interval: Interval | None,
    *,
    noun: str,
    did: str,
    per_s: float,
    cure: str,
) -> Finding:
    status = tally.status
    remedy = None
    if status is Status.FAIL:
        remedy = cure
    elif status is Status.INCONCLUSIVE:
        remedy = tally.settling_remedy(noun=noun, per_s=per_s)
    return Finding(
        gate=gate,
        status=status,
        measured=measured,
        interval=interval,
        n=tally.n,
        effective_n=tally.effective_n,
        exceedances=tally.exceedances,
        reason=tally.reason(noun=noun, did=did),
        remedy=remedy,
    )
