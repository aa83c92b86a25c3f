"""Gates as text, in the form that `harness.gate_syntax` reads, and their names."""

from decimal import Decimal

from harness.judge.catalogue import METRICS, Kind
from harness.model import PENDING_ROUTE, Direction, Gate


def format_gate(gate: Gate) -> str:
    """
    Write a gate as `parse_gate` reads it. The name is left out: it stands beside the text, or follows from it.

    Returns:
        One line. Reading it gives the same gate but for its name.
    """
    subject = "" if gate.metric == "index" or gate.subject == PENDING_ROUTE else f"{gate.subject}: "
    return subject + ", ".join([_condition_text(gate), *_option_texts(gate)])


def name_of(gate: Gate) -> str:
    """Derive a short name from what a gate says: ``p95``, ``errors-timeout``, ``GET /api/agents p95``."""
    if gate.metric == "index":
        return gate.subject
    words = [] if gate.metric == "response_time" and gate.quantile is not None else [gate.metric.replace("_", "-")]
    words += [gate.kind] if gate.kind else []
    words += [_aggregate_text(gate.quantile, short=True)] if gate.quantile is not None else []
    words += ["above"] if gate.direction is Direction.ABOVE else []
    words += ["vs-baseline"] if gate.against_baseline else []
    where = "" if gate.subject == PENDING_ROUTE else f"{gate.subject} "
    return where + "-".join(words)


def _condition_text(gate: Gate) -> str:
    if gate.metric == "index":
        return f"index({gate.subject})"
    figure = _figure_text(gate)
    if gate.against_baseline:
        bound = (
            f"> -{_percent_text(gate.limit)}"
            if gate.direction is Direction.ABOVE
            else f"< +{_percent_text(gate.limit)}"
        )
        return f"{figure} vs baseline {bound}"
    limit = quantity_text(gate.limit, gate.unit)
    if gate.direction is Direction.NEAR and gate.tolerance_ratio:
        return f"{figure} within {_percent_text(gate.tolerance_ratio)} of {limit}"
    none_may = METRICS[gate.metric].kind is Kind.SHARE and gate.limit == 0
    operator = {Direction.BELOW: "<", Direction.ABOVE: ">", Direction.NEAR: "=="}[gate.direction]
    return f"{figure} {'==' if none_may else operator} {limit}"


def _figure_text(gate: Gate) -> str:
    aggregate = "" if gate.quantile is None else _aggregate_text(gate.quantile)
    if gate.metric == "response_time" and aggregate:
        return aggregate
    kind = f"({gate.kind})" if gate.kind else ""
    return f"{gate.metric}{kind} {aggregate}".strip()


def _aggregate_text(quantile: float, *, short: bool = False) -> str:
    if quantile == 1:
        return "max"
    percent = plain_decimal(Decimal(repr(quantile)) * 100)
    return f"p{percent}" if short else f"p({percent})"


def quantity_text(value: float, unit: str) -> str:
    """
    Write a limit as `parse_gate` reads it, without loss: ``200ms``, ``1%``, ``0.1/s``.

    Args:
        value: finite, ≥ 0, in `unit`.
        unit: as `harness.model.Gate.unit`.
    """
    if unit == "s":
        exact = Decimal(repr(value))
        return f"{plain_decimal(exact)}s" if exact >= 1 or exact == 0 else f"{plain_decimal(exact * 1000)}ms"
    if unit == "ratio":
        return _percent_text(value)
    suffix = "/s" if unit == "per_s" else ""
    return plain_decimal(Decimal(repr(value))) + suffix


def _percent_text(ratio: float) -> str:
    return f"{plain_decimal(Decimal(repr(ratio)) * 100)}%"


def plain_decimal(value: Decimal) -> str:
    """Write a decimal without exponent and without needless zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _option_texts(gate: Gate) -> list[str]:
    return [
        *([f"confidence {_percent_text(gate.confidence)}"] if gate.confidence != 0.95 else []),
        *([f"on_inconclusive {gate.on_inconclusive}"] if gate.on_inconclusive != "fail" else []),
        *(["abort_on_fail"] if gate.abort_on_fail else []),
        *(["optional"] if gate.optional else []),
    ]
