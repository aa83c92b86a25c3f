"""Ask a running service for its figures, with errors that a person can act on."""

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from monitoring.errors import MonitoringError, UsageError, explain

_MAX_BYTES = 64_000_000
VISIBLE = re.compile(r"[\x21-\x7e]+")
"""What a URL and a header value may be made of: ASCII that can be seen."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse: the token was given for the host that the user named, and a redirect would take it along."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def fetch(
    base_url: str, path: str, *, query: Mapping[str, str], token: str | None = None, timeout_s: float = 5.0
) -> dict[str, Any]:
    """
    Fetch one of the monitoring endpoints.

    Args:
        base_url: of the service, such as ``http://127.0.0.1:8000``.
        path: of the endpoint.
        query: its parameters.
        token: bearer token; never part of an error text.
        timeout_s: longest wait for the next piece of the answer [s].

    Returns:
        The decoded answer.

    Raises:
        UsageError: no usable URL.
        MonitoringError: no connection, an error status, a redirect, or something else than an answer of ours.
    """
    if not _is_usable(base_url):
        raise UsageError(explain("url", fault="not usable", got=repr(base_url), need="http://HOST:PORT"))
    url = base_url.rstrip("/") + urllib.parse.quote(path) + (f"?{urllib.parse.urlencode(query)}" if query else "")
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310  # scheme checked
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with _OPENER.open(request, timeout=timeout_s) as response:
            body = response.read(_MAX_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            raise MonitoringError(_refusal(url, error)) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        # The last one: something answers, but not in HTTP.
        reason = getattr(error, "reason", error)
        raise MonitoringError(
            explain(
                "service",
                base_url,
                fault=f"no answer ({reason})",
                remedy="whether it is running, and on this port",
            )
        ) from error
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "schema_version" not in answer:
        raise MonitoringError(
            explain(
                "service",
                base_url,
                fault=f"{path} gives no metrics",
                remedy="another port, or --prefix of the service",
            )
        )
    return answer


def _is_usable(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        parts.port  # noqa: B018  # raises for one that is no number, or too large a one
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bool(VISIBLE.fullmatch(url))


def _refusal(url: str, error: urllib.error.HTTPError) -> str:
    if error.code == 401:
        return explain("service", url, fault="wants a bearer token", got="HTTP 401", remedy="--token-env VAR")
    if error.code == 404:
        return explain(
            "service",
            url,
            fault="no such endpoint",
            got="HTTP 404",
            remedy="another name, or --prefix of the service",
        )
    if 300 <= error.code < 400:
        return _redirection(url, error)
    try:
        detail = str(json.loads(error.read(10_000))["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        detail = str(error.reason)
    return explain("service", url, fault=detail, got=f"HTTP {error.code}")


def _redirection(url: str, error: urllib.error.HTTPError) -> str:
    try:
        target = urllib.parse.urlsplit(urllib.parse.urljoin(url, error.headers.get("Location", "")))
    except ValueError:
        target = urllib.parse.urlsplit(url)
    # Without the query and a user's name: either may hold a secret.
    origin = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    return explain(
        "service",
        url,
        fault=f"redirects to {origin}{target.path}, which is not followed",
        got=f"HTTP {error.code}",
        remedy=f"--url {origin} where that is the service too",
    )
