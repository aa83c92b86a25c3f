"""
What stands in a log line, and how it becomes bytes.

A line is one record and one record is one line: whatever a path, a header, a statement or a message holds, it
can't begin a new line, move a terminal's cursor or turn the reading direction. Each record first becomes one of
three structs (`RequestLine`, `QueryLine`, `LogLine`: these are the field names in the files), then bytes, in one
of two forms: JSON, which `monitoring.logs.reader` reads back, or ``key=value`` text for people with `tail` and
`grep`.

``time`` is when the thing was over: the request's last byte sent, the statement back from the driver. So lines
stand in the files in the order of their times, but for the fraction of a second that each process gathers lines
before it writes them. The arrival is ``time`` minus ``duration_ms``.
"""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from monitoring.model import Observation, QueryObservation

REQUEST_LOGGER: Final = "monitoring.request"
QUERY_LOGGER: Final = "monitoring.query"

MAX_CHARACTERS: Final = 16_384
"""Longest text kept of any one field; what is cut off is said at its end."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class RequestLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One request, as ``master-backend.log`` holds it. Fields are those of `monitoring.model.Observation`.

    Args:
        time: when its last byte was sent, or when it failed; UTC.
        level: ``ERROR`` from status 500, ``WARNING`` from 400 or when slow, else ``INFO``.
        logger: always ``monitoring.request``.
    """

    time: str
    level: str
    logger: str
    request_id: str
    method: str
    route: str
    path: str
    status: int
    duration_ms: float
    database_ms: float
    queries: int
    pool_wait_ms: float
    bytes_out: int
    client: str | None = None
    agent: str | None = None
    exception: str | None = None


class QueryLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One statement, as ``database-queries.log`` holds it. Fields are those of `monitoring.model.QueryObservation`.

    Args:
        time: when the driver returned; UTC.
        level: ``ERROR`` when it raised, ``WARNING`` when slow, else ``INFO``.
        logger: always ``monitoring.query``.
    """

    time: str
    level: str
    logger: str
    engine: str
    statement: str
    duration_ms: float
    rows: int | None = None
    many: bool = False
    slow: bool = False
    request_id: str | None = None
    route: str | None = None
    parameters: str | None = None
    exception: str | None = None


class LogLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """
    One record of the application's own logging, beside the requests in ``master-backend.log``.

    Args:
        time: when it was logged; UTC.
        level: as the application named it.
        logger: name of the application's logger.
        message: the text with its arguments filled in.
        source: ``file:line`` of the call.
        request_id: of the request it was logged in; None outside of one.
        exception: class of the exception logged with it.
        traceback: where that exception came from.
    """

    time: str
    level: str
    logger: str
    message: str
    source: str
    request_id: str | None = None
    exception: str | None = None
    traceback: str | None = None


Line = RequestLine | QueryLine | LogLine
Form = Callable[[Line], bytes]


def format_request(observation: Observation, *, slow_s: float = math.inf, form: "Form | None" = None) -> bytes:
    """
    Return one request as a line, without the newline.

    Args:
        observation: the request.
        slow_s: duration from which an answer below 400 is a ``WARNING`` [s]; not of websockets.
        form: `as_json` (the default) or `as_text`.
    """
    [line] = _request_lines([observation], slow_s)
    return (form or as_json)(line)


def format_requests(observations: Sequence[Observation], *, slow_s: float, form: "Form") -> bytes:
    """Return several requests as lines, each as `format_request` would and with its newline."""
    return _formatted(_request_lines(observations, slow_s), form)


def _request_lines(observations: Sequence[Observation], slow_s: float) -> list[RequestLine]:
    lines = []
    first, prefix = 0, ""
    for one in observations:
        status, duration_s, agent, path = one.status, one.duration_s, one.agent, one.path
        if status < 400 and (duration_s < slow_s or one.method == "WEBSOCKET"):
            level = "INFO"
        else:
            level = "ERROR" if status >= 500 else "WARNING"
        database_s, wait_s = one.database_time_s, one.pool_wait_s
        # What `instant` does, for all of one second at once.
        micros = int((one.time_s + duration_s) * 1e6)
        if not first <= micros < first + 1_000_000:
            prefix = instant(one.time_s + duration_s)[:_TO_SECOND]
            first = micros // 1_000_000 * 1_000_000
        line = RequestLine(
            f"{prefix}{str(micros - first + 1_000_000)[1:]}Z",
            level,
            REQUEST_LOGGER,
            one.request_id,
            one.method,
            one.route,
            path if len(path) <= MAX_CHARACTERS else _short(path),
            status,
            # Whole microseconds divided by 1000 print with at most three decimals, at half the price of round().
            int(duration_s * 1e6 + 0.5) / 1000,
            int(database_s * 1e6 + 0.5) / 1000 if database_s else 0.0,
            one.queries,
            int(wait_s * 1e6 + 0.5) / 1000 if wait_s else 0.0,
            one.bytes_out,
            one.client,
            agent if agent is None or len(agent) <= MAX_CHARACTERS else _short(agent),
            one.exception,
        )
        lines.append(line)
    return lines


def format_query(observation: QueryObservation, *, form: "Form | None" = None) -> bytes:
    """
    Return one statement as a line, without the newline.

    Args:
        observation: the statement.
        form: `as_json` (the default) or `as_text`.
    """
    [line] = _query_lines([observation])
    return (form or as_json)(line)


def format_queries(observations: Sequence[QueryObservation], *, form: "Form") -> bytes:
    """Return several statements as lines, each as `format_query` would and with its newline."""
    return _formatted(_query_lines(observations), form)


def _query_lines(observations: Sequence[QueryObservation]) -> list[QueryLine]:
    lines = []
    first, prefix = 0, ""
    for one in observations:
        statement, parameters, error, duration_s = one.statement, one.parameters, one.error, one.duration_s
        slow = one.slow
        # As for requests.
        micros = int((one.time_s + duration_s) * 1e6)
        if not first <= micros < first + 1_000_000:
            prefix = instant(one.time_s + duration_s)[:_TO_SECOND]
            first = micros // 1_000_000 * 1_000_000
        line = QueryLine(
            f"{prefix}{str(micros - first + 1_000_000)[1:]}Z",
            "ERROR" if error is not None else "WARNING" if slow else "INFO",
            QUERY_LOGGER,
            one.engine,
            statement if len(statement) <= MAX_CHARACTERS else _short(statement),
            int(duration_s * 1e6 + 0.5) / 1000,
            one.rows,
            one.many,
            slow,
            one.request_id,
            one.route,
            None if parameters is None else _short(parameters),
            error,
        )
        lines.append(line)
    return lines


def _formatted(lines: "Sequence[Line]", form: "Form") -> bytes:
    if form is as_json:
        # All at once: half the price of one after the other. A newline within a text is escaped.
        try:
            encoded = _encode_lines(lines)
        except UnicodeEncodeError:
            pass
        else:
            if encoded.isascii() and b"\x7f" not in encoded:
                return encoded
    return b"".join([form(one) + b"\n" for one in lines])


def format_log(line: LogLine, *, form: "Form | None" = None) -> bytes:
    """
    Return one record of the application's logging as a line, without the newline.

    Args:
        line: the record; its texts are cut to `MAX_CHARACTERS`, a traceback from the front.
        form: `as_json` (the default) or `as_text`.
    """
    traceback = line.traceback
    if len(line.message) > MAX_CHARACTERS or (traceback is not None and len(traceback) > MAX_CHARACTERS):
        line = msgspec.structs.replace(
            line,
            message=_short(line.message),
            # The end of a traceback names the error; its beginning is the server's own frames.
            traceback=None if traceback is None else traceback[-MAX_CHARACTERS:],
        )
    return (form or as_json)(line)


def as_json(line: Line) -> bytes:
    """Return a line as one JSON object."""
    try:
        encoded = _encode(line)
    except UnicodeEncodeError:
        encoded = _encode(_without_surrogates(line))
    # Most lines are plain ASCII, and JSON has escaped the control characters below a space already.
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return _UNSAFE.sub(_escape, encoded)


def as_text(line: Line) -> bytes:
    """
    Return a line as ``time level logger key=value …``.

    A value that holds anything but printable ASCII without space, quote and equals sign is written as a JSON
    string of ASCII, so that no value can pose as another field.
    """
    values = msgspec.structs.asdict(_without_surrogates(line))
    head = " ".join(_bare(values.pop(name)) for name in ("time", "level", "logger"))
    tail = " ".join(
        f"{name}={_bare(value)}" for name, value in values.items() if value is not None and value is not False
    )
    return f"{head} {tail}".encode("ascii")


FORMS: Final[dict[str, Form]] = {"json": as_json, "text": as_text}
"""The forms by the names that settings use."""


def instant(time_s: float) -> str:
    """
    Return a wall-clock time in ISO 8601, UTC, always with six decimals: texts sort as the instants do.

    Args:
        time_s: seconds since the Unix epoch, of the years 1 to 9999.

    Raises:
        ValueError: outside these years, or not finite.
    """
    global _second  # noqa: PLW0603  # a memo: one tuple, replaced whole, so threads never see half of it
    micros = int(time_s * 1e6)
    first, prefix = _second
    if not first <= micros < first + 1_000_000:
        second = micros // 1_000_000
        try:
            prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        except (OverflowError, OSError) as fault:
            raise ValueError(f"time: out of range, got {time_s}, need the years 1 to 9999") from fault
        first = second * 1_000_000
        _second = (first, prefix)
    # Seven digits, of which the first is dropped: cheaper than a format that fills with zeros.
    return f"{prefix}{str(micros - first + 1_000_000)[1:]}Z"


_second: tuple[int, str] = (0, "1970-01-01T00:00:00.")
_TO_SECOND = len(_second[1])

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines

# Characters that JSON leaves as they are, yet end a line for some readers (U+0085, U+2028, U+2029), steer a
# terminal (U+007F to U+009F) or are invisible and turn text round (U+061C, U+200B to U+200F, U+202A to U+202E,
# U+2060 to U+206F, U+FEFF), in UTF-8. In JSON they can only stand within strings, where \uXXXX means the same.
_UNSAFE = re.compile(
    rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)
_PLAIN = re.compile(r"[!#-<>-~]+")


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())


def _without_surrogates(line: Line) -> Line:
    # Half a surrogate pair, as a path of raw bytes has them, has no UTF-8: it is written as the six characters
    # \udcff.
    clean = {
        name: value.encode("utf-8", "backslashreplace").decode()
        for name, value in msgspec.structs.asdict(line).items()
        if isinstance(value, str)
    }
    return msgspec.structs.replace(line, **clean)


def _bare(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    encoded = _encode(text).decode()
    return "".join(character if " " <= character <= "~" else _escape_character(character) for character in encoded)


def _escape_character(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    # JSON writes characters beyond the first plane as a surrogate pair.
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _short(text: str) -> str:
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[:MAX_CHARACTERS]}… ({len(text) - MAX_CHARACTERS} more)"
