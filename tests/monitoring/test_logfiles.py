"""The log files through the whole layer: what is in them, and what becomes of lines when they can't be written."""

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from sqlalchemy import Engine

from monitoring import Handle, Settings, uninstrument
from monitoring.commands.metrics import render
from monitoring.logs import writer as writer_module
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client, FakeClock, Message

Install = Callable[..., tuple[Client, Handle]]
PENDING = "/api/deployments/pending/a"


def lines_of(handle: Handle, name: str = "master-backend.log") -> list[dict[str, Any]]:
    """Return what a log holds once everything seen so far is written."""
    assert handle.monitor is not None
    assert handle.settings is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()
    path = handle.settings.log_dir / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file that couldn't be written tried again at once."""
    monkeypatch.setattr(writer_module, "RETRY_S", 0.0)


# ---- slow requests


@pytest.mark.parametrize(
    ("limit_s", "duration_s", "level"), [(None, 0.499, "INFO"), (None, 0.5, "WARNING"), (2.0, 1.9, "INFO")]
)
def test_a_slow_request_is_a_warning(  # noqa: PLR0917  # fixtures and a table
    install: Install, settings: Settings, clock: FakeClock, limit_s: float | None, duration_s: float, level: str
) -> None:
    """An answer that is well but late stands out in the log."""
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> None:
        clock.advance(duration_s)

    chosen = settings if limit_s is None else settings.model_copy(update={"slow_request_s": limit_s})
    client, handle = install(app, None, chosen, clock=clock)
    client.get("/slow")
    [line] = lines_of(handle)
    assert (line["status"], line["level"]) == (200, level)


def test_a_long_websocket_is_not_slow(install: Install, clock: FakeClock) -> None:
    """A websocket lives as long as it likes: that is no response time."""
    app = FastAPI()

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        clock.advance(3600.0)
        await websocket.close()

    _, handle = install(app, clock=clock)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(app(scope, receive, send))
    [line] = lines_of(handle)
    assert (line["method"], line["duration_ms"], line["level"]) == ("WEBSOCKET", 3_600_000.0, "INFO")


# ---- the application's own records


@pytest.fixture
def _verbose() -> Iterator[None]:
    """Let INFO through, as an application does that configures logging."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield
    root.setLevel(before)


@pytest.mark.usefixtures("_verbose")
def test_records_of_the_application_stand_beside_its_requests(install: Install, settings: Settings) -> None:
    """One file tells what a request did: its own line and what was logged in it carry one id."""
    app = FastAPI()
    own = logging.getLogger("master.deployments")

    @app.get("/work")
    def work() -> None:
        own.info("handed out %d deployments", 3)
        own.debug("not let through by the application's own level")

    client, handle = install(app, None, settings.model_copy(update={"log_application": True}))
    request_id = client.get("/work").headers["x-request-id"]
    own.warning("outside of a request")
    lines = {
        line["logger"]: line for line in lines_of(handle) if line["message" if "message" in line else "route"]
    }
    messages = [(line["message"], line.get("request_id")) for line in lines_of(handle) if "message" in line]
    assert messages == [("handed out 3 deployments", request_id), ("outside of a request", None)]
    assert lines["monitoring.request"]["request_id"] == request_id
    uninstrument(handle)
    own.warning("after the end")
    assert "after the end" not in (settings.log_dir / "master-backend.log").read_text()


@pytest.mark.usefixtures("_verbose")
def test_without_the_setting_they_are_left_alone(install: Install) -> None:
    _, handle = install(FastAPI())
    before = list(logging.getLogger().handlers)
    logging.getLogger("master").warning("elsewhere")
    assert lines_of(handle) == []
    assert logging.getLogger().handlers == before


@pytest.mark.usefixtures("_verbose")
def test_only_the_application_may_have_a_log(install: Install, settings: Settings) -> None:
    """Its records are taken also where requests are not logged."""
    chosen = settings.model_copy(update={"log_requests": False, "log_application": True})
    client, handle = install(FastAPI(), None, chosen)
    client.get("/nowhere")
    logging.getLogger("master").warning("alone")
    assert [line.get("message") for line in lines_of(handle)] == ["alone"]


# ---- files that can't be written


@pytest.mark.usefixtures("_impatient")
def test_lines_on_standard_error_show_in_the_answers(
    engine: Engine, install: Install, settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A log that can't be written: requests go on, health warns, the metrics say why, and it comes back."""
    chosen = settings.model_copy(update={"store_dir": tmp_path / "store"})
    client, handle = install(master(engine), engine, chosen)
    client.get("/api/health/live")
    settings.log_dir.write_text("in the way")
    for _ in range(3):
        assert client.get(PENDING).json() == [1]
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()
    own = client.get("/api/metrics").json()["monitoring"]
    assert (own["diverted"], own["dropped"], own["faults"]) == (6, 0, 0)
    path = settings.log_dir / "master-backend.log"
    assert own["log_trouble"] == f"{path}: can't be written (Not a directory), lines go to standard error"
    health = client.get("/api/health")
    assert (health.status, health.json()["status"]) == (200, "warn")
    assert health.json()["checks"]["logs"] == {
        "status": "warn",
        "observed": None,
        "unit": None,
        "output": "a log file can't be written or rotated",
    }
    shown = render(client.get("/api/metrics").json())
    assert "monitoring itself: 6 diverted\n" in shown
    assert f"monitoring itself: {own['log_trouble']}\n" in shown
    said = capfd.readouterr().err
    assert said.count(f"log file '{path}': can't be written: Not a directory") == 1
    assert said.count(f'"path":"{PENDING}"') == 3

    settings.log_dir.unlink()
    client.get(PENDING)
    assert len(lines_of(handle)) == 1
    own = client.get("/api/metrics").json()["monitoring"]
    assert (own["diverted"], own["log_trouble"]) == (6, None)
    assert client.get("/api/health").json()["status"] == "pass"
    assert f"log file '{path}': is written again; 3 lines went to standard error" in capfd.readouterr().err


@pytest.mark.usefixtures("_impatient")
def test_an_idle_service_gets_well_by_itself(
    install: Install, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody has to send a request for health to pass again; no line is written to find out."""
    path = settings.log_dir / "master-backend.log"
    path.mkdir(parents=True)
    client, handle = install(FastAPI(), None)
    client.get("/nowhere")
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()
    assert client.get("/api/health").json()["status"] == "warn"
    path.rmdir()
    deadline_s = time.monotonic() + 30
    while handle.monitor._files.trouble is not None and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert client.get("/api/health").json()["status"] == "pass"
    assert path.read_bytes() == b""
    assert f"log file '{path}': is written again; 1 lines went to standard error" in capfd.readouterr().err


def test_a_file_that_cannot_be_rotated_shows(install: Install, settings: Settings) -> None:
    """It grows past its limit until it can: health warns and the metrics name the file."""
    client, handle = install(FastAPI(), None, settings.model_copy(update={"log_max_bytes": 10_000}))
    settings.log_dir.mkdir(exist_ok=True)
    for number in range(1, 6):
        # A folder that isn't empty stands where each rotated file would go.
        (settings.log_dir / f"master-backend.log.{number}" / "x").mkdir(parents=True)
    for _ in range(60):
        client.get("/nowhere")
    assert len(lines_of(handle)) == 60
    own = client.get("/api/metrics").json()["monitoring"]
    path = settings.log_dir / "master-backend.log"
    assert own["log_trouble"].startswith(f"{path}: can't be rotated (")
    assert own["log_trouble"].endswith("), it grows past its limit")
    assert client.get("/api/health").json()["checks"]["logs"]["status"] == "warn"


@contextlib.contextmanager
def small_disk(folder: Path, *, kib: int) -> Iterator[Path]:
    """Mount a file system of this size; skipped, with the reason, where that isn't allowed."""
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk needs a small file system, and mounting one needs root")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"NOT TESTED: a full disk needs a small file system: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Whoever is still reading must not keep it mounted.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.usefixtures("_impatient")
def test_a_really_full_disk_costs_no_request_no_line_and_no_figure(
    engine: Engine, install: Install, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Logs and store on a disk that fills up: every answer is as before, and all is made good afterwards."""
    with small_disk(tmp_path / "disk", kib=1024) as disk:
        client, handle = install(master(engine), engine, Settings(log_dir=disk / "logs"))
        assert handle.monitor is not None
        assert client.get(PENDING).json() == [1]
        assert len(lines_of(handle)) == 1
        handle.monitor.flush()
        filler = disk / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        for _ in range(200):
            assert client.get(PENDING).json() == [1]
        answer = client.get("/api/health").json()
        assert answer["status"] == "warn"
        handle.monitor.hub.empty()
        handle.monitor._files.flush()
        answer = client.get("/api/health").json()
        assert {answer["checks"][name]["status"] for name in ("store", "logs")} == {"warn"}
        assert handle.monitor.state().diverted > 0
        assert handle.monitor.state().dropped == 0
        assert handle.monitor.store_trouble is not None
        assert "database or disk is full" in handle.monitor.store_trouble

        filler.unlink()
        assert client.get(PENDING).json() == [1]
        handle.monitor.flush()
        written = len(lines_of(handle))
        own = client.get("/api/metrics").json()
        assert own["totals"]["total_requests"] == 202
        assert (own["monitoring"]["store_trouble"], own["monitoring"]["log_trouble"]) == (None, None)
        assert client.get("/api/health").json()["status"] == "pass"
        said = capfd.readouterr().err
        assert written + said.count(f'"path":"{PENDING}"') == 202
        assert said.count("log': can't be written: No space left on device") == 2, "once for each file"
        uninstrument(handle)


@pytest.mark.usefixtures("_impatient")
def test_a_device_without_room_costs_no_request(
    engine: Engine, install: Install, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """The kernel's own "No space left on device", wherever tests run: lines go to standard error, none is lost."""
    settings.log_dir.mkdir()
    path = settings.log_dir / "master-backend.log"
    path.symlink_to("/dev/full")
    client, handle = install(master(engine), engine)
    for _ in range(5):
        assert client.get(PENDING).json() == [1]
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()
    own = client.get("/api/metrics").json()["monitoring"]
    assert (own["diverted"], own["dropped"]) == (5, 0)
    assert own["log_trouble"] == f"{path}: can't be written (No space left on device), lines go to standard error"
    assert capfd.readouterr().err.count(f'"path":"{PENDING}"') == 5
    path.unlink()
    client.get(PENDING)
    assert len(lines_of(handle)) == 1
    assert len(lines_of(handle, "database-queries.log")) == 6


def test_writing_never_waits_on_the_event_loop(install: Install, settings: Settings) -> None:
    """A disk that hangs holds up the writer's thread, not the request."""
    client, handle = install(FastAPI(), None, settings)
    assert handle.monitor is not None
    [writer, *_] = list(handle.monitor._files._writers())
    with writer._draining:  # as held by a write that doesn't return
        start_s = time.thread_time()
        for _ in range(20):
            assert client.get("/nowhere").status == 404
        handle.monitor.hub.empty()
        assert writer._waiting == 20
        assert time.thread_time() - start_s < 10
    assert len(lines_of(handle)) == 20


# ---- two services


def test_two_services_of_one_folder_keep_apart(tmp_path: Path, install: Install, engine: Engine) -> None:
    """Each has its own requests and figures; statements share one log, told apart by their request ids."""
    folder = tmp_path / "logs"
    answers = {}
    handles = {}
    for name, polls in (("master", 3), ("billing", 2)):
        client, handle = install(
            master(engine) if name == "master" else FastAPI(),
            engine if name == "master" else None,
            Settings(log_dir=folder, service=name),
        )
        for _ in range(polls):
            client.get(PENDING)
        answers[name] = client.get("/api/metrics").json()
        handles[name] = handle
    assert {"master": 3, "billing": 2} == {
        name: answer["totals"]["total_requests"] for name, answer in answers.items()
    }
    assert {"master": "master", "billing": "billing"} == {name: one["service"] for name, one in answers.items()}
    assert len(lines_of(handles["master"], "master.log")) == 3
    assert len(lines_of(handles["billing"], "billing.log")) == 2
    own = {line["request_id"] for line in lines_of(handles["master"], "master.log")}
    assert own == {line["request_id"] for line in lines_of(handles["master"], "database-queries.log")}
