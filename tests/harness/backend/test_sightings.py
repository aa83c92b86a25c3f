"""last_seen_at follows the polls: in batches, never backwards, and kept while the database refuses."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import OperationalError

from harness.backend.config import BackendConfig
from harness.backend.database import Database, make_engine
from harness.backend.models import Agent
from harness.backend.operations import record_sightings
from harness.backend.sightings import Sightings
from tests.harness.backend.conftest import NOW, Master

LATER = NOW + timedelta(seconds=10)


@pytest.fixture
def fleet(engine: Engine) -> Engine:
    rows = [
        {"id": agent, "name": agent, "registered_by": "t", "registered_at": NOW, "last_seen_at": None}
        for agent in "ab"
    ]
    with engine.begin() as connection:
        connection.execute(insert(Agent), rows)
    return engine


def seen(engine: Engine) -> dict[str, datetime | None]:
    with engine.connect() as connection:
        return {row.id: row.last_seen_at for row in connection.execute(select(Agent.id, Agent.last_seen_at))}


def test_each_agent_gets_its_own_instant_and_none_goes_back(fleet: Engine) -> None:
    for sightings in ({"b": LATER, "a": NOW}, {"a": LATER, "b": NOW}, {"nobody": NOW}):
        with fleet.begin() as connection:
            record_sightings(connection, sightings)
    assert {"a": LATER, "b": LATER} == seen(fleet)


def test_polls_are_written_down_when_the_master_stops(fleet: Engine, make_master: Callable[..., Master]) -> None:
    master = make_master(sighting_interval_s=3600.0)
    master.get("/api/deployments/pending/a")
    master.get("/api/deployments/pending/nobody")
    assert {"a": None, "b": None} == seen(fleet)
    master.__exit__(None, None, None)
    assert {"a": NOW, "b": None} == seen(fleet)
    master.__enter__()


def test_a_refused_write_is_said_and_tried_again(
    fleet: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was noted in the meantime is newer, and stays."""
    database = Database(make_engine(BackendConfig(database_url=database_url)), threads=1)
    sightings = Sightings(database, interval_s=1.0)
    works = database.write

    async def refuse(_work: Callable[[Connection], object]) -> None:
        sightings.note("a", LATER)
        raise OperationalError("UPDATE agents", {}, Exception("database is locked"))

    async def use() -> None:
        sightings.note("a", NOW)
        sightings.note("b", NOW)
        monkeypatch.setattr(database, "write", refuse)
        await sightings.write()
        monkeypatch.setattr(database, "write", works)
        await sightings.write()
        await sightings.write()
        await database.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(use())
    assert 1 == len(caplog.records)
    assert "last_seen_at of 2 agents not written, will try again: " in caplog.text
    assert {"a": LATER, "b": NOW} == seen(fleet)
