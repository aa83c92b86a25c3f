"""The few requests that the harness itself sends to a target: one at a time, before and after the load."""

import http.client
import re
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from harness.credentials import NO_ACCESS, TOKEN_VARIABLE, Access
from harness.errors import HarnessError, UsageError, explain

_MAX_BYTES = 32 * 1024 * 1024
_PLAIN_URL = re.compile(r"[!-~]+")
"""What a URL is written in: visible ASCII. Everything else has to be percent-encoded."""

_SECRET = re.compile(r"(?i)(token|key|secret|pass|auth|sig|credential)[^=&]*=")
_DEADLINE_SLACK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """
    An HTTP answer.

    Args:
        status: HTTP status.
        body: decoded JSON; None when the body is none.
        content_type: as sent.
        date_epoch_s: the ``Date`` header as seconds since the Unix epoch; None without one.
        location: where a redirect points; None without one.
        encoding: how its bytes were compressed, which is never asked for; None when they were not.
        is_empty: whether there were none.
    """

    status: int
    body: Any | None
    content_type: str
    date_epoch_s: float | None
    location: str | None = None
    encoding: str | None = None
    is_empty: bool = False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse: a redirect is an answer to show, not a host to follow."""


def _opener(access: Access) -> urllib.request.OpenerDirector:
    # Neither redirects nor the proxies of the environment: the request goes where the user pointed it, or nowhere.
    handlers: list[urllib.request.BaseHandler | type[urllib.request.BaseHandler]]
    handlers = [_NoRedirect, urllib.request.ProxyHandler({})]
    if access.ca_file is not None:
        handlers.append(urllib.request.HTTPSHandler(context=access.context()))
    return urllib.request.build_opener(*handlers)


def check_base_url(url: str, *, option: str) -> str:
    """
    Check a target's base URL.

    Returns:
        The URL without a trailing slash.

    Raises:
        UsageError: no http or https URL, no host, a bad port, or credentials in it.
    """
    need = "a form such as http://127.0.0.1:8000"
    _refuse_secrets(url, option)
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise UsageError(
            explain("option", option, fault=f"not a URL: {fault}", got=repr(url), need=need)
        ) from fault
    plain = _PLAIN_URL.fullmatch(url) is not None
    if not plain or parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UsageError(explain("option", option, fault="not an http URL", got=repr(url), need=need))
    if parts.query or parts.fragment:
        raise UsageError(
            explain("option", option, fault="a base URL has no query or fragment", got=repr(url), need=need)
        )
    return url.rstrip("/")


def _refuse_secrets(url: str, option: str) -> None:
    """Refuse a URL with a secret in it, and repeat nothing of it; before anybody looks at it and quotes it."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    fault = None
    if "@" in authority:
        fault = "credentials in a URL end up in logs"
    elif _SECRET.search(re.sub(r"^[^?#]*", "", url)):
        fault = "a token in a URL ends up in logs"
    if fault is not None:
        remedy = f"the token in the environment, as ${TOKEN_VARIABLE}"
        raise UsageError(explain("option", option, fault=fault, need="a URL without", remedy=remedy))


def get_json(url: str, *, timeout_s: float, access: Access = NO_ACCESS) -> Answer:
    """
    Send a GET and decode the answer.

    Args:
        url: absolute http(s) URL.
        timeout_s: for the whole of it, from look-up to last byte.
        access: headers to send, and authorities to trust.

    Returns:
        The answer whatever its status; redirects are not followed.

    Raises:
        HarnessError: no answer: refused, unknown host, time-out, TLS, another protocol.
    """
    # In a thread of its own: a socket counts each read by itself, so that an answer which drips is never too late.
    outcome: list[Answer | HarnessError] = []
    opener = _opener(access)
    worker = threading.Thread(
        target=lambda: outcome.append(_exchange(opener, url, timeout_s, access)), daemon=True
    )
    worker.start()
    worker.join(timeout_s + _DEADLINE_SLACK_S)
    if not outcome:
        raise _no_answer(url, f"not complete within {timeout_s:g} s")
    if isinstance(outcome[0], HarnessError):
        raise outcome[0]
    return outcome[0]


def _exchange(
    opener: urllib.request.OpenerDirector, url: str, timeout_s: float, access: Access
) -> Answer | HarnessError:
    """Send the GET; the error is returned, because nobody catches it in a thread."""
    headers = {"Accept": "application/json", **dict(access.headers)}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # checked by check_base_url
    try:
        with opener.open(request, timeout=timeout_s) as response:
            return _answer(response.status, response.headers, response.read(_MAX_BYTES))
    except urllib.error.HTTPError as refusal:
        with refusal:
            return _answer(refusal.code, refusal.headers, refusal.read(_MAX_BYTES))
    except http.client.RemoteDisconnected:
        return _no_answer(url, "it closed the connection without one")
    except http.client.HTTPException as fault:
        return _no_answer(url, f"it does not speak HTTP ({type(fault).__name__})")
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", fault)
        text = getattr(reason, "strerror", None) or str(reason) or type(fault).__name__
        if isinstance(reason, ssl.SSLCertVerificationError):
            remedy = "--ca-file ca.pem, for an authority of your own"
            return _no_answer(url, f"its certificate is not trusted: {reason.verify_message}", remedy)
        return _no_answer(url, text)


def redirect_text(host: str, path: str, location: str | None) -> str:
    """
    Say that a target sends elsewhere, where nothing of ours goes after it: not a request, and no credentials.

    Args:
        host: base URL that was asked.
        path: below it.
        location: where the answer points; None when it does not say.
    """
    asked = urllib.parse.urlsplit(host)
    try:
        there = urllib.parse.urlsplit(urllib.parse.urljoin(host + path, location or ""))
        upgraded = asked.scheme == "http" and there.scheme == "https" and there.hostname == asked.hostname
        origin = f"{there.scheme}://{there.netloc.rpartition('@')[2]}"
    except ValueError:
        upgraded, origin = False, "an address that is none"
    if location is None:
        return explain("target", host, fault="redirects without saying where", remedy="the API's own base URL")
    if upgraded:
        return explain("target", host, fault="wants https", remedy=f"--host {origin}{asked.path}")
    fault = f"redirects {path} to {origin}, which is not followed"
    return explain("target", host, fault=fault, remedy="the API's own base URL as --host")


def refusal_text(host: str, status: int, *, shown: bool) -> str:
    """
    Say that a target wants to know who asks.

    Args:
        host: base URL that was asked.
        status: 401 or 403.
        shown: whether it was shown a token or a header.
    """
    fault = "does not accept the token or headers that it was shown" if shown else "wants to know who asks"
    remedy = f"a valid token in ${TOKEN_VARIABLE}, or --header-env NAME=VARIABLE"
    return explain("target", host, fault=fault, got=status, need="200", remedy=remedy)


def _no_answer(url: str, why: str, remedy: str = "starting it (harness serve), or another --host") -> HarnessError:
    return HarnessError(explain("target", url, fault=f"no answer: {why}", remedy=remedy))


def _answer(status: int, headers: Any, content: bytes) -> Answer:
    try:
        # As strict as the reading of each poll: no text that can't be written again, no mark before it.
        body = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # No JSON, or nested deeper than anybody means.
        body = None
    return Answer(
        status=status,
        body=body,
        content_type=headers.get("Content-Type", ""),
        date_epoch_s=_date_epoch_s(headers.get("Date")),
        location=headers.get("Location"),
        encoding=headers.get("Content-Encoding"),
        is_empty=not content,
    )


def _date_epoch_s(header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
