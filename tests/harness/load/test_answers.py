"""What an answer says: its verdict, and the target's own timing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.answers import ERROR_KINDS, judge_answer, parse_server_timing
from harness.model import ServerTiming


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # the ordinary cases: nothing pending, something pending, an object around it
        (200, b"[]", None),
        (200, b'[{"id": 1, "status": "pending"}]', None),
        (200, b'{"deployments": []}', None),
        (201, b" {} ", None),
        # JSON, but no document
        (200, b"1", "bad-json"),
        (200, b'"text"', "bad-json"),
        (200, b"null", "bad-json"),
        # a proxy's page, an empty body, a body cut short, two documents, not UTF-8
        (200, b"<html>", "bad-json"),
        (200, b"", "bad-json"),
        (204, b"", "bad-json"),
        (200, b'[{"id": 1', "bad-json"),
        (200, b"[][]", "bad-json"),
        (200, b'["\xff"]', "bad-json"),
        # every status outside 2xx, redirects too, whatever the body
        (302, b"[]", "http-302"),
        (404, b'{"detail": "no"}', "http-404"),
        (500, b"", "http-500"),
    ],
)
def test_judges_an_answer(status: int, body: bytes, expected: str | None) -> None:
    assert expected == judge_answer(status, body)


@given(st.binary(max_size=200))
def test_no_body_makes_the_judge_fail(body: bytes) -> None:
    assert judge_answer(200, body) in {None, "bad-json"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        # what our monitoring layer sends
        (
            "handler;dur=3.125, db;dur=1.5, pool;dur=0.000",
            ServerTiming(handler_s=0.003125, database_s=0.0015, pool_wait_s=0.0),
        ),
        # parts that were not told stay unknown
        ("handler;dur=2", ServerTiming(handler_s=0.002)),
        ("pool;dur=1,handler;dur=2", ServerTiming(handler_s=0.002, pool_wait_s=0.001)),
        # without the handler's there is nothing to compare with
        ("db;dur=1", None),
        # other metrics, descriptions and quotes are passed over
        (
            'cache;desc="hit, warm";dur=9, handler;desc="a;dur=7, db;dur=8";dur="2.5"',
            ServerTiming(handler_s=0.0025),
        ),
        # the header may come several times; of equal names the first counts
        (["handler;dur=1", "db;dur=2, handler;dur=9"], ServerTiming(handler_s=0.001, database_s=0.002)),
        # spaces and an upper-case parameter are as the standard allows
        (" handler ; DUR = 4 ", ServerTiming(handler_s=0.004)),
        # names are compared whole
        ("xhandler;dur=1, handlerx;dur=2, handler;xdur=3", None),
        # what is no plain duration is unknown, never a part of it
        ("handler;dur=-1", None),
        ("handler;dur=1e3", None),
        ("handler;dur=nan", None),
        ("handler;dur=", None),
        ("handler", None),
        ("", None),
        (None, None),
    ],
)
def test_reads_the_targets_own_timing(header: str | list[str] | None, expected: ServerTiming | None) -> None:
    assert expected == parse_server_timing(header)


@given(st.text(max_size=100))
def test_no_header_makes_the_reader_fail(header: str) -> None:
    parse_server_timing(header)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("header", ["handler" + ';a="' * 4000, "handler" + ";a" * 8000, "handler;" * 4000])
def test_a_hostile_header_costs_no_time(header: str) -> None:
    """The pattern does not try the same thing twice, however long the header."""
    assert parse_server_timing(header) is None


def test_error_kinds_are_short_words() -> None:
    """They become labels in reports and tables."""
    assert all(kind.islower() and " " not in kind and len(kind) <= 20 for kind in ERROR_KINDS)
