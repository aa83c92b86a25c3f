"""What the monitoring layer is measured on: one small application, and two ways to drive it without a socket."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text
from uvicorn.server import ServerState

from monitoring import Handle

PATH = "/api/deployments/pending/{agent_id}"


def application(engine: Engine | None, *, threaded: bool, telemetry: Mapping[str, Any] | None = None) -> FastAPI:
    # Only newer versions take it.
    chosen: dict[str, Any] = {} if telemetry is None else {"telemetry": telemetry}
    app = FastAPI(**chosen)

    def answer(agent_id: str) -> dict[str, Any]:
        if engine is None:
            return {"agent_id": agent_id, "deployments": []}
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT 1 WHERE :a <> 'x'"), {"a": agent_id})
            return {"agent_id": agent_id, "deployments": [row[0] for row in rows]}

    if threaded:
        app.get(PATH)(answer)
    else:

        @app.get(PATH)
        async def pending(agent_id: str) -> dict[str, Any]:
            return answer(agent_id)

    return app


async def call(app: Any, number: int) -> None:
    path = f"/api/deployments/pending/agent-{number % 50}"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"agent/1"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    await app(scope, receive, send)


Drive = Callable[[int], Coroutine[Any, Any, None]]
"""Sends so many requests."""


def directly(app: Any) -> Drive:
    async def drive(requests: int) -> None:
        for number in range(requests):
            await call(app, number)

    return drive


class Nowhere(asyncio.Transport):
    """A connection whose other end swallows everything."""

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 8000)}.get(name, default)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def by_uvicorn(app: Any, *, access_log: bool, connections: int = 8) -> Drive:
    """Return a drive through uvicorn's protocol; call within the loop."""
    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    protocol_class: Any = config.http_protocol_class
    state = ServerState()
    # A server renews these once a second.
    state.default_headers = [(b"server", b"uvicorn"), (b"date", b"Mon, 23 Nov 2026 00:00:00 GMT")]
    protocols = []
    for _ in range(connections):
        protocol = protocol_class(config=config, server_state=state, app_state={})
        protocol.access_log = access_log
        protocol.connection_made(Nowhere())
        protocols.append(protocol)
    payloads = [request_bytes(number) for number in range(50)]

    async def drive(requests: int) -> None:
        for first in range(0, requests, connections):
            for number, protocol in enumerate(protocols, first):
                protocol.data_received(payloads[number % 50])
            await asyncio.sleep(0)
            while not all(protocol.cycle.response_complete for protocol in protocols):
                await asyncio.sleep(0)

    return drive


def request_bytes(number: int) -> bytes:
    return (
        f"GET /api/deployments/pending/agent-{number} HTTP/1.1\r\n"
        "Host: 127.0.0.1:8000\r\nUser-Agent: agent/1\r\nAccept: */*\r\n\r\n"
    ).encode()


def settle(handle: Handle) -> None:
    """Have the layer's threads do now what they would do within a quarter of a second."""
    assert handle.monitor is not None
    handle.monitor.hub.empty()
    handle.monitor._files.flush()
