"""Every scenario under plain Locust, against real servers: what each sends, and what it keeps to itself."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.load.command import DEFAULT_SCENARIO
from harness.model import PENDING_ROUTE, Sample
from harness.rundir import RunDirectory, read_pickups, read_samples
from harness.scenarios import SCENARIOS, scenario_kind
from tests.harness.load.polled import ROOT, polled_server
from tests.locustfiles.locusting import shared

CERTIFICATE = ROOT / "tests/harness/load/loopback.pem"
JUDGED = {0, 3, 4, 5}
"""Exit codes of a run that went to its end, whatever its gates said of so short a one."""


def locust(scenario: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", str(scenario_kind(scenario).file), "--headless"]
    command += ["--only-summary", "--samples-dir", str(folder), *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, **environment},
        check=False,
    )


def samples(folder: Path) -> tuple[Sample, ...]:
    return read_samples(RunDirectory(folder).samples).samples


@contextlib.contextmanager
def master(folder: Path) -> Iterator[str]:
    """Run the reference master with ten agents."""
    url, ready = f"sqlite:///{folder / 'm.db'}", folder / "ready.json"
    seed = ["seed", "--database-url", url, "--agents", "10", "--deployments", "50"]
    script = f"from harness.cli import main; main({seed!r})"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)
    command = [sys.executable, "-m", "harness.backend", "--port", "0", "--ready-file", str(ready)]
    command += ["--log-dir", str(folder / "logs"), "--database-url", url]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            deadline_s = time.monotonic() + 30
            while not ready.exists() and time.monotonic() < deadline_s:
                time.sleep(0.05)
            yield json.loads(ready.read_text())["url"]
        finally:
            process.terminate()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    # The others have runs of their own below and next door.
    [n for n in SCENARIOS if not SCENARIOS[n].writes and n not in {DEFAULT_SCENARIO, "restart-storm"}],
)
def test_each_runs_under_plain_locust(name: str, tmp_path: Path) -> None:
    """A second of five agents: the header tells the scenario and its shape, and polls came back."""
    with polled_server("--agents", "5") as server:
        done = locust(
            *(name, tmp_path / "run", "-u", "5", "-t", "1s", "--interval", "250ms", "--host", server.url),
            *(("--reset-ratio", "0%", "--latency", "5ms") if name == "flaky-network" else ()),
            *(("--burst-at", "500ms", "--burst-every", "0s") if name == "reconnect-burst" else ()),
        )
    assert done.returncode in JUDGED, done.stderr
    header = read_samples(RunDirectory(tmp_path / "run").samples).header
    assert (name, SCENARIOS[name].shape) == (header.scenario, header.shape)
    polls = [sample for sample in samples(tmp_path / "run") if sample.name == PENDING_ROUTE]
    assert polls
    assert {None} == {sample.error for sample in polls}
    assert (name == "reconnect-burst") == any(sample.extra for sample in polls)
    strangers = [sample for sample in samples(tmp_path / "run") if sample.name != PENDING_ROUTE]
    assert (name == "churn") == bool(strangers)


@pytest.mark.slow
def test_failed_polls_are_retried_with_and_without_back_off(tmp_path: Path) -> None:
    with polled_server("--agents", "2", "--status", "500") as server:
        for back_off in ("none", "exponential"):
            locust(
                *("restart-storm", tmp_path / back_off, "-u", "2", "-t", "3s", "--interval", "1s"),
                *("--host", server.url, "--back-off", back_off, "--retry-after", "100ms"),
            )
    plain, backed_off = (
        sum(sample.extra for sample in samples(tmp_path / name)) for name in ("none", "exponential")
    )
    # 2 agents × 3 s at 100 ms and a bit are 60 at most; the doubling steps leave a handful.
    assert 30 <= plain <= 60
    assert 2 <= backed_off < plain / 2


@pytest.mark.slow
def test_a_wave_is_ordered_fetched_and_reported(tmp_path: Path) -> None:
    """Ten agents of two processes get one deployment each, fetch it with a poll, and report two steps."""
    with master(tmp_path) as url:
        refused = locust("deployment-wave", tmp_path / "refused", "-u", "10", "-t", "2s", "--host", url)
        done = locust(
            *("deployment-wave", tmp_path / "run", "-u", "10", "-t", "4s", "--interval", "1s", "--host", url),
            *("--allow-writes", "--wave-at", "1s", "--wave-every", "0s", "--step-after", "200ms"),
            *shared(),
        )
    assert 2 == refused.returncode
    assert f"changes the data at {url}; try --allow-writes" in refused.stderr
    assert done.returncode in JUDGED, done.stderr
    pickups = read_pickups(RunDirectory(tmp_path / "run").pickups)
    assert 10 == len({pickup.agent for pickup in pickups}) == len(pickups)
    assert all(pickup.time_to_pickup_s is not None and pickup.time_to_pickup_s < 3.0 for pickup in pickups)
    sent = Counter((sample.method, sample.name, sample.error) for sample in samples(tmp_path / "run"))
    assert 10 == sent["POST", "/api/deployments", None]
    assert 20 == sent["POST", "/api/deployments/{deployment_id}/progress", None]


def test_tls_is_verified_unless_the_authority_is_named(tmp_path: Path) -> None:
    with polled_server(
        "--agents", "2", "--certificate", str(CERTIFICATE), scheme="https", host="localhost"
    ) as server:
        arguments = ("-u", "2", "-t", "1s", "--interval", "500ms", "--host", server.url)
        refused = locust(DEFAULT_SCENARIO, tmp_path / "refused", *arguments)
        done = locust(DEFAULT_SCENARIO, tmp_path / "run", *arguments, "--ca-file", str(CERTIFICATE))
    assert 1 == refused.returncode
    assert (
        f"target '{server.url}': no answer: tls; try --ca-file with the authority's certificate, "
        "or the name that the certificate is for"
    ) in refused.stderr
    assert done.returncode in JUDGED, done.stderr
    assert {None} == {sample.error for sample in samples(tmp_path / "run")}


def test_a_token_is_sent_and_stands_nowhere(tmp_path: Path) -> None:
    """Neither the output nor a file of the run holds it; the target got it, or it would have refused."""
    with polled_server("--agents", "2", "--token", "s3cret-token") as server:
        arguments = ("-u", "2", "-t", "1s", "--interval", "500ms", "--host", server.url)
        refused = locust(DEFAULT_SCENARIO, tmp_path / "refused", *arguments)
        done = locust(DEFAULT_SCENARIO, tmp_path / "run", *arguments, HARNESS_TOKEN="s3cret-token")
    assert 1 == refused.returncode
    assert f"target '{server.url}': wants to know who asks, got 401" in refused.stderr
    assert {None} == {sample.error for sample in samples(tmp_path / "run")}
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert b"s3cret" not in written
    assert "s3cret" not in done.stdout + done.stderr


def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    with polled_server("--agents", "2") as server:
        done = locust(DEFAULT_SCENARIO, tmp_path / "run", "-u", "2", "-t", "1s", "--host", server.url, "--dry-run")
        polled = server.counts()["polls"]
    assert (0, 0) == (done.returncode, polled)
    assert "nothing was sent" in done.stdout
    assert not (tmp_path / "run").exists()
