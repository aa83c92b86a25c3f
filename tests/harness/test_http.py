"""The harness's own requests, and the base URLs it takes."""

import contextlib
import socket
import threading
import time

import pytest

from harness.errors import HarnessError, UsageError
from harness.http import check_base_url, get_json, redirect_text
from tests.harness.servers import http_server


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("https://staging.example/master/", "https://staging.example/master"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_base_urls_are_taken_without_a_trailing_slash(url: str, base: str) -> None:
    assert base == check_base_url(url, option="--host")


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8000", "ftp://x", "http://", "http://:80", "localhost", "http://x:0"]
)
def test_other_texts_are_no_base_url(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        check_base_url(url, option="--host")
    assert f"option '--host': not an http URL, got {url!r}, need a form such as http://127.0.0.1:8000" == str(
        refusal.value
    )


@pytest.mark.parametrize("url", ["http://x:99999", "http://x:port", "http://[::1"])
def test_a_url_that_does_not_parse_is_shown(url: str) -> None:
    with pytest.raises(
        UsageError, match=r"option '--host': not a URL: .*need a form such as http://127\.0\.0\.1:8000"
    ):
        check_base_url(url, option="--host")


def test_a_query_in_a_base_url_is_refused() -> None:
    with pytest.raises(UsageError, match="a base URL has no query or fragment"):
        check_base_url("http://x/?a=b", option="--host")


def test_a_secret_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refusal:
        check_base_url("https://user:s3cret@staging.example", option="--host")
    assert "s3cret" not in str(refusal.value)
    assert (
        "option '--host': credentials in a URL end up in logs, need a URL without; "
        "try the token in the environment, as $HARNESS_TOKEN"
    ) == str(refusal.value)


@pytest.mark.parametrize(
    "query", ["token=s3cret", "api_key=s3cret", "x=1&access_token=s3cret", "Signature=s3cret"]
)
def test_a_token_in_a_url_is_refused_and_not_repeated(query: str) -> None:
    with pytest.raises(UsageError) as refusal:
        check_base_url(f"https://staging.example?{query}", option="--host")
    assert (
        "option '--host': a token in a URL ends up in logs, need a URL without; "
        "try the token in the environment, as $HARNESS_TOKEN"
    ) == str(refusal.value)


def test_json_is_decoded_whatever_the_status() -> None:
    with http_server(lambda path: (404, "application/json", b'{"path": "%s"}' % path.encode())) as url:
        answer = get_json(f"{url}/api/health?a=b", timeout_s=5)
    assert (404, {"path": "/api/health?a=b"}, "application/json") == (
        answer.status,
        answer.body,
        answer.content_type,
    )
    assert answer.date_epoch_s is not None


def test_other_bodies_are_no_json() -> None:
    with http_server(lambda _: (200, "text/html", b"<html>")) as url:
        answer = get_json(url, timeout_s=5)
    assert (200, None, "text/html") == (answer.status, answer.body, answer.content_type)


def test_a_redirect_is_not_followed() -> None:
    with http_server(lambda _: (307, "text/plain", b"")) as url:
        assert 307 == get_json(url, timeout_s=5).status


def test_nobody_there_is_one_line_with_a_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/health"
        with pytest.raises(HarnessError) as refusal:
            get_json(url, timeout_s=5)
    assert (
        f"target '{url}': no answer: Connection refused; try starting it (harness serve), or another --host"
        == str(refusal.value)
    )


def test_an_answer_that_drips_is_given_up_as_a_whole() -> None:
    """A socket's time-out is for each read: a byte now and then would keep it from ever being over."""
    with socket.socket() as dripping:
        dripping.bind(("127.0.0.1", 0))
        dripping.listen()

        def drip() -> None:
            taken, _ = dripping.accept()
            with taken, contextlib.suppress(OSError):
                while True:
                    taken.sendall(b"H")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(HarnessError, match=r"no answer: not complete within 0\.3 s"):
            get_json(f"http://127.0.0.1:{dripping.getsockname()[1]}/", timeout_s=0.3)
        dripping.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("answer", [b"\x00\xff\n\n", b"SSH-2.0-x\r\n"])
def test_another_protocol_is_one_line(answer: bytes) -> None:
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def speak() -> None:
            taken, _ = odd.accept()
            with taken:
                taken.recv(4096)
                taken.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(HarnessError, match="no answer: it does not speak HTTP"):
            get_json(f"http://127.0.0.1:{odd.getsockname()[1]}/", timeout_s=5)
        thread.join()


@pytest.mark.parametrize("body", [b'"\\ud800"', b'"\xff"', b"NaN", b"\xef\xbb\xbf{}"])
def test_what_the_load_would_call_bad_json_is_none(body: bytes) -> None:
    """A lone half of a character could not be written into the run's record."""
    with http_server(lambda _: (200, "application/json", body)) as url:
        assert get_json(url, timeout_s=5).body is None


def test_a_connection_that_is_closed_without_an_answer_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(4096)

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(HarnessError, match="no answer: it closed the connection without one; try starting it"):
            get_json(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=5)
        thread.join()


def test_json_nested_beyond_sense_is_no_json() -> None:
    with http_server(lambda _: (200, "application/json", b"[" * 200_000)) as url:
        assert get_json(url, timeout_s=5).body is None


def test_a_silent_host_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(HarnessError, match=r"no answer: (timed out|not complete)"):
            get_json(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.2)


@pytest.mark.parametrize(
    ("location", "text"),
    [
        # the same host, only safer
        ("https://a.example/api/x", "target 'http://a.example/m': wants https; try --host https://a.example/m"),
        (
            "https://evil.example/?token=x",
            (
                "target 'http://a.example/m': redirects /api to https://evil.example, which is not followed; "
                "try the API's own base URL as --host"
            ),
        ),
        # whoever sends the answer chooses what stands there: credentials in it are not repeated
        (
            "https://user:secret@evil.example/",
            (
                "target 'http://a.example/m': redirects /api to https://evil.example, which is not followed; "
                "try the API's own base URL as --host"
            ),
        ),
        (
            "/login",
            (
                "target 'http://a.example/m': redirects /api to http://a.example, which is not followed; "
                "try the API's own base URL as --host"
            ),
        ),
        (None, "target 'http://a.example/m': redirects without saying where; try the API's own base URL"),
    ],
)
def test_a_redirect_is_said_and_not_followed(location: str | None, text: str) -> None:
    assert text == redirect_text("http://a.example/m", "/api", location)
