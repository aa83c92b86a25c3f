"""Gates on the time from a deployment's creation to the poll that brought it to its agent."""

import numpy as np

from harness.judge.context import Context
from harness.judge.findings import NotJudged, Outcome, nothing_observed, observed_finding, per_s
from harness.judge.wording import count
from harness.model import Gate


def time_to_pickup(gate: Gate, context: Context) -> Outcome:
    """
    Judge a quantile of the times to pickup; a deployment that was never fetched took longer than any limit.

    One that was ordered less than the limit before the end of the run could not have been late, fetched or not. To
    count only those of them that were fetched in time would flatter the target: all of them are left out.
    """
    evidence = context.evidence
    if not evidence.pickups:
        return NotJudged(reason="no deployment was ordered during the run: that takes a scenario that orders some")
    start_s, end_s = evidence.summary.window_start_s, evidence.summary.window_end_s
    in_window = sorted(
        (pickup for pickup in evidence.pickups if start_s <= pickup.created_s < end_s),
        key=lambda pickup: pickup.created_s,
    )
    judged = [pickup for pickup in in_window if pickup.created_s + gate.limit <= end_s]
    late = len(in_window) - len(judged)
    left_out = f"; {count(late, 'deployment')} ordered within the last {gate.limit:g} s left out" if late else ""
    if not judged:
        reason = f"no deployment was ordered early enough to be late{left_out}"
        return nothing_observed(gate, reason, remedy="a longer run")
    waits_s = [pickup.time_to_pickup_s for pickup in judged]
    values_s = np.array([np.inf if wait_s is None else wait_s for wait_s in waits_s], dtype=np.float64)
    return observed_finding(
        gate,
        values_s,
        noun="deployment",
        per_s=per_s(len(in_window), context.window_s),
        did=_did(gate, never=sum(wait_s is None for wait_s in waits_s)),
        cure=_CURE,
        caveat=left_out,
    )


_CURE = "the missed polls and the time between the polls of one agent: an agent fetches when it polls"


def _did(gate: Gate, *, never: int) -> str:
    waited = f"waited {gate.limit:g} s or longer"
    return f"{waited}, {never:,} of them never fetched" if never else waited
