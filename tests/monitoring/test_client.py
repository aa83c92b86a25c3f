"""What the commands ask a running service over HTTP, and what they never hand on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from monitoring.client import fetch
from monitoring.errors import MonitoringError

TOKEN = "s3cret"


@contextmanager
def answering(status: int, headers: dict[str, str], seen: list[str | None]) -> Iterator[str]:
    """Serve one answer, and note the token of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_does_not_follow_a_redirect(status: int) -> None:
    first: list[str | None] = []
    second: list[str | None] = []
    with answering(200, {}, second) as other:
        location = {"Location": f"{other.replace('//', '//user:word@')}/login?next=secret"}
        with answering(status, location, first) as url, pytest.raises(MonitoringError) as error:
            fetch(url, "/api/metrics", query={}, token=TOKEN)
    assert [f"Bearer {TOKEN}"] == first
    assert not second
    assert (
        f"service '{url}/api/metrics': redirects to {other}/login, which is not followed, got HTTP {status}; "
        f"try --url {other} where that is the service too" == str(error.value)
    )


def test_a_redirect_to_nowhere() -> None:
    with answering(302, {}, []) as url, pytest.raises(MonitoringError, match="redirects to"):
        fetch(url, "/api/metrics", query={})
