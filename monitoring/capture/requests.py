"""
The way in for requests: one pure ASGI layer around the whole application.

It is the outermost one, so what it measures includes every other middleware, and the answer to an unhandled
exception carries a request id too. It adds headers to the start of an answer and changes nothing else: messages
pass through unaltered and in order, exceptions pass on, other kinds of scope go straight to the application.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from monitoring.capture.context import RequestContext, current
from monitoring.capture.hub import EndedRequest, Hub, LateError
from monitoring.capture.routes import route_template

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_GONE = 499
"""Status of a request whose client went away before the answer was complete (nginx's number)."""

WEBSOCKET = "WEBSOCKET"
"""Counted as the method of websockets, which have none."""

_MARK = "monitoring.request"
_NOTHING: dict[str, Any] = {}


class MonitoringMiddleware:
    """
    Measure every request and websocket of an application.

    Args:
        app: the application, its other middleware included.
        hub: takes what was measured.
        on_start: called before anything else reaches the application, at every request again.
        on_stop: called when the application has shut down, before the server learns of it.
    """

    def __init__(
        self, app: App, hub: Hub, *, on_start: Callable[[], None], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        self.app = app
        self._hub = hub
        self._on_start = on_start
        self._on_stop = on_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one scope."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        exchange = self._begin(kind, scope, receive, send)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        token = current.set(exchange)
        try:
            await self.app(scope, exchange.receive_hook(), exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            current.reset(token)
        if not exchange.done:
            exchange.end(None)

    def _begin(self, kind: str, scope: Scope, receive: Receive, send: Send) -> "Exchange | None":
        # In an instrumented application mounted in another one, the outer layer measures.
        if _MARK in scope or kind not in ("http", "websocket"):
            return None
        hub = self._hub
        try:
            if not hub.started:
                self._on_start()
            # Not the exchange itself: it refers to the scope, and a cycle keeps the garbage collector busy.
            scope[_MARK] = True
            if kind == "http":
                return Exchange(hub, scope, receive, send)
            return SocketExchange(hub, scope, receive, send)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the request
            hub.fault(error)
            return None

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._on_start()
        except Exception as error:  # noqa: BLE001  # a fault of ours must not keep the service from starting
            self._hub.fault(error)

        async def watched_send(message: Message) -> None:
            if message["type"] in ("lifespan.shutdown.complete", "lifespan.shutdown.failed"):
                # Servers may end the process as soon as they have read this.
                try:
                    await self._on_stop()
                except Exception as error:  # noqa: BLE001  # nor from stopping
                    self._hub.fault(error)
            await send(message)

        await self.app(scope, receive, watched_send)


class Exchange(RequestContext):
    """One HTTP request on its way through."""

    hub: Hub
    _gone = False
    _end_s: float | None = None
    status: int | None = None
    bytes_out = 0
    complete = False

    def __init__(self, hub: Hub, scope: Scope, receive: Receive, send: Send) -> None:
        id_header = hub.id_header
        for name, value in scope.get("headers") or ():
            if name == id_header:
                request_id = hub.take_id(value)
                break
        else:
            request_id = hub.new_id()
        # What the base class does, without a second call: this runs for every request.
        self.hub = hub
        self.request_id = request_id
        self.scope = scope
        self.time_s = hub.wall_s()
        self.start_s = hub.monotonic_s()
        self.root_path = scope.get("root_path", "")
        self.statements = []
        self.waits = []
        self._receive = receive
        self._send = send
        # uvicorn's send is a method of its request cycle, which knows whether the client is still there.
        self._server = getattr(send, "__self__", None)

    def receive_hook(self) -> Receive:
        """Return the server's own receive where the server itself tells when the client leaves, ours otherwise."""
        return self._receive if hasattr(self._server, "disconnected") else self._watched_receive

    async def _watched_receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.complete:
            self._gone = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on. Not a coroutine itself: that would cost another one for every message."""
        try:
            kind = message["type"]
            if kind == "http.response.body":
                self.bytes_out += len(message.get("body", b""))
                if not message.get("more_body", False):
                    self._last()
            elif kind == "http.response.start":
                message = self._start(message)
            elif kind == "http.response.pathsend":
                self._last()
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the answer
            self.hub.fault(error)
        return self._send(message)

    def _last(self) -> None:
        """Take note that the last byte is being handed to the server."""
        self._end_s = self.hub.monotonic_s()
        self.complete = not self._gone and not getattr(self._server, "disconnected", False)
        # After a 500 an exception may follow; it belongs to the same request. Otherwise don't wait for
        # background tasks.
        if self.status is not None and self.status < 500 and not self.done:
            self._record(None)

    def _start(self, message: Message) -> Message:
        self.status = message["status"]
        hub = self.hub
        headers = list(message.get("headers") or ())
        own = hub.id_header
        for name, _ in headers:
            if name == own:
                break
        else:
            headers.append((own, self.request_id.encode("ascii")))
        if hub.server_timing:
            headers.append((b"server-timing", self._server_timing()))
        # A new message: the application may use its own again.
        return {**message, "headers": headers}

    def _server_timing(self) -> bytes:
        handler_ms = (self.hub.monotonic_s() - self.start_s) * 1e3
        return (
            f"handler;dur={handler_ms:.3f}, db;dur={self.database_s() * 1e3:.3f}, "
            f"pool;dur={self.pool_wait_s() * 1e3:.3f}"
        ).encode("ascii")

    def end(self, error: BaseException | None) -> None:
        """Take note that the answer is complete, or that the application has returned, or raised."""
        hub = self.hub
        try:
            if not self.done:
                self._record(error)
            elif error is not None and self.route is not None:
                hub.put(LateError(self.scope.get("method", WEBSOCKET), self.route, type(error).__name__))
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the request
            hub.fault(fault)

    def _record(self, error: BaseException | None) -> None:
        self.done = True
        hub = self.hub
        end_s = self._end_s
        scope = self.scope
        route = self.route = route_template(scope, self.root_path)
        status, exception = self.status, None
        if error is not None or not self.complete or status is None:
            status, exception = self._judge(error)
        # What can be worked out later waits: this stands between the application and its client.
        hub.put(
            EndedRequest(
                self.time_s,
                self.start_s,
                hub.monotonic_s() if end_s is None else end_s,
                self.request_id,
                scope.get("method", WEBSOCKET),
                route,
                scope["path"],
                scope.get("path_params") or _NOTHING,
                scope.get("client"),
                status,
                exception,
                self.bytes_out,
                self.statements,
                self.waits,
                self.driver_s,
                self.spilled_n,
                self.spilled_wait_s,
            )
        )

    def _judge(self, error: BaseException | None) -> tuple[int, str | None]:
        """Return what the client got, as a status, and the class of the exception behind it."""
        if not self.complete and self._client_gone():
            return CLIENT_GONE, None
        if error is not None:
            # In mid-stream the status line said 200, yet the answer is broken.
            return (self.status if self.complete and self.status is not None else 500), type(error).__name__
        # Returned without a complete answer: the server will make a 500 of it, or cut the connection.
        return 500, None

    def _client_gone(self) -> bool:
        return self._gone or bool(getattr(self._server, "disconnected", False))


class SocketExchange(Exchange):
    """One websocket, from its handshake to its end."""

    _accepted = False

    def receive_hook(self) -> Receive:
        """Return the server's own: a client that leaves is how most websockets end."""
        return self._receive

    def send(self, message: Message) -> Awaitable[None]:
        """Pass a message on."""
        try:
            kind = message["type"]
            if kind == "websocket.accept":
                self._accepted = True
                message = {
                    **message,
                    "headers": [
                        *(message.get("headers") or ()),
                        (self.hub.id_header, self.request_id.encode("ascii")),
                    ],
                }
            elif kind == "websocket.close" and not self._accepted:
                self.status = 403
            elif kind == "websocket.http.response.start":
                self.status = message["status"]
            elif kind == "websocket.send":
                self.bytes_out += len(message.get("bytes") or message.get("text") or b"")
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the message
            self.hub.fault(error)
        return self._send(message)

    def _judge(self, error: BaseException | None) -> tuple[int, str | None]:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            return 500, type(error).__name__
        if self._accepted:
            return 101, None
        return (self.status if self.status is not None else CLIENT_GONE), None
