"""
The scenarios there are, and the numbers that each of them takes. Light to import: only descriptions.

Each stands in a file of its own in ``locustfiles/``. What it does besides polling is code in `harness.load`; when
its agents take part is a `harness.shape.Shape`, described here.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError, explain
from harness.shape import Shape, ShapeName
from harness.units import parse_duration_s, parse_ratio

LOCUSTFILES = Path(__file__).resolve().parents[1] / "locustfiles"
"""Folder of the scenarios, beside the package both in a checkout and in an installation."""

DEFAULT_SCENARIO = "agent-polling"

_DAY_S = 86_400.0

Value = float | str
Values = Mapping[str, Value]


def parse_count(text: str, *, name: str = "count") -> float:
    """
    Read a whole number ≥ 0 such as ``4``.

    Raises:
        UsageError: the text is none.
    """
    if text.strip().isdecimal():
        return float(text)
    raise UsageError(explain("option", name, fault="not a whole number", got=repr(text), need="0, 1, 2 …"))


_METAVARS: Mapping[Callable[..., float], str] = {
    parse_duration_s: "DURATION",
    parse_ratio: "RATIO",
    parse_count: "N",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """
    One number or word of a scenario.

    Args:
        name: as stored, with its unit, such as ``ramp_s``.
        flag: as typed, such as ``--ramp-for``.
        default: as typed.
        help: one clause for ``--help``.
        parse: reads what was typed; None for a word out of `choices`.
        choices: the words; empty for a number.
        least: smallest number.
    """

    name: str
    flag: str
    default: str
    help: str
    parse: Callable[..., float] | None = parse_duration_s
    choices: tuple[str, ...] = ()
    least: float = 0.0

    @property
    def metavar(self) -> str:
        """What stands for the value in a help text."""
        return f"{{{','.join(self.choices)}}}" if self.parse is None else _METAVARS[self.parse]

    def read(self, text: str) -> Value:
        """
        Read what was typed.

        Raises:
            UsageError: it is no such number or word.
        """
        if self.parse is None:
            if text not in self.choices:
                need = " or ".join(self.choices)
                raise UsageError(explain("option", self.flag, fault="unknown", got=repr(text), need=need))
            return text
        value = float(self.parse(text, name=self.flag))
        if value < self.least:
            raise UsageError(
                explain("option", self.flag, fault="too small", got=repr(text), need=f"{self.least:g} or more")
            )
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioKind:
    """
    A scenario as it can be asked for.

    Args:
        name: file name without suffix, dashes for underscores.
        summary: what it does, one line.
        shows: what can be learnt from it, one line.
        parameters: its numbers.
        writes: whether it changes the target's data.
        shape: name of its shape; `shape_of_scenario` fills in the numbers.
        run_time: how long `harness run` lets it run when nothing else was asked for.
    """

    name: str
    summary: str
    shows: str
    parameters: tuple[Parameter, ...] = ()
    writes: bool = False
    shape: str = ShapeName.STEADY
    run_time: str = "70s"

    @property
    def file(self) -> Path:
        """The scenario's file for Locust."""
        return LOCUSTFILES / f"{self.name.replace('-', '_')}.py"


_RETRIES = (
    Parameter(
        name="back_off",
        flag="--back-off",
        default="exponential",
        help="how agents retry a failed poll: each time later and by chance, or none: at a fixed step",
        parse=None,
        choices=("exponential", "none"),
    ),
    Parameter(
        name="retry_s", flag="--retry-after", default="100ms", help="first, or fixed, step of a retry", least=0.01
    ),
    Parameter(name="retry_most_s", flag="--retry-most", default="30s", help="longest step of the back-off"),
)

SCENARIOS: Mapping[str, ScenarioKind] = {
    kind.name: kind
    for kind in (
        ScenarioKind(
            name=DEFAULT_SCENARIO,
            summary="every agent polls at its own fixed times",
            shows="whether the target meets its gates on an ordinary day",
        ),
        ScenarioKind(
            name="ramp",
            summary="the agents join one after another",
            run_time="130s",
            shows="at how many agents the response time begins to rise",
            parameters=(
                Parameter(name="ramp_s", flag="--ramp-for", default="60s", help="until everybody is there"),
            ),
            shape=ShapeName.RAMP,
        ),
        ScenarioKind(
            name="spike",
            summary="a small fleet is joined by all the others for a while",
            run_time="100s",
            shows="how the target takes a sudden load, and how fast it recovers",
            parameters=(
                Parameter(
                    name="base_ratio",
                    flag="--spike-base",
                    default="20%",
                    help="share of the agents that is there always",
                    parse=parse_ratio,
                ),
                Parameter(name="spike_at_s", flag="--spike-at", default="30s", help="when the others come"),
                Parameter(name="spike_for_s", flag="--spike-for", default="20s", help="how long they stay"),
            ),
            shape=ShapeName.SPIKE,
        ),
        ScenarioKind(
            name="churn",
            summary="agents join, vanish and come back, and strangers knock",
            run_time="130s",
            shows="whether comings and goings and unknown ids cost the regular agents anything",
            parameters=(
                Parameter(
                    name="present_s", flag="--present", default="40s", help="mean time of presence", least=0.1
                ),
                Parameter(name="absent_s", flag="--absent", default="20s", help="mean time of absence", least=0.1),
                Parameter(
                    name="strangers",
                    flag="--strangers",
                    default="5",
                    help="agents with unknown ids that poll as well",
                    parse=parse_count,
                ),
            ),
            shape=ShapeName.CHURN,
        ),
        ScenarioKind(
            name="restart-storm",
            summary="the target goes away and comes back, and every agent retries",
            run_time="110s",
            shows="whether the target survives its own restart, with and without back-off of the agents",
            parameters=(
                Parameter(name="down_at_s", flag="--down-at", default="30s", help="when the target is stopped"),
                Parameter(name="down_for_s", flag="--down-for", default="10s", help="how long it stays away"),
                *_RETRIES,
            ),
        ),
        ScenarioKind(
            name="reconnect-burst",
            summary="all connections are cut at one instant, and every agent polls anew at once",
            run_time="90s",
            shows="what a restart of a proxy or a switch does to the target",
            parameters=(
                Parameter(name="burst_at_s", flag="--burst-at", default="25s", help="the first cut"),
                Parameter(
                    name="burst_every_s",
                    flag="--burst-every",
                    default="20s",
                    help="between two; 0s: one only",
                ),
                Parameter(
                    name="burst_within_s", flag="--burst-within", default="0s", help="within what all poll anew"
                ),
            ),
        ),
        ScenarioKind(
            name="deployment-wave",
            summary="operators order a deployment for every agent; agents fetch it and report progress",
            run_time="90s",
            shows="the time to pickup, and whether writing beside the polls slows them down",
            parameters=(
                Parameter(name="wave_at_s", flag="--wave-at", default="15s", help="when the first wave begins"),
                Parameter(
                    name="wave_every_s", flag="--wave-every", default="20s", help="between two; 0s: one only"
                ),
                Parameter(
                    name="operators",
                    flag="--operators",
                    default="2",
                    help="people ordering at once",
                    parse=parse_count,
                    least=1,
                ),
                Parameter(name="step_s", flag="--step-after", default="1s", help="between reports of progress"),
            ),
            writes=True,
        ),
        ScenarioKind(
            name="flaky-network",
            summary="agents poll through a network that is slow and breaks off",
            run_time="70s",
            shows="what part of the response time is the network's, and what broken connections cost",
            parameters=(
                Parameter(name="latency_s", flag="--latency", default="50ms", help="one way, each direction"),
                Parameter(
                    name="latency_jitter_s", flag="--latency-jitter", default="20ms", help="most on top, by chance"
                ),
                Parameter(
                    name="bandwidth_bytes_per_s",
                    flag="--bandwidth",
                    default="0",
                    help="bytes a second of each connection and direction; 0: no limit",
                    parse=parse_count,
                ),
                Parameter(
                    name="reset_ratio",
                    flag="--reset-ratio",
                    default="1%",
                    help="share of the requests whose connection is reset",
                    parse=parse_ratio,
                ),
            ),
        ),
        ScenarioKind(
            name="soak",
            summary="steady polling for hours, with memory, connections and response time watched for drift",
            run_time="2h",
            shows="leaks and slow decay, told from noise",
            parameters=(
                Parameter(
                    name="slice_s",
                    flag="--slice",
                    default="60s",
                    help="what one point of the watched series covers",
                    least=1,
                ),
            ),
        ),
    )
}
"""By name."""


def scenario_kind(name: str) -> ScenarioKind:
    """
    Look a scenario up.

    Raises:
        UsageError: there is none of this name.
    """
    kind = SCENARIOS.get(name)
    if kind is None:
        need = ", ".join(SCENARIOS)
        raise UsageError(explain("option", "--scenario", fault="unknown", got=repr(name), need=need))
    return kind


def shape_of_scenario(name: str, values: Values, *, agents: int, seed: int, run_time_s: float | None) -> Shape:
    """
    Return when each agent of a scenario takes part.

    Args:
        name: of the scenario.
        values: its parameters.
        agents: fleet size.
        seed: of what happens by chance.
        run_time_s: length of the run [s]; None when that is not known, which counts as a day.
    """
    kind = scenario_kind(name)
    parameters: dict[str, float] = {}
    if kind.shape == ShapeName.RAMP:
        parameters = {"ramp_s": float(values["ramp_s"])}
    elif kind.shape == ShapeName.SPIKE:
        parameters = {key: float(values[key]) for key in ("base_ratio", "spike_at_s", "spike_for_s")}
    elif kind.shape == ShapeName.CHURN:
        parameters = {key: float(values[key]) for key in ("present_s", "absent_s")}
        parameters["horizon_s"] = _DAY_S if run_time_s is None else float(run_time_s)
    return Shape(name=kind.shape, agents=agents, seed=seed, parameters=parameters)


def all_parameters() -> dict[str, Parameter]:
    """Return the parameters of all scenarios by name; those that several have stand once."""
    return {parameter.name: parameter for kind in SCENARIOS.values() for parameter in kind.parameters}


def read_values(name: str, typed: Mapping[str, str | None]) -> dict[str, Value]:
    """
    Read a scenario's parameters.

    Args:
        name: of the scenario.
        typed: parameter name → what was typed; None, or no entry, takes the default.

    Raises:
        UsageError: a value that can't be read, or one for another scenario.
    """
    kind = scenario_kind(name)
    own = {parameter.name for parameter in kind.parameters}
    for key, parameter in all_parameters().items():
        if typed.get(key) is not None and key not in own:
            homes = " or ".join(k.name for k in SCENARIOS.values() if parameter in k.parameters)
            raise UsageError(
                explain(
                    "option", parameter.flag, fault=f"not of the scenario {name}", remedy=f"--scenario {homes}"
                )
            )
    values: dict[str, Value] = {}
    for parameter in kind.parameters:
        text = typed.get(parameter.name)
        values[parameter.name] = parameter.read(parameter.default if text is None else text)
    return values


def add_parameters(parser: argparse.ArgumentParser, parameters: Mapping[str, Parameter]) -> None:
    """
    Declare scenarios' parameters as options, unread: what was not typed stays None.

    Args:
        parser: gets a group of options.
        parameters: by name.
    """
    if not parameters:
        return
    group = parser.add_argument_group("scenario's own")
    for parameter in parameters.values():
        # The per cent sign is argparse's own.
        told = f"{parameter.help} (default: {parameter.default})".replace("%", "%%")
        group.add_argument(parameter.flag, dest=parameter.name, metavar=parameter.metavar, help=told)


def typed_values(parsed: argparse.Namespace) -> dict[str, str | None]:
    """Return what was typed for each scenario's parameters, None where nothing was."""
    return {name: getattr(parsed, name, None) for name in all_parameters()}
