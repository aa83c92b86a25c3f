"""Real workers of a real server: one answer whichever is asked, also after one was killed; logs complete."""

import collections
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
"""Far longer than anything here takes: reached only when a test fails."""

APPLICATION = """
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from monitoring import instrument

engine = create_engine("sqlite:///service.db")
app = FastAPI()

@app.get("/api/deployments/pending/{agent_id}")
def pending(agent_id: str) -> list[int]:
    with engine.connect() as connection:
        return [row[0] for row in connection.execute(text("SELECT 1"))]

instrument(app, engine)
"""


class Service:
    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str) -> Any:
        """Ask over a connection of its own, so that any worker may answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            return json.loads(answer.read())
        finally:
            connection.close()

    def poll(self, times: int) -> None:
        for number in range(times):
            assert self.get(f"/api/deployments/pending/agent-{number % 50}") == [1]

    def wait(self, wanted: Callable[[Any], bool]) -> Any:
        """Ask for the metrics until they are as wanted: other workers write once a second."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            found = self.get("/api/metrics")
            if wanted(found):
                return found
            assert time.monotonic() < deadline_s, found
            time.sleep(0.05)


def total(answer: Any) -> int:
    return int(answer["totals"]["total_requests"])


def lines_of(folder: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (folder / "logs" / name).read_text().splitlines()]


def queries_of(folder: Path) -> list[Any]:
    """Return the lines of statements that a request sent."""
    return [line for line in lines_of(folder, "database-queries.log") if "request_id" in line]


def test_three_workers_give_one_answer_and_one_is_killed(tmp_path: Path) -> None:
    """
    Every request is counted once, by whichever worker it was served and whichever is asked.

    A worker that is killed outright and replaced costs nothing that was a second old; its lines are in the log.
    """
    (tmp_path / "application.py").write_text(textwrap.dedent(APPLICATION))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "application:app", "--workers", "3", "--no-access-log"]
    with (tmp_path / "out").open("wb") as out:
        server = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=out,
            stdout=out,
        )
        service = Service(port)
        try:
            deadline_s = time.monotonic() + PATIENCE_S
            while (tmp_path / "out").read_text().count("Application startup complete") < 3:
                assert server.poll() is None, (tmp_path / "out").read_text()
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            service.poll(200)
            answer = service.wait(lambda found: total(found) == 200 and len(found["monitoring"]["workers"]) == 3)
            assert [200] * 20 == [total(service.get("/api/metrics")) for _ in range(20)]
            before = {worker["pid"] for worker in answer["monitoring"]["workers"]}
            assert answer["statements"]["count"] == 200
            assert answer["database_pools"][0]["workers"] == 3

            # Figures and lines are written by threads of their own: what is not yet on disk dies with the worker.
            while len(lines_of(tmp_path, "master-backend.log")) < 200 or len(queries_of(tmp_path)) < 200:
                assert time.monotonic() < deadline_s
                time.sleep(0.05)
            os.kill(min(before), signal.SIGKILL)

            def replaced(found: Any) -> bool:
                pids = {worker["pid"] for worker in found["monitoring"]["workers"]}
                return len(pids) == 3 and min(before) not in pids

            answer = service.wait(replaced)
            assert total(answer) == 200
            assert answer["monitoring"]["started"] == answer["window"]["since"]
            service.poll(100)
            service.wait(lambda found: total(found) == 300)
            assert {300} == {total(service.get("/api/metrics")) for _ in range(20)}
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(PATIENCE_S)
    lines = lines_of(tmp_path, "master-backend.log")
    assert len(lines) == 300
    asked = collections.Counter(line["request_id"] for line in queries_of(tmp_path))
    assert {line["request_id"] for line in lines} == set(asked)
    assert set(asked.values()) == {1}
