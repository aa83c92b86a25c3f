"""
A bad network on loopback: a TCP proxy between agents and target, with latency, little bandwidth, and resets.

It passes bytes and knows no HTTP, so that TLS goes through it end to end. It runs as a process of its own::

    python -m harness.proxy '{"host": "127.0.0.1", "port": 8000, "latency_s": 0.05, "reset_ratio": 0.01}'

prints the port that it listens on, takes commands on its standard input (``cut``: reset every connection now), and
ends when that is closed: it can't outlive the one who started it. Standard library only, for a quick start.
"""

import asyncio
import contextlib
import json
import random
import socket
import struct
import sys
from dataclasses import asdict, dataclass

_READ_BYTES = 1 << 16
_MOST_WAITING = 64
_BACKLOG = 2048
# On, and no time: closing then resets.
_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """
    What the network is like, and where it leads.

    Args:
        host: the target's name or address.
        port: the target's TCP port.
        latency_s: added to each direction [s], ≥ 0.
        latency_jitter_s: most that is added on top, evenly by chance [s], ≥ 0.
        bandwidth_bytes_per_s: of each connection and direction; 0 for no limit.
        reset_ratio: share of the requests whose connection is reset when the answer comes, 0..1.
        seed: of everything that happens by chance.
    """

    host: str
    port: int
    latency_s: float = 0.0
    latency_jitter_s: float = 0.0
    bandwidth_bytes_per_s: float = 0.0
    reset_ratio: float = 0.0
    seed: int = 1

    def to_json(self) -> str:
        """Return the argument that starts a proxy like this."""
        return json.dumps(asdict(self))


class Proxy:
    """
    Passes connections on.

    Args:
        conditions: see `Conditions`.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._dice = random.Random(conditions.seed)  # noqa: S311  # repeatable on purpose, nothing secret
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Take a new connection."""
        serving = asyncio.ensure_future(self._serve(reader, client))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def end(self) -> None:
        """Reset every connection, and wait until nothing is left of them."""
        self.cut()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Pass one connection on, until either side ends it."""
        conditions = self._conditions
        self._open.add(client)
        try:
            reader, target = await asyncio.open_connection(conditions.host, conditions.port)
        except OSError:
            # As if the target had refused: to the agent, a connection that ends at once.
            _reset(client)
            self._open.discard(client)
            return
        self._open.add(target)
        pumps = (
            asyncio.ensure_future(self._pass(client_reader, target)),
            asyncio.ensure_future(self._pass(reader, client, answers=True)),
        )
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            # What is still under way to the other side may arrive.
            await asyncio.wait(pumps, timeout=2 * (conditions.latency_s + conditions.latency_jitter_s))
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (client, target):
                self._open.discard(end)
                end.close()
            await asyncio.gather(*pumps, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection."""
        for end in list(self._open):
            _reset(end)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        """Pass bytes on in their order, each part as late as the network is slow; the end follows them."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_WAITING)
        late = asyncio.ensure_future(self._deliver(waiting, writer))
        loop = asyncio.get_running_loop()
        due_s = 0.0
        try:
            while data := await reader.read(_READ_BYTES):
                if answers and self._dice.random() < self._conditions.reset_ratio:
                    _reset(writer)
                    return
                due_s = max(due_s, loop.time() + self._latency_s()) + self._length_s(data)
                await waiting.put((due_s, data))
            await waiting.put((due_s, b""))
            await late
        except OSError:
            # The one side reset it; the other is told by the end of the connection.
            return
        finally:
            late.cancel()
            await asyncio.gather(late, return_exceptions=True)

    async def _deliver(self, waiting: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due_s, data = await waiting.get()
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            if not data:
                return
            writer.write(data)
            await writer.drain()

    def _latency_s(self) -> float:
        return self._conditions.latency_s + self._dice.random() * self._conditions.latency_jitter_s

    def _length_s(self, data: bytes) -> float:
        bandwidth = self._conditions.bandwidth_bytes_per_s
        return len(data) / bandwidth if bandwidth > 0 else 0.0


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw is not None:
        # One that is gone already needs no reset.
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()


async def _run(conditions: Conditions) -> None:
    proxy = Proxy(conditions)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, backlog=_BACKLOG)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while command := await commands.readline():
        if command.strip() == b"cut":
            proxy.cut()
    server.close()
    await proxy.end()


def main() -> None:
    """Serve until the standard input is closed."""
    conditions = Conditions(**json.loads(sys.argv[1]))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(conditions))


if __name__ == "__main__":
    main()
