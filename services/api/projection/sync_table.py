"""The table `sync_counts`: what the children of a synchronisation did, by five minutes. Knows columns, not values.

`task_id` is the standing parent, `bucket_at` the beginning of the five minutes in seconds since 1970 (UTC), `data_type`
one of REQUEST, SUCCESS, FAILURE, SKIP (objects) and SIZE (bytes of successes). Deleting tasks takes no row away.
"""

from sqlalchemy import BigInteger, Column, Table, Text

from services.api.projection.tables import metadata

BUCKET_SECONDS = 300

sync_counts = Table(
    "sync_counts",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("bucket_at", BigInteger, primary_key=True, autoincrement=False),
    Column("data_type", Text, primary_key=True),
    Column("num", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
