"""A client that calls an ASGI application in this process, and a clock that moves only when told to."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]


class FakeClock:
    """Both clocks, moved by hand."""

    def __init__(self, start_s: float = 1_800_000_000.0) -> None:
        self.now_s = start_s
        self.elapsed_s = 100.0

    def wall_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def advance(self, duration_s: float) -> None:
        self.now_s += duration_s
        self.elapsed_s += duration_s


@dataclass
class Answer:
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: BaseException | None = None
    messages: list[Message] = field(default_factory=list)

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """
    Call an application as a server would.

    Exceptions that reach the server are kept in `Answer.error`, as a server would log them and go on.
    """

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    def get(self, url: str, **kwargs: Any) -> Answer:
        return self.request("GET", url, **kwargs)

    def request(self, method: str, url: str, **kwargs: Any) -> Answer:
        return asyncio.run(self.request_async(method, url, **kwargs))

    async def request_async(
        self,
        method: str,
        url: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        receive: Callable[[], Awaitable[Message]] | None = None,
        send: Callable[[Message], Awaitable[None]] | None = None,
        root_path: str = "",
    ) -> Answer:
        parts = urlsplit(url)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": root_path,
            "headers": [(b"host", b"test"), *((k.lower().encode(), v.encode("latin-1")) for k, v in headers)],
            "client": ("10.0.0.1", 1234),
            "server": ("test", 80),
            "state": {},
        }
        answer = Answer()
        sent_body = False

        async def own_receive() -> Message:
            nonlocal sent_body
            if not sent_body:
                sent_body = True
                return {"type": "http.request", "body": body, "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError("never")

        async def own_send(message: Message) -> None:
            answer.messages.append(message)
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        try:
            await self.app(scope, receive or own_receive, send or own_send)
        except Exception as error:  # noqa: BLE001  # whatever reaches the server is the finding
            answer.error = error
        return answer

    def lifespan(self, inside: Callable[[], Awaitable[None]]) -> list[str]:
        """Start the application up, do something, shut it down; return the types of the messages it sent."""

        async def run() -> list[str]:
            inbox: asyncio.Queue[Message] = asyncio.Queue()
            outbox: asyncio.Queue[Message] = asyncio.Queue()
            state: dict[str, Any] = {}
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
            task = asyncio.create_task(self.app(scope, inbox.get, outbox.put))  # type: ignore[arg-type]
            await inbox.put({"type": "lifespan.startup"})
            types = [(await outbox.get())["type"]]
            await inside()
            await inbox.put({"type": "lifespan.shutdown"})
            types.append((await outbox.get())["type"])
            await task
            return types

        return asyncio.run(run())
