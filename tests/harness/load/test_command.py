"""The command line that starts the load."""

import argparse
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.load.command import SCENARIO_FILE, LoadOptions, locust_command
from harness.load.options import add_options, read_options
from harness.schedule import PhaseModel


def parse(command: list[str]) -> LoadOptions:
    """Read a command as Locust's parser does: our options from the real code, Locust's from stand-ins."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host")
    parser.add_argument("--users", type=int)
    parser.add_argument("--run-time", type=lambda text: int(text.removesuffix("s")))
    parser.add_argument("--locustfile")
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--only-summary", action="store_true")
    parser.add_argument("--exit-code-on-error", type=int)
    parser.add_argument("--loglevel")
    add_options(parser)
    parsed = parser.parse_args(command[3:])
    return read_options(parsed, host=parsed.host, agents=parsed.users, run_time_s=parsed.run_time)


def options(**changed: object) -> LoadOptions:
    values = {
        "host": "http://127.0.0.1:8000",
        "agents": 50,
        "interval_s": 10.0,
        "run_time_s": 70.0,
        "seed": 7,
        "samples_dir": Path("runs/x"),
    }
    return LoadOptions(**(values | changed))


def test_builds_a_headless_locust_that_judges_nothing() -> None:
    assert locust_command(options()) == [
        *(sys.executable, "-m", "locust", "--locustfile", str(SCENARIO_FILE)),
        *("--headless", "--only-summary", "--exit-code-on-error", "0", "--no-verdict", "--loglevel", "INFO"),
        *("--host", "http://127.0.0.1:8000", "--users", "50", "--run-time", "70s"),
        *("--interval", "10.0", "--seed", "7", "--phase-model", "uniform", "--jitter", "0.0"),
        *("--request-timeout", "10.0", "--warmup", "0.0", "--samples-dir", "runs/x"),
        *("--agents-path=/api/agents", "--pending-path=/api/deployments/pending/{agent_id}"),
        *("--max-rate=100000.0", "--abort-errors=0.5"),
    ]


def test_names_the_scenarios_file_and_its_parameters() -> None:
    built = locust_command(options(scenario="ramp", parameters={"ramp_s": 30.0}))
    assert built[4].endswith("locustfiles/ramp.py")
    assert "--ramp-for=30" in built


def test_no_secret_stands_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line is public on the machine: headers are named with their variables, the token not at all."""
    monkeypatch.setenv("HARNESS_TOKEN", "s3cret-token")
    monkeypatch.setenv("STAGING_KEY", "s3cret-key")
    built = " ".join(locust_command(options(header_env=("X-Api-Key=STAGING_KEY",), insecure_token=True)))
    assert "--header-env=X-Api-Key=STAGING_KEY" in built
    assert "s3cret" not in built


def test_the_scenario_it_names_is_there() -> None:
    assert SCENARIO_FILE.is_file()


durations = st.floats(min_value=1e-9, max_value=1e6).map(lambda value: round(value, 9))


@given(
    st.builds(
        LoadOptions,
        host=st.just("https://staging.example.org/base"),
        agents=st.integers(min_value=1, max_value=10**4),
        interval_s=durations.map(lambda value: value + 1),
        run_time_s=st.none() | st.integers(min_value=60, max_value=10**6).map(float),
        seed=st.integers(min_value=0, max_value=2**64),
        samples_dir=st.none() | st.just(Path("a folder/with spaces")),
        phase_model=st.sampled_from([str(model) for model in PhaseModel]),
        jitter_ratio=st.floats(min_value=0, max_value=1),
        request_timeout_s=durations,
        warmup_s=st.floats(min_value=0, max_value=59).map(lambda value: round(value, 9)),
        agents_file=st.none() | st.just(Path("agents.txt")),
        agents_path=st.just("/v2/agents"),
        pending_route=st.just("/v2/pending/{agent_id}"),
        header_env=st.just(()) | st.just(("X-Api-Key=STAGING_KEY", "X-Tenant=TENANT")),
        ca_file=st.none() | st.just(Path("my ca.pem")),
        insecure_token=st.booleans(),
        allow_writes=st.booleans(),
        most_per_s=st.floats(min_value=1e4, max_value=1e6),
        abort_ratio=st.none() | st.floats(min_value=0.001, max_value=0.999),
    )
)
def test_what_is_built_is_what_is_read(built: LoadOptions) -> None:
    """No option loses a digit on its way through the command line."""
    assert built == parse(locust_command(built))


@pytest.mark.parametrize("prefix", ["agent-", "-starts-with-a-dash", "", "with space"])
def test_any_prefix_survives(prefix: str) -> None:
    assert prefix == parse(locust_command(options(agent_id_prefix=prefix))).agent_id_prefix


@pytest.mark.parametrize(("run_time_s", "shown"), [(2.5, "2.5 s"), (0.0, "0 s"), (0.4, "0.4 s")])
def test_refuses_what_locust_could_not_read(run_time_s: float, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        locust_command(options(run_time_s=run_time_s))
    assert str(caught.value) == (
        f"option '--run-time': not a number of whole seconds, got {shown}, need 1 s or more"
    )


def test_processes_meet_on_this_machine_and_nowhere_else() -> None:
    """Two runs at a time have a port each."""
    command = locust_command(options(processes=3))
    shared = command[command.index("--processes") :]
    port = shared[shared.index("--master-port") + 1]
    assert shared[:6] == ["--processes", "3", "--master-bind-host", "127.0.0.1", "--master-bind-port", port]
    assert "--processes" not in locust_command(options())


def test_connections_are_kept_unless_told_otherwise() -> None:
    assert parse(locust_command(options(keep_alive=False))).keep_alive is False
    assert parse(locust_command(options())).keep_alive is True
