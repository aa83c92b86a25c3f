"""The way in: a target's endpoint with the headers it is shown, and the TLS context that verifies it."""

import ssl
from dataclasses import dataclass

from harness.credentials import read_access
from harness.load.command import LoadOptions
from harness.load.endpoint import Endpoint, parse_endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """
    Where requests go, and how.

    Args:
        endpoint: the target, with the secrets of this process's environment in its headers.
        tls: one context for all connections, because each reads the authorities again (10 ms and half a
            megabyte); None for http.
    """

    endpoint: Endpoint
    tls: ssl.SSLContext | None


def destination_of(options: LoadOptions) -> Destination:
    """
    Take the target of a run, and what lets us in there.

    Raises:
        UsageError: no base URL, or secrets that can't be sent there; see `harness.credentials.read_access`.
        HarnessError: the file of authorities can't be used.
    """
    access = read_access(
        host=options.host,
        header_env=options.header_env,
        ca_file=options.ca_file,
        insecure_token=options.insecure_token,
    )
    endpoint = parse_endpoint(options.host, headers=access.header_lines(), pending_route=options.pending_route)
    return Destination(endpoint=endpoint, tls=access.context() if endpoint.tls else None)
