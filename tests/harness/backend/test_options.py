"""The options of `harness serve`, read and checked without starting anything."""

import argparse
from pathlib import Path

import pytest

from harness.backend.config import BackendConfig
from harness.backend.server import Listening, add_serve_arguments, read_options
from harness.errors import UsageError


def read(*arguments: str) -> tuple[BackendConfig, Listening]:
    parser = argparse.ArgumentParser()
    add_serve_arguments(parser)
    return read_options(parser.parse_args(arguments))


def test_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HARNESS_DATABASE_URL", raising=False)
    assert (BackendConfig(), Listening()) == read()


def test_every_option_arrives() -> None:
    config, listening = read(
        *("--host", "::1", "--port", "0", "--database-url", "sqlite:///x.db", "--workers", "3"),
        *("--delay", "600ms", "--error-ratio", "5%", "--fault-seed", "7", "--log-dir", "l"),
        *("--ready-file", "r", "--parent-pid", "12"),
        *("--pool-size", "2", "--hold", "30ms", "--drop-index", "idx_deployment_status"),
    )
    assert (
        BackendConfig(
            database_url="sqlite:///x.db",
            log_dir=Path("l"),
            delay_s=0.6,
            error_ratio=0.05,
            fault_seed=7,
            pool_size=2,
            max_overflow=0,
            hold_s=0.03,
            drop_index="idx_deployment_status",
        )
        == config
    )
    assert Listening(host="::1", port=0, workers=3, ready_file=Path("r"), parent_pid=12) == listening


def test_the_settings_do_not_show_the_password() -> None:
    assert "geheim" not in repr(read("--database-url", "postgresql+psycopg://u:geheim@h/x")[0])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--port", "65536"), "option '--port': out of range, got 65536, need 0..65535"),
        (("--port", "-1"), "option '--port': out of range, got -1, need 0..65535"),
        (("--pool-size", "0"), "option '--pool-size': out of range, got 0, need 1..1000"),
        (("--workers", "0"), "option '--workers': out of range, got 0, need 1..64"),
        (
            ("--delay", "-1s"),
            "option '--delay': not a duration, got '-1s', need a form such as 600ms, 10s or 1m30s",
        ),
        (
            ("--error-ratio", "7"),
            "option '--error-ratio': not a ratio, got '7', need 0..1 or 0%..100%, such as 5%",
        ),
    ],
)
def test_values_out_of_range_are_usage_errors(arguments: tuple[str, str], error: str) -> None:
    option, value = arguments
    with pytest.raises(UsageError) as caught:
        read(f"{option}={value}")
    assert error == str(caught.value)
