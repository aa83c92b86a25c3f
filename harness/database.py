"""A few facts about a master's database, for the record of a run. Its URL is none of them: it may be secret."""

from dataclasses import dataclass

from sqlalchemy import func, select, table

from harness.backend.database import make_sole_engine, one_line_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """
    What a run's record says of a database.

    Args:
        version: backend and server version, such as ``sqlite 3.45.1``.
        deployments: rows in the deployments table; None when there is none.
    """

    version: str
    deployments: int | None


def describe_database(url: str) -> DatabaseFacts:
    """
    Connect once and look.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.

    Raises:
        UsageError: the URL is none.
        HarnessError: nothing answers there, or it may not be read.
    """
    engine = make_sole_engine(url)
    with one_line_errors(engine), engine.connect() as connection:
        numbers = connection.dialect.server_version_info or ()
        version = f"{engine.dialect.name} {'.'.join(str(part) for part in numbers)}".strip()
        held = None
        if engine.dialect.has_table(connection, "deployments"):
            held = connection.execute(select(func.count()).select_from(table("deployments"))).scalar_one()
    return DatabaseFacts(version=version, deployments=held)
