"""The engine against a server that plays a script: what is counted, repeated, given up, and called how."""

import errno
import gc
import itertools
import os
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gevent
import pytest
from gevent import monkey

from harness.errors import HarnessError
from harness.load import engine as engine_module
from harness.load import engine_answer
from harness.load.behaviour import Behaviour
from harness.load.endpoint import Endpoint, parse_endpoint
from harness.load.engine import Engine
from harness.load.engine_link import Resolver
from harness.load.engine_poller import EpollPoller, Poller, WatcherPoller
from harness.load.pacing import FleetPacing
from harness.model import PENDING_ROUTE, Sample, ServerTiming
from harness.schedule import Schedule
from harness.shape import Shape
from tests.harness.load.player import CERTIFICATE, CLOSE, HANG, OK, RESET, Player, Script

GONE = b"reset:"
"""What comes after it is sent, and when the test says so the connection is reset."""


class Bench:
    """A fleet on a test bench: short intervals, samples in a list."""

    def __init__(self, poller: Callable[[Callable[[int], None]], Poller]) -> None:
        self._poller = poller
        self._engines: list[Engine] = []
        self.samples: list[Sample] = []
        self.faults: list[HarnessError] = []
        self.bodies: list[bytes] = []

    def engine(
        self,
        url: str,
        *,
        agents: int = 1,
        interval_s: float = 0.1,
        timeout_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
        keeps_connections: bool = True,
        behaviour: Behaviour | None = None,
        shape: Shape | None = None,
        mine: Sequence[int] | None = None,
    ) -> Engine:
        """Make an engine; its clock runs from now on."""
        origin_s, ids = time.perf_counter(), itertools.count()
        made = Engine(
            agent_ids=[f"agent-{number}" for number in range(agents)],
            mine=range(agents) if mine is None else mine,
            pacing=FleetPacing(Schedule(seed=1, agents=agents, interval_s=interval_s), shape),
            endpoint=parse_endpoint(url),
            tls=tls,
            request_timeout_s=timeout_s,
            keeps_connections=keeps_connections,
            behaviour=behaviour or Behaviour(),
            now_s=lambda: time.perf_counter() - origin_s,
            next_request_id=lambda: f"id-{next(ids)}",
            record=self.samples.append,
            on_fault=self.faults.append,
            poller=self._poller,
        )
        self._engines.append(made)
        return made

    def run(self, url: str, polls: int, **options: Any) -> list[Sample]:
        """Have each agent send so many polls, and return what became of them."""
        interval_s = options.setdefault("interval_s", 0.1)
        engine = self.engine(url, **options)
        # In the middle between two polls, where no rounding can add one.
        engine.start(end_s=interval_s * (polls - 0.5))
        self.wait(engine)
        assert self.faults == []
        return self.samples

    def wait(self, engine: Engine) -> None:
        """Wait for the end, and take what there is to tell."""
        assert engine.done.wait(20)
        assert not engine.pass_on()

    def close(self) -> None:
        """Close every connection; again is harmless."""
        for engine in self._engines:
            engine.abort()
        self._engines.clear()


@pytest.fixture(params=[EpollPoller, WatcherPoller])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench for each way of watching sockets."""
    made = Bench(request.param)
    yield made
    made.close()


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
        # A thread that waits for a socket of its own must not wait for our hub.
        gevent.get_hub().threadpool.apply(player.end)


def told(samples: list[Sample]) -> list[tuple[int | None, str | None, bool | None]]:
    return [(sample.status, sample.error, sample.new_connection) for sample in samples]


NEW, KEPT = (200, None, True), (200, None, False)


def test_a_kept_connection_is_opened_once(play: Play, bench: Bench) -> None:
    samples = bench.run(play([[OK, OK, OK]]).url, 3)
    assert told(samples) == [NEW, KEPT, KEPT]
    assert samples[0].connect_s is not None
    assert [sample.connect_s for sample in samples[1:]] == [None, None]


def test_a_late_poll_names_those_that_were_missed_for_it(play: Play, bench: Bench) -> None:
    """No answer for two and a half intervals: one poll is missed, and the one sent then says which."""
    samples = bench.run(play([[HANG], [OK, OK]]).url, 4, interval_s=0.2, timeout_s=0.5)
    assert [(s.intended_start_s, s.missed_s) for s in samples] == [(0.0, ()), (0.4, (0.2,)), (0.6, ())]


def test_a_sample_says_what_was_asked_and_what_came(play: Play, bench: Bench) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nServer-Timing: handler;dur=3\r\nServer-Timing: db;dur=1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n"
    )
    player = play([[answer]])
    (sample,) = bench.run(player.url, 1)
    assert (sample.agent, sample.name, sample.method) == ("agent-0", PENDING_ROUTE, "GET")
    assert (sample.bytes_in, sample.request_id, sample.extra) == (5, "id-0", False)
    assert sample.server == ServerTiming(handler_s=0.003, database_s=0.001)
    assert sample.intended_start_s == 0.0 <= sample.start_s <= sample.end_s
    assert player.requests[0].startswith(b"GET /api/deployments/pending/agent-0 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert player.requests[0].endswith(b"\r\nX-Request-ID: id-0\r\n\r\n")


def test_connections_are_not_kept_when_that_was_asked_for(play: Play, bench: Bench) -> None:
    assert told(bench.run(play([[OK], [OK]]).url, 2, keeps_connections=False)) == [NEW, NEW]


def test_a_target_that_announces_the_close_is_believed(play: Play, bench: Bench) -> None:
    """Connection: close, though the socket is still open: it is not used again."""
    announced = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert told(bench.run(play([[announced, HANG], [OK]]).url, 2)) == [NEW, NEW]


def test_an_answer_may_end_with_its_connection(play: Play, bench: Bench) -> None:
    """HTTP/1.0 and its kind: no length, the close is the end. The next poll opens a connection."""
    samples = bench.run(play([[b"close:HTTP/1.1 200 OK\r\n\r\n[1,2]"], [OK]]).url, 2)
    assert told(samples) == [NEW, NEW]
    assert samples[0].bytes_in == 5


def test_an_idle_connection_that_was_closed_is_replaced_before_sending(play: Play, bench: Bench) -> None:
    """uvicorn's five seconds against our ten: a new connection, no error and nothing sent twice."""
    player = play([[OK, CLOSE], [OK]])
    engine = bench.engine(player.url, interval_s=0.2)
    engine.start(end_s=0.3)
    bench.wait(engine)
    assert told(bench.samples) == [NEW, NEW]
    assert engine.retries == 0
    assert len(player.requests) == 2


@pytest.mark.parametrize("ending", [b"close:", RESET])
def test_a_close_that_crosses_the_request_is_no_error(play: Play, bench: Bench, ending: bytes) -> None:
    """No byte came on a connection that had served: the poll is sent once more, on a new one, and is counted."""
    player = play([[OK, ending], [OK]])
    engine = bench.engine(player.url)
    engine.start(end_s=0.15)
    bench.wait(engine)
    assert told(bench.samples) == [NEW, NEW]
    assert engine.retries == 1
    assert len(player.requests) == 3


@pytest.mark.parametrize(("ending", "error"), [(b"close:", "connection-closed"), (RESET, "connection-reset")])
def test_a_poll_is_repeated_once_only(play: Play, bench: Bench, ending: bytes, error: str) -> None:
    """A target that ends the new connection as well is in trouble, and the poll failed."""
    player = play([[OK, ending], [ending], [OK]])
    assert told(bench.run(player.url, 2)) == [NEW, (None, error, True)]
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
        (OK + b"more", 200, "bad-http"),
        # a redirect is an answer, and not followed; a proxy's page is none
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, "http-302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 200, "bad-json"),
    ],
)
def test_a_bad_answer_has_a_name(play: Play, bench: Bench, answer: bytes, status: int | None, error: str) -> None:
    player = play([[answer], [OK]])
    first, *_ = bench.run(player.url, 1)
    assert told([first]) == [(status, error, True)]


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        # in the headers, and in the body
        (b"close:HTTP/1.1 200 OK\r\nContent-", "connection-closed"),
        (b"close:HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", "connection-closed"),
        (GONE + b"HTTP/1.1 200 OK\r\nContent-", "connection-reset"),
        (GONE + b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", "connection-reset"),
    ],
)
def test_an_answer_cut_off_on_a_kept_connection_is_not_repeated(
    play: Play, bench: Bench, ending: bytes, error: str
) -> None:
    """The target had begun to answer: repeating would hide its fault."""
    player = play([[OK, ending], [OK]])
    gevent.spawn_later(0.2, player.proceed.set)
    engine = bench.engine(player.url)
    engine.start(end_s=0.15)
    bench.wait(engine)
    assert (bench.samples[1].error, bench.samples[1].new_connection, engine.retries) == (error, False, 0)


@pytest.mark.parametrize(
    "answer",
    [
        # not a word
        HANG,
        # headers, and then nothing
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[",
    ],
)
def test_the_time_out_covers_the_whole_exchange(play: Play, bench: Bench, answer: bytes) -> None:
    """And what was left on the old connection does not reach the next poll."""
    samples = bench.run(play([[answer], [OK]]).url, 2, timeout_s=0.1, interval_s=0.3)
    assert [sample.error for sample in samples] == ["timeout", None]
    assert 0.1 <= samples[0].service_time_s
    assert samples[1].new_connection


def test_a_long_body_is_read_to_its_end(play: Play, bench: Bench) -> None:
    body = b"[" + b"1," * 200_000 + b"1]"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    (sample,) = bench.run(play([[answer]]).url, 1)
    assert (sample.error, sample.bytes_in) == (None, len(body))


def test_an_endless_answer_is_cut(play: Play, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_answer, "MAX_BODY_BYTES", 200_000)
    (sample,) = bench.run(play([[b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * 400_000]]).url, 1)
    assert sample.error == "too-long"


def test_a_port_nobody_listens_on_refuses(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert told(bench.run(f"http://127.0.0.1:{port}", 1)) == [(None, "connection-refused", True)]


def test_each_address_of_a_name_is_tried(play: Play, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    player = play([[OK]])
    port = int(player.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]

    def look_up(*_: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 0, 0, "", ("127.0.0.1", p)) for p in (closed_port, port)]

    monkeypatch.setattr(engine_module, "Resolver", lambda endpoint: Resolver(endpoint, look_up=look_up))
    assert told(bench.run("http://master.example", 1)) == [NEW]


def test_a_name_nobody_knows_is_an_error_of_its_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[tuple[object, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(engine_module, "Resolver", lambda endpoint: Resolver(endpoint, look_up=fail))
    assert told(bench.run("http://master.example", 2)) == [(None, "dns", True)] * 2


def test_a_name_is_looked_up_once_for_all_that_ask_together() -> None:
    asked: list[object] = []

    def look_up(*arguments: object) -> list[tuple[object, ...]]:
        asked.append(arguments[0])
        gevent.sleep(0)
        return [(socket.AF_INET, 0, 0, "", ("127.0.0.1", 80))]

    resolver, got = Resolver(parse_endpoint("http://master.example"), look_up=look_up), []
    for _ in range(3):
        resolver.ask(got.append)
    gevent.sleep(0.01)
    resolver.ask(got.append)
    assert got == [((socket.AF_INET, ("127.0.0.1", 80)),)] * 4
    assert asked == ["master.example"]


def test_a_certificate_nobody_vouches_for_is_refused(play: Play, bench: Bench) -> None:
    samples = bench.run(play([[OK]], tls=True).url, 1, tls=ssl.create_default_context())
    assert told(samples) == [(None, "tls", True)]


def test_a_trusted_target_is_polled_over_tls(play: Play, bench: Bench) -> None:
    """And a kept TLS connection is seen to be idle, session tickets notwithstanding."""
    body = b"[" + b"1," * 100_000 + b"1]"
    long = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    samples = bench.run(
        play([[OK, long, OK]], tls=True).url, 3, tls=ssl.create_default_context(cafile=CERTIFICATE)
    )
    assert told(samples) == [NEW, KEPT, KEPT]
    assert samples[1].bytes_in == len(body)


@pytest.mark.parametrize("ending", [b"close:", CLOSE])
def test_a_tls_connection_that_ends_is_replaced(play: Play, bench: Bench, ending: bytes) -> None:
    player = play([[OK, ending], [OK]], tls=True)
    context = ssl.create_default_context(cafile=CERTIFICATE)
    assert told(bench.run(player.url, 2, tls=context, interval_s=0.2)) == [NEW, NEW]


def test_a_target_that_speaks_no_tls_is_named(play: Play, bench: Bench) -> None:
    url = play([[OK]]).url.replace("http:", "https:")
    assert [sample.error for sample in bench.run(url, 1, tls=ssl.create_default_context())] == ["tls"]


def test_keeps_connections_beyond_a_thousand_files(play: Play, bench: Bench) -> None:
    """select() would fail here, and every poll open a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    ballast = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        assert told(bench.run(play([[OK, OK]]).url, 2)) == [NEW, KEPT]
    finally:
        for handle in ballast:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_want_of_files_is_the_generators_own_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("harness.load.engine_link._Socket", none_left)
    assert told(bench.run("http://127.0.0.1:9", 1)) == [(None, "generator-limit", True)]


def test_leaves_no_socket_open(play: Play, bench: Bench) -> None:
    """A socket forgotten without closing would be a warning, which is an error here."""
    bench.run(play([[OK], [b"close:"], [OK]]).url, 3)
    bench.close()
    gc.collect()


def test_one_poll_of_an_agent_at_a_time(play: Play, bench: Bench) -> None:
    """An answer that takes 2.5 intervals: one poll is sent late for the newest start, the older are missed."""

    class Slow(Player):
        def _converse(self, peer: socket.socket, answers: list[bytes]) -> None:
            real_sleep = monkey.get_original("time", "sleep")
            peer.recv(65536)
            real_sleep(0.5)
            peer.sendall(OK)
            super()._converse(peer, answers)

    player = Slow([[OK, OK]])
    try:
        engine = bench.engine(player.url, interval_s=0.2)
        engine.start(end_s=0.8)
        bench.wait(engine)
    finally:
        bench.close()
        gevent.get_hub().threadpool.apply(player.end)
    assert [sample.intended_start_s for sample in bench.samples] == [0.0, 0.4, 0.6]
    assert engine.missed == 1
    assert bench.samples[1].start_lag_s >= 0.09
    # That the agent was busy is not the engine's lateness.
    assert engine.take_worst_lag_s() < 0.09


def test_polls_in_flight_when_it_is_broken_off_are_called_interrupted(play: Play, bench: Bench) -> None:
    player = play([[HANG]])
    engine = bench.engine(player.url)
    engine.start(end_s=60.0)
    while not player.requests:
        gevent.sleep(0.01)
    engine.abort()
    bench.wait(engine)
    assert told(bench.samples) == [(None, "interrupted", None)]
    assert engine.connections == 0


def test_ending_sends_nothing_new_and_lets_what_is_in_flight_finish(play: Play, bench: Bench) -> None:
    player = play([[HANG]])
    engine = bench.engine(player.url, timeout_s=0.3)
    engine.start(end_s=None)
    while not player.requests:
        gevent.sleep(0.01)
    engine.end(0.01)
    assert not engine.done.is_set()
    bench.wait(engine)
    assert [sample.error for sample in bench.samples] == ["timeout"]
    assert len(player.requests) == 1


def test_a_fleet_ended_before_it_began_is_done(bench: Bench) -> None:
    engine = bench.engine("http://127.0.0.1:9")
    engine.end(0.0)
    assert engine.done.is_set()


def test_drives_only_its_own_agents(bench: Bench) -> None:
    bench.run("http://127.0.0.1:9", 2, agents=10, mine=range(1, 10, 3))
    assert {sample.agent for sample in bench.samples} == {"agent-1", "agent-4", "agent-7"}


def test_an_agent_that_goes_away_takes_its_connection_along(play: Play, bench: Bench) -> None:
    spike = Shape(name="spike", agents=1, parameters={"base_ratio": 0.0, "spike_at_s": 0.0, "spike_for_s": 0.15})
    engine = bench.engine(play([[OK, OK]]).url, shape=spike)
    engine.start(end_s=0.3)
    bench.wait(engine)
    assert told(bench.samples) == [NEW, KEPT]
    assert engine.connections == 0


class AsksOnce(Behaviour):
    """Wants an extra poll after the first."""

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self.seen: list[tuple[int, str | None, bytes]] = []

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:
        self.seen.append((agent_index, sample.error, body))
        return sample.intended_start_s + self.after_s if len(self.seen) == 1 else None


def test_an_extra_poll_is_sent_besides_the_schedule(play: Play, bench: Bench) -> None:
    behaviour = AsksOnce(0.05)
    samples = bench.run(play([[OK, OK, OK]]).url, 2, interval_s=0.2, behaviour=behaviour)
    assert [(sample.intended_start_s, sample.extra) for sample in samples] == [
        (0.0, False),
        (0.05, True),
        (0.2, False),
    ]
    assert behaviour.seen == [(0, None, b"[]")] * 3
    assert samples[1].start_s >= 0.05


def test_a_scheduled_poll_that_comes_first_takes_the_extra_ones_place(play: Play, bench: Bench) -> None:
    samples = bench.run(play([[OK, OK, OK]]).url, 2, interval_s=0.1, behaviour=AsksOnce(0.15))
    assert [(sample.intended_start_s, sample.extra) for sample in samples] == [(0.0, False), (0.1, False)]


def test_an_extra_poll_after_the_end_is_not_sent(play: Play, bench: Bench) -> None:
    assert len(bench.run(play([[OK, OK]]).url, 1, interval_s=0.1, behaviour=AsksOnce(0.15))) == 1


class Breaks(Behaviour):
    """A behaviour with a mistake in it."""

    def answered(self, *_: object) -> float | None:
        raise KeyError("mistake")


def test_a_mistake_within_ends_the_run_and_is_told(play: Play, bench: Bench) -> None:
    """The hub would print it and go on: half a run that looks whole."""
    engine = bench.engine(play([[OK]]).url, behaviour=Breaks())
    engine.start(end_s=60.0)
    bench.wait(engine)
    assert [str(fault) for fault in bench.faults] == ["load engine: broke: KeyError: 'mistake'"]


def test_connects_where_it_is_sent(play: Play, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a proxy: names in the request stay the target's."""
    player = play([[OK]])
    port = int(player.url.rpartition(":")[2])

    def parse(_: str) -> Endpoint:
        return Endpoint(
            host="master.example", port=80, tls=False, base_path="", literal=False, via=("127.0.0.1", port)
        )

    monkeypatch.setattr("tests.harness.load.test_engine.parse_endpoint", parse)
    assert told(bench.run("", 1)) == [NEW]
    assert b"\r\nHost: master.example\r\n" in player.requests[0]
