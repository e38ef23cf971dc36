"""Tasks, one row each, and their labels."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("created_seq", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_folded", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("type_version", sa.BigInteger),
        sa.Column("pool", sa.Text, nullable=False),
        sa.Column("creator_kind", sa.Text, nullable=False),
        sa.Column("creator_name", sa.Text, nullable=False),
        sa.Column("creator_via", sa.Text),
        sa.Column("object_kind", sa.Text),
        sa.Column("object_id", sa.Text),
        sa.Column("object_name", sa.Text),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("parent", sa.BigInteger),
        sa.Column("plan_ref", sa.Text),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("concurrency", sa.BigInteger, nullable=False),
        sa.Column("prohibit_rollback", sa.Boolean, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("ignored", sa.BigInteger, nullable=False),
        sa.Column("started_at", _INSTANT),
        sa.Column("finished_at", _INSTANT),
        sa.Column("problem", sa.Text),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("pending", sa.Integer, nullable=False),
        sa.Column("ready", sa.Integer, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("canceling", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("successful", sa.Integer, nullable=False),
        sa.Column("active", sa.Integer, nullable=False),
        sa.Column("step_number", sa.Integer),
        sa.Column("step", sa.Text),
    )
    op.create_index("tasks_by_state", "tasks", ["state", "created_seq"])
    op.create_index("tasks_by_type", "tasks", ["type", "created_seq"])
    op.create_index("tasks_by_creator", "tasks", ["creator_name", "created_seq"])
    op.create_index("tasks_by_object", "tasks", ["object_kind", "object_name", "created_seq"])
    op.create_index("tasks_by_creation", "tasks", ["created_seq"])
    op.create_index("tasks_by_name", "tasks", ["name_folded"])
    children = sa.text("parent IS NOT NULL")
    op.create_index(
        "tasks_by_parent", "tasks", ["parent", "created_seq"], sqlite_where=children, postgresql_where=children
    )
    unfinished = sa.text("state NOT IN ('SUCCESSFUL', 'FAILED', 'CANCELLED')")
    op.create_index("tasks_unfinished", "tasks", ["seq"], sqlite_where=unfinished, postgresql_where=unfinished)
    op.create_table(
        "task_labels",
        sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("task_labels_by_value", "task_labels", ["key", "value", "task_id"])
