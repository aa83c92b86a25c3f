"""The catalogue of scenarios, and what `harness scenarios` shows of it."""

import ast
import json

import pytest

from harness.cli import main
from harness.errors import UsageError
from harness.model import PENDING_ROUTE
from harness.scenario import make_scenario
from harness.scenarios import (
    DEFAULT_SCENARIO,
    LOCUSTFILES,
    SCENARIOS,
    all_parameters,
    parse_count,
    read_values,
    scenario_kind,
    shape_of_scenario,
)
from harness.staging import (
    check_agents_path,
    check_pending_route,
    check_rate,
    most_per_s,
    read_abort_ratio,
    with_base_path,
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_has_a_file_that_names_it(name: str) -> None:
    kind = scenario_kind(name)
    tree = ast.parse(kind.file.read_text(encoding="utf-8"))
    named = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SCENARIO"
    ]
    assert [name] == (named or [DEFAULT_SCENARIO])


def test_each_file_is_in_the_catalogue() -> None:
    files = {path.name for path in LOCUSTFILES.glob("*.py")} - {"__init__.py"}
    assert files == {kind.file.name for kind in SCENARIOS.values()}


def test_flags_and_names_of_parameters_belong_to_each_other() -> None:
    parameters = [parameter for kind in SCENARIOS.values() for parameter in kind.parameters]
    assert len({parameter.flag for parameter in parameters}) == len({parameter.name for parameter in parameters})


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_defaults_make_a_shape(name: str) -> None:
    shape = shape_of_scenario(name, read_values(name, {}), agents=7, seed=1, run_time_s=None)
    assert all(shape.windows(index) is not None for index in range(7))


def test_values_are_read_with_their_units() -> None:
    values = read_values("restart-storm", {"down_for_s": "1m", "back_off": "none", "retry_s": None})
    assert {
        "down_at_s": 30.0,
        "down_for_s": 60.0,
        "back_off": "none",
        "retry_s": 0.1,
        "retry_most_s": 30.0,
    } == values


@pytest.mark.parametrize(
    ("name", "typed", "text"),
    [
        (
            "ramp",
            {"spike_at_s": "5s"},
            "option '--spike-at': not of the scenario ramp; try --scenario spike",
        ),
        (
            "restart-storm",
            {"back_off": "linear"},
            "option '--back-off': unknown, got 'linear', need exponential or none",
        ),
        (
            "restart-storm",
            {"retry_s": "0s"},
            "option '--retry-after': too small, got '0s', need 0.01 or more",
        ),
        (
            "deployment-wave",
            {"operators": "1.5"},
            "option '--operators': not a whole number, got '1.5', need 0, 1, 2 …",
        ),
    ],
)
def test_values_that_can_not_be_are_refused(name: str, typed: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_values(name, typed)
    assert text == str(refusal.value)


def test_an_unknown_scenario_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError) as refusal:
        scenario_kind("storm")
    assert f"option '--scenario': unknown, got 'storm', need {', '.join(SCENARIOS)}" == str(refusal.value)


def test_parameters_are_part_of_the_digest() -> None:
    """Two runs compare only when they did the same work; without parameters the digest is that of before."""

    def digest(**parameters: float | str) -> str:
        return make_scenario(
            name="ramp",
            agents=50,
            interval_s=10.0,
            run_time_s=70.0,
            warmup_s=10.0,
            phase_model="uniform",
            seed=1,
            parameters=parameters,
        ).digest

    assert digest(ramp_s=60.0) == digest(ramp_s=60.0)
    assert 3 == len({digest(), digest(ramp_s=60.0), digest(ramp_s=30.0)})


def test_counts_are_whole_numbers() -> None:
    assert 12.0 == parse_count(" 12 ")


def test_they_are_listed_for_people_and_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["scenarios"])
    assert list(SCENARIOS) == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert 0 == main(["scenarios", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert list(SCENARIOS) == [one["name"] for one in listed]
    assert set(all_parameters()) == {parameter["name"] for one in listed for parameter in one["parameters"]}


def test_one_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["scenarios", "deployment-wave"])
    shown = capsys.readouterr().out
    assert "writes: needs --allow-writes against a running target" in shown
    assert "  --wave-at DURATION " in shown
    assert "  --operators N " in shown


def test_help_says_what_kind_of_number_each_takes() -> None:
    told = {parameter.flag: parameter.metavar for parameter in all_parameters().values()}
    assert "VALUE" not in told.values()
    assert ("DURATION", "RATIO", "N", "{exponential,none}") == (
        told["--ramp-for"],
        told["--spike-base"],
        told["--strangers"],
        told["--back-off"],
    )


@pytest.mark.parametrize(
    ("asked", "host", "expected"),
    [
        (None, None, 100_000.0),
        (None, "http://127.0.0.1:8000", 100_000.0),
        (None, "https://staging.example", 1000.0),
        (5.0, "https://staging.example", 5.0),
    ],
)
def test_the_ceiling_is_lower_on_machines_of_others(
    asked: float | None, host: str | None, expected: float
) -> None:
    assert expected == most_per_s(asked, host)


def test_a_fleet_at_the_ceiling_is_let_pass() -> None:
    check_rate(agents=10_000, interval_s=10.0, most=1000.0)


def test_paths_are_put_together() -> None:
    assert "https://a.example/master" == with_base_path("https://a.example", "/master/")
    assert "https://a.example" == with_base_path("https://a.example", "/")
    assert PENDING_ROUTE == check_pending_route(PENDING_ROUTE)
    assert "/v2/agents" == check_agents_path("/v2/agents")
    assert (None, 0.2) == (read_abort_ratio("0"), read_abort_ratio("20%"))
