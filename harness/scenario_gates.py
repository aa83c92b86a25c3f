"""Gates that a scenario brings along, besides those of the specification."""

from dataclasses import replace

from harness.gatefiles import GateSet
from harness.model import PENDING_ROUTE, Gate, Scenario

_SLACK_S = 1.0
"""What a pickup may take beyond one interval of waiting for the agent's next poll [s]."""


def with_scenario_gates(gates: GateSet, scenario: Scenario) -> GateSet:
    """
    Add a scenario's own gates to those of a run.

    A wave of deployments is judged by its time to pickup: 95 % of the deployments are to be fetched within one
    interval, which the agent's schedule may cost, and a second.

    Args:
        gates: those that were asked for; one on the same metric is left to speak for itself.
        scenario: the work.
    """
    if "wave_at_s" not in scenario.parameters or any(gate.metric == "time_to_pickup" for gate in gates.gates):
        return gates
    own = Gate(
        name="pickup-p95",
        metric="time_to_pickup",
        subject=PENDING_ROUTE,
        limit=scenario.interval_s + _SLACK_S,
        unit="s",
        quantile=0.95,
    )
    return replace(gates, gates=(*gates.gates, own), source=f"{gates.source}, scenario (1 gate)")
