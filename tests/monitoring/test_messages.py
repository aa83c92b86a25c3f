"""What an application sends beyond the common: its own request id, files by the server, a refused websocket."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Response, WebSocket
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from monitoring import Settings
from monitoring.model import Observation
from tests.monitoring.driver import Message
from tests.monitoring.test_transparency import Install, seen, settle

Sends = list[Message]


def lines(settings: Settings, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (settings.log_dir / name).read_text().splitlines()]


@pytest.mark.parametrize(("own", "taken"), [("their-own-id", True), ("not one", False), ("a" * 129, False)])
def test_the_applications_own_id_is_in_the_lines(
    engine: Engine, install: Install, settings: Settings, own: str, *, taken: bool
) -> None:
    """As asgi-correlation-id puts it on the answer; an ill-formed one stays there, and the lines have ours."""
    app = FastAPI()

    @app.get("/own")
    def answer(response: Response) -> str:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        response.headers["X-Request-ID"] = own
        return "own"

    client, handle = install(app, engine)
    found = client.get("/own", headers=[("X-Request-ID", "brought")])
    handle.close()
    assert [value for name, value in found.messages[0]["headers"] if name == b"x-request-id"] == [own.encode()]
    expected = own if taken else "brought"
    assert [line["request_id"] for line in lines(settings, "master-backend.log")] == [expected]
    assert [line["request_id"] for line in lines(settings, "database-queries.log")] == [expected]


def answering(install: Install, messages: Callable[[], Sends]) -> Observation:
    """Return what is recorded of an answer."""

    async def raw(scope: Any, receive: Any, send: Any) -> None:
        for message in messages():
            await send(message)

    client, handle = install(Starlette(routes=[Mount("/raw", raw)]))
    found = seen(handle)
    assert len(client.get("/raw/x").messages) == len(messages())
    settle(handle)
    [one] = found
    return one


def start(*headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": 200, "headers": [*headers]}


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ([{"count": 5}], 5),
        ([{"count": 5, "more_body": True}, {"count": 7, "offset": 5}], 12),
        ([{"count": 0}], 0),
        ([{}], 1000),
        ([{"offset": 400}], 600),
        ([{"offset": 5000}], 0),
    ],
)
def test_a_file_that_the_server_copies(
    install: Install, tmp_path: Path, fields: list[dict[str, Any]], sent: int
) -> None:
    """``http.response.zerocopysend``, with and without what it may leave out; more may follow."""
    path = tmp_path / "page"
    path.write_bytes(b"x" * 1000)
    with path.open("rb") as file:
        copies = [{"type": "http.response.zerocopysend", "file": file, **one} for one in fields]
        one = answering(install, lambda: [start(), *copies])
    assert (one.status, one.exception, one.bytes_out) == (200, None, sent)


def test_a_file_that_the_server_copies_in_part_is_no_complete_answer(install: Install, tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"x" * 1000)
    with path.open("rb") as file:
        copy = {"type": "http.response.zerocopysend", "file": file, "count": 5, "more_body": True}
        one = answering(install, lambda: [start(), copy])
    assert (one.status, one.bytes_out) == (500, 5)


@pytest.mark.parametrize(
    ("headers", "name", "sent"),
    [
        ([(b"content-length", b"77")], "page", 77),
        ([(b"Content-Length", b"77")], "gone", 77),
        ([], "page", 1000),
        ([], "gone", 0),
        ([(b"content-length", b"many")], "page", 0),
    ],
)
def test_a_file_that_the_server_reads(
    install: Install, tmp_path: Path, headers: list[tuple[bytes, bytes]], name: str, sent: int
) -> None:
    """``http.response.pathsend`` says no size: the answer's headers do, or the file."""
    (tmp_path / "page").write_bytes(b"x" * 1000)
    by_path = {"type": "http.response.pathsend", "path": str(tmp_path / name)}
    one = answering(install, lambda: [start(*headers), by_path])
    assert (one.status, one.exception, one.bytes_out) == (200, None, sent)


def connect(app: Any) -> Sends:
    """Open a websocket, and return what the application sends."""
    sent: Sends = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/ws",
        "headers": [],
        "query_string": b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    asyncio.run(app(scope, receive, send))
    return sent


def ids(message: Message) -> list[str]:
    return [value.decode() for name, value in message["headers"] if name == b"x-request-id"]


def recorded(app: Any, install: Install) -> tuple[Sends, Observation]:
    _, handle = install(app)
    found = seen(handle)
    sent = connect(app)
    settle(handle)
    [one] = found
    return sent, one


@pytest.mark.parametrize("own", [None, "their-own-id"])
def test_a_refused_websocket_carries_the_id(install: Install, own: str | None) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        headers = {} if own is None else {"X-Request-ID": own}
        await websocket.send_denial_response(PlainTextResponse("no", 403, headers=headers))

    sent, one = recorded(app, install)
    assert (one.method, one.status, one.bytes_out) == ("WEBSOCKET", 403, 2)
    assert ids(sent[0]) == [one.request_id]
    assert own in {None, one.request_id}


def test_an_accepted_websocket_with_an_id_of_its_own_has_one(install: Install) -> None:
    app = FastAPI()

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept(headers=[(b"x-request-id", b"their-own-id")])
        await websocket.close()

    sent, one = recorded(app, install)
    assert (ids(sent[0]), one.request_id, one.status) == (["their-own-id"], "their-own-id", 101)
