"""Single requests of any method, against real servers."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from harness.load.caller import MAX_BODY_BYTES, Caller, Reply, sample_of
from harness.load.endpoint import parse_endpoint


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], Any]]

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        type(self).seen.append((self.command, self.path, dict(self.headers), body))
        if self.path.endswith("/moved"):
            self.send_response(307)
            self.send_header("Location", "https://elsewhere.example/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.endswith("/drip"):
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.drip()
        elif self.path.endswith("/endless"):
            self.send_response(200)
            self.end_headers()
            self.endless()
        else:
            self.send_response(201)
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b'{"id": 42}')

    do_GET = do_POST  # noqa: N815  # the base class asks for this name

    def drip(self) -> None:
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            return

    def endless(self) -> None:
        try:
            while True:
                self.wfile.write(b" " * 1_000_000)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, str, dict[str, str], Any]]]]:
    seen: list[tuple[str, str, dict[str, str], Any]] = []
    handler = type("OwnHandler", (Handler,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        running.block_on_close = False
        thread = Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/base", seen
        running.shutdown()
        thread.join()


def caller(url: str, timeout_s: float = 5.0) -> Caller:
    return Caller(parse_endpoint(url, headers="Authorization: Bearer s3cret\r\n"), None, timeout_s=timeout_s)


def test_sends_bodies_and_headers_and_keeps_the_connection(server: tuple[str, list[Any]]) -> None:
    url, seen = server
    calling = caller(url)
    replies = [calling.call("POST", "/orders", request_id=f"r{n}", body={"n": n}) for n in (1, 2)]
    replies.append(calling.call("GET", "/orders", request_id="r3"))
    calling.close()
    assert [(201, b'{"id": 42}', None)] * 3 == [(r.status, r.body, r.error) for r in replies]
    assert [True, False, False] == [r.new_connection for r in replies]
    assert [
        ("POST", "/base/orders", {"n": 1}),
        ("POST", "/base/orders", {"n": 2}),
        ("GET", "/base/orders", None),
    ] == [(method, path, body) for method, path, _, body in seen]
    headers = seen[0][2]
    assert ("Bearer s3cret", "r1", "application/json") == (
        headers["Authorization"],
        headers["X-Request-ID"],
        headers["Content-Type"],
    )


def test_a_redirect_is_told_and_not_followed(server: tuple[str, list[Any]]) -> None:
    url, seen = server
    calling = caller(url)
    reply = calling.call("GET", "/moved", request_id="r")
    calling.close()
    assert (307, "https://elsewhere.example/") == (reply.status, reply.location)
    assert 1 == len(seen)


@pytest.mark.parametrize(("path", "error"), [("/drip", "timeout"), ("/endless", "too-long")])
def test_an_answer_without_an_end_is_given_up(server: tuple[str, list[Any]], path: str, error: str) -> None:
    """One that drips never lets a single read time out; one that pours would fill the memory."""
    calling = caller(server[0], timeout_s=0.3 if error == "timeout" else 20.0)
    reply = calling.call("GET", path, request_id="r")
    assert error == reply.error
    assert len(reply.body) <= MAX_BODY_BYTES


def test_nobody_at_home_is_an_error_and_no_exception() -> None:
    assert Reply(error="connection-refused", new_connection=True) == caller("http://127.0.0.1:1").call(
        "GET", "/", request_id="r"
    )


@pytest.mark.parametrize(
    ("reply", "accepted", "error"),
    [
        (Reply(status=201, body=b'{"id": 1}'), None, None),
        (Reply(status=200, body=b"<html>"), None, "bad-json"),
        (Reply(status=404, body=b"{}"), None, "http-404"),
        # who asks for something unknown is answered rightly with a 404
        (Reply(status=404, body=b""), lambda status: status == 404, None),
        (Reply(status=500, body=b""), lambda status: status == 404, "http-500"),
        (Reply(error="timeout"), None, "timeout"),
    ],
)
def test_what_an_answer_is_worth(reply: Reply, accepted: Any, error: str | None) -> None:
    sample = sample_of(
        reply,
        agent="operator-1",
        name="/api/deployments",
        method="POST",
        intended_s=1.0,
        start_s=1.0,
        end_s=1.5,
        request_id="r",
        accepted=accepted,
    )
    assert (error, True, 0.5) == (sample.error, sample.extra, sample.service_time_s)
