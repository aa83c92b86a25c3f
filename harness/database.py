"""A few facts about a database, for the record of a run. A URL is never part of them: it may hold a password."""

from dataclasses import dataclass

from sqlalchemy import create_engine, func, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from harness.errors import HarnessError, explain


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
        url: SQLAlchemy URL.

    Raises:
        HarnessError: the URL is none, its driver is missing, or nothing answers there.
    """
    try:
        engine = create_engine(url, poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as fault:
        need = "a form such as sqlite:///master.db or postgresql+psycopg://user@host/name"
        raise HarnessError(
            explain("database", _safe(url), fault=f"not a usable URL: {fault}", need=need)
        ) from fault
    try:
        with engine.connect() as connection:
            numbers = connection.dialect.server_version_info or ()
            version = f"{engine.dialect.name} {'.'.join(str(part) for part in numbers)}".strip()
            held = None
            if engine.dialect.has_table(connection, "deployments"):
                held = connection.execute(select(func.count()).select_from(table("deployments"))).scalar_one()
    except SQLAlchemyError as fault:
        cause = str(getattr(fault, "orig", None) or fault).splitlines()[0]
        raise HarnessError(explain("database", _safe(url), fault=f"can't be read: {cause}")) from fault
    finally:
        engine.dispose()
    return DatabaseFacts(version=version, deployments=held)


def _safe(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        # What can't be parsed can't be masked.
        return "…"
