"""
A target that costs next to nothing: the same bytes for every request, over connections that it keeps.

It can stall once, and tells at ``/counts`` how many requests it has answered. Prints its port and serves until it
is killed.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import sys
import time
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


class Server:
    def __init__(self, stall_at_s: float, stall_for_s: float) -> None:
        self.requests = 0
        self.first_s: float | None = None
        self.stall_at_s = stall_at_s
        self.stall_for_s = stall_for_s

    def stalls_for_s(self) -> float:
        now_s = time.monotonic()
        if self.first_s is None:
            self.first_s = now_s
        since_s = now_s - self.first_s - self.stall_at_s
        return self.stall_for_s - since_s if 0 <= since_s < self.stall_for_s else 0.0


class Peer(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self.server = server

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET /counts"):
            body = json.dumps({"polls": self.server.requests}).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
            self.transport.write(body)
            self.transport.close()
            return
        self.server.requests += 1
        closing = b"\r\nConnection: close\r\n" in data
        wait_s = self.server.stalls_for_s() if self.server.stall_for_s else 0.0
        if wait_s > 0:
            asyncio.get_running_loop().call_later(wait_s, self.answer, closing)
        else:
            self.answer(closing)

    def answer(self, closing: bool) -> None:  # noqa: FBT001  # a callback
        self.transport.write(ANSWER)
        if closing:
            self.transport.close()


async def serve(options: argparse.Namespace) -> None:
    server = Server(options.stall_at, options.stall_for)
    listener = await asyncio.get_running_loop().create_server(
        lambda: Peer(server), "127.0.0.1", options.port, backlog=4096
    )
    sys.stdout.write(f"{listener.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await listener.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stall-at", type=float, default=0.0, help="after the first request [s]")
    parser.add_argument("--stall-for", type=float, default=0.0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
