"""What a database says of its indexes, and what the specification asks for."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDefinition:
    """
    An index as it stands in a database's catalogue.

    Args:
        name: of the index; an automatic one has the database's own name.
        table: it belongs to.
        columns: its keys in order; an expression stands as its text.
        unique: whether it allows no duplicates.
        primary: whether it is the primary key's.
        constraint: whether a constraint needs it, so that it can't simply be dropped.
        partial: whether it holds only the rows of a condition.
        valid: False for one whose building failed half-way: writes keep it up, queries never use it.
        method: ``btree`` for all of SQLite's.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    constraint: bool = False
    partial: bool = False
    valid: bool = True
    method: str = "btree"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """
    A table as far as its indexes are concerned.

    Args:
        name: of the table.
        columns: their names.
        rows: how many it holds; the planner's estimate on PostgreSQL.
        stale: what is wrong with its statistics; None when nothing is.
    """

    name: str
    columns: tuple[str, ...]
    rows: int
    stale: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexUsage:
    """
    How often a database used its indexes.

    Args:
        scans: uses by index.
        since: when counting began, for people; None when the database doesn't say.
    """

    scans: Mapping[str, int]
    since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedIndex:
    """
    An index that the specification names.

    Args:
        name: as it must be in the database.
        table: it must belong to.
        columns: its keys in order.
        purpose: what it is for, in one clause.
        named: whether the specification gives the name, so that no other will do.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    purpose: str
    named: bool = True

    @property
    def create_statement(self) -> str:
        """The statement that makes it, right for SQLite and PostgreSQL."""
        return f"CREATE INDEX {self.name} ON {self.table} ({', '.join(self.columns)})"


PENDING_INDEX = ExpectedIndex(
    name="idx_deployment_agent_status_created",
    table="deployments",
    columns=("agent_id", "status", "created_at"),
    purpose="an agent's pending deployments, oldest first",
)
SPECIFIED_INDEXES = (
    PENDING_INDEX,
    ExpectedIndex(
        name="idx_deployment_status",
        table="deployments",
        columns=("status",),
        purpose="deployments of one status",
    ),
    ExpectedIndex(
        name="idx_deployment_created_at",
        table="deployments",
        columns=("created_at",),
        purpose="deployments by age",
    ),
    ExpectedIndex(
        name="idx_agent_name", table="agents", columns=("name",), purpose="an agent by its name", named=False
    ),
)
