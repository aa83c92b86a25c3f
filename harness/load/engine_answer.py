"""
An HTTP/1.1 answer, read as it comes: bytes in, status and body out. Pure; the engine and `Connection` share it.

What is not needed is not read: of the headers only those that say how long the body is, whether the connection
stays, and what the target took by its own account. Source: RFC 9112, sections 2 to 7 and 9.3.
"""

import re

from harness.load import answers
from harness.model import ServerTiming

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Longest body that is read. A list of pending deployments is a thousand times shorter."""

MAX_HEAD_BYTES = 64 * 1024
"""Longest status line and headers; the trailers of a chunked body likewise."""

_MAX_LINE_BYTES = 4096
_MAX_INTERIM = 16
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?= |\r)")
_PROTOCOL = b"HTTP/1."
# The name is compared after a line's end, so that no header's value can pass for another header.
_HEADERS = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|server-timing):[ \t]*([^\r\n]*)", re.IGNORECASE
)
_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?$")

_HEAD, _COUNTED, _CHUNK_SIZE, _CHUNK, _CHUNK_END, _TRAILERS, _TO_THE_END, _DONE = range(8)


class BadHttpError(Exception):
    """What came is no HTTP, or more of it than was announced."""


class TooLongError(Exception):
    """A head or body beyond the limits."""


class ClosedEarlyError(Exception):
    """The connection ended before the answer was whole."""


class AnswerReader:
    """
    Reads one answer to a request that may have a body in its answer (any but HEAD).

    Feed it until it says that the answer is whole. One reader reads one answer.
    """

    __slots__ = ("_body", "_buffer", "_interim", "_left", "_state", "_timing", "keeps", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        """HTTP status, as soon as the head has come."""
        self.keeps = False
        """Whether the target lets the connection serve another request."""
        self._state = _HEAD
        self._buffer = b""
        self._body: bytes | bytearray = b""
        self._left = 0
        self._interim = 0
        self._timing: list[bytes] = []

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return bytes(self._body)

    @property
    def server(self) -> ServerTiming | None:
        """The target's own timing; None when it gave none."""
        if not self._timing:
            return None
        return answers.parse_server_timing([value.decode("latin-1") for value in self._timing])

    def feed(self, data: bytes) -> bool:
        """
        Take in what has come.

        Args:
            data: at least one byte.

        Returns:
            Whether the answer is whole.

        Raises:
            BadHttpError: no HTTP; also bytes beyond the answer's end.
            TooLongError: beyond the limits.
        """
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while data and self._state != _DONE:
            data = _STEPS[self._state](self, data)
        if data:
            raise BadHttpError("more bytes than were announced")
        return self._state == _DONE

    def end(self) -> None:
        """
        Take in that the target has closed the connection.

        Raises:
            ClosedEarlyError: the answer isn't whole. One whose end is the connection's end is.
        """
        if self._state != _TO_THE_END:
            raise ClosedEarlyError
        self._state = _DONE
        self.keeps = False

    def _read_head(self, data: bytes) -> bytes:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if data[: len(_PROTOCOL)] != _PROTOCOL[: len(data)] or b"\n\n" in data:
                raise BadHttpError("no HTTP/1.1")
            if len(data) > MAX_HEAD_BYTES:
                raise TooLongError
            self._buffer = data
            return b""
        start = _STATUS.match(data)
        if start is None:
            raise BadHttpError("no status line")
        if end > MAX_HEAD_BYTES:
            raise TooLongError
        status = int(start[2])
        rest = data[end + 4 :]
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > _MAX_INTERIM:
                raise BadHttpError("an interim answer that was not asked for")
            return rest
        self.status = status
        self._plan_body(_HEADERS.findall(data, 0, end + 2), newer=start[1] == b"1")
        if self._state == _COUNTED and self._left == len(rest):
            # All of it, nearly always.
            self._body, self._state = rest, _DONE
            return b""
        return rest

    def _plan_body(self, headers: list[tuple[bytes, bytes]], *, newer: bool) -> None:
        """Find out how long the body is (RFC 9112, section 6.3), and whether the connection stays (9.3)."""
        length: bytes | None = None
        coding: list[bytes] = []
        connection = b""
        for name, value in headers:
            # All four names begin with another length.
            match len(name):
                case 14:
                    if length is not None and length != value:
                        raise BadHttpError("two lengths")
                    length = value.rstrip(b" \t")
                case 17:
                    coding.append(value.strip().lower())
                case 10:
                    connection += b"," + value.lower()
                case _:
                    self._timing.append(value)
        self.keeps = b"close" not in connection if newer else b"keep-alive" in connection
        if self.status in {204, 304}:
            self._state = _DONE
        elif coding:
            self._state = (
                _CHUNK_SIZE if b",".join(coding).rpartition(b",")[2].strip() == b"chunked" else _TO_THE_END
            )
        elif length is None:
            self._state = _TO_THE_END
        else:
            self._left = _length(length)
            self._state = _COUNTED if self._left else _DONE
        if self._state == _TO_THE_END:
            self.keeps = False

    def _keep(self, part: bytes) -> None:
        if not self._body:
            # All of it, nearly always.
            self._body = part
            return
        if isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += part
        if len(self._body) > MAX_BODY_BYTES:
            raise TooLongError

    def _read_counted(self, data: bytes) -> bytes:
        part = data[: self._left] if len(data) > self._left else data
        self._keep(part)
        self._left -= len(part)
        if not self._left:
            self._state = _CHUNK_END if self._state == _CHUNK else _DONE
        return data[len(part) :]

    def _read_to_the_end(self, data: bytes) -> bytes:
        self._keep(data)
        return b""

    def _take_line(self, data: bytes) -> tuple[bytes | None, bytes]:
        """Return a line without its end and what follows it; None for the line when it has not come whole."""
        end = data.find(b"\r\n")
        if end < 0:
            if len(data) > _MAX_LINE_BYTES:
                raise BadHttpError("a line without end in a chunked body")
            self._buffer = data
            return None, b""
        return data[:end], data[end + 2 :]

    def _read_chunk_size(self, data: bytes) -> bytes:
        line, rest = self._take_line(data)
        if line is None:
            return rest
        size = _SIZE.match(line)
        if size is None:
            raise BadHttpError("a chunk's size that is no number")
        self._left = int(size[1], 16)
        self._state = _CHUNK if self._left else _TRAILERS
        return rest

    def _read_chunk_end(self, data: bytes) -> bytes:
        if len(data) < 2:
            self._buffer = data
            return b""
        if data[:2] != b"\r\n":
            raise BadHttpError("a chunk longer than announced")
        self._state = _CHUNK_SIZE
        return data[2:]

    def _read_trailers(self, data: bytes) -> bytes:
        line, rest = self._take_line(data)
        if line == b"":
            self._state = _DONE
        elif line is not None:
            self._interim += len(line)
            if self._interim > MAX_HEAD_BYTES:
                raise TooLongError
        return rest


def _length(text: bytes) -> int:
    if not text.isdigit():
        raise BadHttpError("a length that is no number")
    # A number of a thousand digits is too long as well, and not worth converting.
    if len(text) > 15 or int(text) > MAX_BODY_BYTES:
        raise TooLongError
    return int(text)


_STEPS = {
    _HEAD: AnswerReader._read_head,
    _COUNTED: AnswerReader._read_counted,
    _CHUNK: AnswerReader._read_counted,
    _CHUNK_SIZE: AnswerReader._read_chunk_size,
    _CHUNK_END: AnswerReader._read_chunk_end,
    _TRAILERS: AnswerReader._read_trailers,
    _TO_THE_END: AnswerReader._read_to_the_end,
}
