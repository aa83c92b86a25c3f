"""`harness run` against a target that others use: let in, and doing no harm. Whole runs."""

import json
import re
from pathlib import Path

import pytest

from harness.cli import main
from harness.history.store import open_history
from harness.model import Status
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
    """Also where the only gate holds on whatever the target answers; the stored run says the same again."""
    held = ("--no-default-gates", "--gate", "connections_per_poll < 2")
    with polled_server("--status", "503") as server:
        asked = ("--host", server.url, "--agents", "5", "--run-time", "60s", *held)
        words = ["--interval", "500ms", "--out", str(tmp_path / "runs"), "--history", str(tmp_path / "history")]
        code = main(["run", *asked, *words, "--json"])
    told = json.loads(capfd.readouterr().out)
    assert (3, "FAIL", "interrupted") == (code, told["verdict"]["status"], told["run"]["state"])
    statuses = {found["gate"]["name"]: found["status"] for found in told["verdict"]["findings"]}
    assert {"connections-per-poll": "PASS", "target-up": "FAIL"} == statuses
    reason = told["verdict"]["findings"][-1]["reason"]
    assert re.match(
        r"the run was called off after \d+ s, because the target is going down: \d+ of the last ", reason
    )
    folder = tmp_path / "runs" / told["run"]["id"]
    assert [3, 3] == [main(["report", str(folder)]), main(["gate", str(folder), *held])]
    (record,) = open_history(tmp_path / "history").scan({})
    assert Status.FAIL is record.status
