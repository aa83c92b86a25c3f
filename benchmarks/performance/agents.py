"""Ways of polling a master: in its own process, and over the network as fifty agents do."""

import asyncio
import http.client
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

FLEET = 50
_TIMEOUT_S = 10.0


def paths() -> list[str]:
    """Return the polled path of each agent."""
    return [f"/api/deployments/pending/agent-{number:04d}" for number in range(1, FLEET + 1)]


@contextmanager
def in_process(app: FastAPI) -> Iterator[Callable[[], None]]:
    """
    Yield a function that polls once, for each agent in turn, past the network and the server's parser.

    Args:
        app: the master; its lifespan runs within the block.
    """
    loop = asyncio.new_event_loop()
    scopes = [_scope(path) for path in paths()]
    turn = 0

    def poll() -> None:
        nonlocal turn
        turn = (turn + 1) % FLEET
        status = loop.run_until_complete(_call(app, dict(scopes[turn])))
        if status != 200:
            raise AssertionError(f"{scopes[turn]['path']} was answered {status}")

    lifespan = app.router.lifespan_context(app)
    loop.run_until_complete(lifespan.__aenter__())
    try:
        yield poll
    finally:
        loop.run_until_complete(lifespan.__aexit__(None, None, None))
        loop.close()


@contextmanager
def over_the_network(url: str) -> Iterator[Callable[[], None]]:
    """
    Yield a function that polls once, for each agent in turn, each on a connection of its own that stays open.

    Fifty agents at one poll in ten seconds send five a second: two polls hardly ever meet, so it sees one at
    a time.

    Args:
        url: base URL of a running master.
    """
    host = urlsplit(url).netloc
    turn = 0
    with ExitStack() as stack:
        connections = [http.client.HTTPConnection(host, timeout=_TIMEOUT_S) for _ in range(FLEET)]
        for connection in connections:
            stack.callback(connection.close)
        asked = paths()

        def poll() -> None:
            nonlocal turn
            turn = (turn + 1) % FLEET
            connections[turn].request("GET", asked[turn])
            answer = connections[turn].getresponse()
            answer.read()
            if answer.status != 200:
                raise AssertionError(f"{asked[turn]} was answered {answer.status}")

        yield poll


def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


async def _call(app: FastAPI, scope: dict[str, Any]) -> int:
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    await app(scope, receive, send)
    return status
