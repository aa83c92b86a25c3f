"""The master's tables, as SQLAlchemy 2 typed models. Index names are the specification's."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.backend.states import DeploymentStatus

AGENT_STATUS_CREATED_INDEX = "idx_deployment_agent_status_created"
STATUS_INDEX = "idx_deployment_status"
CREATED_INDEX = "idx_deployment_created_at"
AGENT_NAME_INDEX = "idx_agent_name"

STATUS_LENGTH = 16
NAME_LENGTH = 64
ARTIFACT_LENGTH = 128
MESSAGE_LENGTH = 2000

# SQLite numbers rows by itself only when the key is its own INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """
    An instant, aware and in UTC on the way in and out.

    SQLite stores text without a zone, and PostgreSQL answers in the session's: neither reaches the code.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse an instant without a zone; hand the others over in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"instant {value.isoformat()} has no time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # the base class's signature
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _stored_values(kind: type[DeploymentStatus]) -> list[str]:
    return [status.value for status in kind]


# Text with a CHECK rather than PostgreSQL's own enum type: both databases store the same, and a new state is one
# changed constraint.
_STATUS = Enum(DeploymentStatus, native_enum=False, length=STATUS_LENGTH, values_callable=_stored_values)


class Base(DeclarativeBase):
    """Head of the models."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )


class Agent(Base):
    """
    A machine that polls for its deployments.

    `registered_by` tells seeded agents from those that registered themselves. `last_seen_at` follows the polls
    some seconds late; None before the first.
    """

    __tablename__ = "agents"
    __table_args__ = (Index(AGENT_NAME_INDEX, "name", unique=True),)

    id: Mapped[str] = mapped_column(String(NAME_LENGTH), primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    registered_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Deployment(Base):
    """One version of one artifact, to be brought to one agent."""

    __tablename__ = "deployments"
    __table_args__ = (
        CheckConstraint(
            "status IN ({})".format(", ".join(f"'{status}'" for status in DeploymentStatus)), name="status_known"
        ),
        Index(AGENT_STATUS_CREATED_INDEX, "agent_id", "status", "created_at"),
        Index(STATUS_INDEX, "status"),
        Index(CREATED_INDEX, "created_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    artifact: Mapped[str] = mapped_column(String(ARTIFACT_LENGTH))
    version: Mapped[str] = mapped_column(String(NAME_LENGTH))
    status: Mapped[DeploymentStatus] = mapped_column(_STATUS)
    created_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DeploymentEvent(Base):
    """Who reported what about a deployment, and when. Never changed."""

    __tablename__ = "deployment_events"
    __table_args__ = (Index("idx_deployment_event_deployment", "deployment_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    status: Mapped[DeploymentStatus] = mapped_column(_STATUS)
    reported_by: Mapped[str] = mapped_column(String(NAME_LENGTH))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    message: Mapped[str | None] = mapped_column(Text)
