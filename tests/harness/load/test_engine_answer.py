"""Reading an answer, however it is cut into pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load import engine_answer
from harness.load.engine_answer import AnswerReader, BadHttpError, ClosedEarlyError, TooLongError
from harness.model import ServerTiming

HEAD = b"HTTP/1.1 200 OK\r\n"


def read(*parts: bytes, closed: bool = False) -> AnswerReader:
    """Feed a reader; the last part has to make the answer whole, or the close after it."""
    reader = AnswerReader()
    whole = [reader.feed(part) for part in parts]
    if closed:
        reader.end()
    else:
        assert whole == [False] * (len(parts) - 1) + [True]
    return reader


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
WHOLE = [
    # a length
    (HEAD + b"Content-Length: 2\r\n\r\n[]", 200, b"[]", True),
    # none to read
    (HEAD + b"content-length:0\r\n\r\n", 200, b"", True),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b"", True),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b"", True),
    # chunks, with an extension and a trailer
    (CHUNKED + b"3;x=y\r\n[1,\r\n2 \r\n2]\r\n0\r\nA: b\r\n\r\n", 200, b"[1,2]", True),
    # chunks count more than a length (RFC 9112, section 6.3)
    (
        HEAD + b"Content-Length: 99\r\nTransfer-Encoding: gzip, CHUNKED\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
        *(200, b"[]", True),
    ),
    # the same length twice
    (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]", 200, b"[]", True),
    # the target wants to close
    (HEAD + b"Connection: Close\r\nContent-Length: 2\r\n\r\n[]", 200, b"[]", False),
    # an older target closes unless it says otherwise
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n[]", 200, b"[]", False),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n[]", 200, b"[]", True),
    # no reason phrase
    (b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\n{}", 404, b"{}", True),
    # interim answers before it
    (EARLY + HEAD + b"Content-Length: 2\r\n\r\n[]", 200, b"[]", True),
]


@pytest.mark.parametrize(("answer", "status", "body", "keeps"), WHOLE)
def test_reads_an_answer(answer: bytes, status: int, body: bytes, keeps: bool) -> None:  # noqa: FBT001
    """And the same when it comes a byte at a time."""
    for reader in (read(answer), read(*(answer[at : at + 1] for at in range(len(answer))))):
        assert (reader.status, reader.body, reader.keeps) == (status, body, keeps)


@given(st.sampled_from(WHOLE), st.lists(st.integers(min_value=0, max_value=200), max_size=8))
def test_the_cuts_make_no_difference(case: tuple[bytes, int, bytes, bool], cuts: list[int]) -> None:
    answer = case[0]
    places = sorted({0, len(answer), *(cut % len(answer) for cut in cuts)})
    reader = read(*(answer[a:b] for a, b in itertools.pairwise(places)))
    assert (reader.status, reader.body, reader.keeps) == case[1:]


def test_an_answer_may_end_with_its_connection() -> None:
    reader = read(HEAD + b"Connection: keep-alive\r\n\r\n[1", b",2]", closed=True)
    assert (reader.body, reader.keeps) == (b"[1,2]", False)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTT",
        HEAD,
        HEAD + b"Content-Length: 3\r\n\r\n[]",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]",
    ],
)
def test_a_close_in_the_middle_is_told(answer: bytes) -> None:
    reader = AnswerReader()
    if answer:
        assert not reader.feed(answer)
    with pytest.raises(ClosedEarlyError):
        reader.end()


@pytest.mark.parametrize(
    "answer",
    [
        # another protocol: told at the first bytes, not after a time-out
        b"SSH-2.0",
        b"\x15\x03\x01",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Too low\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        # lines that end in another way
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n[]",
        # lengths that are none, or two
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 0x2\r\n\r\n",
        HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        # more than was announced
        HEAD + b"Content-Length: 2\r\n\r\n[]x",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nx",
        # chunks that are none
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
        # a protocol that nobody asked for, and interim answers without end
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 17,
    ],
)
def test_what_is_no_answer_is_told(answer: bytes) -> None:
    with pytest.raises(BadHttpError):
        AnswerReader().feed(answer)


def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the head, in what is announced, in what comes unannounced, and in trailers."""
    monkeypatch.setattr(engine_answer, "MAX_BODY_BYTES", 100)
    with pytest.raises(TooLongError):
        AnswerReader().feed(HEAD + b"A: " + b"x" * engine_answer.MAX_HEAD_BYTES)
    with pytest.raises(TooLongError):
        AnswerReader().feed(HEAD + b"A: " + b"x" * engine_answer.MAX_HEAD_BYTES + b"\r\n\r\n")
    for length in (b"101", b"9" * 5000):
        with pytest.raises(TooLongError):
            AnswerReader().feed(HEAD + b"Content-Length: " + length + b"\r\n\r\n")
    reader = AnswerReader()
    reader.feed(HEAD + b"\r\n" + b"x" * 60)
    with pytest.raises(TooLongError):
        reader.feed(b"x" * 60)
    chunks = AnswerReader()
    chunks.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    with pytest.raises(TooLongError):
        chunks.feed((b"A: " + b"x" * 4000 + b"\r\n") * 30)


def test_the_targets_own_timing_is_read() -> None:
    """However many headers it takes; another header's value does not pass for one."""
    timing = b"Server-Timing: handler;dur=3\r\nSERVER-TIMING: db;dur=1\r\nX-Note: Server-Timing: pool;dur=9\r\n"
    reader = read(HEAD + timing + b"Content-Length: 2\r\n\r\n[]")
    assert reader.server == ServerTiming(handler_s=0.003, database_s=0.001)
    assert read(HEAD + b"Content-Length: 2\r\n\r\n[]").server is None


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fail_otherwise(data: bytes) -> None:
    reader = AnswerReader()
    for start in (data, HEAD + data, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + data):
        reader = AnswerReader()
        try:
            if start:
                reader.feed(start)
            reader.end()
        except (BadHttpError, TooLongError, ClosedEarlyError):
            pass
