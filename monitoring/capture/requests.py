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
from monitoring.capture.hub import Hub
from monitoring.capture.routes import route_template
from monitoring.model import Observation

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_GONE = 499
"""Status of a request whose client went away before the answer was complete (nginx's number)."""

_MARK = "monitoring.request"


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
        self._id_header = hub.settings.request_id_header.lower().encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one scope."""
        kind = scope["type"]
        if kind in ("http", "websocket") and _MARK not in scope:
            await self._measure(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            # An instrumented application mounted in another one: the outer layer measures.
            await self.app(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self._begin(scope, receive, send)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        token = current.set(exchange)
        try:
            await self.app(scope, exchange.receive_hook, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        else:
            exchange.end(None)
        finally:
            current.reset(token)

    def _begin(self, scope: Scope, receive: Receive, send: Send) -> "Exchange | None":
        try:
            self._on_start()
            kind = Exchange if scope["type"] == "http" else SocketExchange
            exchange = scope[_MARK] = kind(self._hub, self._id_header, scope, receive, send)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the request
            self._hub.fault(error)
            return None
        return exchange

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

    __slots__ = (
        "_end_s",
        "_gone",
        "_receive",
        "_root_path",
        "_send",
        "_server",
        "bytes_out",
        "complete",
        "id_header",
        "status",
    )

    def __init__(self, hub: Hub, id_header: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        offered = None
        for name, value in scope["headers"]:
            if name == id_header:
                offered = value
                break
        super().__init__(hub, hub.take_id(offered), scope, hub.clock.wall_s(), hub.clock.monotonic_s())
        self._receive = receive
        self._send = send
        # uvicorn's send is a method of its request cycle, which knows whether the client is still there.
        self._server = getattr(send, "__self__", None)
        self._root_path: str = scope.get("root_path", "")
        self._gone = False
        self._end_s: float | None = None
        self.id_header = id_header
        self.status: int | None = None
        self.bytes_out = 0
        self.complete = False

    @property
    def receive_hook(self) -> Receive:
        """The server's own receive where the server tells by itself when the client leaves, ours otherwise."""
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
                    return self._send_last(message)
            elif kind == "http.response.start":
                message = self._start(message)
            elif kind == "http.response.pathsend":
                return self._send_last(message)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the answer
            self._hub.fault(error)
        return self._send(message)

    async def _send_last(self, message: Message) -> None:
        gone = self._client_gone()
        await self._send(message)
        self._end_s = self._hub.clock.monotonic_s()
        self.complete = not gone
        # After a 500 an exception may follow; it belongs to the same request. Otherwise don't wait for
        # background tasks.
        if self.status is not None and self.status < 500:
            self._finish(None)

    def _start(self, message: Message) -> Message:
        self.status = message["status"]
        headers = list(message.get("headers") or ())
        if all(name != self.id_header for name, _ in headers):
            headers.append((self.id_header, self.request_id.encode("ascii")))
        if self._hub.settings.server_timing:
            headers.append((b"server-timing", self._server_timing()))
        return {**message, "headers": headers}

    def _server_timing(self) -> bytes:
        handler_ms = (self._hub.clock.monotonic_s() - self.start_s) * 1e3
        return (
            f"handler;dur={handler_ms:.3f}, db;dur={self.database_s() * 1e3:.3f}, "
            f"pool;dur={self.pool_wait_s() * 1e3:.3f}"
        ).encode("ascii")

    def end(self, error: BaseException | None) -> None:
        """Take note that the application has returned, or raised."""
        if self.done and error is None:
            return
        self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        try:
            if self.done:
                if error is not None:
                    self._hub.exception_after_answer(self, self._method(), type(error).__name__)
                return
            if self._end_s is None:
                self._end_s = self._hub.clock.monotonic_s()
            self.done = True
            self._hub.request(self._observe(error, self._end_s), self.statements, self.waits)
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the request
            self._hub.fault(fault)

    def _observe(self, error: BaseException | None, end_s: float) -> Observation:
        scope = self.scope
        hub = self._hub
        method = self._method()
        route = self.route = route_template(scope, self._root_path)
        status, exception = self._outcome(error)
        agent = None
        if (method, route) in hub.agent_routes:
            named = scope.get("path_params", {}).get(hub.settings.agent_parameter)
            agent = str(named)[:128] if named is not None else None
        client = scope.get("client")
        return Observation(
            time_s=self.time_s,
            request_id=self.request_id,
            method=method,
            route=route,
            path=scope["path"],
            status=status,
            duration_s=end_s - self.start_s,
            database_time_s=self.database_s(),
            queries=self.spilled_n + len(self.statements),
            pool_wait_s=self.pool_wait_s(),
            client=client[0] if client else None,
            agent=agent,
            exception=exception,
            bytes_out=self.bytes_out,
        )

    def _method(self) -> str:
        method: str = self.scope["method"]
        return method

    def _outcome(self, error: BaseException | None) -> tuple[int, str | None]:
        """Return what the client got, as a status, and the class of the exception behind it."""
        if not self.complete and self._client_gone():
            return CLIENT_GONE, None
        if error is not None:
            # In mid-stream the status line said 200, yet the answer is broken.
            name = type(error).__name__
            return (self.status if self.complete and self.status is not None else 500), name
        if self.status is None or self._end_s is None:
            return 500, None
        return self.status, None

    def _client_gone(self) -> bool:
        return self._gone or bool(getattr(self._server, "disconnected", False))

    @property
    def _hub(self) -> Hub:
        hub: Hub = self.hub  # type: ignore[assignment]  # an object for the hooks, which only compare it
        return hub


class SocketExchange(Exchange):
    """One websocket, from its handshake to its end."""

    __slots__ = ("_accepted",)

    def __init__(self, hub: Hub, id_header: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(hub, id_header, scope, receive, send)
        self._accepted = False

    @property
    def receive_hook(self) -> Receive:
        """The server's own: a client that leaves is how most websockets end."""
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
                        (self.id_header, self.request_id.encode("ascii")),
                    ],
                }
            elif kind == "websocket.close" and not self._accepted:
                self.status = 403
            elif kind == "websocket.http.response.start":
                self.status = message["status"]
            elif kind == "websocket.send":
                self.bytes_out += len(message.get("bytes") or message.get("text") or b"")
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the message
            self._hub.fault(error)
        return self._send(message)

    def _method(self) -> str:
        return "WEBSOCKET"

    def _outcome(self, error: BaseException | None) -> tuple[int, str | None]:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            return 500, type(error).__name__
        if self._accepted:
            return 101, None
        return (self.status if self.status is not None else CLIENT_GONE), None
