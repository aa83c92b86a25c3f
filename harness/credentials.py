"""
What lets us in at a target: a token, headers, an authority for its certificate. All from the environment.

Secrets are read where they are used, by each process from its own environment: they stand on no command line, in
no file and in no record, and their values have no way into a text.
"""

import ipaddress
import os
import re
import ssl
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import HarnessError, UsageError, explain

TOKEN_VARIABLE = "HARNESS_TOKEN"  # noqa: S105  # the name of a variable, not a secret
"""Environment variable whose value is sent as ``Authorization: Bearer …``."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = re.compile(r"[ -~]+")
_OURS = frozenset({"host", "content-length", "content-type", "connection", "transfer-encoding", "x-request-id"})
_MASK = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """
    What is sent and trusted.

    Args:
        headers: name and value of each; not shown by `repr`.
        ca_file: certificates of the authorities to trust, in PEM; None trusts the system's.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: Path | None = None

    @property
    def header_names(self) -> tuple[str, ...]:
        """Names of the headers, which may be shown."""
        return tuple(name for name, _ in self.headers)

    def header_lines(self) -> str:
        """Return the headers as they stand in a request, each line with its end."""
        return "".join(f"{name}: {value}\r\n" for name, value in self.headers)

    def masked(self) -> tuple[str, ...]:
        """Return the headers for people: names, and of the values nothing but that there is one."""
        return tuple(f"{name}: {'Bearer ' if name == 'Authorization' else ''}{_MASK}" for name, _ in self.headers)

    def context(self) -> ssl.SSLContext:
        """
        Return a context that verifies certificate and host name.

        Raises:
            HarnessError: the file of authorities can't be read, or holds none.
        """
        if self.ca_file is None:
            return ssl.create_default_context()
        try:
            return ssl.create_default_context(cafile=str(self.ca_file))
        except (OSError, ssl.SSLError) as fault:
            reason = "holds no certificate in PEM form" if isinstance(fault, ssl.SSLError) else fault.strerror
            raise HarnessError(
                explain("option", "--ca-file", fault=f"{reason}", got=str(self.ca_file), need="a PEM file")
            ) from fault


NO_ACCESS = Access()
"""Nothing to show, and the system's authorities."""


def read_access(
    *,
    host: str | None,
    header_env: Sequence[str] = (),
    ca_file: Path | None = None,
    insecure_token: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Access:
    """
    Read the token and headers from the environment.

    Args:
        host: base URL that they go to; None for the embedded target, which is sent none.
        header_env: ``NAME=VARIABLE`` each: a header's name, and the environment variable that holds its value.
        ca_file: see `Access`.
        insecure_token: whether secrets may go over plain http to another machine.
        environment: variables; None for the process's own.

    Raises:
        UsageError: a header that can't be sent; secrets that would go over plain http to another machine.
        HarnessError: no such file of authorities.
    """
    if host is None:
        return NO_ACCESS
    variables = os.environ if environment is None else environment
    headers = []
    token = variables.get(TOKEN_VARIABLE, "").strip()
    if token:
        headers.append(("Authorization", f"Bearer {_sendable(token, TOKEN_VARIABLE)}"))
    headers.extend(_header(entry, variables) for entry in header_env)
    names = [name.lower() for name, _ in headers]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(explain("header", name, fault="given twice", remedy="one --header-env, or the token"))
    access = Access(headers=tuple(headers), ca_file=ca_file)
    parts = urllib.parse.urlsplit(host)
    if headers and parts.scheme == "http" and not is_loopback(parts.hostname or "") and not insecure_token:
        raise UsageError(
            explain(
                "option",
                "--host",
                fault=f"{', '.join(access.header_names)} would go over plain http, readable on the way",
                got=host,
                need="an https URL",
                remedy=f"https{host[4:]}, or --insecure-token on a network of your own",
            )
        )
    if ca_file is not None:
        access.context()
    return access


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine and no other."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _header(entry: str, variables: Mapping[str, str]) -> tuple[str, str]:
    name, separator, variable = entry.partition("=")
    name, variable = name.strip(), variable.strip()
    # The entry is not repeated unless it is what it should be: somebody may have typed the secret itself.
    if not separator or not _NAME.fullmatch(name) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise UsageError(
            explain("option", "--header-env", fault="not a header and a variable", need="X-Api-Key=STAGING_KEY")
        )
    if name.lower() in _OURS:
        raise UsageError(explain("option", "--header-env", fault="a header of our own", got=name, need="another"))
    value = variables.get(variable)
    if not value:
        raise UsageError(
            explain(
                "option",
                "--header-env",
                fault="the header's variable is empty or not set",
                remedy="setting the variable, or the other way round: --header-env NAME=VARIABLE",
            )
        )
    return name, _sendable(value.strip(), "--header-env")


def _sendable(value: str, source: str) -> str:
    if not _PLAIN.fullmatch(value):
        raise UsageError(
            explain("secret", source, fault="holds a line break or a character that no header can carry")
        )
    return value
