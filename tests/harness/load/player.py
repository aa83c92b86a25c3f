"""A server that plays a script: for what is counted, repeated and called how on a connection."""

import socket
import ssl
import struct
import threading
from pathlib import Path

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
