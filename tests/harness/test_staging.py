"""`harness run` against a target that others use: let in, and doing no harm. Whole runs."""

import json
from pathlib import Path

import pytest

from harness.cli import main
from tests.harness.load.polled import ROOT, polled_server

CERTIFICATE = str(ROOT / "tests/harness/load/loopback.pem")


def run(folder: Path, *arguments: str) -> int:
    return main(["run", "--interval", "500ms", "--out", str(folder), "--no-history", "--json", *arguments])


@pytest.mark.slow
def test_a_whole_run_with_a_token_over_tls_leaves_no_trace_of_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every request of it needs the token, and every one is verified: those of the agents and our own."""
    arguments = ("--agents", "5", "--certificate", CERTIFICATE, "--token", "s3cret-token")
    with polled_server(*arguments, scheme="https", host="localhost") as server:
        asked = ("--host", server.url, "--agents", "5", "--run-time", "3s", "--ca-file", CERTIFICATE)
        assert 1 == run(tmp_path / "refused", *asked)
        assert f"target '{server.url}': wants to know who asks, got 401" in capfd.readouterr().err
        monkeypatch.setenv("HARNESS_TOKEN", "s3cret-token")
        assert 1 == run(tmp_path / "untrusted", *asked[:-2])
        assert "its certificate is not trusted" in capfd.readouterr().err
        code = run(tmp_path / "runs", *asked)
    out, err = capfd.readouterr()
    assert code in {0, 3, 4, 5}, err
    assert {} == json.loads(out)["summary"]["errors_by_kind"]
    assert "s3cret" not in out + err
    written = b"".join(path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert written
    assert b"s3cret" not in written


@pytest.mark.slow
def test_a_run_that_is_called_off_is_judged_and_fails(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with polled_server("--status", "503") as server:
        code = run(tmp_path, "--host", server.url, "--agents", "5", "--run-time", "60s")
    told = json.loads(capfd.readouterr().out)
    assert (3, "FAIL", "interrupted") == (code, told["verdict"]["status"], told["run"]["state"])
    assert any(
        warning.startswith("The run was called off after ") and "because the target is going down: " in warning
        for warning in told["warnings"]
    )
