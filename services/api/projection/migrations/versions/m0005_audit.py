"""Operators' decisions, one row each."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("task_id", sa.BigInteger, nullable=False),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("via", sa.Text),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("subtask", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("code", sa.Integer),
        sa.Column("message", sa.Text),
        sa.Column("said", sa.Text),
        sa.Column("team", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_index("audit_by_actor", "audit", ["actor_name", "seq"])
    op.create_index("audit_by_task", "audit", ["task_id", "seq"])
    op.create_index("audit_by_command", "audit", ["command", "seq"])
