"""
Single requests of any method, for everybody but the polling agents: discovery, operators, strangers.

Built on the standard library's client, which costs more CPU than the agents' own path and can send bodies.
In Locust's process it is cooperative, because Locust patches the sockets beneath it.
"""

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.load import answers
from harness.load.endpoint import USER_AGENT, Endpoint
from harness.model import Sample

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Longest body that is read."""

_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    One request and what came of it.

    Args:
        status: HTTP status; None when no answer came.
        body: as much of it as came.
        error: kind of error of the transport; None for a whole answer, whatever its status.
        new_connection: whether a connection was opened, or tried to.
        location: where a redirect points; None without one.
    """

    status: int | None = None
    body: bytes = b""
    error: str | None = None
    new_connection: bool = False
    location: str | None = None


class Caller:
    """
    Keeps one connection to the target.

    Args:
        endpoint: the target.
        tls: context for https; None for http.
        timeout_s: for one request, from connecting to its last byte.
    """

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._timeout_s = timeout_s
        self._client: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, *, request_id: str, body: object | None = None) -> Reply:
        """
        Send a request and read its answer to the end.

        Args:
            method: HTTP method.
            path: below the base path, quoted already.
            request_id: for the ``X-Request-ID`` header.
            body: sent as JSON; None sends none.

        Returns:
            The answer, or the kind of error. Nothing that the network does raises. Redirects are not followed.
        """
        deadline_s = time.monotonic() + self._timeout_s
        new = self._client is None
        try:
            client = self._client or self._connect()
            self._client = client
            self._send(client, method, path, request_id, body)
            return self._read(client, deadline_s, new_connection=new)
        except http.client.HTTPException as fault:
            self.close()
            kind = answers.CONNECTION_CLOSED if isinstance(fault, _ENDINGS) else answers.BAD_HTTP
            return Reply(error=kind, new_connection=new)
        except OSError as fault:
            self.close()
            return Reply(error=answers.kind_of(fault), new_connection=new)
        except _TooLongError:
            self.close()
            return Reply(error=answers.TOO_LONG, new_connection=new)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()

    def _connect(self) -> http.client.HTTPConnection:
        endpoint = self._endpoint
        host, port, _ = endpoint.connect_to
        connected = socket.create_connection((host, port), self._timeout_s)
        try:
            if self._tls is not None:
                connected = self._tls.wrap_socket(connected, server_hostname=endpoint.host)
        except BaseException:
            connected.close()
            raise
        client = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=self._timeout_s)
        client.sock = connected
        # It would connect anew by itself, to the target and without TLS.
        client.auto_open = 0
        return client

    def _send(
        self, client: http.client.HTTPConnection, method: str, path: str, request_id: str, body: object | None
    ) -> None:
        content = None if body is None else json.dumps(body).encode()
        client.putrequest(method, self._endpoint.base_path + path, skip_host=True, skip_accept_encoding=True)
        client.putheader("Host", self._endpoint.host_header)
        client.putheader("Accept", "application/json")
        client.putheader("User-Agent", USER_AGENT)
        for line in self._endpoint.headers.splitlines():
            name, _, value = line.partition(": ")
            client.putheader(name, value)
        client.putheader("X-Request-ID", request_id)
        if content is not None:
            client.putheader("Content-Type", "application/json")
            client.putheader("Content-Length", str(len(content)))
        client.endheaders(content)

    def _read(self, client: http.client.HTTPConnection, deadline_s: float, *, new_connection: bool) -> Reply:
        response = client.getresponse()
        whole = bytearray()
        # `read1` gives what has come: an endless or dripping answer meets the deadline between two parts.
        while part := response.read1(_READ_BYTES):
            whole += part
            if len(whole) > MAX_BODY_BYTES:
                raise _TooLongError
            if time.monotonic() > deadline_s:
                raise TimeoutError
        # Read to its end, and yet the client takes it for open: `read1` does not look.
        response.close()
        location = response.getheader("Location")
        if response.will_close:
            self.close()
        return Reply(status=response.status, body=bytes(whole), new_connection=new_connection, location=location)


def sample_of(
    reply: Reply,
    *,
    agent: str,
    name: str,
    method: str,
    intended_s: float,
    start_s: float,
    end_s: float,
    request_id: str,
    accepted: Callable[[int], bool] | None = None,
) -> Sample:
    """
    Make a Sample of a request that no agent's schedule asked for.

    Args:
        reply: what came of it.
        agent: who sent it.
        name: route template.
        method: HTTP method.
        intended_s: when it was meant to be sent [s since the run's origin].
        start_s: when it was sent [s since the run's origin].
        end_s: when its answer was read [s since the run's origin].
        request_id: the one it carried.
        accepted: says whether a status is the right one; None asks for a 2xx with JSON.

    Returns:
        The sample; `Sample.extra` is set.
    """
    error = reply.error
    if error is None and reply.status is not None:
        if accepted is None:
            error = answers.judge_answer(reply.status, reply.body)
        elif not accepted(reply.status):
            error = f"http-{reply.status}"
    return Sample(
        agent=agent,
        name=name,
        method=method,
        intended_start_s=round(min(intended_s, start_s), 6),
        start_s=round(start_s, 6),
        end_s=round(max(start_s, end_s), 6),
        status=reply.status,
        error=error,
        bytes_in=len(reply.body),
        new_connection=reply.new_connection,
        request_id=request_id,
        extra=True,
    )


class _TooLongError(Exception):
    """A body beyond `MAX_BODY_BYTES`."""


_ENDINGS = (http.client.RemoteDisconnected, http.client.IncompleteRead, http.client.BadStatusLine)
