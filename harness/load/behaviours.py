"""Which behaviour a scenario has: from its name and parameters to the objects that act."""

from collections.abc import Callable, Mapping

from harness.load.behaviour import Behaviour
from harness.load.command import LoadOptions
from harness.load.credentials import Destination
from harness.load.guard import Downfall, Guarded
from harness.load.network import FlakyNetwork, ReconnectBurst
from harness.load.retries import Retries
from harness.load.strangers import Strangers
from harness.load.wave import DeploymentWave

_LEAST_PATIENCE_S = 10.0
_RESTART_S = 20.0
"""How long a target may take to come back, on top of the time it was to be away [s]."""


def behaviour_for(options: LoadOptions, destination: Destination) -> Behaviour:
    """
    Return what a run does besides polling on schedule, kept from doing harm.

    Args:
        options: with the scenario and all its parameters.
        destination: the target, for those who send requests of their own.
    """
    make = _MAKERS.get(options.scenario)
    inner = Behaviour() if make is None else make(options, destination)
    return Guarded(inner, most_per_s=options.most_per_s, downfall=_downfall(options))


def _downfall(options: LoadOptions) -> Downfall | None:
    if options.abort_ratio is None:
        return None
    # Every agent has then failed twice. And never before the gates have enough to say so themselves.
    patience_s = max(_LEAST_PATIENCE_S, 2 * options.interval_s)
    if "down_for_s" in options.parameters:
        patience_s = max(patience_s, float(options.parameters["down_for_s"]) + _RESTART_S)
    return Downfall(tolerated=options.abort_ratio, patience_s=patience_s, from_s=options.warmup_s + patience_s)


def _retries(options: LoadOptions, _destination: Destination) -> Behaviour:
    values = options.parameters
    return Retries(
        back_off=values["back_off"] == "exponential",
        retry_s=float(values["retry_s"]),
        retry_most_s=float(values["retry_most_s"]),
        seed=options.seed,
    )


def _reconnect_burst(options: LoadOptions, _destination: Destination) -> Behaviour:
    values = options.parameters
    return ReconnectBurst(
        at_s=float(values["burst_at_s"]),
        every_s=float(values["burst_every_s"]),
        within_s=float(values["burst_within_s"]),
        agents=options.agents,
        seed=options.seed,
    )


def _strangers(options: LoadOptions, destination: Destination) -> Behaviour:
    return Strangers(
        count=int(options.parameters["strangers"]),
        interval_s=options.interval_s,
        timeout_s=options.request_timeout_s,
        tls=destination.tls,
    )


def _wave(options: LoadOptions, destination: Destination) -> Behaviour:
    values = options.parameters
    return DeploymentWave(
        at_s=float(values["wave_at_s"]),
        every_s=float(values["wave_every_s"]),
        operators=int(values["operators"]),
        step_s=float(values["step_s"]),
        timeout_s=options.request_timeout_s,
        tls=destination.tls,
    )


def _flaky_network(options: LoadOptions, _destination: Destination) -> Behaviour:
    values = {key: float(value) for key, value in options.parameters.items()}
    return FlakyNetwork(**values, seed=options.seed)


_MAKERS: Mapping[str, Callable[[LoadOptions, Destination], Behaviour]] = {
    "restart-storm": _retries,
    "reconnect-burst": _reconnect_burst,
    "churn": _strangers,
    "deployment-wave": _wave,
    "flaky-network": _flaky_network,
}
