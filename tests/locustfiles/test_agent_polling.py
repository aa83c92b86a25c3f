"""The scenario under plain Locust: when it polls, what it makes of the answers, and what the gates say."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from harness.errors import ExitCode
from harness.model import PENDING_ROUTE, ServerTiming
from harness.rundir import read_ticks
from harness.schedule import Schedule
from tests.harness.load.polled import polled_server
from tests.locustfiles.locusting import HEALTHY, errors, intended, judged, opened, run, starts

pytestmark = pytest.mark.slow


def test_fifty_agents_poll_on_their_schedule(tmp_path: Path) -> None:
    """Every intended poll is sent once and leaves one sample; the target counts the same connections and ids."""
    with polled_server("--agents", "50") as server:
        done = run(
            tmp_path,
            *("-u", "50", "-t", "3s", "--interval", "1s", "--seed", "5", "--host", server.url),
            *("--json-file", str(tmp_path / "locust")),
        )
        counts = server.counts()
    assert done.code == 0, done.output
    stored, schedule = done.stored, Schedule(seed=5, agents=50, interval_s=1.0)
    assert (stored.header.agents, stored.header.interval_s, stored.header.seed) == (50, 1.0, 5)
    assert (stored.header.host, stored.header.scenario) == (server.url, "agent-polling")
    assert datetime.fromisoformat(stored.header.origin_utc).tzinfo is not None
    assert stored.torn_lines == 0
    assert intended(schedule, 3.0) == starts(stored)
    assert errors(stored) == {None: 150}
    assert opened(stored) == counts["connections"] == 50
    assert len({sample.request_id for sample in stored.samples}) == counts["request_ids"] == counts["polls"] == 150
    assert {f"node-{n}": 3 for n in range(50)} == counts["by_agent"]
    for sample in stored.samples:
        assert sample.intended_start_s <= sample.start_s <= sample.end_s
        assert (sample.name, sample.method, sample.status, sample.bytes_in) == (PENDING_ROUTE, "GET", 200, 2)
        assert sample.server == ServerTiming(handler_s=0.0015, database_s=0.0005, pool_wait_s=0.00025)
    agent_of = {
        sample.intended_start_s % 1.0: sample.agent for sample in stored.samples if sample.intended_start_s < 1.0
    }
    assert len(set(agent_of.values())) == 50, "the phases are spread over the interval, one agent in each slot"
    assert len(read_ticks(done.directory.generator)) >= 1
    (row,) = json.loads((tmp_path / "locust.json").read_text())
    assert (row["name"], row["num_requests"], row["num_failures"]) == (PENDING_ROUTE, 150, 0), (
        "Locust's own tables"
    )
    assert "150 of 150 intended polls sent in 3.00 s by 50 agents, 0 missed, 0 failed\n" in done.output
    assert done.last_line == f"samples        {done.directory.samples}"


def test_agents_in_step_when_asked_for(tmp_path: Path) -> None:
    with polled_server() as server:
        done = run(
            tmp_path,
            *("-u", "10", "-t", "2s", "--interval", "1s", "--phase-model", "sync", "--host", server.url),
        )
    assert starts(done.stored) == [0.0] * 10 + [1.0] * 10


def test_a_stall_is_not_hidden(tmp_path: Path) -> None:
    """
    Polls held up are sent late and timed from their intended start, the older ones are missed, and afterwards the
    schedule is where it was.
    """
    with polled_server("--agents", "20", "--stall-at", "1.25", "--stall-for", "1.75") as server:
        done = run(tmp_path, "-u", "20", "-t", "4s", "--interval", "500ms", "--host", server.url)
        counts = server.counts()
    stored = done.stored
    every = intended(Schedule(seed=1, agents=20, interval_s=0.5), 4.0)
    assert set(starts(stored)) <= set(every)
    assert len(set(starts(stored))) == len(stored.samples) == counts["polls"]
    missed = len(every) - len(stored.samples)
    assert 20 <= missed <= 60, "two or three polls of each agent had their whole interval pass in the stall"
    assert f", {missed} missed, 0 failed\n" in done.output
    assert max(sample.response_time_s for sample in stored.samples) > 1.2
    owed = [sample for sample in stored.samples if sample.start_lag_s > 0.1]
    assert len(owed) >= 10, "the polls owed after the stall waited for it, and their response time says so"
    assert all(sample.response_time_s >= sample.service_time_s + 0.1 for sample in owed)


@pytest.mark.parametrize(
    ("arguments", "timeout", "kinds"),
    [
        # a success that is no JSON, as a proxy's page is none
        (("--body", "<html>"), "10s", {"bad-json": 20}),
        # no answer in time
        (("--delay", "30"), "400ms", {"timeout": 20}),
    ],
)
def test_a_bad_answer_is_an_error_of_its_kind(
    tmp_path: Path, arguments: tuple[str, ...], timeout: str, kinds: dict[str, int]
) -> None:
    with polled_server(*arguments) as server:
        done = run(
            tmp_path,
            *("-u", "10", "-t", "1s", "--interval", "500ms", "--request-timeout", timeout, "--host", server.url),
            *("--agent-id-prefix", "agent-"),
        )
    assert kinds == errors(done.stored)
    assert done.code == 1, "Locust's own rule: any failed request"


def test_a_target_that_dies_leaves_a_sample_for_each_poll(tmp_path: Path) -> None:
    with polled_server("--agents", "20", "--exit-after", "30") as server:
        done = run(tmp_path, "-u", "20", "-t", "2s", "--interval", "500ms", "--host", server.url)
    stored = done.stored
    assert intended(Schedule(seed=1, agents=20, interval_s=0.5), 2.0) == starts(stored)
    kinds = errors(stored)
    assert kinds[None] == 29
    assert set(kinds) <= {None, "connection-refused", "connection-closed", "connection-reset"}
    assert "51 failed" in done.output


@pytest.mark.parametrize(
    ("arguments", "connections"),
    [
        # kept open: one for each agent
        ((), 10),
        # closed after each answer
        (("--close-each",), 20),
        # closed between two polls, as uvicorn does with agents that come each ten seconds
        (("--close-idle", "0.2"), 20),
    ],
)
def test_connections_are_counted(tmp_path: Path, arguments: tuple[str, ...], connections: int) -> None:
    with polled_server("--agents", "10", *arguments) as server:
        done = run(tmp_path, "-u", "10", "-t", "2s", "--interval", "1s", "--host", server.url)
        counts = server.counts()
    assert errors(done.stored) == {None: 20}
    assert opened(done.stored) == counts["connections"] == connections
    assert counts["polls"] == 20


def test_a_close_that_crosses_a_poll_is_repeated_and_told(tmp_path: Path) -> None:
    """The idle-close race is the client's to handle: no error, one sample, and the count in the summary."""
    with polled_server("--agents", "20", "--drop-every", "7") as server:
        done = run(tmp_path, "-u", "20", "-t", "2s", "--interval", "500ms", "--host", server.url)
        counts = server.counts()
    assert errors(done.stored) == {None: 80}
    repeated = counts["polls"] - 80
    assert repeated > 5
    assert opened(done.stored) == counts["connections"] == 20 + repeated
    assert f"{repeated} polls sent anew after an idle close\n" in done.output


def test_one_failed_poll_does_not_fail_a_run_whose_gates_allow_it(tmp_path: Path) -> None:
    """Locust's own rule would; the gates set the exit code, and say so last of all."""
    with polled_server("--agents", "50", "--fail-once", "7") as server:
        done = judged(tmp_path, "-u", "50", "-t", "4s", "--interval", "500ms", "--host", server.url)
    assert errors(done.stored) == {None: 399, "http-500": 1}
    assert done.code in HEALTHY, done.output
    assert f"exit code {done.code}" in done.output
    assert (done.directory.path / "result.json").exists()


def test_gates_that_fail_set_the_exit_code(tmp_path: Path) -> None:
    with polled_server("--agents", "20", "--status", "500") as server:
        done = judged(
            tmp_path, "-u", "20", "-t", "3s", "--interval", "200ms", "--abort-errors", "0", "--host", server.url
        )
    assert done.code == ExitCode.FAIL
    assert "FAIL error-ratio: " in done.output
