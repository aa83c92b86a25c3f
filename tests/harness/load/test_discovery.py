"""Finding out who the agents are, from a real server."""

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.load.command import LoadOptions
from harness.load.discovery import Identities, identify_agents
from harness.load.endpoint import parse_endpoint
from harness.load.plan import prepare_directory
from tests.harness.load.polled import polled_server

MADE_UP = ("agent-0001", "agent-0002", "agent-0003")


def identify(url: str, **changed: object) -> Identities:
    values = {
        "host": url,
        "agents": 3,
        "interval_s": 10.0,
        "run_time_s": None,
        "seed": 1,
        "samples_dir": None,
    }
    return identify_agents(LoadOptions(**(values | changed)), parse_endpoint(url))


@pytest.mark.parametrize(
    ("arguments", "ids", "warning"),
    [
        # as many as asked for, or more
        (("--agents", "3"), ("node-0", "node-1", "node-2"), None),
        (("--agents", "50"), ("node-0", "node-1", "node-2"), None),
        # fewer of them, shared in turn
        (
            ("--agents", "2"),
            ("node-0", "node-1", "node-0"),
            "{url}/api/agents has 2 agents for 3 users: several users poll with the same id",
        ),
        # a list with nobody in it, no list at all
        (
            ("--agents", "0"),
            MADE_UP,
            (
                "{url}/api/agents lists no agent: polling with made-up ids agent-0001 to agent-0003; "
                "name the real ones with --agents-file"
            ),
        ),
        (
            (),
            MADE_UP,
            (
                "{url}/api/agents answered 404: polling with made-up ids agent-0001 to agent-0003; "
                "name the real ones with --agents-file"
            ),
        ),
    ],
)
def test_the_target_is_asked(arguments: tuple[str, ...], ids: tuple[str, ...], warning: str | None) -> None:
    with polled_server(*arguments) as server:
        expected = () if warning is None else (warning.format(url=server.url),)
        assert identify(server.url) == Identities(ids=ids, warnings=expected)


def test_a_prefix_or_a_file_asks_nobody(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    path = tmp_path / "agents.txt"
    path.write_text("web-1\nweb-2\n")
    assert identify(nobody, agent_id_prefix="web/").ids == ("web/0001", "web/0002", "web/0003")
    assert identify(nobody, agents_file=path) == Identities(
        ids=("web-1", "web-2", "web-1"),
        warnings=(f"{path} has 2 agents for 3 users: several users poll with the same id",),
    )


def test_a_target_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(HarnessError) as caught:
        identify("http://127.0.0.1:9")
    assert str(caught.value) == (
        "target 'http://127.0.0.1:9': no answer: connection-refused; try starting it, or another --host"
    )


def options(samples_dir: Path) -> LoadOptions:
    return LoadOptions(host="http://x", agents=1, interval_s=1.0, run_time_s=None, seed=1, samples_dir=samples_dir)


def test_the_folder_for_samples_is_made(tmp_path: Path) -> None:
    assert prepare_directory(options(tmp_path / "a" / "b")).path.is_dir()


@pytest.mark.parametrize("name", ["samples.jsonl", "generator.jsonl"])
def test_a_folder_with_samples_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(HarnessError) as caught:
        prepare_directory(options(tmp_path))
    assert str(caught.value) == (
        f"folder '{tmp_path}': holds the samples of another run; try another --samples-dir"
    )


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(HarnessError) as caught:
        prepare_directory(options(tmp_path / "taken"))
    assert str(caught.value) == (
        f"folder '{tmp_path / 'taken'}': can't be made: File exists; try another --samples-dir"
    )


def test_a_target_with_more_agents_than_a_page_is_asked_on(tmp_path: Path) -> None:
    """The reference master answers 1,000 at most; the stand-in knows no pages, and is not asked for ever."""
    with polled_server("--agents", "1000") as server:
        found = identify(server.url, agents=1500)
    assert 1000 == len(set(found.ids))
    assert (
        f"{server.url}/api/agents has 1000 agents for 1500 users: several users poll with the same id",
    ) == found.warnings


def test_a_target_that_wants_a_token_is_said_as_such() -> None:
    with polled_server("--agents", "3", "--token", "s3cret") as server, pytest.raises(HarnessError) as refusal:
        identify(server.url)
    assert (
        f"target '{server.url}': wants to know who asks, got 401, need 200; "
        "try a valid token in $HARNESS_TOKEN, or --header-env NAME=VARIABLE"
    ) == str(refusal.value)
