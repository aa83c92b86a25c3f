"""Instants keep their meaning on the way through each database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError, StatementError

from harness.backend.models import Agent

TOKYO = timezone(timedelta(hours=9))


def agent(registered_at: datetime) -> dict[str, object]:
    return {"id": "a", "name": "a", "registered_by": "test", "registered_at": registered_at, "last_seen_at": None}


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=TOKYO),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_an_instant_comes_back_as_the_same_instant_in_utc(engine: Engine, instant: datetime) -> None:
    with engine.begin() as connection:
        connection.execute(insert(Agent), [agent(instant)])
        stored = connection.execute(select(Agent.registered_at)).scalar_one()
    assert instant == stored
    assert UTC == stored.tzinfo


def test_an_instant_without_a_zone_is_refused(engine: Engine) -> None:
    naive = datetime(2026, 3, 29, 1, 30)  # noqa: DTZ001  # that is the point
    with engine.begin() as connection, pytest.raises(StatementError, match="2026-03-29T01:30:00 has no time zone"):
        connection.execute(insert(Agent), [agent(naive)])


@pytest.mark.parametrize("wrong", [{"agent_id": "nobody"}, {"status": "exploded"}])
def test_the_database_itself_keeps_owners_and_states(engine: Engine, wrong: dict[str, object]) -> None:
    """A row that no code of ours would write is refused by a constraint, on both databases."""
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    row = {"agent_id": "a", "artifact": "x", "version": "1", "status": "pending", "created_by": "t"}
    with engine.begin() as connection:
        connection.execute(insert(Agent), [agent(instant)])
    # As text, past the model's own check of states.
    names, values = ", ".join(row), ", ".join(f"'{value}'" for value in {**row, **wrong}.values())
    statement = (
        f"INSERT INTO deployments ({names}, created_at, updated_at) VALUES ({values}, '2026-01-01', '2026-01-01')"
    )
    with engine.begin() as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql(statement)
