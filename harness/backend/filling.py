"""How seeded rows get into a database: all or none, by the fastest way that each database has."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Table, func, insert, inspect, select

from harness.backend.database import make_sole_engine, one_line_errors
from harness.backend.models import Agent, Deployment
from harness.backend.population import (
    REGISTERED_BY_SEED,
    DeploymentBlock,
    Population,
    agent_id,
    agent_name,
    deployment_blocks,
    registration_instant,
)
from harness.backend.schema import lock, upgrade
from harness.backend.states import DeploymentStatus
from harness.errors import HarnessError, explain
from harness.urls import safe_url

Progress = Callable[[int, int], None]
"""Called with deployments written and deployments to write."""

_SQLITE_CACHE_KIB = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    """
    What a seeded database holds.

    Args:
        agents: rows in its agents table.
        deployments: rows in its deployments table.
        pending: of these, pending.
        elapsed_s: how long the seeding took [s].
        skipped: whether the database held enough already, so that nothing was written.
    """

    agents: int
    deployments: int
    pending: int
    elapsed_s: float
    skipped: bool


def fill(
    database_url: str, *, agents: int, deployments: int, seed: int, instant: datetime, progress: Progress | None
) -> SeedReport:
    """Do the work of `harness.backend.seed.seed`, which documents it."""
    started_s = time.perf_counter()
    engine = make_sole_engine(database_url)
    try:
        upgrade(engine)
        with one_line_errors(engine):
            changed = _top_up(
                engine, agents=agents, deployments=deployments, seed=seed, instant=instant, progress=progress
            )
            if changed:
                _settle(engine)
            with engine.connect() as connection:
                return SeedReport(
                    agents=_count(connection, Agent),
                    deployments=_count(connection, Deployment),
                    pending=_count_pending(connection),
                    elapsed_s=time.perf_counter() - started_s,
                    skipped=not changed,
                )
    finally:
        engine.dispose()


def _top_up(
    engine: Engine, *, agents: int, deployments: int, seed: int, instant: datetime, progress: Progress | None
) -> bool:
    """Add what is missing, in one transaction; tell whether anything was."""
    with engine.connect() as connection:
        # Held until the end: two that seed at once would both find the rows missing.
        lock(connection)
        held_agents, held_deployments = _count(connection, Agent), _count(connection, Deployment)
        if held_agents >= agents and held_deployments >= deployments:
            return False
        _refuse_strangers(connection, f"{agents} agents and {deployments} deployments")
        _add_agents(connection, agents, instant)
        if held_deployments < deployments:
            last = connection.execute(select(func.max(Deployment.id))).scalar_one() or 0
            population = Population(
                agents=agents,
                first_deployment=last + 1,
                deployments=deployments - held_deployments,
                seed=seed,
                instant=instant,
            )
            _add_deployments(connection, population, progress)
        connection.commit()
        return True


def _refuse_strangers(connection: Connection, asked: str) -> None:
    strangers = select(func.count()).select_from(Agent).where(Agent.registered_by != REGISTERED_BY_SEED)
    count = connection.execute(strangers).scalar_one()
    if count:
        # An agent that is real would carry out the made-up deployments.
        raise HarnessError(
            explain(
                "database",
                safe_url(connection.engine.url),
                fault=f"too few rows, and nothing is seeded among its {count} agents that registered themselves",
                need=asked,
                remedy="another --database-url, or fewer --agents and --deployments",
            )
        )


def _add_agents(connection: Connection, agents: int, instant: datetime) -> None:
    held = set(connection.execute(select(Agent.id)).scalars())
    missing = [number for number in range(1, agents + 1) if agent_id(number) not in held]
    rows = [
        {
            "id": agent_id(number),
            "name": agent_name(number),
            "registered_by": REGISTERED_BY_SEED,
            "registered_at": registration_instant(instant),
            "last_seen_at": None,
        }
        for number in missing
    ]
    if rows:
        connection.execute(insert(Agent), rows)


def _add_deployments(connection: Connection, population: Population, progress: Progress | None) -> None:
    write = _inserter(connection) if connection.dialect.name == "sqlite" else _copier(connection)
    done = 0
    for block in deployment_blocks(population):
        write(block)
        done += len(block.id)
        if progress is not None:
            progress(done, population.deployments)
    if connection.dialect.name == "postgresql":
        # Rows that bring their own numbers leave the sequence where it was.
        name = _deployments().name
        connection.execute(select(func.setval(func.pg_get_serial_sequence(name, "id"), _last_id(population))))


def _inserter(connection: Connection) -> Callable[[DeploymentBlock], None]:
    """Return a writer for SQLite: the driver's own executemany, with the statement that SQLAlchemy would send."""
    connection.exec_driver_sql(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")
    statement = str(insert(_deployments()).compile(dialect=connection.dialect))
    cursor = connection.connection.cursor()

    def write(block: DeploymentBlock) -> None:
        created, updated = _instant_texts(block.created_us, " "), _instant_texts(block.updated_us, " ")
        cursor.executemany(statement, list(zip(*_plain_columns(block), created, updated, strict=True)))

    return write


def _copier(connection: Connection) -> Callable[[DeploymentBlock], None]:
    """Return a writer for PostgreSQL: COPY in its text form. No value holds a tab, a newline or a backslash."""
    columns = ", ".join(column.name for column in _deployments().columns)
    cursor = connection.connection.cursor()
    cursor.execute("SET LOCAL timezone = 'UTC'")

    def write(block: DeploymentBlock) -> None:
        created, updated = _instant_texts(block.created_us, "T"), _instant_texts(block.updated_us, "T")
        ids, *texts = _plain_columns(block)
        rows = zip(map(str, ids), *texts, created, updated, strict=True)
        with cursor.copy(f"COPY {_deployments().name} ({columns}) FROM STDIN") as copy:
            copy.write("\n".join(map("\t".join, rows)) + "\n")

    return write


def _plain_columns(
    block: DeploymentBlock,
) -> tuple[list[int], list[str], list[str], list[str], list[str], list[str]]:
    # In the table's order; a test reads every column back through the models.
    return block.id, block.agent_id, block.artifact, block.version, block.status, block.created_by


def _instant_texts(instants_us: NDArray[np.int64], separator: str) -> list[str]:
    """Write instants as ``2026-01-01T00:00:00.000000``, with `separator` in place of the T."""
    texts = np.datetime_as_string(instants_us.view("datetime64[us]"), unit="us")
    if separator != "T":
        texts.view("U1").reshape(len(texts), -1)[:, 10] = separator
    written: list[str] = texts.tolist()
    return written


def _settle(engine: Engine) -> None:
    """Tell the planner what is there, and leave no house-keeping that would fall into a run."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            # Else the server's own vacuum starts within a minute of so many new rows.
            names = ", ".join(table for table in (Agent.__tablename__, Deployment.__tablename__))
            connection.exec_driver_sql(f"VACUUM (ANALYZE) {names}")


def _count(connection: Connection, model: type[Agent] | type[Deployment]) -> int:
    return connection.execute(select(func.count()).select_from(model)).scalar_one()


def _count_pending(connection: Connection) -> int:
    pending = select(func.count()).select_from(Deployment).where(Deployment.status == DeploymentStatus.PENDING)
    return connection.execute(pending).scalar_one()


def _last_id(population: Population) -> int:
    return population.first_deployment + population.deployments - 1


def _deployments() -> Table:
    table = inspect(Deployment).local_table
    assert isinstance(table, Table)  # noqa: S101  # for the type checker: a mapped class may stand on a join as well
    return table
