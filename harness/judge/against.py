"""Gates against the baseline: a comparison that was made elsewhere becomes a finding."""

from collections.abc import Mapping

from harness.history_model import Comparison
from harness.model import Finding, Gate, Status


def against_baseline(gate: Gate, comparisons: Mapping[str, Comparison] | None) -> Finding:
    """
    Return the finding of a gate against the baseline.

    Args:
        gate: the rule.
        comparisons: name of the gate → what came of comparing; None when nobody compared.

    Returns:
        What the comparison says. Without one it is INCONCLUSIVE, never a PASS.
    """
    comparison = None if comparisons is None else comparisons.get(gate.name)
    if comparison is None:
        fault = "nobody looked for a baseline" if comparisons is None else "there is no baseline to compare with"
        return Finding(
            gate=gate,
            status=Status.INCONCLUSIVE,
            measured=None,
            interval=None,
            n=None,
            effective_n=None,
            exceedances=None,
            reason=fault,
            remedy="runs of the same scenario on the same machine, recorded in the history",
        )
    return Finding(
        gate=gate,
        status=comparison.status,
        measured=comparison.change_ratio,
        interval=comparison.interval,
        # 0 would say that the gate matches nothing; a baseline is yet to grow.
        n=comparison.baseline_n or None,
        effective_n=None,
        exceedances=None,
        reason=comparison.reason,
        remedy=comparison.remedy,
    )
