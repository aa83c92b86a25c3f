"""
What Alembic runs to migrate: on the connection that `harness.backend.schema` hands over, in its transaction.

There is no ``alembic.ini``: the service knows its database, and that is the one place to configure it.
"""

from alembic import context

from harness.backend.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()
