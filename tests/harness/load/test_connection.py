"""One connection, against a server that plays a script: what is counted, what is repeated, what is called how."""

import errno
import gc
import os
import resource
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError

from harness.load import connection as connection_module
from harness.load.answers import ERROR_KINDS
from harness.load.connection import Connection, Exchange, kind_of
from harness.load.endpoint import parse_endpoint
from harness.model import ServerTiming

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
RESET = b"reset"
CLOSE = b"close"
HANG = b"hang"
CERTIFICATE = Path(__file__).with_name("loopback.pem")

Script = list[list[bytes]]


class Player:
    """
    A server that takes one connection after another and answers each request with the next line of its script.

    A script is a list of connections, each a list of answers; `CLOSE` and `RESET` end a connection, `HANG` keeps
    it without a word. After its last answer a connection waits for the client to end it.
    """

    def __init__(self, script: Script, *, tls: bool = False) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.closed_by_us = threading.Event()
        self.proceed = threading.Event()
        self._tls = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATE)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def end(self) -> None:
        # A connection of our own wakes the thread when it waits for one.
        self.script = []
        with socket.socket() as waker:
            waker.connect_ex(self._listener.getsockname())
        self._thread.join(timeout=10)
        self._listener.close()
        assert not self._thread.is_alive()

    def _play(self) -> None:
        played = 0
        while played < len(self.script):
            answers = self.script[played]
            played += 1
            accepted, _ = self._listener.accept()
            accepted.settimeout(10)
            try:
                with self._tls.wrap_socket(accepted, server_side=True) if self._tls else accepted as peer:
                    self._converse(peer, answers)
            except OSError:
                accepted.close()

    def _converse(self, peer: socket.socket, answers: list[bytes]) -> None:
        for answer in answers:
            if answer == CLOSE:
                peer.close()
                self.closed_by_us.set()
                return
            request = peer.recv(65536)
            if not request:
                return
            self.requests.append(request)
            if answer == RESET:
                reset(peer)
                return
            if answer.startswith(RESET):
                peer.sendall(answer.removeprefix(RESET + b":"))
                # Let it be read before the reset overtakes it.
                self.proceed.wait(10)
                reset(peer)
                return
            if answer.startswith(CLOSE):
                # Close in answer to the request: what follows the word is sent before.
                peer.sendall(answer.removeprefix(CLOSE + b":"))
                return
            if answer != HANG:
                peer.sendall(answer)
        peer.recv(1)


def reset(peer: socket.socket) -> None:
    """Make the next close a reset: without lingering, what is unsent or unread is thrown away."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Play = Callable[..., Player]


@pytest.fixture
def play() -> Iterator[Play]:
    """Start players, and end them with the test."""
    players: list[Player] = []

    def start(script: Script, *, tls: bool = False) -> Player:
        players.append(Player(script, tls=tls))
        return players[-1]

    yield start
    for player in players:
        player.end()


@pytest.fixture
def connect() -> Iterator[Callable[..., Connection]]:
    """Make connections that are closed with the test."""
    made: list[Connection] = []

    def build(player: Player, tls: ssl.SSLContext | None = None) -> Connection:
        made.append(Connection(parse_endpoint(player.url), tls))
        return made[-1]

    yield build
    for connection in made:
        connection.close()


def get(connection: Connection, *, timeout_s: float = 10.0) -> Exchange:
    return connection.exchange(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", timeout_s=timeout_s)


def test_a_kept_connection_is_opened_once(play: Play, connect: Callable[..., Connection]) -> None:
    connection = connect(play([[OK, OK, OK]]))
    assert [get(connection).new_connection for _ in range(3)] == [True, False, False]


def test_an_answer_carries_its_body_and_the_targets_timing(play: Play, connect: Callable[..., Connection]) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nServer-Timing: handler;dur=3\r\nServer-Timing: db;dur=1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
    )
    assert get(connect(play([[answer]]))) == Exchange(
        status=200,
        body=b"[1,2]",
        new_connection=True,
        server=ServerTiming(handler_s=0.003, database_s=0.001),
    )


def test_an_interim_answer_is_not_the_answer(play: Play, connect: Callable[..., Connection]) -> None:
    exchange = get(connect(play([[b"HTTP/1.1 100 Continue\r\n\r\n" + OK]])))
    assert (exchange.status, exchange.body) == (200, b"[]")


def test_an_answer_may_end_with_its_connection(play: Play, connect: Callable[..., Connection]) -> None:
    """HTTP/1.0 and its kind: no length, the close is the end. The next poll opens a connection."""
    connection = connect(play([[b"close:HTTP/1.1 200 OK\r\n\r\n[1,2]"], [OK]]))
    assert get(connection) == Exchange(status=200, body=b"[1,2]", new_connection=True)
    assert get(connection).new_connection


def test_a_target_that_announces_the_close_is_believed(play: Play, connect: Callable[..., Connection]) -> None:
    """Connection: close, though the socket is still open: it is not used again."""
    announced = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    connection = connect(play([[announced, HANG], [OK]]))
    assert [get(connection).new_connection for _ in range(2)] == [True, True]


def test_an_idle_connection_that_was_closed_is_replaced_before_sending(
    play: Play, connect: Callable[..., Connection]
) -> None:
    """uvicorn's five seconds against our ten: a new connection, no error and nothing sent twice."""
    player = play([[OK, CLOSE], [OK]])
    connection = connect(player)
    get(connection)
    assert player.closed_by_us.wait(10)
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True, retried=False)
    assert len(player.requests) == 2


@pytest.mark.parametrize("ending", [b"close:", RESET])
def test_a_close_that_crosses_the_request_is_no_error(
    play: Play, connect: Callable[..., Connection], ending: bytes
) -> None:
    """No byte came on a connection that had served: the poll is sent once more, on a new one, and says so."""
    player = play([[OK, ending], [OK]])
    connection = connect(player)
    get(connection)
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True, retried=True)
    assert len(player.requests) == 3


@pytest.mark.parametrize(("ending", "error"), [(b"close:", "connection-closed"), (RESET, "connection-reset")])
def test_a_poll_is_repeated_once_only(
    play: Play, connect: Callable[..., Connection], ending: bytes, error: str
) -> None:
    """A target that ends the new connection as well is in trouble, and the poll failed."""
    player = play([[OK, ending], [ending], [OK]])
    connection = connect(player)
    get(connection)
    assert get(connection) == Exchange(error=error, new_connection=True, retried=True)
    assert len(player.requests) == 3


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        # closed or reset without a word, on a connection opened for this poll: nothing to repeat
        (b"close:", None, "connection-closed"),
        (RESET, None, "connection-reset"),
        # cut off in the headers, in a counted body, in a chunk
        (b"close:HTTP/1.1 200 OK\r\nContent-Le", None, "connection-closed"),
        (b"close:HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", 200, "connection-closed"),
        (b"close:HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1", 200, "connection-closed"),
        # no HTTP at all
        (b"close:SSH-2.0-OpenSSH_9.2\r\n", None, "bad-http"),
        # more bytes than announced
        (OK + b"more", None, "bad-http"),
    ],
)
def test_a_broken_answer_has_a_name(
    play: Play, connect: Callable[..., Connection], answer: bytes, status: int | None, error: str
) -> None:
    player = play([[answer], [OK]])
    connection = connect(player)
    exchange = get(connection)
    assert (exchange.status, exchange.error, exchange.retried) == (status, error, False)
    # Whatever was left on the old connection does not reach the next poll.
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True)


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        # in the headers, and in the body
        (b"close:HTTP/1.1 200 OK\r\nContent-", "connection-closed"),
        (b"close:HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", "connection-closed"),
        (b"reset:HTTP/1.1 200 OK\r\nContent-", "connection-reset"),
        (b"reset:HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", "connection-reset"),
    ],
)
def test_an_answer_cut_off_on_a_kept_connection_is_not_repeated(
    play: Play, connect: Callable[..., Connection], ending: bytes, error: str
) -> None:
    """The target had begun to answer: repeating would hide its fault."""
    player = play([[OK, ending], [OK]])
    connection = connect(player)
    get(connection)
    gevent.spawn_later(0.1, player.proceed.set)
    exchange = get(connection)
    assert (exchange.error, exchange.new_connection, exchange.retried) == (error, False, False)


@pytest.mark.parametrize(
    "answer",
    [
        # not a word
        HANG,
        # headers, and then nothing
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[",
    ],
)
def test_the_time_out_covers_the_whole_exchange(
    play: Play, connect: Callable[..., Connection], answer: bytes
) -> None:
    connection = connect(play([[answer], [OK]]))
    assert get(connection, timeout_s=0.1).error == "timeout"
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True)


def test_the_end_of_the_run_leaves_no_connection_half_read(play: Play, connect: Callable[..., Connection]) -> None:
    """A greenlet killed in the middle of a body closes the connection."""
    connection = connect(play([[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["], [OK]]))
    greenlet = gevent.spawn(get, connection)
    gevent.sleep(0.05)
    greenlet.kill()
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True)


def test_somebody_elses_time_out_passes_through(play: Play, connect: Callable[..., Connection]) -> None:
    connection = connect(play([[HANG]]))
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        get(connection)


def test_a_long_body_is_read_to_its_end(play: Play, connect: Callable[..., Connection]) -> None:
    body = b"[" + b"1," * 200_000 + b"1]"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert get(connect(play([[answer]]))).body == body


def test_a_body_without_end_is_cut(
    play: Play, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "MAX_BODY_BYTES", 200_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + b"1" * 400_000
    assert get(connect(play([[answer]]))).error == "too-long"


def test_a_port_nobody_listens_on_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = Connection(parse_endpoint(f"http://127.0.0.1:{port}"), None)
    assert get(connection) == Exchange(error="connection-refused", new_connection=True)


def test_a_name_is_looked_up(
    play: Play, connect: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address of a name is tried before the poll is given up; an unknown name is an error of its own."""
    player = play([[OK]])
    port = int(player.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]

    def look_up(*_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 0, 0, "", ("127.0.0.1", p)) for p in (closed_port, port)]

    def fail(*_: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    connection = Connection(parse_endpoint("http://master.example"), None)
    monkeypatch.setattr("gevent.socket.getaddrinfo", fail)
    assert get(connection) == Exchange(error="dns", new_connection=True)
    monkeypatch.setattr("gevent.socket.getaddrinfo", look_up)
    assert get(connection) == Exchange(status=200, body=b"[]", new_connection=True)
    connection.close()


def test_a_certificate_nobody_vouches_for_is_refused(play: Play, connect: Callable[..., Connection]) -> None:
    connection = connect(play([[OK]], tls=True), ssl.create_default_context())
    assert get(connection) == Exchange(error="tls", new_connection=True)


def test_a_trusted_target_is_polled_over_tls(play: Play, connect: Callable[..., Connection]) -> None:
    """And a kept TLS connection is seen to be idle, session tickets notwithstanding."""
    connection = connect(play([[OK, OK]], tls=True), ssl.create_default_context(cafile=CERTIFICATE))
    assert [get(connection).new_connection for _ in range(2)] == [True, False]


def test_keeps_connections_beyond_a_thousand_files(play: Play, connect: Callable[..., Connection]) -> None:
    """select() would fail here, and every poll open a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    ballast = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        connection = connect(play([[OK, OK]]))
        assert [get(connection).new_connection for _ in range(2)] == [True, False]
    finally:
        for handle in ballast:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_leaves_no_socket_open(play: Play, connect: Callable[..., Connection]) -> None:
    """A socket forgotten without closing would be a warning, which is an error here."""
    connection = connect(play([[OK], [b"close:"], [OK]]))
    get(connection)
    connection.close()
    connection.close()
    get(connection)
    get(connection)
    connection.close()
    gc.collect()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), "connection-refused"),
        (ConnectionResetError(errno.ECONNRESET, ""), "connection-reset"),
        (BrokenPipeError(errno.EPIPE, ""), "connection-reset"),
        (HTTPConnectionClosed("connection closed."), "connection-closed"),
        (HTTPParseError("bad"), "bad-http"),
        (TimeoutError(errno.ETIMEDOUT, "the system's own"), "timeout"),
        (ssl.SSLCertVerificationError("no"), "tls"),
        (socket.gaierror(socket.EAI_AGAIN, ""), "dns"),
        (OSError(errno.ENETUNREACH, ""), "unreachable"),
        (OSError(errno.EHOSTUNREACH, ""), "unreachable"),
        # this machine is out of something: not the target's fault
        (OSError(errno.EMFILE, ""), "generator-limit"),
        (OSError(errno.EADDRNOTAVAIL, ""), "generator-limit"),
        (OSError(errno.EINVAL, ""), "other"),
    ],
)
def test_faults_have_names_from_a_closed_set(fault: OSError, expected: str) -> None:
    assert expected == kind_of(fault)
    assert expected in ERROR_KINDS
