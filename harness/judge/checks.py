"""Which gates can be judged at all, whatever the run."""

import difflib
import math
from collections import Counter
from collections.abc import Sequence

from harness.errors import UsageError, explain
from harness.judge.catalogue import METRICS, Kind, MetricFacts
from harness.model import Direction, Gate


def check_gates(gates: Sequence[Gate]) -> None:
    """
    Refuse gates that can't be judged on any run.

    Raises:
        UsageError: two gates of one name, an unknown metric (the near miss is named), a quantile missing, given
            where there is none or outside (0, 1], a limit, unit or confidence out of range, ``near`` without
            tolerance, ``abort_on_fail`` on what is not known before the end.
    """
    for name, times in Counter(gate.name for gate in gates).items():
        if times > 1:
            raise UsageError(explain("gate", name, fault="several gates of one name", got=times, need="1"))
    for gate in gates:
        facts = METRICS.get(gate.metric)
        if facts is None:
            raise UsageError(_unknown(gate))
        for fault, got, need in [*_faults(gate, facts), *_range_faults(gate), *_option_faults(gate, facts)]:
            raise UsageError(explain("gate", gate.name, fault=fault, got=got, need=need))


_OPERATORS = {Direction.ABOVE: "'>'", Direction.NEAR: "'==' or 'within'"}

_HIGHEST_QUANTILE = 0.999999
"""Three million polls without exceedance are needed for it."""

Fault = tuple[str, object, str]
"""What is wrong, the value, the range."""


def _unknown(gate: Gate) -> str:
    near = difflib.get_close_matches(gate.metric, METRICS, n=1)
    return explain(
        "gate",
        gate.name,
        fault="unknown metric",
        got=f"'{gate.metric}'",
        need="one of " + ", ".join(METRICS),
        remedy=f"'{near[0]}'" if near else None,
    )


def _faults(gate: Gate, facts: MetricFacts) -> list[Fault]:
    """Return what does not fit the metric."""
    faults: list[Fault] = []
    if facts.kind is Kind.QUANTILE and gate.quantile is None:
        faults.append((f"'{gate.metric}' is a distribution", "no quantile", "a quantile in (0, 1]"))
    if facts.kind is not Kind.QUANTILE and gate.quantile is not None:
        faults.append((f"'{gate.metric}' is no distribution", f"quantile {gate.quantile}", "no quantile"))
    if gate.quantile is not None and not 0 < gate.quantile <= 1:
        faults.append(("quantile out of range", gate.quantile, "0 < q <= 1"))
    elif gate.quantile is not None and _HIGHEST_QUANTILE < gate.quantile < 1:
        faults.append(("no run is long enough for this quantile", gate.quantile, "up to p(99.9999), or max"))
    if facts.kind is not Kind.PLAIN and gate.direction is not Direction.BELOW and not gate.against_baseline:
        faults.append((f"'{gate.metric}' has to stay below its limit", _OPERATORS[gate.direction], "'<'"))
    if gate.kind is not None and not facts.selects:
        faults.append((f"'{gate.metric}' has no kinds", f"'{gate.kind}'", "none"))
    return faults


def _range_faults(gate: Gate) -> list[Fault]:
    faults: list[Fault] = []
    if not math.isfinite(gate.limit) or gate.limit < 0:
        faults.append(("limit out of range", gate.limit, "a finite number, 0 or more"))
    elif gate.limit == 0 and gate.quantile is not None and not gate.against_baseline:
        faults.append(("nothing takes less than no time", "a limit of 0", "more than 0"))
    elif gate.metric == "error_ratio" and gate.limit >= 1 and not gate.against_baseline:
        faults.append(("limit out of range", gate.limit, "0 <= ratio < 1"))
    if not 0.5 <= gate.confidence < 1:
        faults.append(("confidence out of range", gate.confidence, "0.5 <= confidence < 1"))
    if gate.direction is Direction.NEAR and gate.tolerance_ratio is None:
        faults.append(("'near' needs a tolerance", "none", "a ratio of the limit, 0 or more"))
    elif gate.tolerance_ratio is not None and not 0 <= gate.tolerance_ratio < math.inf:
        faults.append(("tolerance out of range", gate.tolerance_ratio, "a ratio of the limit, 0 or more"))
    return faults


def _option_faults(gate: Gate, facts: MetricFacts) -> list[Fault]:
    faults: list[Fault] = []
    if gate.on_inconclusive not in {"fail", "pass"}:
        faults.append(("unknown value of on_inconclusive", f"'{gate.on_inconclusive}'", "'fail' or 'pass'"))
    if gate.abort_on_fail and not watchable(gate):
        names = [name for name, known in METRICS.items() if known.watchable]
        need = f"a gate on {', '.join(names[:-1])} or {names[-1]} that has to stay below a limit"
        what = "a comparison" if gate.against_baseline else f"'{gate.metric}'"
        faults.append((f"{what} is not known before the run is over", "abort_on_fail", need))
    unit = "ratio" if gate.against_baseline else facts.unit
    if gate.unit != unit:
        faults.append((f"'{gate.metric}' has another unit", f"'{gate.unit}'", f"'{unit}'"))
    return faults


def watchable(gate: Gate) -> bool:
    """Tell whether a gate can be seen to fail while its run goes on."""
    if gate.against_baseline or not METRICS[gate.metric].watchable:
        return False
    return gate.direction is Direction.BELOW or (gate.direction is Direction.NEAR and gate.limit == 0)
