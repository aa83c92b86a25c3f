"""Where polls go: a base URL taken apart once, and the bytes of a request."""

import ipaddress
import urllib.parse
from dataclasses import dataclass, field

from harness.http import check_base_url
from harness.model import PENDING_ROUTE

USER_AGENT = "pollgauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    A target's base URL in parts.

    Args:
        host: name or address, an IPv6 address without brackets.
        port: TCP port.
        tls: whether the scheme is https.
        base_path: put before every path, without a slash at its end.
        literal: whether the host is an address, which needs no look-up.
        headers: lines that every request carries besides its own, each with its end; not shown by `repr`.
        pending_route: path of the polled endpoint below the base path, with ``{agent_id}`` in it.
        via: address and port to connect to in place of the target's own, such as a proxy's; names in the request
            and in the TLS handshake stay the target's. None connects to the target.
    """

    host: str
    port: int
    tls: bool
    base_path: str
    literal: bool
    headers: str = field(default="", repr=False)
    pending_route: str = PENDING_ROUTE
    via: tuple[str, int] | None = None

    @property
    def connect_to(self) -> tuple[str, int, bool]:
        """Host and port to open a connection to, and whether the host is an address."""
        return (self.host, self.port, self.literal) if self.via is None else (*self.via, True)

    def pending_path(self, agent_id: str) -> str:
        """Return the path that an agent polls, quoted, below the base path."""
        return self.pending_route.replace("{agent_id}", urllib.parse.quote(agent_id, safe=""))

    @property
    def host_header(self) -> str:
        """The ``Host`` header: the port only where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def get_request(self, path: str, request_id: str) -> bytes:
        """
        Return the bytes of a GET.

        Args:
            path: begins with a slash, and is quoted already.
            request_id: for the ``X-Request-ID`` header.
        """
        return self.get_prefix(path) + request_id.encode("ascii") + b"\r\n\r\n"

    def get_prefix(self, path: str) -> bytes:
        """Return a GET up to the value of ``X-Request-ID``, its last header."""
        return (
            f"GET {self.base_path}{path} HTTP/1.1\r\n"
            f"Host: {self.host_header}\r\n"
            f"Accept: application/json\r\n"
            f"User-Agent: {USER_AGENT}\r\n"
            f"{self.headers}"
            f"X-Request-ID: "
        ).encode("ascii")


def parse_endpoint(url: str, *, headers: str = "", pending_route: str = PENDING_ROUTE) -> Endpoint:
    """
    Take a base URL apart.

    Args:
        url: http or https, without credentials, query and fragment; a path in it is put before every poll's.
        headers: see `Endpoint`.
        pending_route: see `Endpoint`.

    Raises:
        UsageError: see `harness.http.check_base_url`, which lets visible ASCII pass and nothing else.
    """
    parts = urllib.parse.urlsplit(check_base_url(url, option="--host"))
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    base_path = urllib.parse.quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
    return Endpoint(
        host=host,
        port=parts.port or (443 if tls else 80),
        tls=tls,
        base_path=base_path,
        literal=_is_address(host),
        headers=headers,
        pending_route=pending_route,
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
