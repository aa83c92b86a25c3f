"""Who polls how often, who polls too fast, who has gone silent, and whose polls fail."""

from collections.abc import Callable

import pytest
from fastapi import FastAPI, HTTPException

from monitoring import Handle
from monitoring.schemas import AgentsMetrics, MetricsAnswer
from tests.monitoring.driver import Client, FakeClock

Install = Callable[..., tuple[Client, Handle]]


def fleet() -> FastAPI:
    app = FastAPI()

    @app.get("/api/deployments/pending/{agent_id}")
    async def pending(agent_id: str) -> list[int]:
        if agent_id == "stranger":
            raise HTTPException(404)
        return []

    return app


@pytest.fixture
def client(install: Install, clock: FakeClock) -> Client:
    return install(fleet(), clock=clock)[0]


def agents(client: Client, query: str = "") -> AgentsMetrics:
    found = MetricsAnswer.model_validate_json(client.get(f"/api/metrics{query}").body).agents
    assert found is not None
    return found


def test_nobody(client: Client) -> None:
    found = agents(client)
    assert (found.seen, found.requests, found.median_interval_s, found.silent) == (0, 0, None, 0)
    assert (found.fastest, found.most_silent, found.most_errors) == ([], [], [])


def test_one_poll_has_no_interval(client: Client) -> None:
    """An interval needs two polls: unknown, not 0, and nobody is called silent for want of one."""
    client.get("/api/deployments/pending/agent-1")
    found = agents(client)
    assert (found.seen, found.median_interval_s, found.fastest, found.silent) == (1, None, [], 0)


def test_the_fast_the_silent_and_the_failing(client: Client, clock: FakeClock) -> None:
    """Intervals are those observed; three of an agent's own intervals without a poll are silence."""
    for second in range(300):
        for number in range(5):
            # The last of them falls silent half-way.
            if second % 10 == number and not (number == 4 and second > 150):
                client.get(f"/api/deployments/pending/agent-{number}")
        if second % 2 == 0:
            client.get("/api/deployments/pending/hasty")
        if second % 30 == 0:
            client.get("/api/deployments/pending/stranger")
        clock.advance(1.0)
    found = agents(client)
    assert found.seen == 7
    assert found.requests == 4 * 30 + 15 + 150 + 10
    assert found.median_interval_s == 10.0
    assert (found.fastest[0].agent, found.fastest[0].interval_s) == ("hasty", pytest.approx(2.0))
    assert found.silent == 1
    [silent] = found.most_silent
    assert (silent.agent, silent.requests, silent.silent_for_s) == ("agent-4", 15, pytest.approx(300 - 144))
    [failing] = found.most_errors
    assert (failing.agent, failing.errors, failing.requests) == ("stranger", 10, 10)
    recent = agents(client, "?window=60s")
    assert (recent.seen, recent.silent) == (6, 0)
    assert recent.median_interval_s == 10.0


def test_only_the_named_routes_have_agents(install: Install, clock: FakeClock) -> None:
    """A path parameter of the same name elsewhere is no poll."""
    app = fleet()

    @app.get("/agents/{agent_id}")
    async def look(agent_id: str) -> str:
        return agent_id

    client, _ = install(app, clock=clock)
    client.get("/agents/agent-1")
    assert agents(client).seen == 0
