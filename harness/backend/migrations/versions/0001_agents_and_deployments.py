"""
Create agents, deployments and deployment_events with the specification's indexes.

A migration is history: it repeats what the models said on its day and imports nothing of theirs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_STATUS_KNOWN = "status IN ('pending', 'in_progress', 'succeeded', 'failed', 'cancelled')"


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "agents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("registered_by", sa.String(64), nullable=False),
        sa.Column("registered_at", _INSTANT, nullable=False),
        sa.Column("last_seen_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
    )
    op.create_index("idx_agent_name", "agents", ["name"], unique=True)
    op.create_table(
        "deployments",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("artifact", sa.String(128), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("updated_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deployments"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_deployments_agent_id"),
        sa.CheckConstraint(_STATUS_KNOWN, name="ck_deployments_status_known"),
    )
    op.create_index("idx_deployment_agent_status_created", "deployments", ["agent_id", "status", "created_at"])
    op.create_index("idx_deployment_status", "deployments", ["status"])
    op.create_index("idx_deployment_created_at", "deployments", ["created_at"])
    op.create_table(
        "deployment_events",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("deployment_id", _ROW_ID, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reported_by", sa.String(64), nullable=False),
        sa.Column("reported_at", _INSTANT, nullable=False),
        sa.Column("message", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_events"),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployments.id"], name="fk_deployment_events_deployment_id"),
    )
    op.create_index("idx_deployment_event_deployment", "deployment_events", ["deployment_id"])


def downgrade() -> None:
    """Remove everything, rows included."""
    op.drop_table("deployment_events")
    op.drop_table("deployments")
    op.drop_table("agents")
