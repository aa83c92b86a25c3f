"""A base URL in parts, and the bytes of a request."""

import pytest

from harness.errors import UsageError
from harness.load.endpoint import Endpoint, parse_endpoint


@pytest.mark.parametrize(
    ("url", "expected", "host_header"),
    [
        # a target on this machine
        (
            "http://127.0.0.1:8000",
            Endpoint(host="127.0.0.1", port=8000, tls=False, base_path="", literal=True),
            "127.0.0.1:8000",
        ),
        # the scheme's own port is not named to the target
        (
            "https://staging.example.org",
            Endpoint(host="staging.example.org", port=443, tls=True, base_path="", literal=False),
            "staging.example.org",
        ),
        (
            "http://staging.example.org:443/",
            Endpoint(host="staging.example.org", port=443, tls=False, base_path="", literal=False),
            "staging.example.org:443",
        ),
        # behind a path
        (
            "https://example.org/master/v1/",
            Endpoint(host="example.org", port=443, tls=True, base_path="/master/v1", literal=False),
            "example.org",
        ),
        # IPv6 in brackets, outside but not inside
        (
            "http://[::1]:8000",
            Endpoint(host="::1", port=8000, tls=False, base_path="", literal=True),
            "[::1]:8000",
        ),
        # a name beyond ASCII, as it goes over the wire
        (
            "http://xn--bcher-kva.example",
            Endpoint(host="xn--bcher-kva.example", port=80, tls=False, base_path="", literal=False),
            "xn--bcher-kva.example",
        ),
    ],
)
def test_takes_a_url_apart(url: str, expected: Endpoint, host_header: str) -> None:
    endpoint = parse_endpoint(url)
    assert expected == endpoint
    assert host_header == endpoint.host_header


def test_writes_a_request() -> None:
    endpoint = parse_endpoint("http://127.0.0.1:8000/base%20path")
    assert endpoint.get_request("/api/x", "r-1") == (
        b"GET /base%20path/api/x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: application/json\r\n"
        b"User-Agent: pollgauge\r\nX-Request-ID: r-1\r\n\r\n"
    )


def test_refuses_a_name_that_is_not_ascii() -> None:
    with pytest.raises(UsageError) as caught:
        parse_endpoint("http://bücher.example")
    assert str(caught.value) == (
        "option '--host': not an http URL, got 'http://bücher.example', need a form such as http://127.0.0.1:8000"
    )
