"""A limit to what a request may send: a body is held in memory, and nothing that agents say is long."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BODY_BYTES = 1_000_000


class BodyLimit:
    """
    A layer around an application that refuses to read bodies above `MOST_BODY_BYTES`.

    A declared length above it is refused before a byte is read; where none is declared, bytes are counted. The
    refusal comes to whoever reads the body as Starlette's exception for 413, which the application answers as any
    other. A body that nobody reads is no matter: the server throws it away.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        # Polls have no body, and shall not pay for this.
        if scope["type"] != "http" or scope["method"] == "GET":
            await self._app(scope, receive, send)
            return
        too_large = _declared_bytes(scope) > MOST_BODY_BYTES
        read_bytes = 0

        async def receive_within_limit() -> Message:
            nonlocal read_bytes
            if too_large:
                raise _refusal()
            message = await receive()
            read_bytes += len(message.get("body", b""))
            if read_bytes > MOST_BODY_BYTES:
                raise _refusal()
            return message

        await self._app(scope, receive_within_limit, send)


def _declared_bytes(scope: Scope) -> int:
    """Return the length that the request declares; 0 when it declares none that can be read."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    # Python reads no more digits than these into a number, and fewer are beyond every limit.
    return int(declared[:20]) if declared.isdigit() else 0


def _refusal() -> HTTPException:
    return HTTPException(413, f"the body is larger than {MOST_BODY_BYTES} bytes")
