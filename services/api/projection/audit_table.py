"""The table `audit`: one row per decision on an operator's command. Knows columns, not where their values come from.

Rows are never changed: `(seq, n)` is the commit's log position and the decision's place in it. `said` holds reason and
message as `text=` searches them, NULL where nobody said anything; `team` is the task's label, for the scope of callers.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from services.api.projection.tables import Instant, metadata

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("via", Text),
    Column("command", Text, nullable=False),
    Column("subtask", Integer),
    Column("reason", Text),
    Column("outcome", Text, nullable=False),
    Column("code", Integer),
    Column("message", Text),
    Column("said", Text),
    Column("team", Text),
    sqlite_with_rowid=False,
)

Index("audit_by_time", audit.c.at)
Index("audit_by_actor", audit.c.actor_name, audit.c.seq)
Index("audit_by_task", audit.c.task_id, audit.c.seq)
Index("audit_by_command", audit.c.command, audit.c.seq)
