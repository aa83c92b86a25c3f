"""
The way in for requests: one pure ASGI layer around the whole application.

It is the outermost one, so what it measures includes every other middleware, and the answer to an unhandled
exception carries a request id too. It adds headers to the start of an answer and changes nothing else: messages
pass through unaltered and in order, exceptions pass on, other kinds of scope go straight to the application.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

from starlette.routing import Host, Mount
from starlette.websockets import WebSocketDisconnect

from monitoring.capture.context import RequestContext, Work, Worked, current
from monitoring.capture.hub import MAX_WAITING, Hub, LateError
from monitoring.capture.routes import route_template
from monitoring.model import Observation

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
_NO_SCOPE: Scope = {}
"""Stands for the scope of a request that is over; nothing is ever put into it."""


class MonitoringMiddleware:
    """
    Measure every request and websocket of an application.

    Args:
        app: the application, its other middleware included.
        hub: takes what was measured.
        on_start: called before anything else reaches the application, at every request again until the hub is
            started. Tells whether there is anything to measure: after `uninstrument` requests may still come
            through here, and pass.
        on_stop: called when the application has shut down, before the server learns of it.
    """

    def __init__(
        self, app: App, hub: Hub, *, on_start: Callable[[], bool], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        self.app = app
        self._hub = hub
        self._on_start = on_start
        self._on_stop = on_stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one scope."""
        # In an instrumented application mounted in another one, the outer layer measures.
        if scope["type"] != "http" or _MARK in scope:
            await self._other(scope, receive, send)
            return
        exchange: Exchange | None = None
        hub = self._hub
        # Everything a request needs stands here in a row: it is short, and each call of a function costs as much.
        try:
            if hub.started or self._on_start():
                own = hub.id_header
                for name, value in scope.get("headers") or ():
                    if name == own:
                        request_id = hub.take_id(value)
                        break
                else:
                    request_id = hub.new_id()
                root_path = scope.get("root_path", "")
                begun = Exchange(hub, request_id, scope, hub.wall_s(), hub.monotonic_s(), root_path)
                # uvicorn's send is a method of its request cycle, which knows whether the client is still there.
                server = None
                if type(send) is MethodType and hasattr(send.__self__, "disconnected"):
                    server = begun.server = send.__self__
                # Not the exchange itself: it refers to the scope, and a cycle keeps the garbage collector busy.
                scope[_MARK] = True
                exchange = begun
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the request
            hub.fault(error)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        token = current.set(exchange)
        try:
            await self.app(
                scope,
                # The server's own where the server tells when the client leaves.
                partial(_receive, exchange, receive) if server is None else receive,
                partial(_send, exchange, send),
            )
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            current.reset(token)
            if not exchange.done:
                exchange.end(None)
            # Whatever copied the context in the meantime keeps the exchange: a task started in the background, or
            # the server's timer for an idle connection, which lives for seconds after the request.
            exchange.scope = _NO_SCOPE
            if server is not None:
                exchange.server = None

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a scope that is no request, or not ours to measure."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        exchange = self._handshake(scope)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        token = current.set(exchange)
        try:
            # The server's own receive: that is how most websockets end.
            await self.app(scope, receive, partial(_send_to_socket, exchange, send))
        except BaseException as error:
            exchange.end(error)
            raise
        finally:
            current.reset(token)
            if not exchange.done:
                exchange.end(None)
            exchange.scope = _NO_SCOPE

    def _handshake(self, scope: Scope) -> "SocketExchange | None":
        if _MARK in scope or scope["type"] != "websocket":
            return None
        hub = self._hub
        try:
            if not (hub.started or self._on_start()):
                return None
            offered = next((value for name, value in scope.get("headers") or () if name == hub.id_header), None)
            request_id = hub.new_id() if offered is None else hub.take_id(offered)
            root_path = scope.get("root_path", "")
            exchange = SocketExchange(hub, request_id, scope, hub.wall_s(), hub.monotonic_s(), root_path)
            scope[_MARK] = True
        except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the connection
            hub.fault(error)
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


def at_router(inner: App) -> App:
    """
    Stand before an application's router, and see with which scope a request gets there.

    Middleware is told to copy a scope before it changes it, and the router writes the route into the copy. No
    coroutine of its own: this runs for every request, and most reach the router with the scope they came with.

    Args:
        inner: what the router calls.
    """
    of_context = current.get

    def app(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        exchange = of_context()
        if exchange is not None and exchange.scope is not scope and not exchange.done:
            _copied(exchange, scope)
        return inner(scope, receive, send)

    return app


def _copied(exchange: RequestContext, scope: Scope) -> None:
    """Take the copy in place of the scope that it was made of, if it was."""
    try:
        if _MARK not in scope:
            return  # of another request, that this one has an application answer beside its own
        if "router" not in scope:
            exchange.root_path = scope.get("root_path", "")
        elif not isinstance(exchange.scope.get("route"), (Mount, Host)):
            return  # its route is known, and its endpoint calls the application again
        exchange.scope = scope
    except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the request
        exchange.hub.fault(error)


class Exchange(RequestContext, eq=False):
    """One HTTP request on its way through."""

    server: Any = None
    """Who takes the messages, when it can tell whether the client is still there; None once it is over."""
    status: int | None = None
    headers: list[tuple[bytes, bytes]] | None = None
    """Of the answer, once it has begun."""
    bytes_out: int = 0
    end_s: float | None = None
    gone: bool = False
    complete: bool = False

    def server_timing(self) -> bytes:
        """Return the value of a `Server-Timing` header."""
        work = self.work or Work()
        handler_ms = (self.hub.monotonic_s() - self.start_s) * 1e3
        database_ms, wait_ms = work.database_s * 1e3, work.pool_wait_s * 1e3
        return f"handler;dur={handler_ms:.3f}, db;dur={database_ms:.3f}, pool;dur={wait_ms:.3f}".encode("ascii")

    def take_id(self, own: bytes) -> None:
        """Take the id that the application put on its answer, when it is well-formed."""
        taken = self.hub.take_id(own)
        if taken.encode("ascii") == own:
            self.request_id = taken

    def identified(self, message: Message) -> Message:
        """Return the start of a websocket's answer with the request id."""
        headers = [*(message.get("headers") or ())]
        own = next((value for name, value in headers if name == self.hub.id_header), None)
        if own is None:
            headers.append((self.hub.id_header, self.request_id.encode("ascii")))
        else:
            self.take_id(own)
        return {**message, "headers": headers}

    def file_bytes(self, message: Message) -> int:
        """Return how much of a file the server is to send by itself [bytes]; 0 where nobody says."""
        count: int | None = message.get("count")
        if count is not None:
            return count
        # A file that is gone, or a length that is none: the server finds out, and so does the application.
        with contextlib.suppress(OSError, ValueError):
            for name, value in self.headers or ():
                if name.lower() == b"content-length":
                    return max(int(value) - self.bytes_out, 0)
            if "path" in message:
                return Path(message["path"]).stat().st_size
            file = message["file"]
            begin: int = message["offset"] if message.get("offset") is not None else file.tell()
            return max(os.fstat(file.fileno()).st_size - begin, 0)
        return 0

    def end(self, error: BaseException | None) -> None:
        """Take note that the answer is complete, or that the application has returned, or raised."""
        hub = self.hub
        try:
            if not self.done:
                self.record(error)
            elif error is not None and self.route is not None:
                hub.put(LateError(self.scope.get("method", WEBSOCKET), self.route, type(error).__name__))
        except Exception as fault:  # noqa: BLE001  # a fault of ours must not cost the request
            hub.fault(fault)

    def record(self, error: BaseException | None) -> None:
        """Hand in what was seen."""
        self.done = True
        hub, scope, status = self.hub, self.scope, self.status
        route = self.route = route_template(scope, self.root_path)
        exception = None
        if error is not None or not self.complete or status is None:
            status, exception = self._judge(error)
        method = scope["method"] if "method" in scope else WEBSOCKET  # noqa: SIM401  # hot path: no call
        agent = None
        agent_routes = hub.agent_routes
        if route in agent_routes and method in agent_routes[route]:
            agent = (scope.get("path_params") or _NO_SCOPE).get(hub.agent_parameter)
            if agent is not None:
                agent = str(agent)[:128]
        client = scope.get("client")
        start_s, end_s, work = self.start_s, self.end_s, self.work
        if end_s is None:
            end_s = hub.monotonic_s()
        observation = Observation(
            self.time_s,
            self.request_id,
            method,
            route,
            scope["path"],
            status,
            end_s - start_s,
            0.0 if work is None else work.database_s,
            0 if work is None else work.spilled_n + len(work.statements),
            0.0 if work is None else work.pool_wait_s,
            client[0] if client else None,
            agent,
            exception,
            self.bytes_out,
        )
        # What can be worked out later waits: this stands between the application and its client.
        waiting = hub.waiting
        waiting.append(observation if work is None else Worked(observation, work, self.time_s - start_s))
        if len(waiting) > MAX_WAITING:
            hub.help()

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
        return self.gone or (self.server is not None and bool(self.server.disconnected))


class SocketExchange(Exchange, eq=False):
    """One websocket, from its handshake to its end."""

    accepted: bool = False

    def saw(self, message: Message) -> Message:
        """Take note of a message, and return it as it is to be passed on."""
        kind = message["type"]
        if kind == "websocket.accept":
            self.accepted = True
            return self.identified(message)
        if kind == "websocket.close" and not self.accepted:
            self.status = 403
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
            return self.identified(message)
        elif kind == "websocket.http.response.body":
            self.bytes_out += len(message.get("body", b""))
        elif kind == "websocket.send":
            self.bytes_out += len(message.get("bytes") or message.get("text") or b"")
        return message

    def _judge(self, error: BaseException | None) -> tuple[int, str | None]:
        # That the client leaves is how most websockets end, and most applications let the exception of it pass.
        if error is not None and not isinstance(error, (asyncio.CancelledError, WebSocketDisconnect)):
            return 500, type(error).__name__
        if self.accepted:
            return 101, None
        return (self.status if self.status is not None else CLIENT_GONE), None


# The hooks of an exchange, bound to it and to the server's own by `partial`: a closure takes four times as long to
# make, and a coroutine around the server's send would cost another one for every message. The exchange itself does
# not keep the server's: it may outlive the request by far.


async def _receive(exchange: Exchange, receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect" and not exchange.complete:
        exchange.gone = True
    return message


def _send(exchange: Exchange, send: Send, message: Message) -> Awaitable[None]:
    try:
        kind = message["type"]
        last = False
        if kind == "http.response.body":
            if "body" in message:
                exchange.bytes_out += len(message["body"])
            last = "more_body" not in message or not message["more_body"]
        elif kind == "http.response.start":
            exchange.status = message["status"]
            hub = exchange.hub
            # A new message and list: the application may use its own again.
            message = {**message}
            headers = message["headers"] = [*message["headers"]] if "headers" in message else []
            exchange.headers = headers
            own = hub.id_header
            for name, value in headers:
                if name == own:
                    exchange.take_id(value)
                    break
            else:
                headers.append((own, exchange.request_id.encode()))
            if hub.server_timing:
                headers.append((b"server-timing", exchange.server_timing()))
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            exchange.bytes_out += exchange.file_bytes(message)
            last = not message.get("more_body")
        if last:
            # The last byte is being handed to the server.
            server = exchange.server
            exchange.end_s = exchange.hub.monotonic_s()
            exchange.complete = not (exchange.gone or (server is not None and server.disconnected))
            # After a 500 an exception may follow; it belongs to the same request. Otherwise don't wait for
            # background tasks.
            status = exchange.status
            if status is not None and status < 500 and not exchange.done:
                exchange.record(None)
    except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the answer
        exchange.hub.fault(error)
    return send(message)


def _send_to_socket(exchange: Any, send: Send, message: Message) -> Awaitable[None]:
    try:
        message = exchange.saw(message)
    except Exception as error:  # noqa: BLE001  # a fault of ours must not cost the message
        exchange.hub.fault(error)
    return send(message)
