"""
Database URLs where people see them: what may be shown, and what must not stand in an error text.

SQLAlchemy masks the password before the host only. libpq takes secrets in the query as well, and a password
with an unescaped ``@`` is cut there: its rest becomes part of the host.
"""

from collections.abc import Iterator
from urllib.parse import quote

from sqlalchemy import URL

from harness.errors import UsageError, explain

_MASK = "***"
_SECRET_WORDS = ("pass", "secret", "token")
"""Parts of the names of query parameters whose values are secret, such as ``passfile`` and ``sslpassword``."""


def safe_url(url: URL) -> str:
    """Return the URL for people: the password masked, no query at all, the path of a SQLite file as it is."""
    if url.get_backend_name() == "sqlite" and url.database:
        return f"{url.drivername}:///{url.database}"
    return url.set(query={}).render_as_string(hide_password=True)


def without_secrets(text: str, url: URL) -> str:
    """
    Mask the secrets of a URL in what somebody else said about it.

    Args:
        text: a driver's message, for one.
        url: whose password, and whose query's secrets, must not stand in it, percent-encoded or not.
    """
    written = {form for secret in _secrets(url) for form in (secret, quote(secret, safe=""), quote(secret))}
    # The longest first: a short one may be part of it and would leave the rest.
    for secret in sorted(written, key=len, reverse=True):
        text = text.replace(secret, _MASK)
    return text


def check_escaped(original: URL | str, url: URL, *, option: str = "--database-url") -> None:
    """
    Refuse a URL whose password was cut at a character that should have been percent-encoded.

    Args:
        original: as it was given.
        url: what SQLAlchemy reads in it.
        option: where it came from, for the error text.

    Raises:
        UsageError: part of the password stands where the host, the database or the query should. Nothing of the
            URL is repeated.
    """
    if url.get_backend_name() == "sqlite":
        return  # its path may hold an @, and it has no password
    text_is_cut = isinstance(original, str) and original.count("@") > 1
    if text_is_cut or "@" in f"{url.host or ''}{url.database or ''}":
        raise UsageError(
            explain(
                "option",
                option,
                fault="the password has an unescaped character",
                remedy="writing it percent-encoded, such as %40 for @",
            )
        )


def _secrets(url: URL) -> Iterator[str]:
    if url.password:
        yield str(url.password)
    for name, values in url.query.items():
        if any(word in name.lower() for word in _SECRET_WORDS):
            yield from (value for value in ([values] if isinstance(values, str) else values) if value)
