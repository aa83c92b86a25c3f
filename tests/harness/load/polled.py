"""
A small target for the tests: an HTTP server in a process of its own that can be told to misbehave.

Run as a module it serves until it is killed; `polled_server` starts it and returns its address and its own counts.
"""

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class PolledServer:
    """A running server: its base URL, and its process."""

    url: str
    process: subprocess.Popen[str]

    def counts(self) -> dict[str, Any]:
        """Return what it has counted: connections, polls, different request ids, polls by agent."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=5) as answer:
            return json.load(answer)


@contextlib.contextmanager
def polled_server(*arguments: str, scheme: str = "http", host: str = "127.0.0.1") -> Iterator[PolledServer]:
    """Start a server with options of `main`, and end it with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.load.polled", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield PolledServer(url=f"{scheme}://{host}:{int(process.stdout.readline())}", process=process)
    finally:
        process.kill()
        process.wait(timeout=10)
        process.stdout.close()


class Target:
    """What the connections share."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.connections = 0
        self.polls = 0
        self.request_ids: Counter[str] = Counter()
        self.by_agent: Counter[str] = Counter()
        self.first_poll_s: float | None = None


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.served = 0
        self.buffer = b""
        self.idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.rest()

    def connection_lost(self, _: Exception | None) -> None:
        if self.idle is not None:
            self.idle.cancel()

    def data_received(self, data: bytes) -> None:
        if self.idle is not None:
            self.idle.cancel()
        self.buffer += data
        if self.buffer.endswith(b"\r\n\r\n"):
            request, self.buffer = self.buffer.decode(), b""
            self.answer(request)

    def answer(self, request: str) -> None:
        head, *lines = request.split("\r\n")
        path = head.split(" ")[1]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        target, options = self.target, self.target.options
        if options.token and path != "/counts" and headers.get("authorization") != f"Bearer {options.token}":
            self.send("{}", status=401)
        elif path == "/counts":
            self.send(json.dumps(self.counts()), closing=True)
        elif path.startswith("/api/agents?"):
            if options.agents is None:
                self.send("{}", status=404)
            else:
                ids = [{"id": f"node-{number}"} for number in range(options.agents)]
                self.send(json.dumps({"agents": ids, "total": len(ids)}))
        else:
            if self.served == 0:
                target.connections += 1
            self.served += 1
            target.polls += 1
            if options.drop_every and self.served > 1 and target.polls % options.drop_every == 0:
                # As if the idle time-out struck while the request was on its way.
                self.transport.abort() if options.drop_by_reset else self.transport.close()
                return
            target.request_ids[headers.get("x-request-id", "")] += 1
            target.by_agent[path.rpartition("/")[2]] += 1
            if options.exit_after and target.polls >= options.exit_after:
                os._exit(0)
            failed = 500 if target.polls == options.fail_once else None
            asyncio.get_running_loop().call_later(self.delay_s(), lambda: self.send(options.body, status=failed))

    def delay_s(self) -> float:
        target, options, now_s = self.target, self.target.options, time.monotonic()
        if target.first_poll_s is None:
            target.first_poll_s = now_s
        since_s = now_s - target.first_poll_s
        if options.stall_at <= since_s < options.stall_at + options.stall_for:
            return options.stall_at + options.stall_for - since_s
        return options.delay

    def send(self, body: str, *, status: int | None = None, closing: bool = False) -> None:
        options = self.target.options
        close = closing or options.close_each
        content = body.encode()
        self.transport.write(
            f"HTTP/1.1 {status or options.status} Whatever\r\nContent-Length: {len(content)}\r\n"
            "Content-Type: application/json\r\nServer-Timing: handler;dur=1.5, db;dur=0.5, pool;dur=0.25\r\n"
            f"{'Connection: close' if close else 'Connection: keep-alive'}\r\n\r\n".encode()
            + content
        )
        if close:
            self.transport.close()
        else:
            self.rest()

    def rest(self) -> None:
        if self.target.options.close_idle:
            loop = asyncio.get_running_loop()
            self.idle = loop.call_later(self.target.options.close_idle, self.transport.close)

    def counts(self) -> dict[str, Any]:
        target = self.target
        return {
            "connections": target.connections,
            "polls": target.polls,
            "request_ids": len(target.request_ids),
            "by_agent": target.by_agent,
        }


async def serve(options: argparse.Namespace) -> None:
    target = Target(options)
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(target), "127.0.0.1", options.port, ssl=context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--agents", type=int, help="listed by /api/agents; 404 without")
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--body", default="[]")
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--stall-at", type=float, default=1e9, help="after the first poll")
    parser.add_argument("--stall-for", type=float, default=0.0)
    parser.add_argument("--close-each", action="store_true")
    parser.add_argument("--close-idle", type=float, default=0.0)
    parser.add_argument("--drop-every", type=int, default=0)
    parser.add_argument("--drop-by-reset", action="store_true")
    parser.add_argument("--exit-after", type=int, default=0)
    parser.add_argument("--fail-once", type=int, default=0, help="answer the poll of this number with 500")
    parser.add_argument("--certificate")
    parser.add_argument("--token", help="401 for everybody without")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
