"""SELECTs over the audit, the newest decision first, and what the view vouches for in a task's hash chain."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.api.access import Teams
from services.api.chain import Witness
from services.api.projection.audit import spoken
from services.api.projection.audit_table import audit
from services.api.projection.faults import reading
from services.api.projection.tables import tasks
from services.api.projection.text import indexed

Cursor = tuple[int, int]
"""Log position of a commit and the decision's place in it."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which decisions are shown; what is None or empty does not restrict.

    `text` is a part of the reason or the message, whatever its case. Times are aware; `before` itself is not included.
    """

    names: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    vias: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    task: int | None = None
    text: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One decision. `task_name` is None when the view has no such task."""

    seq: int
    n: int
    task_id: int
    at: datetime
    actor_kind: str
    actor_name: str
    via: str | None
    command: str
    subtask: int | None
    reason: str | None
    outcome: str
    code: int | None
    message: str | None
    team: str | None
    task_name: str | None

    @property
    def cursor(self) -> Cursor:
        """Where the next page begins."""
        return self.seq, self.n


_COLUMNS = [column for column in audit.columns if column.name != "said"]


class AuditReads:
    """Queries over one database. Each raises `ViewUnavailable` when it is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(self, where: AuditFilter, *, size: int, after: Cursor | None = None) -> list[AuditRow]:
        """Return at most `size` decisions behind `after`, the newest first."""
        query = (
            select(*_COLUMNS, tasks.c.name.label("task_name"))
            .outerjoin(tasks, tasks.c.id == audit.c.task_id)
            .where(*_conditions(where))
            .order_by(audit.c.seq.desc(), audit.c.n.desc())
            .limit(size)
        )
        if after is not None:
            seq, n = after
            query = query.where(audit.c.seq <= seq, or_(audit.c.seq < seq, and_(audit.c.seq == seq, audit.c.n < n)))
        async with reading(self._engine) as connection:
            return [AuditRow(**row) for row in (await connection.execute(query)).mappings()]

    async def witness(self, task_id: int) -> Witness | None:
        """Return the position and the hash that the view has of a task, or None."""
        query = select(tasks.c.seq, tasks.c.head).where(tasks.c.id == task_id)
        async with reading(self._engine) as connection:
            found = (await connection.execute(query)).one_or_none()
        return Witness(found.seq, found.head) if found is not None else None


def _conditions(where: AuditFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    pairs: list[tuple[ColumnElement[Any], tuple[str, ...]]] = [
        (audit.c.actor_name, where.names),
        (audit.c.command, where.commands),
        (audit.c.via, where.vias),
        (audit.c.outcome, where.outcomes),
    ]
    found.extend(column.in_([indexed(word) for word in words]) for column, words in pairs if words)
    if where.task is not None:
        found.append(audit.c.task_id == where.task)
    if where.text:
        found.append(audit.c.said.contains(spoken(where.text), autoescape=True))
    if where.since is not None:
        found.append(audit.c.at >= where.since)
    if where.before is not None:
        found.append(audit.c.at < where.before)
    if where.teams is not None:
        found.append(audit.c.team.in_(sorted(where.teams)))
    return found
