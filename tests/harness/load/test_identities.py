"""Who the agents are."""

from pathlib import Path

import pytest

from harness.errors import HarnessError, UsageError
from harness.load.identities import deal_out, listed_ids, made_up_ids, read_ids


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # the list as the reference master sends it, with fields we do not need
        (b'{"agents":[{"id":"web-1","name":"Web"},{"id":"web-2"}],"total":2}', ("web-1", "web-2")),
        # numbers are ids too
        (b'{"agents":[{"id":7}]}', ("7",)),
        # a list, with nobody in it
        (b'{"agents":[],"total":0}', ()),
        # other forms are no list of agents
        (b'{"items":[{"id":"a"}]}', None),
        (b'[{"id":"a"}]', None),
        (b'{"agents":[{"name":"a"}]}', None),
        # an id that can't be asked for
        (b'{"agents":[{"id":""}]}', None),
        (b'{"agents":[{"id":"\xff"}]}', None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_reads_the_targets_list(body: bytes, expected: tuple[str, ...] | None) -> None:
    assert expected == listed_ids(body)


def test_reads_a_file_of_ids(tmp_path: Path) -> None:
    path = tmp_path / "agents.txt"
    path.write_text("# the web tier\nweb-1\n\n  web-2  \n", encoding="utf-8")
    assert read_ids(path) == ("web-1", "web-2")


def test_an_empty_file_of_ids_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agents.txt"
    path.write_text("# nobody\n")
    with pytest.raises(UsageError) as caught:
        read_ids(path)
    assert str(caught.value) == f"file '{path}': holds no agent id, need one id a line"


def test_a_missing_file_of_ids_is_named(tmp_path: Path) -> None:
    path = tmp_path / "agents.txt"
    with pytest.raises(HarnessError) as caught:
        read_ids(path)
    assert str(caught.value) == f"file '{path}': can't be read: No such file or directory"


def test_a_binary_file_of_ids_is_named(tmp_path: Path) -> None:
    path = tmp_path / "agents.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError) as caught:
        read_ids(path)
    assert str(caught.value) == f"file '{path}': can't be read: not UTF-8 text"


def test_makes_ids_up() -> None:
    assert made_up_ids("agent-", 2) == ("agent-0001", "agent-0002")


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        # more ids than agents: the first ones
        (2, ("a", "b")),
        # as many
        (3, ("a", "b", "c")),
        # fewer of them, shared in turn
        (7, ("a", "b", "c", "a", "b", "c", "a")),
    ],
)
def test_deals_ids_out(agents: int, expected: tuple[str, ...]) -> None:
    assert expected == deal_out(("a", "b", "c"), agents)
