"""Who may read the figures, in which forms, and what the command makes of them."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import Engine, create_engine
from starlette.applications import Starlette

from monitoring import Handle, Settings, prometheus
from monitoring.cli import main
from monitoring.commands.metrics import render
from monitoring.histogram import Histogram
from monitoring.opening import open_store
from monitoring.store import Store
from tests.monitoring.conftest import master
from tests.monitoring.driver import Client

Install = Callable[..., tuple[Client, Handle]]
GUARDED = ("/api/health", "/api/health/ready", "/api/metrics", "/api/metrics/pending-deployments")


# ---- the token


@pytest.mark.parametrize("path", GUARDED)
def test_a_token_guards_everything_but_liveness(install: Install, settings: Settings, path: str) -> None:
    client, _ = install(FastAPI(), None, Settings(log_dir=settings.log_dir, token="open-sesame"))
    for given in (None, "Bearer wrong", "Bearer ", "Basic open-sesame", "open-sesame", "Bearer öpen"):
        answer = client.get(path, headers=[("Authorization", given)] if given else [])
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json() == {"detail": "token missing or wrong"}
    assert client.get(path, headers=[("Authorization", "Bearer open-sesame")]).status == 200
    assert client.get("/api/health/live").json() == {"status": "pass"}


# ---- HEAD


OURS = (*GUARDED, "/api/health/live", "/api/metrics/prometheus")


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
@pytest.mark.parametrize("path", OURS)
def test_head_answers_as_get_does_without_a_body(
    install: Install, settings: Settings, kind: type[Starlette], path: str
) -> None:
    """Load balancers and uptime checkers ask with HEAD: the same status and headers, the same token."""
    client, _ = install(kind(), None, Settings(log_dir=settings.log_dir, token="open-sesame"))
    for headers in ([], [("Authorization", "Bearer open-sesame")]):
        got = client.get(path, headers=headers)
        head = client.request("HEAD", path, headers=headers)
        assert head.status == got.status == (200 if headers or path.endswith("live") else 401)
        assert (head.body, head.error) == (b"", None)
        ours = {"content-type", "cache-control", "www-authenticate"}
        assert {k: v for k, v in head.headers.items() if k in ours} == {
            k: v for k, v in got.headers.items() if k in ours
        }
        assert int(head.headers["content-length"]) > 0
    assert client.request("POST", path).status == 405


def test_head_tells_of_a_database_that_fails(install: Install, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    client, _ = install(FastAPI(), engine)
    head = client.request("HEAD", "/api/health")
    assert (head.status, head.body) == (503, b"")


def test_head_passes_the_applications_own_dependencies(install: Install) -> None:
    """A login before the whole application holds for HEAD as for GET."""

    def login() -> None:
        raise HTTPException(403)

    client, _ = install(FastAPI(dependencies=[Depends(login)]))
    for path in GUARDED:
        head = client.request("HEAD", path)
        assert (head.status, head.body) == (403, b"")
    assert client.request("HEAD", "/api/health/live").status == 200


def test_head_is_not_in_the_openapi_document(install: Install) -> None:
    app = FastAPI()
    install(app)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of two operations with one id
        paths = app.openapi()["paths"]
    assert set(OURS) == set(paths)
    assert all(list(item) == ["get"] for item in paths.values())


# ---- OpenMetrics


def test_without_the_library_openmetrics_says_what_to_do(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus, "available", lambda: False)
    answer = install(FastAPI())[0].get("/api/metrics/prometheus")
    assert answer.status == 501
    assert answer.json() == {"detail": "prometheus_client is not installed; try pip install prometheus-client"}


def test_openmetrics(client: Client) -> None:
    """Prometheus reads counts by route and status, and cumulative buckets that end in the count."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    for _ in range(3):
        client.get("/api/deployments/pending/a")
    client.get("/boom")
    answer = client.get("/api/metrics/prometheus")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = {one.name: one for one in parser.text_string_to_metric_families(answer.body.decode())}
    requests = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["http_requests"].samples
    }
    assert requests == {("/api/deployments/pending/{agent_id}", "200"): 3.0, ("/boom", "500"): 1.0}
    assert "http_request_duration_seconds" in families


def test_buckets_are_cumulative_and_exact() -> None:
    """The bounds are edges of the histogram's own buckets, so each count is exact."""
    values = [0.0001, 0.0005, 0.0007, 0.002, 0.09, 3.0, 100.0]
    buckets = prometheus._buckets(Histogram.of(values))
    assert buckets[-1] == ("+Inf", 7)
    for bound, count in buckets[:-1]:
        assert count == sum(value < float(bound) for value in values)


# ---- the command


class Fixed(BaseHTTPRequestHandler):
    """A service that gives the same answer to everybody."""

    answer: tuple[int, bytes] = (200, b"{}")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Callable[[int, bytes], str]]:
    servers: list[tuple[HTTPServer, threading.Thread]] = []

    def start(status: int, body: bytes) -> str:
        handler = type("Handler", (Fixed,), {"answer": (status, body)})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_command_prints_a_table(
    client: Client, service: Callable[[int, bytes], str], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        client.get("/api/deployments/pending/a")
    client.get("/boom")
    body = client.get("/api/metrics").body
    url = service(200, body)
    assert main(["metrics", url]) == 0
    shown = capsys.readouterr().out
    assert "GET /api/deployments/pending/{agent_id}" in shown
    assert "errors of GET /boom: 500: 1, ValueError: 1" in shown
    assert "pool sqlite: 0 of 15 out, peak 1 (7%)" in shown
    assert main(["metrics", url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(body)


def test_unknown_is_a_question_mark_not_a_zero(client: Client) -> None:
    """Before the first request there are no times."""
    shown = render(client.get("/api/metrics/pending-deployments").json())
    [row] = [line for line in shown.splitlines() if "pending" in line]
    assert row.split()[2:7] == ["?"] * 5


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, b"{}", "wants a bearer token, got HTTP 401; try --token-env VAR"),
        (404, b"{}", "no such endpoint, got HTTP 404; try another name, or --prefix of the service"),
        (503, b'{"detail": "figures can\'t be read"}', "figures can't be read, got HTTP 503"),
        (500, b"<html>", "Internal Server Error, got HTTP 500"),
        (200, b"<html>", "/api/metrics gives no metrics; try another port, or --prefix of the service"),
        (200, b"[1]", "/api/metrics gives no metrics; try another port, or --prefix of the service"),
    ],
)
def test_answers_that_are_none(
    service: Callable[[int, bytes], str], capsys: pytest.CaptureFixture[str], status: int, body: bytes, text: str
) -> None:
    assert main(["metrics", service(status, body)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err
    assert captured.err.count("\n") == 1


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    assert main(["metrics", f"http://127.0.0.1:{port}", "--timeout", "1s"]) == 1
    assert "no answer (" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["metrics", "ftp://x"], "url: not usable, got 'ftp://x', need http://HOST:PORT"),
        (["metrics", "localhost:8000"], "url: not usable, got 'localhost:8000', need http://HOST:PORT"),
        (["metrics", "http://a b/"], "url: not usable, got 'http://a b/', need http://HOST:PORT"),
        (["metrics", "http://x:abc"], "url: not usable, got 'http://x:abc', need http://HOST:PORT"),
        (["metrics", "http://x:99999"], "url: not usable, got 'http://x:99999', need http://HOST:PORT"),
        (["metrics", "http://[::1"], "url: not usable, got 'http://[::1', need http://HOST:PORT"),
        (["metrics", "http://:80"], "url: not usable, got 'http://:80', need http://HOST:PORT"),
        (
            ["metrics", "http://x", "--timeout", "0s"],
            "option '--timeout': out of range, got '0s', need more than 0s",
        ),
        (["metrics", "http://x", "--timeout", "9999999d"], "option '--timeout': out of range, got '9999999d'"),
        (["report", "--url", "http://x", "--timeout", "0s"], "option '--timeout': out of range, got '0s'"),
        (["metrics", "http://x", "--window", "5q"], "duration '--window': not understood, got '5q'"),
        (["metrics", "http://x", "--token-env", "NOT_SET"], "option '--token-env': variable not set, got NOT_SET"),
    ],
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str], text: str) -> None:
    assert main(arguments) == 2
    assert text in capsys.readouterr().err


def test_the_token_comes_from_the_environment(
    service: Callable[[int, bytes], str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MASTER_TOKEN", "open-sesame")
    assert main(["metrics", service(401, b"{}"), "--token-env", "MASTER_TOKEN"]) == 1
    assert "open-sesame" not in capsys.readouterr().err


@pytest.mark.parametrize("token", ["open\nsesame", "open sesame", "sésame"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], token: str
) -> None:
    """A line break from a file is the commonest slip, and no reason to print the secret."""
    monkeypatch.setenv("MASTER_TOKEN", token)
    assert main(["metrics", "http://127.0.0.1:1", "--token-env", "MASTER_TOKEN"]) == 2
    shown = capsys.readouterr().err
    assert shown == (
        "monitoring: option '--token-env': MASTER_TOKEN holds no token, need ASCII letters, digits and signs\n"
    )


def test_a_service_that_does_not_speak_http(capsys: pytest.CaptureFixture[str]) -> None:
    """The port of something else is an answer in one line, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"+PONG\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert main(["metrics", f"http://127.0.0.1:{server.getsockname()[1]}"]) == 1
        thread.join()
    shown = capsys.readouterr().err
    assert "no answer (+PONG" in shown
    assert shown.count("\n") == 1


def test_a_name_that_needs_quoting(
    service: Callable[[int, bytes], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = service(404, b"{}")
    assert main(["metrics", url, "--endpoint", "no such ü"]) == 1
    assert f"service '{url}/api/metrics/no%20such%20%C3%BC': no such endpoint" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    """`--help` stays instant: no web framework, no database, no serialiser is imported for it."""
    code = (
        "import sys\n"
        "from monitoring.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'fastapi', 'starlette', 'sqlalchemy', 'pydantic', 'msgspec', 'anyio'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd(), check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "monitoring metrics http://127.0.0.1:8000" in done.stdout


# ---- a fork


def test_a_forked_child_begins_anew(engine: Engine, install: Install, settings: Settings) -> None:
    """An application that was instrumented and used before a fork works in the child, with ids of its own."""
    app = master(engine)
    client, _ = install(app, engine)
    parent_id = client.get("/api/deployments/pending/a").headers["x-request-id"]
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of a fork with threads about: it is what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            answer = client.get("/api/deployments/pending/a")
            total = client.get("/api/metrics").json()["totals"]["total_requests"]
            os.write(writer, json.dumps([answer.status, answer.headers["x-request-id"][:16], total]).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    code_told, child_prefix, total = json.loads(told)
    assert code_told == 200
    assert child_prefix != parent_id[:16]
    assert total >= 1


def test_a_fork_waits_until_the_store_is_open(
    engine: Engine, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that was made while a thread is within SQLite would wait for that thread's lock for ever."""
    opening, opened = threading.Event(), []

    def slowly(*arguments: Any, **named: Any) -> Store:
        opening.set()
        time.sleep(0.3)
        store = open_store(*arguments, **named)
        opened.append(True)
        return store

    monkeypatch.setattr("monitoring.monitor.open_store", slowly)
    client, _ = install(master(engine), engine)
    client.get("/api/deployments/pending/a")
    assert opening.wait(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # as above
        child = os.fork()
    if child == 0:
        os._exit(0 if opened else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    # And here everything goes on.
    assert client.get("/api/metrics").json()["totals"]["total_requests"] == 1
