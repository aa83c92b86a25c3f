"""What became of a poll: the closed set of errors, and what an answer says of itself. Pure."""

import errno
import re
import socket
import ssl

import msgspec

from harness.model import ServerTiming

TIMEOUT = "timeout"
"""No whole answer within the request time-out."""
CONNECTION_REFUSED = "connection-refused"
CONNECTION_RESET = "connection-reset"
"""The target broke the connection off."""
CONNECTION_CLOSED = "connection-closed"
"""The target closed the connection before the answer was whole."""
UNREACHABLE = "unreachable"
"""No route to the target's host or network."""
DNS = "dns"
"""The target's name could not be resolved."""
TLS = "tls"
"""The handshake failed; an unverifiable certificate does."""
BAD_HTTP = "bad-http"
"""The answer was no HTTP."""
BAD_JSON = "bad-json"
"""A success whose body is no JSON object or list."""
TOO_LONG = "too-long"
"""The body went on beyond any answer of a deployment master."""
GENERATOR_LIMIT = "generator-limit"
"""This machine had no socket, port or memory left: the load's own fault, not the target's."""
INTERRUPTED = "interrupted"
"""The run was ended while the poll was in flight: says nothing about the target."""
OTHER = "other"

ERROR_KINDS = frozenset(
    {
        TIMEOUT,
        CONNECTION_REFUSED,
        CONNECTION_RESET,
        CONNECTION_CLOSED,
        UNREACHABLE,
        DNS,
        TLS,
        BAD_HTTP,
        BAD_JSON,
        TOO_LONG,
        GENERATOR_LIMIT,
        INTERRUPTED,
        OTHER,
    }
)
"""Every kind besides ``http-<status>``."""

_LOCAL_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EACCES})
_KINDS_BY_TYPE: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, DNS),
    (ssl.SSLError, TLS),
    (ConnectionRefusedError, CONNECTION_REFUSED),
    (ConnectionResetError, CONNECTION_RESET),
    (BrokenPipeError, CONNECTION_RESET),
    (TimeoutError, TIMEOUT),
)

_DOCUMENT = msgspec.json.Decoder(dict[str, msgspec.Raw] | list[msgspec.Raw])
_MS_PER_S = 1000.0

# One pattern over the whole header instead of taking it apart: it is read once a poll.
_METRIC = re.compile(
    r"""(?:^|,)\s*(handler|db|pool)\s*       # one of our metrics,
        (?:;(?:[^,";]|"[^"]*")*)*?           # parameters that are not its duration,
        ;\s*(?i:dur)\s*=\s*"?([0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)"?\s*(?=[;,]|$)  # and its duration, up to 11 days
    """,
    re.VERBOSE,
)


def kind_of(fault: OSError) -> str:
    """
    Name what went wrong on the wire.

    Args:
        fault: raised by a socket, a look-up or TLS.

    Returns:
        One of `ERROR_KINDS`.
    """
    by_type = next((kind for kinds, kind in _KINDS_BY_TYPE if isinstance(fault, kinds)), None)
    if by_type is not None:
        return by_type
    if fault.errno in _LOCAL_LIMITS:
        return GENERATOR_LIMIT
    return UNREACHABLE if fault.errno in _NO_ROUTE else OTHER


def judge_answer(status: int, body: bytes) -> str | None:
    """
    Say what is wrong with a whole answer.

    Args:
        status: HTTP status.
        body: as it came.

    Returns:
        None for a 2xx status with a JSON object or list; ``http-<status>`` or `BAD_JSON` otherwise. A redirect is
        an error: it is not followed.
    """
    if not 200 <= status <= 299:
        return f"http-{status}"
    try:
        _DOCUMENT.decode(body)
        if not body.isascii():
            # Parts that are only passed over were not looked at closely.
            body.decode("utf-8")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return BAD_JSON
    return None


def parse_server_timing(header: str | list[str] | None) -> ServerTiming | None:
    """
    Read the ``Server-Timing`` header that our monitoring layer sends: ``handler;dur=3.1, db;dur=1.2, pool;dur=0``.

    Source: W3C Server Timing, section 3. Durations are milliseconds there. Other metrics and parameters are passed
    over, and so is whatever does not parse: the header is a courtesy and never an error.

    Args:
        header: its value, or several; None when there was none.

    Returns:
        The target's timing; None without a handler's duration.
    """
    if header is None:
        return None
    text = header if isinstance(header, str) else ",".join(header)
    # The first of several equal names counts, hence backwards.
    durations_s = {name: round(float(ms) / _MS_PER_S, 9) for name, ms in reversed(_METRIC.findall(text))}
    handler_s = durations_s.get("handler")
    if handler_s is None:
        return None
    return ServerTiming(handler_s=handler_s, database_s=durations_s.get("db"), pool_wait_s=durations_s.get("pool"))
