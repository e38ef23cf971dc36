"""Subtasks, one row each."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "subtasks",
        sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("operation_name", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("upstreams", sa.Text, nullable=False),
        sa.Column("downstreams", sa.Text, nullable=False),
        sa.Column("timeout_s", sa.Double, nullable=False),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("delivery", sa.Text, nullable=False),
        sa.Column("retry", sa.Text),
        sa.Column("undo", sa.Text),
        sa.Column("own_undo", sa.Boolean, nullable=False),
        sa.Column("can_retry", sa.Boolean, nullable=False),
        sa.Column("can_skip", sa.Boolean, nullable=False),
        sa.Column("can_cancel", sa.Boolean, nullable=False),
        sa.Column("prohibit_rollback", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.BigInteger, nullable=False),
        sa.Column("run_time", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("executor", sa.Text),
        sa.Column("incarnation", sa.Text),
        sa.Column("fence", sa.BigInteger),
        sa.Column("phase", sa.Text),
        sa.Column("touched", sa.Boolean, nullable=False),
        sa.Column("to_undo", sa.Boolean, nullable=False),
        sa.Column("undo_first", sa.Boolean, nullable=False),
        sa.Column("retry_at", sa.Double),
        sa.Column("output", sa.Text),
        sa.Column("output_ref", sa.Text),
        sa.Column("problem", sa.Text),
        sa.Column("ready_at", _INSTANT),
        sa.Column("started_at", _INSTANT),
        sa.Column("finished_at", _INSTANT),
        sqlite_with_rowid=False,
    )
