"""
One agent's connection to the target: HTTP/1.1 over a gevent socket, parsed by geventhttpclient.

Why not geventhttpclient's own client, or Locust's on top of it: a poll has to say whether a connection was opened
for it, and those clients hide that, behind silent retries. They also test idle connections with ``select()``,
which fails from file descriptor 1,024 on, and have a time-out for each read but none for the whole exchange.
"""

import errno
import select
import socket as plain_socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import gevent.socket
from gevent import monkey
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from harness.load import answers
from harness.load.endpoint import Endpoint
from harness.model import ServerTiming

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Longest body that is read. A list of pending deployments is a thousand times shorter."""

_READ_BYTES = 1 << 16
# Locust puts a cooperative poll in this place; asking one socket without waiting needs the real one.
_poll = monkey.get_original("select", "poll")
_LOCAL_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
_ENDINGS = (HTTPConnectionClosed, BrokenPipeError, ConnectionResetError)
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES})


@dataclass(slots=True)
class Exchange:
    """
    One request and what came of it.

    Args:
        status: HTTP status; None when no answer came.
        body: as much of it as came.
        error: kind of error of the transport; None for a whole answer, whatever its status.
        new_connection: whether a connection was opened, or tried to.
        retried: whether it was sent anew because an idle connection turned out closed.
        server: the target's own timing.
    """

    status: int | None = None
    body: bytes = b""
    error: str | None = None
    new_connection: bool = False
    retried: bool = False
    server: ServerTiming | None = None


class Connection:
    """
    Keeps a connection open between requests as long as the target does.

    Args:
        endpoint: the target.
        tls: context for https, shared by the whole fleet; None for http.
    """

    __slots__ = ("_endpoint", "_socket", "_tls")

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._socket: gevent.socket.socket | None = None

    def exchange(self, request: bytes, *, timeout_s: float) -> Exchange:
        """
        Send a GET and read its answer to the end.

        An idle connection that the target closed is replaced before sending. When the close crosses the request on
        the wire (not one byte of an answer came, on a connection that had served before), the request is sent once
        more on a new one: GET may be repeated (RFC 9110, section 9.2.2), any HTTP client does it, and such a poll
        says nothing about the target's health.

        Args:
            request: the bytes of a GET.
            timeout_s: for everything together: look-up, connecting, both directions, the second try.

        Returns:
            The answer, or the kind of error. Nothing that the network does raises.
        """
        result = Exchange()
        timer = gevent.Timeout.start_new(timeout_s)
        try:
            self._exchange(request, result)
        except BaseException as fault:
            # Whatever passes through here, the greenlet's end too, must leave no connection half read.
            self.close()
            if fault is timer:
                result.error = answers.TIMEOUT
            elif isinstance(fault, OSError | HTTPParseError | _TooLongError):
                result.error = kind_of(fault)
            else:
                raise
        finally:
            timer.close()
        return result

    def close(self) -> None:
        """Close the connection, if there is one."""
        open_socket, self._socket = self._socket, None
        if open_socket is not None:
            open_socket.close()

    def _exchange(self, request: bytes, result: Exchange) -> None:
        if self._socket is not None and _is_idle(self._socket):
            try:
                self._send_and_read(self._socket, request, result)
            except _UnansweredError:
                result.retried = True
            else:
                return
        self.close()
        result.new_connection = True
        self._socket = self._connect()
        self._send_and_read(self._socket, request, result)

    def _send_and_read(self, connected: gevent.socket.socket, request: bytes, result: Exchange) -> None:
        reader = _Reader(connected)
        try:
            # One packet in all but the rarest case; `sendall` asks for the size of the send buffer each time.
            sent = connected.send(request)
            if sent < len(request):
                connected.sendall(request[sent:])
            response = HTTPSocketResponse(reader, block_size=_READ_BYTES)
            result.status = response.status_code
            result.body = _read_body(response)
        except (OSError, HTTPParseError) as fault:
            if not reader.answered and isinstance(fault, _ENDINGS):
                raise _UnansweredError(kind_of(fault)) from fault
            # To the parser an answer cut off is as bad as no HTTP at all.
            if reader.ended and isinstance(fault, HTTPParseError):
                raise _ClosedEarlyError from fault
            raise
        result.server = answers.parse_server_timing(response.get("server-timing"))
        if response.should_close():
            self.close()

    def _connect(self) -> gevent.socket.socket:
        refused: OSError | None = None
        for family, address in self._addresses():
            connected = gevent.socket.socket(family, plain_socket.SOCK_STREAM)
            try:
                connected.connect(address)
                if self._tls is not None:
                    return self._tls.wrap_socket(connected, server_hostname=self._endpoint.host)
            except OSError as fault:
                connected.close()
                refused = refused or fault
            except BaseException:
                connected.close()
                raise
            else:
                return connected
        raise refused or OSError(errno.EHOSTUNREACH, "no address")

    def _addresses(self) -> Iterator[tuple[int, Any]]:
        host, port = self._endpoint.host, self._endpoint.port
        # A look-up takes a thread; an address needs none.
        look_up = plain_socket.getaddrinfo if self._endpoint.literal else gevent.socket.getaddrinfo
        flags = plain_socket.AI_NUMERICHOST if self._endpoint.literal else 0
        for family, _, _, _, address in look_up(host, port, 0, plain_socket.SOCK_STREAM, 0, flags):
            yield family, address


class _Reader:
    """What the parser needs of a socket; notes whether a byte came, and whether the target ended it."""

    __slots__ = ("_socket", "answered", "ended")

    def __init__(self, connected: gevent.socket.socket) -> None:
        self._socket = connected
        self.answered = False
        self.ended = False

    def recv(self, size: int) -> bytes:
        data: bytes = self._socket.recv(size)
        if data:
            self.answered = True
        else:
            self.ended = True
        return data

    def close(self) -> None:
        self._socket.close()


def _read_body(response: HTTPSocketResponse) -> bytes:
    body: bytes = response.read(_READ_BYTES)
    if response.message_complete and len(body) < _READ_BYTES:
        return body
    whole = bytearray(body)
    while part := response.read(_READ_BYTES):
        whole += part
        if len(whole) > MAX_BODY_BYTES:
            raise _TooLongError
    return bytes(whole)


def _is_idle(connected: gevent.socket.socket) -> bool:
    """Return False when there is something to read: the target's close, or an answer to nothing. No more use."""
    watch = _poll()
    watch.register(connected.fileno(), select.POLLIN)
    return not watch.poll(0)


def kind_of(fault: BaseException) -> str:
    """
    Name what went wrong on the wire.

    Args:
        fault: raised by a socket, TLS or the parser.

    Returns:
        One of `answers.ERROR_KINDS`.
    """
    if isinstance(fault, _UnansweredError):
        return fault.kind
    by_type = next((kind for types, kind in _KINDS_BY_TYPE if isinstance(fault, types)), None)
    if isinstance(fault, HTTPConnectionClosed) and isinstance(fault.__context__, ConnectionResetError):
        # The parser tells both the same way, and remembers which it was.
        return answers.CONNECTION_RESET
    if by_type is not None:
        return by_type
    number = getattr(fault, "errno", None)
    if number in _LOCAL_LIMITS:
        return answers.GENERATOR_LIMIT
    return answers.UNREACHABLE if number in _NO_ROUTE else answers.OTHER


class _TooLongError(Exception):
    """A body beyond `MAX_BODY_BYTES`."""


class _UnansweredError(OSError):
    """The connection ended before a byte of the answer."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _ClosedEarlyError(HTTPParseError):
    """The connection ended in the middle of an answer."""


_KINDS_BY_TYPE: tuple[tuple[type[BaseException], str], ...] = (
    (_TooLongError, answers.TOO_LONG),
    (_ClosedEarlyError, answers.CONNECTION_CLOSED),
    (HTTPConnectionClosed, answers.CONNECTION_CLOSED),
    (HTTPParseError, answers.BAD_HTTP),
    (plain_socket.gaierror, answers.DNS),
    (ssl.SSLError, answers.TLS),
    (ConnectionRefusedError, answers.CONNECTION_REFUSED),
    (ConnectionResetError, answers.CONNECTION_RESET),
    (BrokenPipeError, answers.CONNECTION_RESET),
    (TimeoutError, answers.TIMEOUT),
)
