"""What master and workers say to each other over Locust's own channel, and how. Needs no Locust."""

import logging
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from harness.errors import ExitCode, HarnessError

CLOCK = "pollgauge-clock"
PLAN = "pollgauge-plan"
LINES = "pollgauge-lines"
LEFT = "pollgauge-left"
END = "pollgauge-end"
FAULT = "pollgauge-fault"

_log = logging.getLogger("pollgauge")

_BATCH_BYTES = 1 << 19
_BACKLOG_BYTES = 1 << 25
"""What a worker keeps while the master does not take it: about a quarter of a million samples."""


_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class UndeliveredError(Exception):
    """A message that the channel does not take just now."""


class Post(Protocol):
    """Locust's channel, and on a master whom it reaches."""

    @property
    def clients(self) -> Mapping[str, Any]:
        """Workers by their id; each has a ``state``."""

    def get_worker_index(self, client_id: str) -> int:
        """Return a worker's number, by the order in which they came."""

    def send_message(self, kind: str, data: dict[str, Any], client_id: str | None = None) -> None:
        """
        Send a message: a master to a worker, a worker to its master.

        Raises:
            UndeliveredError: not just now.
        """


class ChannelSink:
    """
    A worker's way for its lines to the master: in batches, with a bounded backlog when none gets through.

    Args:
        send: sends a message's kind and data; raises `UndeliveredError` when the master does not take it just now.
    """

    def __init__(self, send: Callable[[str, dict[str, Any]], None]) -> None:
        self._send = send
        self._encoder = msgspec.json.Encoder()
        self._buffers: dict[str, bytearray] = {}
        self.lost = 0
        """Lines given up because the backlog was full."""

    @property
    def fault(self) -> HarnessError | None:
        """None: what can't be delivered is counted."""
        return None

    def append(self, file: str, record: object) -> None:
        """See `harness.load.recording.Sink`."""
        buffer = self._buffers.setdefault(file, bytearray())
        if len(buffer) > _BACKLOG_BYTES:
            self.lost += 1
            return
        self._encoder.encode_into(record, buffer, -1)
        buffer += b"\n"

    def flush(self) -> None:
        """See `harness.load.recording.Sink`."""
        for file, buffer in self._buffers.items():
            while buffer:
                end = len(buffer) if len(buffer) <= _BATCH_BYTES else buffer.rfind(b"\n", 0, _BATCH_BYTES) + 1
                # A line longer than a batch goes by itself.
                end = end or buffer.find(b"\n") + 1
                try:
                    self._send(LINES, {"file": file, "lines": bytes(buffer[:end])})
                except UndeliveredError:
                    # Kept for the next time.
                    return
                del buffer[:end]

    def close(self) -> None:
        """See `harness.load.recording.Sink`."""
        self.flush()


def tell_time(msg: Any, post: Post) -> None:
    """Answer the master's question what time it is."""
    post.send_message(CLOCK, {"sent_s": msg.data["sent_s"], "here_s": time.perf_counter(), "boot": boot_id()})


def boot_id() -> str:
    """Return what tells this machine since it was started from all others; empty where the system has none."""
    try:
        return f"{socket.gethostname()}/{_BOOT_ID.read_text().strip()}"
    except OSError:
        return ""


def spell_paths(parsed: Any) -> None:
    """Turn the paths among Locust's options into text: it sends all of them to its workers, which takes text."""
    for name, value in vars(parsed).items():
        if isinstance(value, Path):
            setattr(parsed, name, str(value))


class RemoteFaultError(HarnessError):
    """What kept a worker from going on."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = ExitCode(exit_code)


def send_fault(post: Post, fault: HarnessError, *, run: str) -> None:
    """
    Tell the master why a worker can't go on.

    Args:
        post: reaches the master; when it does not just now, the log has the fault.
        fault: the reason.
        run: that the worker takes part in.
    """
    try:
        post.send_message(FAULT, {"run": run, "text": str(fault), "exit_code": int(fault.exit_code)})
    except UndeliveredError as undelivered:
        _log.warning("the master can't be told: %s: %s", undelivered, fault)
