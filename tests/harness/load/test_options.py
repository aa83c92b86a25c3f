"""Our options in Locust's help, and what is refused."""

import argparse

import pytest

from harness.errors import UsageError
from harness.load.command import LoadOptions
from harness.load.options import SPAWN_RATE_PER_S, STOP_TIMEOUT_UNSET_S, add_options, read_options


def parser(scenario: str = "agent-polling") -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="locust", exit_on_error=False)
    add_options(made, scenario)
    return made


def read(
    *arguments: str,
    host: str | None = "http://127.0.0.1:1",
    run_time: float | None = 60.0,
    agents: int = 50,
    scenario: str = "agent-polling",
) -> LoadOptions:
    parsed = parser(scenario).parse_args(arguments)
    return read_options(parsed, host=host, agents=agents, run_time_s=run_time, scenario=scenario)


def test_the_defaults_are_the_fleet_of_the_specification() -> None:
    assert read() == LoadOptions(
        host="http://127.0.0.1:1",
        agents=50,
        interval_s=10.0,
        run_time_s=60.0,
        seed=1,
        samples_dir=None,
        phase_model="uniform",
        jitter_ratio=0.0,
        request_timeout_s=10.0,
        warmup_s=0.0,
    )


def test_the_whole_fleet_is_spawned_at_once_unless_told_otherwise() -> None:
    """Locust's own default is one user a second, which would take fifty seconds."""
    parsed = parser().parse_args([])
    assert parsed.spawn_rate == SPAWN_RATE_PER_S == 100.0
    assert parsed.stop_timeout == STOP_TIMEOUT_UNSET_S


def test_help_shows_a_group_of_our_own() -> None:
    text = parser().format_help()
    assert "Agent polling:" in text
    for option in (
        *("--interval", "--seed", "--phase-model", "--jitter", "--request-timeout", "--warmup"),
        *("--samples-dir", "--agents-file", "--agent-id-prefix"),
    ):
        assert option in text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ["--interval=-1s"],
            "option '--interval': not a duration, got '-1s', need a form such as 600ms, 10s or 1m30s",
        ),
        (["--interval", "0"], "option '--interval': no time at all, got '0', need more than 0 s"),
        (
            ["--request-timeout", "soon"],
            "option '--request-timeout': not a duration, got 'soon', need a form such as 600ms, 10s or 1m30s",
        ),
        (["--jitter", "2"], "option '--jitter': not a ratio, got '2', need 0..1 or 0%..100%, such as 5%"),
        (["--phase-model", "even"], "invalid choice: 'even'"),
        (["--agents-file", "x", "--agent-id-prefix", "y"], "not allowed with argument --agents-file"),
    ],
)
def test_a_wrong_value_is_named(arguments: list[str], text: str) -> None:
    with pytest.raises(argparse.ArgumentError) as caught:
        parser().parse_args(arguments)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"host": None},
            "option '--host': missing; try --host with the target's URL, http://127.0.0.1:8000",
        ),
        (
            {"host": "http://user:secret@127.0.0.1"},
            (
                "option '--host': credentials in a URL end up in logs, need a URL without; "
                "try the token in the environment, as $HARNESS_TOKEN"
            ),
        ),
        (
            {"run_time": 5, "arguments": ("--warmup", "5s")},
            "option '--warmup': leaves nothing of the run, got 5 s, need less than the run time of 5 s",
        ),
        (
            {"host": "https://staging.example", "agents": 20_000},
            (
                "option '--max-rate': 20000 agents every 10 s send more than the ceiling, got 2000 requests/s, "
                "need 1000 or fewer; try fewer agents, a longer interval, or --max-rate 2000 if that may be"
            ),
        ),
        (
            {"arguments": ("--max-rate", "0")},
            "option '--max-rate': not a rate, got 0, need 0.001..1e6",
        ),
        (
            {"arguments": ("--abort-errors", "100%")},
            "option '--abort-errors': no share is more than all, got '100%', need below 100%",
        ),
        (
            {"arguments": ("--base-path", "v2")},
            "option '--base-path': not a path, got 'v2', need a form such as /api",
        ),
        (
            {"arguments": ("--pending-path", "/pending")},
            "option '--pending-path': no place for the agent's id, got /pending, need one {agent_id}",
        ),
        (
            {"scenario": "deployment-wave"},
            (
                "scenario 'deployment-wave': orders deployments and reports progress, which changes the data at "
                "http://127.0.0.1:1; "
                "try --allow-writes if that may be, or no --host: the reference master is free for it"
            ),
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(changed: dict[str, object], text: str) -> None:
    arguments = changed.pop("arguments", ())
    with pytest.raises(UsageError) as caught:
        read(*arguments, **changed)
    assert text == str(caught.value)


def test_a_run_without_an_end_may_have_any_warmup() -> None:
    assert read("--warmup", "1h", run_time=None).warmup_s == 3600.0
