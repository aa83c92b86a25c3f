"""Attaching to a running target: one poll tells whether the load makes sense."""

import gzip
import json
import re

import pytest

from harness.errors import HarnessError
from harness.model import TargetKind
from harness.target import attach
from tests.harness.servers import http_server

JSON = "application/json"


def master(path: str) -> tuple[int, str, bytes]:
    if path.startswith("/api/agents"):
        return 200, JSON, json.dumps({"agents": [{"id": "a/b", "name": "x"}], "total": 1}).encode()
    if path.startswith("/api/health"):
        return 200, JSON, b'{"status": "pass", "version": "1.2.3"}'
    # An id is quoted whole: its slash must not become a path of two parts.
    return (200, JSON, b'{"deployments": []}') if path == "/api/deployments/pending/a%2Fb" else (404, JSON, b"{}")


def test_a_master_is_attached_with_its_version() -> None:
    with http_server(master) as url:
        target = attach(url)
    assert (TargetKind.ATTACHED, url, "1.2.3") == (target.record.kind, target.record.url, target.record.version)
    assert target.death() is None


def test_a_master_without_our_endpoints_is_polled_under_a_made_up_id() -> None:
    def bare(path: str) -> tuple[int, str, bytes]:
        return (200, JSON, b"[]") if path.endswith("/pending/agent-0001") else (404, "text/plain", b"not found")

    with http_server(bare) as url:
        assert attach(url).record.version is None


def test_a_page_is_no_master() -> None:
    with http_server(lambda _: (200, "text/html", b"<html>")) as url, pytest.raises(HarnessError) as refusal:
        attach(url)
    expected = (
        f"target '{url}/api/deployments/pending/agent-0001': the answer to a poll is no JSON, got 200 text/html, "
        "need a JSON object; try the API's own base URL as --host"
    )
    assert expected == str(refusal.value)


def test_an_empty_answer_is_called_so() -> None:
    """Its content type alone, application/json, says that it is what was wanted."""
    with http_server(lambda _: (200, JSON, b"")) as url, pytest.raises(HarnessError) as refusal:
        attach(url)
    assert "is no JSON, got 200 application/json, empty, need a JSON object" in str(refusal.value)


def test_an_answer_that_is_compressed_unasked_is_called_so() -> None:
    packed = http_server(lambda _: (200, JSON, gzip.compress(b"{}")), headers={"Content-Encoding": "gzip"})
    with packed as url, pytest.raises(HarnessError) as refusal:
        attach(url)
    assert "got 200 application/json compressed as gzip, which was not asked for, need" in str(refusal.value)


@pytest.mark.parametrize("body", [b"42", b'"text"', b"null"])
def test_json_that_is_no_object_or_list_is_no_answer_to_a_poll(body: bytes) -> None:
    with http_server(lambda _: (200, JSON, body)) as url, pytest.raises(HarnessError, match="is no JSON"):
        attach(url)


def test_a_refused_poll_names_the_status_and_the_remedy() -> None:
    with http_server(lambda _: (404, JSON, b"{}")) as url, pytest.raises(HarnessError) as refusal:
        attach(url)
    expected = (
        f"target '{url}/api/deployments/pending/agent-0001': refuses the poll, got 404, need 200; "
        "try registering agents on the target (POST /api/agents)"
    )
    assert expected == str(refusal.value)


def test_a_failing_target_is_left_to_the_judge() -> None:
    """A 500 on the first poll is a finding for the verdict, not a reason to measure nothing."""
    with http_server(lambda _: (500, "text/plain", b"oops")) as url:
        assert attach(url).record.version is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"agents": []}',
        b'{"agents": ["x"]}',
        b'{"agents": {"a": 1}}',
        b'{"agents": 5}',
        b'{"agents": [{"id": null}]}',
        b'{"agents": [{"id": "\xff"}]}',
        b'{"agents": [{"id": "\\ud800"}]}',
        b"[]",
        b"<html>",
    ],
)
def test_an_agents_list_of_another_form_is_lived_with(body: bytes) -> None:
    def odd(path: str) -> tuple[int, str, bytes]:
        return (200, JSON, body) if path.startswith("/api/agents") else (200, JSON, b"{}")

    with http_server(odd) as url:
        assert re.match("http://127", attach(url).record.url)
