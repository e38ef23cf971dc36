"""The tables of the view: one set for SQLite and PostgreSQL. Knows columns, not where their values come from.

Every column is a function of the folded task (`project.py`); the log keeps everything, so indexed text is cut at
`INDEXED_TEXT` characters and characters that PostgreSQL cannot store are replaced. JSON is kept as text: it is read
whole, never searched. Times are aware UTC; SQLite keeps them as microseconds since 1970, which sort and lose nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

INDEXED_TEXT = 300
"""Characters of an indexed text; PostgreSQL refuses index entries above 2.7 kB."""
SEARCHED_TEXT = 1000
"""Characters of a task that free text is looked for in; each costs room in the index of trigrams."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return PostgreSQL's own type, or an integer."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Return what the driver takes."""
        return value if value is None or dialect.name == "postgresql" else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  an override
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        if isinstance(value, datetime):
            # the driver gives the calendar's edges, which it stores as infinities, without a zone
            return value.astimezone(UTC) if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return EPOCH + timedelta(microseconds=value)


metadata = MetaData()

tasks = Table(
    "tasks",
    metadata,
    # fixed at creation
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("created_seq", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_folded", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("type_version", BigInteger),
    Column("pool", Text, nullable=False),
    Column("creator_kind", Text, nullable=False),
    Column("creator_name", Text, nullable=False),
    Column("creator_via", Text),
    Column("object_kind", Text),
    Column("object_id", Text),
    Column("object_name", Text),
    Column("labels", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("parent", BigInteger),
    Column("plan_ref", Text),
    Column("created_at", Instant, nullable=False),
    # likewise, whatever its case: `SEARCH_COLUMNS`
    Column("object_folded", Text),
    Column("cluster_folded", Text),
    Column("tenant_folded", Text),
    Column("host_folded", Text),
    Column("searched", Text, nullable=False),
    # what commits change
    Column("state", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("concurrency", BigInteger, nullable=False),
    Column("prohibit_rollback", Boolean, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("head", Text, nullable=False),
    Column("ignored", BigInteger, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("problem", Text),
    Column("total", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("ready", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("canceling", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("successful", Integer, nullable=False),
    Column("active", Integer, nullable=False),
    Column("step_number", Integer),
    Column("step", Text),
)

TASK_FIXED = tuple(column.name for column in tasks.columns)[:23]
TASK_CHANGING = tuple(column.name for column in tasks.columns)[23:]

SEARCH_COLUMNS = ("object_folded", "cluster_folded", "tenant_folded", "host_folded", "searched")
"""What tasks are searched and sorted by, and nobody is shown."""
LISTED = text("NOT deleted")
"""In words and without parameters, so that both databases see that a partial index answers."""


def _listed(name: str, *columns: Column[Any], also: str = "") -> None:
    """Index the tasks that lists show by these columns, then by id: in the order in which a list walks them."""
    where = text(f"NOT deleted{also}")
    Index(name, *columns, tasks.c.id, sqlite_where=where, postgresql_where=where)


_listed("tasks_listed")
DELETED = text("deleted")
Index("tasks_deleted", tasks.c.id, sqlite_where=DELETED, postgresql_where=DELETED)
_listed("tasks_by_state", tasks.c.state)
_listed("tasks_by_type", tasks.c.type)
_listed("tasks_by_creator", tasks.c.creator_name)
_listed("tasks_by_kind", tasks.c.object_kind, also=" AND object_kind IS NOT NULL")
_listed("tasks_by_object_id", tasks.c.object_id, tasks.c.object_kind, also=" AND object_id IS NOT NULL")
_listed("tasks_by_object", tasks.c.object_folded)
_listed("tasks_by_name", tasks.c.name_folded)
_listed("tasks_by_creation", tasks.c.created_at)
_listed("tasks_by_start", tasks.c.started_at)
_listed("tasks_by_finish", tasks.c.finished_at)
_listed("tasks_by_parent", tasks.c.parent, also=" AND parent IS NOT NULL")
UNFINISHED = text("state NOT IN ('SUCCESSFUL', 'FAILED', 'CANCELLED')")
"""Likewise: the partial index answers, and no other does."""
NOT_STANDING = text("(total > 0 OR started_at IS NULL)")
"""Standing tasks alone have started and have no subtasks."""
Index("tasks_unfinished", tasks.c.seq, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)

task_labels = Table(
    "task_labels",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index("task_labels_by_value", task_labels.c.key, task_labels.c.value, task_labels.c.task_id)

subtasks = Table(
    "subtasks",
    metadata,
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # fixed by the plan
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("operation_name", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("upstreams", Text, nullable=False),
    Column("downstreams", Text, nullable=False),
    Column("timeout_s", Double, nullable=False),
    Column("pool", Text, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("retry", Text),
    Column("undo", Text),
    Column("own_undo", Boolean, nullable=False),
    Column("can_retry", Boolean, nullable=False),
    Column("can_skip", Boolean, nullable=False),
    Column("can_cancel", Boolean, nullable=False),
    Column("prohibit_rollback", Boolean, nullable=False),
    # what commits change
    Column("status", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("run_time", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("executor", Text),
    Column("incarnation", Text),
    Column("fence", BigInteger),
    Column("phase", Text),
    Column("touched", Boolean, nullable=False),
    Column("to_undo", Boolean, nullable=False),
    Column("undo_first", Boolean, nullable=False),
    Column("retry_at", Double),
    Column("output", Text),
    Column("output_ref", Text),
    Column("problem", Text),
    Column("ready_at", Instant),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    sqlite_with_rowid=False,
)

SUBTASK_FIXED = tuple(column.name for column in subtasks.columns)[:19]
SUBTASK_CHANGING = tuple(column.name for column in subtasks.columns)[19:]

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("stream_created", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("commit_id", Text, nullable=False),
)

counts = Table(
    "counts",
    metadata,
    Column("state", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
)

set_aside = Table(
    "set_aside",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("bytes", Integer, nullable=False),
)
