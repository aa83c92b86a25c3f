"""What a run would send, said and not sent."""

import json

import pytest

from harness.cli import main


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_TOKEN", "s3cret-token")
    monkeypatch.setenv("STAGING_KEY", "s3cret-key")


def test_everything_is_said_but_the_secrets(secret: None, capsys: pytest.CaptureFixture[str]) -> None:
    """The host does not exist: whoever asked for it would be told so."""
    code = main(
        [
            *("run", "--dry-run", "--host", "https://staging.invalid", "--base-path", "/master", "--agents", "2"),
            *("--interval", "10s", "--run-time", "60s", "--header-env", "X-Api-Key=STAGING_KEY"),
            *("--agent-id-prefix", "node-", "--max-rate", "7"),
        ]
    )
    shown = capsys.readouterr().out
    assert 0 == code
    assert "s3cret" not in shown
    assert "Authorization: Bearer ***" in shown
    assert "X-Api-Key: ***" in shown
    assert "Connection:" not in shown
    assert "GET /master/api/deployments/pending/node-0001 HTTP/1.1" in shown
    assert "12 polls in 60.0 s" in shown
    assert "     5.000 s  GET /master/api/deployments/pending/node-000" in shown
    assert "at most 7 requests/s; called off when clearly more than 50% of the polls fail; read-only" in shown
    assert shown.endswith("nothing was sent\n")


def test_the_close_that_each_poll_asks_for_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["run", "--dry-run", "--json", "--keep-alive", "off"])
    assert "Connection: close" in json.loads(capsys.readouterr().out)["each poll"]


def test_it_is_there_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["run", "--dry-run", "--json", "--scenario", "deployment-wave"])
    told = json.loads(capsys.readouterr().out)
    assert told["sent"] is False
    assert ["the reference master, started on a free port: http://127.0.0.1:PORT"] == told["target"]
    assert 2 == len(told["writes"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--scenario", "storm"), "option '--scenario': unknown, got 'storm'"),
        (
            ("--host", "https://staging.invalid", "--scenario", "deployment-wave"),
            "changes the data at https://staging.invalid; try --allow-writes",
        ),
        (
            ("--host", "https://staging.invalid", "--agents", "20000"),
            "option '--max-rate': 20000 agents every 10 s send more than the ceiling, got 2000 requests/s",
        ),
        (("--host", "https://staging.invalid?token=s3cret"), "a token in a URL ends up in logs"),
        (("--host", "http://staging.invalid"), "Authorization would go over plain http"),
        (("--spike-at", "5s"), "option '--spike-at': not of the scenario agent-polling; try --scenario spike"),
    ],
)
def test_what_can_not_work_is_refused_in_one_line(
    arguments: tuple[str, ...], text: str, secret: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == main(["run", "--dry-run", *arguments])
    said = capsys.readouterr().err
    assert text in said
    assert 1 == len(said.splitlines())
    assert "s3cret" not in said
