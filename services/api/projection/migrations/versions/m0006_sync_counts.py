"""What synchronisations did, by five minutes. Empty at first: nothing before this version says what belongs in it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sync_counts",
        sa.Column("task_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("bucket_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("data_type", sa.Text, primary_key=True),
        sa.Column("num", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
