"""Search as operators ask it: folded names and text of every task, trigrams over them, an index for every order.

Tasks get a table anew: on SQLite the id becomes the row's own key, and the columns stand in the order of `tables.py`,
which PostgreSQL's COPY needs. The trigrams are in `trigrams.py`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from services.api.projection.migrations.backfill import backfilled
from services.api.projection.migrations.trigrams import make_trigrams

revision = "0004"
down_revision = "0003"

_DROPPED = ("state", "type", "creator", "object", "creation", "name", "parent")
_LISTED = "NOT deleted"
_AFTER_CREATED_AT = ("object_folded", "cluster_folded", "tenant_folded", "host_folded", "searched")


def upgrade() -> None:
    """Make the table anew with its rows, then its indexes and the trigrams."""
    for name in _DROPPED:
        op.drop_index(f"tasks_by_{name}", "tasks")
    op.drop_index("tasks_unfinished", "tasks")
    anew, connection = op.create_table("tasks_anew", *_columns()), op.get_bind()
    for rows in backfilled(connection):
        connection.execute(anew.insert(), rows)
    op.drop_table("tasks")
    op.rename_table("tasks_anew", "tasks")
    if connection.dialect.name == "postgresql":
        op.execute("ALTER INDEX tasks_anew_pkey RENAME TO tasks_pkey")
    _index()
    make_trigrams()


def _columns() -> list[sa.Column[Any]]:
    """Return the columns of 0001 with the new ones behind `created_at`."""
    found: list[sa.Column[Any]] = []
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for column in sa.inspect(op.get_bind()).get_columns("tasks"):
        name = column["name"]
        if name == "id":
            found.append(sa.Column(name, number, primary_key=True, autoincrement=False))
            continue
        found.append(sa.Column(name, column["type"], nullable=column["nullable"]))
        if name == "created_at":
            found += [sa.Column(new, sa.Text, nullable=new != "searched") for new in _AFTER_CREATED_AT]
    return found


def _index() -> None:
    for name, columns, also in (
        ("tasks_listed", [], ""),
        ("tasks_by_state", ["state"], ""),
        ("tasks_by_type", ["type"], ""),
        ("tasks_by_creator", ["creator_name"], ""),
        ("tasks_by_kind", ["object_kind"], " AND object_kind IS NOT NULL"),
        ("tasks_by_object_id", ["object_id", "object_kind"], " AND object_id IS NOT NULL"),
        ("tasks_by_object", ["object_folded"], ""),
        ("tasks_by_name", ["name_folded"], ""),
        ("tasks_by_creation", ["created_at"], ""),
        ("tasks_by_start", ["started_at"], ""),
        ("tasks_by_finish", ["finished_at"], ""),
        ("tasks_by_parent", ["parent"], " AND parent IS NOT NULL"),
    ):
        where = sa.text(_LISTED + also)
        op.create_index(name, "tasks", [*columns, "id"], sqlite_where=where, postgresql_where=where)
    deleted = sa.text("deleted")
    op.create_index("tasks_deleted", "tasks", ["id"], sqlite_where=deleted, postgresql_where=deleted)
    unfinished = sa.text("state NOT IN ('SUCCESSFUL', 'FAILED', 'CANCELLED')")
    op.create_index("tasks_unfinished", "tasks", ["seq"], sqlite_where=unfinished, postgresql_where=unfinished)
