"""How Alembic runs our migrations: on the connection it is given, inside the caller's transaction.

`alembic` by hand is for writing a new revision only; `services.api.projection.migrate` runs them.
"""

from alembic import context

from services.api.projection import audit_table  # noqa: F401  one of the tables
from services.api.projection.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
