"""A small deployment master's database for these tests: the specification's tables and indexes, of any size."""

from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    create_engine,
    select,
    text,
)
from sqlalchemy.pool import NullPool

from harness.indexes.catalog import SPECIFIED_INDEXES

metadata = MetaData()
agents = Table("agents", metadata, Column("id", String(64), primary_key=True), Column("name", String(64)))
deployments = Table(
    "deployments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("agent_id", String(64)),
    Column("status", String(16)),
    Column("created_at", DateTime),
    Column("artifact", String(128)),
)
for expected in SPECIFIED_INDEXES:
    table = metadata.tables[expected.table]
    Index(expected.name, *(table.c[column] for column in expected.columns))

COMPOSITE = "idx_deployment_agent_status_created"


def pending() -> Select[tuple[int, str]]:
    """The polled query."""
    return (
        select(deployments.c.id, deployments.c.artifact)
        .where(deployments.c.agent_id == "agent-1", deployments.c.status == "pending")
        .order_by(deployments.c.created_at)
    )


def build(url: str, *, rows: int, fleet: int = 50, analyse: bool = True) -> Engine:
    """Make and fill the database; one deployment in a hundred is pending."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        metadata.create_all(connection)
        if engine.dialect.name == "sqlite":
            series = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
            numbers = f"({series} SELECT i FROM n)"
            instant = "datetime('2026-01-01', '+' || i || ' minutes')"
        else:
            numbers = f"generate_series(1, {rows}) AS n(i)"
            instant = "timestamp '2026-01-01' + i * interval '1 min'"
        if rows:
            connection.execute(
                text(
                    f"INSERT INTO deployments SELECT i, 'agent-' || (i % {fleet} + 1), CASE WHEN i % 100 = 0 THEN "
                    "'pending' WHEN i % 100 = 1 THEN 'failed' ELSE 'succeeded' END, "
                    f"{instant}, 'artifact-' || i % 500 FROM {numbers}"
                )
            )
    if analyse:
        # In a transaction of its own: PostgreSQL counts the rows of this one as changed after its end.
        run(engine, "ANALYZE")
    return engine


def run(engine: Engine, command: str, *, transaction: bool = True) -> None:
    """Run one command and commit it, or run it outside of any transaction."""
    with engine.connect() as connection:
        if not transaction:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text(command))
        if transaction:
            connection.commit()
