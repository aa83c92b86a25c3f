"""The few requests that the harness itself sends to a target: one at a time, before and after the load."""

import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from harness.errors import HarnessError, UsageError, explain

_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    An HTTP answer.

    Args:
        status: HTTP status.
        body: decoded JSON; None when the body is none.
        content_type: as sent.
        date_epoch_s: the ``Date`` header as seconds since the Unix epoch; None without one.
    """

    status: int
    body: Any | None
    content_type: str
    date_epoch_s: float | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse: a redirect is an answer to show, not a host to follow."""


# Neither redirects nor the proxies of the environment: the request goes where the user pointed it, or nowhere.
_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def check_base_url(url: str, *, option: str) -> str:
    """
    Check a target's base URL.

    Returns:
        The URL without a trailing slash.

    Raises:
        UsageError: no http or https URL, no host, a bad port, or credentials in it.
    """
    need = "a form such as http://127.0.0.1:8000"
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise UsageError(
            explain("option", option, fault=f"not a URL: {fault}", got=repr(url), need=need)
        ) from fault
    if parts.username is not None or parts.password is not None:
        # The value is not repeated: it holds a secret.
        raise UsageError(
            explain("option", option, fault="credentials in a URL end up in logs", need="a URL without")
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UsageError(explain("option", option, fault="not an http URL", got=repr(url), need=need))
    if parts.query or parts.fragment:
        raise UsageError(
            explain("option", option, fault="a base URL has no query or fragment", got=repr(url), need=need)
        )
    return url.rstrip("/")


def get_json(url: str, *, timeout_s: float) -> Answer:
    """
    Send a GET and decode the answer.

    Args:
        url: absolute http(s) URL.
        timeout_s: for connecting and for each read.

    Returns:
        The answer whatever its status; redirects are not followed.

    Raises:
        HarnessError: no answer: refused, unknown host, time-out, TLS.
    """
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  # checked by check_base_url
    try:
        with _OPENER.open(request, timeout=timeout_s) as response:
            return _answer(response.status, response.headers, response.read(_MAX_BYTES))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _answer(refusal.code, refusal.headers, refusal.read(_MAX_BYTES))
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", fault)
        text = getattr(reason, "strerror", None) or str(reason) or type(fault).__name__
        raise HarnessError(
            explain(
                "target",
                url,
                fault=f"no answer: {text}",
                remedy="starting it (harness serve), or another --host",
            )
        ) from fault


def _answer(status: int, headers: Any, content: bytes) -> Answer:
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    return Answer(
        status=status,
        body=body,
        content_type=headers.get("Content-Type", ""),
        date_epoch_s=_date_epoch_s(headers.get("Date")),
    )


def _date_epoch_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
