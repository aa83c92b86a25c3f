"""
A connection that never blocks: opened, encrypted, written and read in steps, whenever its socket is ready.

The engine owns the order of things; what is here knows sockets and TLS and no agents.
"""

import errno
import socket as plain_socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.socket
from gevent import monkey

from harness.load.endpoint import Endpoint
from harness.load.engine_poller import READ, WRITE

Address = tuple[int, Any]
"""Family and address of a socket."""

_Socket: Any = monkey.get_original("socket", "socket")
"""The system's own socket: gevent's would take a greenlet to wait in."""

_READ_BYTES = 1 << 15
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EAGAIN, errno.EWOULDBLOCK})
_KEEP_LOOKED_UP_S = 1.0


class Link:
    """
    One connection, and how far it has come.

    Args:
        agent: whose it is.
        family: of its socket.
        tls: context for https; None for http.
        server_name: for the certificate.

    Raises:
        OSError: no socket is to be had.
    """

    __slots__ = ("_incoming", "_outgoing", "_secure", "_socket", "agent", "connected", "handle", "poll", "unsent")

    def __init__(self, agent: int, family: int, tls: ssl.SSLContext | None, server_name: str) -> None:
        self._socket = _Socket(family, plain_socket.SOCK_STREAM)
        self._socket.settimeout(0.0)
        self.agent = agent
        self.handle: int = self._socket.fileno()
        self.connected = False
        """Whether TCP and TLS are through."""
        self.poll: Any = None
        """What it is used for just now; None while idle."""
        self.unsent = b""
        """What the socket has not taken yet."""
        self._secure: ssl.SSLObject | None = None
        if tls is not None:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._secure = tls.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    @property
    def interest(self) -> int:
        """What the poller is to wait for."""
        if self.unsent:
            return READ | WRITE
        return READ if self.connected or self._secure is not None else WRITE

    def open(self, address: Any) -> None:
        """
        Begin to connect; it may be through when this returns.

        Raises:
            OSError: refused, or no way there.
        """
        self._socket.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(address)
        if code and code not in _UNDER_WAY:
            raise OSError(code, "connect")
        if self._secure is not None:
            self._shake_hands(self._secure)

    def confirm(self) -> None:
        """
        Take in that the socket can be written for the first time.

        Raises:
            OSError: the connection was not to be had.
        """
        code = self._socket.getsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")

    def send(self, data: bytes) -> bool:
        """
        Send, or as much of it as goes; `flush` sends the rest.

        Returns:
            Whether the connection has taken it; False while it is still being opened: send again then.

        Raises:
            OSError: the connection is gone.
        """
        if self._secure is not None:
            if not self.connected:
                return False
            self._secure.write(data)
            self._push(self._outgoing.read())
            return True
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as fault:
            # Some systems say this of a connection under way.
            if self.connected or fault.errno != errno.ENOTCONN:
                raise
            sent = 0
        if not sent and not self.connected:
            return False
        self.connected = True
        if sent < len(data):
            self.unsent = data[sent:]
        return True

    def flush(self) -> None:
        """
        Send what could not be sent at once.

        Raises:
            OSError: the connection is gone.
        """
        if self.unsent:
            unsent, self.unsent = self.unsent, b""
            self._push(unsent)

    def receive(self) -> bytes | None:
        """
        Read what is there, and bring a handshake on its way.

        Returns:
            At least one byte; empty when the target has ended the connection; None when there is nothing to read
            yet.

        Raises:
            OSError: the connection is broken, or TLS failed.
        """
        try:
            data: bytes = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        if self._secure is None:
            return data
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if not self.connected:
            self._shake_hands(self._secure)
            return None
        return self._decrypt(self._secure)

    def close(self) -> None:
        """Close it, without a word."""
        self._socket.close()

    def _push(self, data: bytes) -> None:
        if not data:
            return
        data = self.unsent + data
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as fault:
            if self.connected or fault.errno != errno.ENOTCONN:
                raise
            sent = 0
        self.unsent = data[sent:]

    def _shake_hands(self, secure: ssl.SSLObject) -> None:
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            self._push(self._outgoing.read())
        except ssl.SSLError:
            # The alert that tells the target why.
            self._push(self._outgoing.read())
            raise
        else:
            # What ends the handshake waits for the request and leaves with it.
            self.connected = True

    def _decrypt(self, secure: ssl.SSLObject) -> bytes | None:
        parts: list[bytes] = []
        ended = False
        while not ended:
            try:
                part = secure.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                ended = True
            else:
                ended = not part
                parts.append(part)
        if not any(parts):
            return b"" if ended else None
        return b"".join(parts)


class Resolver:
    """
    The target's addresses. An address needs no look-up; a name's are kept for a second, as a local cache would.

    Args:
        endpoint: where to connect to.
        look_up: called like `socket.getaddrinfo`; may switch greenlets.
    """

    def __init__(self, endpoint: Endpoint, *, look_up: Callable[..., Any] = gevent.socket.getaddrinfo) -> None:
        self._host, self._port, literal = endpoint.connect_to
        self._look_up = look_up
        self._known: tuple[Address, ...] = ()
        self._until_s = 0.0
        self._waiting: list[Callable[[tuple[Address, ...] | OSError], None]] = []
        if literal:
            found = plain_socket.getaddrinfo(
                self._host, self._port, 0, plain_socket.SOCK_STREAM, 0, plain_socket.AI_NUMERICHOST
            )
            self._known, self._until_s = _addresses(found), float("inf")

    def ask(self, take: Callable[[tuple[Address, ...] | OSError], None]) -> None:
        """
        Hand over the addresses: at once when they are known, from a greenlet of its own otherwise.

        Args:
            take: gets at least one address, or why there is none.
        """
        if time.perf_counter() < self._until_s:
            take(self._known)
            return
        self._waiting.append(take)
        if len(self._waiting) == 1:
            gevent.spawn(self._ask_system)

    def _ask_system(self) -> None:
        outcome: tuple[Address, ...] | OSError
        try:
            found = self._look_up(self._host, self._port, 0, plain_socket.SOCK_STREAM, 0, 0)
            outcome = self._known = _addresses(found)
            self._until_s = time.perf_counter() + _KEEP_LOOKED_UP_S
        except OSError as fault:
            outcome = fault
        waiting, self._waiting = self._waiting, []
        for take in waiting:
            take(outcome)


def _addresses(found: Any) -> tuple[Address, ...]:
    return tuple((family, address) for family, _, _, _, address in found)
