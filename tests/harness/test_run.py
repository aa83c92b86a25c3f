"""
Whole runs, as a user starts them: real processes, real HTTP, real databases, real signals.

The load is short and light. No figure is asserted that a busy machine could spoil: a healthy target may come out
undecided here, but never failed; a broken one has to fail by name.
"""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ExitCode
from harness.model import RunState
from harness.rundir import RunDirectory, read_result, read_run, read_samples

pytestmark = pytest.mark.slow

HARNESS = str(Path(sys.executable).with_name("harness"))
SHORT = ["--agents", "20", "--interval", "500ms", "--warmup", "1s", "--run-time", "6s", "--deployments", "2000"]


def run(*arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HARNESS, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def only_run(out: Path) -> RunDirectory:
    (path,) = (path for path in out.iterdir() if path.name != "history")
    return RunDirectory(path)


def processes_naming(text: str) -> list[str]:
    """Return command lines of living processes that hold a text, our own and its ancestors' left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line and "pytest" not in line:
                found.append(line)
    return found


def wait_until(condition: Any, what: str, timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"never happened: {what}"
        time.sleep(0.05)


def assert_healthy(done: subprocess.CompletedProcess[str], out: Path) -> RunDirectory:
    """A run of a healthy target: complete on disk, no gate failed, every gate judged."""
    assert done.returncode in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, done.stdout + done.stderr
    directory = only_run(out)
    result = read_result(directory)
    assert {"PASS", "INCONCLUSIVE"} >= {finding.status for finding in result.verdict.findings}
    assert {} == dict(result.verdict.coverage.not_judged)
    assert () == result.warnings
    assert RunState.FINISHED == read_run(directory).state
    assert 200 == result.summary.intended == result.summary.sent + result.summary.missed
    assert result.server is not None
    # The target answers for whole seconds: up to one more at either end, at 40 polls a second; and what a busy
    # machine sent at the very end arrived after it.
    assert -10 <= result.server.requests - result.summary.sent <= 80
    return directory


def test_a_healthy_target_ends_with_every_gate_judged(tmp_path: Path) -> None:
    done = run("run", *SHORT, "--run-time", "6s", "--out", str(tmp_path))
    directory = assert_healthy(done, tmp_path)
    files = {path.name for path in directory.path.iterdir()}
    expected = {
        "run.json",
        "samples.jsonl",
        "generator.jsonl",
        "server.json",
        "result.json",
        "report.html",
        "plots",
    }
    assert expected <= files
    assert 6 <= len(list(directory.plots.glob("*.png")))
    assert f"report: {directory.report}" == done.stdout.splitlines()[-1]
    served = [
        finding for finding in read_result(directory).verdict.findings if finding.gate.name == "pending-index"
    ]
    assert ["PASS"] == [finding.status for finding in served]
    assert [] == processes_naming(str(tmp_path))


def test_the_result_as_json_is_the_file_on_disk(tmp_path: Path) -> None:
    done = run("run", *SHORT, "--run-time", "3s", "--out", str(tmp_path), "--json")
    assert json.loads(done.stdout) == json.loads(only_run(tmp_path).result.read_bytes())


def test_a_slow_handler_fails_the_response_time_gates_by_name(tmp_path: Path) -> None:
    slow = ["--agents", "30", "--interval", "1s", "--run-time", "12s", "--deployments", "2000"]
    done = run("run", *slow, "--target-delay", "600ms", "--out", str(tmp_path))
    assert ExitCode.FAIL == done.returncode, done.stdout + done.stderr
    result = read_result(only_run(tmp_path))
    failed = {finding.gate.name for finding in result.verdict.findings if finding.status == "FAIL"}
    assert {"p50", "p95", "p99"} == failed
    assert "FAIL" in done.stdout
    assert 0.6 == result.run.target.delay_s
    assert (result.server.handler.quantile(0.5) or 0) >= 0.59 if result.server and result.server.handler else False


def test_errors_fail_the_error_gate_and_are_counted_by_kind(tmp_path: Path) -> None:
    done = run("run", *SHORT, "--target-error-ratio", "50%", "--out", str(tmp_path))
    assert ExitCode.FAIL == done.returncode, done.stdout + done.stderr
    result = read_result(only_run(tmp_path))
    failed = {finding.gate.name for finding in result.verdict.findings if finding.status == "FAIL"}
    assert "error-ratio" in failed
    assert {"http-500": result.summary.failed} == dict(result.summary.errors_by_kind)
    assert 70 < result.summary.failed < 130


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A master started by hand; yields its URL and the folder that holds its files."""
    folder = tmp_path / "target"
    folder.mkdir()
    database = f"sqlite:///{folder}/master.db"
    seeded = run("seed", "--agents", "20", "--deployments", "2000", "--database-url", database)
    assert 0 == seeded.returncode, seeded.stderr
    ready = folder / "ready.json"
    command = [HARNESS, "serve", "--port", "0", "--database-url", database, "--ready-file", str(ready)]
    with (folder / "out.log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-dir", str(folder / "logs")], stdout=log, stderr=log)
    try:
        wait_until(ready.exists, "the master is ready")
        yield json.loads(ready.read_text())["url"], folder
    finally:
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(20)


def test_a_running_target_is_attached_to_and_left_running(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    out = tmp_path / "runs"
    done = run("run", *SHORT, "--host", url, "--database-url", f"sqlite:///{folder}/master.db", "--out", str(out))
    directory = assert_healthy(done, out)
    assert ("attached", url) == (read_run(directory).target.kind, read_run(directory).target.url)
    again = run("run", *SHORT, "--run-time", "2s", "--host", url, "--out", str(tmp_path / "again"))
    result = read_result(only_run(tmp_path / "again"))
    assert {"pending-index"} == set(result.verdict.coverage.not_judged), again.stdout


def test_plain_locust_runs_the_scenario_and_its_folder_can_be_reported(
    served: tuple[str, Path], tmp_path: Path
) -> None:
    url, _ = served
    locustfile = Path(__file__).parents[2] / "locustfiles" / "agent_polling.py"
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        str(locustfile),
        "--headless",
        "-u",
        "20",
        "-t",
        "4s",
        "-H",
        url,
    ]
    done = subprocess.run(
        [*command, "--interval", "500ms"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    # Plain Locust is judged too: 160 polls are too few for a p99, and the exit code says so.
    assert ExitCode.INCONCLUSIVE == done.returncode, done.stderr
    folder = only_run(tmp_path / "runs")
    assert 160 == len(read_samples(folder.samples).samples)
    reported = run("report", str(folder.path))
    assert ExitCode.INCONCLUSIVE == reported.returncode, reported.stderr
    assert folder.report.exists()


def start_run(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [HARNESS, "run", *SHORT, "--run-time", "60s", "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def polls_written(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.glob("*/samples.jsonl"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_once_ends_the_load_and_still_judges(tmp_path: Path, number: signal.Signals) -> None:
    process = start_run(tmp_path)
    wait_until(lambda: polls_written(tmp_path) > 60, "sixty polls")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode in {ExitCode.PASS, ExitCode.INCONCLUSIVE}, out + err
    directory = only_run(tmp_path)
    run_record = read_run(directory)
    assert RunState.INTERRUPTED == run_record.state
    assert run_record.ended_s is not None
    assert run_record.ended_s < 60
    assert directory.report.exists()
    assert "Traceback" not in err
    assert [] == processes_naming(str(tmp_path))


def test_ctrl_c_twice_stops_at_once_and_keeps_the_samples(tmp_path: Path) -> None:
    process = start_run(tmp_path)
    wait_until(lambda: polls_written(tmp_path) > 60, "sixty polls")
    process.send_signal(signal.SIGINT)
    # Two signals within half a second are one wish: `timeout` sends them so.
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    if process.returncode == ExitCode.OWN_ERROR:
        assert "harness: stopped at once" == err.splitlines()[-1]
        assert only_run(tmp_path).path.name.endswith(".partial")
    else:
        # The first one had brought the run to its end before the second came.
        assert process.returncode == ExitCode.INCONCLUSIVE, out + err
    assert [] == processes_naming(str(tmp_path))


def test_ctrl_c_before_the_first_poll_leaves_nothing(tmp_path: Path) -> None:
    process = start_run(tmp_path, "--deployments", "1000000")
    wait_until(lambda: list(tmp_path.iterdir()), "the run's folder")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (ExitCode.OWN_ERROR, "harness: stopped at once") == (process.returncode, err.splitlines()[-1])
    assert [] == list(tmp_path.iterdir())
    assert [] == processes_naming(str(tmp_path))


def test_a_killed_run_keeps_its_samples_and_can_be_judged(tmp_path: Path) -> None:
    process = start_run(tmp_path)
    wait_until(lambda: polls_written(tmp_path) > 60, "sixty polls")
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: processes_naming(str(tmp_path)) == [], "its processes are gone")
    directory = only_run(tmp_path)
    assert directory.path.name.endswith(".partial")
    assert 60 <= len(read_samples(directory.samples).samples)
    assert RunState.RUNNING == read_run(directory).state
    reported = run("report", str(directory.path))
    # What the target and its database would have said is lost, and what is lost is never a pass.
    assert ExitCode.INCONCLUSIVE == reported.returncode, reported.stderr
    assert "The run ended before it was judged" in " ".join(read_result(directory).warnings)


def test_a_target_that_dies_fails_the_run_and_is_named(tmp_path: Path) -> None:
    process = start_run(tmp_path)
    wait_until(lambda: polls_written(tmp_path) > 60, "sixty polls")
    (target,) = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and is_target_of(folder, str(tmp_path))
    ]
    os.kill(target, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert ExitCode.FAIL == process.returncode, out + err
    assert re.search(r"the target's process ended with\s+signal 9", out), out
    assert [] == processes_naming(str(tmp_path))


def is_target_of(folder: Path, text: str) -> bool:
    try:
        line = (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return "harness.backend" in line and text in line


def test_postgresql_is_served_and_judged_like_sqlite(postgres_url: str, tmp_path: Path) -> None:
    done = run("run", *SHORT, "--deployments", "20000", "--database-url", postgres_url, "--out", str(tmp_path))
    directory = assert_healthy(done, tmp_path)
    assert (read_run(directory).target.database or "").startswith("postgresql ")
    assert postgres_url.encode() not in b"".join(
        path.read_bytes() for path in directory.path.rglob("*") if path.is_file()
    )


def test_a_missing_index_fails_by_name_and_still_does_when_judged_again(tmp_path: Path) -> None:
    database = tmp_path / "master.db"
    url = f"sqlite:///{database}"
    assert 0 == run("seed", "--agents", "20", "--deployments", "2000", "--database-url", url).returncode
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("DROP INDEX idx_deployment_agent_status_created")
    out = tmp_path / "runs"
    done = run("run", *SHORT, "--run-time", "4s", "--database-url", url, "--out", str(out))
    assert ExitCode.FAIL == done.returncode, done.stdout + done.stderr
    directory = only_run(out)
    directory.result.unlink()  # as if it had been killed while judging
    again = run("report", str(directory.path))
    assert ExitCode.FAIL == again.returncode, again.stdout + again.stderr
    failed = [finding.gate.name for finding in read_result(directory).verdict.findings if finding.status == "FAIL"]
    assert ["pending-index"] == failed


def test_a_generator_that_somebody_ends_is_named(tmp_path: Path) -> None:
    process = start_run(tmp_path)
    wait_until(lambda: polls_written(tmp_path) > 60, "sixty polls")
    for pid in [int(folder.name) for folder in Path("/proc").iterdir() if is_load_of(folder, str(tmp_path))]:
        os.kill(pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert ExitCode.OWN_ERROR == process.returncode, err
    assert re.search(r"harness: load generator: somebody ended it after \d+ of 60 s", err), err


def is_load_of(folder: Path, text: str) -> bool:
    try:
        line = (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return "-m\0locust" in line and text in line


def test_a_full_disk_is_one_line_and_keeps_what_it_had(tmp_path: Path) -> None:
    """A file system of two megabytes fills while the plots are drawn, at the latest."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system: run the tests as root to cover a full disk")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        done = run("run", *SHORT, "--out", str(small))
        assert ExitCode.OWN_ERROR == done.returncode, done.stdout + done.stderr
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        subprocess.run(["umount", str(small)], check=True)
